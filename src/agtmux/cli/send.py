"""Send text and keys to a pane (``agtmux send``, ``agtmux prompt``). Owns their options and the printed receipt."""

from __future__ import annotations

import sys
import time

import click

from agtmux.cli import completion_values
from agtmux.cli import ref as refs
from agtmux.cli.action_options import guards, pane, perform, print_result, receipt, where
from agtmux.cli.context import App, pass_app, shared
from agtmux.protocol.errors import AgtmuxError
from agtmux.render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MAX_TEXT = 256 * 1024


def standard_input() -> str:
    """Read all of standard input. Raises E_PAYLOAD_TOO_LARGE, E_INVALID_REQUEST for input that is not UTF-8."""
    raw = sys.stdin.buffer.read(MAX_TEXT + 1)
    if len(raw) > MAX_TEXT:
        raise AgtmuxError("E_PAYLOAD_TOO_LARGE", f"standard input is longer than {MAX_TEXT} bytes: send it in parts")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise AgtmuxError(
            "E_INVALID_REQUEST", f"standard input is not UTF-8 (byte {error.start}): convert it first"
        ) from None


def receipt_lines(body: Mapping[str, Any]) -> str:
    """Return the receipt in one line."""
    result = body.get("result") or {}
    if result.get("characters") is not None:
        return f"{clean(result.get('delivery'))} {result['characters']} characters in {where(body)}"
    queued = ", queued by the agent" if result.get("queued") else ""
    keys = f", keys {' '.join(result['keys'])}" if result.get("keys") else ""
    return f"{clean(result.get('delivery'))} to {where(body)}: {result.get('bytes') or 0} bytes{keys}{queued}"


@click.command()
@click.argument("ref", shell_complete=completion_values.refs)
@click.option("--text", help="Send this text literally.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Send the text on standard input (UTF-8, up to 256 KiB).")
@click.option(
    "--key", "keys", multiple=True, metavar="NAME", help="Press this key after the text, named as in tmux; repeatable."
)
@click.option("--enter", is_flag=True, help="Submit, once the text shows in the input field.")
@click.option(
    "--paste/--no-paste", default=None, help="Paste the text or type it (default: paste long text and several lines)."
)
@click.option("--leave-mode", is_flag=True, help="Leave tmux's copy mode first.")
@click.option("--over-draft", is_flag=True, help="Add to the draft that is already in the input field.")
@click.option("--clear-own-draft", is_flag=True, help="Remove a text that agtmux typed there and did not submit.")
@click.option("--shell", is_flag=True, help="Send the text to a shell, as a command line.")
@click.option("--timeout", type=click.FloatRange(0, 60), default=5.0, show_default=True, metavar="S",
              help="Wait up to S seconds for a sign that it was submitted.")  # fmt: skip
@guards
@shared()
@pass_app
def send(
    app: App,
    ref: str,
    text: str | None,
    from_stdin: bool,
    keys: tuple[str, ...],
    enter: bool,
    paste: bool | None,
    leave_mode: bool,
    over_draft: bool,
    clear_own_draft: bool,
    shell: bool,
    timeout: float,
    guard: dict[str, Any],
) -> None:
    """Send text or keys to a pane.

    Refused while a dialog is open, the input field holds a draft, or the pane is in copy mode. The result is submitted
    (a turn began, or the input field emptied), typed, or unconfirmed (exit status 7).

    \b
    Examples:
      agtmux send claude --text "run the tests" --enter
      git diff | agtmux send %12 --stdin
      agtmux send %12 --key Escape --if-state waiting_approval
      agtmux send %12 --clear-own-draft
    """
    if text is not None and from_stdin:
        raise click.UsageError("give --text or --stdin, not both")
    if clear_own_draft and (
        text is not None or from_stdin or keys or enter or leave_mode or over_draft or shell or paste is not None
    ):
        raise click.UsageError("--clear-own-draft removes a text and does nothing else: leave the other options out")
    if from_stdin:
        text = standard_input()
    if text is None and not keys and not enter and not clear_own_draft:
        raise click.UsageError("nothing to send: give --text, --stdin, --key or --enter")
    client = app.client()
    reply = perform(
        app, client, "send", refs.resolve(ref, client), guard, text=text or None, keys=list(keys), enter=enter,
        paste=paste, leave_mode=leave_mode, over_draft=over_draft, shell=shell, timeout=timeout,
        clear_own_draft=clear_own_draft,
    )  # fmt: skip
    receipt(app, print_result(reply, guard, receipt_lines))


@click.command()
@click.argument("ref", shell_complete=completion_values.refs)
@click.argument("text")
@click.option("--wait", is_flag=True, help="Wait for the turn's end and print the result.")
@click.option("--timeout", default="10m", show_default=True, metavar="DURATION", help="Wait at most this long.")
@click.option("--over-draft", is_flag=True, help="Add to the draft that is already in the input field.")
@guards
@shared()
@pass_app
def prompt(app: App, ref: str, text: str, wait: bool, timeout: str, over_draft: bool, guard: dict[str, Any]) -> None:
    """Send an agent a prompt, and wait for the result if you like.

    TEXT - reads the prompt from standard input. With --wait, agtmux prints the state in which the turn ended, and the
    agent's last message if it reports one. A question from the agent also ends the wait.

    \b
    Examples:
      agtmux prompt claude "run the tests"
      agtmux prompt %12 "fix the failing one" --wait --timeout 30m
    """
    from agtmux.cli import wait as waiting

    seconds = waiting.duration(timeout)
    client = app.client()
    before = pane(client, ref)
    if before.get("runtime_id") is None:
        raise AgtmuxError(
            "E_PRECONDITION_FAILED", f"no agent runs in {before['identity']['pane_id']}: run agtmux ls to see agents"
        )
    words = standard_input() if text == "-" else text
    cursor = waiting.place(client) if wait else ""
    asked = time.time()
    seen = {**guard, "if_runtime": guard["if_runtime"] or before["runtime_id"]}
    reply = perform(
        app, client, "send", str(before["ref"]), seen, text=words, enter=True, over_draft=over_draft, timeout=10.0
    )
    if not wait:
        receipt(app, print_result(reply, guard, receipt_lines))
        return
    result = reply.json().get("result") or {}
    if not result.get("entered"):
        receipt(app, print_result(reply, guard, receipt_lines))
    if not app.quiet:
        click.echo(f"agtmux: {receipt_lines(reply.json())}; waiting up to {timeout} for the turn's end", err=True)
    outcome = waiting.turn(app, before, cursor, asked, seconds)
    waiting.print_outcome(client, outcome, asked, as_json=bool(guard["json"]), answer=reply.json())
