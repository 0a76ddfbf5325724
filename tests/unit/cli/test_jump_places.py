"""Where each client was before its last jump."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agtmux.cli.jump_places import MOST, recall, remember

pytestmark = pytest.mark.tc("TC-366")
HERE = ("/tmp/tmux-0/default", "77")
PLACE = ("$1", "@2", "%3")


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AGTMUX_RUNTIME_DIR", str(tmp_path / "run"))
    return tmp_path / "run"


def test_each_client_of_each_server_has_its_own_place(runtime: Path) -> None:
    remember(HERE, "/dev/pts/1", PLACE)
    remember(HERE, "/dev/pts/2", ("$4", "@5", "%6"))
    assert recall(HERE, "/dev/pts/1") == PLACE
    assert recall((HERE[0], "78"), "/dev/pts/1") is None, "another life of that server"
    assert recall(HERE, "/dev/pts/3") is None
    file = runtime / "jumps.json"
    assert (file.stat().st_mode & 0o777, runtime.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [path.name for path in runtime.iterdir()] == ["jumps.json"]


def test_the_oldest_clients_are_forgotten() -> None:
    for n in range(MOST + 1):
        remember(HERE, f"/dev/pts/{n}", PLACE)
    assert recall(HERE, "/dev/pts/0") is None
    assert recall(HERE, f"/dev/pts/{MOST}") == PLACE


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "[]", '{"k": 1}', '{"k": ["$1", "@2", "; kill-server", 1]}', '{"k": ["$1", "@2", "%3"]}', "\xff"],
)
def test_a_file_that_is_not_ours_counts_as_none(runtime: Path, text: str) -> None:
    runtime.mkdir()
    (runtime / "jumps.json").write_text(text.replace("k", f"{HERE[0]} {HERE[1]} c"), "latin-1")
    assert recall(HERE, "c") is None
    remember(HERE, "c", PLACE)
    assert recall(HERE, "c") == PLACE
    assert len(json.loads((runtime / "jumps.json").read_text())) == 1


def test_a_folder_that_cannot_be_written_does_not_stop_a_jump(runtime: Path) -> None:
    runtime.write_text("in the way")
    remember(HERE, "c", PLACE)
    assert recall(HERE, "c") is None
