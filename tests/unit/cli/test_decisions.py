"""When there is something to decide: what the command line makes of a pane whose prompt is not to be seen yet."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from agtmux.cli import decisions
from agtmux.protocol.errors import AgtmuxError

ASKS = ("waiting_approval",)


def shown(state: str | None, fingerprint: str | None = None) -> dict[str, Any]:
    """A pane item, as far as a decision needs it."""
    waiting = {"fingerprint": fingerprint} if state in ASKS else None
    return {"identity": {"pane_id": "%1"}, "state": state, "waiting_for": waiting}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Time passes only by sleeping."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda s: now.__setitem__(0, now[0] + s))
    yield now


def read(monkeypatch: pytest.MonkeyPatch, clock: list[float], *walk: tuple[float, dict[str, Any]]) -> Any:
    """What ``_prompted`` finds while a pane is shown as ``walk`` says: each item from its second on."""
    monkeypatch.setattr(decisions, "pane", lambda client, ref: [item for at, item in walk if at <= clock[0]][-1])
    return decisions._prompted(object(), "%1", ASKS, "approve")  # type: ignore[arg-type]


@pytest.mark.tc("TC-027")
def test_a_prompt_that_is_just_being_drawn_is_waited_for(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    seen = shown(ASKS[0], "f1")
    assert read(monkeypatch, clock, (0, shown("running")), (0.5, shown(ASKS[0])), (2.5, seen)) is seen


@pytest.mark.tc("TC-027")
@pytest.mark.parametrize(("state", "until"), [("running", 1.0), ("idle", 0.0), ("unknown", 0.0), (None, 0.0)])
def test_where_nothing_is_asked_there_is_nothing_to_decide(
    monkeypatch: pytest.MonkeyPatch, clock: list[float], state: str | None, until: float
) -> None:
    with pytest.raises(AgtmuxError, match="nothing to approve") as caught:
        read(monkeypatch, clock, (0, shown(state)))
    assert caught.value.code == "E_PRECONDITION_FAILED"
    assert until <= clock[0] <= until + 0.1


@pytest.mark.tc("TC-027")
def test_a_prompt_that_is_never_drawn_is_not_decided(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    with pytest.raises(AgtmuxError, match="not on its screen"):
        read(monkeypatch, clock, (0, shown(ASKS[0])))
