"""Webhooks: signed by the Standard Webhooks specification, and in the words of Slack, Discord and Telegram."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from agtmuxd.features.notify.channels import webhook as module
from agtmuxd.features.notify.channels.webhook import WebhookChannel, slack_text, telegram_chat
from agtmuxd.features.notify.message import Message
from tests.integration.features.notify.channels.server import Server, serving
from tests.integration.features.notify.channels.stubs import message, settings, tools
from tests.unit.features.notify.makers import episode, subject

pytestmark = pytest.mark.tc("TC-414")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def channel(server: Server, path: str = "/hook", now: int | None = None, **more: Any) -> WebhookChannel:
    made = tools()
    made = type(made)(made.environ, lambda: now or time.time_ns(), made.press)
    values: dict[str, Any] = {"url": f"{server.url}{path}", "allow_private": True, **more}
    return WebhookChannel(settings("webhook", **values), made)


@pytest.fixture
def secret(tmp_path: Path) -> str:
    file = tmp_path / "secret"
    file.touch(0o600)
    file.write_text(f"{SECRET}\n")
    return str(file)


async def test_a_receiver_can_verify_it_by_the_specification(secret: str) -> None:
    async with serving() as server:
        assert (await channel(server, secret_file=secret).send(message())).ok
        (got,) = server.got
        assert Webhook(SECRET).verify(got.body, got.headers) == message().public()
        assert got.headers["webhook-id"] == "m-1"
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(got.body + b" ", got.headers)


async def test_a_message_that_is_sent_again_has_the_same_id_and_a_new_time(secret: str) -> None:
    async with serving() as server:
        for now in (1_767_225_600, 1_767_225_700):
            await channel(server, secret_file=secret, now=now * 10**9).send(message())
        first, second = server.got
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert (first.headers["webhook-timestamp"], second.headers["webhook-timestamp"]) == (
            "1767225600", "1767225700",
        )  # fmt: skip
        assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


async def test_without_a_secret_it_is_not_signed() -> None:
    async with serving() as server:
        assert (await channel(server).send(message())).ok
        assert "webhook-signature" not in server.got[0].headers


@pytest.mark.parametrize("text", ["whsec_!!!", "whsec_", "whsec_c2hvcnQ=", SECRET.removeprefix("whsec_")])
async def test_a_secret_that_is_none_is_said_so(tmp_path: Path, text: str) -> None:
    file = tmp_path / "secret"
    file.touch(0o600)
    file.write_text(text)
    async with serving() as server:
        outcome = await channel(server, secret_file=str(file)).send(message())
        assert not outcome.ok and "is not like whsec_" in outcome.detail
        assert server.got == []


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (204, {}, {"ok": True}),
        (500, {}, {"ok": False, "gone": False, "unsure": False}),
        (301, {"Location": "/else"}, {"ok": False, "detail": "the answer is 301, a redirect, which is not followed"}),
        (410, {}, {"ok": False, "gone": True}),
        (429, {"Retry-After": "77"}, {"ok": False, "retry_after": 77.0}),
        (503, {"Retry-After": "5"}, {"ok": False, "retry_after": 5.0}),
    ],
)
async def test_the_answer_decides(status: int, headers: dict[str, str], expected: dict[str, object]) -> None:
    async with serving() as server:
        server.status, server.headers = status, headers
        outcome = await channel(server).send(message())
        assert {name: getattr(outcome, name) for name in expected} == expected


async def test_a_late_answer_is_unsure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.3)
    async with serving() as server:
        server.hangs = True
        outcome = await channel(server).send(message())
        assert (outcome.ok, outcome.unsure) == (False, True)


@pytest.mark.parametrize(
    ("preset", "repeats"), [("generic", True), ("slack", False), ("discord", False), ("telegram", False)]
)
async def test_only_what_has_an_id_may_be_repeated(preset: str, repeats: bool) -> None:
    async with serving() as server:
        made = channel(server, preset=preset)
        assert (made.repeatable, made.keeps_trying) == (repeats, repeats)
        await made.close()


def evil() -> Message:
    return message(episode(subject=subject(asks="<!channel> @everyone <b>&")))


async def test_slack_gets_text_without_commands() -> None:
    async with serving() as server:
        await channel(server, preset="slack").send(evil())
        assert server.got[0].json == {"text": slack_text(evil())}
        assert "&lt;!channel&gt;" in slack_text(evil())


async def test_discord_gets_text_that_calls_nobody() -> None:
    async with serving() as server:
        await channel(server, preset="discord").send(evil())
        assert server.got[0].json["allowed_mentions"] == {"parse": []}
        assert len(server.got[0].json["content"]) <= 2000


async def test_telegram_gets_text_for_the_chat_of_the_address() -> None:
    async with serving() as server:
        await channel(server, "/bot1:x/sendMessage?chat_id=-42", preset="telegram").send(evil())
        (got,) = server.got
        assert got.path == "/bot1:x/sendMessage"
        assert (got.json["chat_id"], "parse_mode" in got.json) == ("-42", False)
        outcome = await channel(server, "/bot1:x/sendMessage", preset="telegram").send(evil())
        assert "needs ?chat_id=" in outcome.detail
    with pytest.raises(ValueError, match="chat_id"):
        telegram_chat("https://api.telegram.org/bot1/sendMessage")


async def test_an_address_that_is_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "address"
    file.touch(0o600)
    async with serving() as server:
        file.write_text(f"{server.url}/services/T0/B0/key\n")
        made = WebhookChannel(settings("webhook", preset="slack", secret_file=str(file), allow_private=True), tools())
        assert (await made.send(message())).ok
        assert server.got[0].path == "/services/T0/B0/key"
        public = WebhookChannel(settings("webhook", preset="slack", secret_file=str(file)), tools())
        outcome = await public.send(message())
        assert "expected https" in outcome.detail and "key" not in outcome.detail
