"""Read the query and the body of a request, within limits.

Owns the limits of a body. Knows no route and no model.
"""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from aiohttp import web
from multidict import MultiMapping
from pydantic import BaseModel

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.json_codec import decode

BODY_SECONDS = 10.0
MAX_BODY = 1024 * 1024  # bytes
_LISTS = frozenset({"target", "target_session", "session", "state", "agent"})

M = TypeVar("M", bound=BaseModel)


class BrokenBodyError(AgtmuxError):
    """The body was not whole, came too late, or its pieces are not HTTP. It counts as no request."""


def read_query(model: type[M], query: MultiMapping[str]) -> M:
    """Return the query as its model. Raises ValidationError with the parameter, E_INVALID_REQUEST for one
    given twice.
    """
    raw: dict[str, Any] = {}
    for name in dict.fromkeys(query):
        values = query.getall(name)
        if name in _LISTS:
            raw[name] = values
        elif len(values) == 1:
            raw[name] = values[0]
        else:
            raise AgtmuxError("E_INVALID_REQUEST", f"{name}: given {len(values)} times, but it takes one value")
    return model.model_validate(raw)


def given(query: BaseModel, *names: str) -> dict[str, Any]:
    """Return those of the named parameters that the caller gave, to repeat them in ``filters``."""
    return {name: getattr(query, name) for name in names if name in query.model_fields_set}


def too_large() -> AgtmuxError:
    return AgtmuxError("E_PAYLOAD_TOO_LARGE", f"a body may have at most {MAX_BODY} bytes")


async def read_json(request: web.Request) -> Any:
    """Return the body as JSON, as ``core.json_codec`` reads it.

    Raises E_INVALID_REQUEST (BrokenBodyError if it broke off), E_PAYLOAD_TOO_LARGE.
    """
    if (request.content_length or 0) > MAX_BODY:
        raise too_large()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            raw = await request.read()
    except TimeoutError:
        raise BrokenBodyError("E_INVALID_REQUEST", f"the body did not arrive within {BODY_SECONDS:g} s") from None
    except (ConnectionError, web.RequestPayloadError) as error:
        why = " ".join(str(error).split())[:200]
        raise BrokenBodyError("E_INVALID_REQUEST", f"the body is incomplete: {why}") from None
    if len(raw) > MAX_BODY:  # releases of aiohttp differ by one byte
        raise too_large()
    try:
        return decode(raw)
    except ValueError as error:
        raise AgtmuxError("E_INVALID_REQUEST", f"the body is not JSON: {error}") from None
