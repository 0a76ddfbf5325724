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
        answer = await self._request("POST", self._root, encode(self._body(message)))
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
            body["click"] = f"{public}/"
        return body
