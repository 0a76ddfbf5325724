"""Bodies of requests: bounded, whole, and read as JSON."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from io import BytesIO

import pytest

from tests.fake_services import EVENT, Api


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
async def test_a_number_that_is_not_json_is_refused(api: Api, constant: str) -> None:
    event = json.dumps({**EVENT, "payload": {"n": 0}}).replace('{"n": 0}', f'{{"n": {constant}}}')
    answer = await api.call("POST", "/v1/events", 400, data=event.encode())
    assert constant in answer["error"]["message"]


async def test_a_body_without_a_length_is_bounded_too(api: Api) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b" " * 65536

    answer = await api.call("POST", "/v1/events", 413, data=chunks())
    assert answer["error"]["code"] == "E_PAYLOAD_TOO_LARGE"


async def test_a_character_cut_in_half_does_not_lose_the_event(api: Api) -> None:
    event = json.dumps({**EVENT, "payload": {"message": "cut \ud83d", "ok": "😀"}})
    await api.call("POST", "/v1/events", data=event.encode("ascii"))
    assert api.services.ingested[0].payload == {"message": "cut \ufffd", "ok": "😀"}


async def test_a_body_of_one_mebibyte_is_taken_and_one_byte_more_is_not(api: Api) -> None:
    def event(size: int) -> bytes:
        empty = json.dumps({**EVENT, "payload": {"x": ""}})
        return json.dumps({**EVENT, "payload": {"x": "y" * (size - len(empty))}}).encode("ascii")

    assert len(event(1024 * 1024)) == 1024 * 1024
    await api.call("POST", "/v1/events", data=BytesIO(event(1024 * 1024)))
    answer = await api.call("POST", "/v1/events", 413, data=BytesIO(event(1024 * 1024 + 1)))
    assert answer["error"]["code"] == "E_PAYLOAD_TOO_LARGE"
