"""The hook program of a machine behind ssh: told like ``agtmux hook``, to all that watch, and never felt."""

from __future__ import annotations

import ast
import json
import os
import socket
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.api.requests import WireEvent
from agtmuxd.remote_hooks import install_program
from tests.unit.daemon_stub import Stub

SRC = Path(__file__).parents[3] / "src"
SHARED = (
    "options", "end_at", "_stdin", "parse", "cut", "_shrink", "build_event", "_is_name", "_number", "uuid7",
    "ancestors", "first_words", "encode", "_lock", "_is_at", "_keep_newest",
)  # fmt: skip


class Home:
    """A home folder with the program in it, and daemons that watch."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / install_program.STATE
        self.state.mkdir(parents=True, mode=0o700)
        self.file = Path(install_program.path(str(root)))
        self.file.parent.mkdir(parents=True)
        self.file.write_text(install_program.text())

    def watched(self, name: str, sock: Path | str = "") -> Path:
        """A daemon called ``name`` behind ``sock``; where its spool will be."""
        (self.state / f"{name}.supervisor").write_text(f"{sock}\n")
        return self.state / f"{name}.spool.jsonl"

    def run(self, *argv: str, stdin: bytes = b"{}", **env: str) -> None:
        done = subprocess.run(
            [sys.executable, "-IS", str(self.file), "hook", *argv], input=stdin, capture_output=True, timeout=30,
            check=False, env={"PATH": os.environ["PATH"], "HOME": "/nowhere", "AGTMUX_HOOK_CAP_MS": "5000", **env},
        )  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.fixture
def home(short_dir: Path) -> Home:
    return Home(short_dir)


def stub(folder: Path, name: str, status: int = 200) -> Stub:
    made = Stub(folder / name).start()
    made.answer("POST /v1/events", {"schema_version": "1.0", "results": []}, status=status)
    return made


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def functions(path: Path) -> dict[str, str]:
    tree = ast.parse(path.read_text())
    return {node.name: ast.dump(node) for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_it_is_agtmux_hook_but_for_who_is_told() -> None:
    local, far = functions(SRC / "agtmux" / "hook.py"), functions(SRC / "agtmuxd" / "remote_hooks" / "hook_program.py")
    for name in SHARED:
        assert far[name] == local[name], f"{name} of remote_hooks/hook_program.py is not that of agtmux/hook.py"


def test_it_needs_nothing_newer_than_python_3_8_and_only_its_library() -> None:
    for source in (
        install_program.text(),
        install_program.file_writer(),
        (SRC / "agtmux" / "protocol" / "redact.py").read_text(),
    ):
        tree = ast.parse(source, feature_version=(3, 8))
        names = {n.module if isinstance(n, ast.ImportFrom) else n.names[0].name
                 for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom))}  # fmt: skip
        assert names <= {"__future__", *sys.stdlib_module_names}


@pytest.mark.tc("TC-103")
def test_all_daemons_that_watch_are_told_and_who_does_not_answer_finds_it_later(home: Home, short_dir: Path) -> None:
    one, two = stub(short_dir, "1"), stub(short_dir, "2", status=503)
    spools = {
        name: home.watched(name, sock)
        for name, sock in (("a", one.socket), ("b", two.socket), ("c", ""), ("d", short_dir / "gone"))
    }
    home.run("claude", stdin=b'{"hook_event_name": "Stop", "prompt": "use token=hunter2hunter2"}', TMUX="/t,1,0")
    one.stop()
    two.stop()
    (result,) = (call.body for call in one.calls)
    event = WireEvent.model_validate(result)
    assert (event.event_type, event.agent_type, event.chain[0].pid) == ("Stop", "claude", os.getpid())
    assert not spools["a"].exists()
    for name in "bcd":
        (kept,) = lines(spools[name])
        assert (kept["event_id"], kept["spooled"]) == (result["event_id"], True)
        assert "hunter2" not in spools[name].read_text()
        assert stat.S_IMODE(spools[name].stat().st_mode) == 0o600


@pytest.mark.tc("TC-103")
def test_a_daemon_that_hangs_holds_up_neither_the_agent_nor_another_daemon(home: Home, short_dir: Path) -> None:
    good = stub(short_dir, "good")
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(short_dir / "hung"))
        hung.listen(1)
        kept = home.watched("hung", short_dir / "hung")
        home.watched("good", good.socket)
        home.run("claude", AGTMUX_HOOK_CAP_MS="1500")
    good.stop()
    assert len(good.calls) == len(lines(kept)) == 1


@pytest.mark.tc("TC-103")
@pytest.mark.parametrize("stdin", [b"", b"\xff\x00garbage", b"[" * 100_000, b'{"a": "' + b"x" * (1 << 20) + b'"}'])
def test_whatever_comes_in_it_is_silent(home: Home, stdin: bytes) -> None:
    kept = home.watched("a")
    home.run("claude", stdin=stdin)
    assert len(lines(kept)) == 1


@pytest.mark.tc("TC-103")
def test_nobody_watches_or_the_folder_is_not_ours_alone(home: Home) -> None:
    home.run("claude")
    assert list(home.state.iterdir()) == []
    kept = home.watched("a")
    home.state.chmod(0o777)
    home.run("claude")
    assert not kept.exists()
    home.state.rename(home.state.with_name("elsewhere"))
    home.run("claude")


@pytest.mark.tc("TC-132")
def test_what_each_daemon_looks_for_is_taken_out_of_its_spool(home: Home) -> None:
    ours, theirs, broken = home.watched("a"), home.watched("b"), home.watched("c")
    (home.state / "a.patterns.json").write_text('["ACME-[0-9]+"]')
    (home.state / "b.patterns.json").write_text("[")
    (home.state / "c.patterns.json").write_text('["(", "x"]')
    home.run("claude", stdin=b'{"hook_event_name": "Stop", "prompt": "is ACME-7777 there"}')
    listed = {path: lines(path)[0] for path in (ours, theirs, broken)}
    assert [one["payload"]["prompt"] for one in listed.values()] == [
        "is [redacted] there", "is ACME-7777 there", "[redacted]"
    ]  # fmt: skip
    assert len({one["event_id"] for one in listed.values()}) == 1


@pytest.mark.tc("TC-103")
def test_a_daemon_that_never_came_back_fills_no_disk(home: Home) -> None:
    kept = home.watched("a")
    os.utime(home.state / "a.supervisor", (1, 1))
    home.run("claude")
    assert not kept.exists()


@pytest.mark.tc("TC-103")
def test_a_daemon_that_sleeps_is_not_waited_for_at_each_hook(home: Home, short_dir: Path) -> None:
    """Three times in vain, then not for a while; a new connection, or an answer, ends that."""
    heard = 0
    with socket.socket(socket.AF_UNIX) as asleep:
        asleep.bind(str(short_dir / "asleep"))
        asleep.listen(64)
        asleep.setblocking(False)
        kept = home.watched("a", short_dir / "asleep")
        for _ in range(5):
            home.run("claude", AGTMUX_HOOK_CAP_MS="1000")
            with suppress(BlockingIOError):
                asleep.accept()[0].close()
                heard += 1
    assert (heard, len(lines(kept))) == (3, 5)
    awake = stub(short_dir, "awake")
    home.watched("a", awake.socket)
    later = (home.state / "a.hung").stat().st_mtime + 1
    os.utime(home.state / "a.supervisor", (later, later))
    home.run("claude")
    awake.stop()
    assert len(awake.calls) == 1
    assert not (home.state / "a.hung").exists()
    assert len(lines(kept)) == 5


@pytest.mark.tc("TC-103")
@pytest.mark.parametrize("odd", ["z.supervisor", "a.hung", "a.spool.jsonl"])
def test_what_is_in_the_way_of_one_daemon_costs_no_other_its_event(home: Home, short_dir: Path, odd: str) -> None:
    """Also what another hook, or a daemon that leaves, took away in the same moment."""
    good = stub(short_dir, "good")
    home.watched("a", good.socket if odd == "a.hung" else "")
    kept = home.watched("b")
    os.utime(home.state / "b.supervisor", (1 << 30, (home.state / "a.supervisor").stat().st_mtime - 1))
    (home.state / odd).mkdir()
    os.utime(home.state / odd, (1, 1))
    home.run("claude")
    good.stop()
    assert len(lines(kept)) == 1


@pytest.mark.tc("TC-103")
def test_an_event_is_redacted_once_for_all_daemons_that_look_for_the_same(home: Home) -> None:
    """It takes most of the time that a hook has."""
    asked = home.root / "asked"
    counting = f"def redact_event(event, extra):\n    open({str(asked)!r}, 'a').write('.')\n    return event\n"
    source = (SRC / "agtmuxd" / "remote_hooks" / "hook_program.py").read_text()
    home.file.write_text(source.replace('REDACT = ""\n', f"REDACT = {counting!r}\n"))
    spools = [home.watched(name) for name in "abcd"]
    (home.state / "d.patterns.json").write_text('["x"]')
    home.run("claude")
    assert [len(lines(spool)) for spool in spools] == [1, 1, 1, 1]
    assert asked.read_text() == ".."
