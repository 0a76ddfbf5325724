"""What the doctor says of leases, worktrees, the hooks of the guard, and skills."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from agtmux.client import Client
from agtmux.doctor import coordination
from agtmux.doctor.facts import Facts
from agtmux.service.state import CommandResult
from agtmux.written_files import mark
from tests.unit.daemon_stub import Stub
from tests.unit.doctor.world import codes, facts, fixes

pytestmark = pytest.mark.tc("TC-917")
LONG_AGO = "2026-01-01T00:00:00.000Z"
NEW = "2999-01-01T00:00:00.000Z"
AGENTS = [
    {"agent_id": "a-1", "last_seen": "alive", "ended_at": None},
    {"agent_id": "a-2", "last_seen": "gone", "ended_at": LONG_AGO},
]


def world(
    stub: Stub, *, leases: Any = (), worktrees: Any = (), ran: CommandResult | None = None, **fields: Any
) -> Facts:
    """A daemon with two agents, of which the second is gone. ``ran``: what every program answers."""
    stub.answer("GET /v1/agents", {"items": AGENTS})
    stub.answer("GET /v1/leases", {"items": list(leases)})
    stub.answer("GET /v1/worktrees", {"items": list(worktrees)})
    result = ran or CommandResult(128, "", "no repository")
    return facts(client=Client([str(stub.socket)]), run=lambda *_: result, **fields)


def lease(agent: str | None, **more: Any) -> dict[str, Any]:
    return {"lease_id": "l-1", "pattern": "src/**", "holder": "agent:x", "agent_id": agent, "orphaned_at": None, **more}


def test_a_lease_of_an_agent_that_is_gone_can_be_released(stub: Stub) -> None:
    held = [lease("a-1"), lease("a-2"), lease(None), lease("a-2", orphaned_at=LONG_AGO), lease("a-9")]
    found = list(coordination.leases(world(stub, leases=held)))
    assert codes(found) == [("warning", "held_by_gone"), ("note", "orphaned"), ("warning", "held_by_gone")]
    assert fixes(found)[0] == "agtmux lease release l-1"
    assert codes(coordination.leases(world(stub, leases=[lease("a-1")]))) == [("ok", "leases")]


@pytest.mark.parametrize(
    ("more", "seen"),
    [
        ({}, ("ok", "worktrees")),
        ({"path": "/nowhere/at/all"}, ("warning", "missing")),
        ({"state": "removing"}, ("warning", "unfinished")),
        ({"state": "adding", "updated_at": NEW}, ("ok", "worktrees")),
        ({"agent_id": "a-2"}, ("note", "unused")),
        ({"agent_id": "a-2", "inside": ["pane:x"]}, ("ok", "worktrees")),
        ({"agent_id": None}, ("note", "unused")),
        ({"agent_id": None, "updated_at": NEW}, ("ok", "worktrees")),
    ],
)
def test_a_worktree_is_named_if_its_record_is_wrong_or_nobody_uses_it(
    stub: Stub, tmp_path: Path, more: dict[str, Any], seen: tuple[str, str]
) -> None:
    one = {
        "path": str(tmp_path), "branch": "agtmux/x", "state": "active", "agent": "x", "agent_id": "a-1", "inside": [],
        "updated_at": LONG_AGO, "repository": None, **more,
    }  # fmt: skip
    found = list(coordination.worktrees(world(stub, worktrees=[one])))
    assert codes(found) == [seen]
    assert fixes(found) in ([], ["agtmux worktree remove agtmux/x"])


def test_a_git_hook_that_calls_an_agtmux_that_is_gone_is_a_warning(stub: Stub, tmp_path: Path) -> None:
    """With another agtmux in the path of git it is a note. A hook of somebody else says nothing."""
    folder = tmp_path / "repo" / ".git"
    (folder / "hooks").mkdir(parents=True)
    hook = folder / "hooks" / "pre-commit"
    (folder / "hooks" / "pre-push").write_text("#!/bin/sh\nprogram=/nowhere/other\n")

    def seen(program: str, path: str) -> list[tuple[str, str]]:
        hook.write_text(mark(f"#!/bin/sh\nprogram='{program}'\n", "agtmux guard install", after=1))
        held = [lease("a-1", git_dir=str(folder))]
        found = list(coordination.guard(world(stub, leases=held, environ={"PATH": path})))
        assert fixes(found) in ([], [f"agtmux guard install --repo {tmp_path / 'repo'}"])
        return codes(found)

    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    assert seen("/nowhere/agtmux", str(bin_folder)) == [("warning", "program_gone")]
    assert seen(sys.executable, str(bin_folder)) == [("ok", "guard")]
    (bin_folder / "agtmux").symlink_to(sys.executable)
    assert seen("/nowhere/agtmux", str(bin_folder)) == [("note", "program_moved")]


def test_a_skill_of_another_agtmux_is_a_warning_and_a_missing_one_is_none(stub: Stub) -> None:
    lines = "claude: /h/a: b/SKILL.md: outdated: run agtmux install-skill again\n"
    lines += "codex: /h: not installed: run agtmux install-skill\ngemini: /h: changed by hand\n"
    found = list(coordination.skill(world(stub, ran=CommandResult(1, lines, ""))))
    assert codes(found) == [("warning", "outdated"), ("note", "changed"), ("ok", "skill")]
    assert fixes(found) == ["agtmux install-skill claude", None]


def test_what_it_reads_of_the_skill_is_what_the_command_prints(tmp_path: Path) -> None:
    """The real command, with a skill that another agtmux has written."""
    skill = tmp_path / "skills" / "agtmux" / "SKILL.md"
    skill.parent.mkdir(parents=True)
    skill.write_text(
        mark("---\nname: agtmux\n---\nold\n", "agtmux install-skill", "Folders made: 0.", after=3, xml=True)
    )
    environ = {"HOME": str(tmp_path), "CLAUDE_CONFIG_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    found = list(coordination.skill(Facts(environ)))
    assert [one.code for one in found if one.fix == "agtmux install-skill claude"] == ["outdated"]


def test_without_a_daemon_the_rest_is_skipped() -> None:
    none = facts(health=None, run=lambda *_: CommandResult(128, "", ""))
    assert codes(coordination.leases(none)) == codes(coordination.worktrees(none)) == [("skipped", "no_daemon")]
    assert codes(coordination.guard(none)) == [("ok", "guard")]
