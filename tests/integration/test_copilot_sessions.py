"""Sessions of Copilot: which one a process has, how often that is asked, and whose hooks count where it has several."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agtmuxd.targets.proctable import count_open, read_open
from tests.integration.test_transcripts import holder, house
from tests.rig import Agent


@pytest.mark.tc("TC-015")
async def test_open_files_of_a_process_whose_screen_is_as_it_was_are_hardly_ever_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Going over to another session moves the screen: then they are named again within three seconds."""
    if not count_open(os.getpid()):
        pytest.skip("this kernel does not tell how many files are open")
    asked: list[int] = []

    def names(pid: int) -> list[str]:
        asked.append(pid)
        return read_open(pid)

    monkeypatch.setattr("agtmuxd.targets.proctable.read_open", names)
    async with house(tmp_path) as h:
        with holder(h.home) as (proc, go_over):
            agent = Agent(kind="copilot", pid=proc.pid, start=proc.start)
            watched = h.agent(agent, proc)
            watched.screen = ("a prompt", "title", True, True, 0, 0)
            go_over("session-1")
            await h.rig.round(agent)
            for seconds, count in ((0.1, 1), (1, 1), (3, 2), (3, 2), (8, 2), (3, 2), (1, 3), (3, 3)):
                h.clock.forward(seconds)
                await h.look()
                assert len(asked) == count
            go_over("session-2")  # as many files as before
            watched.screen = ("another prompt", "title", True, True, 0, 0)
            h.clock.forward(1)
            await h.look()
            assert len(asked) == 4
            assert h.events() == ["other_session"]
            for seconds, count in ((1, 4), (3, 5), (3, 5), (8, 5)):  # it may have been drawn before that was done
                h.clock.forward(seconds)
                await h.look()
                assert len(asked) == count
