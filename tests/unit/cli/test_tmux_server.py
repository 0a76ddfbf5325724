"""The tmux server that a command runs in, asked and told through a real one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agtmux.cli.tmux_server import TmuxServer
from agtmux.protocol.errors import AgtmuxError
from tests.attached import Attached
from tests.conftest import Tmux

pytestmark = pytest.mark.tc("TC-366")


@pytest.fixture
def server(tmux: Tmux) -> TmuxServer:
    tmux.start()
    return TmuxServer(str(tmux.socket), tmux.run("display-message", "-p", "#{pid}"))


def test_options_are_read_as_they_are(server: TmuxServer, tmux: Tmux) -> None:
    for name, value in {"@a": "#{pid} #(id) %H", "@b": "two\nlines"}.items():
        server.run("set-option", "-g", name, value)
    version = tmux.run("display-message", "-p", "#{version}")
    found = server.options(["@a", "@b", "@none"])
    assert (found["@a"], found["@none"]) == ("#{pid} #(id) %H", "")
    assert found["@b"] == ("two\nlines" if version not in ("3.4", "3.5a") else "two\\012lines")


def test_a_client_is_found_by_its_name(server: TmuxServer, tmux: Tmux, new_tmux: Callable[[], Tmux]) -> None:
    tmux.start(session="other")
    terminals = [Attached(tmux, new_tmux(), name, cols=90, rows=20) for name in ("main", "other")]
    found = server.client(terminals[1].client)
    assert (found.name, found.columns, found.rows) == (terminals[1].client, 90, 20)
    assert found.pane == tmux.run("display-message", "-p", "-t", "other:", "#{pane_id}")
    with pytest.raises(AgtmuxError, match="has no client /dev/none: run tmux list-clients") as caught:
        server.client("/dev/none")
    assert caught.value.code == "E_REF_NOT_FOUND"


@pytest.mark.tc("TC-367")
def test_a_message_is_shown_as_it_is(server: TmuxServer, tmux: Tmux, new_tmux: Callable[[], Tmux]) -> None:
    terminal = Attached(tmux, new_tmux())
    server.show_message(terminal.client, "100% of #{pid} #(id)\n#[fg=red]x;")
    terminal.shows(lambda screen: "agtmux: 100% of #{pid} #(id) # [fg=red]x;" in screen)
    server.show_message("/dev/none", "nobody sees it")


def test_what_tmux_refuses_is_told_in_one_line(server: TmuxServer) -> None:
    with pytest.raises(AgtmuxError, match="tmux refused switch-client: can't find client") as caught:
        server.run("switch-client", "-c", "/dev/none")
    assert caught.value.code == "E_PRECONDITION_FAILED"


def test_outside_tmux_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    with pytest.raises(AgtmuxError, match="inside tmux only"):
        TmuxServer.here()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(AgtmuxError, match="tmux is not on PATH"):
        TmuxServer("/tmp/s", "1")
