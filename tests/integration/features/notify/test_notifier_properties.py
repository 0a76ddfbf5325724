"""Whatever happens in whatever order, with crashes anywhere: nothing is told twice, and nothing that lasts is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agtmuxd.features.notify.message import Outcome
from agtmuxd.features.notify.model import Kind, Part, State, occurrences
from agtmuxd.stream.subscription import Resync
from tests.integration.features.notify.stand import CrashError, Stand, asks
from tests.rows import Item, key_of, pane

pytestmark = pytest.mark.tc("TC-405")
POINTS = ("notify_before_intent", "notify_after_intent", "notify_after_send", "notify_after_outcome")
RULES: dict[str, Any] = {
    "channels": [
        {"name": "desk", "kind": "desktop"},
        {"name": "hook", "kind": "webhook", "url": "https://x.example"},
    ],
    "rules": [
        {"channels": ["desk"], "min_turn": "0s", "remind": "10m"},
        {"channels": ["hook"], "min_turn": "0s", "after": "30s"},
    ],
}
PANES = (1, 2, 3, 4, 5)
SHOWN = ("f-1", "f-2", "run", "done", "gone")


@st.composite
def events(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """What happens, in order."""
    show = st.tuples(st.just("show"), st.tuples(st.sampled_from(PANES), st.sampled_from(SHOWN)))
    time = st.tuples(st.just("time"), st.sampled_from([0.5, 2.0, 5.0, 40.0, 700.0]))
    one = st.one_of(
        show, time, show, time, show, time,
        st.tuples(st.just("restart"), st.just(None)),
        st.tuples(st.just("resync"), st.just(None)),
        st.tuples(st.just("crash"), st.sampled_from(POINTS)),
        st.tuples(st.just("fails"), st.sampled_from(["desk", "hook", "none"])),
        st.tuples(st.just("mute"), st.sampled_from([1, 2, None])),
        st.tuples(st.just("look"), st.sampled_from(PANES)),
    )  # fmt: skip
    return draw(st.lists(one, min_size=12, max_size=40))


class Player:
    """Plays events on a stand, as real rows would change: each new state has its own time and version."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.versions: dict[int, int] = {}

    def stamp(self) -> str:
        from agtmuxd.core.json_codec import stamp

        return stamp(self.stand.clock())

    def row(self, number: int, what: str) -> Item | None:
        before = self.stand.view.panes.get(f"host/%{number}")
        shown = (before or {}).get("waiting_for") or {}
        if what == "gone":
            return None
        if before is not None and (shown.get("fingerprint") == what or before["state"] == {"run": "running"}.get(what)):
            return before
        version = self.versions[number] = self.versions.get(number, 0) + 1
        since = self.stamp()
        if what == "run":
            return pane(f"%{number}", state="running", since=since, state_version=version)
        if what == "done":
            more: dict[str, Any] = {"attention": "review", "attention_since": since}
            return pane(f"%{number}", state="completed", since=since, state_version=version, **more)
        return asks(number, what, since, state_version=version)

    async def play(self, what: str, value: Any) -> None:
        stand = self.stand
        if what == "show":
            number, shown = value
            await stand.publish({f"host/%{number}": self.row(number, shown)})
        elif what == "time":
            stand.clock.forward(value)
        elif what == "restart":
            await self.begin()
        elif what == "resync":
            await stand.notifier.on_resync(Resync.OVERFLOW)
        elif what == "crash":
            stand.crash_at = value
        elif what == "fails":
            stand.wall.answer = {} if value == "none" else {value: Outcome(ok=False, detail="no")}
        elif what == "mute":
            ref = None if value is None or f"host/%{value}" not in stand.view.panes else f"pane:host/work/@1/%{value}"
            await stand.service.mute(ref, 60, None)
        elif what == "look":
            looked = [one for one in stand.notifier.book.open.values() if one.pane_key == f"host/%{value}"]
            await stand.notifier.book.mark_seen([one for one in looked if one.seen_at is None], stand.clock())
        try:
            await stand.notifier.tick()
            await stand.notifier.settle()
        except CrashError:
            await self.begin()

    async def begin(self) -> None:
        """The next daemon."""
        for task in list(self.stand.notifier._sending):
            task.cancel()
        await asyncio.gather(*self.stand.notifier._sending, return_exceptions=True)
        self.stand.restart()
        await self.stand.start()


def twice(stand: Stand) -> list[Any]:
    """What a person was told twice on one channel, other than by the very same message."""
    found = []
    for channel in ("desk", "hook"):
        by_part: dict[tuple[str, bool], list[str]] = {}
        for name, message in stand.wall.shown:
            if name == channel:
                for note in message.notes:
                    by_part.setdefault((note.episode_id, note.reminder), []).append(message.message_id)
        for part, ids in by_part.items():
            if len(ids) > 1 and (channel == "desk" or len(set(ids)) > 1):
                found.append((channel, part, ids))
    return found


async def lost(stand: Stand) -> list[Any]:
    """What still needs somebody, has lasted for hours, and was told nowhere, without a reason."""
    found: list[Any] = []
    book = stand.notifier.book
    for key, item in stand.view.panes.items():
        for occurrence in occurrences(key, item):
            fits = [one for one in book.open.values() if (one.pane_key, one.kind) == (key, occurrence.kind)]
            if len(fits) != 1:
                found.append((key, occurrence.kind, "no episode"))
                continue
            for channel in ("desk", "hook"):
                delivery = book.deliveries.get(fits[0].episode_id, {}).get((channel, Part.FIRST))
                unknown = delivery is not None and delivery.state is State.UNKNOWN and channel == "desk"
                excused = unknown or (delivery is not None and delivery.reason == "you looked at it")
                shown = (fits[0].episode_id, False) in stand.wall.parts(channel)
                if not shown and not excused:
                    found.append((key, occurrence.kind, channel, delivery))
    return found


@given(happening=events())
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_is_told_twice_and_nothing_is_lost(happening: Any) -> None:
    async def run() -> None:
        stand = Stand(None, RULES)
        try:
            player = Player(stand)
            await stand.start()
            for what, value in happening:
                await player.play(what, value)
                assert twice(stand) == []
            stand.wall.answer, stand.crash_at = {}, None
            await player.begin()
            for _ in range(20):
                await stand.forward(3600)
            assert twice(stand) == []
            assert await lost(stand) == []
            alarms = [one for one in stand.notifier.book.open.values() if one.kind is Kind.CHANNEL]
            assert alarms == [], "both channels work again"
            assert all(key_of(item) in stand.view.panes for item in stand.view.panes.values())
        finally:
            stand.connection.close()

    asyncio.run(run())
