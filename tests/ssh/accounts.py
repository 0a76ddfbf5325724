"""Throw-away login accounts: in the user database of one sshd, and in no other program's.

Owns the account's lines and home folder. The server runs in a mount namespace of its own where ``/etc/passwd`` and its
like are copies with one line more; nothing of this machine's is written. Needs root; ``AccountError`` says so.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from agtmuxd.targets.local import process_table
from tests.conftest import until

NAME = "agt-tester"


class AccountError(Exception):
    """No such account can be made here."""


class Account:
    """A person with that login shell, whose ``home`` has more than letters in its path. ``within`` starts a server."""

    def __init__(self, shell: str, *, folder: str = "home of Jörg's $box") -> None:
        if os.geteuid() != 0 or shutil.which("unshare") is None:
            raise AccountError("a login account of its own needs root and unshare(1)")
        self.shell = shell
        self.uid = _nobodys()
        self.root = Path(tempfile.mkdtemp(prefix="agtacc", dir="/tmp"))
        self.root.chmod(0o755)
        self.home = self.root / folder
        self.home.mkdir()
        os.chown(self.home, self.uid, self.uid)
        etc = self.root / "etc"
        etc.mkdir(mode=0o755)
        lines = {
            "passwd": f"{NAME}:x:{self.uid}:{self.uid}::{self.home}:{shell}\n",
            "group": f"{NAME}:x:{self.uid}:\n",
            "shadow": f"{NAME}:*:20000:0:99999:7:::\n",
        }
        for name, line in lines.items():
            (etc / name).write_text(Path("/etc", name).read_text() + line)
            (etc / name).chmod(0o600 if name == "shadow" else 0o644)
        mounts = " && ".join(f'mount --bind "$0/{name}" /etc/{name}' for name in lines)
        self.within = ["unshare", "-m", "--propagation", "private", "sh", "-c", f'{mounts} && exec "$@"', str(etc)]
        tried = subprocess.run([*self.within, "id", "-un", str(self.uid)], capture_output=True, text=True, check=False)
        if tried.returncode != 0 and "unshare failed" in tried.stderr:
            self.close()
            raise AccountError(f"no mount namespace can be made here: {tried.stderr.strip()}")
        assert tried.stdout.strip() == NAME, tried.stderr

    def write(self, name: str, text: str) -> Path:
        """A file in the home folder, of its owner."""
        path = self.home / name
        missing = [folder for folder in path.parents if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        for made in (path, *missing):
            os.chown(made, self.uid, self.uid)
        return path

    def close(self) -> None:
        """End what this person runs, and take the home folder away. Idempotent."""

        def ended() -> bool:
            for pid in _processes(self.uid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not _processes(self.uid)

        until(ended, what="the processes of the account end")
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.rmtree(f"/tmp/tmux-{self.uid}", ignore_errors=True)


def _nobodys() -> int:
    """A number that no account of this machine has, no process and no tmux server; of this test process alone."""
    for uid in range(30_000 + os.getpid() % 20_000, 60_000):
        try:
            pwd.getpwuid(uid)
        except KeyError:
            if not _processes(uid) and not Path(f"/tmp/tmux-{uid}").exists():
                return uid
    raise AssertionError("no number is free for an account")


def _processes(uid: int) -> list[int]:
    found = []
    for proc in process_table.read_table():
        with suppress(OSError):
            if Path(f"/proc/{proc.pid}").stat().st_uid == uid and proc.state != "Z":
                found.append(proc.pid)
    return found
