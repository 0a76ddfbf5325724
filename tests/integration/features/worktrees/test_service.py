"""The records over a real store: each step follows the disk, and an agent changes only its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.agents.model import Agent
from agtmuxd.api.envelopes import Envelope
from agtmuxd.core.action.request import Caller
from agtmuxd.core.actor import Actor
from agtmuxd.core.model import Source
from agtmuxd.features.worktrees.routes import WorktreeReport, WorktreeRequest
from agtmuxd.features.worktrees.service import Worktrees
from agtmuxd.policy.rules import allow
from tests.fake_services import target
from tests.rig import BUSY, Clock, Rig, pane_row
from tests.rig import Agent as Process

pytestmark = pytest.mark.tc("TC-821")
PERSON = Actor(Caller(1000, 7))
ALICE = Actor(Caller(1000, 8), "rt-a", "id-a", "alice")


class Directory:
    """Knows alice and bob by name."""

    def all(self) -> list[Agent]:
        return [Agent("id-a", "alice", 1), Agent("id-b", "bob", 1, team="core")]

    def find(self, text: str) -> Agent:
        for one in self.all():
            if one.name == text:
                return one
        raise AgtmuxError("E_AGENT_NOT_FOUND", f"there is no agent {text}")


def made(rig: Rig, tmp_path: Path) -> Worktrees:
    directory: Any = Directory()
    nothing: Any = None
    return Worktrees(
        envelope=Envelope(rig.clock, lambda: [target()]), store=rig.store, write=rig.pipeline.write, view=rig.view,
        repository=rig.pipeline.repository, agents=directory, allow=allow, collisions=nothing,
        folder=str(tmp_path / "worktrees"), clock=rig.clock,
    )  # fmt: skip


def wanted(number: int = 1, **more: Any) -> WorktreeRequest:
    fields = {"request_ref": f"request-{number}", "agent": "alice", "repository": "/src/.git", "base": "main"}
    return WorktreeRequest.model_validate({**fields, "base_commit": "c" * 40, **more})


def step(number: int, name: str, **more: Any) -> WorktreeReport:
    return WorktreeReport.model_validate({"request_ref": f"step-{number:04d}", "step": name, **more})


async def test_a_record_follows_the_disk_and_the_stream_says_so(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        service = made(rig, tmp_path)
        item = await service.reserve(PERSON, wanted())
        path = Path(item["path"])
        assert path.parent.parent == (tmp_path / "worktrees").resolve()
        assert (item["branch"], item["state"], item["lock_reason"]) == ("agtmux/alice", "adding", "agtmux:id-a")
        with pytest.raises(AgtmuxError, match="is not there, so the record is unchanged"):
            await service.report(PERSON, item["worktree_id"], step(1, "added"))
        path.mkdir(parents=True)
        assert (await service.report(PERSON, item["worktree_id"], step(2, "added")))["state"] == "active"
        await service.report(PERSON, item["worktree_id"], step(3, "checked", conflicts=2))
        await service.report(PERSON, item["worktree_id"], step(4, "removing"))
        with pytest.raises(AgtmuxError, match="is still there, so the record is unchanged"):
            await service.report(PERSON, item["worktree_id"], step(5, "removed"))
        path.rename(f"{path}.deleting")
        with pytest.raises(AgtmuxError, match="is still there"):
            await service.report(PERSON, item["worktree_id"], step(6, "removed"))
        Path(f"{path}.deleting").rmdir()
        await service.report(PERSON, item["worktree_id"], step(7, "removed"))
        assert await service.listed(removed=False) == []
        changes = [c for _, found in rig.published for c in found.get("coord", ())]
        states = [None if c.item is None else (c.item["state"], c.item["conflicts"]) for c in changes]
        assert states == [("adding", None), ("active", None), ("active", 2), ("removing", 2), None]


async def test_a_repeated_request_changes_nothing(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        service = made(rig, tmp_path)
        first = await service.reserve(PERSON, wanted())
        assert await service.reserve(PERSON, wanted()) == first
        with pytest.raises(AgtmuxError) as caught:
            await service.reserve(PERSON, wanted(agent="bob"))
        assert caught.value.code == "E_IDEMPOTENCY_CONFLICT"
        with pytest.raises(AgtmuxError, match="alice has a worktree at"):
            await service.reserve(PERSON, wanted(2))
        bob = await service.reserve(PERSON, wanted(3, agent="bob", slug="fix"))
        assert (bob["branch"], Path(bob["path"]).name) == ("agtmux/core/bob/fix", "core+bob+fix")
        await service.report(PERSON, first["worktree_id"], step(1, "not_added"))
        assert (await service.reserve(PERSON, wanted(4)))["path"] == first["path"], "nothing of it is left"


async def test_an_agent_adds_and_changes_only_its_own(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        service = made(rig, tmp_path)
        own = await service.reserve(ALICE, wanted(agent=None))
        assert own["agent"] == "alice"
        for refused in (wanted(2, agent="bob"),):
            with pytest.raises(AgtmuxError) as caught:
                await service.reserve(ALICE, refused)
            assert caught.value.code == "E_POLICY_DENIED"
        bob = await service.reserve(PERSON, wanted(3, agent="bob"))
        with pytest.raises(AgtmuxError) as caught:
            await service.report(ALICE, bob["worktree_id"], step(1, "removing"))
        assert caught.value.code == "E_POLICY_DENIED"
        await service.report(ALICE, own["worktree_id"], step(2, "removing"))
        with pytest.raises(AgtmuxError, match="pass --agent NAME"):
            await service.reserve(PERSON, wanted(4, agent=None))


async def test_a_person_may_name_an_agent_that_does_not_run_yet_and_it_is_then_its_own(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        service = made(rig, tmp_path)
        item = await service.reserve(PERSON, wanted(agent="carol"))
        assert (item["agent_id"], item["lock_reason"]) == (None, "agtmux:carol")
        carol = Actor(Caller(1000, 9), "rt-c", "id-c", "Carol")
        await service.report(carol, item["worktree_id"], step(1, "removing"))
        with pytest.raises(AgtmuxError):
            await service.report(ALICE, item["worktree_id"], step(2, "kept"))
        with pytest.raises(AgtmuxError, match="is not a name"):
            await service.reserve(PERSON, wanted(2, agent="../x"))


async def test_a_worktree_is_not_removed_while_a_pane_works_in_it(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        service = made(rig, tmp_path)
        item = await service.reserve(PERSON, wanted())
        process = Process(levels={Source.POLLER: BUSY})
        for cwd in (f"{item['path']}/src", item["path"]):
            for _ in range(4):
                rig.clock.forward(0.25)
                await rig.round(process, panes=[pane_row("%1", cwd=cwd)])
            assert (await service.shown(item["worktree_id"]))["inside"] != []
            with pytest.raises(AgtmuxError) as caught:
                await service.report(PERSON, item["worktree_id"], step(1, "removing"))
            assert caught.value.code == "E_WORKTREE_DIRTY"
        for _ in range(4):
            rig.clock.forward(0.25)
            await rig.round(process, panes=[pane_row("%1", cwd=f"{item['path']}2")])
        await service.report(PERSON, item["worktree_id"], step(1, "removing"))


async def test_an_unknown_worktree_is_named(tmp_path: Path) -> None:
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        with pytest.raises(AgtmuxError, match="there is no worktree 'x'"):
            await made(rig, tmp_path).shown("x")
