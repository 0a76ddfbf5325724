"""What the dashboard shows, as frozen values made from the API's rows.

Every text of a pane is made safe to draw here, so that no other module of this package sees a raw one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime

from agtmux import columns
from agtmux.top.marks import marks_of
from agtmux.top.text import safe_line, safe_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from agtmux.top.marks import Mark

    Item = Mapping[str, Any]

GLYPHS = columns.GLYPHS
"""One shape for each state, the same as in listings."""
WORDS = columns.SHORT
"""Short words for states. The others keep their names."""
_LASTING = ("always", "don't ask again", "don’t ask again", "do not ask again", "for this session", "for the session",
            "all edits", "auto-accept", "from now on", "for all")  # fmt: skip


def seconds(stamp: object) -> float | None:
    """Return an RFC 3339 time as seconds since 1970. None if it is not one."""
    if not isinstance(stamp, str) or not stamp.endswith("Z"):
        return None
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return None


def age(since: float | None, now: float) -> str:
    """Return how long ago that was, in at most five characters: ``4s``, ``12m``, ``3h05m``, ``2d``. "" for None."""
    if since is None:
        return ""
    past = max(0, int(now - since))
    if past < 60:
        return f"{past}s"
    if past < 3600:
        return f"{past // 60}m"
    if past < 86400:
        return f"{past // 3600}h{past % 3600 // 60:02d}" + ("m" if past < 36000 else "")
    return f"{min(past // 86400, 9999)}d"


def word(state: str) -> str:
    """Return the short word for a state."""
    return WORDS.get(state, state)


@dataclass(frozen=True, slots=True)
class Request:
    """What an agent waits for. ``fingerprint``: None while it is not on the screen."""

    kind: str
    subject: str
    text: tuple[str, ...]
    options: tuple[str, ...]
    fingerprint: str | None

    @property
    def line(self) -> str:
        """The request on one line."""
        return ": ".join(part for part in (self.subject, " ".join(self.text).strip()) if part)

    @property
    def lasting(self) -> tuple[int, ...]:
        """The numbers of options that seem to grant more than this one request."""
        return tuple(n for n, option in enumerate(self.options, 1) if any(w in option.lower() for w in _LASTING))


@dataclass(frozen=True, slots=True)
class Row:
    """One pane with an agent. ``key`` stays the same while the pane lives; ``since`` is in seconds since 1970.

    ``given``: the name that a person gave, without its team. ``marks``: what the agent asks of people, and its mail.
    """

    key: tuple[str, str]
    ref: str
    target: str
    session: str
    window: str
    place: str
    agent: str
    state: str
    attention: str
    since: float | None
    waits_since: float | None
    what: str
    name: str = ""
    version: str = ""
    project: str = ""
    branch: str = ""
    worktree: str = ""
    cwd: str = ""
    command: str = ""
    title: str = ""
    task: str = ""
    message: str = ""
    reason: str = ""
    detail: str = ""
    pid: int | None = None
    runtime_id: str | None = None
    state_version: int | None = None
    request: Request | None = None
    background: int = 0
    muted_until: float | None = None
    stuck: str = ""
    given: str = ""
    agent_id: str | None = None
    marks: tuple[Mark, ...] = ()

    @property
    def pane_id(self) -> str:
        return self.key[1]

    @property
    def needs_you(self) -> bool:
        return self.attention == "needs_action"

    @property
    def quiet(self) -> bool:
        """Whether nothing is going on and nothing waits to be looked at."""
        return self.state in ("idle", "completed") and self.attention == "none"


def row_of(item: Item) -> Row | None:
    """Return the row of a pane of the API. None if the pane has no agent."""
    state, identity = item.get("state"), item.get("identity") or {}
    if not state or not item.get("ref"):
        return None
    session = str(identity.get("session_name") or "")
    request = _request(item.get("waiting_for"))
    stuck, given = item.get("stuck"), item.get("agent") or {}
    index, pane_index = item.get("window_index"), item.get("pane_index")
    return Row(
        key=(str(identity.get("target")), str(identity.get("pane_id"))),
        ref=str(item["ref"]),
        target=safe_line(identity.get("target")),
        session=safe_line(session),
        window=str(identity.get("window_id") or ""),
        place=safe_line(f"{session}:{'' if index is None else index}.{'' if pane_index is None else pane_index}"),
        agent=safe_line(item.get("agent_type")) or "-",
        state=safe_line(state),
        attention=str(item.get("attention") or "none"),
        since=seconds(item.get("since")),
        waits_since=seconds(item.get("attention_since")) or seconds(item.get("since")),
        what=_what(item, request),
        name=safe_line(columns.name(item)),
        version=safe_line(item.get("agent_version")),
        project=safe_line(item.get("project")),
        branch=safe_line(item.get("branch")),
        worktree=safe_line(item.get("worktree")),
        cwd=_short(safe_line(item.get("cwd"))),
        command=safe_line(item.get("command")),
        title=safe_line(item.get("title")),
        task=safe_line(item.get("task")),
        message=safe_line(item.get("message")),
        reason=safe_line(item.get("reason_code")),
        detail=safe_line(item.get("detail")),
        pid=_number(item.get("pid")),
        runtime_id=_text(item.get("runtime_id")),
        state_version=_number(item.get("state_version")),
        request=request,
        background=_number(item.get("background_tasks")) or 0,
        muted_until=seconds(item.get("muted_until")),
        stuck=safe_line(stuck.get("reason")) if isinstance(stuck, dict) else "",
        given=safe_line(given.get("name")),
        agent_id=_text(given.get("agent_id")),
        marks=marks_of(item.get("asks"), item.get("mail")),
    )


def _request(waiting: object) -> Request | None:
    if not isinstance(waiting, dict):
        return None
    options = waiting.get("options") or ()
    return Request(
        kind=safe_line(waiting.get("kind")),
        subject=safe_line(waiting.get("subject")),
        text=tuple(safe_lines(waiting.get("text"))),
        options=tuple(safe_line(option) for option in options),
        fingerprint=_text(waiting.get("fingerprint")),
    )


def _what(item: Item, request: Request | None) -> str:
    """Return what a person wants to know first: the request, else the error, else the last message, else the task."""
    if request is not None and request.line:
        return request.line
    state, stuck = item.get("state"), item.get("stuck")
    if isinstance(stuck, dict):
        return f"no progress: {safe_line(stuck.get('reason'))}"
    if state in ("error", "unknown"):
        reason = safe_line(item.get("detail")) or safe_line(item.get("reason_code"))
        rest = safe_line(item.get("task") or item.get("title"))
        return f"{reason}: {rest}" if reason and rest else reason or rest
    wanted = ("task", "title", "message") if state == "running" else ("message", "task", "title")
    return next((text for text in (safe_line(item.get(name)) for name in wanted) if text), "")


def _short(folder: str) -> str:
    home = os.environ.get("HOME", "")
    if len(home) > 1 and (folder == home or folder.startswith(f"{home}/")):
        return f"~{folder[len(home) :]}"
    return folder


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


@dataclass(frozen=True, slots=True)
class Target:
    """The health of one target: ``ok``, ``degraded`` or ``down``. ``seen``: its last good reading, unless it is ok."""

    name: str
    health: str
    reason: str
    seen: float | None


def targets_of(body: Item) -> tuple[Target, ...]:
    """Return the targets of an answer of ``GET /v1/targets``."""
    return tuple(
        Target(
            safe_line(item.get("target")), safe_line(item.get("health")), safe_line(item.get("reason")),
            seconds(item.get("last_seen_at")) if item.get("health") != "ok" else None,
        )
        for item in body.get("items") or ()
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class View:
    """All that the stream said up to now. ``lost_at``: when the daemon was lost (seconds since 1970), None while it is
    there. ``why``: the error with which it was lost.
    """

    rows: Mapping[tuple[str, str], Row] = field(default_factory=dict)
    targets: tuple[Target, ...] = ()
    lost_at: float | None = None
    why: str = ""
    cursor: str | None = None

    @property
    def many_targets(self) -> bool:
        """Whether a row has to name its target."""
        return len(self.targets) > 1 or len({row.target for row in self.rows.values()}) > 1


def counts(rows: Iterable[Row]) -> dict[str, int]:
    """Return how many rows need you (``needs``), wait to be looked at (``review``), and are in each state."""
    found: dict[str, int] = {"needs": 0, "review": 0}
    for row in rows:
        found[row.state] = found.get(row.state, 0) + 1
        found["needs"] += row.needs_you
        found["review"] += row.attention == "review"
    return found
