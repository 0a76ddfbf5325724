"""Check the agents: are their versions known, do hooks report, and which agents have to be started again?"""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile

from agtmux import __version__, installation
from agtmux.doctor.facts import home, shell
from agtmux.doctor.report import note, ok, problem, skipped, warning
from agtmux.protocol.errors import AgtmuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from agtmux.doctor.facts import Facts
    from agtmux.doctor.report import Finding

HOOKS_ANSWER = 10.0
"""Seconds that the daemon may take to read the agents' settings."""


def versions(facts: Facts) -> Iterator[Finding]:
    """Are the screens of the running agents known?"""
    if facts.client is None or facts.health is None:
        yield skipped("no_daemon", "needs the daemon")
        return
    rows = facts.client.listing("panes").json().get("items") or ()
    known = {str(one.get("agent_type")): one for one in facts.health.get("adapters") or ()}
    seen: dict[tuple[str, str], list[str]] = {}
    unread: list[str] = []
    for row in rows:
        pane = str((row.get("identity") or {}).get("pane_id"))
        seen.setdefault((str(row.get("agent_type")), str(row.get("agent_version") or "")), []).append(pane)
        if row.get("reason_code") == "unsupported_signal":
            unread.append(pane)
    for (agent, version), panes in sorted(seen.items()):
        adapter, where = known.get(agent) or {}, ", ".join(panes)
        oldest, newest = adapter.get("oldest_version"), adapter.get("newest_version")
        if oldest and numbers(version) and numbers(version) < numbers(str(oldest)):
            text = (
                f"{agent} {version} ({where}) is older than {oldest}, the oldest whose screens agtmux reads: update it"
            )
            yield warning("older", text, shell(["agtmux", "explain", panes[0]]))
        elif newest and numbers(version) > numbers(str(newest)):
            yield note(
                "newer", f"{agent} {version} ({where}) is newer than {newest}, the newest that agtmux was tested with"
            )
    for pane in unread:
        yield note("unread", f"{pane}: no rule matches its screen", shell(["agtmux", "explain", pane]))
    count = sum(map(len, seen.values()))
    names = ", ".join(sorted({f"{agent} {version}".strip() for agent, version in seen}))
    yield ok("agents", f"{count} running: {names}" if count else "none runs")


def hooks(facts: Facts) -> Iterator[Finding]:
    """Are hooks installed, do they call this agtmux, and have all agents read them?"""
    if facts.client is None:
        yield skipped("no_daemon", "needs the daemon")
        return
    request = {
        "op": "status",
        "dry_run": False,
        "command": installation.hook_command(facts.argv0, sys.executable),
        "config_homes": installation.config_homes(facts.environ),
    }
    try:
        items = facts.client.hooks(request).json().get("items") or ()
    except AgtmuxError as error:
        if error.code != "E_FORBIDDEN":
            raise
        yield skipped("forbidden", error.message)
        return
    good: list[str] = []
    for item in items:
        found = list(_of(item))
        yield from found
        if item.get("installed") and not found:
            good.append(str(item.get("agent")))
    yield from _programs({str(item["command"]): str(item.get("agent")) for item in items if item.get("command")}, facts)
    there = {str(item.get("agent")) for item in items if item.get("installed")}
    missing = sorted(
        agent
        for agent, folder in installation.config_homes(facts.environ).items()
        if agent not in there and os.path.isdir(folder)
    )
    for agent in missing:
        text = f"{agent} has no hooks: agtmux only reads its screen"
        yield note("not_installed", text, shell(["agtmux", "hooks", "install", "--agent", agent]))
    if good:
        yield ok("installed", ", ".join(dict.fromkeys(good)))
    elif not there and not missing:
        yield ok("no_agents", "no agent has settings here")


def _of(item: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is wrong with one file of settings."""
    agent, path = str(item.get("agent")), home(str(item.get("path")))
    install = shell(["agtmux", "hooks", "install", "--agent", agent])
    if item.get("error"):
        yield warning("unreadable", f"{agent}: {item['error']}", "agtmux hooks status")
    if not item.get("installed"):
        return
    if item.get("outdated"):
        yield warning("outdated", f"the hooks in {path} are outdated", install)
    if item.get("switched_off"):
        yield warning("switched_off", f"{agent} runs no hooks: {item['switched_off']} switches them off")
    for ref in item.get("deaf_panes") or ():
        yield warning("deaf", f"{ref} started before its hooks were installed: end that agent and start it again")
    for ref in item.get("maybe_deaf_panes") or ():
        yield note(
            "maybe_deaf", f"{ref} has not reported; if it started before its hooks were installed, start it again"
        )


def _programs(commands: Mapping[str, str], facts: Facts) -> Iterator[Finding]:
    """Check the programs that the installed hooks call, each once."""
    for command, agent in {_program(command): agent for command, agent in commands.items()}.items():
        install = shell(["agtmux", "hooks", "install"])
        if command is None:
            continue
        if not os.access(command, os.X_OK):
            yield problem("program_gone", f"the hooks of {agent} call {home(command)}, which is not there", install)
            continue
        where = installation.temporary_place(command, tempfile.gettempdir())
        if where is not None:
            yield warning(
                "program_temporary", f"the hooks of {agent} call {home(command)}, in {where}: install agtmux for good "
                "(pipx install agtmux), then install the hooks again", install
            )  # fmt: skip
        if os.path.basename(command) != "agtmux":
            continue
        version = facts.run([command, "--version"]).out.strip().rpartition(" ")[2]
        if version and version != __version__:
            yield warning(
                "program_differs",
                f"the hooks of {agent} call agtmux {version} ({home(command)}), this is {__version__}",
                install,
            )


def _program(command: str) -> str | None:
    """Return the program of a hook command by its absolute path. None if it cannot be read."""
    try:
        words = shlex.split(command.partition(" 2>")[0])
    except ValueError:
        return None
    return words[0] if words and words[0].startswith("/") else None


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version. Empty if it does not begin with one."""
    found = re.match(r"v?(\d+(?:\.\d+){0,5})", version.strip())
    return tuple(int(part) for part in found[1].split(".")) if found else ()
