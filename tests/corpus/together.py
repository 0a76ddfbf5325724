"""Replays a recording through the adapters and the state engine as the daemon does, without daemon, tmux or clock.

Screen and status file are sampled every 250 ms, at once after an event, and when a claim asked to be looked at again;
hooks and lines of transcripts arrive when they were recorded. Owns the replay only: what the
states mean is ``core``, what the signals mean the adapters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from agtmuxd.adapters.contract import Adapter, Ending
from agtmuxd.core.model import MS, Claim, Proc, RawEvent, Signal, Source, State, Write
from agtmuxd.core.state.debounce import DebounceResult, DebounceState
from agtmuxd.core.state.debounce import sample as settle
from agtmuxd.core.state.ordering import Stamp
from agtmuxd.core.state.registers import Marks, Register, put, raise_marks, refresh, to_entry
from agtmuxd.core.state.resolve import RuntimeFacts, recheck_at, resolve
from tests.corpus import events, offline
from tests.corpus.lines import Follower
from tests.corpus.recording import Recording

STEP = 250
HEADLESS = Write(claim=Claim.RUNNING, rule="headless run", accepts_input=False)
"""What the observer says of a run without a terminal interface, whatever its pane shows."""
PROC = Proc(events.PID, 1, events.PID, events.PID, 1, "S", events.PROC_START, "agent", ("agent",))


@dataclass
class Runtime:
    """One runtime's registers, and what the observer and the door in do to them."""

    registers: dict[tuple[Source, str], Register] = field(default_factory=dict)
    marks: Marks = field(default_factory=dict)
    steady: dict[Source, DebounceState] = field(default_factory=dict)
    prior: dict[str, Any] = field(default_factory=dict)

    def write(self, source: Source, writes: tuple[Write, ...], since: int, at: int, name: str) -> None:
        """Fold what one event said."""
        for write in writes:
            entry = to_entry(write, since, Stamp(since, at, name), None)
            self.marks = raise_marks(self.marks, source, entry, since) or self.marks
            new = put(self.registers.get((source, write.subject)), source, write.subject, entry)
            if new is not None:
                self.registers[source, write.subject] = new

    def level(self, source: Source, write: Write | None, at: int) -> int:
        """Fold one sample of a level; when it wants to be looked at again, 0 for no hurry."""
        result: DebounceResult = settle(self.steady.get(source, DebounceState()), source, write, at)
        self.steady[source] = result.steady
        if result.changed is not None:
            self.write(source, (result.changed,), result.since, at, f"{source}{at}")
        current = self.registers.get((source, "turn"))
        if current is not None and (result.refreshed or result.changed):
            seen = refresh(current, at)
            self.registers[source, "turn"] = seen
            self.marks = raise_marks(self.marks, source, seen.entry, at) or self.marks
        return result.again_at or 0

    def take(self, raw: RawEvent, signal: Signal) -> None:
        """Fold what a line of the transcript said."""
        if signal.session_id:
            self.prior["agent_session_id"] = signal.session_id
        self.write(raw.source, signal.writes, raw.event_time, raw.ingested_at, raw.event_id)

    def turn(self) -> int | None:
        """When the screen began to show the turn that it shows."""
        steady = self.steady.get(Source.POLLER, DebounceState())
        return steady.current_since if steady.current is not None and steady.current.claim is Claim.RUNNING else None

    def before(self) -> Claim | None:
        result = self.steady.get(Source.POLLER, DebounceState()).current
        return result.claim if result else None


def states(
    recording: Recording,
    adapter: Adapter,
    *,
    hooks: bool = True,
    status: bool = True,
    screen: bool = True,
    transcript: bool = True,
) -> list[tuple[int, str]]:
    """(t_ms, state shown) at every step from the recording's start; ``no_agent`` while no agent lives."""
    spans, stops = offline.lives(recording), offline.stops(recording)
    samples = list(recording.samples())
    lines = [x for x in recording.lines if x["kind"] in ("hook", "notify", "status_file", "transcript", "held")]
    follower = Follower(recording, adapter, PROC)
    out: list[tuple[int, str]] = []
    runtime: Runtime | None = None
    file: Any = None
    next_line = next_sample = 0
    sample = samples[0][1]
    crashed: str | None = None
    again: list[int] = []
    read_at = 0
    for t in range(0, recording.header["duration_ms"], STEP // 5):
        now = events.START + t * MS
        living = next(((a, b) for a, b in spans if a <= t < b), None)
        while next_sample < len(samples) and samples[next_sample][0] <= t:
            sample = samples[next_sample][1]
            next_sample += 1
        if living is not None and runtime is None:
            runtime, crashed = Runtime(prior={"headless": recording.headless}), None
        while next_line < len(lines) and lines[next_line]["t_ms"] <= t:
            line = lines[next_line]
            next_line += 1
            if line["kind"] == "status_file":
                file = events.fill(line.get("data"))
            elif line["kind"] == "transcript":
                follower.line(line)
            elif line["kind"] == "held":
                follower.holds(line["sessions"])
            elif hooks and runtime is not None and _bound(recording, line, runtime):
                follower.named(_event(recording, adapter, line, runtime))
                again += [now, recheck_at(runtime.registers, now) or now]
        if living is None and runtime is not None:
            crashed = _ended(recording, adapter, runtime, t, out[-1][1] if out else "unknown")
            runtime = None
        if runtime is None:
            out.append((t, crashed or "no_agent"))
            continue
        if transcript and not recording.headless:
            since = events.START + (living[0] if living else 0) * MS
            for raw in follower.told(file if status else None, runtime.turn(), since, now):
                runtime.take(raw, adapter.normalise(raw, runtime.prior))
                again += [now, recheck_at(runtime.registers, now) or now]
        stopped = any(a <= t < b for a, b in stops)
        if t % STEP == 0 or any(at <= now for at in again):
            again, read_at = [at for at in again if at > now], now
            if stopped:
                again += [
                    runtime.level(s, steady.current, now) for s, steady in runtime.steady.items() if steady.current
                ]
            elif recording.headless:
                runtime.level(Source.POLLER, HEADLESS, now)
            elif screen:
                again.append(runtime.level(Source.POLLER, adapter.look(sample, runtime.before()), now))
            if status and not stopped and isinstance(file, dict):
                result = adapter.read_status(file, PROC)
                turn = next((w for w in result if w.subject == "turn"), None)
                again.append(runtime.level(Source.STATUS, turn, now))
            again.append(recheck_at(runtime.registers, now) or 0)
            again = [at for at in again if at]
        life = RuntimeFacts(
            started_at=events.START + (living[0] if living else 0) * MS, pane_read_at=read_at, suspended=stopped
        )
        out.append((t, resolve(runtime.registers, runtime.marks, life, now).state.value))
    return out


def _bound(recording: Recording, line: dict[str, Any], runtime: Runtime) -> bool:
    """Codex's daemon speaks for all panes: its events count only for a session that is known."""
    if line.get("via") != "daemon":
        return True
    return bool(line["payload"].get("session_id") == runtime.prior.get("agent_session_id"))


def _event(recording: Recording, adapter: Adapter, line: dict[str, Any], runtime: Runtime) -> str | None:
    """Take one event in; the transcript that it named."""
    raw = events.event(recording, line)
    signal = adapter.normalise(raw, runtime.prior)
    if line["kind"] == "hook" and signal.session_id:
        runtime.prior["agent_session_id"] = signal.session_id
    runtime.prior["ended"] = signal.session_ended or runtime.prior.get("ended", False)
    if not recording.headless:  # as ``ingest.fold`` has it: such a run is one turn, its process tells of it
        runtime.write(raw.source, signal.writes, raw.event_time, raw.ingested_at, raw.event_id)
    return signal.transcript_path


def _ended(recording: Recording, adapter: Adapter, runtime: Runtime, t: int, last: str) -> str | None:
    """What is shown of an agent that is no more: an error where it vanished in the middle of something."""
    if any(x["kind"] == "proc" and x["event"] == "kill_pane" and x["t_ms"] <= t for x in recording.lines):
        return None  # the pane went with it: nothing is left to be listed
    if last not in (State.RUNNING.value, State.WAITING_APPROVAL.value, State.WAITING_INPUT.value):
        return None
    before = recording.sample_at(max(0, t - 400))
    ending = Ending(recording.sample_at(t + 1500), before.title, bool(runtime.prior.get("ended")), None, None)
    return None if adapter.ended_in_order(ending) is True or recording.headless else State.ERROR.value


def score(recording: Recording, shown: list[tuple[int, str]]) -> offline.Score:
    """Compare with the labels, as ``offline.score`` does, with the end of the agent in it."""
    result = offline.Score()
    step = STEP // 5
    for t, state in shown:
        label = recording.label_at(t)
        if label is None or (label.state == "no_agent" and state == "no_agent"):
            continue
        result.pairs[label.state, state] += step
        if state in label.accepted:
            result.agreed[label.state, state] += step
            result.right += step
        elif state == "unknown":
            result.withheld += step
        else:
            result.wrong += step
            result.wrongs.append(f"{recording.name} {t}: {label.state} shown as {state}")
    for label in recording.labels:
        if label.waiting_kind is None or any(not s.startswith("waiting") for s in label.accepted):
            continue
        inside = [t for t, _ in shown if label.start <= t < label.end and recording.label_at(t) is label]
        if len(inside) * step < 300:
            continue
        result.waits += 1
        if not any(s in label.accepted for t, s in shown if label.start - 300 <= t < label.end):
            result.missed.append(f"{recording.name} {label.start}: {label.state}")
    return result
