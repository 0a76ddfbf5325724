"""Which tmux a terminal is in, and how it gets to a pane from there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agtmux.terminal import inside, way, where_from

RESULT: dict[str, Any] = {
    "kind": "local", "socket": "/tmp/tmux-0/default", "server_pid": 41,
    "switch": ["tmux", "switch-client"], "argv": ["tmux", "attach"], "whole": ["tmux", "attach", ";", "select-pane"],
}  # fmt: skip


@pytest.mark.tc("TC-310")
@pytest.mark.parametrize(
    ("value", "here"),
    [
        ("/tmp/tmux-0/default,41,0", ("/tmp/tmux-0/default", "41")),
        ("/tmp/a,b/default,41,0", ("/tmp/a,b/default", "41")),
        ("", None),
        ("nonsense", None),
        (",41,0", None),
    ],
)
def test_the_tmux_of_a_terminal_is_read_from_its_environment(
    monkeypatch: pytest.MonkeyPatch, value: str, here: tuple[str, str] | None
) -> None:
    """Also where the path of the socket has commas. Anything else is no tmux."""
    monkeypatch.setenv("TMUX", value)
    assert inside() == here


@pytest.mark.tc("TC-310")
def test_the_way_to_a_pane_depends_on_where_the_terminal_is(tmp_path: Path) -> None:
    """The same server: its client switches. Outside, or another machine: the terminal attaches. Else neither."""
    here = ("/tmp/tmux-0/default", "41")
    assert way(here, RESULT) == ("switch", ["tmux", "switch-client"])
    assert way(None, RESULT) == ("attach", ["tmux", "attach"])
    assert way(("/tmp/tmux-0/default", "42"), RESULT)[0] == "elsewhere"
    assert way(("/tmp/tmux-0/work", "41"), RESULT)[0] == "elsewhere"
    assert way(here, {**RESULT, "kind": "ssh"})[0] == "attach"
    link = tmp_path / "link"
    link.symlink_to("/tmp/tmux-0")
    assert way((f"{link}/default", "41"), RESULT)[0] == "switch"


@pytest.mark.tc("TC-310")
def test_a_request_names_the_server_of_the_terminal() -> None:
    assert where_from(("/tmp/x", "41")) == {"inside": {"socket": "/tmp/x", "server_pid": 41}}
    assert where_from(("/tmp/x", "?")) == {}
    assert where_from(None) == {}
