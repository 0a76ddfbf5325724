"""Channels: who may make, join and read them, and whom a message in one reaches."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from tests.integration.features.messages.stand import PERSON, opened, ref


@pytest.mark.tc("TC-688")
async def test_a_message_in_a_channel_reaches_its_members_as_they_chose(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        channels = mail.messages.channels
        made = await channels.create(mail.actor(1), "build", ref())
        assert [(m["agent"], m["notify"]) for m in made["members"]] == [("claude-1", "pull")]
        await channels.join(mail.actor(2), "build", None, "pane", ref())
        await channels.join(PERSON, "BUILD", "claude-3", None, ref())
        item = await mail.send(PERSON, "stop", channel="build")
        assert {d["agent"]: d["route"] for d in item["deliveries"]} == {
            "claude-1": "pull", "claude-2": "pane", "claude-3": "pull"
        }  # fmt: skip
        await channels.join(mail.actor(3), "build", None, "none", ref())
        item = await mail.send(mail.actor(1), "green", channel="build")
        assert {d["agent"]: d["route"] for d in item["deliveries"]} == {"claude-2": "pull"}, "not to itself, not muted"
        assert [one["body"] for one in await mail.listing(mail.actor(3), channel="build")] == ["green", "stop"]
        assert [one["preview"] for one in (await mail.inbox(mail.actor(2), channel="build"))["items"]] == [
            "green", "stop"
        ]  # fmt: skip
        await channels.leave(mail.actor(2), "build", None, ref())
        assert (await mail.send(mail.actor(1), "nobody hears", channel="build"))["deliveries"] == []


@pytest.mark.tc("TC-688")
async def test_who_is_no_member_neither_writes_nor_reads_and_a_wrong_name_lists_channels(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        channels = mail.messages.channels
        await channels.create(PERSON, "build", ref())
        for refused in (mail.send(mail.actor(1), channel="build"), mail.listing(mail.actor(1), channel="build")):
            with pytest.raises(AgtmuxError, match="run agtmux channel join build") as caught:
                await refused
            assert caught.value.code == "E_FORBIDDEN"
        with pytest.raises(AgtmuxError) as caught:
            await mail.send(PERSON, channel="biuld")
        assert (caught.value.code, caught.value.details) == ("E_NOT_FOUND", {"candidates": ["build"]})


@pytest.mark.tc("TC-689")
async def test_a_channel_of_a_team_is_for_its_agents(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        await mail.team("web", 1, 2)
        channels = mail.messages.channels
        assert (await channels.create(mail.actor(1), "plan", ref()))["team"] == "web"
        await channels.join(mail.actor(2), "web/plan", None, None, ref())
        with pytest.raises(AgtmuxError, match="a person may add you"):
            await channels.join(mail.actor(3), "plan", None, None, ref())
        assert await channels.listing(mail.actor(3)) == []
        for agent, name in ((mail.actor(3), "web/other"), (PERSON, "no-team/other")):
            with pytest.raises(AgtmuxError):
                await channels.create(agent, name, ref())
        await channels.create(PERSON, "plan", ref())
        with pytest.raises(AgtmuxError) as caught:
            await mail.send(PERSON, channel="plan")
        assert caught.value.details["candidates"] == ["plan", "web/plan"]
        assert len(await channels.listing(PERSON)) == 2


@pytest.mark.tc("TC-688")
async def test_an_agent_acts_for_itself_alone_and_the_same_request_is_done_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        channels, name = mail.messages.channels, ref()
        made = await channels.create(PERSON, "build", name)
        assert await channels.create(PERSON, "build", name) == made
        with pytest.raises(AgtmuxError, match="already"):
            await channels.create(PERSON, "Build", ref())
        with pytest.raises(AgtmuxError, match="only for itself"):
            await channels.join(mail.actor(1), "build", "claude-2", None, ref())
        with pytest.raises(AgtmuxError, match="say which agent"):
            await channels.join(PERSON, "build", None, None, ref())
        with pytest.raises(AgtmuxError, match="is not a member"):
            await channels.leave(mail.actor(1), "build", None, ref())
        with pytest.raises(AgtmuxError, match="is not a name"):
            await channels.create(PERSON, "two words", ref())
