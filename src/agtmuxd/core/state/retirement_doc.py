"""Write the retirement table as a document: the text of docs/retirement.md. Pure; decides nothing."""

from __future__ import annotations

from agtmuxd.core.model import MS, NS, PRECEDENCE, Claim, Phase
from agtmuxd.core.state import debounce, registers, resolve
from agtmuxd.core.state.registers import RETIREMENTS, Retirement

REDRAW = "python -c 'from agtmuxd.core.state.retirement_doc import draw; print(draw(), end=\"\")' > docs/retirement.md"

_AT = {
    "since": "first claim",
    "redraw": f"first claim, plus {registers.REDRAW // MS} ms",
    "redrawn": f"first claim, minus {registers.UNDRAWN // MS} ms",
    "began": "first claim, minus the lag",
    "stayed": f"first claim, minus the lag, once the claim has lasted {registers.BLIP // MS} ms",
    "holds": "last reading, minus the lag",
    "overrun": f"last reading, minus the lag and {registers.OVERRUN // MS} ms",
    "undrawn": f"last reading, minus the lag and {registers.UNDRAWN // MS} ms",
}


def _claims(claims: frozenset[Claim]) -> str:
    return "anything" if claims == frozenset(Claim) else ", ".join(f"`{c}`" for c in Claim if c in claims)


def _by(row: Retirement) -> str:
    if row.by_level:
        return f"a screen or status that claims {_claims(row.by_claims)}"
    phases = ", ".join(f"`{p}`" for p in Phase if p in row.by_phases)
    return f"an event of phase {phases}" + (
        "" if row.by_claims == frozenset(Claim) else f" that claims {_claims(row.by_claims)}"
    )


def _of(row: Retirement) -> str:
    whose = {True: "screen and status", False: "events", None: "any source"}[row.of_levels]
    subjects = "any subject" if row.subjects == ("*",) else ", ".join(f"`{s}`" for s in row.subjects)
    return f"{whose}; {subjects}"


def _seconds(ns: int) -> str:
    return f"{ns // NS} s" if ns % NS == 0 else f"{ns // MS} ms"


def draw() -> str:
    """Return the document, with a newline at its end."""
    return "\n".join([*_marks(), *_precedence()]) + "\n"


def _marks() -> list[str]:
    lines = [
        "# What ends a claim",
        "",
        "This page is written from the tables in `src/agtmuxd/core`. A test compares it with them. To write it again:",
        "",
        f"    {REDRAW}",
        "",
        "Each row is a rule. When a source makes the claim in the column *set by*, the rule sets a mark at the time in",
        "the column *time*. The mark retires all older claims of the kinds in the last two columns.",
        "",
        "- *First claim* is when the source began to make this claim. *Last reading* is when it was last read with it.",
        "- An event is as old as its own time.",
        "- A screen or status is as old as its last reading, minus its lag. The lag is "
        f"{_seconds(registers.SCREEN_LAG)} for a screen, {_seconds(registers.STATUS_LAG)} for",
        f"  a status, and {_seconds(registers.UNDRAWN)} for a claim of `waiting_*`.",
        "- A mark only grows. So no older claim comes back when the source of the mark says nothing more.",
        "- Hints retire nothing.",
        "- The approval of a sub-agent (`approval:<agent_id>`) ends by an event of that sub-agent, by the status or by",
        "  the screen.",
        "",
        "| mark | rule | set by | time | retires | of these sources; subjects |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{r.mark}` | {r.summary} | {_by(r)} | {_AT[r.at]} | {_claims(r.retires)} | {_of(r)} |" for r in RETIREMENTS
    ]
    return lines


def _precedence() -> list[str]:
    lines = [
        "",
        "## Which claim decides",
        "",
        "1. Fresh definitive claims decide. Without any, fresh hints decide.",
        "2. Among them the first of this list wins: " + ", ".join(f"`{s}`" for s in PRECEDENCE) + ".",
        "3. If only `not_running` is left, the state is `idle`. If nothing is left, it is `unknown`, with a reason.",
        "4. A wait, or an `idle` (cleared, interrupted), wins over `error` if a screen or status began to show it",
        "   after the last failure. When that is over, `error` is shown again.",
        "",
        "| claim of an event | stays fresh after the last reading of its pane |",
        "|---|---|",
    ]
    lines += [f"| `{c}` | {_seconds(resolve.PANE_FRESH + ttl)} |" for c, ttl in resolve.TTL.items()]
    lines += [
        f"| any hint | {_seconds(resolve.HINT_TTL)} |",
        "",
        "For a screen or status, its own last reading counts.",
        "",
        "| what | time |",
        "|---|---|",
        f"| `completed` becomes `idle` after | {_seconds(resolve.DEMOTE_AFTER)} |",
        "| `completed`, or an end of unknown kind, waits for the screen that showed the turn, at most "
        f"| {_seconds(resolve.HOLD_BACK)} |",
        f"| an agent without any claim is `starting` for | {_seconds(resolve.STARTING)} |",
    ]
    lines += [
        f"| a change of source `{source}` counts after | {_seconds(ns)} |" for source, ns in debounce.SETTLE.items()
    ]
    lines += [f"| a screen that no longer matches any rule counts after | {_seconds(debounce.UNMATCHED)} |"]
    lines += [f"| `running` as the first claim of a screen counts after | {_seconds(debounce.FIRST_RUNNING)} |"]
    lines += ["| a change to `waiting_*`, or to `running` unless the screen showed a wait, counts | at once |"]
    return lines
