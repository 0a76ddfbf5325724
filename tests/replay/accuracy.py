"""Accuracy both ways, with our hooks and without any, written to docs/accuracy.md.

    python -m tests.replay.accuracy [--jobs 5] [--figures WITH.json WITHOUT.json] [--write docs/accuracy.md]

Owns the document's wording; the figures are those of ``tests.replay.run``. ``--figures`` writes it from saved ones.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.agents.world import REPO
from tests.replay import offline, run
from tests.replay.player import load

DOCUMENT = REPO / "docs/accuracy.md"
FLOORS = {
    "with": {"wrong": 0.005, "running": 0.98, "waiting_approval": 0.98, "waiting_input": 0.98, "error": 0.98,
             "completed": 0.95, "idle": 0.95},
    "without": {"wrong": 0.01, "waiting_approval": 0.97, "waiting_input": 0.97},
}  # fmt: skip
"""What is aimed at: the most of the time that may be wrong; the least precision and recall, without hooks recall."""
STATES = ("running", "waiting_approval", "waiting_input", "error", "completed", "idle")
Figures = dict[str, dict[str, Any]]


def versions() -> dict[str, str]:
    """The versions that were recorded, by agent."""
    found: dict[str, set[str]] = {}
    for path in run.recordings([]):
        head = load(path)[0]
        found.setdefault(str(head["agent"]), set()).add(str(head["version"]))
    return {agent: ", ".join(sorted(one_answer)) for agent, one_answer in sorted(found.items())}


def percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "-"


def share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def summary(with_: Figures, without: Figures) -> list[str]:
    """One row per agent: what matters most, both ways."""
    out = [
        "| agent | recordings | scored | waits | missed | wrong | right | without hooks: missed | wrong | right |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in sorted(with_, key=lambda n: (n == "all", n)):
        a, b = with_[name], without[name]
        out.append(
            f"| {name} | {a['replays']} | {a['scored_s']:.0f} s | {a['waits']} | {len(a['missed'])} | "
            f"{percent(a['wrong_s'], a['scored_s'])} | {100 * (a['accuracy'] or 0):.2f} % | {len(b['missed'])} | "
            f"{percent(b['wrong_s'], b['scored_s'])} | {100 * (b['accuracy'] or 0):.2f} % |"
        )
    return out


def missed(figures: Figures) -> list[str]:
    """The waits that were never shown."""
    return [f"- missed: {text}" for text in figures["all"]["missed"]]


def per_state(figures: Figures) -> list[str]:
    """One row per agent and state."""
    out = [
        "| agent | state | truth | precision | recall | withheld (`unknown`) | agent not found yet |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in sorted(figures, key=lambda n: (n == "all", n)):
        for state in STATES:
            row = figures[name]["states"].get(state)
            if row is not None and row["truth_s"]:
                shares = f"{share(row['precision'])} | {share(row['recall'])}"
                away = f"{row['withheld_s']:.2f} s | {row['unseen_s']:.2f} s"
                out.append(f"| {name} | {state} | {row['truth_s']:.1f} s | {shares} | {away} |")
    return out


def floors(figures: Figures, way: str) -> list[str]:
    """What is aimed at, and whether it is met over all agents."""
    every, floor = figures["all"], FLOORS[way]
    wrong = every["wrong_s"] / every["scored_s"]
    missed = len(every["missed"])
    out = [
        "| aim | figure | |",
        "|---|---|---|",
        f"| no waiting state missed | {missed} of {every['waits']} | {_met(missed == 0)} |",
        f"| wrong time ≤ {100 * floor['wrong']:.1f} % | {100 * wrong:.2f} % | {_met(wrong <= floor['wrong'])} |",
    ]
    for state in STATES:
        if state not in floor:
            continue
        row = every["states"][state]
        recall, precision = row["recall"] or 0.0, row["precision"] or 0.0
        if way == "with":
            met = recall >= floor[state] and precision >= floor[state]
            out.append(
                f"| {state}: precision and recall ≥ {floor[state]} | {precision:.4f}, {recall:.4f} | {_met(met)} |"
            )
        else:
            out.append(f"| {state}: recall ≥ {floor[state]} | {recall:.4f} | {_met(recall >= floor[state])} |")
    return out


def _met(met: bool) -> str:
    return "met" if met else "**not met**"


def wrongs(figures: Figures) -> list[str]:
    """Where the wrong time is, largest first."""
    return [f"- {pair}: {seconds:.2f} s" for pair, seconds in list(figures["all"]["wrong"].items())[:8]]


def delays(figures: Figures) -> list[str]:
    """How long a change takes to be shown, by who told it and by what it became."""
    out = ["| | changes | median | 95 % |", "|---|---|---|---|"]
    for key, row in figures["all"]["delay_ms"].items():
        if key != "source -":
            out.append(f"| {key} | {row['n']} | {row['median']:.0f} ms | {row['p95']:.0f} ms |")
    return out


TEMPLATE = """# Accuracy

How often agtmux is right, measured. `make accuracy` measures it again and writes this file: do not edit it by hand.

Taken on {taken}, {tmux}, {cpus} processors. Recorded agents: {versions}.

Every recording of `tests/corpus` (real agents, driven against pretend model servers; `FORMAT.md` there) is played
into a pane of a private tmux server: screen, title, processes, status and session files, and, with hooks, the commands
that `agtmux hooks install` put into that agent's settings. A real daemon watches, and what `agtmux watch` streamed is
compared with the labels, which were made from what the agents themselves knew, never by a screen rule.

- Scored is the time outside the moments of change (from the cause to 400 ms after it) and of start-up.
- precision: of the time shown as a state, the share that was right. recall: of the time truly in it, the share
  shown so.
- wrong: a definitive state that was not the true one. Withheld: `unknown`, which is honest, and costs recall.
- The recordings are short: states last seconds, so that 100 ms of delay at each change are a percent of them. Where
  states last minutes the share is far smaller.
- They are played at their own pace, several at once, on a machine that did other things too: a late look counts as
  wrong.
- The rules were made with these recordings in sight. How much of it carries over to scenes that nobody had recorded
  stands in [detection.md](explanation/detection.md): less, above all where a setting takes signs away.

## Both ways

{summary}

`cursor` is not in it: it was never run, and all it says are hints. `generic` knows start and end only.

## With hooks

{floors_with}

{states_with}

Where it was wrong, in seconds over all:

{wrongs_with}

From the true change to the line in `agtmux watch` (the truth itself is timed by sources that lag up to 200 ms):

{delays_with}

## Without any hooks

Screen, title, Claude's own status file, session files and processes. An agent that starts where no other one is, is
noticed within 0.5 s on this machine and found by the round that follows: its first hook would have told at once. That
is the time of the last column, and counts as a wait missed where somebody is asked and answers within it.

{floors_without}

{states_without}

{missed_without}Where it was wrong, in seconds over all:

{wrongs_without}

{delays_without}

## What holds it

`tests/integration/adapters/test_corpus_together.py` plays the same recordings through adapters and state engine,
without a daemon, and fails below its floors, both ways, in seconds; `test_corpus_screens.py` does so for the screens
alone.

Claude Code's, Codex's and Gemini's session files and Copilot's event log are played too, line by line as they were
recorded (OpenCode's database is not read). What they add, as wrong time offline, where nothing comes late; in the
columns named "hooks" and "neither" the screen, the title and Claude's status file are read as always:

{session_files}

Codex's hooks, which its shared server sends, can be told apart by them.
"""


def document(with_: Figures, without: Figures, taken: str) -> str:
    """The whole document."""
    tmux = subprocess.run(["tmux", "-V"], capture_output=True, text=True, check=False).stdout.strip() or "tmux"

    def lines(rows: list[str]) -> str:
        return "\n".join(rows)

    return TEMPLATE.format(
        taken=taken, tmux=tmux, cpus=os.cpu_count(),
        versions="; ".join(f"{agent} {one_answer}" for agent, one_answer in versions().items()),
        summary=lines(summary(with_, without)),
        floors_with=lines(floors(with_, "with")), floors_without=lines(floors(without, "without")),
        states_with=lines(per_state(with_)), states_without=lines(per_state(without)),
        wrongs_with=lines(wrongs(with_)), wrongs_without=lines(wrongs(without)),
        missed_without="".join(f"{line}\n\n" for line in missed(without)),
        delays_with=lines(delays(with_)), delays_without=lines(delays(without)),
        session_files=lines(offline.rows(offline.measure())),
    )  # fmt: skip


def main(argv: list[str]) -> int:
    """Measures both ways unless figures are given, and writes the document; 1 where an aim is not met."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--jobs", type=int, default=5)
    ap.add_argument("--figures", type=Path, nargs=2, metavar=("WITH", "WITHOUT"))
    ap.add_argument("--write", type=Path, default=DOCUMENT)
    options = ap.parse_args(argv)
    if options.figures:
        with_, without = (json.loads(path.read_text(encoding="utf-8")) for path in options.figures)
        taken = time.strftime("%Y-%m-%d", time.gmtime(options.figures[0].stat().st_mtime))
    else:
        paths = run.recordings([])
        with_, without = (run.measure(paths, hooks=hooks, jobs=options.jobs) for hooks in (True, False))
        taken = time.strftime("%Y-%m-%d", time.gmtime())
    result = document(with_, without, taken)
    options.write.write_text(result, encoding="utf-8")
    print("\n".join(summary(with_, without)))
    return 1 if _met(False) in result else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
