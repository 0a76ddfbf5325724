"""A prompt in a queue is the person's until it is typed: once, in order, and refused where it could not be typed."""

from __future__ import annotations

from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.features.messages.model import QUEUE_DEPTH
from agtmuxd.features.messages.queue_service import Queue
from agtmuxd.features.messages.service import Messages
from tests.integration.features.messages.delivery.stand import Stand
from tests.rig import BUSY, QUIET


def queue_of(stand: Stand) -> Queue:
    return Queue(stand.context, stand.engine.wake, Messages(stand.context, stand.engine.wake).find)


async def add(queue: Queue, text: str, name: str = "", ref: str = "claude-1") -> dict[str, Any]:
    return await queue.add(name or f"request-{text}", ref, text, "person")


async def order(queue: Queue) -> list[tuple[int | None, str]]:
    return [(item["place"], item["text"]) for item in await queue.items("claude-1")]


@pytest.mark.tc("TC-713")
async def test_a_place_is_given_moved_and_closed_up(stand: Stand) -> None:
    queue = queue_of(stand)
    a, b, c = [await add(queue, text) for text in "abc"]
    assert [one["place"] for one in (a, b, c)] == [1, 2, 3]
    assert (await queue.move("move-0001", c["id"], 1))["place"] == 1
    assert await order(queue) == [(1, "c"), (2, "a"), (3, "b")]
    assert (await queue.move("move-0002", c["id"], 99))["place"] == 3
    assert (await queue.edit("edit-0001", a["id"], "A"))["text"] == "A"
    assert (await queue.drop("drop-0001", b["id"]))["state"] == "cancelled"
    assert await order(queue) == [(1, "A"), (2, "c")]
    await stand.go()
    assert [one.text for one in stand.typed] == ["A"]
    assert await order(queue) == [(None, "A"), (1, "c")]


@pytest.mark.tc("TC-713")
async def test_a_prompt_that_was_typed_cannot_be_changed(stand: Stand) -> None:
    queue = queue_of(stand)
    one = await add(queue, "first")
    await stand.go()
    for change in (
        queue.edit("edit-0001", one["id"], "other"), queue.move("move-0001", one["id"], 1),
        queue.drop("drop-0001", one["id"]),
    ):  # fmt: skip
        with pytest.raises(AgtmuxError) as caught:
            await change
        assert caught.value.code == "E_PRECONDITION_FAILED"
        assert caught.value.details == {"reason": "typed", "state": "submitted"}
    with pytest.raises(AgtmuxError) as caught:
        await queue.drop("drop-0002", "no-such-id")
    assert caught.value.code == "E_NOT_FOUND"


@pytest.mark.tc("TC-713")
async def test_a_request_is_done_once_and_its_name_means_nothing_else(stand: Stand) -> None:
    await stand.show(BUSY)
    queue = queue_of(stand)
    one = await add(queue, "once", "request-1")
    again = await add(queue, "once", "request-1")
    assert (again["id"], len(await order(queue))) == (one["id"], 1)
    for other in (add(queue, "other", "request-1"), queue.drop("request-1", one["id"])):
        with pytest.raises(AgtmuxError) as caught:
            await other
        assert caught.value.code == "E_IDEMPOTENCY_CONFLICT"
    assert (await queue.drop("drop-0001", one["id"]))["state"] == "cancelled"
    assert (await queue.drop("drop-0001", one["id"]))["state"] == "cancelled"


@pytest.mark.tc("TC-714")
async def test_a_full_queue_refuses_and_says_what_to_do(stand: Stand) -> None:
    await stand.show(BUSY)
    queue = queue_of(stand)
    for n in range(QUEUE_DEPTH):
        await add(queue, f"prompt {n}", f"request-{n}")
    with pytest.raises(AgtmuxError) as caught:
        await add(queue, "one more")
    assert caught.value.code == "E_QUEUE_FULL"
    assert len(await order(queue)) == QUEUE_DEPTH


@pytest.mark.tc("TC-714")
@pytest.mark.parametrize("text", ["", " \n", "a\rb", "a\x1bb", "a\x00b", "a\u202eb"])
async def test_a_text_that_acts_as_keys_or_says_nothing_is_refused(stand: Stand, text: str) -> None:
    with pytest.raises(AgtmuxError) as caught:
        await add(queue_of(stand), text, "request-1")
    assert caught.value.code == "E_INVALID_REQUEST"


@pytest.mark.tc("TC-714")
async def test_lines_and_tabs_are_typed_as_they_are(stand: Stand) -> None:
    await add(queue_of(stand), "if x:\n\treturn", "request-1")
    await stand.go()
    assert stand.typed[0].text == "if x:\n\treturn"


@pytest.mark.tc("TC-713")
async def test_an_agent_is_named_by_its_name_its_pane_or_its_runtime(stand: Stand) -> None:
    await stand.show(QUIET)
    queue = queue_of(stand)
    item = stand.rig.item()
    assert item is not None
    for n, ref in enumerate(("claude-1", item["ref"], f"runtime:{stand.rig.runtime_id()}")):
        assert (await add(queue, f"text {n}", f"request-{n}", ref))["agent"] == "claude-1"
    for ref, code in (("nobody", "E_AGENT_NOT_FOUND"), ("runtime:rt-0123456789abcdef", "E_REF_NOT_FOUND")):
        with pytest.raises(AgtmuxError) as caught:
            await add(queue, "x", "request-x", ref)
        assert caught.value.code == code
