"""The stream over a real socket."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agtmuxd.api.responses.watch import WatchLine
from agtmuxd.stream.hub import Hub
from tests.fake_services import Api, FakeServices, eventually, serving
from tests.rows import pane


async def lines(answer: aiohttp.ClientResponse, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(10):
        return [json.loads(await answer.content.readline()) for _ in range(count)]


async def watchers_are(api: Api, count: int) -> None:
    await eventually(lambda: api.services.hub.watchers == count)


@pytest.mark.tc("TC-045")
@pytest.mark.parametrize("scope", ["panes", "windows", "sessions"])
async def test_lines_have_the_fields_of_the_contract_and_no_others(short_dir: Path, scope: str) -> None:
    async with (
        serving(short_dir, FakeServices(pane("%1"), pane("%2"))) as api,
        api.client.get(f"http://agtmux/v1/watch?scope={scope}&cursor=other:1&heartbeat=50ms&all=true") as answer,
    ):
        assert answer.content_type == "application/x-ndjson"
        result = await lines(answer, 3)
        api.services.show(pane("%1", state="error"), pane("%2", window="@2"))
        result += await lines(answer, 1)
    assert [line["type"] for line in result] == ["reset", "snapshot", "heartbeat", "delta"]
    for line in result:
        assert WatchLine.model_validate(line).model_dump(mode="json", exclude_unset=True) == line
        assert line["filters"] == {"all": True}


@pytest.mark.tc("TC-019")
async def test_a_watcher_that_comes_back_hears_only_what_it_missed(short_dir: Path) -> None:
    async with serving(short_dir, FakeServices(pane("%1"))) as api:
        async with api.client.get("http://agtmux/v1/watch") as answer:
            (snapshot,) = await lines(answer, 1)
        await watchers_are(api, 0)
        api.services.show(pane("%1", state="completed"))
        api.services.show(pane("%1", state="idle"))
        async with api.client.get("http://agtmux/v1/watch", params={"cursor": snapshot["cursor"]}) as answer:
            missed = await lines(answer, 2)
    assert [line["sequence"] for line in missed] == [1, 2]
    assert [line["changes"][0]["item"]["state"] for line in missed] == ["completed", "idle"]


async def test_once_is_one_snapshot_and_the_end(short_dir: Path) -> None:
    async with serving(short_dir, FakeServices(pane("%1"))) as api:
        async with api.client.get("http://agtmux/v1/watch?once=true") as answer:
            text = await answer.text()
        assert json.loads(text)["type"] == "snapshot"
        assert api.services.hub.watchers == 0


async def test_a_reader_that_went_away_is_forgotten_at_once(short_dir: Path) -> None:
    async with serving(short_dir, FakeServices(pane("%1"))) as api:
        answer = await api.client.get("http://agtmux/v1/watch")
        await lines(answer, 1)
        assert api.services.hub.watchers == 1
        answer.close()
        await watchers_are(api, 0)


async def test_a_reader_that_does_not_read_costs_no_more_than_its_bound_and_is_told_so(short_dir: Path) -> None:
    services = FakeServices(pane("%1"))
    services.hub = Hub(services.view, now=services.now, read_log=services.read_log, backlog_bytes=100_000)
    async with serving(short_dir, services) as api:
        reader, writer = await asyncio.open_unix_connection(str(api.path), limit=1024)
        writer.write(b"GET /v1/watch HTTP/1.1\r\nHost: x\r\n\r\n")
        await writer.drain()
        await watchers_are(api, 1)
        async with api.client.get("http://agtmux/v1/watch?interval=60") as other:
            await lines(other, 1)
            for n in range(200):
                services.show(pane("%1", title=f"{n} " + "x" * 20_000))
                await asyncio.sleep(0)
            assert (await api.get("/v1/health"))["sequence"] == 200
        seen = b""
        async with asyncio.timeout(20):
            while b'"slow_consumer"' not in seen[-400_000:]:
                seen += await reader.read(65536)
        writer.close()
        await writer.wait_closed()


@pytest.mark.tc("TC-045")
async def test_stopping_ends_every_stream_with_a_terminal_reset(short_dir: Path) -> None:
    async with serving(short_dir, FakeServices(pane("%1"))) as api:
        answers = [await api.client.get("http://agtmux/v1/watch") for _ in range(3)]
        for answer in answers:
            await lines(answer, 1)
        await api.server.stop()
        for answer in answers:
            last = [json.loads(line) for line in (await answer.read()).splitlines()]
            assert [(line["type"], line["reason"]) for line in last] == [("reset", "shutdown")]


async def test_a_hundred_watchers_all_hear_of_one_change(short_dir: Path) -> None:
    async with serving(short_dir, FakeServices(pane("%1"))) as api:
        connector = aiohttp.UnixConnector(str(api.path), limit=0)
        async with aiohttp.ClientSession(connector=connector) as client:
            answers = [await client.get("http://agtmux/v1/watch") for _ in range(100)]
            for answer in answers:
                await lines(answer, 1)
            api.services.show(pane("%1", state="error"))
            results = await asyncio.gather(*(lines(answer, 1) for answer in answers))
            assert [line[0]["sequence"] for line in results] == [1] * 100
            for answer in answers:
                answer.close()


async def test_a_stream_that_breaks_inside_ends_without_a_second_answer_in_it(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(short_dir, FakeServices(pane("%1"))) as api:
        reader, writer = await asyncio.open_unix_connection(str(api.path))
        writer.write(b"GET /v1/watch HTTP/1.1\r\nHost: x\r\n\r\n")
        await watchers_are(api, 1)
        monkeypatch.setattr("agtmuxd.stream.channel.Channel.heartbeat", lambda _self: 1 / 0)
        monkeypatch.setattr("agtmuxd.stream.channel.Channel.reset", lambda *_: 1 / 0)
        closing = asyncio.create_task(api.services.hub.close(5))
        async with asyncio.timeout(10):
            everything = await reader.read()
        await closing
        assert everything.count(b"HTTP/1.1") == 1
        assert b"E_INTERNAL" not in everything
        writer.close()
        await writer.wait_closed()
