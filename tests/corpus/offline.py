"""Scores what screen rules alone make of a recording, against its labels. No hook, no status file, no clock.

Owns the figures. What the daemon makes of all sources together is scored elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from agtmuxd.core.model import MS, Claim, Sample, Source, Write
from agtmuxd.core.state import debounce
from tests.corpus.recording import Recording

Look = Callable[[Sample, Claim | None], Write | None]

ENDED = (Claim.COMPLETED.value, Claim.IDLE.value, Claim.ERROR.value)


@dataclass
class Score:
    """Milliseconds outside dont_care, by (true state, shown state), and the waiting intervals never shown."""

    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    agreed: Counter[tuple[str, str]] = field(default_factory=Counter)  # of ``pairs``, those that are right
    right: int = 0
    wrong: int = 0
    withheld: int = 0
    hinted: int = 0
    waits: int = 0
    missed: list[str] = field(default_factory=list)
    wrongs: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)

    def add(self, other: Score) -> None:
        """Take the figures of another recording in."""
        self.pairs.update(other.pairs)
        self.agreed.update(other.agreed)
        for name in ("right", "wrong", "withheld", "hinted", "waits"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("missed", "wrongs", "kinds"):
            getattr(self, name).extend(getattr(other, name))

    @property
    def total(self) -> int:
        return self.right + self.wrong + self.withheld

    def recall(self, state: str) -> float:
        """Of the time truly in ``state``, the share in which a right one was shown; 1 where there is none."""
        whole = sum(ms for (truth, _), ms in self.pairs.items() if truth == state)
        return sum(ms for (truth, _), ms in self.agreed.items() if truth == state) / whole if whole else 1.0

    def precision(self, state: str) -> float:
        """Of the time shown as ``state``, the share in which that was right; 1 where it was never shown."""
        whole = sum(ms for (_, shown), ms in self.pairs.items() if shown == state)
        return sum(ms for (_, shown), ms in self.agreed.items() if shown == state) / whole if whole else 1.0


_GONE = ("exit", "kill9", "kill_pane")


def _spans(recording: Recording, begins: tuple[str, ...], ends: tuple[str, ...]) -> list[tuple[int, int]]:
    """(from, to) between processes' events of these kinds; the last may be open."""
    spans: list[tuple[int, int]] = []
    since: int | None = None
    for line in recording.lines:
        if line["kind"] != "proc":
            continue
        if line["event"] in begins:
            since = line["t_ms"]
        elif line["event"] in ends and since is not None:
            spans.append((since, line["t_ms"]))
            since = None
    if since is not None:
        spans.append((since, recording.header["duration_ms"] + 1))
    return spans


def alive(recording: Recording) -> list[tuple[int, int]]:
    """When the agent's process was there and not stopped."""
    return _spans(recording, ("start", "cont"), (*_GONE, "stop"))


def lives(recording: Recording) -> list[tuple[int, int]]:
    """When the agent's process was there, stopped or not."""
    return _spans(recording, ("start",), _GONE)


def stops(recording: Recording) -> list[tuple[int, int]]:
    """When it was stopped."""
    return _spans(recording, ("stop",), (*_GONE, "cont"))


STEP = 250 * MS
"""How often a screen is sampled that does not change."""


def shown(recording: Recording, look: Look) -> list[tuple[int, int, str, Write | None]]:
    """(from, to, state, write) while the agent lived. ``not_running`` leaves an ended turn as it was.

    What the state engine believes counts as of its first sight: how long it waits is not scored here.
    """
    spans = alive(recording)
    out: list[tuple[int, int, str, Write | None]] = []
    steady, state = debounce.DebounceState(), "unknown"
    samples = list(recording.samples())
    for i, (t, sample) in enumerate(samples):
        until = samples[i + 1][0] if i + 1 < len(samples) else recording.header["duration_ms"]
        for a, b in spans:
            start, end = max(t, a), min(until, b)
            while start < end:
                before = steady.current.claim if steady.current else None
                result = debounce.sample(steady, Source.POLLER, look(sample, before), start * MS)
                steady = result.steady
                write = steady.current
                if write is None or write.claim is None:
                    state, write = "unknown", None
                elif write.claim is Claim.NOT_RUNNING:
                    state = state if state in ENDED else "idle"
                else:
                    state = write.claim.value
                if result.again_at is not None:
                    later = max(start + 1, result.again_at // MS)
                else:
                    later = end if result.refreshed else start + STEP // MS
                if result.changed is not None:  # it counts as of its first sight
                    for k in range(len(out) - 1, -1, -1):
                        if out[k][0] < result.since // MS:
                            break
                        out[k] = (out[k][0], out[k][1], state, out[k][3])
                out.append((start, min(end, later), state, write))
                start = later
    return out


def score(recording: Recording, look: Look) -> Score:
    """Compare one recording's screens with its labels."""
    result = Score()
    seen = shown(recording, look)
    for start, end, state, write in seen:
        for label in recording.labels:
            a, b = max(start, label.start), min(end, label.end)
            if a >= b or label.state == "no_agent" or label.hidden:
                continue
            span = (b - a) - sum(max(0, min(b, d) - max(a, c)) for c, d in recording.dont_care)
            if span <= 0:
                continue
            result.pairs[label.state, state] += span
            if state in label.accepted:
                result.agreed[label.state, state] += span
                result.right += span
            elif state == "unknown":
                result.withheld += span
            elif write is not None and write.strength.value == "hint":
                result.hinted += span
                result.withheld += span
            else:
                result.wrong += span
                rule = write.rule if write else None
                result.wrongs.append(f"{recording.name} {a}-{b}: {label.state} shown as {state} by {rule}")
            if write and write.waiting_for and label.waiting_kind and write.waiting_for.kind != label.waiting_kind:
                result.kinds.append(f"{recording.name} {a}: {label.waiting_kind} shown as {write.waiting_for.kind}")
    for label in recording.labels:
        if label.hidden or label.waiting_kind is None or any(not s.startswith("waiting") for s in label.accepted):
            continue
        if not any(recording.label_at(t) is label for t in range(label.start, label.end, 50)):
            continue
        result.waits += 1
        if not any(s in label.accepted and a < label.end and b > label.start for a, b, s, _ in seen):
            result.missed.append(f"{recording.name} {label.start}: {label.state}")
    return result


def table(scores: dict[str, Score]) -> str:
    """A table of the figures, one row per agent."""
    rows = [f"{'agent':8} {'seconds':>8} {'right %':>8} {'wrong %':>8} {'withheld %':>10} {'waits':>6} {'missed':>6}"]
    for name, s in scores.items():
        total = s.total or 1
        rows.append(
            f"{name:8} {total / 1000:8.1f} {100 * s.right / total:8.2f} {100 * s.wrong / total:8.2f} "
            f"{100 * s.withheld / total:10.2f} {s.waits:6} {len(s.missed):6}"
        )
    return "\n".join(rows)
