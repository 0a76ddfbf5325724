"""Write the retirement table as a document: the text of docs/retirement.md. Pure; decides nothing."""

from __future__ import annotations

from agtmuxd.core.model import MS, NS, PRECEDENCE, Claim, Phase
from agtmuxd.core.state import debounce, registers, resolve
from agtmuxd.core.state.registers import RETIREMENTS, Retirement

REDRAW = "python -c 'from agtmuxd.core.state.retirement_doc import draw; print(draw(), end=\"\")' > docs/retirement.md"

_AT = {
    "since": "began to say so",
    "redraw": f"began to say so, and {registers.REDRAW // MS} ms",
    "redrawn": f"began to say so, less {registers.UNDRAWN // MS} ms",
    "began": "began to say so, less the lag of its source",
    "stayed": f"began to say so, less the lag of its source, where it said so for {registers.BLIP // MS} ms",
    "holds": "was last read saying so, less the lag of its source",
    "overrun": f"was last read saying so, less its lag and {registers.OVERRUN // MS} ms",
    "undrawn": f"was last read saying so, less its lag and {registers.UNDRAWN // MS} ms",
}


def _claims(claims: frozenset[Claim]) -> str:
    return "anything" if claims == frozenset(Claim) else ", ".join(f"`{c}`" for c in Claim if c in claims)


def _by(row: Retirement) -> str:
    if row.by_level:
        return f"a screen or status that says {_claims(row.by_claims)}"
    phases = ", ".join(f"`{p}`" for p in Phase if p in row.by_phases)
    return f"an event of phase {phases}" + ("" if row.by_claims == frozenset(Claim) else f", {_claims(row.by_claims)}")


def _of(row: Retirement) -> str:
    whose = {True: "screen and status", False: "events", None: "any source"}[row.of_levels]
    subjects = "any subject" if row.subjects == ("*",) else ", ".join(f"`{s}`" for s in row.subjects)
    return f"{whose}; {subjects}"


def _seconds(ns: int) -> str:
    return f"{ns // NS} s" if ns % NS == 0 else f"{ns // MS} ms"


def draw() -> str:
    """Return the document, with a newline at its end."""
    lines = [
        "# What ends a claim",
        "",
        "Drawn from the tables in `src/agtmuxd/core`; a test holds this file to them. To draw it again:",
        "",
        f"    {REDRAW}",
        "",
        "A claim is retired by a mark that is younger than the last moment for which the claim is proven: the time of",
        "an event, or a lag before a screen or status was last read saying so "
        f"(screen {_seconds(registers.SCREEN_LAG)}, status {_seconds(registers.STATUS_LAG)}, "
        f"one that says `waiting_*` {_seconds(registers.UNDRAWN)}).",
        "A mark only ever grows, so nothing that is older comes back when the one who retired it goes silent. Hints",
        "retire nothing. A sub-agent's approval (`approval:<agent_id>`) ends by an event of its own, by the status or",
        "by the screen.",
        "",
        "| mark | rule | set by | at the moment it | retires | said by; about |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{r.mark}` | {r.summary} | {_by(r)} | {_AT[r.at]} | {_claims(r.retires)} | {_of(r)} |" for r in RETIREMENTS
    ]
    lines += [
        "",
        "## Which claim decides",
        "",
        "Among fresh definitive claims, else among fresh hints, the first of: "
        + ", ".join(f"`{s}`" for s in PRECEDENCE)
        + ". Only `not_running` left: `idle`. Nothing left: `unknown`, with a reason.",
        "A wait that a screen or status shows since after every failure goes before `error`, which is shown again",
        "after it; so does an `idle` (cleared, interrupted).",
        "",
        "| claim | stays fresh after its pane was last read |",
        "|---|---|",
    ]
    lines += [f"| `{c}` | {_seconds(resolve.PANE_FRESH + ttl)} |" for c, ttl in resolve.TTL.items()]
    lines += [
        f"| any hint | {_seconds(resolve.HINT_TTL)} |",
        "",
        "A screen or a status is fresh by its own last reading.",
        "",
        "| what | how long |",
        "|---|---|",
        f"| `completed` becomes `idle` after | {_seconds(resolve.DEMOTE_AFTER)} |",
        "| `completed`, or an end of no told kind, waits for a screen that showed the turn, at most "
        f"| {_seconds(resolve.HOLD_BACK)} |",
        f"| an agent without a word is `starting` for | {_seconds(resolve.STARTING)} |",
    ]
    lines += [f"| a change of the {source} counts after | {_seconds(ns)} |" for source, ns in debounce.SETTLE.items()]
    lines += [f"| that the screen matches no rule any more counts after | {_seconds(debounce.UNMATCHED)} |"]
    lines += [f"| a first word of the screen that a turn runs counts after | {_seconds(debounce.FIRST_RUNNING)} |"]
    lines += ["| a change to waiting counts, and one to `running` but from a wait on the screen | at once |"]
    return "\n".join(lines) + "\n"
