"""The guard blocks an agent at what others hold and outside its scope, and warns a person."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.actor import Actor
from agtmuxd.features.leases.guard import PathJudge
from agtmuxd.features.leases.model import Scope
from tests.integration.features.leases.world import PERSON, World, world

pytestmark = pytest.mark.tc("TC-794")


async def verdict(w: World, actor: Actor | None, *paths: str) -> tuple[str, list[str]]:
    answer: dict[str, Any] = await w.guard.check(actor, w.git_dir, paths, "pre-commit")
    return answer["verdict"], [one["path"] for one in answer["findings"]]


async def test_an_agent_is_blocked_a_person_warned_and_the_holder_passes(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        one, two = await w.agents(2)
        assert await verdict(w, two, "src/a.py") == ("pass", [])
        await w.hold(one, "src/**")
        assert await verdict(w, two, "docs/x", "src/a.py", "src") == ("block", ["src/a.py"])
        assert await verdict(w, PERSON, "src/a.py") == ("warn", ["src/a.py"])
        assert await verdict(w, one, "src/a.py") == ("pass", [])
        assert await verdict(w, None, "src/a.py") == ("block", ["src/a.py"]), "an agent without a name"
        answer = await w.guard.check(two, w.git_dir, ["src/a.py"], "edit")
        assert answer["findings"][0]["holder"] == "agent:claude-1"
        assert "agtmux lease acquire --wait 'src/a.py'" in answer["findings"][0]["next_step"]
        assert (answer["managed"], answer["agent"], answer["checked"]) == (True, "claude-2", 1)


async def test_shared_leases_let_their_holders_pass_and_advisory_ones_only_warn(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        one, two = await w.agents(2)
        await w.hold(one, "src/**", mode="shared")
        assert (await verdict(w, two, "src/a.py"))[0] == "block"
        await w.hold(two, "src/a.py", mode="shared")
        assert (await verdict(w, two, "src/a.py"))[0] == "pass"
        await w.hold(one, "docs", advisory=True)
        assert (await verdict(w, two, "docs/x"))[0] == "warn"


async def test_an_edit_outside_an_agents_scope_is_blocked_and_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as w:
        (one,) = await w.agents(1)
        scoped = SimpleNamespace(scopes=("src/api/**", "docs"))
        monkeypatch.setattr(w.directory, "get", lambda _name: scoped)
        assert await verdict(w, one, "src/api/x.py", "docs/y") == ("pass", [])
        assert await verdict(w, one, "src/web/x.py") == ("block", ["src/web/x.py"])
        found = [c for _, changes in w.rig.published for c in changes.get("coord", ())]
        (change,) = [c for c in found if c.identity["kind"] == "scope_violation"]
        assert change.item is not None
        assert (change.item["paths"], change.item["agent"]) == (["src/web/x.py"], "claude-1")


def test_a_pattern_is_no_path_and_nothing_leaves_the_repository() -> None:
    judge = PathJudge([], "a", ["src"], Scope("r", "path", "/r"))
    assert judge.findings(r"src/\*") == []
    for bad in ("src/*", "../x", "/etc"):
        with pytest.raises(AgtmuxError):
            judge.findings(bad)
