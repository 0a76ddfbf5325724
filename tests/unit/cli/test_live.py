"""Tables that follow the stream: their rows, their order, and how they are drawn on a terminal that changes."""

from __future__ import annotations

import fcntl
import itertools
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtmux.cli.live import SORTS, Rows, _resizes, ordered
from agtmux.client import Client
from agtmuxd.core import listing as daemons
from tests.rows import PANES, pane_rows
from tests.unit.cli.test_watch import SNAPSHOT, Serve, line, serve  # noqa: F401 fixture
from tests.unit.daemon_stub import agtmux, command, environment, pane

STATES = st.sampled_from(["error", "running", "idle"])
ITEMS = st.builds(
    lambda n, state: pane(f"%{n}", state=state, attention="needs_action" if state == "error" else "none"),
    st.integers(0, 4), STATES,
)  # fmt: skip


@given(st.lists(ITEMS, max_size=4), st.lists(st.tuples(st.booleans(), ITEMS), max_size=12))
def test_rows_are_the_snapshot_with_its_changes(
    first: list[dict[str, Any]], then: list[tuple[bool, dict[str, Any]]]
) -> None:
    rows, model = Rows(), {item["identity"]["pane_id"]: item for item in first}
    rows.apply({"type": "snapshot", "items": list(model.values())})
    for upsert, item in then:
        change = {"op": "upsert" if upsert else "delete", "identity": item["identity"]} | (
            {"item": item} if upsert else {}
        )
        rows.apply({"type": "delta", "changes": [change]})
        if upsert:
            model[item["identity"]["pane_id"]] = item
        else:
            model.pop(item["identity"]["pane_id"], None)
    shown = rows.body["items"]
    assert {item["identity"]["pane_id"]: item for item in shown} == model
    ranks = [["error", "running", "idle"].index(item["state"]) for item in shown]
    assert all(a <= b for a, b in itertools.pairwise(ranks))


@pytest.mark.tc("TC-266")
@given(st.data())
def test_the_order_is_that_of_the_daemons_listings(data: st.DataObject) -> None:
    where = data.draw(st.lists(st.sampled_from(PANES), max_size=6, unique=True))
    rows = [data.draw(pane_rows(target, pane_id)) for target, pane_id in where]
    for name in SORTS:
        for sort in (name, f"-{name}"):
            assert ordered(rows, sort) == daemons.ordered(rows, sort), sort
    assert sorted((*SORTS, *(f"-{name}" for name in SORTS))) == sorted(daemons.SORTS)


# --- on a terminal


class Terminal:
    """A terminal of some size, and a program on it."""

    def __init__(self, folder: Path, *argv: str, cols: int, rows: int = 20, **extra: str) -> None:
        self.master, slave = pty.openpty()
        self.resize(cols, rows, tell=False)
        env = environment(folder, AGTMUX_NO_AUTOSTART="1", **extra)
        env.pop("COLUMNS", None)
        env.pop("LINES", None)
        self.process = subprocess.Popen(command(argv), stdin=slave, stdout=slave, stderr=slave, env=env)
        os.close(slave)

    def resize(self, cols: int, rows: int, *, tell: bool = True) -> None:
        self.rows = rows
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
        if tell:  # a terminal that is not the controlling one sends no signal
            self.process.send_signal(signal.SIGWINCH)

    def until(self, text: str) -> list[str]:
        """Read until a frame with this text was drawn. Give its lines."""
        drawn = b""
        while True:
            assert select.select([self.master], [], [], 30)[0], drawn
            drawn += os.read(self.master, 65536)
            frame = drawn.decode("utf-8", "replace").rpartition("\x1b[H")[2]
            plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", frame)
            lines = plain.replace("\r", "").split("\n")
            if text in plain and len(lines) >= self.rows:
                return lines

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)
        os.close(self.master)


@contextmanager
def terminal(folder: Path, *argv: str, cols: int, **more: Any) -> Iterator[Terminal]:
    made = Terminal(folder, *argv, cols=cols, **more)
    try:
        yield made
    finally:
        made.close()


ASKS = pane(
    "%1", state="waiting_approval", attention="needs_action",
    waiting_for={"kind": "approval", "subject": "Bash", "text": "make all", "options": [], "fingerprint": "f"},
)  # fmt: skip
SUMMARY = {"by_state": {"waiting_approval": 1}, "by_attention": {"needs_action": 1}, "total": 1}


@pytest.mark.tc("TC-266")
@pytest.mark.parametrize("argv", [("ls", "--watch"), ("watch",)])
def test_it_works_at_40_columns_follows_a_resize_at_once_and_ctrl_c_exits_with_130(
    short_dir: Path,
    serve: Serve,  # noqa: F811
    argv: tuple[str, ...],
) -> None:
    stub, _ = serve([line("snapshot", 1, items=[ASKS], summary=SUMMARY), ...])
    with terminal(short_dir, *argv, cols=40) as shown:
        narrow = shown.until("agtmux:main")
        assert max(map(len, narrow)) <= 40
        assert any("! approval" in row for row in narrow)
        shown.resize(100, 20)
        wide = shown.until("waiting_approval  ")
        assert any("work:1.0" in row and "Bash: make all" in row for row in wide)
        assert shown.interrupt() == 130
    assert [call.path for call in stub.calls] == ["/v1/watch"], "one stream, and nothing is polled"


@pytest.mark.tc("TC-266")
def test_a_resize_ends_the_wait_for_a_line(
    short_dir: Path,
    serve: Serve,  # noqa: F811
) -> None:
    stub, _ = serve([SNAPSHOT, ...])
    with _resizes() as resized, Client([str(stub.socket)], timeout=30).watch({}) as exchange:
        assert exchange.line() == SNAPSHOT
        os.kill(os.getpid(), signal.SIGWINCH)
        assert exchange.wait(3600, wake=resized) is False, "long before an hour is over"
        assert select.select([resized], [], [], 0)[0] == [], "and it is noticed once"


@pytest.mark.tc("TC-266")
def test_more_rows_than_fit_are_counted_and_the_summary_stays(
    short_dir: Path,
    serve: Serve,  # noqa: F811
) -> None:
    items = [ASKS, *(pane(f"%{n}", window_index=n) for n in range(2, 40))]
    serve([line("snapshot", 1, items=items, summary=SUMMARY), ...])
    with terminal(short_dir, "ls", "--watch", cols=80, rows=12) as shown:
        frame = shown.until("agtmux:main")
        assert "... and 30 more: make the terminal taller" in "\n".join(frame)
        assert "needs you" in frame[11]


@pytest.mark.tc("TC-266")
def test_ls_watch_hands_on_filters_and_sorts_by_itself(
    short_dir: Path,
    serve: Serve,  # noqa: F811
) -> None:
    first, second = pane("%1", since="2026-01-01T00:00:00.000Z"), pane("%2", since="2026-01-02T00:00:00.000Z")
    stub, _ = serve([line("snapshot", 1, items=[first, second]), ...])
    argv = command(["ls", "--watch", "--sort", "-since", "--agent", "claude", "--no-autostart"])
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment(short_dir)) as process:
        assert process.stdout is not None
        rows = [process.stdout.readline().decode() for _ in range(3)]
        process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    assert stub.calls[0].query == {"agent": ["claude"], "scope": ["panes"], "interval": ["2s"]}
    assert [row.split()[4] for row in rows[1:]] == ["%2", "%1"]


@pytest.mark.tc("TC-266")
@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (("ls", "--watch", "--json"), "give only one of --json, --watch and --format"),
        (("ls", "--watch", "--format", "fzf"), "give only one of --json, --watch and --format"),
        (("ls", "--watch", "--sort", "size"), "choose from attention, state, since, updated, name, target"),
        (("list", "sessions", "--watch", "--group-by", "session-name"), "leave out --group-by"),
    ],
)
def test_what_does_not_go_together_is_said(short_dir: Path, argv: tuple[str, ...], why: str) -> None:
    done = agtmux(short_dir, *argv)
    assert done.returncode == 2
    assert why in done.stderr.decode()
