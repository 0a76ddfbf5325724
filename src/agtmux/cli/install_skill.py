"""Teach agents the commands of agtmux by a skill (``agtmux install-skill``).

Owns where each agent looks for skills, and what is installed there. The text is one for all: ``skill.md``. Files of
others are never touched, and uninstalling leaves nothing behind.
"""

from __future__ import annotations

import os
import re
import sys

import click

from agtmux import installation, render, written_files
from agtmux.cli.context import App, pass_app, shared
from agtmux.protocol.errors import AgtmuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

IN_PROJECT = {
    "claude": ".claude/skills", "codex": ".agents/skills", "gemini": ".gemini/skills", "copilot": ".github/skills",
    "opencode": ".opencode/skills",
}  # fmt: skip
"""The agents with skills, and where each looks for those of a project. Its own are in ``skills`` of its settings."""
NAME = "agtmux"
BY = "agtmux install-skill"
SOURCE = os.path.join(os.path.dirname(written_files.__file__), "skill.md")
"""The text of the skill."""
_FRONT = "---\n"
_FOLDERS = re.compile(r"Folders made: (\d+)\.")


@click.command("install-skill")
@click.argument("agents", metavar="[AGENT]...", nargs=-1, type=click.Choice(list(IN_PROJECT)))
@click.option("--project", is_flag=True, help="Use the skills of this project instead of your own.")
@click.option("--check", is_flag=True, help="Only check that the skill is there and current (exit status 1 if not).")
@click.option("--uninstall", is_flag=True, help="Remove the skill, and the folders that were made for it.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and change nothing.")
@shared()
@pass_app
def install_skill(
    app: App, agents: tuple[str, ...], project: bool, check: bool, uninstall: bool, dry_run: bool
) -> None:
    """Install a skill that teaches agents the commands of agtmux.

    Without AGENT: for each of them that has a settings folder. Run it again after an update of agtmux. A file that you
    changed, or that agtmux did not write, is left alone.

    \b
    Examples:
      agtmux install-skill --dry-run
      agtmux install-skill claude codex
      agtmux install-skill --check
      agtmux install-skill claude --uninstall
    """
    if check and (uninstall or dry_run):
        raise click.UsageError("--check changes nothing: leave --uninstall and --dry-run out")
    found = places(agents, project)
    if not found:
        raise AgtmuxError("E_PRECONDITION_FAILED", "no agent has a settings folder here: name one, such as claude")
    failed = False
    for agent, path in found:
        try:
            done = checked(path) if check else removed(path, dry_run) if uninstall else installed(path, dry_run)
        except AgtmuxError as error:
            done, failed = f"not {'removed' if uninstall else 'installed'}: {error.message}", True
        failed = failed or (check and done != "current")
        if not app.quiet or failed:
            sys.stdout.write(f"{agent}: {render.clean(path)}: {render.clean(done)}\n")
    if failed:
        raise click.exceptions.Exit(1)


def places(agents: Sequence[str], project: bool) -> list[tuple[str, str]]:
    """Return the named agents, or all that have a settings folder, each with the path of its skill."""
    homes = installation.config_homes(os.environ)
    wanted = agents or [agent for agent in IN_PROJECT if project or os.path.isdir(homes[agent])]
    root = project_root(os.getcwd()) if project else ""
    return [
        (agent, os.path.join(root, IN_PROJECT[agent], NAME, "SKILL.md") if project
         else os.path.join(homes[agent], "skills", NAME, "SKILL.md"))
        for agent in dict.fromkeys(wanted)
    ]  # fmt: skip


def project_root(folder: str) -> str:
    """Return the top folder of the git repository that ``folder`` is in, else ``folder``."""
    at = folder
    while not os.path.lexists(os.path.join(at, ".git")):
        above = os.path.dirname(at)
        if above == at:
            return folder
        at = above
    return at


def skill(folders: int) -> str:
    """Return the text of the skill. ``folders``: how many folders are made for it, which its removal removes again."""
    with open(SOURCE, encoding="utf-8") as file:
        text = file.read()
    front = text.index(_FRONT, len(_FRONT)) + len(_FRONT)  # agents want their fields first
    return written_files.mark(text, BY, f"Folders made: {folders}.", after=text[:front].count("\n"), xml=True)


def installed(path: str, dry_run: bool) -> str:
    """Write the skill, unless it is current. Return what was done.

    Raises E_PRECONDITION_FAILED for a file of others.
    """
    before = written_files.text_of(path)
    text = skill(_made(path, before))
    if not written_files.check({path: text}, BY):
        return "current, nothing to do"
    what = "written" if before is None else "updated"
    if dry_run:
        return f"would be {what}"
    written_files.write(path, text)
    return what


def removed(path: str, dry_run: bool) -> str:
    """Remove the skill and the empty folders that were made for it. Return what was done. Raises as ``installed``."""
    before = written_files.text_of(path)
    if before is None:
        return "not there, nothing to do"
    written_files.check({path: before}, f"{BY} --uninstall")
    if dry_run:
        return "would be removed"
    written_files.remove([path])
    folder = os.path.dirname(path)
    for _ in range(_made(path, before)):
        if os.listdir(folder):
            break
        os.rmdir(folder)
        folder = os.path.dirname(folder)
    return "removed"


def checked(path: str) -> str:
    """Return ``current``, or what is wrong with the skill at ``path``."""
    before = written_files.text_of(path)
    if before is None:
        return f"not installed: run {BY}"
    owner = written_files.owners([path])[path]
    if owner != written_files.OURS:
        return "changed by hand" if owner == written_files.CHANGED else "not written by agtmux"
    return "current" if before == skill(_made(path, before)) else f"outdated: run {BY} again"


def _made(path: str, before: str | None) -> int:
    """Return how many folders the skill's file says that it made. Without a file: how many are missing now."""
    if before is not None:
        found = _FOLDERS.search(before)
        return int(found[1]) if found else 0
    return sum(1 for folder in _above(path) if not os.path.lexists(folder))


def _above(path: str) -> Iterator[str]:
    folder = os.path.dirname(path)
    while folder != os.path.dirname(folder):
        yield folder
        folder = os.path.dirname(folder)
