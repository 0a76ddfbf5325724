"""Say how the daemon's service stands on this machine, and what a manager of services can do with it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol

    Run = Callable[[Sequence[str]], "CommandResult"]

    class Service(Protocol):
        """The daemon as a service of one kind of manager. Every method may raise AgtmuxError."""

        kind: str
        """``systemd`` or ``launchd``."""

        def serves(self, socket: str) -> bool:
            """Return whether the service that is installed listens at this path."""

        def wanted(self) -> Mapping[str, str]:
            """Return the files of the service by path, as this version writes them."""

        def commands(self) -> Sequence[Sequence[str]]:
            """Return what ``install`` runs after it wrote the files."""

        def state(self) -> ServiceState:
            """Look at the files, and ask the manager."""

        def install(self, *, restart: bool) -> None:
            """Write the files, and have the manager start the service now and at each login."""

        def uninstall(self) -> tuple[list[str], list[str]]:
            """Stop the service and remove the files that agtmux wrote. Return the removed and the kept paths."""

        def start(self) -> None: ...

        def stop(self) -> None:
            """Stop the service, so that it stays down until ``start`` or the next login."""

        def restart(self) -> None: ...


TIME = 20.0
"""Seconds for one command of the manager. Starting waits for the program, stopping for its end."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of one command. ``status`` 127: the program is missing. 124: it took too long."""

    status: int
    out: str
    error: str

    @property
    def failure_message(self) -> str:
        """The last line of what it said about a failure."""
        lines = [line for line in (self.error or self.out).splitlines() if line.strip()]
        return lines[-1].strip() if lines else f"exit status {self.status}"


@dataclass(frozen=True, slots=True)
class ServiceState:
    """How the service stands. ``manager`` None: the manager of services answers, else why not."""

    kind: str
    files: Mapping[str, str]
    """The owner of each file that is there, by its path: ``ours``, ``changed`` or ``foreign``."""
    manager: str | None = None
    enabled: bool = False
    active: bool = False
    listening: bool = False
    """Whether the manager holds the socket, and starts the daemon at the first connection."""
    pid: int | None = None
    failed: str | None = None
    """Why the last start failed."""
    stale: bool = False
    """Whether a file changed since the manager read it."""
    linger: bool | None = None
    """Whether the service goes on after the last logout. None: not known, or no such question."""
    program: str | None = None
    """The program that the service starts."""

    @property
    def installed(self) -> bool:
        return bool(self.files)

    @property
    def waits(self) -> bool:
        """Whether no daemon runs, and a connection to the socket would start one."""
        return self.listening and not self.active

    @property
    def words(self) -> str:
        """The state in a few words, such as ``systemd: enabled, active``."""
        if self.manager is not None:
            return f"{self.kind}: installed, but {self.manager}"
        parts = ["enabled" if self.enabled else "not enabled"]
        if self.failed is not None:
            parts.append(f"failed ({self.failed})")
        else:
            parts.append("active" if self.active else "waits for the first command" if self.waits else "stopped")
        if self.linger is not None:
            parts.append("goes on after logout" if self.linger else "ends with your last logout")
        return f"{self.kind}: {', '.join(parts)}"


def run_with(environ: Mapping[str, str]) -> Run:
    """Return a function that runs one command with this environment. It raises nothing."""

    def run(argv: Sequence[str]) -> CommandResult:
        try:
            done = subprocess.run(
                list(argv), env=dict(environ), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                errors="replace", timeout=TIME, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return CommandResult(124, "", f"{argv[0]} did not end within {TIME:g} s")
        except OSError as error:
            return CommandResult(127, "", f"cannot run {argv[0]}: {error.strerror}")
        return CommandResult(done.returncode, done.stdout, done.stderr)

    return run
