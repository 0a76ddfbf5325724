"""A program is run once, by argv, within a time limit, and nothing of it stays behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from agtmuxd.features.notify.channels.program import KEPT, MOST_INPUT, run_program
from tests.fake_services import eventually

pytestmark = pytest.mark.tc("TC-409")
ENV = {"PATH": os.environ["PATH"]}


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


async def test_it_gets_its_input_and_its_errors_are_kept() -> None:
    text = "import sys; print('out'); sys.stderr.write(sys.stdin.read() + chr(10)); sys.exit(3)"
    ran = await run_program(python(text), ENV, b"given", 10, output=True)
    assert (ran.status, ran.errors, ran.output) == (3, "given", "out")


async def test_arguments_are_no_shell_text(tmp_path: Path) -> None:
    ran = await run_program(["echo", f"$(touch {tmp_path}/x)", ";", "id"], ENV, b"", 10, output=True)
    assert (ran.status, ran.output) == (0, f"$(touch {tmp_path}/x) ; id")
    assert list(tmp_path.iterdir()) == []


async def test_a_late_program_is_ended_with_its_group(tmp_path: Path) -> None:
    pidfile = tmp_path / "pid"
    ran = await run_program(["sh", "-c", f"sleep 60 & echo $! > {pidfile}; wait"], ENV, b"", 0.5)
    assert ran.status is None
    child = int(pidfile.read_text())

    def ended() -> bool:
        state = Path(f"/proc/{child}/stat")
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"

    await eventually(ended)


async def test_a_program_that_leaves_a_child_behind_is_not_waited_for() -> None:
    """The child holds the pipe of the errors open."""
    ran = await run_program(["sh", "-c", "echo hi >&2; sleep 5 &"], ENV, b"", 10)
    assert (ran.status, ran.errors) == (0, "hi")


async def test_a_program_that_floods_costs_a_bounded_amount() -> None:
    ran = await run_program(["sh", "-c", "yes x | head -c 20000000 >&2; exit 1"], ENV, b"", 30)
    assert ran.status == 1
    assert len(ran.errors) <= KEPT


async def test_a_program_that_reads_nothing_is_no_error() -> None:
    assert (await run_program(["true"], ENV, b"x" * MOST_INPUT, 10)).status == 0
    with pytest.raises(ValueError, match="more than"):
        await run_program(["true"], ENV, b"x" * (MOST_INPUT + 1), 10)


async def test_a_program_that_is_not_there_is_an_error() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(OSError):
            await run_program(["/no/such/program"], ENV, b"", 10)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1, "no pipe stays open"


async def test_errors_steer_no_terminal() -> None:
    ran = await run_program(["printf", "\\033[31mred\\n"], ENV, b"", 10, output=True)
    assert ran.output == "[31mred"
