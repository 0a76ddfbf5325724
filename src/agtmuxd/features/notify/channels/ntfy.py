"""Tell a phone by ntfy: one POST to its server.

Each message has an id of ours. With the same id ntfy 2.16 and newer replaces a message, so one that may have arrived
before a crash is sent again.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

from agtmuxd.config import ChannelSettings
from agtmuxd.core.json_codec import encode
from agtmuxd.features.notify.channels.contract import Tools
from agtmuxd.features.notify.channels.guarded_http import Answer, NoAnswer, request
from agtmuxd.features.notify.channels.secret import SecretError, read_secret
from agtmuxd.features.notify.channels.webhook import outcome_of
from agtmuxd.features.notify.message import Message, Outcome

SECONDS: Final = 15.0
_PRIORITY: Final = {"waiting_approval": 4, "waiting_input": 4, "error": 4, "channel": 4}
_NORMAL: Final = 3
_TAGS: Final = {
    "waiting_approval": "warning",
    "waiting_input": "question",
    "error": "x",
    "completed": "white_check_mark",
    "stuck": "hourglass",
    "message": "envelope",
    "channel": "electric_plug",
    "test": "wave",
}


class NtfyChannel:
    """Publishes to one topic."""

    repeatable = True

    def __init__(self, settings: ChannelSettings, tools: Tools) -> None:
        self.keeps_trying = False
        self._settings = settings
        self._tools = tools
        parts = urlsplit(settings.url or "")
        path, _, self._topic = parts.path.rstrip("/").rpartition("/")
        self._root = urlunsplit(parts._replace(path=f"{path}/", query=""))

    async def send(self, message: Message) -> Outcome:
        if not self._topic:
            return Outcome(ok=False, detail="url: the address needs a topic at its end, like https://ntfy.sh/my-topic")
        body = {**self._body(message), **await self._buttons(message)}
        answer = await self._request("POST", self._root, encode(body))
        if isinstance(answer, Outcome):
            return answer
        return outcome_of(answer, handle=message.message_id)

    async def retract(self, handle: str) -> None:
        """Remove a message from the phone. Servers before 2.16 cannot: they are asked in vain."""
        await self._request("DELETE", f"{self._root}{quote(self._topic)}/{quote(handle)}", None)

    async def close(self) -> None:
        """There is nothing to give back."""

    async def _request(self, method: str, url: str, body: bytes | None) -> Answer | NoAnswer | Outcome:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self._settings.secret_file is not None:
            try:
                headers["Authorization"] = f"Bearer {read_secret(self._settings.secret_file)}"
            except SecretError as error:
                return Outcome(ok=False, detail=str(error))
        return await request(method, url, body, headers, allow_private=self._settings.allow_private, seconds=SECONDS)

    async def _buttons(self, message: Message) -> dict[str, Any]:
        """Return the buttons of an approval that shows its whole request, each with a single-use code."""
        public, make_code = self._tools.public_url(), self._tools.make_code
        if not self._settings.actions or public is None or message.prompt is None or make_code is None:
            return {}
        code = await make_code(message.message_id, message.prompt)
        buttons = [
            {
                "action": "http", "label": label, "url": f"{public}/v1/notify/press", "method": "POST", "clear": True,
                "headers": {"Content-Type": "application/json"}, "body": encode({"code": code, "verb": verb}).decode(),
            }
            for verb, label in (("approve", "Approve"), ("deny", "Deny"))
        ]  # fmt: skip
        return {"actions": buttons}

    def _body(self, message: Message) -> dict[str, Any]:
        body: dict[str, Any] = {
            "topic": self._topic,
            "title": message.title,
            "message": message.body or message.title,
            "priority": _PRIORITY.get(message.kind, _NORMAL),
            "tags": [_TAGS[message.kind]],
            "sequence_id": message.message_id,
        }
        public = self._tools.public_url()
        if public is not None:
            body["click"] = f"{public}/{_page(message)}"
        return body


def _page(message: Message) -> str:
    """Return which page is about the message: that of the pane, or the one of all panes."""
    if len(message.notes) != 1 or not message.notes[0].pane_id:
        return ""
    return f"#/p/{quote(message.notes[0].target, safe='')}/{quote(message.notes[0].pane_id, safe='')}"
