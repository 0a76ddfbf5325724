"""The spool of another machine: fetched in pieces and in order, and no line is lost when the fetching breaks off."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.remote_hooks import install_program, spool_fetch
from agtmuxd.remote_hooks.spool_fetch import RemoteSpool
from agtmuxd.store.db import Store, open_database
from agtmuxd.targets.ssh.executor import SshExecutor
from tests.ssh.sshd import Sshd

NAME = "0123456789abcdef"


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[tuple[Store, sqlite3.Connection]]:
    connection, _ = open_database(str(tmp_path / "a.db"))
    store = Store(connection)
    store.start()
    yield store, connection
    store.close()


@pytest.mark.tc("TC-104")
async def test_a_spool_is_fetched_in_pieces_in_order_and_goes_on_where_it_broke_off(
    new_sshd: Callable[..., Sshd],
    reach: Callable[..., SshExecutor],
    opened: tuple[Store, sqlite3.Connection],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spool_fetch, "PIECE", 4096)
    monkeypatch.setattr(spool_fetch, "BATCH", 7)
    server, (store, _) = new_sshd("vm1"), opened
    state = server.home / install_program.STATE
    state.mkdir(parents=True)
    lines = [json.dumps({"n": n, "text": "ä" * (n % 90)}, ensure_ascii=False) for n in range(500)]
    lines[100:100] = ["not json", json.dumps({"gap": {"dropped": 3}}), "x" * 9000]
    (state / f"{NAME}.spool.jsonl.drain-00000000000000000001").write_text("\n".join(lines[:300]) + "\n")
    (state / f"{NAME}.spool.jsonl").write_text("\n".join(lines[300:]) + '\n{"n": 999, "cut off')
    (state / "other.spool.jsonl").write_text("{}\n")
    taken: list[int] = []

    async def take(events: list[dict[str, Any]]) -> None:
        if len(taken) > 350 and not broken:
            broken.append(1)
            raise AgtmuxError("E_STORE_UNAVAILABLE", "the disk is full")
        assert all(event["spooled"] is True for event in events)
        taken.extend(event["n"] for event in events)

    broken: list[int] = []
    first = RemoteSpool("ssh:vm1", NAME, reach(), store, take)
    with pytest.raises(AgtmuxError):
        await first.drain()
    before = len(taken)
    second = RemoteSpool("ssh:vm1", NAME, reach(), store, take)
    await second.drain()
    assert list(dict.fromkeys(taken)) == list(range(500)), "in order, none missing"
    assert len(taken) - 500 < 100, "what was taken in twice is at most what one piece held"
    assert before > 350
    assert first.drained.dropped_before == 3
    assert [path.name for path in state.iterdir()] == ["other.spool.jsonl"]
    assert await store.run(lambda c: c.execute("SELECT count(*) FROM spool_offsets").fetchone()[0]) == 0
    await second.drain()
    assert len(taken) - 500 < 100
