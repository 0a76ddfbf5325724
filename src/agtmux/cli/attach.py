"""Bring this terminal to a pane (``agtmux attach``). Owns which command does that from where the caller is."""

from __future__ import annotations

import os
import sys

import click

from agtmux import terminal as terminals
from agtmux.cli import completion_values
from agtmux.cli import ref as refs
from agtmux.cli.action_options import guards, perform
from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import shell_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@click.command()
@click.argument("ref", shell_complete=completion_values.refs)
@click.option("--print", "only_print", is_flag=True, help="Only print the command to run; select nothing.")
@guards
@shared()
@pass_app
def attach(app: App, ref: str, only_print: bool, guard: dict[str, Any]) -> None:
    """Attach this terminal to a pane.

    The pane and its window are selected. Inside the same tmux server, your client switches to the session. Outside
    tmux, or for another machine, your terminal attaches to it. Inside another tmux server on this machine, or without
    a terminal, you get the command to run elsewhere.

    \b
    Examples:
      agtmux attach %12
      agtmux attach claude --print
    """
    client = app.client()
    inside, terminal = terminals.inside(), sys.stdin.isatty() and sys.stdout.isatty()
    goes = not only_print and (terminal or inside is not None)
    how = terminals.where_from(inside) if goes else {"select": False}
    reply = perform(app, client, "attach", refs.resolve(ref, client), guard, **how)
    if guard["json"]:
        write_body(reply.body)
        return
    result = reply.json().get("result") or {}
    whole = " ".join(map(shell_word, result["whole"]))
    if only_print:
        click.echo(whole)
        return
    kind, argv = terminals.way(inside, result)
    if kind == "switch":
        become(argv)
    elif not terminal:
        raise AgtmuxError("E_INVALID_REQUEST", f"there is no terminal to attach; run this in a terminal: {whole}")
    elif kind == "attach":
        become(argv)
    else:
        raise AgtmuxError(
            "E_INVALID_REQUEST", f"this terminal is inside another tmux server; run this in a terminal outside: {whole}"
        )


def become(argv: list[str]) -> None:
    """Run a command in place of this process. Raises E_UNSUPPORTED if it cannot be started."""
    sys.stdout.flush()
    try:
        os.execvp(argv[0], argv)  # noqa: S606 the daemon's own argument list, no shell
    except OSError as error:
        raise AgtmuxError("E_UNSUPPORTED", f"cannot start {argv[0]}: {error.strerror}") from None
