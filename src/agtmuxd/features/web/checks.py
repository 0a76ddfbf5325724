"""Decide from a request's head whether this server may look at it at all. Pure.

It guards against pages of other origins in the same browser: DNS rebinding (``Host``), cross-site requests (``Origin``,
``Sec-Fetch-Site``), and forms, which cannot send JSON.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from multidict import MultiMapping

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import one_line

_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def own_hosts(port: int, more: Iterable[str]) -> frozenset[str]:
    """Return the ``Host`` values that are accepted. ``more``: those of the configuration, compared without case."""
    own = (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}")
    return frozenset((*own, *(name.lower() for name in more)))


def refusal(method: str, headers: MultiMapping[str], hosts: frozenset[str]) -> AgtmuxError | None:
    """Return why the request is refused, or None. ``hosts``: of ``own_hosts``."""
    named = headers.getall("Host", [])
    host = named[0].lower() if len(named) == 1 else ""
    if host not in hosts:
        shown = one_line(named[0])[:80] if named else "none"
        return _forbidden(
            "host", f"the address {shown} is not one of this page: open 127.0.0.1, or add the name to web.hosts"
        )
    origins = headers.getall("Origin", [])
    if any(origin.lower() not in (f"http://{host}", f"https://{host}") for origin in origins) or len(origins) > 1:
        return _forbidden("origin", "the request comes from a page of another address")
    site = headers.get("Sec-Fetch-Site", "none").lower()
    if site not in ("same-origin", "none") and not (site in ("cross-site", "same-site") and _opens(method, headers)):
        return _forbidden("site", "the request comes from a page of another address")
    if method not in _READS and not _is_json(headers):
        return AgtmuxError("E_INVALID_REQUEST", "the request needs the header Content-Type: application/json")
    return None


def _forbidden(reason: str, message: str) -> AgtmuxError:
    return AgtmuxError("E_FORBIDDEN", message, {"reason": reason})


def _opens(method: str, headers: MultiMapping[str]) -> bool:
    """Return whether somebody follows a link to the page from elsewhere. It opens in its own tab, without a token."""
    wanted = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    alone = not headers.get("Authorization") and not headers.get("Origin")
    return method == "GET" and alone and all(headers.get(name, "").lower() == value for name, value in wanted.items())


def _is_json(headers: MultiMapping[str]) -> bool:
    return headers.get("Content-Type", "").partition(";")[0].strip().lower() == "application/json"
