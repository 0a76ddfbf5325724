"""Bring this terminal to a pane (``agtmux attach``). Owns which command does that from where the caller is."""

from __future__ import annotations

import os
import sys

import click

from agtmux.cli import completion_values
from agtmux.cli import ref as refs
from agtmux.cli.action_options import guards, perform
from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import shell_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
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
    inside, terminal = _inside(), sys.stdin.isatty() and sys.stdout.isatty()
    goes = not only_print and (terminal or inside is not None)
    how: dict[str, Any] = {} if goes else {"select": False}
    if goes and inside is not None and inside[1].isdecimal():
        how["inside"] = {"socket": inside[0], "server_pid": int(inside[1])}
    reply = perform(app, client, "attach", refs.resolve(ref, client), guard, **how)
    if guard["json"]:
        write_body(reply.body)
        return
    result = reply.json().get("result") or {}
    whole = " ".join(map(shell_word, result["whole"]))
    if only_print:
        click.echo(whole)
    elif inside is not None and _same(inside, result):
        _become(result["switch"])
    elif not terminal:
        raise AgtmuxError("E_INVALID_REQUEST", f"there is no terminal to attach; run this in a terminal: {whole}")
    elif inside is None or result.get("kind") == "ssh":  # the tmux of another machine knows nothing of this one
        _become(result["argv"])
    else:
        raise AgtmuxError(
            "E_INVALID_REQUEST", f"this terminal is inside another tmux server; run this in a terminal outside: {whole}"
        )


def _inside() -> tuple[str, str] | None:
    """Return the socket and server pid of the tmux that this terminal is in."""
    words = os.environ.get("TMUX", "").rsplit(",", 2)  # from the end: a path may hold commas
    return (words[0], words[1]) if len(words) == 3 and words[0] else None


def _same(inside: tuple[str, str], result: Mapping[str, Any]) -> bool:
    here = os.path.realpath(inside[0]) == os.path.realpath(str(result.get("socket")))
    return result.get("kind") == "local" and here and inside[1] == str(result.get("server_pid"))


def _become(argv: list[str]) -> None:
    sys.stdout.flush()
    try:
        os.execvp(argv[0], argv)  # noqa: S606 the daemon's own argument list, no shell
    except OSError as error:
        raise AgtmuxError("E_UNSUPPORTED", f"cannot start {argv[0]}: {error.strerror}") from None
