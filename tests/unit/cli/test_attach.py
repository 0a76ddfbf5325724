"""agtmux attach --print names odd sessions without odd characters."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.unit.cli.test_root import ODD, is_harmless
from tests.unit.daemon_stub import Stub, agtmux


@pytest.mark.tc("TC-105")
def test_a_command_to_be_typed_names_odd_sessions_without_odd_characters(short_dir: Path, stub: Stub) -> None:
    words = ["tmux", "attach", "-t", f"={ODD} it's \\ \n:"]
    stub.answer("POST /v1/actions/attach", {"result": {"whole": words}})
    done = agtmux(short_dir, "attach", "pane:host/work/@1/%1", "--print")
    assert is_harmless(done.stdout)
    shell = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {done.stdout.decode()}"], capture_output=True, check=True, timeout=60
    )
    assert shell.stdout.decode().split("\0")[:-1] == words
