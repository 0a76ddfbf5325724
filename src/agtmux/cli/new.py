"""Open a tmux window with an agent in it, wait until it accepts input, and give it its first prompt (``agtmux new``).

Owns the order of the steps, and what is reported when one fails. Everything that can be refused is refused before the
window is opened. After that the window stays, whatever happens, and the same request goes on from there.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager

import click

from agtmux.cli import completion_values
from agtmux.cli.agent_start import HOST, AgentStart
from agtmux.cli.context import App, pass_app, shared
from agtmux.cli.new_window import (
    SESSION,
    Machine,
    checked_session,
    find_pane,
    look,
    one_at_a_time,
    open_window,
    session_here,
)
from agtmux.cli.target_shell import TargetShell
from agtmux.client import uuid7
from agtmux.protocol.errors import SCHEMA_VERSION, AgtmuxError
from agtmux.protocol.text import escaped
from agtmux.render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from agtmux.client import Client

RECEIPT = 10.0
"""Seconds to wait for a sign that the prompt was submitted."""


@click.command()
@click.argument("args", nargs=-1, type=click.UNPROCESSED, metavar="[-- ARGS...]")
@click.option("--target", default=HOST, show_default=True, metavar="TARGET", shell_complete=completion_values.targets,
              help="Open it on this target's machine.")  # fmt: skip
@click.option("--agent", default="claude", show_default=True, metavar="AGENT", shell_complete=completion_values.agents,
              help="Start this agent.")  # fmt: skip
@click.option("--name", metavar="NAME", help="Give the agent this name.")
@click.option("--session", metavar="SESSION",
              help=f"Use this tmux session; made if missing. Default: the one you are in, else {SESSION}.")  # fmt: skip
@click.option("--cwd", metavar="DIR", help="Start it in this folder (default: this one; on other machines your home).")
@click.option("--worktree", metavar="SLUG", help="Add a git worktree for it, on the branch agtmux/NAME/SLUG.")
@click.option("--prompt", metavar="TEXT", help="Send this prompt once the agent accepts input; - reads it from stdin.")
@click.option("--timeout", default="2m", show_default=True, metavar="DURATION",
              help="Wait at most this long for the agent (exit status 7).")  # fmt: skip
@click.option("--request-ref", metavar="NAME", help="Name this request; a second one with this name goes on with it.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@shared()
@pass_app
def new(app: App, args: tuple[str, ...], **options: Any) -> None:
    """Start an agent in a new tmux window.

    Waits until the agent accepts input, then sends the prompt as agtmux prompt does. ARGS go to the agent's program. If
    a step fails, the window stays, and agtmux prints what to type next.

    \b
    Examples:
      agtmux new --prompt "run the tests"
      agtmux new --agent codex --name reviewer --cwd ~/src/app
      agtmux new --target gpu --session train -- --model opus
    """
    if options["worktree"] is not None and options["name"] is None:
        raise click.UsageError("--worktree needs --name: the worktree is that agent's")
    from agtmux.cli.action_options import receipt
    from agtmux.cli.send import standard_input
    from agtmux.cli.wait import duration

    if options["prompt"] == "-":
        options["prompt"] = standard_input()
    seconds = duration(options["timeout"])
    start = NewAgent(app, args, options)
    start.open()
    result = start.wait(seconds)
    if options["as_json"]:
        click.echo(escaped(json.dumps({"schema_version": SCHEMA_VERSION, **result}, ensure_ascii=False)))
    else:
        item, name = result["item"], options["name"]
        words = [
            item["ref"],
            item["agent_type"],
            *([name] if name else []),
            "prompted" if result["action"] else "ready",
        ]
        sys.stdout.write("  ".join(clean(word) for word in words) + "\n")
    receipt(app, (result["action"] or {}).get("result") or {})


class NewAgent:
    """One request for a new agent. ``open`` first, then ``wait``."""

    def __init__(self, app: App, args: tuple[str, ...], options: Mapping[str, Any]) -> None:
        self._app, self._args, self._options = app, args, options
        self._client: Client = app.client()
        self._target = str(options["target"])
        self._request_ref = str(options["request_ref"] or uuid7())
        self._pane_id = ""

    def open(self) -> None:
        """Check everything, then open the window, unless this request has opened it already."""
        session = self._options["session"]
        if session is not None:
            checked_session(session)
        wish = {"target": self._target, "agent": self._options["agent"], "request_ref": self._request_ref}
        plan = self._client.check_spawn(wish).json()
        shell = TargetShell(self._target, plan["way"], plan["tmux"])
        if self._options["worktree"] is not None and shell.is_remote:
            raise AgtmuxError("E_UNSUPPORTED", "agtmux adds worktrees on this machine only: leave --worktree out")
        with one_at_a_time():
            pane_id = find_pane(shell, self._request_ref)
            if pane_id is not None:
                self._pane_id = pane_id
                self._app.say(f"this request has opened {pane_id} on {self._target} already: going on with it")
                return
            self._client.check_spawn({**wish, "name": self._options["name"]})
            machine = self._machine(shell, plan["program"])
            self._pane_id = open_window(
                shell, machine, self._args, session=session or session_here(shell),
                name=self._options["name"] or plan["agent"], request_ref=self._request_ref,
            )  # fmt: skip
        self._app.say(f"opened {self._pane_id} on {self._target} in {clean(machine.folder)}; waiting for the agent")

    def wait(self, seconds: float) -> dict[str, Any]:
        """Wait for the agent, name it, and send the prompt. Return what is printed as JSON.

        Raises the error of the step that failed. It says what is there now and what to type next.
        """
        start = AgentStart(self._app, self._target, self._pane_id, seconds)
        again = f"the window stays; to go on, repeat the command with --request-ref {self._request_ref}"
        with self._leaves(again):
            item = start.until_seen()
            self._app.say(f"{clean(item['agent_type'])} runs in {self._pane_id}")
            item = start.until_ready()  # by now an agent that starts itself again has done so
        with self._leaves(f"the agent runs in {self._pane_id} under another name, not prompted: see agtmux agents"):
            agent = self._give_name(str(item["runtime_id"]))
        with self._leaves(f"the agent runs in {self._pane_id}: look at it, then use agtmux prompt"):
            action = self._send_prompt(item)
        return {"request_ref": self._request_ref, "item": item, "agent": agent, "action": action}

    @contextmanager
    def _leaves(self, what: str) -> Iterator[None]:
        """Add to an error what is there now. The error's code stays."""
        try:
            yield
        except AgtmuxError as error:
            details = {**error.details, "pane_id": self._pane_id, "request_ref": self._request_ref}
            raise AgtmuxError(error.code, f"{error.message}; {what}", details) from None

    def _machine(self, shell: TargetShell, program: str) -> Machine:
        folder = self._options["cwd"]
        if folder is None and not shell.is_remote:
            folder = os.getcwd()
        found = look(shell, program, folder)
        slug = self._options["worktree"]
        return found if slug is None else found._replace(folder=self._worktree(found.folder, slug))

    def _worktree(self, folder: str, slug: str) -> str:
        """Return the folder of the agent's worktree for ``slug``. It is added if the agent has none in this repository.

        It is of the agent that gets this name.
        """
        from agtmux.cli.worktree_steps import add
        from agtmux.git.repository import find_repository

        name, common = str(self._options["name"]), find_repository(folder).common
        for one in self._client.worktrees().json()["items"]:
            mine = (one["repository"], one["agent"].casefold()) == (common, name.casefold())
            if mine and one["path"].endswith(f"+{slug}") and os.path.isdir(one["path"]):
                return str(one["path"])
        item = add(self._client, agent=name, slug=slug, base="HEAD", folder=folder)
        self._app.say(f"added the worktree {clean(item['path'])} on the branch {clean(item['branch'])}")
        return str(item["path"])

    def _holder(self) -> dict[str, Any] | None:
        """Return the agent that has the name. None if the name is free."""
        try:
            item: dict[str, Any] = self._client.agent(str(self._options["name"])).json()["item"]
        except AgtmuxError as error:
            if error.code != "E_AGENT_NOT_FOUND":
                raise
            return None
        return item

    def _give_name(self, runtime_id: str) -> dict[str, Any] | None:
        """Name the agent, or make it the agent that has this name and does not run."""
        name = self._options["name"]
        if name is None:
            return None
        holder = self._holder()
        if holder is not None and holder["runtime_id"] == runtime_id:
            return holder
        ref, request_ref = f"runtime:{runtime_id}", f"{self._request_ref}.{runtime_id[-20:]}"
        if holder is not None:
            reply = self._client.change_agent(name, "bind", {"request_ref": request_ref, "ref": ref})
        else:
            reply = self._client.change_agent(ref, "rename", {"request_ref": request_ref, "name": name})
        agent: dict[str, Any] = reply.json()["item"]
        return agent

    def _send_prompt(self, item: Mapping[str, Any]) -> dict[str, Any] | None:
        """Send the prompt to this very runtime, by the action ``prompt`` with all its checks. Return its answer."""
        text = self._options["prompt"]
        if text is None:
            return None
        request = {
            "request_ref": f"{self._request_ref}.prompt", "ref": item["ref"], "if_runtime": item["runtime_id"],
            "text": text, "timeout": RECEIPT,
        }  # fmt: skip
        return self._client.act("prompt", request, timeout=30.0 + RECEIPT).json()
