"""List merge conflicts in files, show one, resolve one (``agtmux conflict …``). Owns options and wording."""

from __future__ import annotations

import json
import os

import click

from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.protocol.errors import AgtmuxError
from agtmux.render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from agtmux.git.conflict_scan import Scan
    from agtmux.git.markers import Conflict
    from agtmux.git.run import Git

_SIDES = ("ours", "theirs", "base", "both")
_REPO = click.option("--repo", metavar="PATH", default=".", help="A folder of the working tree (default: this folder).")
_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.group("conflict")
def conflict_group() -> None:
    """List merge conflicts in files, and resolve them one by one.

    An id stays the same until its conflict is resolved.

    \b
    Example:
      agtmux conflict list
    """


@conflict_group.command("list", short_help="List the conflicts in a working tree.")
@_REPO
@click.option("--agent", metavar="NAME", help="In the worktrees of this agent.")
@_AS_JSON
@shared()
@pass_app
def list_(app: App, repo: str, agent: str | None, as_json: bool) -> None:
    """List the conflicts in a working tree, each with its id.

    A conflict is a block of markers at the start of lines, with or without the base, or a binary file in conflict. Of
    each file, the first 10 MiB are read.

    \b
    Examples:
      agtmux conflict list
      agtmux conflict list --agent builder
    """
    from agtmux.git.conflict_scan import scan

    folders = [repo] if agent is None else _folders_of(app, agent)
    scans = [scan(*_tree(folder)) for folder in folders]
    if as_json:
        write_body(json.dumps({"trees": [_scan_item(one) for one in scans]}).encode())
        return
    for one in scans:
        for conflict in one.conflicts:
            sides = f"{clean(conflict.ours_label)} | {clean(conflict.theirs_label)}"
            click.echo(f"{conflict.conflict_id}  {clean(conflict.path)}:{conflict.line}  {sides}")
        for whole in one.whole:
            click.echo(f"{whole.conflict_id}  {clean(whole.path)}  whole file: {', '.join(whole.sides)}")
        for path in one.truncated:
            click.echo(f"too large to scan whole: {clean(path)}")
    if not any(one.conflicts or one.whole for one in scans):
        app.say("No conflicts.")


def _folders_of(app: App, agent: str) -> list[str]:
    items = app.client().worktrees().json()["items"]
    found = [str(one["path"]) for one in items if one["agent"].casefold() == agent.casefold()]
    if not found:
        raise AgtmuxError("E_NOT_FOUND", f"{agent} has no worktree: see agtmux worktree list")
    return [path for path in found if os.path.isdir(path)]


def _tree(folder: str) -> tuple[Git, str]:
    from agtmux.git.repository import find_repository

    found = find_repository(os.path.realpath(folder))
    if found.top is None:
        raise AgtmuxError("E_PRECONDITION_FAILED", f"{folder} has no working tree: pass another with --repo")
    return found.git.at(found.top), found.top


def _scan_item(one: Scan) -> dict[str, Any]:
    from agtmux.git.obstacles import printable

    blocks = [
        {"id": c.conflict_id, "path": printable(c.path), "line": c.line, "ours": c.ours_label, "theirs": c.theirs_label,
         "has_base": c.base is not None, "whole_file": False}
        for c in one.conflicts
    ]  # fmt: skip
    files = [
        {"id": w.conflict_id, "path": printable(w.path), "sides": list(w.sides), "whole_file": True} for w in one.whole
    ]
    return {
        "tree": printable(one.top),
        "conflicts": [*blocks, *files],
        "scan_truncated": [printable(path) for path in one.truncated],
    }


@conflict_group.command(short_help="Show both sides of a conflict.")
@click.argument("conflict_id", metavar="ID")
@_REPO
@shared()
@pass_app
def show(app: App, conflict_id: str, repo: str) -> None:
    """Show both sides of a conflict, and the base if the file has it.

    \b
    Example:
      agtmux conflict show c1a2b3c4
    """
    from agtmux.git.conflict_scan import show as read_conflict

    _, top = _tree(repo)
    path, one = read_conflict(top, conflict_id)
    click.echo(f"{clean(path)}{f':{one.line}' if one is not None else ''}")
    if one is None:
        app.say("the whole file is in conflict: take one side with agtmux conflict resolve")
        return
    for title, text in _parts(one):
        click.echo(f"--- {title}")
        for line in text.splitlines():
            click.echo(clean(line.decode("utf-8", "replace"), ""))


def _parts(one: Conflict) -> list[tuple[str, bytes]]:
    base = [] if one.base is None else [("base", one.base)]
    return [(f"ours {clean(one.ours_label)}", one.ours), *base, (f"theirs {clean(one.theirs_label)}", one.theirs)]


@conflict_group.command(short_help="Set a conflict to one side, both, or a file's content.")
@click.argument("conflict_id", metavar="ID")
@click.option("--with", "choice", required=True, metavar="ours|theirs|base|both|FILE",
              help="What to put in its place. Write ./ours for a file of that name.")  # fmt: skip
@_REPO
@shared()
@pass_app
def resolve(app: App, conflict_id: str, choice: str, repo: str) -> None:
    """Set a conflict to one side, both sides, the base, or a file's content.

    Other conflicts of the file keep their ids. If the file changed since agtmux conflict list, nothing is written.

    \b
    Examples:
      agtmux conflict resolve c1a2b3c4 --with ours
      agtmux conflict resolve c1a2b3c4 --with merged.txt
    """
    from agtmux.git.conflict_scan import resolve as write_side

    content = None if choice in _SIDES else _file(choice)
    git, top = _tree(repo)
    path, left = write_side(git, top, conflict_id, choice if content is None else "file", content)
    if left:
        app.say(f"{clean(path)} has {left} more")
    else:
        app.say(f"{clean(path)} has no more conflicts: run git add on it")


def _file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise AgtmuxError(
            "E_INVALID_REQUEST", f"{path} cannot be read ({error.strerror}): use ours, theirs, base, both or a file"
        ) from None
