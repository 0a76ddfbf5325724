"""Interrupt or end an agent (``agtmux kill``). Owns its options and the question asked first."""

from __future__ import annotations

import click

from agtmux.cli import completion_values
from agtmux.cli.action_options import confirm, guards, pane, perform, print_result, where
from agtmux.cli.context import App, pass_app, shared
from agtmux.render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


@click.command()
@click.argument("ref", shell_complete=completion_values.refs)
@click.option("--mode", type=click.Choice(["key", "signal"]), default="key", show_default=True,
              help="Press C-c (key), or send a signal to the agent's process.")  # fmt: skip
@click.option("--signal", "name", type=click.Choice(["INT", "TERM", "KILL"]), default="INT", show_default=True,
              help="Choose the signal; TERM and KILL need --mode signal.")  # fmt: skip
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
@guards
@shared()
@pass_app
def kill(app: App, ref: str, mode: str, name: str, yes: bool, guard: dict[str, Any]) -> None:
    """Send C-c or a signal to an agent. Asks first.

    C-c is sent only while a turn runs or waits: at an idle prompt it would quit the agent. To stop just the turn, use
    agtmux interrupt.

    \b
    Examples:
      agtmux kill %12
      agtmux kill claude --mode signal --signal TERM --yes
    """
    if mode == "key" and name != "INT":
        raise click.UsageError(f"--signal {name} needs --mode signal: in key mode only INT (C-c) can be sent")
    client = app.client()
    item = pane(client, ref)
    what = "C-c" if mode == "key" else f"SIG{name}"
    who = f"{clean(item.get('agent_type') or item.get('command'))} in {item['identity']['pane_id']}"
    process = f"process {clean(item.get('pid'), '?')}" if mode == "signal" else ""
    known = ", ".join(part for part in (process, clean(item.get("state"), "")) if part)
    confirm(f"Send {what} to {who}{f' ({known})' if known else ''}?", yes)
    seen = {**guard, "if_runtime": guard["if_runtime"] or item.get("runtime_id")}
    reply = perform(app, client, "kill", str(item["ref"]), seen, mode=mode, signal=name)

    def summary(body: Mapping[str, Any]) -> str:
        ended = (body.get("result") or {}).get("ended")
        return f"sent {what} {'to' if mode == 'signal' else 'in'} {where(body)}" + (", it ended" if ended else "")

    print_result(reply, guard, summary)
