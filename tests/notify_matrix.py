"""What is sent for each event by each rule on each channel: played on the real planner, with a restart in each case.

``python -m tests.notify_matrix`` writes the table into docs/reference/notifications.md; a test compares them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from agtmuxd.config import NotifySettings
from agtmuxd.core.json_codec import stamp
from agtmuxd.core.model import TmuxClient
from agtmuxd.features.notify.channels.clients import Terminal
from agtmuxd.features.notify.message import Outcome
from agtmuxd.features.notify.model import State
from tests.integration.features.notify.stand import CrashError, Stand, asks
from tests.rows import Item, pane

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "notifications.md"
BEGIN, END = "<!-- matrix: written by python -m tests.notify_matrix -->", "<!-- end of matrix -->"
SETTINGS: dict[str, Any] = {
    "channels": [
        {"name": "desk", "kind": "desktop"},
        {"name": "phone", "kind": "ntfy", "url": "https://ntfy.example/t"},
        {"name": "log", "kind": "webhook", "url": "https://log.example"},
    ],
    "rules": [
        {"channels": ["desk"]},
        {
            "on": ["waiting_approval", "waiting_input", "error", "stuck", "message"],
            "channels": ["phone"],
            "after": "2m",
        },
        {"channels": ["log"], "dwell": "0s", "min_turn": "0s", "cooldown": "0s"},
    ],
}
CHANNELS = ("desk", "phone", "log")
Play = Callable[[Stand], Awaitable[None]]
CASES: list[tuple[str, Play]] = []


def case(name: str) -> Callable[[Play], Play]:
    def add(play: Play) -> Play:
        CASES.append((name, play))
        return play

    return add


def turn(stand: Stand, state: str, version: int, **more: Any) -> Item:
    """A row that begins now."""
    since = stamp(stand.clock())
    if state == "completed":
        more |= {"attention": "review", "attention_since": since}
    return pane(state=state, since=since, state_version=version, **more)


async def shown(stand: Stand, item: Item) -> None:
    await stand.show(item)
    await stand.settle()


@case("an approval that stays open")
async def _(stand: Stand) -> None:
    await shown(stand, asks())


@case("a question")
async def _(stand: Stand) -> None:
    await shown(stand, turn(stand, "waiting_input", 1))


@case("an error")
async def _(stand: Stand) -> None:
    await shown(stand, turn(stand, "error", 1))


@case("an agent that is stuck")
async def _(stand: Stand) -> None:
    stuck = {"since": stamp(stand.clock()), "reason": "no progress", "attention": "review"}
    await shown(stand, {**turn(stand, "running", 1, attention="review"), "stuck": stuck})


@case("a message that asks people")
async def _(stand: Stand) -> None:
    question = {"since": stamp(stand.clock()), "kind": "question", "message_id": "m-1", "overdue": False, "count": 1}
    await shown(stand, {**turn(stand, "running", 1), "asks": {**question, "attention": "needs_action"}})


@case("the end of a turn of 40 s")
async def _(stand: Stand) -> None:
    await shown(stand, turn(stand, "running", 1))
    await stand.forward(40)
    await shown(stand, turn(stand, "completed", 2))


@case("the end of a turn of 5 s")
async def _(stand: Stand) -> None:
    await shown(stand, turn(stand, "running", 1))
    await stand.forward(5)
    await shown(stand, turn(stand, "completed", 2))


@case("an approval that is answered after 1 s")
async def _(stand: Stand) -> None:
    await shown(stand, asks())
    await stand.forward(1)
    await shown(stand, turn(stand, "running", 2))


@case("an approval that is answered after 1 min")
async def _(stand: Stand) -> None:
    await shown(stand, asks())
    await stand.forward(2)
    await stand.forward(58)
    await shown(stand, turn(stand, "running", 2))


@case("an approval in a pane that you look at")
async def _(stand: Stand) -> None:
    flags = frozenset({"attached", "focused"})
    client = TmuxClient("a", "/dev/pts/1", "$1", "@1", "%1", flags, "xterm", "", stand.clock() // 10**9, True)
    stand.terminals = [Terminal("t-host", True, client)]
    await shown(stand, asks())


@case("an approval in a pane that is muted for an hour")
async def _(stand: Stand) -> None:
    await stand.show(turn(stand, "running", 1))
    await stand.service.mute("pane:host/work/@1/%1", 3600, None)
    await shown(stand, asks(state_version=2))


@case("an approval in quiet hours that last an hour")
async def _(stand: Stand) -> None:
    hours = {**SETTINGS, "quiet_hours": "00:00-01:00 UTC"}
    stand.settings = NotifySettings.model_validate(hours)
    await shown(stand, asks())


@case("an approval on a target that goes down")
async def _(stand: Stand) -> None:
    await shown(stand, asks())
    known = {"state": "waiting_approval", "since": stamp(stand.clock()), "at": stamp(stand.clock())}
    hidden = {"attention": "needs_action", "reason_code": "target_unreachable", "last_known": known}
    await shown(stand, turn(stand, "unknown", 2, **hidden))


@case("five approvals within 3 s")
async def _(stand: Stand) -> None:
    for number in range(1, 6):
        await stand.show(asks(number))
        stand.clock.forward(0.5)
    await stand.settle()


@case("an approval; the daemon is killed before it sends")
async def _(stand: Stand) -> None:
    await killed(stand, "notify_before_intent")


@case("an approval; the daemon is killed while it sends")
async def _(stand: Stand) -> None:
    await killed(stand, "notify_after_intent")


@case("an approval; the daemon is killed when it has sent")
async def _(stand: Stand) -> None:
    await killed(stand, "notify_after_send")


async def killed(stand: Stand, point: str) -> None:
    """Show an approval that is due on all channels at once, and end the daemon at a point."""
    rules = [{"channels": [name], "dwell": "0s"} for name in CHANNELS]
    stand.settings = NotifySettings.model_validate({**SETTINGS, "rules": rules})
    await stand.show(asks())
    stand.crash_at = point
    try:
        await stand.notifier.tick()
        await stand.notifier.settle()
    except CrashError:
        for task in list(stand.notifier._sending):
            task.cancel()
        await asyncio.gather(*stand.notifier._sending, return_exceptions=True)
        stand.restart()
        await stand.start()


@case("an approval while the desktop fails")
async def _(stand: Stand) -> None:
    stand.wall.answer["desk"] = Outcome(ok=False, detail="no bus")
    await shown(stand, asks())


async def row(play: Play) -> list[str]:
    """What became of it on each channel, after a restart at once and three hours more."""
    stand = Stand(None, SETTINGS)
    try:
        await stand.start()
        await play(stand)
        stand.restart()
        await stand.start()
        await stand.settle()
        for _ in range(130):
            await stand.forward(1)
        for _ in range(6):
            await stand.forward(1800)
        return [await outcome(stand, name) for name in CHANNELS]
    finally:
        stand.connection.close()


def span(ns: int) -> str:
    """A time in its usual unit."""
    seconds = round(ns / 1e9)
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min" if seconds < 3600 else f"{seconds // 3600} h"


async def outcome(stand: Stand, channel: str) -> str:
    """What somebody saw on a channel of what was shown in pane %1, or else why not."""
    mine = [m for name, m in stand.wall.shown if name == channel and any(n.pane_id == "%1" for n in m.notes)]
    episodes = {n.episode_id for m in mine for n in m.notes}
    ids = {message.message_id for message in mine}
    if len(ids) > 1 or (len(mine) > 1 and channel == "desk"):
        return f"TWICE {len(mine)}"
    if mine:
        many = f", about {len(episodes)} at once" if len(episodes) > 1 else ""
        again = ", again with the same id" if len(mine) > 1 else ""
        (opened,) = stand.connection.execute(
            "SELECT opened_at FROM notify_episodes WHERE episode_id = ?", (mine[0].notes[0].episode_id,)
        ).fetchone()
        return f"once, after {span(mine[0].made_at - opened)}{many}{again}"
    rows = stand.connection.execute(
        "SELECT d.state, d.reason FROM notify_deliveries d JOIN notify_episodes e ON e.episode_id = d.episode_id"
        " WHERE d.channel = ? AND e.pane_key = 'host/%1' AND e.kind <> 'channel' AND d.part = 'first'",
        (channel,),
    ).fetchall()
    for state, reason in rows:
        if state == State.UNKNOWN:
            return "perhaps once"
        if state == State.SENDING:
            return "not yet: it fails and is tried again"
        return f"no: {reason}"
    facts = stand.notifier.facts(stand.clock())
    from agtmuxd.features.notify.model import Part
    from agtmuxd.features.notify.plan import judge

    for one in stand.notifier.book.open.values():
        verdict = judge(facts, one, channel, Part.FIRST)
        if verdict is not None:
            return f"not yet: {verdict.reason}"
    return "no: no rule is for it"


def table() -> str:
    """The whole table in Markdown."""
    lines = ["| what happens | desk | phone | log |", "|---|---|---|---|"]
    for name, play in CASES:
        lines.append(f"| {name} | {' | '.join(asyncio.run(row(play)))} |")
    return "\n".join(lines)


def page(text: str) -> str:
    """The page with the table as it is now."""
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
    print(table())
