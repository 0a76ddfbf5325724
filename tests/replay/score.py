"""Compares what a watcher said of a replayed agent with the labels of its recording. Pure: rows in, figures out.

Only time outside the labels' dont_care counts. precision(s): share of the time shown as s in which s was right;
recall(s): share of the time truly s in which a right state was shown. ``withheld``: unknown was shown, which is not
wrong but costs recall. ``unseen``: no agent was listed while there was one. A right observation within dont_care before
the change has no delay. Times are seconds of the wall clock unless a name ends in ``ms``.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

STATES = ("running", "waiting_approval", "waiting_input", "error", "completed", "idle", "unknown", "no_agent")
WAITING = ("waiting_approval", "waiting_input")
DEMOTE_S, SLACK_S = 120.0, 5.0  # completed -> idle by the daemon's clock, accepted either way within the slack
MIN_WAIT_S = 0.3  # a waiting interval shorter than this outside dont_care is not counted as missed

Row = dict[str, Any]


class Clock:
    """Recording time (ms) -> wall clock (s), from the replay log. Raises ValueError on a log without a beginning."""

    def __init__(self, log: list[Row]) -> None:
        begin = next((line for line in log if line["kind"] == "begin"), None)
        if begin is None:
            raise ValueError("the replay log has no begin line")
        self.zero: float = begin["wall_time"]
        self.speed: float = begin.get("speed", 1.0)
        self._late = sorted((line["t_ms"], line["late_ms"] / 1000) for line in log if line.get("late_ms", 0) > 20)

    def __call__(self, ms: float) -> float:
        late = 0.0
        for at, by in self._late:
            if at > ms:
                break
            late = by if ms - at < 1000 else 0.0
        return self.zero + ms / 1000 / self.speed + late


@dataclass(frozen=True, slots=True)
class ShownState:
    """What the watcher showed from ``at`` on."""

    at: float
    state: str
    source: str = "-"
    waiting_kind: str | None = None
    background: bool = False


def _seen(at: float, item: Row | None) -> ShownState:
    if not item:
        return ShownState(at, "no_agent")
    state = item.get("state") or "unknown"
    if state not in STATES:
        raise ValueError(f"unknown state {state!r} in the observations")
    kind = item.get("waiting_kind") or (item.get("waiting_for") or {}).get("kind")
    background = bool(item.get("background") or item.get("background_tasks"))
    return ShownState(at, state, str(item.get("source") or "-"), kind, background)


def observations(rows: Iterable[Row], pane: str | None = None) -> list[ShownState]:
    """From the lines of ``agtmux watch --format jsonl`` (with a ``wall_time``), or {wall_time, state, ..} rows."""
    out: list[ShownState] = []

    def mine(thing: Row) -> bool:
        return pane is None or pane in (thing.get("identity", {}).get("pane_id"), thing.get("ref"))

    for row in rows:
        at = row.get("wall_time")
        if at is None:
            at = datetime.fromisoformat(row["emitted_at"]).timestamp()
        if row.get("type") == "snapshot":
            out.append(_seen(at, next((item for item in row.get("items", []) if mine(item)), None)))
        elif "type" not in row:
            out.append(_seen(at, row))
        changes = [change for change in row.get("changes", []) if mine(change)]
        out += [_seen(at, change["item"] if change["op"] == "upsert" else None) for change in changes]
    return sorted(out, key=lambda seen: seen.at)


class Seconds(defaultdict[str, float]):
    """Seconds by name; what is not there is 0."""

    def __init__(self) -> None:
        super().__init__(float)

    def __add__(self, other: Seconds) -> Seconds:
        out = Seconds()
        for name in [*self, *other]:
            out[name] = self.get(name, 0.0) + other.get(name, 0.0)
        return out

    def total(self) -> float:
        """All of them."""
        return sum(self.values())


@dataclass(slots=True)
class Result:
    """Figures of one replay, or the sum of several."""

    replays: int = 0
    truth: Seconds = field(default_factory=Seconds)
    correct: Seconds = field(default_factory=Seconds)
    seen: Seconds = field(default_factory=Seconds)
    seen_right: Seconds = field(default_factory=Seconds)
    wrong: Seconds = field(default_factory=Seconds)
    withheld: Seconds = field(default_factory=Seconds)
    unseen: Seconds = field(default_factory=Seconds)
    kind_wrong_s: float = 0.0
    background_s: float = 0.0
    background_right_s: float = 0.0
    excluded_s: float = 0.0
    waits: int = 0
    missed: list[str] = field(default_factory=list)
    false_waits: list[str] = field(default_factory=list)
    never_seen: list[str] = field(default_factory=list)
    stretches: list[tuple[float, str]] = field(default_factory=list)  # seconds of one wrong state, and where
    delays: list[tuple[str, str, float]] = field(default_factory=list)  # to, source, ms

    def add(self, other: Result) -> None:
        """Adds another result to this one."""
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def accuracy(self) -> float | None:
        """Share of the scored time in which a right state was shown."""
        total = self.truth.total()
        return self.correct.total() / total if total else None


@dataclass(frozen=True, slots=True)
class _Span:
    start: float
    end: float
    label: Row
    born: float  # when the present run of this state began
    ms: int

    def accepts(self, age: float) -> set[str]:
        ok = set(self.label.get("either") or [self.label["state"]])
        if self.label["state"] == "completed":
            if age > DEMOTE_S - SLACK_S:
                ok.add("idle")
            if age > DEMOTE_S + SLACK_S:
                ok.discard("completed")
        return ok


class Score:
    """One replay: ``labels`` as in the corpus, ``log`` of the player, ``seen`` of the watcher."""

    def __init__(self, labels: Row, log: list[Row], seen: list[ShownState]) -> None:
        self.clock = Clock(log)
        self.name = f"{labels['agent']}/{labels['scenario']}"
        self.seen = seen
        self.spans: list[_Span] = []
        for label in labels["intervals"]:
            start, end = self.clock(label["from"]), self.clock(label["to"])
            before = self.spans[-1] if self.spans else None
            born = before.born if before and before.label["state"] == label["state"] else start
            self.spans.append(_Span(start, end, label, born, label["from"]))
        self.dont_care = [(self.clock(d["from"]), self.clock(d["to"])) for d in labels["dont_care"]]
        self.result = Result(replays=1)
        self._wrong_until: dict[str, float] = {}  # what was shown wrongly, and up to when

    def run(self) -> Result:
        """All figures."""
        self._time()
        self._missed()
        self._false()
        self._delays()
        return self.result

    def _at(self, t: float) -> ShownState:
        found = ShownState(0.0, "no_agent")
        for seen in self.seen:
            if seen.at > t:
                break
            found = seen
        return found

    def _cuts(self) -> list[float]:
        """Every moment at which truth, dont_care, what is accepted, or what was shown changes."""
        start, end = self.spans[0].start, self.spans[-1].end
        cuts = {t for span in self.spans for t in (span.start, span.end)} | {t for pair in self.dont_care for t in pair}
        cuts |= {seen.at for seen in self.seen}
        for span in self.spans:
            if span.label["state"] == "completed":
                cuts |= {t for t in (span.born + DEMOTE_S - SLACK_S, span.born + DEMOTE_S + SLACK_S) if t < span.end}
        return sorted(t for t in cuts if start <= t <= end)

    def _time(self) -> None:
        cuts, r = self._cuts(), self.result
        for a, b in itertools.pairwise(cuts):
            middle, length = (a + b) / 2, b - a
            if any(p <= middle < q for p, q in self.dont_care):
                r.excluded_s += length
                continue
            span = next(s for s in self.spans if s.start <= middle < s.end)
            if wrong := self._count(span, self._at(middle), middle - span.born, length):
                before = self._wrong_until.pop(wrong, None)
                ms = round((a - self.clock.zero) * 1000 * self.clock.speed)
                where = f"{self.name} at {ms} ms: {wrong}"
                if before == a:
                    seconds, where = r.stretches.pop()
                    length += seconds
                r.stretches.append((length, where))
                self._wrong_until[wrong] = b

    def _count(self, span: _Span, seen: ShownState, age: float, length: float) -> str | None:
        """Adds one stretch to the figures; which wrong state it shows, if it does."""
        r, label, truth = self.result, span.label, span.label["state"]
        r.truth[truth] += length
        r.seen[seen.state] += length
        if label.get("background"):
            r.background_s += length
            r.background_right_s += length if seen.background else 0
        if seen.state in span.accepts(age):
            r.correct[truth] += length
            r.seen_right[seen.state] += length
            if label.get("waiting_kind") and seen.waiting_kind and seen.waiting_kind != label["waiting_kind"]:
                r.kind_wrong_s += length
        elif seen.state == "unknown":
            r.withheld[truth] += length
        elif seen.state == "no_agent":
            r.unseen[truth] += length
        else:
            old = " (older than 120 s)" if truth == seen.state == "completed" else ""
            r.wrong[f"{truth}{old} as {seen.state}"] += length
            return f"{truth} as {seen.state} ({seen.source})"
        return None

    def _missed(self) -> None:
        """Waiting states that were never shown."""
        for span in self.spans:
            ok = set(span.label.get("either") or [span.label["state"]])
            if span.label["state"] not in WAITING or not ok <= set(WAITING):
                continue
            hidden = sum(max(0.0, min(span.end, q) - max(span.start, p)) for p, q in self.dont_care)
            if span.end - span.start - hidden < MIN_WAIT_S:
                continue
            self.result.waits += 1
            shown = [s.state for s in self.seen if span.start - MIN_WAIT_S <= s.at <= span.end]
            shown.append(self._at(span.start).state)
            if not ok & set(shown):
                seen_as = ", ".join(sorted(set(shown)))
                self.result.missed.append(f"{self.name} at {span.ms} ms: {span.label['state']} seen as {seen_as}")

    def _false(self) -> None:
        """Waiting states that were shown without cause."""
        before, end = "no_agent", self.spans[-1].end
        for i, seen in enumerate(self.seen):
            if seen.state in WAITING and seen.state != before and self.spans[0].start <= seen.at < end:
                until = next((s.at for s in self.seen[i + 1 :] if s.state != seen.state), end)
                if not any(
                    seen.state in (span.label.get("either") or [span.label["state"]])
                    and span.start - 0.5 < until
                    and span.end + 0.5 > seen.at
                    for span in self.spans
                ):
                    ms = round((seen.at - self.clock.zero) * 1000 * self.clock.speed)
                    self.result.false_waits.append(f"{self.name} at {ms} ms: {seen.state}")
            before = seen.state

    def _delays(self) -> None:
        """From each change of the agent to the first right observation."""
        for before, span in itertools.pairwise(self.spans):
            if before.label["state"] == span.label["state"]:
                continue
            ok = span.accepts(0)
            cause = next((p for p, q in self.dont_care if p <= span.start + 1e-6 <= q + 1e-6), span.start)
            if self._at(cause - 1e-3).state in ok:
                continue  # nothing had to change
            hit = next((s for s in self.seen if cause <= s.at <= span.end and s.state in ok), None)
            if hit is not None:
                ms = round(max(0.0, hit.at - span.start) * 1000, 1)
                self.result.delays.append((span.label["state"], hit.source, ms))
            elif span.end - span.start >= 0.5:
                self.result.never_seen.append(f"{self.name} at {span.ms} ms: {span.label['state']}")


def percentile(values: list[float], p: int) -> float | None:
    """Nearest rank; None of nothing."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * p // 100) - 1)] if ordered else None


def summary(r: Result) -> Row:
    """The figures as one JSON object."""

    def share(part: float, whole: float) -> float | None:
        return round(part / whole, 4) if whole else None

    states = {
        s: {
            "truth_s": round(r.truth[s], 2),
            "seen_s": round(r.seen[s], 2),
            "precision": share(r.seen_right[s], r.seen[s]),
            "recall": share(r.correct[s], r.truth[s]),
            "withheld_s": round(r.withheld[s], 2),
            "unseen_s": round(r.unseen[s], 2),
        }
        for s in STATES
        if r.truth[s] or r.seen[s]
    }
    delays: dict[str, list[float]] = defaultdict(list)
    for to, source, ms in r.delays:
        for key in ("all", f"to {to}", f"source {source}"):
            delays[key].append(ms)
    figures = {
        key: {"n": len(v), "median": percentile(v, 50), "p95": percentile(v, 95), "max": max(v)}
        for key, v in sorted(delays.items())
    }
    return {
        "replays": r.replays,
        "scored_s": round(r.truth.total(), 1),
        "excluded_s": round(r.excluded_s, 1),
        "accuracy": None if r.accuracy is None else round(r.accuracy, 4),
        "states": states,
        "wrong_s": round(r.wrong.total(), 2),
        "wrong": {k: round(v, 2) for k, v in sorted(r.wrong.items(), key=lambda x: -x[1])},
        "withheld_s": round(r.withheld.total(), 2),
        "unseen_s": round(r.unseen.total(), 2),
        "waits": r.waits,
        "missed": r.missed,
        "false_waits": r.false_waits,
        "waiting_kind_wrong_s": round(r.kind_wrong_s, 2),
        "background_recall": share(r.background_right_s, r.background_s),
        "never_seen": r.never_seen,
        "delay_ms": figures,
    }


def longest(r: Result, count: int) -> list[str]:
    """The longest stretches in which a wrong state was shown, one a line."""
    return [f"{seconds:7.3f} s  {where}" for seconds, where in sorted(r.stretches, reverse=True)[:count]]


def text(s: Row, title: str) -> str:
    """The summary for a person."""

    def ratio(value: float | None) -> str:
        return "-" if value is None else f"{value:.4f}"

    out = [f"== {title}: {s['replays']} replays, {s['scored_s']} s scored, right {100 * (s['accuracy'] or 0):.2f} %"]
    out.append(
        f"{'state':<17}{'truth s':>9}{'seen s':>9}{'precision':>11}{'recall':>9}{'withheld s':>12}{'unseen s':>10}"
    )
    for name, row in s["states"].items():
        shares = f"{ratio(row['precision']):>11}{ratio(row['recall']):>9}"
        out.append(
            f"{name:<17}{row['truth_s']:>9}{row['seen_s']:>9}{shares}{row['withheld_s']:>12}{row['unseen_s']:>10}"
        )
    wrong = "; ".join(f"{k} {v}" for k, v in list(s["wrong"].items())[:8])
    out.append(f"wrong definitive states: {s['wrong_s']} s  {wrong}")
    for what in ("missed", "false_waits", "never_seen"):
        of = f" of {s['waits']}" if what == "missed" else ""
        out.append(f"{what}: {len(s[what])}{of}" + "".join(f"\n    {line}" for line in s[what][:12]))
    for key, d in s["delay_ms"].items():
        out.append(f"delay {key:<24} n {d['n']:4}  median {d['median']:7} ms  p95 {d['p95']:7} ms  max {d['max']:7} ms")
    return "\n".join(out)
