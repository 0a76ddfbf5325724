"""Decide for an agent: ``approve``, ``deny``, ``answer``, ``interrupt``, ``ack``. Owns what is shown before."""

from __future__ import annotations

import sys
import time

import click

from agtmux.cli import completion_values as complete
from agtmux.cli.action_options import confirm, guards, pane, perform, pressed, print_result, receipt, where
from agtmux.cli.context import App, pass_app, shared
from agtmux.protocol.errors import AgtmuxError
from agtmux.render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from agtmux.client import Client

SHOWN_WITHIN = 3.0
"""Seconds for a reported prompt to appear on the screen too. Only the screen gives its fingerprint."""
RUNNING_FOR = 1.0
"""Seconds that an agent may be shown as running before there is nothing to decide: its dialog may still be drawn."""


def _prompted(client: Client, ref: str, states: tuple[str, ...], verb: str) -> Mapping[str, Any]:
    """Return the pane with its open prompt. Raises E_PRECONDITION_FAILED if there is none."""
    begun = time.monotonic()
    while True:
        item = pane(client, ref)
        state, waited = item.get("state"), time.monotonic() - begun
        if state not in states and (state != "running" or waited > RUNNING_FOR):
            shown = item.get("state") or "without an agent"
            raise AgtmuxError(
                "E_PRECONDITION_FAILED", f"there is nothing to {verb}: {item['identity']['pane_id']} is {shown}",
                {"reason": "no_prompt", "state": item.get("state")},
            )  # fmt: skip
        if state in states and (item.get("waiting_for") or {}).get("fingerprint"):
            return item
        if state in states and waited > SHOWN_WITHIN:
            raise AgtmuxError(
                "E_PRECONDITION_FAILED",
                f"the prompt of {item['identity']['pane_id']} is not on its screen: run agtmux attach to look at it",
                {"reason": "no_prompt", "state": item.get("state")},
            )
        time.sleep(0.05)


def _show(item: Mapping[str, Any]) -> str:
    waiting = item.get("waiting_for") or {}
    asked = ": ".join(clean(waiting[key]) for key in ("subject", "text") if waiting.get(key))
    return f"{clean(item.get('agent_type'))} in {item['identity']['pane_id']} asks: {asked}"


def _decide(
    app: App, kind: str, ref: str, yes: bool, guard: dict[str, Any], states: tuple[str, ...], words: str | None = None
) -> None:
    client = app.client()
    item = _prompted(client, ref, states, kind)
    shown = item["waiting_for"]
    click.echo(_show(item), err=True)
    for n, option in enumerate(shown.get("options") or (), 1):
        click.echo(f"  {n}. {clean(option)}", err=True)
    if sys.stdin.isatty():
        confirm({"approve": "Approve?", "deny": "Deny?"}.get(kind, "Send this answer?"), yes)
    version, fingerprint = guard["if_state_version"], guard["if_fingerprint"]
    seen = {
        **guard,
        "if_state_version": item["state_version"] if version is None else version,
        "if_fingerprint": shown["fingerprint"] if fingerprint is None else fingerprint,
        "if_runtime": guard["if_runtime"] or item["runtime_id"],
    }
    body: dict[str, Any] = {}
    if words is not None:  # without options, a number is a text like any other
        body = {"option": int(words)} if words.isdecimal() and shown.get("options") else {"text": words}
    reply = perform(app, client, kind, str(item["ref"]), seen, **body)

    def summary(answer: Mapping[str, Any]) -> str:
        prompt = (answer.get("result") or {}).get("prompt") or {}
        asked = ": ".join(clean(prompt[key]) for key in ("subject", "text") if prompt.get(key))
        done = {"approve": "approved", "deny": "denied"}.get(kind, "answered")
        return f"{pressed(answer, f'{done} in')}: {asked}"

    receipt(app, print_result(reply, guard, summary))


@click.command()
@click.argument("ref", shell_complete=complete.refs)
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
@guards
@shared()
@pass_app
def approve(app: App, ref: str, yes: bool, guard: dict[str, Any]) -> None:
    """Approve what an agent asks for, once.

    The prompt is shown first. If the agent shows another prompt by then, nothing is approved.

    \b
    Examples:
      agtmux approve claude
      agtmux approve %12 --if-fingerprint 5f2c… --yes
    """
    _decide(app, "approve", ref, yes, guard, ("waiting_approval",))


@click.command()
@click.argument("ref", shell_complete=complete.refs)
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
@guards
@shared()
@pass_app
def deny(app: App, ref: str, yes: bool, guard: dict[str, Any]) -> None:
    """Deny what an agent asks for.

    The prompt is shown first. If the agent shows another prompt by then, nothing is denied.

    \b
    Examples:
      agtmux deny claude
    """
    _decide(app, "deny", ref, yes, guard, ("waiting_approval",))


@click.command()
@click.argument("ref", shell_complete=complete.refs)
@click.argument("words", metavar="N|TEXT")
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
@guards
@shared()
@pass_app
def answer(app: App, ref: str, words: str, yes: bool, guard: dict[str, Any]) -> None:
    """Answer an agent's question.

    Give the number of an option, its text, or your own text if the dialog accepts text.

    \b
    Examples:
      agtmux answer claude 2
      agtmux answer %12 "use the staging database"
    """
    _decide(app, "answer", ref, yes, guard, ("waiting_input", "waiting_approval"), words)


@click.command()
@click.argument("ref", shell_complete=complete.refs)
@guards
@shared()
@pass_app
def interrupt(app: App, ref: str, guard: dict[str, Any]) -> None:
    """Interrupt an agent's turn, as you would with Escape.

    Refused if no turn is running.

    \b
    Examples:
      agtmux interrupt claude
    """
    client = app.client()
    item = pane(client, ref)
    seen = {**guard, "if_runtime": guard["if_runtime"] or item.get("runtime_id")}
    reply = perform(app, client, "interrupt", str(item["ref"]), seen)
    receipt(app, print_result(reply, guard, lambda body: pressed(body, "interrupted")))


@click.command()
@click.argument("ref", shell_complete=complete.refs)
@guards
@shared()
@pass_app
def ack(app: App, ref: str, guard: dict[str, Any]) -> None:
    """Mark a pane as seen.

    It needs no attention until its state or its prompt changes. A crash is no longer shown.

    \b
    Examples:
      agtmux ack %12
    """
    client = app.client()
    item = pane(client, ref)
    seen = {**guard, "if_runtime": guard["if_runtime"] or item.get("runtime_id")}
    reply = perform(app, client, "ack", str(item["ref"]), seen)

    def summary(body: Mapping[str, Any]) -> str:
        before = clean((body.get("result") or {}).get("attention_before"), "none")
        return (
            f"{where(body)}: marked as seen"
            if before == "none"
            else f"{where(body)}: marked as seen; its attention was {before}"
        )

    print_result(reply, guard, summary)
