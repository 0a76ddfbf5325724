"""Manage the watched tmux servers (``agtmux target add|connect|list|remove``). Owns their options."""

from __future__ import annotations

import sys
import time

import click

from agtmux import render
from agtmux.cli import completion_values
from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.protocol.errors import CODES, AgtmuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


@click.group("target")
def target_group() -> None:
    """Manage the tmux servers that agtmux watches.

    Your own default tmux server is the target host; it always exists.

    \b
    Example:
      agtmux target add build --kind ssh --ssh-target build-box
    """


@target_group.command()
@click.argument("name")
@click.option(
    "--kind", type=click.Choice(["local", "ssh"]), required=True, help="Use this machine, or one that you reach by SSH."
)
@click.option("--tmux-socket", metavar="NAME|PATH", help="Use this tmux socket, as tmux -L NAME or tmux -S PATH.")
@click.option("--tmux-path", metavar="PATH", help="Use this tmux program, if agtmux does not find it.")
@click.option("--ssh-target", metavar="ALIAS", help="Connect to this host of your ssh config (for --kind ssh).")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def add(
    app: App,
    name: str,
    kind: str,
    tmux_socket: str | None,
    tmux_path: str | None,
    ssh_target: str | None,
    as_json: bool,
) -> None:
    """Add a tmux server to watch.

    \b
    Examples:
      agtmux target add work --kind local --tmux-socket work
      agtmux target add build --kind ssh --ssh-target build-box
    """
    if (kind == "ssh") != bool(ssh_target):
        raise click.UsageError(
            "--kind ssh needs --ssh-target ALIAS" if kind == "ssh" else "--ssh-target needs --kind ssh"
        )
    given = {"tmux_socket": tmux_socket, "tmux_path": tmux_path, "ssh_target": ssh_target}
    reply = app.client().add_target({"name": name, "kind": kind, **{k: v for k, v in given.items() if v}})
    if as_json:
        write_body(reply.body)
        return
    click.echo(_describe(reply.json().get("item") or {}, f"added {render.clean(name)}"))


@target_group.command()
@click.argument("name", shell_complete=completion_values.targets)
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def connect(app: App, name: str, as_json: bool) -> None:
    """Connect to a target now and show what works, step by step.

    Exit status 6 if a step fails.

    \b
    Example:
      agtmux target connect build
    """
    reply = app.client().connect_target(name)
    body = reply.json()
    steps = body.get("steps") or ()
    if as_json:
        write_body(reply.body)
    else:
        for step in steps:
            sign = "ok  " if step.get("ok") else "FAIL"
            click.echo(f"{sign}  {render.clean(step.get('step'))}: {render.clean(step.get('message'), '')}")
        click.echo(_describe(body.get("item") or {}, render.clean(name)))
    if not all(step.get("ok") for step in steps):
        click.get_current_context().exit(CODES["E_TARGET_UNREACHABLE"].exit)


@target_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def list_targets(app: App, as_json: bool) -> None:
    """List targets and their health.

    \b
    Example:
      agtmux target list
    """
    reply = app.client().targets()
    if as_json:
        write_body(reply.body)
        return
    show_targets(app, reply.json().get("items") or [])


@target_group.command()
@click.argument("name", shell_complete=completion_values.targets)
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")
@shared()
@pass_app
def remove(app: App, name: str, yes: bool, as_json: bool) -> None:
    """Remove a target and the history of its panes.

    The tmux server itself keeps running.

    \b
    Example:
      agtmux target remove work --yes
    """
    client = app.client()
    if not yes:
        known = sorted(str(item.get("target")) for item in client.targets().json().get("items") or ())
        if name not in known:
            raise AgtmuxError("E_TARGET_NOT_FOUND", f"there is no target {name}: use one of {', '.join(known)}")
        if not sys.stdin.isatty():
            raise click.UsageError("cannot ask for confirmation without a terminal: add --yes")
        click.confirm(f"Remove the target {render.clean(name)} and the history of its panes?", abort=True, err=True)
    reply = client.remove_target(name)
    if as_json:
        write_body(reply.body)
    else:
        click.echo(f"removed {render.clean(name)}")


def show_targets(app: App, items: Sequence[dict[str, Any]]) -> None:
    """Print the targets, as a table or as plain text."""
    if app.styled():
        render.console(app.color).print(render.ListingView("targets", {"items": items}, time.time()))
    else:
        sys.stdout.write(render.plain("targets", items, time.time()))


def _describe(item: Mapping[str, Any], what: str) -> str:
    why = f" ({render.clean(item.get('reason'))})" if item.get("reason") else ""
    health = "not tried yet" if item.get("read") is False and not why else render.clean(item.get("health"))
    absent = health == "ok" and item.get("read") and not item.get("tmux_version")
    return f"{what}: {health}{why}{', but no tmux server runs there now' if absent else ''}"
