"""Bring agents back after their tmux server is gone (``agtmux restore``).

Owns the tmux commands that start them: the daemon plans, and starts nothing itself. Each agent is claimed in the daemon
before it is started, so two calls never start the same session twice.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import sys
from contextlib import contextmanager

import click

from agtmux import render
from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.cli.target_shell import TargetShell
from agtmux.protocol import paths
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.tmux_quote import format_literal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

_STAY = ("sh", "-c", '"$@"; exec "${SHELL:-/bin/sh}"', "sh")
"""Runs the agent, and a shell when the agent ends, so that its pane stays."""
_IDLE = "#{?pane_dead,1,0}#{?pane_in_mode,1,0} #{pane_pid}"


@click.command()
@click.option("--plan", "only_plan", is_flag=True, help="Show what would be started, and change nothing (default).")
@click.option("--apply", is_flag=True, help="Start the agents of the plan.")
@click.option("--again", is_flag=True, help="Also start agents that were restored before and did not come up.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan, or the results, as JSON.")
@shared()
@pass_app
def restore(app: App, only_plan: bool, apply: bool, again: bool, as_json: bool) -> None:
    """Restart agents that were lost with their tmux server.

    After a reboot, or if tmux died, each agent comes back in its session and window, with its own conversation. An
    agent is not started if its conversation already runs in a pane. Options of the old command line, such as a model or
    a permission mode, are not used again.

    \b
    Examples:
      agtmux restore              show the plan
      agtmux restore --apply      start the agents
    With tmux-resurrect, in tmux.conf:
      set -g @resurrect-hook-post-restore-all 'agtmux restore --apply --quiet'
    """
    if only_plan and apply:
        raise click.UsageError("use --plan or --apply, not both")
    if not apply:
        reply = app.client().restore_plan(again=again)
        if as_json:
            write_body(reply.body)
        else:
            sys.stdout.write("\n".join(plan_lines(reply.json()["items"])) + "\n")
        return
    with _alone():
        items = app.client().restore_plan(again=again).json()["items"]
        starter = Starter()
        results = [_restored(app, starter, one, again) for one in items]
    if as_json:
        write_body(json.dumps({"items": results}).encode())
    elif not app.quiet:
        listed = [f"{place(one)}  {render.clean(one['agent_type'])}  {render.clean(one['result'])}" for one in results]
        sys.stdout.write("\n".join(listed or ["No agents were lost: there is nothing to restore."]) + "\n")
    if any(one["failed"] for one in results):
        raise click.exceptions.Exit(1)


@contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other call restores agents: panes of one window are started by one call."""
    folder = paths.runtime_dir()
    paths.ensure_private_dir(folder)
    fd = os.open(os.path.join(folder, "restore.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def plan_lines(items: Sequence[dict[str, Any]]) -> list[str]:
    """Write the plan as text, one line an agent."""
    if not items:
        return ["No agents were lost: there is nothing to restore."]
    out = []
    for one in items:
        what = {"new": "starts in a new pane", "pane": f"starts in {one['pane_id']}"}.get(one["action"])
        detail = f"{what}: {shlex.join(one['argv'])}" if what else f"stays away: {one['reason']}"
        out.append(f"{place(one)}  {render.clean(one['agent_type'])}  {render.clean(detail)}")
    if any(one["action"] != "skip" for one in items):
        out.append("Run agtmux restore --apply to start them.")
    return out


def place(one: dict[str, Any]) -> str:
    """Name the place of a lost agent like ``work:1.0``, with its target if it is not this machine's."""
    where = f"{render.clean(one['session_name'])}:{one['window_index']}.{one['pane_index']}"
    return where if one["target"] == "host" else f"{render.clean(one['target'])} {where}"


def _restored(app: App, starter: Starter, one: dict[str, Any], again: bool) -> dict[str, Any]:
    """Claim and start one agent. Return its item with ``result`` (text) and ``failed``."""
    if one["action"] == "skip":
        return {**one, "result": f"stays away: {one['reason']}", "failed": False}
    client = app.client()
    try:
        argv = starter.command(one)
        client.restore_claim({"runtime_id": one["runtime_id"], "again": again})
    except AgtmuxError as error:
        return {**one, "result": f"stays away: {error.message}", "failed": error.code != "E_PRECONDITION_FAILED"}
    try:
        pane_id = starter.start(one, argv)
    except AgtmuxError as error:
        client.restore_claim({"runtime_id": one["runtime_id"], "release": True})
        return {**one, "result": f"not started: {error.message}", "failed": True}
    return {**one, "pane_id": pane_id, "result": f"started in {pane_id}", "failed": False}


class Starter:
    """Starts the agents of one plan. Panes that shared a window share one again."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str, int], str] = {}

    def command(self, one: dict[str, Any]) -> list[str]:
        """Return the command line of the agent. Raises E_PRECONDITION_FAILED if this machine lacks its program."""
        program, *rest = one["argv"]
        if one["way"]:
            return [*_STAY, program, *rest]
        found = shutil.which(program)
        if found is None:
            raise AgtmuxError("E_PRECONDITION_FAILED", f"{program} is not on your PATH")
        return [*_STAY, found, *rest]

    def start(self, one: dict[str, Any], argv: list[str]) -> str:
        """Start the agent and return its pane id. Raises E_PRECONDITION_FAILED, E_TARGET_UNREACHABLE, E_TIMEOUT."""
        shell = TargetShell(one["target"], one["way"], one["tmux"])
        where = ["-c", format_literal(one["cwd"])] if one["cwd"] else []
        if one["action"] == "pane" and _is_idle(shell, one["pane_id"]):
            shell.tmux("respawn-pane", "-k", "-t", one["pane_id"], *where, *argv)
            return str(one["pane_id"])
        shows = ["-d", "-P", "-F", "#{pane_id} #{window_id}"]
        key = (one["target"], one["session_name"], one["window_index"])
        name = ["-n", format_literal(one["window_name"])] if one["window_name"] else []
        if key in self._windows:
            made = shell.tmux("split-window", *shows, "-t", self._windows[key], *where, *argv)
            shell.tmux("select-layout", "-t", self._windows[key], "tiled")
        elif shell.try_tmux("has-session", "-t", f"={one['session_name']}").returncode == 0:
            made = shell.tmux("new-window", *shows, *name, "-t", f"={one['session_name']}:", *where, *argv)
        else:
            made = shell.tmux("new-session", *shows, "-s", format_literal(one["session_name"]), *name, *where, *argv)
        pane_id, _, window_id = made.strip().partition(" ")
        self._windows[key] = window_id
        return pane_id


def _is_idle(shell: TargetShell, pane_id: str) -> bool:
    """Return whether the pane still has a shell that runs nothing. Otherwise the agent gets a pane of its own."""
    shown = shell.try_tmux("display-message", "-p", "-t", pane_id, _IDLE)
    listed = shell.run(["ps", "-A", "-o", "ppid="])
    if shown.returncode or listed.returncode:
        return False
    state, _, pid = shown.stdout.strip().partition(" ")
    return state == "00" and pid.isdigit() and pid not in listed.stdout.split()
