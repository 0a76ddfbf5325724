"""Show agents in the menu bar of macOS (``agtmux menubar``): print the menu, follow the stream, install the plugin.

Owns when a menu is printed, and what happens if an item is chosen. ``agtmux.menubar`` writes the menu.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time

import click

from agtmux import installation, menubar, written_files
from agtmux.cli.action_options import perform
from agtmux.cli.context import App, pass_app, shared
from agtmux.cli.live import FIRST_PAUSE, LISTEN, LONGEST_PAUSE, Follower, Rows
from agtmux.client import quote
from agtmux.protocol.errors import CODES, AgtmuxError
from agtmux.protocol.text import one_line
from agtmux.render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

AT_MOST_EVERY = "500ms"
"""Changes within this time make one menu."""
_BY = "agtmux menubar install"
_XBAR = "~/Library/Application Support/xbar/plugins"


@click.group("menubar", invoke_without_command=True)
@click.option("--follow", is_flag=True, help="Keep running: print a new menu at each change (for SwiftBar).")
@click.option("--xbar", is_flag=True, help="Print the form for xbar, without SwiftBar's pictures.")
@shared()
@click.pass_context
def menubar_group(ctx: click.Context, follow: bool, xbar: bool) -> None:
    """Show agents in the menu bar of macOS, by SwiftBar or xbar.

    Without a command it prints one menu. The menu shows who needs you, and what you can do about it.

    \b
    Examples:
      agtmux menubar install
      agtmux menubar
    """
    if ctx.invoked_subcommand is not None:
        return
    app = ctx.ensure_object(App)
    program = _program()
    if follow:
        _follow(app, program, swiftbar=not xbar)
        return
    body = app.client().listing("panes").json()
    _print(menubar.menu(body.get("items") or [], program, swiftbar=not xbar, note=_missing(body)))


@menubar_group.command(short_help="Install the plugin for SwiftBar, or for xbar.")
@click.option("--xbar", is_flag=True, help="Install for xbar, which runs the plugin every 10 s.")
@click.option("--dir", "folder", metavar="DIR", help="Use this plugin folder (default: that of SwiftBar or xbar).")
@click.option("--dry-run", is_flag=True, help="Print the plugin and its path without writing it.")
@shared()
def install(xbar: bool, folder: str | None, dry_run: bool) -> None:
    """Install the plugin for SwiftBar, or for xbar.

    \b
    Examples:
      agtmux menubar install
      agtmux menubar install --xbar --dry-run
    """
    path = _plugin(folder, xbar=xbar)
    text = written_files.mark(menubar.script(_program(), swiftbar=not xbar), _BY, after=1)
    if dry_run:
        click.echo(f"# {one_line(path)}\n{text}", nl=False)
        return
    changed = written_files.check({path: text}, _BY)
    for one in changed:
        written_files.write(one, text, 0o755)
    click.echo(f"wrote {one_line(path)}" if changed else f"nothing to change: {one_line(path)}")


@menubar_group.command()
@click.option("--xbar", is_flag=True, help="Remove the plugin of xbar.")
@click.option("--dir", "folder", metavar="DIR", help="Use this plugin folder (default: that of SwiftBar or xbar).")
@shared()
def uninstall(xbar: bool, folder: str | None) -> None:
    """Remove the plugin that install added.

    \b
    Example:
      agtmux menubar uninstall
    """
    path = _plugin(folder, xbar=xbar)
    removed, kept = written_files.remove([path])
    for one in removed:
        click.echo(f"removed {one_line(one)}")
    for one in kept:
        click.echo(f"kept {one_line(one)}: agtmux did not write it, or you changed it")
    if not removed and not kept:
        click.echo("not installed")


@menubar_group.command(short_help="Send a decision from the menu (run by the menu bar).")
@click.argument("kind", type=click.Choice(menubar.ACTIONS))
@click.argument("ref")
@click.option("--fingerprint", metavar="HEX", help="Act only while the prompt with this fingerprint is open.")
@click.option("--runtime", metavar="ID", required=True, help="Act only if this runtime is in the pane.")
@click.option("--state-version", type=int, metavar="N", required=True, help="Act only at this state version.")
@click.option("--option", type=int, metavar="N", help="Answer with this option.")
@shared()
@pass_app
def act(
    app: App, kind: str, ref: str, fingerprint: str | None, runtime: str, state_version: int, option: int | None
) -> None:
    """Send a decision from the menu (run by the menu bar, not by you).

    It acts only on the prompt that the menu showed, and only once, however often the item is chosen.

    \b
    Example:
      agtmux menubar act approve pane:host/work/@1/%12 --fingerprint=5f2c --runtime=rt-1 --state-version=7
    """
    if kind in ("approve", "deny", "answer") and not fingerprint:
        raise click.UsageError(f"{kind} needs --fingerprint: without it, another prompt could be answered")
    if (kind == "answer") != (option is not None):
        raise click.UsageError("--option works only with answer, and answer needs it")
    once = hashlib.sha256(json.dumps([kind, ref, fingerprint, runtime, state_version, option]).encode()).hexdigest()
    guard: dict[str, Any] = {
        "request_ref": f"menubar-{once[:32]}",
        "if_fingerprint": fingerprint,
        "if_runtime": runtime,
        "if_state_version": state_version,
    }
    try:
        reply = perform(app, app.client(), kind, ref, guard, option=option)
    except AgtmuxError as error:
        _tell("Not done", f"{kind}: {error.message}")
        raise
    result = reply.json().get("result") or {}
    sure = result.get("delivery") != "unconfirmed"
    _tell("Done" if sure else "Not confirmed", f"{kind}: {result.get('note') or ref}")
    click.echo(f"{kind}: {'done' if sure else 'unconfirmed'}")


def _follow(app: App, program: str, *, swiftbar: bool) -> None:
    """Print a menu at each change, over any number of connections. A lost daemon is shown, and waited for."""
    rows, pause, shown = Rows(), FIRST_PAUSE, ""

    def show(text: str) -> None:
        nonlocal shown
        if text != shown:
            _print(f"{menubar.SEPARATOR}\n{text}")
            shown = text

    def lost(error: AgtmuxError) -> None:
        follower.cursor = None  # the next connection begins with all agents, and so with a new menu
        show(menubar.trouble(error.message, program, swiftbar=swiftbar))

    while True:
        follower = Follower(
            app, {"scope": "panes", "interval": AT_MOST_EVERY, "cursor": None}, reconnect=True, lost=lost
        )
        try:
            for line in follower.lines(lambda: None, LISTEN):
                pause = FIRST_PAUSE
                if rows.apply(json.loads(line)):
                    show(menubar.menu(rows.body["items"], program, swiftbar=swiftbar, note=_missing(rows.body)))
        except KeyboardInterrupt:
            click.get_current_context().exit(130)
        except AgtmuxError as error:
            if not CODES[error.code].retryable:
                raise
            lost(error)
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def _missing(body: dict[str, Any]) -> str:
    """Return which targets did not answer: their agents may need you unseen."""
    names = {clean(error.get("target")) for error in body.get("target_errors") or ()}
    for item in body.get("items") or ():
        if item.get("reason_code") == "target_unreachable":
            names.add(clean((item.get("identity") or {}).get("target")))
    return f"{', '.join(sorted(names))} did not answer: what runs there is not known" if names else ""


def _print(text: str) -> None:
    """Write a menu at once: a reader that sees half of it would show half of it."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()


def _program() -> str:
    found = installation.program("agtmux", sys.argv[0], sys.executable)
    try:
        if found is None:
            raise ValueError("there is no program agtmux")
        menubar.menu([], found)
    except ValueError:
        raise AgtmuxError(
            "E_PRECONDITION_FAILED",
            f"a menu bar cannot call {found or sys.executable}: install agtmux where its path has only letters, "
            "digits, blanks and ._-/ (pipx install agtmux)",
        ) from None
    return found


def _plugin(folder: str | None, *, xbar: bool) -> str:
    """Return the path of the plugin. Raises E_PRECONDITION_FAILED if its folder is not known."""
    if folder is not None:
        return os.path.join(os.path.abspath(folder), "agtmux.10s.sh" if xbar else "agtmux.sh")
    if sys.platform != "darwin":
        raise AgtmuxError(
            "E_PRECONDITION_FAILED", "SwiftBar and xbar run on macOS only: name a plugin folder with --dir"
        )
    if xbar:
        return os.path.join(os.path.expanduser(_XBAR), "agtmux.10s.sh")
    import subprocess

    done = subprocess.run(
        ["defaults", "read", "com.ameba.SwiftBar", "PluginDirectory"], capture_output=True, text=True, check=False,
        timeout=10,
    )  # fmt: skip
    named = done.stdout.strip()
    if not named:
        raise AgtmuxError(
            "E_PRECONDITION_FAILED",
            "SwiftBar has no plugin folder yet: start it once (brew install swiftbar), or name a folder with --dir",
        )
    return os.path.join(os.path.expanduser(named), "agtmux.sh")


def _tell(title: str, text: str) -> None:
    """Show a result as a notification of SwiftBar, where there is one."""
    if sys.platform != "darwin" or not os.environ.get("SWIFTBAR"):
        return
    import subprocess

    short = one_line(text)[:200]
    url = f"swiftbar://notify?plugin=agtmux.sh&title={quote('agtmux: ' + title)}&body={quote(short)}"
    subprocess.run(["open", "-g", url], check=False, timeout=10, stdin=subprocess.DEVNULL, capture_output=True)
