"""Manage the worktrees of agents (``agtmux worktree …``). Owns options and wording; ``worktree_steps`` does it."""

from __future__ import annotations

import json
import sys

import click

from agtmux.cli.context import App, pass_app, shared, write_body
from agtmux.render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.group("worktree")
def worktree_group() -> None:
    """Manage agents' worktrees, and never lose work in them.

    Each agent works in a worktree and on a branch that no other agent has. A worktree is removed only if everything in
    it is committed or salvaged. There is no option that deletes other work.

    \b
    Examples:
      agtmux worktree add --agent builder
      agtmux worktree remove builder
    """


@worktree_group.command(short_help="Add a worktree for an agent, on a new branch.")
@click.option("--agent", metavar="NAME", help="Whose worktree it is. An agent may leave this out.")
@click.option("--slug", metavar="NAME", help="Add this to the names of the branch and the folder.")
@click.option("--base", metavar="REF", default="HEAD", show_default=True, help="Start from this branch or commit.")
@click.option("--repo", metavar="PATH", default=".", help="A folder of the repository (default: this folder).")
@_AS_JSON
@shared()
@pass_app
def add(app: App, agent: str | None, slug: str | None, base: str, repo: str, as_json: bool) -> None:
    """Add a worktree for an agent, on a new branch.

    The branch is agtmux/[TEAM/]AGENT[/SLUG]. Git keeps the worktree locked, so that git worktree prune leaves it alone.
    If a step fails, nothing is left of it.

    \b
    Examples:
      agtmux worktree add --agent builder
      agtmux worktree add --agent builder --slug fix-login --base main
    """
    from agtmux.cli import worktree_steps as steps

    item = steps.add(app.client(), agent=agent, slug=slug, base=base, folder=repo)
    if as_json:
        _print_json(item)
        return
    click.echo(clean(item["path"]))
    app.say(f"on the new branch {clean(item['branch'])}")
    if item["filters"]:
        names = ", ".join(clean(name) for name in item["filters"])
        app.say(f"filters of this repository's own configuration did not run: {names}. To run them:")
        app.say(f"  git -C {clean(item['path'])} checkout-index --all --force")


@worktree_group.command("list", short_help="List worktrees of agents.")
@click.option("--agent", metavar="NAME", help="Only those of this agent.")
@click.option("--all", "everything", is_flag=True, help="Also those that were removed.")
@_AS_JSON
@shared()
@pass_app
def list_(app: App, agent: str | None, everything: bool, as_json: bool) -> None:
    """List worktrees of agents, and who works in them.

    \b
    Example:
      agtmux worktree list
    """
    reply = app.client().worktrees(removed=everything)
    items = [one for one in reply.json()["items"] if agent is None or agent.casefold() == one["agent"].casefold()]
    if as_json:
        _print_json({"items": items}) if agent is not None else write_body(reply.body)
        return
    for one in items:
        inside = f"  in use by {', '.join(clean(ref) for ref in one['inside'])}" if one["inside"] else ""
        click.echo(f"{clean(one['agent'])}  {one['state']}  {clean(one['branch'])}  {clean(one['path'])}{inside}")
    if not items:
        app.say("No worktrees: add one with agtmux worktree add --agent NAME.")


@worktree_group.command(short_help="Check worktrees: changes, conflicts, wrong records.")
@click.argument("ref", required=False)
@_AS_JSON
@shared()
@pass_app
def check(app: App, ref: str | None, as_json: bool) -> None:
    """Check worktrees against git and the disk. Without REF, all of them.

    Shows what keeps each from being removed, how far it is from its base, and files with conflict markers. Exit status
    1 if a record is wrong.

    \b
    Examples:
      agtmux worktree check
      agtmux worktree check builder
    """
    from agtmux.cli import worktree_steps as steps

    client = app.client()
    items = client.worktrees().json()["items"]
    chosen = items if ref is None else [steps.find_record(items, ref)]
    found = [steps.check(client, one) for one in chosen]
    loose = steps.unrecorded(items) if ref is None else []
    if as_json:
        _print_json({"items": found, "unrecorded": loose})
    else:
        lines = [line for one in found for line in check_lines(one)]
        lines += [f"{clean(path)}: no record names it: move it away, or see git worktree list" for path in loose]
        click.echo("\n".join(lines or ["No worktrees."]))
    if loose or any(one["wrong"] for one in found):
        raise click.exceptions.Exit(1)


def check_lines(one: dict[str, Any]) -> list[str]:
    """Write what a check found as text."""
    distance = "" if one["ahead"] is None else f"  {one['ahead']} ahead, {one['behind']} behind {clean(one['base'])}"
    out = [f"{clean(one['agent'])}  {one['state']}  {clean(one['branch'])}{distance}"]
    out += [f"  wrong: {clean(text)}" for text in one["wrong"]]
    for obstacle in one["keeps"]:
        names = ", ".join(clean(path) for path in obstacle["paths"][:5])
        more = f" and {obstacle['count'] - 5} more" if obstacle["count"] > 5 else ""
        out.append(f"  has {clean(obstacle['text'])}{': ' + names if names else ''}{more}")
    out += [f"  conflict markers: {clean(path)}" for path in one["conflict_files"]]
    out += [f"  too large to scan whole: {clean(path)}" for path in one["scan_truncated"]]
    if not one["wrong"] and not one["keeps"]:
        out.append("  may be removed")
    return out


@worktree_group.command(short_help="Set aside a verified copy of all unsaved work.")
@click.argument("ref", required=False)
@click.option("--ignored", "ignored", metavar="NAME", multiple=True, help="Include this ignored file or folder.")
@click.option("--all-ignored", is_flag=True, help="Include all ignored files.")
@_AS_JSON
@shared()
@pass_app
def salvage(app: App, ref: str | None, ignored: tuple[str, ...], all_ignored: bool, as_json: bool) -> None:
    """Set aside a verified copy of everything that is only in a worktree.

    The copy is a ref in the repository, an archive with all bytes, and a patch. The worktree does not change. Without
    REF, the worktree of this folder. Files that git ignores are included only if you name them.

    \b
    Examples:
      agtmux worktree salvage builder
      agtmux worktree salvage builder --ignored .env
    """
    from agtmux.cli import worktree_steps as steps

    client = app.client()
    body = client.worktrees().json()
    item = steps.find_record(body["items"], ref)
    record, made = steps.save(client, item, body["salvage_folder"], None if all_ignored else ignored)
    if as_json:
        _print_json(record)
        return
    click.echo(clean(made.folder))
    app.say(f"{made.files} files were copied and verified, also as {made.ref}")


@worktree_group.command(short_help="Remove a worktree in which all work is saved.")
@click.argument("ref", required=False)
@click.option("--discard-ignored", "discard", metavar="NAME", multiple=True,
              help="Give up this ignored file or folder. Name each one.")  # fmt: skip
@_AS_JSON
@shared()
@pass_app
def remove(app: App, ref: str | None, discard: tuple[str, ...], as_json: bool) -> None:
    """Remove a worktree in which all work is saved. Its branch stays.

    It is kept if it has changes, untracked or ignored files, stashes, an operation in progress, a commit that no branch
    reaches, repositories inside, or a program that works in it. No option changes that. Commit the work, or copy it
    with agtmux worktree salvage, then remove it.

    \b
    Examples:
      agtmux worktree remove builder
      agtmux worktree remove builder --discard-ignored node_modules
    """
    from agtmux.cli import worktree_steps as steps

    client = app.client()
    item = steps.find_record(client.worktrees().json()["items"], ref)
    record = steps.remove(client, item, discard)
    if as_json:
        _print_json(record)
        return
    app.say(f"{clean(item['path'])} is removed; its branch {clean(item['branch'])} stays")


@worktree_group.command(short_help="Check whether two worktrees merge without conflicts.")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--repo", metavar="PATH", default=".", help="A folder of the repository, if A or B is a branch.")
@_AS_JSON
@shared()
@pass_app
def preflight(app: App, first: str, second: str, repo: str, as_json: bool) -> None:
    """Check whether two worktrees merge without conflicts. Changes nothing.

    A and B are worktrees, branches or commits. Only commits count. Also shows leases on the files that either changed.
    Exit status 1 if they do not merge.

    \b
    Example:
      agtmux worktree preflight builder tester
    """
    from agtmux.cli.worktree_preflight import preview

    found = preview(app.client(), first, second, repo)
    if as_json:
        _print_json(found)
    else:
        click.echo("\n".join(preview_lines(found)))
    if not found["clean"]:
        raise click.exceptions.Exit(1)


def preview_lines(found: dict[str, Any]) -> list[str]:
    """Write the result of a preflight as text."""
    names = f"{clean(found['a']['name'])} and {clean(found['b']['name'])}"
    out = [f"{names} merge without conflicts" if found["clean"] else f"{names} conflict in:"]
    out += [f"  {clean(path)}" for path in found["conflicts"]]
    for one in (found["a"], found["b"]):
        if one["uncommitted"]:
            out.append(f"{clean(one['name'])} has {one['uncommitted']} uncommitted files, which are not compared")
    for lease in found["leases"] or ():
        out.append(f"{clean(lease['holder'])} holds {clean(lease['pattern'])}")
    return out


@worktree_group.command(short_help="List files that two agents changed in one repository.")
@_AS_JSON
@shared()
@pass_app
def collisions(app: App, as_json: bool) -> None:
    """List files that two agents changed in one repository.

    The daemon looks at the end of a turn. Turn it off with worktrees.radar = false in the configuration.

    \b
    Example:
      agtmux worktree collisions
    """
    reply = app.client().collisions()
    if as_json:
        write_body(reply.body)
        return
    items = reply.json()["items"]
    for one in items:
        names = " and ".join(clean(agent["agent"] or agent["agent_id"]) for agent in one["agents"])
        click.echo(
            f"{clean(one['path'])}  {names}{'' if one['certain'] else '  (perhaps)'}  {clean(one['repository'])}"
        )
    if not items:
        app.say("No file is known to be changed by two agents.")


def _print_json(value: Sequence[Any] | dict[str, Any]) -> None:
    sys.stdout.flush()
    write_body(json.dumps(value, ensure_ascii=True).encode())
