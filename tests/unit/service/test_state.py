"""How the state of the service is said in a few words, and how its manager is asked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from agtmux.service.files import socket_unit
from agtmux.service.state import ServiceState, run_with
from agtmux.written_files import owners, text_of


@pytest.mark.tc("TC-528")
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"enabled": True, "active": True, "linger": True}, "systemd: enabled, active, goes on after logout"),
        ({"enabled": True, "listening": True}, "systemd: enabled, waits for the first command"),
        ({"enabled": False, "linger": False}, "systemd: not enabled, stopped, ends with your last logout"),
        ({"enabled": True, "failed": "exit-code"}, "systemd: enabled, failed (exit-code)"),
        ({"manager": "nobody answers"}, "systemd: installed, but nobody answers"),
    ],
)
def test_the_state_is_said_in_a_few_words(fields: dict[str, Any], words: str) -> None:
    state = ServiceState("systemd", {"/f": "ours"}, **fields)
    assert state.words == words
    assert state.installed
    assert state.waits is (fields.get("listening") is True)


@pytest.mark.tc("TC-528")
def test_a_link_and_a_file_that_cannot_be_read_are_not_ours(tmp_path: Path) -> None:
    good = tmp_path / "good"
    good.write_text(socket_unit("/s"))
    (tmp_path / "link").symlink_to(good)
    os.mkfifo(tmp_path / "pipe")
    names = [str(tmp_path / name) for name in ("good", "link", "pipe", "none")]
    assert owners(names) == {names[0]: "ours", names[1]: "foreign", names[2]: "foreign"}
    assert text_of(names[3]) is None


def test_a_command_of_the_manager_raises_nothing() -> None:
    run = run_with({"PATH": os.environ["PATH"], "A": "b"})
    assert run(["sh", "-c", "echo $A"]).out == "b\n"
    assert run(["/nowhere/systemctl"]).status == 127
    assert run(["sh", "-c", "echo why >&2; exit 4"]).failure_message == "why"
    assert run(["sh", "-c", "exit 4"]).failure_message == "exit status 4"
