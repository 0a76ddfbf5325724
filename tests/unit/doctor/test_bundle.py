"""What goes into the archive for somebody who helps, and what never does."""

from __future__ import annotations

import json
import os
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest

from agtmux.doctor import bundle
from agtmux.doctor.report import Report, Result, warning
from agtmux.protocol.errors import AgtmuxError
from tests.unit.daemon_stub import environment
from tests.unit.doctor.world import facts

SECRET = "PANE-TEXT-9f3"


@pytest.fixture(autouse=True)
def here(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in environment(short_dir, USER="wilhelmina").items():
        monkeypatch.setenv(name, value)
    (short_dir / "state").mkdir()
    return short_dir


def made(path: Path, report: Report | None = None, **healthy: Any) -> dict[str, str]:
    """The texts of the files in an archive that was written."""
    bundle.write(str(path), report or Report("1", "now"), facts(healthy=healthy))
    with tarfile.open(path) as archive:
        return {
            member.name.partition("/")[2]: (archive.extractfile(member) or pytest.fail()).read().decode()
            for member in archive.getmembers()
        }


@pytest.mark.tc("TC-527")
def test_an_archive_is_for_its_owner_only_and_never_overwrites(here: Path) -> None:
    path = here / "b.tar.gz"
    before = os.umask(0)
    try:
        made(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = path.read_bytes()
    with pytest.raises(AgtmuxError, match="exists already: choose another name"):
        made(path)
    assert path.read_bytes() == kept
    (here / "link").symlink_to(here / "elsewhere")
    with pytest.raises(AgtmuxError):
        made(here / "link")
    assert not (here / "elsewhere").exists()


@pytest.mark.tc("TC-527")
def test_texts_that_may_hold_anything_are_left_out(here: Path) -> None:
    """Of settings, health, findings and log lines only known fields stay, and numbers."""
    (here / "config.toml").write_text(
        'log_level = "debug"\n[redaction]\npatterns = ["' + SECRET + '"]\n[[notify.channels]]\nname = "phone"\n'
        f'kind = "ntfy"\nurl = "https://ntfy.sh/{SECRET}"\nargv = ["{SECRET}"]\n'
    )
    (here / "state" / "agtmuxd.log").write_text(
        f"2026-11-30T14:08:04.464570Z [warning  ] round failed target=host reason=lost said='{SECRET} x=1'\n"
        "Traceback (most recent call last):\n"
        f'  File "/home/u/agtmuxd/x.py", line 7, in read\n    raise ValueError({SECRET})\nValueError: {SECRET}\n'
        + json.dumps({"event": "ready", "pid": 5, "why": SECRET, "exception": f"ValueError: {SECRET}"})
        + "\n"
    )
    finding = warning("adapter", f"reading claude failed 3 times, last: KeyError: {SECRET}")
    files = made(
        here / "b.tar.gz", Report("1", "now", (Result("health", (finding,)),)),
        adapters=[{"name": "claude", "last_error": SECRET, "errors": 3}], last_errors=[f"rules not loaded: {SECRET}"],
        socket=f"{here}/run/agtmuxd.sock", pid=4711,
    )  # fmt: skip
    assert {"doctor.json", "versions.json", "health.json", "config.json", "log.txt"} == set(files)
    assert [name for name, text in files.items() if SECRET in text] == []
    assert [name for name, text in files.items() if str(here) in text or "wilhelmina" in text] == []
    assert json.loads(files["health.json"])["pid"] == 4711
    settings = json.loads(files["config.json"])["file"]
    assert settings["log_level"] == "debug"
    assert settings["notify"]["channels"] == [
        {"name": "phone", "kind": "ntfy", "url": bundle.LEFT_OUT, "argv": [bundle.LEFT_OUT]}
    ]
    assert files["log.txt"].splitlines() == [
        "2026-11-30T14:08:04.464570Z [warning] round failed target=host reason=lost",
        "  x.py:7 read",
        "  ValueError",
        '{"event": "ready", "pid": 5, "exception": ["  ValueError"]}',
    ]


@pytest.mark.tc("TC-527")
def test_a_secret_in_a_kept_field_is_redacted(here: Path) -> None:
    files = made(here / "b.tar.gz", socket="/x?token=sk-abcdefghijklmnopqrstuvwx")
    assert "abcdefghijklmnop" not in files["health.json"]
