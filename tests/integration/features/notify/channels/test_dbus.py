"""Banners over a real session bus: shown, replaced, removed, pressed, and never those of another service."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from agtmuxd.features.notify.channels import dbus as module
from agtmuxd.features.notify.channels.dbus import BannerError, Banners
from agtmuxd.features.notify.message import Draft, Message, message_of
from agtmuxd.features.notify.model import Kind, Part
from tests.fake_services import eventually
from tests.integration.features.notify.channels.session_bus import connected, service, session_bus
from tests.integration.features.notify.channels.stubs import message
from tests.unit.features.notify.makers import T0, episode, subject

pytestmark = pytest.mark.tc("TC-416")


@pytest.fixture
def address(short_dir: Path) -> Iterator[str]:
    with session_bus(short_dir) as found:
        yield found


class Pressed:
    def __init__(self) -> None:
        self.buttons: list[tuple[str, str]] = []

    async def __call__(self, message_id: str, verb: str) -> None:
        self.buttons.append((message_id, verb))


async def test_a_banner_has_title_text_and_urgency_and_its_text_is_no_markup(address: str) -> None:
    async with service(address) as shows:
        banners = Banners(address, Pressed())
        outcome = await banners.show(message(episode(subject=subject(asks="<b>&"))), buttons=False)
        assert outcome.ok
        assert shows.asked == [{
            "app": "agtmux", "replaces": 0, "title": "claude needs your approval",
            "body": "&lt;b&gt;&amp;\nwork:1.1 on host (site)", "actions": ["default", "Go there"], "urgency": 2,
            "timeout": -1,
        }]  # fmt: skip
        await banners.show(message(episode(kind=Kind.COMPLETED)), buttons=False)
        assert shows.asked[1]["urgency"] == 1
        await banners.close()


async def test_a_service_without_markup_gets_the_text_as_it_is(address: str) -> None:
    async with service(address, "body") as shows:
        banners = Banners(address, Pressed())
        await banners.show(message(episode(subject=subject(asks="a<b"))), buttons=True)
        assert shows.asked[0]["body"].startswith("a<b\n")
        assert shows.asked[0]["actions"] == [], "it has no buttons"
        await banners.close()


def reminder() -> Message:
    return message_of(Draft("m-2", "c", T0, True, [(episode(), Part.REMIND)]))


async def test_a_reminder_replaces_the_banner_of_the_same_episode(address: str) -> None:
    async with service(address) as shows:
        banners = Banners(address, Pressed())
        first = await banners.show(message(), buttons=False)
        second = await banners.show(reminder(), buttons=False)
        assert list(shows.shown) == [1]
        assert first.handle == second.handle
        shows.close(1)
        await asyncio.sleep(0.05)
        await banners.show(reminder(), buttons=False)
        assert shows.asked[2]["replaces"] == 0, "a banner that was closed is not replaced"
        await banners.close()


async def test_what_is_over_is_removed(address: str) -> None:
    async with service(address) as shows:
        banners = Banners(address, Pressed())
        outcome = await banners.show(message(), buttons=False)
        assert outcome.handle is not None
        await banners.remove(outcome.handle)
        assert (shows.shown, shows.closed) == ({}, [1])
        with pytest.raises(BannerError, match="no such notification"):
            await banners.remove(outcome.handle)
        await banners.close()


async def test_a_new_daemon_removes_the_banner_of_the_one_before(address: str) -> None:
    async with service(address) as shows:
        first = Banners(address, Pressed())
        outcome = await first.show(message(), buttons=False)
        await first.close()
        second = Banners(address, Pressed())
        assert outcome.handle is not None
        await second.remove(outcome.handle)
        assert shows.shown == {}
        await second.close()


async def test_a_banner_of_another_service_is_never_removed(address: str) -> None:
    """The service was restarted: its numbers began again, and 1 may be somebody else's."""
    banners = Banners(address, Pressed())
    async with service(address):
        outcome = await banners.show(message(), buttons=False)
    async with service(address) as other:
        assert outcome.handle is not None
        await banners.remove(outcome.handle)
        assert other.closed == []
        await banners.show(reminder(), buttons=False)
        assert other.asked[0]["replaces"] == 0
    await banners.close()


async def test_buttons_are_there_only_if_wanted_and_only_for_an_approval(address: str) -> None:
    async with service(address) as shows:
        banners = Banners(address, Pressed())
        await banners.show(message(), buttons=True)
        assert shows.asked[0]["actions"] == ["default", "Go there", "approve", "Approve", "deny", "Deny"]
        await banners.show(message(episode(2, Kind.ERROR)), buttons=True)
        assert shows.asked[1]["actions"] == ["default", "Go there"]
        await banners.close()


async def test_a_press_names_the_message_and_the_verb(address: str) -> None:
    async with service(address) as shows:
        pressed = Pressed()
        banners = Banners(address, pressed)
        await banners.show(message(), buttons=True)
        for key in ("approve", "deny", "default", "rm -rf", ""):
            shows.press(1, key)
        shows.press(99, "approve")
        await eventually(lambda: len(pressed.buttons) == 3)
        await asyncio.sleep(0.05)
        assert pressed.buttons == [("m-1", "approve"), ("m-1", "deny"), ("m-1", "open")]
        await banners.close()


async def test_a_press_that_another_program_invents_is_not_heard(address: str) -> None:
    async with service(address) as shows, connected(address) as other:
        pressed = Pressed()
        banners = Banners(address, pressed)
        await banners.show(message(), buttons=True)
        shows.press(1, "approve", other)
        await asyncio.sleep(0.2)
        assert pressed.buttons == []
        await banners.close()


async def test_a_refusal_is_said_where_the_banner_was(address: str) -> None:
    async with service(address) as shows:
        banners = Banners(address, Pressed())
        await banners.show(message(), buttons=True)
        await banners.replace("m-1", "agtmux: nothing was done", "it changed, look")
        assert shows.shown[1]["title"] == "agtmux: nothing was done"
        assert shows.shown[1]["actions"] == []
        await banners.close()


async def test_without_a_service_it_fails_and_with_one_it_works_again(address: str) -> None:
    banners = Banners(address, Pressed())
    outcome = await banners.show(message(), buttons=False)
    assert (outcome.ok, outcome.unsure) == (False, False)
    assert "no notification service answers" in outcome.detail
    async with service(address):
        assert (await banners.show(message(), buttons=False)).ok
    await banners.close()


async def test_a_service_that_does_not_answer_may_have_shown_it(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with service(address) as shows:
        banners = Banners(address, Pressed())
        await banners.show(message(), buttons=False)
        monkeypatch.setattr(module, "SECONDS", 0.2)
        shows.silent = True
        outcome = await banners.show(message(episode(2)), buttons=False)
        assert (outcome.ok, outcome.unsure) == (False, True)
        await banners.close()


async def test_a_lost_bus_is_connected_to_again(short_dir: Path) -> None:
    banners = Banners(f"unix:path={short_dir}/bus", Pressed())
    assert "session bus cannot be reached" in (await banners.show(message(), buttons=False)).detail
    for _ in range(2):
        with session_bus(short_dir) as address:
            async with service(address):
                assert (await banners.show(message(), buttons=False)).ok
        (short_dir / "bus").unlink(missing_ok=True)
    outcome = await banners.show(message(), buttons=False)
    assert not outcome.ok
    await banners.close()
    await banners.close()
