"""Complete refs, states, agents, targets and sort keys for the Tab key of a shell.

Owns the choice of values. Asks a running daemon and starts none. If none answers, there is nothing to complete.
"""

from __future__ import annotations

from agtmux.client import Client
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import one_line
from agtmux.render import STATES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    import click
    from click.shell_completion import CompletionItem

GROUPS = {
    "done": ("completed", "idle"),
    "waiting": ("waiting_approval", "waiting_input"),
    "attention": ("waiting_approval", "waiting_input", "error"),
}
"""Names for several states at once."""
SORTS = ("attention", "state", "since", "updated", "name", "target")
AGENTS = ("claude", "codex", "gemini", "copilot", "opencode", "pi", "qwen", "cline", "cursor", "generic")
_TIMEOUT = 1.0


def refs(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return pane ids, given names, and agents that are there only once. (A position has a colon, at which bash begins
    a new word.)
    """
    from click.shell_completion import CompletionItem

    rows = _rows("panes")
    agents = [str(row.get("agent_type")) for row in rows]
    found = []
    for row, agent in zip(rows, agents, strict=True):
        description = one_line(f"{agent} {row.get('state')} {row.get('title') or ''}".strip())
        names = [str((row.get("identity") or {}).get("pane_id")), *([agent] if agents.count(agent) == 1 else [])]
        given = (row.get("agent") or {}).get("name")
        names += [str(given)] if given else []
        found += [CompletionItem(name, help=description) for name in names if name.startswith(incomplete)]
    return found


def states(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return _listed((*STATES, *GROUPS), incomplete)


def agents(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return _listed(AGENTS, incomplete)


def targets(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return _listed((str(row.get("target")) for row in _rows("targets")), incomplete)


def channels(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the names of the channels of notifications."""
    try:
        body = Client(timeout=_TIMEOUT).notify_status().json()
    except AgtmuxError:
        return []
    return _listed((str(row.get("channel")) for row in body.get("channels") or ()), incomplete)


def sorts(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return _listed((*SORTS, *(f"-{name}" for name in SORTS)), incomplete)


def devices(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return _listed((str(row.get("name")) for row in _rows("devices")), incomplete)


def _listed(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Return the words that complete what is typed after the last comma."""
    from click.shell_completion import CompletionItem

    before, comma, last = incomplete.rpartition(",")
    return [CompletionItem(f"{before}{comma}{word}") for word in words if word.startswith(last)]


def known_agents() -> list[str]:
    """Return the agent types of the running daemon, with the user's own. Empty if no daemon answers."""
    try:
        adapters = Client(timeout=_TIMEOUT).health().json().get("adapters") or ()
    except AgtmuxError:
        return []
    return [str(adapter.get("agent_type")) for adapter in adapters if isinstance(adapter, dict)]


def _rows(what: str) -> list[dict[str, Any]]:
    client = Client(timeout=_TIMEOUT)
    try:
        other = {"targets": client.targets, "devices": client.web_devices}.get(what)
        reply = client.listing(what, {}) if other is None else other()
        return [row for row in reply.json().get("items") or () if isinstance(row, dict)]
    except AgtmuxError:
        return []
