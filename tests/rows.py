"""Published pane rows for tests: one maker, and strategies that draw whole worlds of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from agtmuxd.core import ref
from agtmuxd.stream.published import Change, Changes, PublishedRows, changes_for, name_of, pane_key

Item = dict[str, Any]
T0 = "2026-01-01T00:00:00.000Z"


def pane(
    pane_id: str = "%1",
    *,
    target: str = "host",
    session: str = "work",
    window: str = "@1",
    agent: str | None = "claude",
    state: str | None = "running",
    attention: str | None = None,
    since: str | None = T0,
    **more: Any,
) -> Item:
    """A pane row with every field of the contract; ``agent`` None makes a pane without an agent."""
    if agent is None:
        state, since = None, None
    if attention is None:
        attention = "needs_action" if state in {"waiting_approval", "waiting_input", "error"} else "none"
    row: Item = {
        "ref": ref.format_pane(target, session, window, pane_id),
        "identity": {"target": target, "session_name": session, "window_id": window, "pane_id": pane_id},
        "agent_type": agent,
        "agent_version": None,
        "agent_session_id": None,
        "runtime_id": None if agent is None else f"rt-{target}-{pane_id[1:]}".ljust(16, "0"),
        "pid": None if agent is None else 4000 + int(pane_id[1:]),
        "pane_epoch": None if agent is None else 1,
        "state": state,
        "reason_code": None,
        "confidence": None if agent is None else "high",
        "state_version": None if agent is None else 1,
        "since": since,
        "updated_at": since,
        "last_seen_at": T0,
        "attention": attention,
        "attention_since": None if attention == "none" else since,
        "title": "",
        "task": None,
        "waiting_for": None,
        "accepts_input": None,
        "background_tasks": 0,
        "resumed": False,
        "last_known": None,
        "window_name": f"w{window[1:]}",
        "window_index": int(window[1:]),
        "pane_index": int(pane_id[1:]) % 10,
        "session_id": "$1",
        "cwd": "/src",
        "project": "src",
        "branch": None,
        "worktree": None,
        "agent_name": None,
        "message": None,
        "message_at": None,
        "command": "zsh" if agent is None else agent,
        "source": None if agent is None else "hook",
    }
    unknown = more.keys() - row.keys() - {"other_sessions"}
    assert not unknown, unknown
    return {**row, **more}


def key_of(item: Item) -> str:
    return pane_key(item["identity"]["target"], item["identity"]["pane_id"])


def by_key(*items: Item) -> dict[str, Item]:
    return {key_of(item): item for item in items}


def advance(view: PublishedRows, changes: dict[str, Item | None]) -> Changes:
    """Publish straight into the view, as the hub does after a commit."""
    found = changes_for(view, changes)
    if found:
        view.apply(view.sequence + 1, found)
    return found


def replayed(rows: dict[tuple[str, ...], Item], changes: list[Change]) -> None:
    """What a client does with changes."""
    for change in changes:
        name = name_of(change.identity)
        if change.item is None:
            del rows[name]
        else:
            rows[name] = change.item


STATES = ("error", "waiting_approval", "waiting_input", "running", "completed", "idle", "unknown")
PANES = [(target, f"%{n}") for target in ("host", "far") for n in range(4)]


@st.composite
def pane_rows(draw: st.DrawFn, target: str, pane_id: str) -> Item:
    """Any row that this pane could have: few sessions and windows, so that rows meet."""
    return pane(
        pane_id,
        target=target,
        session=draw(st.sampled_from(["work", "a/b %", "日本"])),
        window=draw(st.sampled_from(["@1", "@2"])),
        agent=draw(st.sampled_from([None, "claude", "codex"])),
        state=draw(st.sampled_from(STATES)),
        since=f"2026-01-01T00:00:0{draw(st.integers(0, 3))}.000Z",
        title=draw(st.sampled_from(["", "x"])),
    )


@st.composite
def steps(draw: st.DrawFn) -> dict[str, Item | None]:
    """One publication: new rows for some panes, None for those that went."""
    out: dict[str, Item | None] = {}
    for target, pane_id in draw(st.lists(st.sampled_from(PANES), min_size=1, max_size=4, unique=True)):
        out[pane_key(target, pane_id)] = draw(st.none() | pane_rows(target, pane_id))
    return out
