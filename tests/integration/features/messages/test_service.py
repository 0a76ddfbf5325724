"""Who reads what: an agent its own, a person all; an empty answer says whose inbox it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from tests.integration.features.messages.stand import PERSON, opened, ref


@pytest.mark.tc("TC-683")
async def test_an_agent_reads_only_its_own_inbox_and_outbox(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        await mail.send(mail.actor(1), "for two")
        assert [one["preview"] for one in (await mail.inbox(mail.actor(2)))["items"]] == ["for two"]
        assert [one["preview"] for one in (await mail.inbox(mail.actor(2), "claude-2"))["items"]] == ["for two"]
        assert [one["preview"] for one in (await mail.outbox(mail.actor(1)))["items"]] == ["for two"]
        for name in ("claude-2", "person"):
            for read in (mail.inbox, mail.outbox):
                with pytest.raises(AgtmuxError) as caught:
                    await read(mail.actor(3), name)
                assert caught.value.code == "E_FORBIDDEN"
        assert [one["preview"] for one in (await mail.inbox(PERSON, "claude-2"))["items"]] == ["for two"]


@pytest.mark.tc("TC-684")
async def test_an_empty_inbox_says_whose_it_is_and_a_wrong_name_is_an_error(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        await mail.send(to=("claude-1",))
        page = await mail.inbox(mail.actor(2))
        assert page["items"] == []
        assert (page["agent_id"], page["bound_runtime"], page["as_of_seq"], page["unread"]) == (
            mail.id(2), mail.rig.runtime_id("%2"), 1, 0
        )  # fmt: skip
        with pytest.raises(AgtmuxError) as caught:
            await mail.inbox(PERSON, "claude-9")
        assert caught.value.code == "E_AGENT_NOT_FOUND" and caught.value.details["candidates"]


@pytest.mark.tc("TC-685")
async def test_a_cursor_gives_each_message_once_also_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        for number in range(5):
            await mail.send(body=f"m{number}")
        start = (await mail.inbox(mail.actor(1)))["next_cursor"].partition(":")[0] + ":0"
        page = await mail.inbox(mail.actor(2), since=start, limit=3)
        assert ([one["preview"] for one in page["items"]], page["truncated"]) == (["m0", "m1", "m2"], True)
        cursor = page["next_cursor"]
    async with opened(tmp_path) as mail:
        page = await mail.inbox(mail.actor(2), since=cursor, limit=3)
        assert ([one["preview"] for one in page["items"]], page["truncated"]) == (["m3", "m4"], False)
        await mail.send(body="m5")
        page = await mail.inbox(mail.actor(2), since=page["next_cursor"])
        assert [one["preview"] for one in page["items"]] == ["m5"]


@pytest.mark.tc("TC-686")
async def test_messages_are_found_by_recipient_sender_thread_text_and_receipt(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        one = await mail.send(mail.actor(1), "the parser fails", subject="Parser")
        two = await mail.send(PERSON, "run the linter", to=("claude-3",))
        await mail.send(mail.actor(2), "which parser?", parent=one["message_id"])

        async def found(**more: object) -> list[str]:
            return [item["body"] for item in await mail.listing(PERSON, **more)]

        assert await found() == ["which parser?", "run the linter", "the parser fails"]
        assert await found(to="claude-3") == await found(sender="person") == ["run the linter"]
        assert await found(sender="claude-1") == ["the parser fails"]
        assert await found(thread=str(one["seq"])) == ["which parser?", "the parser fails"]
        assert await found(text="pars") == ["which parser?", "the parser fails"]
        assert await found(text='parser" OR "linter') == []
        assert await found(to="claude-2", unread=True) == [], "a reply acknowledges"
        await mail.messages.receipt(mail.actor(3), "read", two["message_id"], ref())
        assert await found(to="claude-3", unread=True) == []


@pytest.mark.tc("TC-683")
async def test_a_search_of_an_agent_finds_nothing_of_others(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        secret = await mail.send(mail.actor(1), "secret plan")
        assert await mail.listing(mail.actor(3), text="secret") == []
        assert await mail.listing(mail.actor(3), to="claude-2") == []
        for thread in (secret["message_id"], str(secret["seq"])):
            with pytest.raises(AgtmuxError) as caught:
                await mail.listing(mail.actor(3), thread=thread)
            assert caught.value.code == "E_NOT_FOUND"
        with pytest.raises(AgtmuxError):
            await mail.messages.show(mail.actor(3), secret["message_id"])
        items, more = await mail.messages.deliveries(mail.actor(3), [], None, 10)
        assert (items, more) == ([], False)
        items, _ = await mail.messages.deliveries(mail.actor(1), ["queued"], "claude-2", 10)
        assert [item["message_id"] for item in items] == [secret["message_id"]]


@pytest.mark.tc("TC-687")
async def test_the_check_finds_what_waits_for_agents_that_are_gone_and_what_is_stuck(tmp_path: Path) -> None:
    async with opened(tmp_path) as mail:
        for to in ("claude-1", "claude-2", "claude-3"):
            await mail.send(to=(to,))
        assert await mail.messages.check() == {"dead": 0, "unconfirmed": 0, "stuck": [], "orphans": 0}
        old = mail.rig.clock.now

        def spoil(connection: object) -> None:
            run = connection.execute  # type: ignore[attr-defined]
            run("UPDATE deliveries SET state = 'claimed', updated_at = ? WHERE agent_id = ?", (old, mail.id(1)))
            run("UPDATE deliveries SET state = 'dead' WHERE agent_id = ?", (mail.id(2),))
            run("UPDATE deliveries SET agent_id = 'gone' WHERE agent_id = ?", (mail.id(3),))

        await mail.rig.store.run(spoil)
        mail.rig.clock.forward(600)
        found = await mail.messages.check()
        assert (found["dead"], found["orphans"], len(found["stuck"])) == (1, 1, 1)
        assert mail.messages.health().counters == {"sent": 3}
