"""Define a message, its words, and what a channel answers to it. Pure.

Off-machine channels get names and states only, unless the configuration says ``body = "full"``. All text is on one line
each and free of control characters, because pane titles and requests are written by agents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from agtmux.protocol.redact import redact
from agtmux.protocol.text import one_line
from agtmuxd.core.json_codec import stamp
from agtmuxd.features.notify.model import Episode, Kind, Part, Subject, known_fields

LONGEST: Final = 400
"""Characters of one text of an agent in a message."""
MOST_LINES: Final = 12
"""Lines of a message about several episodes."""

_WORDS: Final = {
    Kind.WAITING_APPROVAL: "needs your approval",
    Kind.WAITING_INPUT: "asks you something",
    Kind.ERROR: "has an error",
    Kind.COMPLETED: "is done",
    Kind.STUCK: "makes no progress",
    Kind.MESSAGE: "needs you for a message",
    Kind.CHANNEL: "delivers nothing",
}
_ORDER: Final = (
    Kind.ERROR, Kind.WAITING_APPROVAL, Kind.WAITING_INPUT, Kind.MESSAGE, Kind.STUCK, Kind.CHANNEL, Kind.COMPLETED,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Note:
    """One episode in a message. ``text``: what the agent asks or says; None where only names are sent."""

    episode_id: str
    kind: str
    agent: str
    target: str
    session: str
    place: str
    pane_id: str
    ref: str
    project: str | None
    since: str
    reminder: bool = False
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """The one prompt that a message is about: what a button answers."""

    runtime_id: str
    fingerprint: str
    episode_id: str


@dataclass(frozen=True, slots=True)
class Message:
    """What one channel is to tell. ``made_at``: ns. ``kind``: the most pressing one, or ``test``."""

    message_id: str
    channel: str
    made_at: int
    kind: str
    title: str
    body: str
    notes: tuple[Note, ...] = ()
    prompt: Prompt | None = None

    def to_json(self) -> dict[str, Any]:
        """Convert for the database. ``from_json`` gives an equal message."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Message:
        notes = tuple(Note(**known_fields(Note, note)) for note in value["notes"])
        prompt = None if value["prompt"] is None else Prompt(**known_fields(Prompt, value["prompt"]))
        return cls(**{**known_fields(cls, value), "notes": notes, "prompt": prompt})

    def public(self) -> dict[str, Any]:
        """What programs get: the JSON of the command channel and of generic webhooks."""
        notes = [{name: value for name, value in asdict(note).items() if value is not None} for note in self.notes]
        return {
            "type": f"agtmux.{self.kind}",
            "timestamp": stamp(self.made_at),
            "id": self.message_id,
            "data": {"kind": self.kind, "title": self.title, "body": self.body, "items": notes},
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a channel says of one attempt.

    ``retry_after``: seconds that the other side asks for. ``final``: another attempt cannot help. ``gone``: nothing
    may be sent there any more. ``unsure``: it failed, but it may have arrived. ``absent``: there is nobody to tell;
    that is no fault of the channel. ``handle``: by which the message can be taken back.
    """

    ok: bool
    detail: str = ""
    retry_after: float | None = None
    final: bool = False
    gone: bool = False
    unsure: bool = False
    absent: bool = False
    handle: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """What a message is made of."""

    message_id: str
    channel: str
    made_at: int
    full: bool
    parts: Sequence[tuple[Episode, Part]] = field(default_factory=tuple)


def clean(text: object) -> str:
    """Return text of an agent on one line, without control characters and secrets, not too long."""
    line = " ".join(redact(one_line(str(text))).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def message_of(draft: Draft) -> Message:
    """Word the message about these episodes."""
    notes = tuple(_note(episode, part, draft.full) for episode, part in draft.parts)
    kinds = [Kind(note.kind) for note in notes]
    kind = min(kinds, key=_ORDER.index)
    prompt = None
    if len(notes) == 1:
        title, body = _one(notes[0])
        prompt = _prompt(draft.parts[0][0]) if draft.full else None
    else:
        title, body = _several(notes)
    return Message(draft.message_id, draft.channel, draft.made_at, str(kind), title, body, notes, prompt)


def trial_message(message_id: str, channel: str, made_at: int) -> Message:
    """Word the message of ``agtmux notify test``."""
    title, body = "agtmux test", f"The channel {channel} works."
    return Message(message_id, channel, made_at, "test", title, body)


def _prompt(episode: Episode) -> Prompt | None:
    """Return what a button may answer: an approval whose whole request is in the message."""
    asks = episode.subject.asks
    if episode.kind is not Kind.WAITING_APPROVAL or not episode.sign.fingerprint or not asks:
        return None
    if clean(asks).endswith("…"):
        return None
    return Prompt(episode.runtime_id, episode.sign.fingerprint, episode.episode_id)


def _note(episode: Episode, part: Part, full: bool) -> Note:
    subject = episode.subject
    since = episode.sign.since or episode.opened_at
    text = _text(episode.kind, subject) if full else None
    return Note(
        episode.episode_id, str(episode.kind), clean(subject.agent), clean(subject.target), clean(subject.session),
        clean(subject.place), subject.pane_id, subject.ref, clean(subject.project) if subject.project else None,
        stamp(since), part is Part.REMIND, text,
    )  # fmt: skip


def _text(kind: Kind, subject: Subject) -> str | None:
    text = subject.last_message or subject.task if kind is Kind.COMPLETED else subject.asks
    return clean(text) if text else None


def _one(note: Note) -> tuple[str, str]:
    still = "still " if note.reminder else ""
    title = f"{note.agent} {still}{_WORDS[Kind(note.kind)]}"
    return title, "\n".join(filter(None, (note.text, _where(note))))


def _where(note: Note) -> str:
    project = f" ({note.project})" if note.project else ""
    return f"{note.place} on {note.target}{project}" if note.target else ""


def _several(notes: Sequence[Note]) -> tuple[str, str]:
    needs = sum(note.kind != str(Kind.COMPLETED) for note in notes)
    title = f"{len(notes)} agents are done" if not needs else f"{needs} agents need you"
    if needs == 1:
        title = "1 agent needs you"
    if needs and needs < len(notes):
        title += f", {len(notes) - needs} {'is' if len(notes) - needs == 1 else 'are'} done"
    ordered = sorted(notes, key=lambda note: (_ORDER.index(Kind(note.kind)), note.since))
    lines = [f"{note.agent} {_WORDS[Kind(note.kind)]}: {_where(note)}" for note in ordered]
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], f"and {len(lines) - MOST_LINES + 1} more"]
    return title, "\n".join(lines)
