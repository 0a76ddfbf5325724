"""Open a tmux window with an agent in it, here or behind ssh (for ``agtmux new``).

Owns what is looked up before anything is started, the tmux commands, and the mark by which a repeated request finds its
window again. It never ends or restarts anything. Knows no daemon.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import contextmanager

from agtmux import terminal
from agtmux.cli.target_shell import TargetShell
from agtmux.protocol import paths
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import one_line
from agtmux.protocol.tmux_quote import format_literal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import NamedTuple

    class Machine(NamedTuple):
        """What was found on the target's machine: the whole path of the agent's program, the PATH to run it with, and
        the folder to run it in.
        """

        program: str
        path: str
        folder: str

else:
    from collections import namedtuple

    Machine = namedtuple("Machine", "program path folder")  # typing.NamedTuple costs 5 ms of import

SESSION = "agents"
"""The session of new agents, if the caller is in none."""
_LOOK = """
m=$1 program=$2 folder=$3
case $folder in "~" | "~/"*) folder=$HOME${folder#"~"} ;; esac
path=$PATH
found=$(command -v "$program")
case $found in
/*) ;;
*)
  path=$("${SHELL:-/bin/sh}" -ilc "echo; echo $m; /usr/bin/env" </dev/null 2>/dev/null |
    sed -n "/^$m\\$/,\\$s/^PATH=//p" | head -n 1)
  found=$(PATH=$path && command -v "$program")
  case $found in /*) ;; *) found= ;; esac ;;
esac
cd -- "${folder:-$HOME}" 2>/dev/null && folder=$(pwd) || folder=
printf '%s%s' "$m" "$found" "$m" "$path" "$m" "$folder" "$m" .
"""
"""``sh -c LOOK sh MARK PROGRAM FOLDER``: find the program on the PATH, else on the PATH of the user's own shell."""
_STAY = 'PATH=$1; export PATH; shift; "$@"; exec "${SHELL:-/bin/sh}"'
"""Runs the agent, and a shell when the agent ends, so that its pane stays."""
_MARK = "agtmux-new:"


def look(shell: TargetShell, program: str, folder: str | None) -> Machine:
    """Find the agent's program and the folder on the machine. ``folder`` None: the home folder.

    Raises E_PRECONDITION_FAILED if one of them is missing, and what ``TargetShell.run`` raises.
    """
    mark = f"agtmux{secrets.token_hex(8)}"
    done = shell.run(["sh", "-c", _LOOK, "sh", mark, program, folder or ""])
    parts = done.stdout.split(mark)
    if len(parts) != 5:
        why = one_line((done.stderr.strip() or "it printed nothing").splitlines()[-1])[:200]
        raise AgtmuxError("E_TARGET_UNREACHABLE", f"{shell.name} does not run commands: {why}")
    found = Machine(*parts[1:4])
    if not found.program:
        raise AgtmuxError(
            "E_PRECONDITION_FAILED",
            f"{program} is not on the PATH of {shell.name}, nor of your shell there: install it, or correct PATH; "
            "nothing was started",
        )
    if not found.folder:
        raise AgtmuxError(
            "E_PRECONDITION_FAILED",
            f"there is no folder {one_line(folder or '~')} on {shell.name} that you may enter: make it, or give another"
            " one with --cwd; nothing was started",
        )
    return found


def checked_session(name: str) -> str:
    """Return the name if a tmux session can have it. Raises E_INVALID_REQUEST: tmux would change the name silently."""
    if not name or set(name) & set(":.") or not name.isprintable():
        raise AgtmuxError(
            "E_INVALID_REQUEST", f"{one_line(name)!r} cannot be the name of a tmux session: leave out : and ."
        )
    return name


def session_here(shell: TargetShell) -> str:
    """Return the session that this command runs in, if it runs on this server, else ``agents``."""
    inside, pane = terminal.inside(), os.environ.get("TMUX_PANE", "")
    if inside is None or shell.is_remote or not pane:
        return SESSION
    done = shell.try_tmux("display-message", "-p", "-t", pane, "#{pid} #{session_name}")
    pid, _, name = done.stdout.rstrip("\n").partition(" ")
    return name if done.returncode == 0 and pid == inside[1] and name else SESSION


def find_pane(shell: TargetShell, request_ref: str) -> str | None:
    """Return the pane that was opened for this request. None: none, or its tmux server is gone."""
    done = shell.try_tmux("list-panes", "-a", "-F", "#{pane_id} #{pane_start_command}")
    for line in done.stdout.splitlines() if done.returncode == 0 else ():
        pane_id, *words = line.split(" ")
        if _MARK + request_ref in words:
            return pane_id
    return None


def open_window(
    shell: TargetShell, machine: Machine, args: Sequence[str], *, session: str, name: str, request_ref: str
) -> str:
    """Open the window in the background and return its pane id. Make the session, and start tmux, if need be.

    Raises E_PRECONDITION_FAILED with tmux's message, and what ``TargetShell.run`` raises.
    """
    shows = ["-d", "-P", "-F", "#{pane_id}", "-n", format_literal(name), "-c", format_literal(machine.folder)]
    agent = ["sh", "-c", _STAY, _MARK + request_ref, machine.path, machine.program, *args]
    if shell.try_tmux("has-session", "-t", f"={session}").returncode == 0:
        return shell.tmux("new-window", *shows, "-t", f"={session}:", *agent).strip()
    return shell.tmux("new-session", *shows, "-s", format_literal(session), *agent).strip()


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait until no other call opens a window, so that two calls for one request open one."""
    folder = paths.runtime_dir()
    paths.ensure_private_dir(folder)
    fd = os.open(os.path.join(folder, "new.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
