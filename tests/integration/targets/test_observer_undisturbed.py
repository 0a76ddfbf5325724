"""Observation changes nothing that a user of the server could see, and every reading goes one way."""

from __future__ import annotations

import ast
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import agtmuxd
from agtmuxd.targets.local.executor import LocalExecutor
from agtmuxd.tmux.round import Round, build, parse
from agtmuxd.tmux.server import tmux_argv
from tests.conftest import Terminal, Tmux, until

_CLIENT = "name session width height flags activity key_table last_session readonly utf8"
_SESSION = "id name attached activity alerts last_attached many_attached stack path group"
_WINDOW = "id width height flags layout activity_flag bell_flag silence_flag active activity name last_flag zoomed_flag"
_PANE = "id pid width height in_mode mode active last title pipe marked input_off synchronized"


def _all(kind: str, names: str) -> str:
    return " ".join(f"#{{{kind}_{name}}}" for name in names.split())


_SEEN = {
    "clients": ("list-clients", "-F", _all("client", _CLIENT)),
    "sessions": ("list-sessions", "-F", _all("session", _SESSION)),
    "windows": ("list-windows", "-a", "-F", _all("window", _WINDOW)),
    "panes": ("list-panes", "-a", "-F", _all("pane", _PANE) + " #{history_size} #{scroll_position}"),
    "buffers": ("list-buffers",),
    "hooks": ("show-hooks", "-g"),
    "server options": ("show-options", "-s"),
    "session options": ("show-options", "-g"),
    "window options": ("show-options", "-gw"),
    "own options": ("show-options", "-t", "main"),
    "environment": ("show-environment", "-g"),
    "own environment": ("show-environment", "-t", "main"),
    "keys": ("list-keys",),
}


def _seen(tmux: Tmux) -> dict[str, str]:
    return {name: tmux.run(*command) for name, command in _SEEN.items()}


def _alerted(tmux: Tmux) -> bool:
    flags = tmux.run("list-windows", "-t", "main", "-F", "#{window_flags}")
    return "#" in flags and "!" in flags


@pytest.mark.tc("TC-109")
async def test_fifty_rounds_leave_everything_as_it_was(tmux: Tmux, attach: Callable[..., Terminal]) -> None:
    first = tmux.start(session="main", cols=90, rows=20)
    tmux.run("set-option", "-g", "monitor-activity", "on")
    tmux.run("set-option", "-g", "automatic-rename", "off")  # tmux's own clock would rename windows meanwhile
    busy = tmux.run("new-window", "-d", "-P", "-F", "#{pane_id}", "-t", "main", "cat")
    rung = tmux.run("new-window", "-d", "-P", "-F", "#{pane_id}", "-t", "main", "read x; printf '\\a'; exec cat")
    tmux.run("split-window", "-d", "-t", first, "cat")
    tmux.run("set-buffer", "-b", "mine", "kept")
    tmux.run("new-session", "-d", "-s", "away", "-x", "60", "-y", "15", "cat")
    tmux.run("copy-mode", "-t", "away")
    attach(tmux, "main", 100, 30)
    tmux.run("send-keys", "-t", busy, "activity", "Enter")
    tmux.run("send-keys", "-t", rung, "Enter")
    until(lambda: tmux.run("capture-pane", "-p", "-t", busy).count("activity") == 2, what="the echo is there")
    until(lambda: _alerted(tmux), what="both alerts stand")
    panes = tmux.run("list-panes", "-a", "-F", "#{pane_id}").split()
    before = _seen(tmux)
    executor = LocalExecutor({**os.environ, "SSH_AUTH_SOCK": "/daemon", "DISPLAY": ":daemon"})
    for _ in range(50):
        nonce = secrets.token_hex(8)
        argv = [*tmux_argv("tmux", str(tmux.socket)), "source-file", "-"]
        done = await executor.run(argv, stdin=build(nonce, panes), timeout=20)
        found = parse(nonce, done.stdout, done.stderr, done.returncode)
        assert isinstance(found, Round)
        assert set(found.captures) == set(panes)
    await executor.close()
    assert _seen(tmux) == before


_PROGRAM_STARTERS = {
    "subprocess", "pty", "multiprocessing", "os.system", "os.popen", "os.posix_spawn", "os.posix_spawnp", "os.fork",
    "os.forkpty", "os.execv", "os.execve", "os.execvp", "os.spawnv", "asyncio.create_subprocess_exec",
    "asyncio.create_subprocess_shell", "asyncio.subprocess",
}  # fmt: skip
_ALLOWED = {
    "targets/local/child_process.py",
    "targets/ssh/executor.py",
    "targets/ssh/proxy_command.py",  # the ProxyCommand of the user's own ssh config
    "features/notify/channels/program.py",  # the channels that you configured
    "features/worktrees/git_changes.py",  # git status of a repository in which two agents work, without its hooks
    "remote_hooks/call_program.py",  # runs over there, not in the daemon
    "store/housekeeping.py",  # asks macOS for the name of its boot, once at a start
}


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


def _modules() -> Iterator[tuple[str, ast.AST]]:
    root = Path(agtmuxd.__file__).parent
    for path in sorted(root.rglob("*.py")):
        yield path.relative_to(root).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.tc("TC-040")
def test_programs_are_started_behind_the_executor_only() -> None:
    starters = {name for name, tree in _modules() if _PROGRAM_STARTERS & set(_names(tree))}
    assert starters <= _ALLOWED
    assert "targets/local/child_process.py" in starters


def _own_read_of_proc(call: ast.Call) -> bool:
    """Whether a call is handed a path of /proc and is not the executor's ``read_file``."""
    if isinstance(call.func, ast.Attribute) and call.func.attr == "read_file":
        return False
    texts = (part.values[0] if isinstance(part, ast.JoinedStr) and part.values else part for part in call.args)
    return any(isinstance(text, ast.Constant) and str(text.value).startswith("/proc") for text in texts)


@pytest.mark.tc("TC-040")
def test_processes_are_read_behind_the_executor_only() -> None:
    readers = {
        name
        for name, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _own_read_of_proc(node)
    }
    assert readers == {
        "targets/local/process_table.py",
        "remote_hooks/hook_program.py",  # runs over there, not in the daemon
        "store/housekeeping.py",  # the name of the machine's boot, no process
    }
    users = {name for name, tree in _modules() if "agtmuxd.targets.local.process_table" in set(_names(tree))}
    behind = {"targets/local/executor.py", "targets/ssh/commands.py", "targets/ssh/executor.py"}
    assert users - behind == {
        "targets/apart.py",  # asks of who called on the own socket
        "targets/local/pidfd.py",
        "targets/local/new_processes.py",
        "targets/local/agent_server.py",
        "ingest/transcripts/by_folder.py",
        "ingest/transcripts/by_open_file.py",
    }  # of this machine only
