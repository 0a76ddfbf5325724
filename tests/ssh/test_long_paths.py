"""A runtime folder whose path is nearly as long as a socket's may be, or longer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.api.requests import WireEvent
from agtmuxd.process import SOCKET_LIMIT
from agtmuxd.remote_hooks import install_program
from agtmuxd.remote_hooks.link import DaemonAccess, RemoteHooksLink
from agtmuxd.store.db import Store, open_database
from agtmuxd.targets.ssh.executor import SshExecutor
from tests.conftest import until
from tests.ssh.sshd import Sshd

pytestmark = pytest.mark.tc("TC-104")
PATIENCE = 60.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    connection, _ = open_database(str(tmp_path / "a.db"))
    made = Store(connection)
    made.start()
    yield made
    made.close()


def outpost(folder: Path, executor: SshExecutor, store: Store, taken: list[str], counted: list[str]) -> RemoteHooksLink:
    async def ingest(_target: str, events: Sequence[WireEvent], _offset: int | None) -> list[dict[str, Any]]:
        taken.extend(event.event_type for event in events)
        return []

    clock = iter(range(1_767_225_600_000_000_000, 2**62))
    return RemoteHooksLink("ssh:vm1", executor, DaemonAccess(
        folder=str(folder), identity="s-1", store=store, ingest=ingest, count=counted.append,
        clock=lambda: next(clock), timeout=20.0,
    ))  # fmt: skip


def of_length(root: Path, length: int) -> Path:
    folder = root / ("x" * (length - len(str(root)) - 1))
    folder.mkdir(parents=True)
    return folder


async def watched(one: RemoteHooksLink, done: Callable[[], object], what: str) -> None:
    """Run it, with good rounds, until something is done; it must not end by itself."""
    task = asyncio.create_task(one.run())
    try:
        for _ in range(600):
            one.check_now()
            if done():
                return
            await asyncio.wait([task], timeout=0.1)
            assert not task.done(), task
        pytest.fail(f"never: {what}")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_where_the_daemons_own_socket_fits_that_of_a_machine_behind_ssh_fits_too(
    short_dir: Path, store: Store, new_sshd: Callable[..., Sshd], reach: Callable[..., SshExecutor]
) -> None:
    new_sshd("vm1")
    folder = of_length(short_dir, SOCKET_LIMIT - len("/agtmuxd.sock"))
    one = outpost(folder, reach("vm1"), store, [], [])
    await watched(one, lambda: list(folder.glob("far-*")), "it listens")


async def test_where_no_socket_can_be_made_events_come_by_the_spool_and_nothing_ends(
    short_dir: Path, store: Store, new_sshd: Callable[..., Sshd], reach: Callable[..., SshExecutor]
) -> None:
    home = new_sshd("vm1").home
    placed = Path(install_program.path(str(home)))
    placed.parent.mkdir(parents=True)
    placed.write_text("")
    taken: list[str] = []
    counted: list[str] = []
    one = outpost(of_length(short_dir, 150), reach("vm1"), store, taken, counted)
    state = home / install_program.STATE
    state.mkdir(parents=True, exist_ok=True)
    line = {"event_type": "Stop", "source": "hook", "agent_type": "claude", "event_time": 1_767_225_600_000_000_000,
            "event_id": "e-00000001", "payload": {}}  # fmt: skip
    (state / f"{one._spool._name}.spool.jsonl").write_text(json.dumps(line) + "\n")
    await watched(one, lambda: taken or "spool_lines_refused" in counted, "the spool is fetched")
    assert taken == ["Stop"], counted
    assert counted.count("remote_hook_failures") >= 1
    until(lambda: not list(state.glob("*.drain-*")), within=PATIENCE, what="the spool is put away")
