"""Files put in place on another machine: whole or not at all, with what was there kept."""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.remote_hooks import install_program, place_files
from agtmuxd.remote_hooks.place_files import place as put_in_place


def place(*files: tuple[Path, str | None, str | None], backups: int = 2, remove: bool = False) -> list[dict[str, Any]]:
    each = [{"path": str(p), "before": b, "after": a} for p, b, a in files]
    asked = {"files": each, "backups": backups, "remove": remove}
    done = subprocess.run(
        [sys.executable, "-IS", "-c", install_program.file_writer()], input=json.dumps(asked).encode(),
        capture_output=True, check=True, timeout=30,
    )  # fmt: skip
    out: list[dict[str, Any]] = json.loads(done.stdout)
    return out


def test_a_file_is_made_replaced_and_removed_and_kept_each_time(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "é.json"
    assert place((path, None, "one\r\n")) == [{"backup": None, "error": None, "left": [], "changed": False}]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    (done,) = place((path, "one\r\n", "two"))
    assert Path(done["backup"]).read_bytes() == b"one\r\n"
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("two", 0o644)
    (done,) = place((path, "two", None))
    assert not path.exists()
    assert Path(done["backup"]).read_text() == "two"
    assert sorted(p.name for p in path.parent.iterdir() if "backup" not in p.name) == []


def test_what_is_taken_out_without_a_trace_leaves_no_backup(tmp_path: Path) -> None:
    path, ours = tmp_path / "theirs.json", tmp_path / "ours.json"
    path.write_text("theirs")
    (put,) = place((path, "theirs", "theirs and ours"))
    assert put["left"] == [put["backup"]]
    taken = place((path, "theirs and ours", "theirs"), (ours, None, None), remove=True)
    assert taken[0] == {"backup": None, "error": None, "left": [], "changed": False}
    ours.write_text("ours")
    (gone,) = place((ours, "ours", None), remove=True)
    assert gone == {"backup": None, "error": None, "left": [], "changed": False}
    assert [p.name for p in tmp_path.iterdir()] == ["theirs.json"]


def test_a_backup_that_says_something_else_stays_and_is_named(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text("theirs")
    (put,) = place((path, "theirs", "theirs and ours"))
    path.write_text("theirs, changed, and ours")
    (taken,) = place((path, "theirs, changed, and ours", "theirs, changed"), remove=True)
    assert taken["left"] == [put["backup"], taken["backup"]], "also within one second"
    assert [Path(one).read_text() for one in taken["left"]] == ["theirs", "theirs, changed, and ours"]


def test_what_changed_meanwhile_stays_and_holds_up_no_other(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("theirs")
    first, second = place((one, "mine", "new"), (two, None, "new"))
    assert "changed meanwhile" in first["error"]
    assert (one.read_text(), two.read_text(), second["error"]) == ("theirs", "new", None)


def test_a_folder_that_takes_no_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    (done,) = place((Path("/proc/agtmux.json"), None, "new"))
    assert done["backup"] is None
    assert re.fullmatch(r"/proc cannot be written to \(.*\)\. .* --dry-run shows\.", done["error"])


@pytest.mark.parametrize("after", ["new", None])
def test_what_an_agent_writes_while_the_backup_is_made_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str | None
) -> None:
    path = tmp_path / "settings.json"
    path.write_text("old")
    real = os.fsync

    def slow(fd: int) -> None:
        real(fd)
        path.write_text("an answer that the agent is to remember")

    monkeypatch.setattr(os, "fsync", slow)
    with pytest.raises(ValueError, match="changed meanwhile"):
        put_in_place(str(path), "old", after, 2)
    assert path.read_text() == "an answer that the agent is to remember"
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


@pytest.mark.tc("TC-226")
def test_who_puts_files_into_a_folder_waits_for_another_one_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two installs at once do not cross each other, also of two daemons. One that hangs is told, and nothing is left
    behind in the folder."""
    path = tmp_path / "settings.json"
    holder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    monkeypatch.setattr(place_files, "LOCK_WAIT", 0.0)
    with pytest.raises(ValueError, match="another program is changing files there"):
        put_in_place(str(path), None, "new", 2)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(place_files, "LOCK_WAIT", 30.0)
    with ThreadPoolExecutor() as threads:
        done = threads.submit(put_in_place, str(path), None, "new", 2)
        os.close(holder)
        assert done.result(30) is None
    assert [one.name for one in tmp_path.iterdir()] == ["settings.json"]


def test_a_link_stays_and_old_backups_go(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("1")
    link.symlink_to(real)
    for number in range(4):
        (tmp_path / f"real.agtmux-backup-20200101-00000{number}").write_text("old")
    assert place((link, "1", "2"))[0]["error"] is None
    assert link.is_symlink()
    assert real.read_text() == "2"
    assert len(list(tmp_path.glob("real.agtmux-backup-*"))) == 2
