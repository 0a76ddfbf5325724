"""Keep the published rows, which every listing reads, and compute their changes, which every watcher gets.

Owns the rows of panes, windows and sessions in memory, the rollups, and the changes between two publications. Pure:
knows no database, clock or socket. Use it in this order: ``changes_for``, commit, ``Hub.publish`` (which calls
``apply``). So the rows always match the sequence that is sent with them.

A pane's key is ``<target>/<pane_id>``. It stays the same when the pane moves; its identity changes. If a pane moves to
another window or its session is renamed, the old identity is deleted and the new one is upserted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core import ref
from agtmuxd.core.json_codec import encode, stamp
from agtmuxd.core.listing import ATTENTION, LAST_RANK, RANK, Attrs, Filter, Item, Scope, Tally, ordered, tally

VOLATILE = frozenset({"last_seen_at", "rtt_ms", "age_s"})
"""Fields that change all the time. A change in these alone is not published."""

Identity = tuple[str, ...]


def pane_key(target: str, pane_id: str) -> str:
    """Give the key of a pane: ``<target>/<pane_id>``."""
    return f"{target}/{pane_id}"


def window_key(identity: Mapping[str, str]) -> str:
    """Give the key of the window in an identity: ``<session key>/<window_id>``."""
    return f"{session_key(identity)}/{identity['window_id']}"


def session_key(identity: Mapping[str, str]) -> str:
    """Give the key of the session in an identity: its ref."""
    return ref.format_session(identity["target"], identity["session_name"])


def name_of(identity: Mapping[str, str]) -> Identity:
    """Convert an identity to a tuple that can be a dict key, with its parts in the order of the API."""
    return tuple(identity.values())


def same(one: Item | None, other: Item | None) -> bool:
    """Whether two rows are equal except for the volatile fields."""
    if one is None or other is None or one is other:
        return one is other
    return one == other or _lasting(one) == _lasting(other)


def _lasting(item: Item) -> Item:
    return {name: value for name, value in item.items() if name not in VOLATILE}


@dataclass(frozen=True, slots=True)
class Change:
    """One row was added, changed or deleted.

    ``was``: the attributes of the row before (None: it is new). With them, a filtered watcher gets a delete for exactly
    the rows that it had. ``before``: the previous row itself, if it is still in memory; the log does not keep it.
    """

    op: str  # upsert | delete
    scope: str
    key: str
    identity: dict[str, str]
    item: Item | None
    was: Attrs | None
    now: Attrs | None
    before: Item | None = field(default=None, compare=False, repr=False)

    @classmethod
    def upsert(cls, scope: str, key: str, item: Item, before: Item | None) -> Change:
        was = None if before is None else Attrs.of(before)
        return cls("upsert", str(scope), key, item["identity"], item, was, Attrs.of(item), before)

    @classmethod
    def delete(cls, scope: str, key: str, before: Item) -> Change:
        return cls("delete", str(scope), key, before["identity"], None, Attrs.of(before), None, before)

    def to_json(self) -> dict[str, Any]:
        """Convert for ``stream_log.changes_json``. ``from_json`` gives an equal change."""
        was = None if self.was is None else list(self.was)
        return {"op": self.op, "key": self.key, "identity": self.identity, "item": self.item, "was": was}

    @classmethod
    def from_json(cls, scope: str, value: Mapping[str, Any]) -> Change:
        item, was = value["item"], value["was"]
        if scope == "coord":
            return cls(value["op"], scope, value["key"], value["identity"], item, None, None)
        return cls(
            value["op"],
            str(scope),
            value["key"],
            value["identity"],
            item,
            None if was is None else Attrs.from_json(was),
            None if item is None else Attrs.of(item),
        )


Changes = dict[str, list[Change]]
"""Changes of one publication by scope: "panes", "windows", "sessions", "coord". A scope without any may be absent."""


class PublishedRows:
    """All published rows, as of ``sequence`` in the stream. Rows are never changed in place, only replaced."""

    def __init__(self, stream_id: str, sequence: int = 0, panes: Mapping[str, Item] | None = None) -> None:
        """``panes``: after a restart, the last published rows by pane key. Windows and sessions are computed."""
        self.stream_id = stream_id
        self.sequence = sequence
        self.ref_of_name: Callable[[str], str] = lambda text: text
        """Gives the ref of the runtime that an agent is, by its name; any other text unchanged. Raises E_AGENT_*."""
        self.panes: dict[str, Item] = {}
        self.windows: dict[str, Item] = {}
        self.sessions: dict[str, Item] = {}
        self._in_window: dict[str, dict[str, None]] = {}
        self._in_session: dict[str, dict[str, None]] = {}
        self._seen: dict[str, str] = {}
        self._attrs: dict[str, dict[str, Attrs]] = {str(scope): {} for scope in Scope}
        self._written: dict[str, tuple[Item, bytes]] = {}
        if panes:
            self.apply(sequence, changes_for(self, panes))

    def rows(self, scope: str) -> dict[str, Item]:
        """Give the rows of one scope by key. Do not change them. ``all`` has the rows of panes, ``coord`` has none."""
        rows = {"panes": self.panes, "windows": self.windows, "sessions": self.sessions}
        return rows.get(_with_rows(scope), {})

    def apply(self, sequence: int, changes: Mapping[str, Sequence[Change]]) -> None:
        """Apply the changes that were committed as ``sequence``."""
        for scope, some in changes.items():
            if scope not in self._attrs:
                continue  # coordination: the stream keeps no rows of it
            rows, attrs = self.rows(scope), self._attrs[scope]
            for change in some:
                if change.now is None:
                    attrs.pop(change.key, None)
                    if scope == Scope.PANES:
                        self._written.pop(change.key, None)
                else:
                    attrs[change.key] = change.now
                old = rows.pop(change.key, None) if change.item is None else rows.get(change.key)
                if old is not None and (change.item is None or old["identity"] != change.identity):
                    self._unplace(scope, change.key, old)
                    old = None
                if change.item is not None:
                    rows[change.key] = change.item
                    if old is None:
                        self._place(scope, change.key, change.item)
        self.sequence = sequence

    def touch(self, target: str, at: int) -> None:
        """Note a good round of ``target`` at ``at`` (ns): the new ``last_seen_at`` of all its panes."""
        self._seen[target] = stamp(at)

    def with_age(self, item: Item) -> Item:
        """Prepare ``item`` for output. A pane's ``last_seen_at`` is the later of its own and the last good round."""
        if "last_seen_at" not in item:
            return item
        seen = self._seen.get(item["identity"]["target"])
        if seen is None or seen <= (item["last_seen_at"] or ""):
            return item
        return {**item, "last_seen_at": seen}

    def encode_row(self, item: Item, more: Item) -> bytes:
        """Encode ``item``, prepared for output, with the fields ``more``, as JSON.

        The fields of a pane that are not volatile are encoded once and kept, because they are long.
        """
        if "last_seen_at" not in item:
            return encode({**item, **more})
        identity = item["identity"]
        key = pane_key(identity["target"], identity["pane_id"])
        held = self._written.get(key)
        if held is None or held[0] is not item:
            held = self._written[key] = (item, encode(_lasting(item)).removesuffix(b"}"))
        seen = max(self._seen.get(identity["target"], ""), item["last_seen_at"] or "")
        return held[1] + b"," + encode({"last_seen_at": seen or None, **more})[1:]

    def select(self, scope: str, wanted: Filter, sort: str = "attention") -> list[Item]:
        """List the rows of ``scope`` that match ``wanted``, in the order ``sort``, prepared for output."""
        return [self.with_age(item) for item in self.chosen(scope, wanted, sort)]

    def chosen(self, scope: str, wanted: Filter, sort: str = "attention") -> list[Item]:
        """List the same rows as published. Pass each to ``with_age`` or ``encode_row`` before output."""
        attrs = self._attrs.get(_with_rows(scope), {})
        return ordered([item for key, item in self.rows(scope).items() if wanted.matches(attrs[key])], sort)

    def tally(self, scope: str, wanted: Filter) -> Tally:
        """Count the rows of ``scope`` that match ``wanted``."""
        return tally(row for row in self._attrs.get(_with_rows(scope), {}).values() if wanted.matches(row))

    def full_ref(self, text: str) -> str:
        """Give the full ref that ``text`` stands for: a name becomes the runtime that the agent is at this moment.

        Raises E_AGENT_NOT_FOUND, E_AGENT_AMBIGUOUS, and E_REF_NOT_FOUND for an agent without a runtime.
        """
        return text if ":" in text else self.ref_of_name(text)

    def resolve(self, text: str) -> str:
        """Give the key of the pane that the full ref or the agent's name ``text`` names.

        In a session group, a pane can be named by each of its sessions (the row's ``other_sessions``). Raises
        E_REF_INVALID, E_REF_INVALID_ENCODING, E_REF_NOT_FOUND, and for a name the errors of ``full_ref``.
        """
        text = self.full_ref(text)
        parsed = ref.parse(text)
        if isinstance(parsed, ref.RuntimeRef):
            for key, item in self.panes.items():
                if item.get("runtime_id") == parsed.runtime_id:
                    return key
            raise AgtmuxError(
                "E_REF_NOT_FOUND",
                f"no pane holds {text}: the agent has ended or never existed; run agtmux ls to see agents",
            )
        key = pane_key(parsed.target, parsed.pane_id)
        found = self.panes.get(key)
        if found is None:
            raise AgtmuxError(
                "E_REF_NOT_FOUND",
                f"there is no pane {parsed.pane_id} on {parsed.target}: run agtmux list panes --all to see panes",
            )
        identity = found["identity"]
        sessions = (identity["session_name"], *(found.get("other_sessions") or ()))
        if parsed.window_id != identity["window_id"] or parsed.session not in sessions:
            now = ref.format_pane(parsed.target, identity["session_name"], identity["window_id"], parsed.pane_id)
            raise AgtmuxError("E_REF_NOT_FOUND", f"{text} has moved: use {now} now", {"now": now})
        return key

    def members(self, window: str) -> Iterable[str]:
        """Give the keys of the panes in a window. ``window``: a window key."""
        return self._in_window.get(window, {}).keys()

    def windows_of(self, session: str) -> Iterable[str]:
        """Give the keys of the windows in a session. ``session``: a session key."""
        return self._in_session.get(session, {}).keys()

    def _place(self, scope: str, key: str, item: Item) -> None:
        if scope == Scope.PANES:
            self._in_window.setdefault(window_key(item["identity"]), {})[key] = None
        elif scope == Scope.WINDOWS:
            self._in_session.setdefault(session_key(item["identity"]), {})[key] = None

    def _unplace(self, scope: str, key: str, item: Item) -> None:
        if scope == Scope.PANES:
            _leave(self._in_window, window_key(item["identity"]), key)
        elif scope == Scope.WINDOWS:
            _leave(self._in_session, session_key(item["identity"]), key)


def _with_rows(scope: str) -> str:
    return str(Scope.PANES) if scope == "all" else scope


def _leave(index: dict[str, dict[str, None]], group: str, key: str) -> None:
    members = index.get(group)
    if members is not None:
        members.pop(key, None)
        if not members:
            del index[group]


def changes_for(view: PublishedRows, pane_changes: Mapping[str, Item | None]) -> Changes:
    """Compute what publishing these panes changes, in all three scopes. Does not change ``view``.

    ``pane_changes``: the new row by pane key; None if the pane is gone. Only rows whose non-volatile fields differ
    count; if there are none, the result is empty. Only windows and sessions that hold such a pane are computed again.
    """
    panes: list[Change] = []
    new: dict[str, Item | None] = {}
    touched: dict[str, dict[str, Item]] = {}  # window key -> its panes afterwards
    for key, item in pane_changes.items():
        old = view.panes.get(key)
        if same(old, item):
            continue
        new[key] = item
        panes += _differences(Scope.PANES, key, old, item)
        for row in (old, item):
            if row is not None:
                touched[window_key(row["identity"])] = {}
    if not panes:
        return {}
    for window, rows in touched.items():
        rows.update((key, view.panes[key]) for key in view.members(window) if key not in new)
    for key, item in new.items():
        if item is not None:
            touched[window_key(item["identity"])][key] = item
    windows, rolled = _roll_windows(view, touched)
    return {
        scope: some
        for scope, some in (
            (str(Scope.PANES), panes),
            (str(Scope.WINDOWS), windows),
            (str(Scope.SESSIONS), _roll_sessions(view, rolled)),
        )
        if some
    }


def _differences(scope: str, key: str, old: Item | None, new: Item | None) -> list[Change]:
    if old is not None and new is not None and old["identity"] == new["identity"]:
        return [Change.upsert(scope, key, new, old)]
    out = [] if old is None else [Change.delete(scope, key, old)]
    return out if new is None else [*out, Change.upsert(scope, key, new, None)]


def _roll_windows(
    view: PublishedRows, touched: Mapping[str, Mapping[str, Item]]
) -> tuple[list[Change], dict[str, dict[str, Item | None]]]:
    """Compute the changes of the touched windows, and their new rows (None: gone) by session key and window key."""
    changes: list[Change] = []
    rolled: dict[str, dict[str, Item | None]] = {}
    for key, rows in touched.items():
        old = view.windows.get(key)
        new = roll_window(rows.values()) if rows else None
        if same(old, new):
            continue
        changes += _differences(Scope.WINDOWS, key, old, new)
        row = new or old
        if row is not None:
            rolled.setdefault(session_key(row["identity"]), {})[key] = new
    return changes, rolled


def _roll_sessions(view: PublishedRows, rolled: Mapping[str, Mapping[str, Item | None]]) -> list[Change]:
    changes: list[Change] = []
    for key, new_windows in rolled.items():
        rows = [view.windows[window] for window in view.windows_of(key) if window not in new_windows]
        rows += [row for row in new_windows.values() if row is not None]
        old = view.sessions.get(key)
        new = roll_session(rows) if rows else None
        if not same(old, new):
            changes += _differences(Scope.SESSIONS, key, old, new)
    return changes


def roll_window(panes: Iterable[Item]) -> Item:
    """Build the row of a window from its panes (at least one).

    Its fields ``panes`` and ``counts`` count only panes with an agent.
    """
    rows = list(panes)
    first = min(rows, key=lambda row: (row.get("pane_index") or 0, row["identity"]["pane_id"]))
    identity = first["identity"]
    agents = [row for row in rows if row.get("agent_type") is not None]
    kinds: dict[str, int] = {}
    counts: dict[str, int] = {}
    for row in agents:
        kinds[row["agent_type"]] = kinds.get(row["agent_type"], 0) + 1
        counts[str(row["state"])] = counts.get(str(row["state"]), 0) + 1
    return {
        "identity": {name: identity[name] for name in ("target", "session_name", "window_id")},
        "window_name": first.get("window_name"),
        "window_index": first.get("window_index"),
        "panes": len(agents),
        "agents": dict(sorted(kinds.items())),
        **_roll(agents, counts),
    }


def roll_session(windows: Iterable[Item]) -> Item:
    """Build the row of a session from its windows' rows (at least one).

    Its field ``windows`` counts only windows with an agent.
    """
    rows = list(windows)
    identity = rows[0]["identity"]
    busy = [row for row in rows if row["panes"]]
    return {
        "identity": {name: identity[name] for name in ("target", "session_name")},
        "windows": len(busy),
        "panes": sum(row["panes"] for row in busy),
        "agents": _added(row["agents"] for row in busy),
        **_roll(busy, _added(row["counts"] for row in busy)),
    }


def merge_sessions(sessions: Iterable[Item]) -> list[Item]:
    """Merge the session rows of several targets to one row per session name. ``targets`` lists the parts."""
    groups: dict[str, list[Item]] = {}
    for row in sessions:
        groups.setdefault(row["identity"]["session_name"], []).append(row)
    out = []
    for name, group in groups.items():
        rows = sorted(group, key=lambda row: str(row["identity"]["target"]))
        busy = [row for row in rows if row["panes"]]
        parts = ("state", "windows", "panes", "counts", "waiting", "running", "attention")
        out.append(
            {
                "identity": {"session_name": name},
                "windows": sum(row["windows"] for row in rows),
                "panes": sum(row["panes"] for row in rows),
                "agents": _added(row["agents"] for row in busy),
                **_roll(busy, _added(row["counts"] for row in busy)),
                "targets": [
                    {"target": row["identity"]["target"], **{part: row[part] for part in parts}} for row in rows
                ],
            }
        )
    return out


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    out: dict[str, int] = {}
    for some in counts:
        for name, n in some.items():
            out[name] = out.get(name, 0) + n
    return dict(sorted(out.items()))


def _roll(rows: Sequence[Item], counts: Mapping[str, int]) -> dict[str, Any]:
    """Compute the fields that windows and sessions share.

    ``state`` is the first by precedence; ``since`` is the oldest among the rows in that state. ``project`` is the one
    that all rows have, else None.
    """
    top = min((row["state"] for row in rows), key=lambda state: RANK.get(state, LAST_RANK), default=None)
    since = [row["since"] for row in rows if row["state"] == top and row.get("since") is not None]
    updated = [row["updated_at"] for row in rows if row.get("updated_at") is not None]
    attentions = {row.get("attention") or "none" for row in rows}
    projects = {row.get("project") for row in rows}
    return {
        "project": projects.pop() if len(projects) == 1 else None,
        "state": None if top is None else str(top),
        "counts": {state: counts.get(str(state), 0) for state in RANK},
        "waiting": counts.get("waiting_approval", 0) + counts.get("waiting_input", 0),
        "running": counts.get("running", 0),
        "attention": next((one for one in ATTENTION if one in attentions), "none"),
        "since": min(since, default=None),
        "updated_at": max(updated, default=None),
    }
