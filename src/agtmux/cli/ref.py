"""Turn what a person types into a full ref: ``%12``, ``work:1.0``, an agent's type or name.

Owns the short forms. Full refs (``pane:…``, ``runtime:…``) pass unchanged; the daemon checks them.
"""

from __future__ import annotations

import re

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from agtmux.client import Client

LONGEST = 1024
"""Characters of a short form. The daemon checks full refs."""
HELP = (
    "REF is a full ref (pane:…, runtime:…), an agent's name or, if unique, a pane id (%12), a position (work:1.0) or an"
    " agent (claude)."
)
_NAME = re.compile(r"(?:(?:[A-Za-z][A-Za-z0-9._-]{0,63})?/)?[A-Za-z][A-Za-z0-9._-]{0,63}")


def resolve(text: str, client: Client) -> str:
    """Return the full ref of ``text``. For a name, it is the runtime that the agent is now, and no later one.

    Raises E_REF_NOT_FOUND, E_REF_AMBIGUOUS, E_AGENT_AMBIGUOUS (all with the candidates), E_REF_INVALID.
    """
    if text.startswith(("pane:", "runtime:")):
        return text
    if not text or len(text) > LONGEST:
        why = "is empty" if not text else f"has {len(text)} characters, more than {LONGEST}"
        raise AgtmuxError(
            "E_REF_INVALID", f"the ref {why}: run agtmux list panes --all to see refs", {"ref": text[:LONGEST]}
        )
    fits = _test(text)
    items = client.listing("panes", {"all": "true"}).json().get("items") or []
    found = [item for item in items if fits(item)]
    if len(found) == 1:
        return str(found[0]["ref"])
    if not found and _NAME.fullmatch(text):
        return _of_name(text, client)
    if not found:
        raise _nothing(text)
    refs = sorted(str(item["ref"]) for item in found)
    shown = ", ".join(refs[:5]) + (f" and {len(refs) - 5} more" if len(refs) > 5 else "")
    raise AgtmuxError(
        "E_REF_AMBIGUOUS",
        f"{one_line(text)!r} matches {len(refs)} panes; use one of these refs: {shown}",
        {"ref": text, "candidates": refs},
    )


def _of_name(text: str, client: Client) -> str:
    """Return the runtime that an agent is now, by its name."""
    try:
        agent = client.agent(text).json().get("item") or {}
    except AgtmuxError as error:
        if error.code not in ("E_AGENT_NOT_FOUND", "E_INVALID_REQUEST"):  # the second: the daemon is older
            raise
        raise _nothing(text, error.details.get("candidates")) from None
    if agent.get("runtime_id"):
        return f"runtime:{agent['runtime_id']}"
    raise AgtmuxError(
        "E_REF_NOT_FOUND",
        f"agent {one_line(text)} has no runtime now: start it, then run agtmux agent bind {one_line(text)} REF",
        {"ref": text, "reason": "unbound"},
    )


def _nothing(text: str, names: object = None) -> AgtmuxError:
    known = [str(name) for name in names] if isinstance(names, list) else []
    hint = f"; agents are {', '.join(known[:8])}" if known else ""
    return AgtmuxError(
        "E_REF_NOT_FOUND",
        f"no pane matches {one_line(text)!r}: run agtmux list panes --all to see them{hint}",
        {"ref": text, **({"candidates": known} if known else {})},
    )


def _test(text: str) -> Callable[[Mapping[str, Any]], bool]:
    if text[:1] == "%":
        if not _is_number(text[1:]):
            raise AgtmuxError("E_REF_INVALID", f"{one_line(text)!r} is not a pane id: write it like %12", {"ref": text})
        return lambda item: bool(item["identity"]["pane_id"] == text)
    session, colon, place = text.rpartition(":")
    if colon:
        window, dot, pane = place.partition(".")
        if not session or not _is_number(window) or (dot and not _is_number(pane)):
            raise AgtmuxError(
                "E_REF_INVALID",
                f"{one_line(text)!r} is not a position: write it like work:1.0 (session:window.pane)",
                {"ref": text},
            )
        return lambda item: bool(
            item["identity"]["session_name"] == session
            and item["window_index"] == int(window)
            and (not dot or item["pane_index"] == int(pane))
        )
    return lambda item: bool(item["agent_type"] == text)


def _is_number(text: str) -> bool:
    """Return whether it is an id or index as tmux writes them."""
    return text.isascii() and text.isdecimal() and len(text) <= 10
