"""Write what an agent asks of people and which messages wait for it, as a sign and words.

Pure. Each mark has a shape of its own, so that colour is never the only difference.
"""

from __future__ import annotations

from dataclasses import dataclass

from agtmux.top.text import safe_line, width

Spans = tuple[tuple[str, str], ...]
"""As in ``lines``, which needs this module."""
SIGNS = {"blocker": "■", "overdue": "◆", "question": "◇", "message": "□", "failed": "†", "unread": "@"}
"""One shape for each mark, the most urgent first. None of them is the shape of a state."""
WORDS_FROM = 24
"""With so many cells, the first mark of a row has its word."""


@dataclass(frozen=True, slots=True)
class Mark:
    """``count``: of how many messages. ``seen``: a person acknowledged it, so it draws no attention."""

    name: str
    count: int
    seen: bool

    @property
    def sign(self) -> str:
        return SIGNS[self.name]

    @property
    def brief(self) -> str:
        """The sign and the number."""
        return self.sign if self.count == 1 and self.name not in ("failed", "unread") else f"{self.sign}{self.count}"

    @property
    def words(self) -> str:
        """The sign and a word, with the number if it says more."""
        if self.name in ("failed", "unread"):
            return f"{self.sign} {self.count} {self.name}"
        return f"{self.sign} {self.name}{f' +{self.count - 1}' if self.count > 1 else ''}"

    @property
    def sentence(self) -> str:
        """The sign and what it means."""
        some = f" and {self.count - 1} more" if self.count > 1 else ""
        plural = "" if self.count == 1 else "s"
        return (
            f"{self.sign} "
            + {
                "blocker": f"blocked, needs a person{some}",
                "overdue": f"an answer is overdue{some}",
                "question": f"asks people a question{some}",
                "message": f"wrote to people{some}",
                "failed": f"{self.count} message{plural} not delivered",
                "unread": f"{self.count} unread message{plural}",
            }[self.name]
        )

    @property
    def style(self) -> str:
        if self.seen:
            return "dim"
        return {"blocker": "warn", "failed": "warn", "overdue": "note", "question": "note"}.get(self.name, "key")


def marks_of(asks: object, mail: object) -> tuple[Mark, ...]:
    """Return the marks of a row's fields ``asks`` and ``mail``, the most urgent first."""
    found: list[Mark] = []
    if isinstance(asks, dict):
        kind = safe_line(asks.get("kind"))
        name = "overdue" if asks.get("overdue") and kind != "blocker" else kind
        name = name if name in ("blocker", "overdue", "question") else "message"
        found.append(Mark(name, max(1, _number(asks.get("count"))), asks.get("seen") is True))
    if isinstance(mail, dict):
        for name, field in (("failed", "dead"), ("unread", "unread")):
            if _number(mail.get(field)) > 0:
                found.append(Mark(name, _number(mail.get(field)), mail.get("seen") is True))
    return tuple(found)


def _number(value: object) -> int:
    return min(value, 999) if isinstance(value, int) and not isinstance(value, bool) else 0


def in_row(marks: tuple[Mark, ...], room: int) -> Spans:
    """Return marks for a row of the list, each with a blank behind it. What has no room is left out."""
    spans: list[tuple[str, str]] = []
    left = room
    for n, mark in enumerate(marks):
        text = f"{mark.words if n == 0 and room >= WORDS_FROM else mark.brief} "
        if width(text) > left:
            break
        spans.append((text, mark.style))
        left -= width(text)
    return tuple(spans)


def in_detail(marks: tuple[Mark, ...], room: int) -> list[Spans]:
    """Return marks as sentences: on one line, or on one line for each if they have no room there."""
    line: list[tuple[str, str]] = []
    for mark in marks:
        line.append((("  " if line else "") + mark.sentence, mark.style))
    if not line:
        return []
    if sum(width(text) for text, _ in line) <= room:
        return [tuple(line)]
    return [((text.strip()[:room], style),) for text, style in line]
