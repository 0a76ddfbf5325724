"""A real systemd user manager for one test, in mount and cgroup namespaces of its own.

It reads units below the home folder of the test and keeps its sockets in a runtime folder of the test. Nothing of this
machine's own managers is asked or changed. Needs root, unshare and cgroup v2; else the tests say why they are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import until

_SYSTEMD = next((path for path in ("/lib/systemd/systemd", "/usr/lib/systemd/systemd") if Path(path).exists()), None)

_INSIDE = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec "$@"
"""
"""What makes systemd believe that it may run: a booted system, and a cgroup tree whose root is its own."""


def _cgroup_root() -> Path | None:
    """Where cgroup v2 is mounted on this machine."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        words = line.split()
        if words[2] == "cgroup2":
            return Path(words[1])
    return None


def why_not() -> str | None:
    """Why no manager can be had here."""
    if os.getuid() != 0:
        return "a user manager in namespaces of its own needs root"
    if _SYSTEMD is None or shutil.which("systemctl") is None:
        return "systemd is not installed"
    if shutil.which("unshare") is None or _cgroup_root() is None:
        return "there is no unshare, or no cgroup v2"
    if tuple(int(part) for part in os.uname().release.split(".")[:2]) < (5, 14):
        return "this kernel cannot end a cgroup as a whole"
    probe = subprocess.run(["unshare", "-m", "-C", "true"], capture_output=True, check=False, timeout=30)
    return None if probe.returncode == 0 else "namespaces cannot be made here"


class UserManager:
    """One running ``systemd --user``. ``env`` leads systemctl and agtmux to it."""

    def __init__(self, home: Path, runtime: Path) -> None:
        runtime.mkdir(mode=0o700)
        self.env = {"HOME": str(home), "XDG_RUNTIME_DIR": str(runtime)}
        self._log = runtime.parent / "systemd.log"
        root = _cgroup_root()
        assert root is not None
        assert _SYSTEMD is not None
        self._cgroup = root / f"agtmux-test-{os.getpid()}-{runtime.parent.name}"
        self._cgroup.mkdir()
        env = {**self.env, "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        enter = f"echo $$ > {self._cgroup}/cgroup.procs && exec unshare -m -C sh -c '{_INSIDE}' sh \"$@\""
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                ["sh", "-c", enter, "sh", _SYSTEMD, "--user", "--log-target=console"],
                env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        private = runtime / "systemd" / "private"
        until(lambda: private.exists() or self.process.poll() is not None, within=20.0, what="systemd --user")
        if self.process.poll() is not None:
            why = self._log.read_text(errors="replace").strip().splitlines()[-1:]
            self.close()
            pytest.skip(f"systemd --user does not run here: {' '.join(why)}")

    def systemctl(self, *words: str) -> str:
        """The output of one systemctl command that has to succeed."""
        done = self.try_systemctl(*words)
        assert done.returncode == 0, (words, done.stderr, self.said())
        return done.stdout.strip()

    def try_systemctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["systemctl", "--user", *words], env={"PATH": os.environ["PATH"], **self.env}, capture_output=True,
            text=True, timeout=40, check=False,
        )  # fmt: skip

    def show(self, unit: str, name: str) -> str:
        return self.systemctl("show", unit, f"--property={name}", "--value")

    def cgroup_of(self, unit: str) -> Path:
        """The cgroup of a unit, as this machine sees it."""
        return self._cgroup / self.show(unit, "ControlGroup").lstrip("/")

    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def close(self) -> None:
        """End the manager and all that it started, and remove its cgroups. Idempotent."""
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(20)
        until(self._emptied, within=20.0, what="the manager's processes end")

    def _emptied(self) -> bool:
        """End what is left in the test's own cgroup, by the kernel's own switch for that, and remove it."""
        if not self._cgroup.exists():
            return True
        with suppress(OSError):
            (self._cgroup / "cgroup.kill").write_text("1")
        for folder in sorted(self._cgroup.rglob("*/"), key=lambda path: -len(path.parts)):
            with suppress(OSError):
                folder.rmdir()
        with suppress(OSError):
            self._cgroup.rmdir()
        return not self._cgroup.exists()
