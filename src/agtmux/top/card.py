"""The card on which a decision is made: what it shows, and which strokes count.

Pure: time is an argument. One stroke opens a card, a second one decides. A stroke counts only if the card could be
read, if the key is not held down, and if the prompt is still the one that the card shows.
"""

from __future__ import annotations

from agtmux.top import keys, lines
from agtmux.top.action_requests import DECISIONS, ActionRequest, request_for, where
from agtmux.top.marks import in_detail
from agtmux.top.model import age
from agtmux.top.text import cut, wrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from agtmux.top.action_requests import Outcome
    from agtmux.top.keys import Keymap
    from agtmux.top.lines import Spans
    from agtmux.top.model import Row

READ = 0.3
"""Seconds that a card must have been there before a stroke counts. Nobody reads it faster."""
HELD = 0.15
"""Seconds without another stroke after which a stroke counts. A key that is held down repeats faster."""
NOTES = 2
"""Lines that are keymap free for what happened, so that nothing moves when it happens."""
SIGNALS = {"2": "TERM", "3": "KILL"}
VERBS = ("approve", "deny", "answer", "interrupt", "kill")


class Card:
    """One card for one row. ``state``: ``open``, ``sent``, ``done`` or ``stale``. ``note``: what to say below it.

    A card in state ``done`` or ``stale`` does nothing any more.
    """

    def __init__(self, verb: str, row: Row, now: float, *, number: int = 1, of: int = 1) -> None:
        self.verb, self.row, self.number, self.of = verb, row, number, of
        self.state, self.note = "open", ""
        self._shown_at, self._stroke_at = now, float("-inf")
        self._pending: str | None = None
        self._requests: dict[str, ActionRequest] = {}
        self._unsure = False
        why = self._unfit(row)
        if why:
            self.state, self.note = "stale", why

    @property
    def readable(self) -> bool:
        """Whether the prompt is known as it stands on the screen. Without that, no stroke counts."""
        return self.verb not in DECISIONS or (self.row.request is not None and bool(self.row.request.fingerprint))

    @property
    def waits(self) -> bool:
        """Whether a stroke waits for ``due``."""
        return self._pending is not None

    def is_new(self, now: float) -> bool:
        """Whether it has not been there for long enough to be read."""
        return now - self._shown_at < READ

    def look(self, row: Row | None, now: float) -> bool:
        """Take in the row as it is now. True if the card changed."""
        if self.state != "open" or row == self.row:
            return False
        if row is not None and not self.readable and row.runtime_id == self.row.runtime_id and not self._unfit(row):
            self.row, self._shown_at, self._pending = row, now, None
            return True
        why = self._changed(row)
        if not why:
            return False
        end = "the request may have been done" if self._unsure else "nothing was done"
        self.state, self.note, self._pending = "stale", f"{why}: {end}", None
        return True

    def stroke(self, name: str, now: float) -> None:
        """Take a stroke: an id of a key, ``enter`` or a digit. It counts once ``due`` gives its request."""
        quiet_for, self._stroke_at = now - self._stroke_at, now
        held, self._pending = quiet_for < HELD, None
        if self.state != "open" or name not in self.strokes():
            return
        if not self.readable:
            self.note = "the request is not on the agent's screen yet: wait for it"
        elif self.is_new(now):
            self.note = "too soon: read it, then press the key again"
        elif held:
            self.note = "the key is held down: let it go, then press it once"
        else:
            self.note, self._pending = "", name

    def due(self, now: float) -> ActionRequest | None:
        """Return what to send, once. None while a stroke may still turn out to be a held key."""
        if self._pending is None or now - self._stroke_at < HELD:
            return None
        name, self._pending = self._pending, None
        return self._send(name)

    def submit(self, text: str) -> ActionRequest | None:
        """Return the answer to send: a number names an option, everything else is text. None if it cannot be sent."""
        text = text.strip()
        if self.state != "open" or not text:
            return None
        if not self.readable:
            self.note = "the request is not on the agent's screen yet: wait for it"
            return None
        options = self.row.request.options if self.row.request else ()
        if text.isdecimal() and options:
            if not 1 <= int(text) <= len(options):
                self.note = f"there is no option {text}"
                return None
            return self._send(str(int(text)))
        return self._send(f"text {text}")

    def finish(self, outcome: Outcome) -> None:
        """Take in what became of the request. If nobody knows, it may be sent again under the same name."""
        self.state = "open" if outcome.again else "done" if outcome.done else "stale"
        self.note, self._unsure = outcome.text, outcome.again
        if outcome.again:
            self.note += ". The key again sends the same request, which is never done twice"

    def strokes(self) -> frozenset[str]:
        """Return the strokes that mean something here."""
        options = len(self.row.request.options) if self.row.request else 0
        digits = {str(n) for n in range(1, min(options, 9) + 1)}
        if self.verb in ("approve", "deny"):
            return frozenset({"approve", "deny", "enter"} | digits)
        if self.verb == "kill":
            return frozenset({"kill", "enter", "1", *SIGNALS})
        return frozenset() if self.verb == "answer" else frozenset({self.verb, "enter"})

    def _send(self, name: str) -> ActionRequest:
        name = self.verb if name == "enter" else name
        if name not in self._requests:
            self._requests[name] = self._request(name)
        self.state, self.note = "sent", "sent, waiting for the result"
        return self._requests[name]

    def _request(self, name: str) -> ActionRequest:
        if self.verb == "kill":
            if name in SIGNALS:
                return request_for("kill", self.row, mode="signal", signal=SIGNALS[name])
            return request_for("kill", self.row, mode="key", signal="INT")
        if name.startswith("text "):
            return request_for("answer", self.row, text=name[5:])
        return request_for("answer", self.row, option=int(name)) if name.isdecimal() else request_for(name, self.row)

    def _unfit(self, row: Row) -> str:
        """Return why there is nothing to do on this row. "" if there is."""
        wanted = {"approve": ("waiting_approval",), "deny": ("waiting_approval",),
                  "answer": ("waiting_input", "waiting_approval"),
                  "interrupt": ("running", "waiting_approval", "waiting_input")}.get(self.verb)  # fmt: skip
        if wanted is None or row.state in wanted:
            return ""
        return f"there is nothing to {self.verb}: {where(row)} is {row.state}"

    def _changed(self, row: Row | None) -> str:
        """Return what makes the card worthless. "" if it still stands."""
        if row is None or row.runtime_id != self.row.runtime_id:
            return "the agent has ended"
        if self.verb in DECISIONS:
            before, after = self.row.request, row.request
            same = before is not None and after is not None and before.fingerprint == after.fingerprint
            if not same or row.state_version != self.row.state_version:
                return "the prompt changed"
        elif self.verb == "interrupt" and row.state != self.row.state:
            return f"the agent is {row.state} now"
        return ""


def card_lines(card: Card, keymap: Keymap, now: float, room: int, most: int, *, is_new: bool = False) -> list[Spans]:
    """Return the lines of a card, at most ``most`` of ``room`` cells. ``is_new``: no stroke counts yet."""
    row = card.row
    head: list[Spans] = [((f"{card.verb.capitalize()}?" if card.state == "open" else card.verb.capitalize(), "head"),
                          (f"  {card.number} of {card.of}" if card.of > 1 else "", "dim"))]  # fmt: skip
    since = age(row.waits_since, now)
    head.append(((cut(f"{where(row)}{f', for {since}' if since else ''}", room), "agent"),))
    head += in_detail(row.marks, room)
    folder = f"{row.project} " if row.project else ""
    head.append(((cut(f"{folder}{row.cwd}", room), "dim"),) if row.cwd else ())
    notes = wrap(card.note, room, NOTES)
    foot: list[Spans] = [(), *(((line, _note_style(card)),) for line in notes)]
    foot += [()] * (NOTES - len(notes)) + [_strokes(card, keymap, is_new)]
    body: list[Spans] = [()]
    left = max(1, most - len(head) - len(foot) - 1)
    if card.verb == "kill":
        body += _kill_lines(row)
    elif row.request is not None:
        body += lines.request_lines(row.request, room, left)
    elif card.verb == "interrupt":
        body.append(((cut(row.what, room), "what"),))
    return (head + body)[: max(0, most - len(foot))] + foot


def _note_style(card: Card) -> str:
    return {"stale": "warn", "done": "ok"}.get(card.state, "note")


def _kill_lines(row: Row) -> list[Spans]:
    process = f"process {row.pid} ({row.agent})" if row.pid is not None else "its process (not known)"
    return [
        ((" 1 ", "key"), (f"press C-c in {row.pane_id}: ends the turn of {row.agent}", "")),
        ((" 2 ", "key"), (f"send SIGTERM to {process}", "")),
        ((" 3 ", "key"), (f"send SIGKILL to {process}", "")),
    ]


def _strokes(card: Card, keymap: Keymap, is_new: bool) -> Spans:
    """Return the line that says which keys do what now."""
    if card.state == "sent":
        return (("…", "dim"),)
    close = (("Esc ", "key"), ("close" if card.number == card.of else "next", "dim"))
    if card.state != "open":
        return close
    if is_new:
        return (("read it first  ", "dim"), *close)
    if card.verb == "answer":
        return (("⏎ ", "key"), ("send  ", "dim"), *close)
    spans: list[tuple[str, str]] = []
    for name in ("approve", "deny") if card.verb in ("approve", "deny") else (card.verb,):
        enter = " ⏎" if name == card.verb else ""
        word = "press C-c" if name == "kill" else name
        spans += [(f"{keys.signs(keymap, name)}{enter} ", "key"), (f"{word}  ", "dim")]
    digits = sorted(stroke for stroke in card.strokes() if stroke.isdecimal())
    if digits:
        spans += [(digits[0] if len(digits) == 1 else f"{digits[0]}-{digits[-1]} ", "key")]
        spans += [("choose  ", "dim")]
    return (*spans, *close)
