"""Share code among the commands that act: guards as options, the request, the printed answer.

Skips no check by itself. Knows no single action.
"""

from __future__ import annotations

import sys

import click

from agtmux.cli import ref as refs
from agtmux.cli.context import App, write_body
from agtmux.client import uuid7 as uuid7
from agtmux.protocol.errors import AgtmuxError
from agtmux.render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    from agtmux.client import Client, Reply

    F = TypeVar("F", bound=Callable[..., Any])
    Item = Mapping[str, Any]

_NO_IS_A_VALUE = frozenset({"select", "paste"})
"""Fields in which "no" differs from "not given"."""
UNCONFIRMED = 7
"""Exit status if a receipt was requested and no sign of success came."""


def guards(function: F) -> F:
    """Add the guards, ``--request-ref`` and ``--json``. Their values arrive as one dict named ``guard``."""
    options: tuple[tuple[str, dict[str, Any]], ...] = (
        ("--json", {"is_flag": True, "help": "Print the API's JSON answer unchanged."}),
        (
            "--request-ref",
            {"metavar": "NAME", "help": "Name this request; a second request with this name does nothing."},
        ),
        (
            "--force-stale",
            {"is_flag": True, "help": "Skip the age and state-version checks (all other checks still apply)."},
        ),
        (
            "--snapshot",
            {
                "metavar": "NONCE",
                "help": "Act only if the pane is still as in this snapshot (from agtmux explain --json).",
            },
        ),
        (
            "--if-updated-within",
            {"type": float, "metavar": "S", "help": "Act only if the state changed in the last S seconds."},
        ),
        ("--if-fingerprint", {"metavar": "HEX", "help": "Act only while the prompt with this fingerprint is open."}),
        ("--if-state-version", {"type": int, "metavar": "N", "help": "Act only at this state version."}),
        ("--if-state", {"metavar": "STATE[,…]", "help": "Act only in one of these states."}),
        ("--if-runtime", {"metavar": "ID", "help": "Act only if this runtime is in the pane."}),
    )

    def collected(*args: Any, **given: Any) -> Any:
        names = [name.lstrip("-").replace("-", "_") for name, _ in options]
        guard = {name: given.pop(name) for name in names}
        return function(*args, guard=guard, **given)

    collected.__name__, collected.__doc__ = function.__name__, function.__doc__
    collected.__click_params__ = list(getattr(function, "__click_params__", []))  # type: ignore[attr-defined]
    for name, how in options:
        collected = click.option(name, **how)(collected)
    return collected  # type: ignore[return-value]


def _is_given(name: str, value: object) -> bool:
    if name in ("request_ref", "json") or value in (None, [], ()):
        return False
    return value is not False or name in _NO_IS_A_VALUE


def perform(app: App, client: Client, kind: str, ref: str, guard: Item, **body: Any) -> Reply:
    """Request one action. Values that are None, False or empty are left out of the request."""
    request: dict[str, Any] = {"request_ref": guard.get("request_ref") or uuid7(), "ref": ref}
    states = guard.get("if_state")
    wanted = {**guard, "if_state": states.split(",") if isinstance(states, str) else states}
    request |= {name: value for name, value in {**wanted, **body}.items() if _is_given(name, value)}
    try:
        return client.act(kind, request, timeout=30.0 + float(body.get("timeout") or 0.0))
    except AgtmuxError as error:
        if error.code == "E_DAEMON_UNREACHABLE" and "socket" in error.details:
            app.say(f"the action may or may not have been done; to repeat it without doing it twice, add "
                    f"--request-ref {request['request_ref']}")  # fmt: skip
        raise


def pane(client: Client, text: str) -> Item:
    """Return the row of the pane that ``text`` names, as it is now."""
    item = client.explain(refs.resolve(text, client)).json()
    row = item.get("item") or {}
    return {**row, "snapshot": item.get("snapshot")}


def print_result(reply: Reply, guard: Item, line: Callable[[Item], str]) -> Item:
    """Print the answer: its JSON body, or one line. Return its ``result``."""
    body = reply.json()
    if guard.get("json"):
        write_body(reply.body)
    else:
        again = " (already done earlier, nothing was done now)" if body.get("replayed") else ""
        click.echo(line(body) + again)
    result: Item = body.get("result") or {}
    return result


def receipt(app: App, result: Item) -> None:
    """Print the receipt's note on stderr, and set another exit status if no sign of success came."""
    if result.get("note"):
        app.say(clean(result["note"]))
    if result.get("delivery") == "unconfirmed":
        sys.stdout.flush()
        raise click.exceptions.Exit(UNCONFIRMED)


def pressed(body: Item, done: str) -> str:
    """Return the effect of keys as text: ``done``, or only that they were pressed if no sign of it came."""
    result = body.get("result") or {}
    if result.get("delivery") != "unconfirmed":
        return f"{done} {where(body)}"
    keys = " ".join(clean(key) for key in result.get("keys") or ()) or "nothing"
    return f"unconfirmed: {keys} to {where(body)}"


def where(body: Item) -> str:
    """Return the pane of an answer as text."""
    return f"{clean(body.get('target'))} {clean(body.get('pane_id'))}"


def confirm(question: str, yes: bool) -> None:
    """Ask a person. Raises E_INVALID_REQUEST if there is no terminal and no ``--yes``, Abort for no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise AgtmuxError("E_INVALID_REQUEST", "cannot ask for confirmation without a terminal: add --yes")
    click.confirm(question, abort=True, err=True)
