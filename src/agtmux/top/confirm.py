"""A card that shows what will be sent or changed, and asks for a second stroke.

Pure: time is an argument. The strokes count as on the cards of agents: only after the card could be read, and not while
a key is held down.
"""

from __future__ import annotations

from agtmux.top import keys
from agtmux.top.card import HELD, NOTES, READ
from agtmux.top.text import wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from agtmux.top.action_requests import Outcome
    from agtmux.top.keys import Keymap
    from agtmux.top.lines import Spans

MOST_LINES = 1000
"""Lines that one line of the body may take."""


class Confirm:
    """``body``: lines of one span each, wrapped when they are drawn. ``key``: the id of the key that does it, as Enter
    does. ``word``: what it does. ``state``: as of ``Card``.
    """

    def __init__(self, title: str, body: Sequence[Spans], key: str, word: str, now: float) -> None:
        self.title, self.body, self.key, self.word = title, body, key, word
        self.state, self.note = "open", ""
        self._shown_at, self._stroke_at, self._pending = now, float("-inf"), False

    @property
    def waits(self) -> bool:
        """Whether a stroke waits for ``due``."""
        return self._pending

    def is_new(self, now: float) -> bool:
        """Whether it has not been there for long enough to be read."""
        return now - self._shown_at < READ

    def stroke(self, name: str, now: float) -> None:
        """Take a stroke: an id of a key, or ``enter``. It counts once ``due`` says so."""
        quiet_for, self._stroke_at, self._pending = now - self._stroke_at, now, False
        if self.state != "open" or name not in (self.key, "enter"):
            return
        if self.is_new(now):
            self.note = "too soon: read it, then press the key again"
        elif quiet_for < HELD:
            self.note = "the key is held down: let it go, then press it once"
        else:
            self.note, self._pending = "", True

    def due(self, now: float) -> bool:
        """Return True once if it is to be done now."""
        if not self._pending or now - self._stroke_at < HELD:
            return False
        self._pending, self.state, self.note = False, "sent", "sent, waiting for the result"
        return True

    def finish(self, outcome: Outcome) -> None:
        """Take in the result. If nobody knows it, the same request may be sent again."""
        self.state = "open" if outcome.again else "done" if outcome.done else "stale"
        self.note = outcome.text
        if outcome.again:
            self.note += ". The key again sends the same request, which is never done twice"


def confirm_lines(card: Confirm, keymap: Keymap, now: float, room: int, most: int) -> list[Spans]:
    """Return the lines of the card, at most ``most`` of ``room`` cells."""
    notes = wrap(card.note, room, NOTES)
    foot: list[Spans] = [(), *(((text, "warn" if card.state == "stale" else "note"),) for text in notes)]
    foot += [()] * (NOTES - len(notes)) + [_strokes(card, keymap, now)]
    head: list[Spans] = [((text, "head"),) for text in wrap(card.title, room, 2)]
    left = max(1, most - len(foot) - len(head))
    body: list[Spans] = []
    for line in card.body:
        parts = [part for text, _ in line for part in wrap(text, room, MOST_LINES)]
        body += [((part, line[0][1]),) for part in parts] or [()]
    if len(body) > left:
        body = [*body[: left - 1], ((f"… {len(body) - left + 1} more lines", "dim"),)]
    return [*head, *body, *foot]


def _strokes(card: Confirm, keymap: Keymap, now: float) -> Spans:
    if card.state == "sent":
        return (("…", "dim"),)
    close = (("Esc ", "key"), ("close", "dim"))
    if card.state != "open":
        return close
    if card.is_new(now):
        return (("read it first  ", "dim"), *close)
    return ((f"{keys.signs(keymap, card.key)} ⏎ ".lstrip(), "key"), (f"{card.word}  ", "dim"), *close)
