"""Check edits, commits and pushes against leases (``agtmux guard``), and manage the git hooks that do so.

The daemon decides, and finds out who asks. Owns what happens without it: an agent is blocked with the reason, a person
gets one line and goes on. A hook never waits long: git and the daemon have time limits, and an alarm ends the rest.
"""

from __future__ import annotations

import json
import os
import signal
import sys

import click

from agtmux.cli import git_repo
from agtmux.cli.context import App, pass_app, shared
from agtmux.client import Client
from agtmux.protocol.errors import AgtmuxError
from agtmux.render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Finding = dict[str, Any]

LONGEST = 20
"""Seconds that a check may take as a whole."""
_PATHS, _CHARS = 2000, 500_000
"""Of one request."""
_SHOWN = 20
BLOCKED = 5
"""The exit status of a check that blocks, as of other refusals."""


@click.group("guard")
def guard_group() -> None:
    """Manage the git hooks that protect leased files.

    An agent is blocked at files that others hold, and outside its scope. A person is only warned.

    \b
    Examples:
      agtmux guard install --plan
      agtmux guard path src/api/views.py
    """


@guard_group.command()
@click.option("--repo", "folder", metavar="DIR", default=".", help="The repository (default: the current folder's).")
@click.option("--plan", is_flag=True, help="Show what would be done, and change nothing.")
@click.option("--uninstall", is_flag=True, help="Remove the hooks, and leave everything as it was before.")
@shared()
@pass_app
def install(app: App, folder: str, plan: bool, uninstall: bool) -> None:
    """Install git hooks that check commits and pushes.

    Your own hooks run first, and stay as they are. All worktrees of the repository have the hooks.

    \b
    Examples:
      agtmux guard install
      agtmux guard install --uninstall
    """
    from agtmux.cli.guard_hooks import install_steps, uninstall_steps
    from agtmux.installation import program

    repo = git_repo.find(folder)
    if repo is None:
        raise AgtmuxError("E_PRECONDITION_FAILED", f"{folder} is in no git repository with files: give --repo DIR")
    if uninstall:
        steps = uninstall_steps(repo)
    else:
        found = program("agtmux", sys.argv[0], sys.executable)
        if found is None:
            raise AgtmuxError("E_PRECONDITION_FAILED", "the program agtmux was not found: install agtmux first")
        steps = install_steps(repo, found)
    for step in steps:
        if not plan:
            step.do()
        app.say(step.text if not plan else f"would {step.text}")
    if not steps:
        app.say("there is nothing to remove" if uninstall else "the hooks are installed already")


@guard_group.command()
@click.option(
    "--hook", type=click.Choice(["pre-commit", "prepare-commit-msg", "pre-push"]), default="pre-commit",
    help="Which hook asks (default: pre-commit). pre-push reads what git gives to that hook.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
@shared()
@pass_app
def check(app: App, hook: str, as_json: bool) -> None:
    """Check staged files, or a push, against leases.

    Exit status 5: it is blocked. Git hooks run this.

    \b
    Example:
      agtmux guard check
    """
    from agtmux.cli import guard_files

    def files() -> list[tuple[git_repo.Repo, list[bytes]]]:
        repo = git_repo.find()
        if repo is None:
            return []
        lines = sys.stdin.buffer.read() if hook == "pre-push" else b""
        return [(repo, guard_files.pushed(repo, lines) if hook == "pre-push" else guard_files.staged(repo))]

    what = "this push" if hook == "pre-push" else "this commit"
    _Check(app, hook, what, as_json).run(files)


@guard_group.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
@shared()
@pass_app
def path(app: App, paths: tuple[str, ...], as_json: bool) -> None:
    """Check files before they are edited.

    Exit status 5: you may not edit one of them. For the hook of an agent that runs before an edit. A file outside of
    any repository passes.

    \b
    Examples:
      agtmux guard path src/api/views.py
      agtmux guard path "$(jq -r .tool_input.file_path)" || exit 2      (a PreToolUse hook of Claude Code)
    """
    from agtmux.cli import guard_files

    def files() -> list[tuple[git_repo.Repo, list[bytes]]]:
        found: dict[bytes, tuple[git_repo.Repo, list[bytes]]] = {}
        for one in paths:
            for place in guard_files.names_of(os.fsencode(one)):
                repo = git_repo.find(guard_files.nearest_folder(place))
                top = b"" if repo is None else os.path.realpath(repo.top) + b"/"
                if repo is not None and place.startswith(top):
                    found.setdefault(top, (repo, []))[1].append(place[len(top) :])
        return list(found.values())

    _Check(app, "edit", "this edit", as_json).run(files)


class _Check:
    """One check. ``what``: what is blocked, for messages."""

    def __init__(self, app: App, hook: str, what: str, as_json: bool) -> None:
        self._app, self._hook, self._what, self._as_json = app, hook, what, as_json

    def run(self, files: Any) -> None:
        """Check what ``files()`` lists. Exits with 5 if it is blocked."""

        def late(_number: int, _frame: object) -> None:
            raise AgtmuxError("E_DAEMON_UNREACHABLE", f"the check took more than {LONGEST} s")

        signal.signal(signal.SIGALRM, late)
        signal.alarm(LONGEST)
        try:
            answers = [self._ask(repo, found) for repo, found in files() if found]
        except (AgtmuxError, OSError, ValueError) as error:
            signal.alarm(0)
            self._unchecked(error)
            return
        signal.alarm(0)
        self._report([one for pieces in answers for one in pieces])

    def _ask(self, repo: git_repo.Repo, found: Sequence[bytes]) -> list[dict[str, Any]]:
        client = Client(timeout=5.0)  # a hook starts no daemon
        texts = [git_repo.escape(one) for one in found]
        return [
            client.guard_check({"repo": git_repo.body(repo), "paths": piece, "hook": self._hook}).json()
            for piece in git_repo.chunks(texts, _PATHS, _CHARS)
        ]

    def _unchecked(self, error: Exception) -> None:
        """Block an agent and let a person go on, because nothing could be checked."""
        from agtmux.cli.inside_agent import agent_above

        why = clean(error.message if isinstance(error, AgtmuxError) else f"{type(error).__name__}: {error}")
        agent = agent_above()
        if self._as_json:
            verdict: dict[str, object] = {
                "verdict": "pass" if agent is None else "block",
                "unchecked": why,
                "findings": [],
            }
            click.echo(json.dumps(verdict))
        if agent is None:
            self._say(f"leases were not checked: {why}")
            return
        self._say(f"{self._what} is blocked: it runs inside {clean(agent)}, and leases cannot be checked:")
        self._say(f"  {why}")
        self._say("  next: ask a person to start agtmux (agtmux daemon start), then try again")
        raise click.exceptions.Exit(BLOCKED)

    def _report(self, answers: Sequence[dict[str, Any]]) -> None:
        verdicts = [one["verdict"] for one in answers]
        verdict = next((one for one in ("block", "warn") if one in verdicts), "pass")
        findings: list[Finding] = [one for answer in answers for one in answer["findings"]]
        if self._as_json:
            click.echo(json.dumps({"verdict": verdict, "findings": findings}))
        if verdict == "block":
            self._say(f"{self._what} is blocked:")
        for one in findings[:_SHOWN]:
            self._say(f"{'  ' if verdict == 'block' else 'warning: '}{clean(one['text'])}")
            if verdict == "block":
                self._say(f"    next: {clean(one['next_step'])}")
        if len(findings) > _SHOWN:
            self._say(f"  and {len(findings) - _SHOWN} more")
        if verdict == "block":
            raise click.exceptions.Exit(BLOCKED)

    def _say(self, text: str) -> None:
        click.echo(f"agtmux guard: {text}", err=True)
