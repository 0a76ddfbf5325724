"""tmux's own message, in a real tmux: on the terminal that was used last, and no text in it is a format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agtmuxd.features.notify.channels.clients import terminals
from agtmuxd.features.notify.channels.contract import Tools
from agtmuxd.features.notify.channels.tmux import TmuxChannel
from agtmuxd.features.notify.message import Message
from agtmuxd.target_manager.tmux_servers import TmuxServers
from tests.conftest import Terminal, Tmux
from tests.fake_services import eventually
from tests.integration.features.notify.channels.stubs import message, settings, tools
from tests.integration.target_manager.test_manager import Stage, stage
from tests.rig import TARGET
from tests.unit.features.notify.makers import episode, subject

__all__ = ["stage"]
pytestmark = pytest.mark.tc("TC-418")


def channel(stage: Stage) -> TmuxChannel:
    servers = TmuxServers(stage.target_manager.watches)
    plain = tools()
    return TmuxChannel(
        settings("tmux"),
        Tools(plain.environ, plain.clock, plain.press, plain.public_url, servers, lambda: terminals(servers, {})),
    )


async def test_without_a_terminal_there_is_nobody_to_tell(stage: Stage, tmux: Tmux) -> None:
    outcome = await channel(stage).send(message())
    assert (outcome.ok, outcome.absent) == (False, True)


async def test_the_message_is_shown_as_it_is(
    stage: Stage, tmux: Tmux, attach: Callable[..., Terminal], tmp_path: Path
) -> None:
    tmux.start()
    servers = TmuxServers(stage.target_manager.watches)
    await eventually(lambda: servers.targets() == (TARGET,))
    terminal = attach(tmux, "main", cols=300)
    await eventually(lambda: b"[main]" in terminal.read())  # drawn: a client that just attached draws over a message
    evil = f"#(touch {tmp_path}/x) #{{pid}} #[fg=red]red %H:%M; kill-server"
    told: Message = message(episode(subject=subject(asks=evil)))
    outcome = await channel(stage).send(told)
    assert outcome.ok, outcome.detail

    def shown() -> bool:
        return b"kill-server" in terminal.read()

    await eventually(shown)
    assert not (tmp_path / "x").exists()
    assert b"needs your approval" in terminal.read()
    assert tmux.try_run("has-session").returncode == 0
