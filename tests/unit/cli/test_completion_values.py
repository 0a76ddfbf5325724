"""A shell gets the completions that fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.daemon_stub import Stub, agtmux


def test_a_shell_is_told_the_completions(short_dir: Path) -> None:
    done = agtmux(short_dir, _AGTMUX_COMPLETE="bash_complete", COMP_WORDS="agtmux target re", COMP_CWORD="2")
    assert done.stdout == b"plain,remove\n"


@pytest.mark.tc("TC-410")
def test_the_channels_of_notifications_are_completed(short_dir: Path) -> None:
    (short_dir / "run").mkdir(mode=0o700)
    stub = Stub(short_dir / "run" / "agtmuxd.sock").start()
    stub.answer("GET /v1/notify", {"channels": [{"channel": "desk"}, {"channel": "phone"}]})
    try:
        done = agtmux(short_dir, _AGTMUX_COMPLETE="bash_complete", COMP_WORDS="agtmux notify test p", COMP_CWORD="3")
    finally:
        stub.stop()
    assert done.stdout == b"plain,phone\n"
