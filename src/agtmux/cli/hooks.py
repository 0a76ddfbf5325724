"""Install, remove and check the agents' hooks (``agtmux hooks install|uninstall|status``).

Owns the test event and what is printed. ``installation`` finds the settings; the daemon's adapters change them.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time

import click

from agtmux import render
from agtmux.cli import completion_values
from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.installation import config_homes, hook_command, temporary_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    from agtmux.client import Reply

    F = TypeVar("F", bound=Callable[..., Any])

TEST_FOR = 5.0
"""Seconds that a test event may take, from the command's start to the daemon, if hooks have their usual time."""
SPOOLED_FOR = 3.0
"""Seconds until the daemon reads what a hook left in the spool at its deadline."""


def _options(function: F) -> F:
    function = shared()(function)
    function = click.option("--json", "as_json", is_flag=True, help="Print the API's JSON answer unchanged.")(function)
    where = "Use the agents' settings on this target's machine (default: this machine)."
    function = click.option("--target", metavar="TARGET", shell_complete=completion_values.targets, help=where)(
        function
    )
    agents = "Use only this agent, e.g. claude; repeatable. Default: all (install: all that have a settings folder)."
    return click.option(
        "--agent", "agents", multiple=True, metavar="AGENT", shell_complete=completion_values.agents, help=agents
    )(function)


_dry = click.option("--dry-run", is_flag=True, help="Show the change without making it.")


@click.group("hooks")
def hooks_group() -> None:
    """Manage the hooks through which agents report.

    Hooks tell states faster and more reliably than screens.

    \b
    Example:
      agtmux hooks install --dry-run
    """


@hooks_group.command(short_help="Install hooks in the agents' settings.")
@_options
@_dry
@pass_app
def install(app: App, agents: tuple[str, ...], target: str | None, dry_run: bool, as_json: bool) -> None:
    """Install hooks in the agents' settings.

    Everything else in the settings stays as it is.

    \b
    Examples:
      agtmux hooks install --agent claude --dry-run
      agtmux hooks install
      agtmux hooks install --target vm1 --dry-run
    """
    _ask(app, "install", agents, target, dry_run, as_json)


@hooks_group.command()
@_options
@_dry
@pass_app
def uninstall(app: App, agents: tuple[str, ...], target: str | None, dry_run: bool, as_json: bool) -> None:
    """Remove the hooks that install added.

    Backups that equal the file are removed too. Other backups stay and are listed.

    \b
    Example:
      agtmux hooks uninstall --agent codex
    """
    _ask(app, "uninstall", agents, target, dry_run, as_json)


@hooks_group.command(short_help="Check that hooks are installed and reach the daemon.")
@_options
@click.option("--no-test", is_flag=True, help="Check only the files; send no test event.")
@pass_app
def status(app: App, agents: tuple[str, ...], target: str | None, no_test: bool, as_json: bool) -> None:
    """Check that hooks are installed and reach the daemon.

    Sends a test event through each hook command. Lists panes whose agent started before the settings changed and has
    not reported yet: restart those agents.

    \b
    Example:
      agtmux hooks status
    """
    _ask(app, "status", agents, target, False, as_json, test=not no_test)


def _warn(app: App, command: str) -> None:
    """Warn if hooks call a program that will not be there for long."""
    import shlex
    import tempfile

    program = shlex.split(command)[0]
    where = temporary_place(program, tempfile.gettempdir())
    if where is not None:
        app.say(
            f"the hooks call {render.clean(program)}, in {render.clean(where)}: they stop working when it is deleted."
            " Install agtmux permanently (uv tool install, pipx install), then run agtmux hooks install again"
        )


def test_for(env: Mapping[str, str]) -> float:
    """Return the seconds that a test event may take. If hooks have more time than usual, it has more too."""
    cap = env.get("AGTMUX_HOOK_CAP_MS", "")
    given = int(cap) / 1000 if cap.isascii() and cap.isdecimal() and len(cap) < 10 else 0.0
    return max(TEST_FOR, given + SPOOLED_FOR)


def send_test(item: Mapping[str, Any]) -> str:
    """Run the command in an agent's settings with a test payload, as the agent would. Return the test's number."""
    import json
    import subprocess
    import uuid

    nonce = uuid.uuid4().hex
    payload = json.dumps({"hook_event_name": "agtmux-test", "agtmux_test": nonce})
    line = f"{item['command']} '{payload}'" if item.get("as_argument") else str(item["command"])
    given = b"" if item.get("as_argument") else payload.encode()
    with contextlib.suppress(subprocess.TimeoutExpired, OSError):  # then it does not arrive, and that is reported
        subprocess.run(
            ["/bin/sh", "-c", line],
            input=given,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=test_for(os.environ),
            check=False,
        )
    return nonce


def _tested(app: App, request: dict[str, object], reply: Reply) -> tuple[Reply, dict[str, bool]]:
    """Send a test event through every installed command. Return the newest answer, and by path whether the event
    arrived.
    """
    sent = {str(i["path"]): send_test(i) for i in reply.json().get("items") or () if i.get("command")}
    arrived: dict[str, str] = {}
    end = time.monotonic() + test_for(os.environ)
    while sent:
        reply = app.client(timeout=30.0).hooks(request | {"tests": list(sent.values())})
        arrived = reply.json().get("arrived") or {}
        if len(arrived) == len(set(sent.values())) or time.monotonic() > end:
            break
        time.sleep(0.1)
    return reply, {path: nonce in arrived for path, nonce in sent.items()}


def _ask(
    app: App,
    op: str,
    agents: tuple[str, ...],
    target: str | None,
    dry_run: bool,
    as_json: bool,
    *,
    test: bool = False,
) -> None:
    request: dict[str, object] = {
        "op": op,
        "dry_run": dry_run,
        "command": hook_command(sys.argv[0], sys.executable),
        "config_homes": {} if target else config_homes(os.environ),
    }
    if target:
        request["target"] = target
        request["probe"] = test
    if agents:
        request["agents"] = list(agents)
    reply = app.client(timeout=30.0).hooks(request)
    arrived: dict[str, bool] = {}
    if test and not target:
        reply, arrived = _tested(app, request, reply)
    failed = not all(arrived.values())
    if op == "install" and not target:
        _warn(app, str(request["command"]))
    if as_json:
        write_body(reply.body)
    items = reply.json().get("items") or ()
    reported = {item.get("agent") for item in items}
    for agent in () if as_json else agents:
        if agent not in reported:
            app.say(f"agtmux knows no hooks for {render.clean(agent)}")
    if op == "status" and not as_json and items and not any(_matters(item) for item in items):
        _print_none(agents, target)
        items = ()
    for item in items:
        failed = failed or bool(item.get("error")) or bool(item.get("switched_off") and op == "status")
        if not as_json:
            _print_file(item, op, dry_run)
            _print_test(item, arrived.get(str(item.get("path"))))
    if test and not as_json and any(item.get("command") for item in items):
        click.echo("agtmux itself ran the hook commands for these tests, in the same way as the agents do.")
    if failed:
        click.get_current_context().exit(1)


def _matters(item: Mapping[str, Any]) -> bool:
    """Return whether there is more to report on a file than that nothing is installed in it."""
    return bool(item.get("installed") or item.get("error") or item.get("deaf_panes"))


def _print_none(agents: tuple[str, ...], target: str | None) -> None:
    of = f" of {', '.join(render.clean(agent) for agent in agents)}" if agents else ""
    where = f" on {render.clean(target)}" if target else ""
    words = [f"--agent {render.clean(agent)}" for agent in agents] + (
        [f"--target {render.clean(target)}"] if target else []
    )
    typed = " ".join(["agtmux hooks install", *words])
    click.echo(f"no hooks{of} are installed{where}: agtmux only reads the agents' screens. Run: {typed}")


def _print_test(item: Mapping[str, Any], arrived: bool | None) -> None:
    if arrived is True:
        click.echo("  test event: arrived")
    elif arrived is False:
        loud = render.clean(item.get("command")).partition(" 2>/dev/null")[0]  # so that it prints what is wrong
        click.echo(f"  test event: did not arrive. Try: echo '{{}}' | {loud}; then")
        click.echo("  agtmux hooks install, and agtmux daemon status to see the socket that hooks use")
    for ref in item.get("deaf_panes") or ():
        click.echo(f"  {render.clean(ref)}: started before its hooks were installed and has not reported: restart it")
    for ref in item.get("maybe_deaf_panes") or ():
        click.echo(
            f"  {render.clean(ref)}: has not reported; if it started before its hooks were installed, restart it"
        )


def _print_file(item: Mapping[str, Any], op: str, dry_run: bool) -> None:
    agent, path = render.clean(item.get("agent")), render.clean(item.get("path"))
    name = f"{agent}: {path}"
    if item.get("error"):
        text = render.clean(item["error"])
        click.echo(f"{agent if path in text else name}: {text}", err=True)
        return
    if op == "status":
        what = "outdated: run agtmux hooks install" if item.get("outdated") else "installed"
        off = ", but switched off: the agent does not run them" if item.get("switched_off") else ""
        click.echo(f"{name}: {what + off if item.get('installed') else 'not installed'}")
        if item.get("events"):
            click.echo("  " + ", ".join(render.clean(event) for event in item["events"]))
    elif not item.get("changed"):
        click.echo(f"{name}: nothing to change")
    else:
        click.echo(f"{name}: {'would change' if dry_run else f'{op}ed'}")
        if dry_run and item.get("diff"):
            click.echo(render.safe_block(item["diff"]).rstrip("\n"))
    if item.get("backup") and op == "install":  # what an uninstall leaves is among the notes
        click.echo(f"  backup: {render.clean(item['backup'])}")
    if item.get("switched_off"):
        click.echo(f"  switched off by {render.clean(item['switched_off'])}: remove that setting, or ask who set it")
    for note in item.get("notes") or ():
        click.echo(f"  {render.clean(note)}")
