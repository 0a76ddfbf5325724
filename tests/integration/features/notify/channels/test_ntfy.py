"""ntfy: what a phone gets, that nothing but names leaves the machine, and how a message is removed again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agtmuxd.features.notify.channels.contract import Tools
from agtmuxd.features.notify.channels.ntfy import NtfyChannel
from agtmuxd.features.notify.message import Prompt
from agtmuxd.features.notify.model import Kind
from tests.integration.features.notify.channels.server import Server, serving
from tests.integration.features.notify.channels.stubs import message, settings, tools
from tests.unit.features.notify.makers import episode, subject

pytestmark = pytest.mark.tc("TC-413")


def channel(server: Server, path: str = "/topic", public: str | None = None, **more: Any) -> NtfyChannel:
    plain = tools()
    made = Tools(plain.environ, plain.clock, plain.press, lambda: public)
    return NtfyChannel(settings("ntfy", url=f"{server.url}{path}", allow_private=True, **more), made)


async def test_a_phone_gets_title_text_priority_and_an_id() -> None:
    async with serving() as server:
        outcome = await channel(server).send(message(full=False))
        (got,) = server.got
        assert (got.method, got.path, outcome.ok, outcome.handle) == ("POST", "/", True, "m-1")
        assert got.json == {
            "topic": "topic", "title": "claude needs your approval", "message": "work:1.1 on host (site)",
            "priority": 4, "tags": ["warning"], "sequence_id": "m-1",
        }  # fmt: skip


async def test_a_completion_is_less_urgent_and_a_click_leads_to_the_page() -> None:
    async with serving() as server:
        await channel(server, public="https://box.example").send(message(episode(kind=Kind.COMPLETED)))
        assert server.got[0].json["priority"] == 3
        assert server.got[0].json["click"] == "https://box.example/#/p/host/%251"


def with_code(server: Server, codes: list[str], public: str | None = "https://box.example") -> NtfyChannel:
    async def make_code(message_id: str, prompt: Prompt) -> str:
        assert (message_id, prompt) == ("m-1", Prompt("rt-1", "f-1", "e1"))
        return codes.pop(0)

    plain = tools()
    made = Tools(plain.environ, plain.clock, plain.press, lambda: public, make_code=make_code)
    more: dict[str, Any] = {"url": f"{server.url}/topic", "allow_private": True, "actions": True, "body": "full"}
    return NtfyChannel(settings("ntfy", **more), made)


@pytest.mark.tc("TC-421")
async def test_a_button_sends_a_single_use_code_to_the_public_address() -> None:
    async with serving() as server:
        await with_code(server, ["c0de"]).send(message())
        approve, deny = server.got[0].json["actions"]
        assert approve == {
            "action": "http", "label": "Approve", "url": "https://box.example/v1/notify/press", "method": "POST",
            "clear": True, "headers": {"Content-Type": "application/json"},
            "body": '{"code":"c0de","verb":"approve"}',
        }  # fmt: skip
        assert (deny["label"], deny["body"]) == ("Deny", '{"code":"c0de","verb":"deny"}')


@pytest.mark.tc("TC-421")
async def test_without_a_public_address_or_the_whole_request_there_are_no_buttons() -> None:
    async with serving() as server:
        await with_code(server, [], public=None).send(message())
        await with_code(server, []).send(message(episode(kind=Kind.ERROR)))
        await with_code(server, []).send(message(full=False))
        await with_code(server, []).send(message(episode(subject=subject(asks="x" * 900))))
        await channel(server, public="https://box.example").send(message())
        assert [got.json.get("actions") for got in server.got] == [None] * 5


@pytest.mark.parametrize("kind", list(Kind))
async def test_each_kind_has_a_sign(kind: Kind) -> None:
    async with serving() as server:
        assert (await channel(server).send(message(episode(kind=kind)))).ok
        assert len(server.got[0].json["tags"]) == 1


async def test_a_message_is_removed_by_its_id() -> None:
    async with serving() as server:
        await channel(server, "/ntfy/topic/").retract("m-1")
        assert (server.got[0].method, server.got[0].path) == ("DELETE", "/ntfy/topic/m-1")
        server.status = 405
        await channel(server).retract("m-1")


async def test_a_server_below_a_path_is_asked_there() -> None:
    async with serving() as server:
        await channel(server, "/ntfy/topic").send(message())
        assert (server.got[0].path, server.got[0].json["topic"]) == ("/ntfy/", "topic")


async def test_a_token_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.touch(0o600)
    file.write_text("tk_1\n")
    async with serving() as server:
        await channel(server, secret_file=str(file)).send(message())
        assert server.got[0].headers["Authorization"] == "Bearer tk_1"
        file.chmod(0o644)
        outcome = await channel(server, secret_file=str(file)).send(message())
        assert not outcome.ok and "chmod 600" in outcome.detail
        assert len(server.got) == 1


async def test_an_address_without_a_topic_is_said_so() -> None:
    async with serving() as server:
        assert "needs a topic" in (await channel(server, "/").send(message())).detail


async def test_it_may_be_repeated_but_is_not_once_it_is_over() -> None:
    async with serving() as server:
        made = channel(server)
        assert (made.repeatable, made.keeps_trying) == (True, False)
        await made.close()
