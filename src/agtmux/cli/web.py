"""Manage the web page (``agtmux web on|off|status|link|devices|revoke``). Owns their options and what they print."""

from __future__ import annotations

import sys
import time

import click

from agtmux import render
from agtmux.cli import completion_values
from agtmux.cli.context import App, pass_app, shared, write_body

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from agtmux.client import Reply

GUIDE = "docs/how-to/phone.md"
SCOPES = ("observe", "act", "all")

_json = click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")


def _printed(reply: Reply, as_json: bool, text: Callable[[Mapping[str, Any]], str]) -> None:
    if as_json:
        write_body(reply.body)
    else:
        click.echo(text(reply.json()))


@click.group("web")
def web_group() -> None:
    """Manage the web page and the devices that may use it.

    The page shows your agents, and lets linked devices approve, deny and answer. Its server listens on this machine
    only (127.0.0.1), and only after agtmux web on.

    \b
    Examples:
      agtmux web on
      agtmux web link --name laptop
    """


@web_group.command("on")
@_json
@shared()
@pass_app
def on(app: App, as_json: bool) -> None:
    """Start the web page.

    It starts again with the daemon, until agtmux web off.

    \b
    Examples:
      agtmux web on
    """
    reply = app.client().web_on()
    _printed(reply, as_json, _status)
    if reply.json().get("moved"):
        app.say("the port is another one than before: link your devices again with agtmux web link")


@web_group.command("off")
@_json
@shared()
@pass_app
def off(app: App, as_json: bool) -> None:
    """Stop the web page.

    Devices stay linked.

    \b
    Examples:
      agtmux web off
    """
    _printed(app.client().web_off(), as_json, lambda _: "the web page is off; devices stay linked")


@web_group.command("status")
@_json
@shared()
@pass_app
def status(app: App, as_json: bool) -> None:
    """Show whether the web page runs, and its address.

    \b
    Examples:
      agtmux web status
    """
    _printed(app.client().web_status(), as_json, _status)


@web_group.command("link")
@click.option("--name", help="Name the device, such as phone.")
@click.option(
    "--scope", type=click.Choice(SCOPES), default="act", show_default=True,
    help="Let it look only (observe), also decide and prompt (act), or also send keys and kill (all).",
)  # fmt: skip
@click.option("--qr", is_flag=True, help="Print the link as a QR code too.")
@_json
@shared()
@pass_app
def link(app: App, name: str | None, scope: str, qr: bool, as_json: bool) -> None:
    """Print a link that adds one browser. It works once, for 90 seconds.

    \b
    Examples:
      agtmux web link --name laptop
      agtmux web link --name phone --scope observe --qr
    """
    reply = app.client().web_link({"name": name, "scope": scope})
    if as_json:
        write_body(reply.body)
        return
    body = reply.json()
    urls = [render.clean(url) for url in body.get("urls") or ()]
    click.echo(f"Open one of these in the browser of {render.clean(body.get('name'))} within 90 s:" if len(urls) > 1
               else f"Open this in the browser of {render.clean(body.get('name'))} within 90 s:")  # fmt: skip
    for url in urls:
        click.echo(f"  {url}")
    click.echo(f"It may then {_MAY[str(body.get('scope'))]}.")
    if qr:
        click.echo(_qr(urls[-1], app.styled()))
        if len(urls) == 1:
            app.say(f"a phone cannot open 127.0.0.1 of this machine: {GUIDE} shows how to reach it")


_MAY = {
    "observe": "look at agents and their screens",
    "act": "look, approve, deny, answer, prompt and interrupt",
    "all": "do all that the page offers, also send keys and end agents",
}


@web_group.command("devices")
@_json
@shared()
@pass_app
def devices(app: App, as_json: bool) -> None:
    """List the linked devices.

    \b
    Examples:
      agtmux web devices
    """
    reply = app.client().web_devices()
    if as_json:
        write_body(reply.body)
        return
    items, now = reply.json().get("items") or [], time.time()
    if not items:
        click.echo("no device is linked: run agtmux web link")
    elif app.styled():
        render.console(app.color).print(render.ListingView("devices", {"items": items}, now))
    else:
        sys.stdout.write(render.plain("devices", items, now))


@web_group.command("revoke")
@click.argument("name", shell_complete=completion_values.devices)
@_json
@shared()
@pass_app
def revoke(app: App, name: str, as_json: bool) -> None:
    """Remove a device. What it has open ends at once.

    \b
    Examples:
      agtmux web revoke phone
    """
    _printed(app.client().revoke_device(name), as_json, lambda body: f"removed {render.clean(body.get('revoked'))}")


def _status(body: Mapping[str, Any]) -> str:
    if not body.get("on"):
        return "the web page is off: run agtmux web on"
    if not body.get("listening"):
        return f"the web page is on, but not reachable: {render.clean(body.get('problem'), 'it has not started yet')}"
    count = int(body.get("devices") or 0)
    linked = f"{count} device{'' if count == 1 else 's'} linked"
    urls = "  ".join(render.clean(url) for url in body.get("urls") or ())
    return f"the web page is on: {urls} ({linked}{'; run agtmux web link to add one' if not count else ''})"


def _qr(text: str, styled: bool) -> str:
    """Return ``text`` as a QR code. With colours it is light on dark on every terminal, as scanners expect."""
    import io

    import segno  # late: it costs 50 ms, and few commands draw a code

    out = io.StringIO()
    segno.make(text, error="m", micro=False).terminal(out, border=2, compact=True)
    lines = out.getvalue().splitlines()
    return "\n".join(f"\x1b[97;40m{line}\x1b[0m" if styled else line for line in lines)
