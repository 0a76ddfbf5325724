"""``agtmux hook``: what it sends, and that no agent ever feels it."""

from __future__ import annotations

import json
import os
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agtmux import hook
from agtmuxd.api.requests import WireEvent
from tests.unit.daemon_stub import Stub, agtmux, command, environment

PAYLOAD = {"hook_event_name": "Stop", "session_id": "abc", "prompt": "use token=hunter2hunter2"}

PATIENT = {"AGTMUX_HOOK_CAP_MS": "2500"}
"""A busy test machine may not get through a hook within the real cap; what it does is tested here, not how fast."""


@pytest.fixture
def stub(short_dir: Path) -> Iterator[Stub]:
    (short_dir / "run").mkdir(mode=0o700)
    served = Stub(short_dir / "run" / "agtmuxd.sock").start()
    served.answer("POST /v1/events", {"schema_version": "1.0", "results": []})
    yield served
    served.stop()


def spooled(folder: Path) -> list[dict[str, Any]]:
    path = folder / "state" / "spool.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run_hook(folder: Path, *argv: str, stdin: bytes = b"", **extra: str) -> subprocess.CompletedProcess[bytes]:
    done = agtmux(folder, "hook", *argv, stdin=stdin, **PATIENT, **extra)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    return done


def test_a_hook_posts_its_payload_with_where_and_when_it_ran(short_dir: Path, stub: Stub) -> None:
    before = time.time_ns()
    where = {
        "TMUX": "/tmp/a,b/default,4242,0",
        "TMUX_PANE": "%17",
        "CLAUDE_PID": "99",
        "CODEX_HOME": "/c",
        "SECRET": "x",
    }
    run_hook(short_dir, "claude", stdin=json.dumps(PAYLOAD).encode(), **where)
    (call,) = stub.calls
    event = WireEvent.model_validate(call.body)
    assert (event.event_type, event.source, event.agent_type) == ("Stop", "hook", "claude")
    assert event.tmux is not None
    assert (event.tmux.socket, event.tmux.server_pid, event.pane_id, event.pid) == ("/tmp/a,b/default", 4242, "%17", 99)
    assert event.env == {"CODEX_HOME": "/c"}
    assert before < event.event_time < time.time_ns()
    assert event.source_event_id == event.event_id
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", event.event_id)
    own = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()[19]
    assert (event.chain[0].pid, event.chain[0].start) == (os.getpid(), own)
    assert event.payload == PAYLOAD
    assert not spooled(short_dir)


@pytest.mark.parametrize(
    ("late", "believed"),
    [(3_000_000_000, True), (-600_000_000, True), (3_600_000_000_000, False), (-60_000_000_000, False)],
)
def test_an_event_told_later_counts_from_its_own_moment(short_dir: Path, stub: Stub, late: int, believed: bool) -> None:
    """As a plugin tells them, one after the other; a moment far from now is no moment of this event."""
    before = time.time_ns()
    at = before - late
    run_hook(short_dir, "opencode", "--event", "event:session.idle", "--at", str(at), stdin=b'{"sessionID": "s"}')
    event = WireEvent.model_validate(stub.calls[0].body)
    assert (event.event_type, event.source, event.payload) == ("event:session.idle", "hook", {"sessionID": "s"})
    assert event.event_time == at if believed else before < event.event_time < time.time_ns()


def test_codex_notify_hands_its_payload_over_as_the_last_argument(short_dir: Path, stub: Stub) -> None:
    run_hook(short_dir, "codex", '{"type": "agent-turn-complete", "turn-id": "1"}')
    body = stub.calls[0].body
    assert (body["source"], body["event_type"], body["agent_type"]) == ("notify", "agent-turn-complete", "codex")


def test_a_hook_finds_the_daemon_that_the_state_folder_names(short_dir: Path) -> None:
    (short_dir / "state").mkdir(mode=0o700)
    (short_dir / "state" / "socket-path").write_text(f"{short_dir}/other.sock\n")
    stub = Stub(short_dir / "other.sock").start()
    stub.answer("POST /v1/events", {})
    run_hook(short_dir, "claude", stdin=b"{}")
    stub.stop()
    assert len(stub.calls) == 1


@pytest.mark.tc("TC-103")
def test_without_a_daemon_the_event_waits_redacted_in_the_spool(short_dir: Path) -> None:
    run_hook(short_dir, "claude", stdin=json.dumps(PAYLOAD).encode())
    (event,) = spooled(short_dir)
    assert event["event_type"] == "Stop"
    assert event["spooled"] is True
    assert event["payload"]["session_id"] == "abc"
    assert "hunter2" not in json.dumps(event)
    WireEvent.model_validate(event)
    assert (short_dir / "state" / "spool.jsonl").stat().st_mode & 0o777 == 0o600


@pytest.mark.tc("TC-103")
@pytest.mark.parametrize("left", ["3", "null", "{", "[3]"])
def test_patterns_that_are_none_keep_no_event_out_of_the_spool(short_dir: Path, left: str) -> None:
    (short_dir / "state").mkdir(mode=0o700)
    (short_dir / "state" / "redaction-patterns.json").write_text(left)
    run_hook(short_dir, "claude", stdin=b"{}")
    assert len(spooled(short_dir)) == 1


@pytest.mark.tc("TC-103")
def test_an_answer_other_than_2xx_leaves_the_event_in_the_spool(short_dir: Path, stub: Stub) -> None:
    stub.answer("POST /v1/events", {}, status=503)
    run_hook(short_dir, "claude", stdin=b"{}")
    assert [event["event_id"] for event in spooled(short_dir)] == [stub.calls[0].body["event_id"]]


@pytest.mark.tc("TC-103")
@pytest.mark.parametrize("backlog", [1, 0], ids=["accepted-by-the-kernel", "queue-full"])
def test_a_hung_daemon_delays_no_hook_and_loses_no_event(short_dir: Path, backlog: int) -> None:
    (short_dir / "run").mkdir(mode=0o700)
    path = str(short_dir / "run" / "agtmuxd.sock")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(path)
        listener.listen(backlog)
        if not backlog:
            first.connect(path)
        hook_event = json.dumps(PAYLOAD | {"big": "x" * 900_000, "many": ["token y " * 1000] * 90}).encode()
        run_hook(short_dir, "claude", stdin=hook_event)  # it comes back at all: the cap itself is measured in bench
    (event,) = spooled(short_dir)
    assert event["event_type"] == "Stop"


@pytest.mark.tc("TC-103")
def test_standard_input_that_never_closes_delays_no_hook(short_dir: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, b'{"hook_event_name": "Stop"}')
    process = subprocess.Popen(
        command(["hook", "claude"]),
        stdin=reader,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(short_dir, **PATIENT),
    )
    assert process.communicate(timeout=15) == (b"", b"")
    os.close(reader)
    os.close(writer)
    assert process.returncode == 0
    assert [event["event_type"] for event in spooled(short_dir)] == ["Stop"]


@pytest.mark.tc("TC-103")
@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"garbage \xff\x00",
        b"[1, 2]",
        b'{"a": ' + b"[" * 50_000,
        b'{"n": ' + b"9" * 5000 + b"}",
        b'{"s": "\\ud800"}',
    ],
    ids=["none", "bytes", "list", "deep", "huge-number", "lone-surrogate"],
)
def test_garbage_is_passed_on_as_far_as_it_goes(short_dir: Path, stub: Stub, payload: bytes) -> None:
    run_hook(short_dir, "claude", stdin=payload)
    event = WireEvent.model_validate(stub.calls[0].body)
    assert event.event_type == "unknown"
    json.dumps(event.payload, ensure_ascii=False).encode()


@pytest.mark.tc("TC-103")
def test_a_number_that_no_json_has_is_told_in_words() -> None:
    result = hook.parse(b'{"hook_event_name": "Stop", "n": [1e999, -1e999, NaN, 1.5]}')
    assert result == {"hook_event_name": "Stop", "n": ["inf", "-inf", "NaN", 1.5]}


@pytest.mark.tc("TC-103")
@pytest.mark.parametrize(
    "payload", [{"text": "x" * (1 << 20)}, {"texts": ["y" * 5000] * 200}, {str(n): "z" * 90 for n in range(9000)}]
)
def test_a_payload_of_one_mebibyte_arrives_cut_below_the_limit(
    short_dir: Path, stub: Stub, payload: dict[str, Any]
) -> None:
    run_hook(short_dir, "claude", stdin=json.dumps({"hook_event_name": "Stop", **payload}).encode())
    body = stub.calls[0].body
    assert body["event_type"] == "Stop"
    assert len(json.dumps(body)) < 1 << 20
    longest = max(len(text) for text in re.findall(r'"([^"]*)"', json.dumps(body["payload"], ensure_ascii=False)))
    assert longest < hook.MAX_STRING + 100


@pytest.mark.tc("TC-103")
def test_parsing_that_no_alarm_interrupts_ends_at_the_deadline_all_the_same() -> None:
    long = "import time; from agtmux import hook; hook.end_at(time.time_ns()); sum(range(10**11)); print('too late')"
    done = subprocess.run([sys.executable, "-c", long], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


@pytest.mark.tc("TC-103")
def test_a_hook_that_was_ended_while_it_cut_the_spool_leaves_nothing_that_stays(short_dir: Path) -> None:
    path = short_dir / "spool"
    path.write_bytes(b'{"n":1}\n' * 20)
    (short_dir / "spool.tmp").write_bytes(b"half of what was to be kept" * 20)
    hook.spool(b'{"n":2}', str(path), time.time_ns() + 10**10, most=100, keep=40)
    assert [json.loads(line) for line in path.read_text().splitlines()][-1] == {"n": 2}
    assert sorted(p.name for p in short_dir.iterdir()) == ["spool"]


@pytest.mark.tc("TC-103")
def test_a_full_disk_leaves_the_spool_as_it_was(short_dir: Path) -> None:
    run_hook(short_dir, "claude", stdin=b"{}")
    path = short_dir / "state" / "spool.jsonl"
    before = path.read_bytes()

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, len(before) + 100))

    done = subprocess.run(
        command(["hook", "claude"]), input=b"{}", capture_output=True, timeout=30,
        env=environment(short_dir, **PATIENT), preexec_fn=full, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert path.read_bytes() == before


@pytest.mark.tc("TC-103")
def test_a_spool_that_cannot_be_written_is_no_failure(short_dir: Path) -> None:
    (short_dir / "state").write_text("a file where the folder should be")
    run_hook(short_dir, "claude", stdin=b"{}")
    run_hook(short_dir, "claude", stdin=b"{}", AGTMUX_STATE_DIR="/proc/nowhere")


@pytest.mark.tc("TC-103")
@pytest.mark.parametrize(
    "argv",
    [[], ["claude", "--bogus"], ["opencode", "--at", "noon"], ["opencode", "--at"], ["\udce4 not an agent"], ["--"]],
)
def test_odd_arguments_are_no_failure(short_dir: Path, stub: Stub, argv: list[str]) -> None:
    run_hook(short_dir, *argv)
    WireEvent.model_validate(stub.calls[0].body)


@pytest.mark.tc("TC-103")
def test_a_hook_whose_output_is_closed_still_reports(short_dir: Path, stub: Stub) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command(["hook", "claude"])],
        env=environment(short_dir, **PATIENT),
        check=False,
    )
    assert done.returncode == 0


def append(path: Path, line: bytes, **limits: int) -> None:
    hook.spool(line, str(path), time.time_ns() + 5_000_000_000, **limits)


def test_hooks_that_spool_at_once_lose_and_mix_nothing(short_dir: Path) -> None:
    path = short_dir / "spool.jsonl"
    lines = [json.dumps({"n": n, "text": "x" * 5000}).encode() for n in range(60)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda line: append(path, line), lines))
    assert sorted(path.read_bytes().splitlines()) == sorted(lines)


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 400), min_size=1, max_size=60))
@example(sizes=[1, 1, 1, 244, 400, 400, 1, 244, 400, 129])  # a cut right before the end of a line
def test_a_full_spool_keeps_the_newest_and_counts_the_rest(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int]
) -> None:
    path = tmp_path_factory.mktemp("spool") / "spool.jsonl"
    for number, size in enumerate(sizes):
        append(path, json.dumps({"n": number, "x": "x" * size}).encode(), most=2000, keep=700)
        assert path.stat().st_size <= 2000
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    dropped = sum(line["gap"]["dropped"] for line in lines if "gap" in line)
    kept = [line["n"] for line in lines if "n" in line]
    assert kept == list(range(dropped, len(sizes)))
    assert sum("gap" in line for line in lines) == (1 if dropped else 0)


def test_a_torn_last_line_does_not_spoil_the_next_event(short_dir: Path) -> None:
    path = short_dir / "spool.jsonl"
    path.write_bytes(b'{"torn')
    append(path, b'{"n":1}')
    assert path.read_bytes() == b'{"torn\n{"n":1}\n'


def test_an_event_goes_to_the_new_spool_when_the_daemon_takes_the_old_one(short_dir: Path) -> None:
    import fcntl

    path, taken = short_dir / "spool.jsonl", short_dir / "taken.jsonl"
    append(path, b'{"n":1}')
    with path.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        writer = threading.Thread(target=append, args=(path, b'{"n":2}'))
        writer.start()
        _until(lambda: _waits_for(path))
        path.rename(taken)
    writer.join(10)
    assert (taken.read_bytes(), path.read_bytes()) == (b'{"n":1}\n', b'{"n":2}\n')


def test_an_event_written_while_the_daemon_took_the_spool_is_written_again(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, taken, write = short_dir / "spool.jsonl", short_dir / "taken.jsonl", os.write

    def taken_meanwhile(fd: int, data: bytes) -> int:
        if not taken.exists():
            path.rename(taken)
        return write(fd, data)

    monkeypatch.setattr(os, "write", taken_meanwhile)
    append(path, b'{"n":1}')
    assert (taken.read_bytes(), path.read_bytes()) == (b'{"n":1}\n', b'{"n":1}\n')


def _waits_for(path: Path) -> bool:
    links = list(Path("/proc/self/fd").iterdir())
    return sum(link.exists() and link.resolve() == path.resolve() for link in links) >= 2


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_locked_spool_is_given_up_at_the_deadline(short_dir: Path) -> None:
    import fcntl

    path = short_dir / "spool.jsonl"
    with path.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError):
            hook.spool(b"{}", str(path), time.time_ns() + 20_000_000)
    assert path.read_bytes() == b""


def test_ids_made_one_after_another_sort_by_time() -> None:
    ids = [hook.uuid7(now * hook.MS) for now in (1, 2, 10**12)]
    assert ids == sorted(ids)
