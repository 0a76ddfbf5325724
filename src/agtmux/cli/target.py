"""``agtmux target add|connect|list|remove``: the tmux servers that agtmux supervises. Owns their options."""

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
    """The tmux servers that agtmux supervises. ``host``, your own default one, is there from the start.

    \b
    Example:
      agtmux target add build --kind ssh --ssh-target build-box
    """


@target_group.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(["local", "ssh"]), required=True, help="This machine, or one reached by SSH.")
@click.option("--tmux-socket", metavar="NAME|PATH", help="As tmux -L NAME or tmux -S PATH.")
@click.option("--tmux-path", metavar="PATH", help="The tmux program there, if it is in no usual place.")
@click.option("--ssh-target", metavar="ALIAS", help="A host of your ssh config, for --kind ssh.")
@click.option("--json", "as_json", is_flag=True, help="The API's answer, unchanged.")
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
    """Supervise one more tmux server.

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
    click.echo(_told(reply.json().get("item") or {}, f"added {render.clean(name)}"))


@target_group.command()
@click.argument("name", shell_complete=completion_values.targets)
@click.option("--json", "as_json", is_flag=True, help="The API's answer, unchanged.")
@shared()
@pass_app
def connect(app: App, name: str, as_json: bool) -> None:
    """Try a target now and say what works, step by step. Exit status 6 when a step fails.

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
        click.echo(_told(body.get("item") or {}, render.clean(name)))
    if not all(step.get("ok") for step in steps):
        click.get_current_context().exit(CODES["E_TARGET_UNREACHABLE"].exit)


@target_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="The API's answer, unchanged.")
@shared()
@pass_app
def list_targets(app: App, as_json: bool) -> None:
    """Every target, its health, and why it is not ok.

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
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="The API's answer, unchanged.")
@shared()
@pass_app
def remove(app: App, name: str, yes: bool, as_json: bool) -> None:
    """Stop supervising a target and forget its panes. The tmux server itself is not touched.

    \b
    Example:
      agtmux target remove work --yes
    """
    client = app.client()
    if not yes:
        known = sorted(str(item.get("target")) for item in client.targets().json().get("items") or ())
        if name not in known:
            raise AgtmuxError("E_TARGET_NOT_FOUND", f"there is no target {name}; known: {', '.join(known)}")
        if not sys.stdin.isatty():
            raise click.UsageError("nobody can be asked here: give --yes")
        click.confirm(f"Forget the target {render.clean(name)} and the history of its panes?", abort=True, err=True)
    reply = client.remove_target(name)
    if as_json:
        write_body(reply.body)
    else:
        click.echo(f"removed {render.clean(name)}")


def show_targets(app: App, items: Sequence[dict[str, Any]]) -> None:
    """The targets, as a table or as plain text."""
    if app.styled():
        render.console(app.color).print(render.ListingView("targets", {"items": items}, time.time()))
    else:
        sys.stdout.write(render.plain("targets", items, time.time()))


def _told(item: Mapping[str, Any], what: str) -> str:
    why = f" ({render.clean(item.get('reason'))})" if item.get("reason") else ""
    health = "not tried yet" if item.get("read") is False and not why else render.clean(item.get("health"))
    absent = health == "ok" and item.get("read") and not item.get("tmux_version")
    return f"{what}: {health}{why}{', but no tmux server runs there now' if absent else ''}"
