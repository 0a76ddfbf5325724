"""From published rows to messages: once each, taken back when they are over, and after a restart as before."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.config import NotifySettings
from agtmuxd.core.model import TmuxClient
from agtmuxd.features.notify.channels.clients import Terminal
from agtmuxd.features.notify.message import Message, Outcome
from agtmuxd.stream.subscription import Resync
from tests.integration.features.notify.stand import CrashError, FakeChannel, Stand, asks
from tests.rows import pane

pytestmark = pytest.mark.tc("TC-401")
BOTH: dict[str, Any] = {
    "channels": [{"name": "desk", "kind": "desktop"}, {"name": "hook", "kind": "webhook", "url": "https://x.example"}]
}


async def test_a_prompt_is_sent_after_its_dwell_and_once(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    await stand.start()
    await stand.show(asks())
    await stand.forward(1.9)
    assert stand.wall.shown == []
    await stand.forward(0.1)
    await stand.show(asks(title="x"))
    await stand.forward(300)
    assert stand.wall.titles() == ["claude needs your approval"]


async def test_what_ends_before_its_dwell_is_not_sent(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    await stand.start()
    await stand.show(asks())
    await stand.forward(1)
    await stand.show(pane(state="running", state_version=2))
    await stand.forward(300)
    assert stand.wall.shown == []
    _, (why,) = await stand.service.why("pane:host/work/@1/%1", 5)
    assert why["deliveries"][0]["reason"] == "it ended first: it has not lasted long enough yet"


async def test_what_is_over_is_taken_back(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    await stand.start()
    await stand.show(asks())
    await stand.forward(2)
    await stand.show(pane(state="running", state_version=2))
    await stand.settle()
    assert stand.wall.taken_back == [f"h-{stand.wall.shown[0][1].message_id}"]


async def test_what_was_sent_late_about_something_that_is_over_is_taken_back_too(tmp_path: Path) -> None:
    """The prompt was answered while its message was on its way."""
    stand = Stand(tmp_path)
    await stand.start()
    await stand.show(asks())
    stand.clock.forward(2)
    await stand.notifier.tick()
    await stand.show(pane(state="running", state_version=2))
    await stand.settle()
    assert (len(stand.wall.shown), len(stand.wall.taken_back)) == (1, 1)


async def test_a_message_about_many_is_taken_back_with_the_last_of_them(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    await stand.start()
    await stand.show(*[asks(n) for n in range(1, 5)])
    await stand.forward(3)
    assert stand.wall.titles() == ["4 agents need you"]
    await stand.show(*[pane(f"%{n}", state="running", state_version=2) for n in range(1, 4)])
    await stand.settle()
    assert stand.wall.taken_back == []
    await stand.show(pane("%4", state="running", state_version=2))
    await stand.settle()
    assert len(stand.wall.taken_back) == 1


@pytest.mark.parametrize(
    "at", ["notify_before_intent", "notify_after_intent", "notify_after_send", "notify_after_outcome"]
)
async def test_a_crash_at_any_point_repeats_nothing_and_loses_nothing(tmp_path: Path, at: str) -> None:
    """A desktop banner is shown at most once. A webhook has an id, so it is sent again with the same one."""
    stand = Stand(tmp_path, BOTH)
    await stand.start()
    await stand.show(asks())
    stand.clock.forward(2)
    stand.crash_at = at
    with pytest.raises(CrashError):
        await stand.notifier.tick()
        await stand.notifier.settle()
    stand.restart()
    await stand.start()
    await stand.forward(400)
    desk, hook = stand.wall.parts("desk"), stand.wall.parts("hook")
    assert len(desk) == len(set(desk))
    ids = {message.message_id for name, message in stand.wall.shown if name == "hook"}
    assert (len(ids), len(set(hook))) == (1, 1)
    (delivery,) = [d for d in (await stand.service.status())["episodes"][0]["deliveries"] if d["channel"] == "desk"]
    if desk:
        assert delivery["state"] in ("sent", "unknown")
    else:
        assert (at, delivery["state"]) == ("notify_after_intent", "unknown"), "and it says that nobody knows"


async def test_a_crash_before_the_rows_were_followed_loses_nothing(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    await stand.start()
    changed = asks()
    stand.view.panes["host/%1"] = changed  # published, but the subscriber never heard of it
    stand.restart()
    await stand.start()
    await stand.forward(2)
    assert stand.wall.titles() == ["claude needs your approval"]


async def test_what_ended_while_no_daemon_ran_is_closed_and_taken_back(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    await stand.start()
    await stand.show(asks())
    await stand.forward(2)
    stand.view.panes.clear()
    stand.restart()
    await stand.start()
    await stand.settle()
    assert len(stand.wall.taken_back) == 1
    assert (await stand.service.status())["episodes"] == []


async def test_after_a_start_nothing_is_sent_before_the_target_was_read(tmp_path: Path) -> None:
    """Its rows are those of before: the prompt may be long gone."""
    stand = Stand(tmp_path)
    await stand.start()
    await stand.show(asks())
    stand.restart()
    stand.targets[0]["read"] = False
    await stand.start()
    await stand.forward(60)
    assert stand.wall.shown == []
    stand.targets[0]["read"] = True
    await stand.forward(1)
    assert len(stand.wall.shown) == 1


async def test_an_overflow_of_changes_repeats_nothing(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    await stand.start()
    await stand.show(asks())
    await stand.forward(2)
    await stand.notifier.on_resync(Resync.OVERFLOW)
    await stand.forward(300)
    assert len(stand.wall.shown) == 1


@pytest.mark.tc("TC-408")
async def test_a_failed_message_is_sent_again_until_it_arrives(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    await stand.start()
    stand.wall.answer["desk"] = Outcome(ok=False, detail="no bus")
    await stand.show(asks())
    await stand.forward(2)
    await stand.forward(4.9)
    assert (await stand.service.status())["channels"][0]["failures"] == 1
    await stand.forward(0.1)
    assert (await stand.service.status())["channels"][0]["failures"] == 2
    stand.wall.answer.clear()
    await stand.forward(300)
    assert len(stand.wall.shown) == 1
    assert (await stand.service.status())["channels"][0]["state"] == "ok"


@pytest.mark.tc("TC-408")
async def test_a_failed_message_about_something_that_is_over_is_dropped(tmp_path: Path) -> None:
    stand = Stand(tmp_path, BOTH)
    await stand.start()
    stand.wall.answer = {name: Outcome(ok=False, detail="no") for name in ("desk", "hook")}
    await stand.show(asks())
    await stand.forward(2)
    await stand.show(pane(state="running", state_version=2))
    stand.wall.answer.clear()
    await stand.forward(600)
    assert [name for name, _ in stand.wall.shown] == ["hook"], "a log wants every message; a person does not"


@pytest.mark.tc("TC-408")
async def test_after_seven_attempts_a_message_is_dead_and_can_be_sent_again(tmp_path: Path) -> None:
    stand = Stand(tmp_path, BOTH)
    await stand.start()
    stand.wall.answer["hook"] = Outcome(ok=False, detail="500")
    await stand.show(asks())
    for _ in range(40):
        await stand.forward(3600)
    (dead,) = (await stand.service.status())["dead"]
    assert (dead["attempts"], dead["last_error"], dead["channel"]) == (7, "500", "hook")
    assert stand.wall.titles("desk") == ["claude needs your approval", "channel hook delivers nothing"]
    stand.wall.answer.clear()
    assert await stand.service.retry(None) == 1
    await stand.settle()
    assert len(stand.wall.titles("hook")) == 1
    assert (await stand.service.status())["dead"] == []
    assert await stand.service.retry(None) == 0


@pytest.mark.tc("TC-401")
async def test_what_may_have_arrived_is_sent_again_only_where_it_is_known_by_its_id(tmp_path: Path) -> None:
    stand = Stand(tmp_path, BOTH)
    await stand.start()
    stand.wall.answer = {name: Outcome(ok=False, detail="late", unsure=True) for name in ("desk", "hook")}
    await stand.show(asks())
    await stand.forward(2)
    stand.wall.answer.clear()
    await stand.forward(600)
    assert [name for name, _ in stand.wall.shown] == ["hook"]
    _, (why,) = await stand.service.why("pane:host/work/@1/%1", 5)
    (desk,) = [one for one in why["deliveries"] if one["channel"] == "desk"]
    assert (desk["state"], desk["reason"]) == ("unknown", "it may or may not have arrived: late")


@pytest.mark.tc("TC-408")
async def test_a_channel_that_is_gone_gets_nothing_more_until_a_test_succeeds(tmp_path: Path) -> None:
    stand = Stand(tmp_path, BOTH)
    await stand.start()
    stand.wall.answer["hook"] = Outcome(ok=False, detail="410 Gone", gone=True)
    await stand.show(asks(1))
    await stand.forward(2)
    stand.wall.answer.clear()
    await stand.show(asks(2))
    await stand.forward(100)
    assert stand.wall.titles("hook") == []
    assert (await stand.service.status())["channels"][1]["state"] == "disabled"
    await stand.service.test("hook")
    await stand.settle()
    assert stand.wall.titles("hook") == ["agtmux test", "claude needs your approval"]


@pytest.mark.tc("TC-403")
async def test_a_mute_is_for_a_pane_of_one_life_of_its_server(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    await stand.start()
    await stand.show(asks(1), asks(2))
    await stand.service.mute("pane:host/work/@1/%1", 7200, None)
    await stand.forward(2)
    assert stand.wall.parts("desk") == [(stand.wall.shown[0][1].notes[0].episode_id, False)]
    assert stand.wall.shown[0][1].notes[0].pane_id == "%2"
    await stand.forward(7200)
    assert len(stand.wall.shown) == 2, "it still waits when the mute is over"


@pytest.mark.tc("TC-411")
async def test_new_rules_count_for_what_is_open(tmp_path: Path) -> None:
    stand = Stand(tmp_path, {"channels": [{"name": "desk", "kind": "desktop"}], "rules": [{"on": ["error"]}]})
    await stand.start()
    await stand.show(asks())
    await stand.forward(60)
    assert stand.wall.shown == []
    stand.settings = NotifySettings.model_validate({"channels": [{"name": "desk", "kind": "desktop"}]})
    await stand.settle()
    assert len(stand.wall.shown) == 1


@pytest.mark.tc("TC-411")
async def test_a_message_for_a_channel_that_was_removed_is_dropped(tmp_path: Path) -> None:
    stand = Stand(tmp_path, BOTH)
    await stand.start()
    stand.wall.answer["hook"] = Outcome(ok=False, detail="500")
    await stand.show(asks())
    await stand.forward(2)
    stand.settings = NotifySettings.model_validate({"channels": [{"name": "desk", "kind": "desktop"}]})
    await stand.forward(60)
    assert stand.notifier.book.sendings == {}


def looks_at(window: str, stand: Stand) -> list[Terminal]:
    """A terminal with the focus that shows a window now."""
    seconds = stand.clock() // 10**9
    flags = frozenset({"attached", "focused"})
    client = TmuxClient("a", "/dev/pts/1", "$1", window, "%1", flags, "xterm", "", seconds, True)
    return [Terminal("t-host", True, client)]


@pytest.mark.tc("TC-420")
async def test_what_somebody_looks_at_is_not_sent(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    await stand.start()
    stand.terminals = looks_at("@1", stand)
    await stand.show(asks())
    await stand.forward(2)
    await stand.forward(300)
    assert stand.wall.shown == []
    _, (why,) = await stand.service.why("pane:host/work/@1/%1", 5)
    assert why["deliveries"][0]["reason"] == "you looked at it"


@pytest.mark.tc("TC-420")
async def test_a_look_in_between_leaves_out_the_phone(tmp_path: Path) -> None:
    rules = [{"channels": ["desk"]}, {"channels": ["hook"], "after": "2m"}]
    stand = Stand(tmp_path, {**BOTH, "rules": rules})
    await stand.start()
    await stand.show(asks())
    await stand.forward(2)
    await stand.forward(30)
    stand.terminals = looks_at("@1", stand)
    await stand.forward(5)
    stand.terminals = []
    stand.restart()
    await stand.start()
    await stand.forward(200)
    assert [name for name, _ in stand.wall.shown] == ["desk"], "a restart does not forget the look"


@pytest.mark.tc("TC-420")
async def test_what_a_surface_reports_as_looked_at_is_not_sent(tmp_path: Path) -> None:
    """It counts like a look in tmux: the message is left out for good, the reminder waits until the look ends."""
    stand = Stand(tmp_path, {**BOTH, "rules": [{"channels": ["desk"], "remind": "10s"}]})
    await stand.start()
    await stand.show(asks(1), asks(2))
    assert await stand.service.look(["pane:host/work/@1/%1", "pane:host/work/@1/%9", "no ref"]) == 1
    await stand.forward(2)
    assert len(stand.wall.shown) == 1, "the other pane is not looked at"
    _, (why,) = await stand.service.why("pane:host/work/@1/%1", 5)
    assert why["deliveries"][0]["reason"] == "you looked at it"
    await stand.forward(27)
    mine = why["episode"]
    assert (mine, True) not in stand.wall.parts("desk")
    await stand.forward(2)
    await stand.forward(15)
    assert (mine, True) in stand.wall.parts("desk")
    assert (mine, False) not in stand.wall.parts("desk")


@pytest.mark.tc("TC-420")
async def test_a_reported_look_is_for_one_agent_and_ends_by_itself(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    await stand.start()
    await stand.show(pane(state="running"))
    assert await stand.service.look(["pane:host/work/@1/%1"] * 3) == 1
    await stand.forward(31)
    await stand.show(asks(state_version=2))
    await stand.forward(2)
    assert len(stand.wall.shown) == 1


@pytest.mark.tc("TC-420")
async def test_somebody_at_another_window_is_told(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    await stand.start()
    stand.terminals = looks_at("@7", stand)
    await stand.show(asks())
    await stand.forward(2)
    assert len(stand.wall.shown) == 1


@pytest.mark.tc("TC-420")
async def test_tmux_is_not_asked_while_nothing_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand = Stand(tmp_path)
    asked: list[list[str]] = []

    async def terminals(wanted: list[str]) -> list[Terminal]:
        asked.append(wanted)
        return []

    monkeypatch.setattr(stand.notifier, "_terminals", terminals)
    await stand.start()
    await stand.show(pane(state="running"))
    await stand.forward(100)
    assert asked == []
    await stand.show(asks(state_version=2))
    await stand.forward(2)
    assert asked == [["t-host"]]
    for _ in range(20):
        await stand.forward(60)
    assert len(asked) == 1, "it was sent, and nothing else waits"


@pytest.mark.tc("TC-407")
async def test_what_ended_long_ago_is_forgotten_and_the_rest_kept(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    await stand.start()
    await stand.show(asks(1), asks(2))
    await stand.forward(2)
    await stand.publish({"host/%1": None})
    await stand.settle()
    stand.clock.forward(15 * 86_400)
    await stand.notifier._round()
    rows = stand.connection.execute("SELECT pane_key FROM notify_episodes").fetchall()
    assert rows == [("host/%2",)]


@pytest.mark.tc("TC-405")
async def test_a_fault_in_one_round_does_not_end_notifications(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand = Stand(tmp_path)
    await stand.start()
    with monkeypatch.context() as patch:
        patch.setattr(stand.notifier, "tick", lambda: (_ for _ in ()).throw(RuntimeError("a fault")))
        assert await stand.notifier._round() == 5.0
    await stand.show(asks())
    await stand.forward(2)
    assert len(stand.wall.shown) == 1


@pytest.mark.tc("TC-408")
async def test_a_message_waits_for_somebody_to_tell_without_an_alarm(tmp_path: Path) -> None:
    """No terminal is attached for hours: that is no fault of the channel, and nothing is given up."""
    stand = Stand(tmp_path)
    await stand.start()
    stand.wall.answer["desk"] = Outcome(ok=False, detail="no terminal is attached", absent=True)
    await stand.show(asks())
    for _ in range(60):
        await stand.forward(600)
    status = await stand.service.status()
    assert (status["dead"], status["channels"][0]["failures"], len(status["episodes"])) == ([], 0, 1)
    stand.wall.answer.clear()
    await stand.forward(30)
    assert len(stand.wall.shown) == 1


@pytest.mark.tc("TC-405")
async def test_what_could_not_be_written_is_read_again_without_a_further_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = Stand(tmp_path)
    await stand.start()

    async def full(*_: object) -> None:
        raise AgtmuxError("E_STORE_UNAVAILABLE", "the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(type(stand.notifier.book), "follow", full)
        await stand.show(asks())
        assert await stand.notifier._round() == 5.0
    await stand.notifier._round()
    await stand.forward(2)
    assert len(stand.wall.shown) == 1


@pytest.mark.tc("TC-401")
async def test_a_message_that_is_nearly_sent_when_the_daemon_stops_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = Stand(tmp_path)
    sending, stopping = asyncio.Event(), asyncio.Event()

    async def send(_self: FakeChannel, _message: Message) -> Outcome:
        sending.set()
        await stopping.wait()
        return Outcome(ok=True)

    monkeypatch.setattr(FakeChannel, "send", send)
    await stand.start()
    await stand.show(asks())
    stand.clock.forward(2)
    task = asyncio.create_task(stand.notifier.run())
    await sending.wait()
    task.cancel()
    stopping.set()
    with suppress(asyncio.CancelledError):
        await task
    assert stand.connection.execute("SELECT state FROM notify_messages").fetchall() == [("sent",)]


@pytest.mark.tc("TC-403")
async def test_rows_show_a_mute_until_it_ends_also_of_an_agent_that_begins_later(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    await stand.start()
    await stand.show(pane("%1"), pane("%2"))
    await stand.service.mute("pane:host/work/@1/%1", 60, None)
    await stand.notifier._round()

    def marks() -> list[str | None]:
        return [stand.view.panes[f"host/%{n}"].get("muted_until") for n in (1, 2)]

    assert marks() == ["2026-01-01T00:01:00.000Z", None]
    stand.notifier._wake.clear()
    await stand.show(pane("%1", runtime_id="rt-the-next-agent"))
    assert stand.notifier._wake.is_set(), "it is in a muted pane"
    await stand.notifier._round()
    assert marks() == ["2026-01-01T00:01:00.000Z", None]
    stand.notifier._wake.clear()
    await stand.show(pane("%2", title="x"))
    assert not stand.notifier._wake.is_set(), "nothing to do"
    stand.clock.forward(60)
    await stand.notifier._round()
    assert marks() == [None, None]
    assert stand.notifier.book.mutes == {}
