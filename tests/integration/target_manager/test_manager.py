"""Targets added, removed and ended at once, and two targets that lead to one tmux server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api.requests import TargetRequest
from agtmuxd.config import HostSettings, ObserveSettings, Settings
from agtmuxd.target_manager.manager import TargetManager
from tests.conftest import Tmux
from tests.rig import Clock, Rig

FAST = ObserveSettings(quiet_interval=0.2, empty_interval=0.2)


class Stage:
    """A fleet over a real store, with the host target on one tmux server."""

    def __init__(self, rig: Rig, tmux: Tmux, root: Path) -> None:
        self.rig, self.root = rig, root
        settings = Settings(host=HostSettings(tmux_socket=str(tmux.socket), tmux_path=None), observe=FAST)
        environ = {**os.environ, "HOME": str(root), "TMUX_TMPDIR": str(root)}
        self.target_manager = TargetManager(rig.pipeline, rig.registry, lambda: settings, environ, rig.clock)

    def watchers(self, name: str) -> int:
        """The tasks that watch a target."""
        return sum(task.get_name() == f"observe {name}" for task in asyncio.all_tasks())

    def names(self) -> list[str]:
        return [item["target"] for item in self.target_manager.items()]

    def add(self, name: str = "dev", socket: str | None = None) -> Awaitable[dict[str, Any]]:
        return self.target_manager.add(TargetRequest(name=name, kind="local", tmux_socket=socket))


@pytest.fixture
async def stage(tmp_path: Path, short_dir: Path, tmux: Tmux) -> AsyncIterator[Stage]:
    """Ends with the fleet: that it does is part of each test."""
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        made = Stage(rig, tmux, short_dir)
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            await made.target_manager.start(group)
            yield made
            await made.target_manager.stop()


async def together(*asked: Awaitable[object]) -> list[str]:
    """How each of several requests at once ended: ``ok``, or the code of its error."""
    done = await asyncio.gather(*asked, return_exceptions=True)
    return sorted(r.code if isinstance(r, AgtmuxError) else "ok" if not isinstance(r, BaseException) else repr(r)
                  for r in done)  # fmt: skip


@pytest.mark.tc("TC-162")
async def test_of_several_that_add_one_name_at_once_one_does_and_one_watches(stage: Stage) -> None:
    assert await together(*[stage.add() for _ in range(6)]) == ["E_TARGET_EXISTS"] * 5 + ["ok"]
    assert (stage.watchers("dev"), stage.names()) == (1, ["dev", "host"])
    await stage.target_manager.remove("dev")
    assert (stage.watchers("dev"), stage.names()) == (0, ["host"])


@pytest.mark.tc("TC-162")
async def test_of_several_names_for_one_server_added_at_once_one_is(stage: Stage) -> None:
    asked = [stage.add(f"dev{n}", "shared") for n in range(4)]
    assert await together(*asked) == ["E_TARGET_EXISTS"] * 3 + ["ok"]


@pytest.mark.tc("TC-162")
async def test_of_several_that_remove_one_target_at_once_one_does(stage: Stage) -> None:
    await stage.add()
    assert await together(*[stage.target_manager.remove("dev") for _ in range(4)]) == ["E_TARGET_NOT_FOUND"] * 3 + [
        "ok"
    ]
    assert stage.watchers("dev") == 0


@pytest.mark.tc("TC-162")
async def test_adding_and_removing_at_once_leaves_what_is_listed_watched_and_nothing_else(stage: Stage) -> None:
    for _ in range(5):
        await together(stage.add(), stage.target_manager.remove("dev"), stage.add(), stage.target_manager.remove("dev"))
        assert stage.watchers("dev") == stage.names().count("dev")


@pytest.mark.tc("TC-162")
async def test_nothing_is_added_once_the_end_began(stage: Stage) -> None:
    adding = [asyncio.ensure_future(stage.add(f"t{n}")) for n in range(4)]
    await stage.target_manager.stop()
    assert set(await together(*adding, stage.add("late"))) <= {"ok", "E_PRECONDITION_FAILED"}
    assert [stage.watchers(name) for name in ("t0", "t1", "t2", "t3", "late")] == [0] * 5


@pytest.mark.tc("TC-162")
async def test_who_adds_and_does_not_wait_leaves_a_target_that_is_watched(stage: Stage) -> None:
    adding = asyncio.ensure_future(stage.add())
    await asyncio.sleep(0)
    adding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await adding
    assert await together(stage.add()) == ["E_TARGET_EXISTS"]
    assert stage.watchers("dev") == 1


@pytest.mark.tc("TC-162")
async def test_a_target_that_cannot_be_forgotten_is_watched_as_before(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.add()

    async def fails(target_id: str) -> None:
        raise AgtmuxError("E_STORE_UNAVAILABLE", "the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(stage.rig.pipeline, "remove_target", fails)
        assert await together(stage.target_manager.remove("dev")) == ["E_STORE_UNAVAILABLE"]
    assert (stage.watchers("dev"), stage.names()) == (1, ["dev", "host"])
    await stage.target_manager.remove("dev")


# ---------------------------------------------------------------- one server, two targets


@pytest.mark.tc("TC-163")
@pytest.mark.parametrize("spelled", ["path", "link", "dots"])
async def test_a_server_that_a_target_watches_is_no_other_target_however_it_is_spelled(
    stage: Stage, tmux: Tmux, spelled: str
) -> None:
    tmux.start()
    link = stage.root / "link"
    link.symlink_to(tmux.socket)
    path = {"path": tmux.socket, "link": link, "dots": f"{tmux.socket.parent}/../{tmux.socket.parent.name}/"
            f"{tmux.socket.name}"}[spelled]  # fmt: skip
    with pytest.raises(AgtmuxError, match="target host already watches") as caught:
        await stage.add("twin", str(path))
    assert caught.value.code == "E_TARGET_EXISTS"
