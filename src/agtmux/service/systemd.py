"""The daemon as systemd user units: a socket that systemd listens at, and the service that it starts.

Owns which systemctl command does what. A drop-in of the user is never touched.
"""

from __future__ import annotations

import os

from agtmux.protocol import paths
from agtmux.protocol.errors import AgtmuxError
from agtmux.service.files import SERVICE_UNIT, SOCKET_UNIT, listen_in, program_in, service_unit, socket_unit
from agtmux.service.state import CommandResult, ServiceState, run_with
from agtmux.written_files import check, owners, remove, text_of, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from agtmux.service.state import Run

SYSTEMCTL = ("systemctl", "--user", "--no-pager", "--no-ask-password")
_SHOWN = "LoadState,ActiveState,SubState,UnitFileState,MainPID,FragmentPath,NeedDaemonReload,Result"
_WANTS = ("sockets.target.wants/agtmuxd.socket", "default.target.wants/agtmuxd.service")


class Systemd:
    """Implements ``Service``. ``program``: agtmuxd by its absolute path."""

    kind = "systemd"

    def __init__(
        self,
        program: str,
        environ: Mapping[str, str],
        needed: Mapping[str, str],
        run: Run | None = None,
        root: str = "",
    ) -> None:
        """``environ``: this process's environment. ``needed``: what of it the daemon needs too. ``root``: where
        logind's files are looked for.
        """
        self._root = root
        self._program = program
        self._needed = needed
        self._run = run or run_with({**environ, "XDG_RUNTIME_DIR": paths.user_runtime_dir(), "LC_ALL": "C"})
        folder = paths.user_units_dir()
        self.socket_file = os.path.join(folder, SOCKET_UNIT)
        self.service_file = os.path.join(folder, SERVICE_UNIT)

    def wanted(self) -> dict[str, str]:
        own = self._needed.get("AGTMUX_RUNTIME_DIR")
        listen = f"{own}/agtmuxd.sock" if own else "%t/agtmux/agtmuxd.sock"
        return {self.socket_file: socket_unit(listen), self.service_file: service_unit(self._program, self._needed)}

    def commands(self) -> list[list[str]]:
        return [
            [*SYSTEMCTL[:2], "daemon-reload"],
            [*SYSTEMCTL[:2], "enable", SOCKET_UNIT, SERVICE_UNIT],
            [*SYSTEMCTL[:2], "start", SOCKET_UNIT, SERVICE_UNIT],
        ]

    def serves(self, socket: str) -> bool:
        """Return whether the units that are there listen at this path."""
        text = text_of(self.socket_file)
        return text is not None and listen_in(text, paths.user_runtime_dir()) == socket

    def state(self) -> ServiceState:
        files = owners([self.socket_file, self.service_file])
        program = program_in(text_of(self.service_file) or "")
        if not files:
            return ServiceState(self.kind, files)
        why = self._no_manager()
        if why is not None:
            return ServiceState(self.kind, files, manager=why, program=program)
        shown = self._show(SERVICE_UNIT)
        listens = self._show(SOCKET_UNIT)
        failed = shown.get("ActiveState") == "failed"
        pid = int(shown.get("MainPID") or 0)
        return ServiceState(
            self.kind, files, program=program,
            enabled=shown.get("UnitFileState") == "enabled" and listens.get("UnitFileState") == "enabled",
            active=shown.get("ActiveState") in ("active", "activating", "reloading"),
            listening=listens.get("ActiveState") == "active",
            pid=pid or None,
            failed=(shown.get("Result") or "failed") if failed else None,
            stale="yes" in (shown.get("NeedDaemonReload"), listens.get("NeedDaemonReload")),
            linger=self._lingers(),
        )  # fmt: skip

    def install(self, *, restart: bool) -> None:
        """Raises E_PRECONDITION_FAILED if no user manager answers, or if a file belongs to somebody else."""
        why = self._no_manager()
        if why is not None:
            raise AgtmuxError(
                "E_PRECONDITION_FAILED",
                f"{why}, so nothing was installed: log in as this user by ssh or on the console, or run "
                f"loginctl enable-linger {_user()}; without a service, agtmux commands start the daemon",
            )
        wanted = self.wanted()
        changed = check(wanted, "agtmux daemon install")
        for path in changed:
            write(path, wanted[path])
        self._must("daemon-reload")
        read = self._show(SERVICE_UNIT).get("FragmentPath")
        if read != self.service_file:
            remove(changed)
            self._must("daemon-reload")
            folder = os.path.dirname(self.service_file)
            raise AgtmuxError(
                "E_PRECONDITION_FAILED",
                f"the user manager reads no units in {folder}"
                f"{f', but {read}' if read else ''}: unset XDG_CONFIG_HOME, then run agtmux daemon install again",
            )
        self._must("enable", SOCKET_UNIT, SERVICE_UNIT)
        if changed and restart:
            self._must("stop", SOCKET_UNIT, SERVICE_UNIT)
        self._must("start", SOCKET_UNIT, SERVICE_UNIT)

    def uninstall(self) -> tuple[list[str], list[str]]:
        files = [self.socket_file, self.service_file]
        there = owners(files)
        manager = self._no_manager() is None
        if manager and there:
            self._run([*SYSTEMCTL, "disable", "--now", SOCKET_UNIT, SERVICE_UNIT])
        removed, kept = remove(files)
        if removed and not manager:
            for name in _WANTS:
                link = os.path.join(os.path.dirname(self.service_file), name)
                if os.path.islink(link) and not os.path.exists(link):
                    os.unlink(link)
        if removed and manager:
            self._must("daemon-reload")
            self._run([*SYSTEMCTL, "reset-failed", SOCKET_UNIT, SERVICE_UNIT])
        kept += [f"{path}.d" for path in files if os.path.isdir(f"{path}.d")]
        return removed, kept

    def start(self) -> None:
        self._must("start", SOCKET_UNIT, SERVICE_UNIT)

    def stop(self) -> None:
        self._must("stop", SOCKET_UNIT, SERVICE_UNIT)

    def restart(self) -> None:
        self._must("start", SOCKET_UNIT)
        self._must("restart", SERVICE_UNIT)

    # ---------------------------------------------------------------- the manager

    def _no_manager(self) -> str | None:
        """Return why no user manager can be used. None if one answers."""
        done = self._run([*SYSTEMCTL, "show", "--property=Version"])
        if done.status == 127:
            return "this machine has no systemctl"
        return None if done.status == 0 and "Version=" in done.out else "no systemd user manager answers here"

    def _show(self, unit: str) -> dict[str, str]:
        done = self._run([*SYSTEMCTL, "show", f"--property={_SHOWN}", unit])
        return dict(line.split("=", 1) for line in done.out.splitlines() if "=" in line)

    def _lingers(self) -> bool | None:
        """Return whether the user manager goes on after the last logout. logind keeps that as a file for each user."""
        return os.path.exists(f"{self._root}/var/lib/systemd/linger/{_user()}") if self._has_logind() else None

    def _has_logind(self) -> bool:
        return os.path.isdir(f"{self._root}/run/systemd/system")

    def _must(self, *words: str) -> CommandResult:
        done = self._run([*SYSTEMCTL, *words])
        if done.status != 0:
            raise AgtmuxError(
                "E_INTERNAL",
                f"systemctl --user {' '.join(words)} failed: {done.failure_message}; "
                f"see journalctl --user -u {SERVICE_UNIT}",
            )
        return done


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
