"""Whether an event's pane and process prove anything: not when an agent's server sent it, or one that is a tool."""

from __future__ import annotations

import pytest

from agtmuxd.adapters.codex.adapter import CodexAdapter
from agtmuxd.adapters.opencode.adapter import OpenCodeAdapter
from agtmuxd.core.model import Ancestor, RawEvent, Source


def _event(*chain: Ancestor) -> RawEvent:
    return RawEvent(
        event_id="e-1",
        event_type="UserPromptSubmit",
        source=Source.HOOK,
        agent_type="codex",
        event_time=1,
        ingested_at=1,
        dedupe_key="k",
        chain=chain,
        payload={"hook_event_name": "UserPromptSubmit", "session_id": "s-1", "prompt": "hello"},
    )


@pytest.mark.tc("TC-016")
@pytest.mark.parametrize(
    ("chain", "ambient"),
    [
        ((Ancestor(9, "1", ("codex", "app-server", "--listen")), Ancestor(7, "1", ("codex",))), True),
        ((Ancestor(7, "1", ("codex", "--no-daemon")), Ancestor(5, "1", ("bash",))), False),
        ((Ancestor(7, "1", ("node", "/opt/node/bin/codex")), Ancestor(5, "1", ("bash",))), False),
        ((Ancestor(7, "1", ("python3", "-m", "player")), Ancestor(5, "1", ("bash",))), True),
        ((Ancestor(7, "1"),), True),
        ((), True),
    ],
    ids=[
        "app server below the first TUI",
        "embedded server",
        "below the shim",
        "below no Codex",
        "no command lines told",
        "no chain told",
    ],
)
def test_an_event_of_the_shared_app_server_proves_no_pane(chain: tuple[Ancestor, ...], ambient: bool) -> None:
    assert CodexAdapter().normalise(_event(*chain), {}).ambient is ambient


SHELL = Ancestor(5, "1", ("bash",))
TERMINAL = Ancestor(7, "1", ("/opt/opencode-ai/bin/opencode",))


@pytest.mark.tc("TC-016")
@pytest.mark.parametrize(
    ("chain", "ambient"),
    [
        ((TERMINAL, SHELL), False),
        ((TERMINAL, Ancestor(6, "1", ("node", "/usr/bin/opencode")), SHELL), False),
        ((Ancestor(7, "1", ("opencode", "run")), SHELL), False),
        ((Ancestor(9, "1", ("opencode", "run")), SHELL, TERMINAL, SHELL), True),
        ((Ancestor(9, "1"), SHELL, TERMINAL, SHELL), True),
        ((Ancestor(7, "1"), SHELL), False),
        ((Ancestor(9, "1", ("opencode", "serve")), SHELL), True),
        ((Ancestor(9, "1", ("opencode", "web")), SHELL, TERMINAL), True),
        ((), False),
    ],
    ids=[
        "terminal",
        "below its shim",
        "a run by itself",
        "a run as a tool",
        "one that ended as a tool",
        "one that ended",
        "server",
        "server as a tool",
        "no chain",
    ],
)
def test_an_event_of_another_opencode_than_the_panes_proves_no_pane(chain: tuple[Ancestor, ...], ambient: bool) -> None:
    """A server's terminals are in other panes; what a run says that is a command of an agent is not that agent's."""
    payload = {"sessionID": "ses_1", "error": {"name": "APIError"}}
    event = RawEvent("e", "event:session.error", Source.HOOK, "opencode", 1, 1, "d", chain=chain, payload=payload)
    assert OpenCodeAdapter().normalise(event, {}).ambient is ambient
