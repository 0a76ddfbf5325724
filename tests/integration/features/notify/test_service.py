"""What the routes answer: mutes that always end, tests by name, and what health says of a dead channel."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.model import NS
from agtmuxd.features.notify.message import Outcome
from tests.integration.features.notify.stand import Stand, asks

pytestmark = pytest.mark.tc("TC-410")
REF = "pane:host/work/@1/%1"


@pytest.fixture
async def stand(tmp_path: Path) -> Stand:
    made = Stand(tmp_path)
    await made.start()
    await made.show(asks())
    return made


async def test_a_mute_ends_by_itself(stand: Stand) -> None:
    item = await stand.service.mute(REF, 60, None)
    assert item == {"pane": REF, "until": "2026-01-01T00:01:00.000Z"}
    assert (await stand.service.status())["mutes"] == [item]
    stand.clock.forward(60)
    assert (await stand.service.status())["mutes"] == []


@pytest.mark.parametrize("seconds", [31 * 86_400.0, 1e18])
async def test_a_mute_without_an_end_is_refused(stand: Stand, seconds: float) -> None:
    with pytest.raises(AgtmuxError, match="30 days at most"):
        await stand.service.mute(None, seconds, None)
    with pytest.raises(AgtmuxError, match="is past"):
        await stand.service.mute(None, None, stand.clock() - NS)


async def test_mutes_are_lifted_one_by_one_or_all(stand: Stand) -> None:
    await stand.service.mute(REF, 60, None)
    await stand.service.mute(None, 60, None)
    assert await stand.service.unmute(REF) == 1
    assert await stand.service.unmute(REF) == 0
    await stand.service.mute(REF, 60, None)
    assert await stand.service.unmute(None) == 2
    assert (await stand.service.status())["muted_until"] is None


async def test_a_mute_is_for_a_pane_that_exists(stand: Stand) -> None:
    with pytest.raises(AgtmuxError) as caught:
        await stand.service.mute("pane:host/work/@1/%9", 60, None)
    assert caught.value.code == "E_REF_NOT_FOUND"


async def test_a_mute_does_not_outlive_its_tmux_server(stand: Stand) -> None:
    from dataclasses import replace

    await stand.service.mute(REF, 3600, None)
    key = ("t-host", "%1")
    stand.repository.panes[key] = replace(stand.repository.panes[key], boot_id="901.2")
    assert stand.notifier.muted(stand.clock()) == {}


async def test_a_test_names_a_channel_that_exists(stand: Stand) -> None:
    with pytest.raises(AgtmuxError, match="there is no channel phone: use one of desk"):
        await stand.service.test("phone")
    stand.settings = type(stand.settings)()
    with pytest.raises(AgtmuxError, match="no channel is configured"):
        await stand.service.test(None)


async def test_only_a_message_that_failed_is_sent_again(stand: Stand) -> None:
    with pytest.raises(AgtmuxError, match="there is no failed message m-123456"):
        await stand.service.retry("m-123456")


async def test_health_names_a_channel_that_delivers_nothing(stand: Stand) -> None:
    stand.wall.answer["desk"] = Outcome(ok=False, detail="no bus")
    for _ in range(3):
        await stand.service.test("desk")
    health = stand.service.health()
    assert health.problems == ("the channel desk delivers nothing: no bus",)
    assert health.counters["open_episodes"] == 1


async def test_why_lists_the_newest_first_and_as_many_as_wanted(stand: Stand) -> None:
    stand.clock.forward(1)
    await stand.show(asks(fingerprint="f-2", since="2026-01-01T00:00:01.000Z", state_version=2))
    ref, items = await stand.service.why(REF, 10)
    assert (ref, [one["closed_at"] is None for one in items]) == (REF, [True, False])
    assert len((await stand.service.why(REF, 1))[1]) == 1
