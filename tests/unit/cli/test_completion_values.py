"""A shell gets the completions that fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.daemon_stub import Stub, agtmux, listing, pane


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


@pytest.mark.tc("TC-628")
def test_a_name_that_a_person_gave_is_completed_as_a_ref(short_dir: Path) -> None:
    (short_dir / "run").mkdir(mode=0o700)
    stub = Stub(short_dir / "run" / "agtmuxd.sock").start()
    named = pane("%2", agent={"agent_id": "1", "name": "builder", "team": None})
    stub.answer("GET /v1/panes", listing(pane("%1"), named))
    try:
        done = agtmux(short_dir, _AGTMUX_COMPLETE="bash_complete", COMP_WORDS="agtmux ack b", COMP_CWORD="2")
    finally:
        stub.stop()
    assert done.stdout == b"plain,builder\n"
