"""Check what agents hold and share: leases, worktrees, the hooks of the guard, and the skill that agents are taught."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from datetime import UTC, datetime, timedelta

from agtmux import written_files
from agtmux.doctor.facts import home, shell
from agtmux.doctor.report import note, ok, skipped, warning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from agtmux.doctor.facts import Facts
    from agtmux.doctor.report import Finding

    Item = Mapping[str, Any]

UNUSED = timedelta(days=7)
"""After this time without a runtime, an agent's worktree is named."""
UNFINISHED = timedelta(minutes=10)
"""After this time, a step of a worktree that has not ended was interrupted."""
MOST = 10
"""Findings of one kind."""
_HOOKS = ("pre-commit", "prepare-commit-msg", "pre-push")
_FOLDERS = ("hooks", "agtmux-hooks")


def leases(facts: Facts) -> Iterator[Finding]:
    """Are leases held by agents that are gone?"""
    if facts.client is None:
        yield skipped("no_daemon", "needs the daemon")
        return
    held = facts.client.leases().json().get("items") or ()
    agents = _agents(facts)
    gone = [one for one in held if one.get("agent_id") and _is_gone(agents.get(one["agent_id"]))]
    for one in gone[:MOST]:
        what = str(one.get("pattern") or one.get("name"))
        text = f"{what} is held by {one.get('holder')}, which is gone"
        if one.get("orphaned_at"):
            yield note("orphaned", f"{text}: it is released within a minute")
        else:
            yield warning("held_by_gone", text, shell(["agtmux", "lease", "release", str(one.get("lease_id"))]))
    if not gone:
        yield ok("leases", f"{len(held)} held" if held else "none is held")


def worktrees(facts: Facts) -> Iterator[Finding]:
    """Do the records of worktrees agree with the disk, and are all of them used?"""
    if facts.client is None:
        yield skipped("no_daemon", "needs the daemon")
        return
    items = facts.client.worktrees().json().get("items") or ()
    agents = _agents(facts)
    found = [finding for one in items if (finding := _worktree(one, agents)) is not None]
    yield from found[:MOST]
    if not found:
        yield ok("worktrees", f"{len(items)} in use" if items else "none")


def guard(facts: Facts) -> Iterator[Finding]:
    """Do the git hooks of the guard find agtmux?"""
    hooks, gone = 0, False
    for folder in _repositories(facts):
        programs = {program for path in _hook_files(folder) if (program := _program(path)) is not None}
        hooks += bool(programs)
        for program in sorted(programs):
            if os.access(program, os.X_OK):
                continue
            top = os.path.dirname(folder) if os.path.basename(folder) == ".git" else "."
            install = shell(["agtmux", "guard", "install", "--repo", top])
            text = f"the git hooks in {home(folder)} call {home(program)}, which is not there"
            if shutil.which("agtmux", path=facts.environ.get("PATH")):
                yield note("program_moved", f"{text}: they use the agtmux that git finds", install)
            else:
                yield warning("program_gone", f"{text}: leases are not checked", install)
            gone = True
    if not gone:
        yield ok("guard", f"installed in {hooks} of the repositories that agtmux knows" if hooks else "not installed")


def skill(facts: Facts) -> Iterator[Finding]:
    """Is the skill of the agents that have it the one of this agtmux?"""
    result = facts.run([sys.executable, "-P", "-m", "agtmux", "install-skill", "--check"], 5.0, facts.environ)
    current = []
    for line in result.out.splitlines():
        agent, _, rest = line.partition(": ")
        if ": outdated: " in rest:
            text = f"the skill of {agent} is the one of another agtmux"
            yield warning("outdated", text, shell(["agtmux", "install-skill", agent]))
        elif rest.endswith(": changed by hand"):
            yield note("changed", f"the skill of {agent} was changed by hand: agtmux does not update it")
        elif rest.endswith(": current"):
            current.append(agent)
    yield ok("skill", ", ".join(current) or "no agent has it (agtmux install-skill adds it)")


def _agents(facts: Facts) -> dict[str, Item]:
    items = facts.client.agents({"all": "true"}).json().get("items") if facts.client is not None else None
    return {str(one.get("agent_id")): one for one in items or ()}


def _is_gone(agent: Item | None) -> bool:
    return agent is None or agent.get("last_seen") == "gone"


def _worktree(one: Item, agents: Mapping[str, Item]) -> Finding | None:
    """Return what is wrong with one worktree."""
    path, branch, state = str(one.get("path")), str(one.get("branch")), one.get("state")
    remove = shell(["agtmux", "worktree", "remove", branch])
    if state == "active" and not os.path.isdir(path):
        return warning("missing", f"the worktree {branch} has no folder any more: {home(path)}", remove)
    if state in ("adding", "removing") and _is_older(one.get("updated_at"), UNFINISHED):
        what = "added" if state == "adding" else "removed"
        return warning("unfinished", f"the worktree {branch} was not {what} to the end", remove)
    agent = agents.get(str(one.get("agent_id")))
    ended = one.get("updated_at") if agent is None else agent.get("ended_at")
    if not one.get("inside") and _is_gone(agent) and _is_older(ended, UNUSED):
        text = f"the worktree {branch} belongs to {one.get('agent')}, which has not run for {UNUSED.days} days"
        return note("unused", text, remove)
    return None


def _is_older(stamp: object, than: timedelta) -> bool:
    """Return whether a time of the daemon is further in the past than this. False if it cannot be read."""
    try:
        return datetime.now(UTC) - datetime.fromisoformat(str(stamp)) > than
    except (ValueError, TypeError):
        return False


def _repositories(facts: Facts) -> list[str]:
    """Return the git folders of this folder, of worktrees and of leases, each once."""
    here = facts.run(["git", "rev-parse", "--path-format=absolute", "--git-common-dir"])
    found = [here.out.rstrip("\n")] if here.status == 0 else []
    if facts.client is not None:
        items: Iterable[Item] = facts.client.worktrees().json().get("items") or ()
        found += [str(one["repository"]) for one in items if one.get("repository")]
        items = facts.client.leases().json().get("items") or ()
        found += [str(one["git_dir"]) for one in items if one.get("git_dir")]
    return list(dict.fromkeys(os.path.realpath(folder) for folder in found if os.path.isdir(folder)))


def _hook_files(folder: str) -> list[str]:
    return [os.path.join(folder, below, name + end) for below in _FOLDERS for name in _HOOKS for end in ("", ".legacy")]


def _program(path: str) -> str | None:
    """Return the program that a hook of agtmux calls. None: it is no hook of agtmux, or was changed by hand."""
    text = written_files.text_of(path)
    if text is None or written_files.owner_of(text) != written_files.OURS:
        return None
    for line in text.splitlines():
        if line.startswith("program="):
            words = shlex.split(line.removeprefix("program="))
            return words[0] if len(words) == 1 else None
    return None
