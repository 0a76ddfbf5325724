"""Go to the agent that waits longest, to the next one, or back (``agtmux jump``). Owns the order.

A key binding of tmux passes ``--client``: then messages go to that client's status line, since there is no terminal.
"""

from __future__ import annotations

import sys

import click

from agtmux import terminal
from agtmux.cli import completion_values, jump_places
from agtmux.cli import ref as refs
from agtmux.cli.action_options import perform
from agtmux.cli.attach import become
from agtmux.cli.context import App, pass_app, shared
from agtmux.cli.tmux_plugin import popup_options
from agtmux.cli.tmux_server import TmuxServer
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import shell_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from agtmux.cli.tmux_server import Client as TmuxClient
    from agtmux.client import Client

    Item = Mapping[str, Any]


@click.command()
@click.argument("ref", required=False, shell_complete=completion_values.refs)
@click.option("--next", "way", flag_value="next", help="Go to the next agent that needs you (the default).")
@click.option("--prev", "way", flag_value="prev", help="Go to the previous agent that needs you.")
@click.option("--back", "way", flag_value="back", help="Go back to where your last jump started.")
@click.option("-c", "--client", "client_name", metavar="NAME", help="Switch this tmux client; show messages there.")
@click.option("--print", "only_print", is_flag=True, help="Only print the command to run; select nothing.")
@shared()
@pass_app
def jump(app: App, ref: str | None, way: str | None, client_name: str | None, only_print: bool) -> None:
    """Go to an agent that needs you, and back.

    The agent that waits longest comes first. From its pane, --next goes to the one that waits second longest, and so
    on. Inside the agent's tmux server your client switches to it. Otherwise your terminal attaches, as with agtmux
    attach. With --client, agents of other servers and hosts open in a popup.

    \b
    Examples:
      agtmux jump --next
      agtmux jump --back
      agtmux jump claude
    """
    if ref is not None and way is not None:
        raise AgtmuxError("E_INVALID_REQUEST", f"give a REF or --{way}, not both")
    try:
        if way == "back":
            _go_back(client_name)
        else:
            _go(app, ref, way or "next", client_name, only_print)
    except AgtmuxError as error:
        if client_name is None:
            raise
        TmuxServer.here().show_error(client_name, error)


def _go(app: App, ref: str | None, way: str, client_name: str | None, only_print: bool) -> None:
    inside, api = terminal.inside(), app.client()
    server = TmuxServer.here() if inside is not None else None
    client = server.client(client_name) if server is not None and not only_print else None
    if ref is None:
        ref = _pick(api, way, client, inside)
    how = {"select": False} if only_print else terminal.where_from(inside)
    result = perform(app, api, "attach", refs.resolve(ref, api), {}, **how).json().get("result") or {}
    whole = " ".join(map(shell_word, result["whole"]))
    if only_print:
        click.echo(whole)
        return
    kind, argv = terminal.way(inside, result)
    if kind == "switch" and server is not None and client is not None:
        _switch(server, client, [client.name, "-t", argv[-1]])
    elif server is not None and client_name is not None:
        become(server.argv("display-popup", "-c", client_name, *popup_options(server), "-e", "TMUX=", "--", *argv))
    elif kind == "attach" and sys.stdin.isatty() and sys.stdout.isatty():
        become(argv)
    else:
        raise AgtmuxError("E_INVALID_REQUEST", f"this terminal cannot attach; run this in a terminal outside: {whole}")


def _go_back(client_name: str | None) -> None:
    server = TmuxServer.here()
    client = server.client(client_name)
    place = jump_places.recall((server.socket, server.pid), client.name)
    if place is None:
        raise AgtmuxError("E_REF_NOT_FOUND", "this client has not jumped yet: run agtmux jump --next first")
    session, window, pane = place
    try:
        _switch(server, client, [client.name, "-t", f"{session}:{window}.{pane}"])
    except AgtmuxError as error:
        if "can't find" not in error.message:
            raise
        raise AgtmuxError("E_REF_NOT_FOUND", "the pane where your last jump started is gone") from None


def _switch(server: TmuxServer, client: TmuxClient, words: Sequence[str]) -> None:
    server.run("switch-client", "-c", *words)
    jump_places.remember((server.socket, server.pid), client.name, (client.session, client.window, client.pane))


def _pick(api: Client, way: str, client: TmuxClient | None, inside: tuple[str, str] | None) -> str:
    """Return the ref of the agent to go to. Raises E_REF_NOT_FOUND if none needs you."""
    items = waiting(api)
    if not items:
        raise AgtmuxError("E_REF_NOT_FOUND", "no agent needs you now")
    at = _index(api, items, client, inside)
    if at is None:
        return str(items[0 if way == "next" else -1]["ref"])
    if len(items) == 1:
        raise AgtmuxError("E_REF_NOT_FOUND", "no other agent needs you now")
    return str(items[(at + (1 if way == "next" else -1)) % len(items)]["ref"])


def waiting(api: Client) -> list[Item]:
    """Return the rows of the agents that need you, those that wait longest first."""
    items: list[Item] = api.listing("panes", {"needs_action": "true"}).json().get("items") or []
    return sorted(items, key=lambda item: (str(item.get("attention_since") or item.get("since") or "~"), item["ref"]))


def _index(api: Client, items: Sequence[Item], client: TmuxClient | None, inside: tuple[str, str] | None) -> int | None:
    """Return which of the rows is the pane that the client shows, None if none is."""
    fits = [n for n, item in enumerate(items) if client is not None and item["identity"]["pane_id"] == client.pane]
    if not fits or inside is None:
        return None
    targets = api.targets().json().get("items") or []
    here = {one["target"] for one in targets if one["kind"] == "local" and str(one.get("server_pid")) == inside[1]}
    return next((n for n in fits if items[n]["identity"]["target"] in here), None)
