"""The daemon as a launchd agent of the user (macOS).

Owns which launchctl command does what. There is no socket activation: launchd hands sockets out through a C library
only, and the agent runs from login anyway.
"""

from __future__ import annotations

import os
import re

from agtmux.protocol import paths
from agtmux.protocol.errors import AgtmuxError
from agtmux.service.files import LABEL, launch_agent, program_in
from agtmux.service.state import CommandResult, ServiceState, run_with
from agtmux.written_files import check, owners, remove, text_of, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from agtmux.service.state import Run

_NO_SESSION = (112, 125)
"""Exit statuses of ``launchctl print gui/UID`` where nobody is logged in on the screen."""


class Launchd:
    """Implements ``Service``. ``program``: agtmuxd by its absolute path."""

    kind = "launchd"

    def __init__(
        self, program: str, environ: Mapping[str, str], needed: Mapping[str, str], run: Run | None = None
    ) -> None:
        self._program = program
        self._needed = needed
        self._run = run or run_with(environ)
        self.file = os.path.join(paths.launch_agents_dir(), f"{LABEL}.plist")

    def wanted(self) -> dict[str, str]:
        return {self.file: launch_agent(self._program, paths.log_path(), self._needed)}

    def commands(self) -> list[list[str]]:
        return [["launchctl", "bootstrap", self._domain(), self.file]]

    def serves(self, socket: str) -> bool:
        """Return whether the agent that is there listens at this path."""
        return os.path.lexists(self.file) and socket == os.path.join(paths.runtime_dir(), "agtmuxd.sock")

    def state(self) -> ServiceState:
        files = owners([self.file])
        program = program_in(text_of(self.file) or "")
        if not files:
            return ServiceState(self.kind, files)
        done = self._run(["launchctl", "print", f"{self._domain()}/{LABEL}"])
        if done.status == 127:
            return ServiceState(self.kind, files, manager="this machine has no launchctl", program=program)
        pid = re.search(r"^\s*pid = (\d+)$", done.out, re.M)
        code = re.search(r"^\s*last exit code = (\d+)", done.out, re.M)
        return ServiceState(
            self.kind, files, program=program, enabled=done.status == 0, active=pid is not None,
            pid=int(pid[1]) if pid else None,
            failed=f"exit status {code[1]}" if code and code[1] != "0" and pid is None else None,
        )  # fmt: skip

    def install(self, *, restart: bool) -> None:
        """Raises E_PRECONDITION_FAILED if the file belongs to somebody else."""
        wanted = self.wanted()
        changed = check(wanted, "agtmux daemon install")
        paths.ensure_private_dir(paths.state_dir())  # launchd makes the log there
        for path in changed:
            write(path, wanted[path])
        loaded = self._is_loaded()
        if loaded and changed and restart:
            self._must("bootout", f"{self._domain()}/{LABEL}")
            loaded = False
        if not loaded:
            self._must("bootstrap", self._domain(), self.file)
        self.start()

    def uninstall(self) -> tuple[list[str], list[str]]:
        if owners([self.file]) and self._is_loaded():
            self._must("bootout", f"{self._domain()}/{LABEL}")
        return remove([self.file])

    def start(self) -> None:
        if not self._is_loaded():
            self._must("bootstrap", self._domain(), self.file)
        self._must("kickstart", f"{self._domain()}/{LABEL}")

    def stop(self) -> None:
        """Nothing is left to do after the daemon ended in order: launchd starts it again only after a failure."""

    def restart(self) -> None:
        self._must("kickstart", "-k", f"{self._domain()}/{LABEL}")

    # ---------------------------------------------------------------- the manager

    def _domain(self) -> str:
        """Return the domain to use: the one of the screen, or the user's own where nobody is logged in there."""
        uid = os.getuid()
        gui = self._run(["launchctl", "print", f"gui/{uid}"]).status
        return f"user/{uid}" if gui in _NO_SESSION else f"gui/{uid}"

    def _is_loaded(self) -> bool:
        return self._run(["launchctl", "print", f"{self._domain()}/{LABEL}"]).status == 0

    def _must(self, *words: str) -> CommandResult:
        done = self._run(["launchctl", *words])
        if done.status != 0:
            raise AgtmuxError("E_INTERNAL", f"launchctl {' '.join(words)} failed: {done.failure_message}")
        return done
