"""Decide which episodes begin, go on and end when a pane's row changes, and how long turns took. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from agtmuxd.features.notify.model import (
    Episode,
    Item,
    Kind,
    Occurrence,
    at,
    is_hidden,
    is_same,
    occurrences,
    state_of,
)

IN_TURN = frozenset({"running", "waiting_approval", "waiting_input"})
ENDED = frozenset({"completed", "idle", "error"})


@dataclass(slots=True)
class Steps:
    """What one reading of rows changes. ``turns``: new starts of turns by runtime; None: its turn is over."""

    opened: list[Episode] = field(default_factory=list)
    changed: list[Episode] = field(default_factory=list)
    closed: list[Episode] = field(default_factory=list)
    turns: dict[str, int | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.opened or self.changed or self.closed or self.turns)


def follow(
    pane_key: str,
    item: Item | None,
    held: Iterable[Episode],
    turns: Mapping[str, int],
    turn_mark: Callable[[str], int | None],
    now: int,
    new_id: Callable[[], str],
    steps: Steps,
) -> None:
    """Add to ``steps`` what the row of one pane changes.

    ``item``: the row; None if the pane is gone. ``held``: the open episodes of this pane. ``turns``: when the turn of
    each runtime began. ``turn_mark``: when a runtime's hook last reported the start of a turn.
    """
    shown = {} if item is None else {found.kind: found for found in occurrences(pane_key, item)}
    left = []
    for episode in held:
        occurrence = shown.get(episode.kind)
        if occurrence is not None and _goes_on(episode, occurrence):
            del shown[episode.kind]
            after = _followed(episode, occurrence)
            if after != episode:
                steps.changed.append(after)
        else:
            left.append(episode)
    for episode in left:
        steps.closed.append(replace(episode, closed_at=now, close_reason=_why_closed(episode, item)))
    for occurrence in shown.values():
        turn = None
        if occurrence.kind is Kind.COMPLETED and item is not None:
            turn = _turn(item, turns.get(occurrence.runtime_id), turn_mark(occurrence.runtime_id))
        steps.opened.append(
            Episode(
                new_id(),
                occurrence.kind,
                occurrence.runtime_id,
                pane_key,
                now,
                occurrence.sign,
                occurrence.subject,
                turn,
            )
        )
    if item is not None and item.get("runtime_id") is not None:
        _follow_turn(item, turns, steps)


def _goes_on(episode: Episode, occurrence: Occurrence) -> bool:
    return episode.runtime_id == occurrence.runtime_id and is_same(episode.sign, occurrence.sign, episode.kind)


def _followed(episode: Episode, occurrence: Occurrence) -> Episode:
    """Keep what the row does not show while its state is hidden, or before the screen shows the prompt."""
    sign, subject = occurrence.sign, occurrence.subject
    if sign.hidden:
        before = episode.sign
        return replace(
            episode,
            sign=replace(
                sign, since=before.since, attention_since=before.attention_since, fingerprint=before.fingerprint
            ),
        )
    if sign.fingerprint is None and episode.sign.fingerprint is not None:
        sign = replace(sign, fingerprint=episode.sign.fingerprint)
        subject = replace(subject, fingerprint=episode.sign.fingerprint, asks=subject.asks or episode.subject.asks)
    return replace(episode, sign=sign, subject=subject)


def _why_closed(episode: Episode, item: Item | None) -> str:
    if item is None:
        return "the pane is gone"
    if item.get("runtime_id") != episode.runtime_id:
        return "the agent ended"
    if episode.kind is Kind.STUCK:
        return "the agent goes on"
    if episode.kind is Kind.MESSAGE:
        return _why_message_closed(item)
    state = state_of(item)
    if episode.kind is Kind.COMPLETED and state in ("completed", "idle"):
        return "another turn ended" if item.get("attention") == "review" else "you looked at it"
    if str(episode.kind) == state:
        return "another prompt" if item.get("attention") == "needs_action" else "you marked it as seen"
    return f"the agent is {state}"


def _why_message_closed(item: Item) -> str:
    notes = [note for note in (item.get("asks"), item.get("mail")) if isinstance(note, Mapping)]
    if any(found.kind is Kind.MESSAGE for found in occurrences("", item)):
        return "another message"
    return "you marked it as seen" if any(note.get("seen") for note in notes) else "somebody took care of it"


def _turn(item: Item, started: int | None, mark: int | None) -> int | None:
    """Return how long the completed turn took, in ns. None if its start was not seen."""
    ended = at(item.get("since"))
    if ended is None:
        return None
    begun = [start for start in (started, mark) if start is not None and start <= ended]
    return ended - max(begun) if begun else None


def _follow_turn(item: Item, turns: Mapping[str, int], steps: Steps) -> None:
    runtime_id, state = str(item["runtime_id"]), item.get("state")
    if is_hidden(item):
        return
    if state in IN_TURN and runtime_id not in turns:
        since = at(item.get("since"))
        if since is not None:
            steps.turns[runtime_id] = since
    elif state in ENDED and runtime_id in turns:
        steps.turns[runtime_id] = None
