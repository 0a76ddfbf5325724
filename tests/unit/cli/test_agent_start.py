"""When a new agent is there, when it is ready, and when waiting for it is over: read from the stream alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from agtmux.cli import agent_start
from agtmux.cli.agent_start import AgentStart
from agtmux.cli.context import App
from agtmux.protocol.errors import AgtmuxError
from tests.unit.daemon_stub import pane

pytestmark = pytest.mark.tc("TC-866")
Item = dict[str, Any]


def row(**more: Any) -> Item:
    """The row of the new pane %7."""
    item: Item = pane(**more)
    item["identity"] = {"target": "host", "session_name": "s", "window_id": "@1", "pane_id": "%7"}
    return item


NONE = {"runtime_id": None, "agent_type": None, "state": None, "accepts_input": None, "command": "sh"}
BUSY = {"runtime_id": "rt-1", "state": "unknown", "accepts_input": None, "waiting_for": None, "reason_code": None}
READY = {**BUSY, "state": "idle", "accepts_input": True}
ASKS = {**BUSY, "state": "waiting_approval", "accepts_input": False, "waiting_for": {"subject": "Trust", "text": "?"}}


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AgentStart]:
    """Makes a start whose stream has these snapshots, then only time passes."""

    def make(*snapshots: Sequence[Item], seconds: float = 60.0) -> AgentStart:
        class Lines:
            def __init__(self, _app: App, params: Item, *, reconnect: bool) -> None:
                assert reconnect and params["all"] == "true" and "target" not in params

            def lines(self, tick: Callable[[], None], every: float) -> Iterator[bytes]:
                for items in snapshots:
                    yield json.dumps({"type": "snapshot", "items": items}).encode()
                while True:
                    time.sleep(min(every, 0.01))
                    tick()

        monkeypatch.setattr(agent_start, "Follower", Lines)
        return AgentStart(App(), "host", "%7", seconds)

    return make


def test_it_is_seen_and_then_ready_and_only_its_own_pane_counts(start: Callable[..., AgentStart]) -> None:
    other = {**row(**READY), "identity": {**row()["identity"], "target": "gpu"}}
    begun = start([], [other], [row(**NONE)], [row(**BUSY)], [row(**READY)])
    assert begun.until_seen()["state"] == "unknown"
    assert begun.until_ready()["state"] == "idle"


def test_a_request_is_printed_once_and_waiting_goes_on(
    start: Callable[..., AgentStart], capsys: pytest.CaptureFixture[str]
) -> None:
    begun = start([row(**ASKS)], [row(**ASKS, title="t")], [row(**READY)])
    begun.until_seen()
    assert begun.until_ready()["accepts_input"] is True
    assert capsys.readouterr().err.count("it waits for you (Trust: ?): answer with agtmux attach %7") == 1


@pytest.mark.parametrize(
    ("snapshots", "words"),
    [
        ([[row(**NONE)], [row(**NONE | {"command": "bash"})]], "has ended: see why with agtmux view-output %7"),
        ([[row(**NONE)], []], "the pane %7 was closed"),
        ([[row(**BUSY | {"reason_code": "agent_crashed", "state": "error", "command": "zsh"})]], "has ended"),
    ],
)
def test_the_end_of_the_program_ends_the_wait(
    start: Callable[..., AgentStart], snapshots: list[list[Item]], words: str
) -> None:
    with pytest.raises(AgtmuxError, match=words) as caught:
        start(*snapshots).until_seen()
    assert caught.value.code == "E_RUNTIME_STALE"


def test_an_agent_that_starts_itself_again_is_waited_for(start: Callable[..., AgentStart]) -> None:
    """Its first process ends, and for a moment no agent is seen."""
    crashed = BUSY | {"reason_code": "agent_crashed", "state": "error", "command": "node"}
    begun = start([row(**BUSY)], [row(**crashed)], [row(**NONE)], [row(**READY | {"runtime_id": "rt-2"})])
    begun.until_seen()
    assert begun.until_ready()["runtime_id"] == "rt-2"


def test_too_late_says_what_is_there(start: Callable[..., AgentStart]) -> None:
    with pytest.raises(AgtmuxError, match=r"no agent was seen in %7 after 0.1 s") as caught:
        start([row(**NONE)], seconds=0.1).until_seen()
    assert caught.value.code == "E_TIMEOUT"
    begun = start([row(**ASKS)], seconds=0.1)
    begun.until_seen()
    with pytest.raises(AgtmuxError, match=r"waiting_approval, which waits for you \(Trust: \?\) and does not accept"):
        begun.until_ready()
