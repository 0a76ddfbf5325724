"""What the panel of coordination lists: mail, leases, worktrees and failed deliveries, as lines.

Pure. Owns the tabs, their order, and which change of the stream makes which of them old.
"""

from __future__ import annotations

from dataclasses import dataclass

from agtmux.top.layout import STACKED
from agtmux.top.model import age, seconds
from agtmux.top.text import cut, cut_middle, fit, fit_right, safe_line, safe_lines, wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from agtmux.top.lines import Spans

    Item = Mapping[str, Any]

TABS = {"mail": "Mail", "leases": "Leases", "worktrees": "Worktrees", "failed": "Failed"}
BRIEF = {"mail": "Mail", "leases": "Leases", "worktrees": "Trees", "failed": "Fail"}
_OLD = {
    "message": ("mail",),
    "delivery": ("mail", "failed"),
    "dead_letter": ("failed",),
    "lease": ("leases",),
    "worktree": ("worktrees",),
    "agent": tuple(TABS),
}
_KEYS = {"mail": "message_id", "leases": "lease_id", "worktrees": "worktree_id", "failed": "delivery_id"}
EMPTY = {
    "mail": "No messages to people.",
    "leases": "Nobody holds a path or a name.",
    "worktrees": "No agent has a worktree.",
    "failed": "No delivery failed.",
}
DETAIL = 4
"""Lines for the selected item below the list."""


def tabs_of(kinds: Iterable[str]) -> frozenset[str]:
    """Return the tabs that are old after changes of these kinds."""
    return frozenset(tab for kind in kinds for tab in _OLD.get(kind, ()))


@dataclass(frozen=True, slots=True)
class CoordItem:
    """One item of a tab."""

    tab: str
    key: str
    item: Item

    @property
    def unread(self) -> bool:
        """Whether it is a message that no person has read."""
        return self.tab == "mail" and receipt(self.item) == "unread"


def listed(tab: str, items: Iterable[Item]) -> tuple[CoordItem, ...]:
    """Return a tab's items in order: of mail the unread first, then the newest; of leases those that end first."""
    found = [CoordItem(tab, str(item.get(_KEYS[tab])), item) for item in items if isinstance(item, dict)]
    if tab == "mail":
        found.sort(key=lambda one: (one.unread, seconds(one.item.get("created_at")) or 0.0), reverse=True)
    elif tab == "leases":
        found.sort(key=lambda one: seconds(one.item.get("expires_at")) or 0.0)
    elif tab == "worktrees":
        found.sort(key=lambda one: (safe_line(one.item.get("agent")), safe_line(one.item.get("path"))))
    return tuple(found)


def receipt(message: Item) -> str:
    """Return how far people are with a message: ``unread``, ``read`` or ``acked``."""
    mine = [one for one in message.get("deliveries") or () if isinstance(one, dict) and not one.get("agent_id")]
    if any(one.get("acked_at") for one in mine):
        return "acked"
    return "read" if not mine or any(one.get("read_at") for one in mine) else "unread"


def tab_line(lists: Mapping[str, Sequence[CoordItem]], at: str, room: int) -> Spans:
    """Return the line of tabs: each with its number of items, the open one in brackets."""
    spans: list[tuple[str, str]] = []
    for n, (tab, title) in enumerate(TABS.items(), 1):
        size = sum(one.unread for one in lists.get(tab, ())) if tab == "mail" else len(lists.get(tab, ()))
        more = " unread" if tab == "mail" and room >= STACKED else ""
        name = f"{n} {title}" if room >= STACKED else BRIEF[tab]
        text = f"{name} {size}{more}" if size else name
        spans += [(f"[{text}]" if tab == at else f" {text} ", "head" if tab == at else "dim")]
    return tuple(spans)


def line(one: CoordItem, now: float, room: int) -> Spans:
    """Return an item on one line of ``room`` cells: its sign, who, when, and what."""
    wide = room >= STACKED
    sign, word, style = _status(one)
    who = fit(cut_middle(_who(one), 14 if wide else 9), 14 if wide else 9)
    when = fit_right(_when(one, now), 5)
    head: list[tuple[str, str]] = [(f" {sign} ", style)]
    if wide:
        head.append((f"{fit(word, 10)} ", style))
    head += [(f"{who} ", "agent"), (f"{when}  ", "age")]
    used = 3 + (11 if wide else 0) + len(" " * (15 if wide else 10)) + 7
    return (*head, (cut(_what(one), room - used), "what" if one.unread else ""))


def _status(one: CoordItem) -> tuple[str, str, str]:
    """Return the sign, the word and the style of an item's state."""
    item = one.item
    if one.tab == "mail":
        state = receipt(item)
        kind = "overdue" if item.get("overdue_at") else safe_line(item.get("kind"))
        return ("@" if state == "unread" else "✓" if state == "acked" else "·"), kind, "key" if one.unread else "dim"
    if one.tab == "leases":
        if item.get("orphaned_at"):
            return "~", "orphaned", "note"
        return ("?", "advisory", "dim") if item.get("advisory") else (
            ("+", "shared", "") if item.get("mode") == "shared" else ("=", "exclusive", ""))  # fmt: skip
    if one.tab == "worktrees":
        if item.get("conflicts"):
            return "×", "conflicts", "warn"
        return "·", safe_line(item.get("state")), ""
    dead = item.get("state") == "dead"
    return ("†", "failed", "warn") if dead else ("~", "not sure", "note")


def _who(one: CoordItem) -> str:
    item = one.item
    if one.tab == "mail":
        return safe_line(item.get("sender")).removeprefix("agent:")
    if one.tab == "leases":
        return safe_line(item.get("holder")).removeprefix("agent:")
    return safe_line(item.get("agent")) or ("people" if one.tab == "failed" and not item.get("agent_id") else "?")


def _when(one: CoordItem, now: float) -> str:
    """Return the age, or of a lease the time that is left."""
    if one.tab == "leases":
        ends = seconds(one.item.get("expires_at"))
        return "" if ends is None else age(now, ends) if ends > now else "over"
    return age(seconds(one.item.get("updated_at" if one.tab in ("failed", "worktrees") else "created_at")), now)


def _what(one: CoordItem) -> str:
    item = one.item
    if one.tab == "mail":
        return ": ".join(part for part in (safe_line(item.get("subject")), safe_line(item.get("preview"))) if part)
    if one.tab == "leases":
        return safe_line(item.get("pattern") or item.get("name"))
    if one.tab == "worktrees":
        return safe_line(item.get("branch"))
    return _failure(item)


def _failure(item: Item) -> str:
    if item.get("state") != "dead":
        return f"typed, but nothing shows that it arrived ({safe_line(item.get('hold_reason')) or 'no sign'})"
    tries = item.get("attempts")
    why = safe_line(item.get("error_code")) or safe_line(item.get("hold_reason")) or "no reason known"
    return f"{why}, after {tries} {'try' if tries == 1 else 'tries'}"


def about(one: CoordItem, now: float, room: int) -> list[Spans]:
    """Return the selected item as sentences, at most ``DETAIL`` lines."""
    item, who, what = one.item, _who(one), _what(one)
    texts: list[str]
    if one.tab == "mail":
        late = ", the answer is overdue" if item.get("overdue_at") else ""
        kind = safe_line(item.get("kind"))
        texts = [f"{kind} {safe_line(item.get('seq'))} from {who}, {_when(one, now)} ago, {receipt(item)}{late}", what]
    elif one.tab == "leases":
        ends = seconds(item.get("expires_at"))
        left = f"{age(now, ends)} left" if ends is not None and ends > now else "its time is over"
        texts = [f"{who} holds {what} ({_status(one)[1]}), {left}", f"until {safe_line(item.get('expires_at'))}"]
        texts += [
            f"in {safe_line(item['git_dir'])}" if item.get("git_dir") else "a name",
            safe_line(item.get("reason")),
        ]
    elif one.tab == "worktrees":
        clash = item.get("conflicts")
        merges = f", {clash} files in conflict with its base" if clash else ""
        texts = [f"{who}: {_status(one)[1]}, branch {what} from {safe_line(item.get('base'))}{merges}",
                 safe_line(item.get("path"))]  # fmt: skip
    else:
        texts = [f"to {who}: {what}", f"message {safe_line(item.get('message_id'))}, {_when(one, now)} ago"]
    drawn = [text for one_text in texts if one_text for text in wrap(one_text, room, 2)]
    return [((text, ""),) for text in drawn[:DETAIL]]


def message_lines(message: Item, now: float, room: int) -> list[Spans]:
    """Return a whole message for a page: who, what it is about, and its text."""
    head = f"{safe_line(message.get('kind'))} from {safe_line(message.get('sender'))}"
    made: list[Spans] = [((f"{head}, {age(seconds(message.get('created_at')), now)} ago", "head"),)]
    if message.get("subject"):
        made += [((text, "subject"),) for text in wrap(safe_line(message["subject"]), room, 4)]
    for one in message.get("deliveries") or ():
        to = safe_line(one.get("agent")) or ("people" if not one.get("agent_id") else "an agent that is gone")
        why = f" ({safe_line(one.get('hold_reason'))})" if one.get("hold_reason") else ""
        made.append(((cut(f"to {to}: {safe_line(one.get('state'))}{why}", room), "dim"),))
    made.append(())
    for text in safe_lines(message.get("body") or message.get("preview")):
        made += [((part, ""),) for part in wrap(text, room, 10_000)] or [()]
    return made
