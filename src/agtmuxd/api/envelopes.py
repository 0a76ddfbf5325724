"""Build the bodies of answers: the envelope of reads, the error envelope, and the targets that did not answer.

Owns the bodies that several routes share. Knows no route.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from aiohttp import web
from pydantic import ValidationError

from agtmux.protocol.errors import SCHEMA_VERSION, AgtmuxError
from agtmux.protocol.text import one_line
from agtmuxd.core.json_codec import encode, stamp

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

JSON = "application/json"
_TURN = 128
"""Rows to build before other tasks get a turn."""


def reply(body: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=encode(body), status=status, content_type=JSON, charset="utf-8")


async def reply_rows(body: dict[str, Any], rows: Iterable[bytes]) -> web.Response:
    """Answer with ``body`` as JSON, and with these rows in ``items``, its last field, which is empty.

    The rows are built one by one, and other tasks get a turn in between: a thousand rows are a megabyte and take some
    milliseconds.
    """
    texts = []
    for number, row in enumerate(rows, 1):
        texts.append(row)
        if number % _TURN == 0:
            await asyncio.sleep(0)
    head = encode(body).removesuffix(b"]}")
    return web.Response(body=b"".join((head, b",".join(texts), b"]}")), content_type=JSON, charset="utf-8")


def answer(**fields: Any) -> web.Response:
    """Answer without rows: ``schema_version`` and these fields."""
    return reply({"schema_version": SCHEMA_VERSION, **fields})


def failed(error: AgtmuxError) -> web.Response:
    answer = reply(error.envelope(), error.http_status)
    if "retry_after_s" in error.details:
        answer.headers["Retry-After"] = str(error.details["retry_after_s"])
    return answer


def new_request_id() -> str:
    """Return a new id that names one failed request in the answer and in the log."""
    return uuid.uuid4().hex[:12]


def internal(request_id: str) -> web.Response:
    """Answer an unexpected error. The log has more under ``request_id``."""
    text = f"the daemon failed on this request: look for {request_id} in its log (agtmux daemon logs)"
    return failed(AgtmuxError("E_INTERNAL", text, {"request_id": request_id}))


def invalid(error: ValidationError) -> AgtmuxError:
    """Turn a refused body or query into E_INVALID_REQUEST. It names every field, with the first one in the message."""
    fields = []
    for one in error.errors(include_url=False):
        where = ".".join(str(part) for part in one["loc"]) or "request"
        fields.append({"field": where, "problem": _problem(one)})
    first = fields[0]
    more = f" (and {len(fields) - 1} more)" if len(fields) > 1 else ""
    text = f"{first['field'].removesuffix('.0')}: {first['problem']}{more}"
    return AgtmuxError("E_INVALID_REQUEST", text, {"fields": fields[:50]})


def _problem(one: ErrorDetails) -> str:
    """Return what is wrong with one field, for a person. It repeats the given value only if the field takes one of a
    few words.
    """
    if one["type"] == "extra_forbidden":
        return "is unknown"
    given, context = one.get("input"), one.get("ctx") or {}
    if one["type"] in ("literal_error", "enum") and isinstance(given, str):
        words = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        close = get_close_matches(given, words, n=1)
        return f"{given[:40]!r} is not one of {', '.join(words)}" + (f" (did you mean {close[0]}?)" if close else "")
    if one["type"] == "string_too_short" and given == "":
        return "is empty"
    if one["type"] == "string_pattern_mismatch" and isinstance(given, str):
        return f"{given[:40]!r} does not match {context.get('pattern')}"
    return str(one["msg"]).removeprefix("Value error, ")


class Envelope:
    """What every read returns besides its rows: when it was made, and which targets did not answer.

    There is one for the whole daemon. Each service that answers reads gets it.
    """

    def __init__(self, now: Callable[[], int], targets: Callable[[], list[dict[str, Any]]]) -> None:
        """``now``: ns since the epoch. ``targets``: all target items by name, from memory (read for every listing)."""
        self._now = now
        self._targets = targets

    def head(self) -> dict[str, Any]:
        """Return the first fields of every answer with a time."""
        return {"schema_version": SCHEMA_VERSION, "generated_at": stamp(self._now())}

    def reply(self, **fields: Any) -> web.Response:
        """Answer without rows, with the time."""
        return reply({**self.head(), **fields})

    def read(
        self,
        *,
        filters: dict[str, Any],
        summary: dict[str, Any],
        items: Sequence[dict[str, Any]],
        named: Iterable[str] = (),
    ) -> dict[str, Any]:
        """Return the body of a read of rows. ``named``: the requested targets. Empty: all.

        A target that is down counts as requested and not responded. Its rows stay in ``items`` with their age. Raises
        E_TARGET_NOT_FOUND for a named target that does not exist.
        """
        requested, responded, errors = self.answering(named)
        return {
            **self.head(),
            "filters": filters,
            "summary": summary,
            "partial": bool(errors),
            "requested_targets": requested,
            "responded_targets": responded,
            "target_errors": errors,
            "items": list(items),
        }

    def answering(self, named: Iterable[str] = ()) -> tuple[list[str], list[str], list[dict[str, Any]]]:
        """Return (requested, responded, errors) of the named targets, or of all. Raises E_TARGET_NOT_FOUND."""
        known = {str(item["target"]): item for item in self._targets()}
        requested = list(named) or list(known)
        responded: list[str] = []
        errors: list[dict[str, Any]] = []
        for name in requested:
            if name not in known:
                text = f"there is no target {one_line(name)[:80]}: use one of {', '.join(known) or 'none'}"
                raise AgtmuxError("E_TARGET_NOT_FOUND", text, {"target": name})
            if known[name]["health"] == "down" or not known[name].get("read", True):
                errors.append(_unanswered(known[name]))
            else:
                responded.append(name)
        return requested, responded, errors


def _unanswered(target: dict[str, Any]) -> dict[str, Any]:
    reason = target.get("reason") or (None if target.get("read", True) else "not_read_yet")
    code = "E_TMUX_UNSUPPORTED" if reason == "tmux_too_old" else "E_TARGET_UNREACHABLE"
    name, seen = target["target"], target.get("last_seen_at")
    age = f"last seen at {seen}" if seen else "never seen"
    return {
        "target": name,
        "code": code,
        "message": f"{name} does not answer ({reason or 'no reason known'}), {age}",
        "reason": reason,
        "last_seen_at": seen,
    }
