"""Tell a web service: by a signed Standard Webhook, or in the words of Slack, Discord or Telegram."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit, urlunsplit

from standardwebhooks import Webhook

from agtmuxd.config import ChannelSettings, check_url
from agtmuxd.core.json_codec import encode
from agtmuxd.core.model import NS
from agtmuxd.features.notify.channels.contract import Tools
from agtmuxd.features.notify.channels.guarded_http import Answer, NoAnswer, request
from agtmuxd.features.notify.channels.secret import SecretError, read_secret
from agtmuxd.features.notify.message import Message, Outcome

SECONDS: Final = 15.0
_JSON: Final = {"Content-Type": "application/json"}
_DISCORD_MOST: Final = 2000


class WebhookChannel:
    """Posts JSON.

    A generic webhook carries an id: its receiver drops what it knows, so a message may be sent again after a crash,
    and is sent until it arrives. Slack, Discord and Telegram know no ids: at most once.
    """

    def __init__(self, settings: ChannelSettings, tools: Tools) -> None:
        self.repeatable = settings.preset == "generic"
        self.keeps_trying = settings.preset == "generic"
        self._settings = settings
        self._clock = tools.clock

    async def send(self, message: Message) -> Outcome:
        try:
            url, body, headers = self._request(message)
        except (SecretError, ValueError) as error:
            return Outcome(ok=False, detail=str(error))
        answer = await request(
            "POST", url, body, {**_JSON, **headers}, allow_private=self._settings.allow_private, seconds=SECONDS
        )
        return outcome_of(answer)

    async def close(self) -> None:
        """There is nothing to give back."""

    def _request(self, message: Message) -> tuple[str, bytes, Mapping[str, str]]:
        """Return address, body and headers. Raises SecretError, ValueError."""
        settings = self._settings
        secret = read_secret(settings.secret_file) if settings.secret_file is not None else None
        if settings.preset == "generic":
            body = encode(message.public())
            return settings.url or "", body, self._signed(message, body, secret)
        url = settings.url or secret or ""
        check_url(url, settings.allow_private)
        if settings.preset == "slack":
            return url, encode({"text": slack_text(message)}), {}
        if settings.preset == "discord":
            text = f"{message.title}\n{message.body}"[:_DISCORD_MOST]
            return url, encode({"content": text, "allowed_mentions": {"parse": []}}), {}
        url, chat = telegram_chat(url)
        return url, encode({"chat_id": chat, "text": f"{message.title}\n{message.body}"}), {}

    def _signed(self, message: Message, body: bytes, secret: str | None) -> Mapping[str, str]:
        """Return the headers of the Standard Webhooks specification. Raises ValueError for a secret that is none."""
        at = datetime.fromtimestamp(self._clock() // NS, UTC)
        headers = {"webhook-id": message.message_id, "webhook-timestamp": str(int(at.timestamp()))}
        if secret is not None:
            if not is_webhook_secret(secret):
                raise ValueError(f"the secret in {self._settings.secret_file} is not like whsec_… in base64")
            headers["webhook-signature"] = Webhook(secret).sign(message.message_id, at, body.decode())
        return headers


def is_webhook_secret(secret: str) -> bool:
    """Return whether it is ``whsec_`` and base64 of 24 to 64 bytes, as the specification says."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        return False
    return secret.startswith("whsec_") and 24 <= len(key) <= 64


def slack_text(message: Message) -> str:
    """Return the message for Slack, which reads ``<``, ``>`` and ``&`` as its own signs."""
    text = f"{message.title}\n{message.body}"
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def telegram_chat(url: str) -> tuple[str, str]:
    """Return the address without its query, and the chat that the query names. Raises ValueError without one."""
    parts = urlsplit(url)
    chats = parse_qs(parts.query).get("chat_id")
    if not chats:
        raise ValueError("url: the address for telegram needs ?chat_id=… at its end")
    return urlunsplit(parts._replace(query="")), chats[0]


def outcome_of(answer: Answer | NoAnswer, **more: Any) -> Outcome:
    """Judge an answer: 2xx is delivered, 410 means that nothing more is wanted there."""
    if isinstance(answer, NoAnswer):
        return Outcome(ok=False, detail=answer.why, unsure=answer.sent)
    if 200 <= answer.status < 300:
        return Outcome(ok=True, **more)
    text = f": {answer.text}" if answer.text else ""
    if 300 <= answer.status < 400:
        return Outcome(ok=False, detail=f"the answer is {answer.status}, a redirect, which is not followed")
    return Outcome(
        ok=False, detail=f"the answer is {answer.status}{text}", retry_after=answer.retry_after,
        gone=answer.status == 410,
    )  # fmt: skip
