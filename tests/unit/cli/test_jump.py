"""``agtmux jump`` as a command line: its order, and what it says where it cannot go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.daemon_stub import Call, Stub, agtmux, listing, pane

pytestmark = pytest.mark.tc("TC-366")


def waits(number: int, since: str, **fields: Any) -> dict[str, Any]:
    return pane(f"%{number}", state="waiting_approval", attention="needs_action", attention_since=since, **fields)


@pytest.fixture
def stub(short_dir: Path) -> Iterator[Stub]:
    (short_dir / "run").mkdir(mode=0o700)
    served = Stub(short_dir / "run" / "agtmuxd.sock").start()
    rows = [
        waits(1, "2026-01-01T00:00:02.000Z"),
        waits(2, "2026-01-01T00:00:01.000Z"),
        waits(3, "2026-01-01T00:00:03.000Z"),
    ]
    served.answer("GET /v1/panes", listing(*rows))

    def attach(call: Call) -> tuple[int, Any]:
        result = {"whole": ["tmux", "attach", call.body["ref"]], "argv": ["false"], "switch": ["false"], "kind": "ssh"}
        return 200, {"schema_version": "1.0", "result": result}

    served.routes["POST /v1/actions/attach"] = attach
    yield served
    served.stop()


@pytest.mark.parametrize(("argv", "number"), [([], 2), (["--next"], 2), (["--prev"], 3), (["%1"], 1)])
def test_outside_tmux_the_command_is_printed_for_the_one_that_waits_longest(
    short_dir: Path, stub: Stub, argv: list[str], number: int
) -> None:
    done = agtmux(short_dir, "jump", "--print", *argv)
    assert (done.returncode, done.stdout) == (0, f"tmux attach pane:host/work/@1/%{number}\n".encode())
    body = stub.calls[-1].body
    assert body["select"] is False, "nothing is selected"


def test_without_a_terminal_it_says_what_to_run(short_dir: Path, stub: Stub) -> None:
    done = agtmux(short_dir, "jump")
    assert done.returncode == 2
    assert b"run this in a terminal outside: tmux attach pane:host/work/@1/%2" in done.stderr


@pytest.mark.parametrize(
    ("argv", "status", "said"),
    [
        (["--back"], 2, b"works inside tmux only"),
        (["%1", "--next"], 2, b"give a REF or --next, not both"),
        (["%9"], 4, b"no pane matches"),
    ],
)
def test_what_cannot_be_done_is_an_error(
    short_dir: Path, stub: Stub, argv: list[str], status: int, said: bytes
) -> None:
    done = agtmux(short_dir, "jump", *argv)
    assert (done.returncode, said in done.stderr) == (status, True)


def test_where_no_agent_needs_you_it_says_so(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/panes", listing())
    done = agtmux(short_dir, "jump")
    assert (done.returncode, done.stderr) == (4, b"agtmux: no agent needs you now (E_REF_NOT_FOUND)\n")
    assert stub.calls[-1].query == {"needs_action": ["true"]}
