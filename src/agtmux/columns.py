"""Say what each row of a listing shows: its columns, the text of each cell, and which columns a narrow terminal drops.

Pure: draws nothing and reads no clock. Knows neither the client nor click. Every text from a pane passes through
``agtmux.protocol.text`` here. Items are those of the API. ``render`` draws them, ``templates`` fills templates.
"""

from __future__ import annotations

import time

from agtmux.protocol.text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Item = Mapping[str, Any]
    Column = tuple[str, Callable[[Item, float], str]]

STATES = ("error", "waiting_approval", "waiting_input", "running", "completed", "idle", "unknown")
"""Highest precedence first, in the order of the API."""

GLYPHS = {
    "error": "✗",
    "waiting_approval": "!",
    "waiting_input": "?",
    "running": "●",
    "completed": "✓",
    "idle": "○",
    "unknown": "~",
}
"""One shape for each state: colour is never the only difference."""
ASCII_GLYPHS = {**GLYPHS, "error": "x", "running": ">", "completed": "+", "idle": "-"}
"""The same for terminals without Unicode."""
SHORT = {"waiting_approval": "approval", "waiting_input": "input"}
"""Words for states where room is short. The others keep their names."""

NARROW: dict[str, tuple[str, ...]] = {
    "panes": ("NAME", "PLACE", "TARGET", "AGENT", "FOR", "PANE"),
    "windows": ("NAME", "WINDOW", "PANES", "TARGET", "RUNNING", "WAITING", "PROJECT", "FOR"),
    "sessions": ("WINDOWS", "PANES", "TARGET", "RUNNING", "WAITING", "PROJECT", "FOR"),
    "targets": ("CONNECTION", "RTT_MS", "TMUX", "KIND", "SEEN", "PANES", "AGENTS"),
    "events": ("RUNTIME", "TARGET", "APPLIED", "AGENT", "PANE"),
    "devices": ("LINKED",),
    "channels": ("BODY", "KIND", "SENT", "FAILED", "UNDELIVERED"),
    "episodes": ("TARGET", "PLACE"),
    "failed messages": ("ATTEMPTS", "MESSAGE"),
    "agents": ("OWNER", "SEEN", "ROLE", "FOR", "TYPE"),
    "teams": ("ESCALATE_TO",),
    "queue": ("AGE", "WHY"),
    "actions": ("RUNTIME", "TARGET", "PANE"),
    "history": ("PANE", "WHY"),
    "messages": ("TO", "KIND"),
    "message deliveries": ("VIA", "TRIES"),
}
"""The columns that a narrow terminal leaves out, in this order. Before that, words for states get short."""

PERSON = "person"
"""How the recipient of messages to people is called."""
_ERROR_CHARS = 60
"""Characters of an error's message that are shown before the prompt."""


def clean(value: object, empty: str = "-") -> str:
    """Return any field as safe text on one line; ``empty`` for null and blank."""
    return (one_line(str(value)).strip() if value is not None else "") or empty


def age(stamp: object, now: float) -> str:
    """Return how long ago an RFC 3339 UTC time was, in one or two units: ``4s``, ``12m``, ``3h05m``, ``2d``."""
    seconds = _seconds(stamp)
    if seconds is None:
        return "-"
    past = max(0, int(now - seconds))
    if past < 60:
        return f"{past}s"
    if past < 3600:
        return f"{past // 60}m"
    if past < 86400:
        return f"{past // 3600}h{past % 3600 // 60:02d}m"
    return f"{past // 86400}d"


def _seconds(stamp: object) -> float | None:
    if not isinstance(stamp, str) or len(stamp) < 20 or not stamp.endswith("Z"):
        return None
    try:
        import calendar

        whole = calendar.timegm(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S"))
        return whole + float("0" + stamp[19:-1])
    except ValueError:
        return None


def _identity(item: Item, key: str) -> str:
    return clean((item.get("identity") or {}).get(key))


def place(item: Item, _: float) -> str:
    return f"{_identity(item, 'session_name')}:{clean(item.get('window_index'))}.{clean(item.get('pane_index'))}"


def _state(item: Item, _: float) -> str:
    return clean(item.get("state"))


def glyph(item: Item, glyphs: Mapping[str, str] = GLYPHS) -> str:
    """Return the shape of an item's state; a blank if it has none."""
    return glyphs.get(str(item.get("state")), " ")


def sign(item: Item, glyphs: Mapping[str, str] = GLYPHS, *, short: bool = False) -> str:
    """Return the shape and the word of an item's state: ``! waiting_approval``, or ``! approval`` if ``short``."""
    state = clean(item.get("state"))
    return f"{glyph(item, glyphs)} {SHORT.get(state, state) if short else state}"


def project(item: Item, empty: str = "-") -> str:
    """Return ``agtmux:main``, with ``[worktree]`` after it if the branch does not say it."""
    name, branch, worktree = (clean(item.get(key), "") for key in ("project", "branch", "worktree"))
    where = f"{name}:{branch}" if branch else name
    says_it = not worktree or worktree in (branch, branch.rpartition("/")[2])
    return (where if says_it else f"{where} [{worktree}]") or empty


def _brief(detail: object) -> str:
    text = clean(detail, "")
    return text if len(text) <= _ERROR_CHARS else text[: _ERROR_CHARS - 1] + "…"


def request(item: Item) -> str:
    """Return what the agent waits for. Empty if it waits for nothing that is known."""
    waiting = item.get("waiting_for") or {}
    return ": ".join(clean(waiting.get(key)) for key in ("subject", "text") if waiting.get(key))


def name(item: Item) -> str | None:
    """Return the name that a person gave to the agent, else its own."""
    agent = item.get("agent")
    if isinstance(agent, dict) and agent.get("name"):
        return f"{agent['team']}/{agent['name']}" if agent.get("team") else str(agent["name"])
    own = item.get("agent_name")
    return None if own is None else str(own)


def what(item: Item, empty: str = "-") -> str:
    """Return what a person wants to know first: what the agent waits for, else why it is stuck, its last message, its
    task, its name.

    While an agent runs, a message that is older than the run says nothing about it: then the task comes first.
    """
    asked = request(item)
    if asked:
        return asked
    stuck = item.get("stuck")
    if isinstance(stuck, dict):
        return f"[stuck] {clean(stuck.get('reason'))}"
    reason = _brief(item.get("detail")) or item.get("reason_code")
    message, task = item.get("message"), item.get("task")
    older = item.get("state") == "running" and str(item.get("message_at") or "") < str(item.get("since") or "")
    first, second = (task, message) if older else (message, task)
    text = clean(first or second or name(item) or item.get("title"), empty)
    return f"[{clean(reason)}] {text}" if item.get("state") in ("error", "unknown") and reason else text


def width(text: str) -> int:
    """Return how many columns ``text`` takes on a terminal."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _counts(item: Item, _: float) -> str:
    counts = item.get("counts") or {}
    return " ".join(f"{counts[state]} {state}" for state in STATES if counts.get(state)) or "-"


def _field(key: str) -> Callable[[Item, float], str]:
    return lambda item, _: clean(item.get(key))


def _id(key: str) -> Callable[[Item, float], str]:
    return lambda item, _: _identity(item, key)


def _age(key: str) -> Callable[[Item, float], str]:
    return lambda item, now: age(item.get(key), now)


_AGENT = ("AGENT", _field("agent_type"))
_SINCE = ("FOR", _age("since"))


def _attention(item: Item, _: float) -> str:
    return clean(item.get("attention")) + (",muted" if item.get("muted_until") else "")


ATTENTION = ("ATTENTION", _attention)
_PROJECT = ("PROJECT", lambda item, _: project(item))
_WAIT_RUN: tuple[Column, ...] = (("WAITING", _field("waiting")), ("RUNNING", _field("running")))


def _targets(item: Item, _now: float) -> str:
    """Return the target of a session, or all targets that have a session of its name."""
    merged = ",".join(clean(one.get("target")) for one in item.get("targets") or ())
    return merged or _identity(item, "target")


def _tmux(item: Item, _now: float) -> str:
    """Return the server's version. If no server runs, the column says so: that explains a healthy target
    without panes.
    """
    running = item.get("tmux_version") or item.get("health") != "ok" or item.get("read") is False
    return clean(item.get("tmux_version")) if running else "no server"


def _listed(item: Item, _now: float) -> str:
    """Return the number of panes, and for how many of them tmux's output cannot be read."""
    unread = item.get("unread_panes")
    return f"{clean(item.get('panes'))} ({clean(unread)} unreadable)" if unread else clean(item.get("panes"))


def _input(item: Item, _now: float) -> str:
    accepts = item.get("accepts_input")
    return "-" if accepts is None else "yes" if accepts else "no"


def _full_name(item: Item) -> str:
    return clean(f"{item['team']}/{item.get('name')}" if item.get("team") else item.get("name"))


def _outcome(item: Item, _now: float) -> str:
    code = clean(item.get("result_code"), "in flight")
    return f"{code} {clean(item['error_code'])}" if item.get("error_code") else code


def _deliveries(item: Item, now: float) -> str:
    """Return the result of an episode on each channel."""
    sent = [f"{clean(one.get('channel'))} {clean(one.get('state'))}" for one in item.get("deliveries") or ()]
    return ", ".join(sent) or "not sent yet"


def _caller(item: Item, _now: float) -> str:
    caller = item.get("caller") or {}
    return " ".join(clean(caller[key]) for key in ("actor", "pid", "command") if caller.get(key)) or "-"


def _recipients(item: Item, _now: float) -> str:
    """Return a message's channel, or else its recipients."""
    if item.get("channel"):
        return f"#{clean(item['channel'])}"
    names = [clean(one.get("agent") or one.get("agent_id"), PERSON) for one in item.get("deliveries") or ()]
    return ", ".join(names) or "-"


def _delivery_states(item: Item, _now: float) -> str:
    """Return the states of a message's deliveries, each once, with why it is held."""
    states = [
        " ".join(clean(one[key]) for key in ("state", "hold_reason") if one.get(key))
        for one in item.get("deliveries") or ()
    ]
    return ", ".join(dict.fromkeys(states)) or "-"


def _members(item: Item, _now: float) -> str:
    """Return the members of a channel, with how they hear of messages unless that is the default."""
    names = []
    for one in item.get("members") or ():
        notify = clean(one.get("notify"))
        name = clean(one.get("agent") or one.get("agent_id"))
        names.append(name if notify == "pull" else f"{name} ({'muted' if notify == 'none' else notify})")
    return ", ".join(names) or "-"


_ROLLUP = (("PANES", _field("panes")), *_WAIT_RUN, ATTENTION, _PROJECT, ("COUNTS", _counts))
"""The last columns of windows and of sessions."""

COLUMNS: dict[str, tuple[Column, ...]] = {
    "panes": (
        ("STATE", _state),
        _SINCE,
        _AGENT,
        ("TARGET", _id("target")),
        ("PANE", _id("pane_id")),
        ("PLACE", place),
        ATTENTION,
        _PROJECT,
        ("WHAT", lambda item, _: what(item)),
    ),
    "windows": (
        ("STATE", _state),
        _SINCE,
        ("TARGET", _id("target")),
        ("SESSION", _id("session_name")),
        ("WINDOW", _id("window_id")),
        ("NAME", _field("window_name")),
        *_ROLLUP,
    ),
    "sessions": (
        ("STATE", _state),
        _SINCE,
        ("TARGET", _targets),
        ("SESSION", _id("session_name")),
        ("WINDOWS", _field("windows")),
        *_ROLLUP,
    ),
    "targets": (
        ("TARGET", _field("target")),
        ("HEALTH", _field("health")),
        ("KIND", _field("kind")),
        ("AGENTS", _field("agents")),
        ("PANES", _listed),
        ("SEEN", _age("last_seen_at")),
        ("RTT_MS", _field("rtt_ms")),
        ("TMUX", _tmux),
        ("WHY", _field("reason")),
        ("CONNECTION", _field("connection_ref")),
    ),
    "events": (
        ("AGE", _age("event_time")),
        ("EVENT", _field("event_type")),
        ("SOURCE", _field("source")),
        _AGENT,
        ("TARGET", _id("target")),
        ("PANE", _id("pane_id")),
        ("APPLIED", _field("applied")),
        ("RUNTIME", _field("runtime_id")),
        ("ID", _field("event_id")),
    ),
    "devices": (
        ("NAME", _field("name")),
        ("SCOPE", _field("scope")),
        ("LINKED", _age("created_at")),
        ("SEEN", _age("seen_at")),
        ("OPEN", lambda item, _: "yes" if item.get("connected") else "no"),
    ),
    "channels": (
        ("CHANNEL", _field("channel")),
        ("KIND", _field("kind")),
        ("STATUS", _field("state")),
        ("SENT", _age("last_success")),
        ("FAILED", _age("last_failure")),
        ("UNDELIVERED", _field("undelivered")),
        ("BODY", _field("body")),
        ("ERROR", lambda item, _: clean(item.get("last_error")) if item.get("state") != "ok" else "-"),
    ),
    "episodes": (
        ("FOR", _age("opened_at")),
        ("KIND", _field("kind")),
        ("AGENT", _field("agent")),
        ("PLACE", _field("place")),
        ("TARGET", _field("target")),
        ("CHANNELS", _deliveries),
    ),
    "failed messages": (
        ("AGE", _age("made_at")),
        ("CHANNEL", _field("channel")),
        ("TITLE", _field("title")),
        ("ATTEMPTS", _field("attempts")),
        ("MESSAGE", _field("message")),
        ("ERROR", _field("last_error")),
    ),
    "agents": (
        ("NAME", lambda item, _: _full_name(item)),
        ("STATE", _state),
        _SINCE,
        ("INPUT", _input),
        ("SEEN", _field("last_seen")),
        ("TYPE", _field("agent_type")),
        ("ROLE", _field("role")),
        ("OWNER", _field("owner")),
        ("REF", _field("ref")),
    ),
    "teams": (
        ("NAME", _field("name")),
        ("DELIVER", _field("deliver")),
        ("ESCALATE_TO", lambda item, _: clean(item.get("escalate_to"), "person")),
        ("AGENTS", lambda item, _: clean(", ".join(str(one.get("name")) for one in item.get("agents") or ()))),
    ),
    "messages": (
        ("NO", _field("seq")),
        ("AGE", _age("created_at")),
        ("KIND", _field("kind")),
        ("FROM", _field("sender")),
        ("TO", _recipients),
        ("STATUS", _delivery_states),
        ("SUBJECT", lambda item, _: clean(item.get("subject") or item.get("preview"))),
    ),
    "message deliveries": (
        ("TO", lambda item, _: clean(item.get("agent") or item.get("agent_id"), PERSON)),
        ("STATUS", _field("state")),
        ("VIA", _field("route")),
        ("AGE", _age("updated_at")),
        ("TRIES", _field("attempts")),
        ("WHY", lambda item, _: clean(item.get("hold_reason") or item.get("error_code"))),
        ("ID", _field("delivery_id")),
    ),
    "message channels": (
        ("CHANNEL", lambda item, _: _full_name(item)),
        ("MEMBERS", _members),
        ("AGE", _age("created_at")),
    ),
    "queue": (
        ("AGENT", _field("agent")),
        ("PLACE", _field("place")),
        ("STATE", _field("state")),
        ("AGE", _age("created_at")),
        ("TEXT", _field("text")),
        ("WHY", _field("why")),
    ),
    "actions": (
        ("AGE", _age("requested_at")),
        ("ACTION", _field("action")),
        ("RESULT", _outcome),
        ("TARGET", _field("target")),
        ("PANE", _field("pane_id")),
        ("BY", _caller),
        ("RUNTIME", _field("runtime_id")),
        ("ID", _field("action_id")),
    ),
    "history": (
        ("AGE", _age("at")),
        ("TYPE", _field("type")),
        ("RESULT", _field("result")),
        ("AGENT", _field("agent")),
        ("PANE", _field("pane")),
        ("WHY", _field("why")),
        ("ID", _field("id")),
    ),
}
"""The columns of each kind of item as plain text, in order."""

TABLES: dict[str, tuple[Column, ...]] = {
    **COLUMNS,
    "panes": (
        ("STATE", _state),
        _SINCE,
        _AGENT,
        _PROJECT,
        ("NAME", lambda item, _: clean(name(item))),
        ("PANE", _id("pane_id")),
        ("PLACE", place),
        ("TARGET", _id("target")),
        ATTENTION,
        ("WHAT", lambda item, _: what(item)),
    ),
    "windows": (
        ("STATE", _state),
        _SINCE,
        _PROJECT,
        ("TARGET", _id("target")),
        ("SESSION", _id("session_name")),
        ("WINDOW", _id("window_id")),
        ("NAME", _field("window_name")),
        ("PANES", _field("panes")),
        *_WAIT_RUN,
        ATTENTION,
        ("COUNTS", _counts),
    ),
    "sessions": (
        ("STATE", _state),
        _SINCE,
        _PROJECT,
        ("TARGET", _targets),
        ("SESSION", _id("session_name")),
        ("WINDOWS", _field("windows")),
        ("PANES", _field("panes")),
        *_WAIT_RUN,
        ATTENTION,
        ("COUNTS", _counts),
    ),
}
"""The columns of a table on a terminal, in order. The last one takes the remaining width."""

OPTIONAL = {"panes": {"NAME": "-", "TARGET": "host"}, "windows": {"PROJECT": "-"}, "sessions": {"PROJECT": "-"}}
"""The columns of a table that are left out if every row has this value there."""
