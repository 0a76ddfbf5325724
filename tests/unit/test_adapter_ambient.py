"""Whether a Codex event's pane and process prove anything: not when the shared app server sent it."""

from __future__ import annotations

import pytest

from agtmuxd.adapters.codex import CodexAdapter
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
