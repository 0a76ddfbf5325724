"""Find the manager of services of this machine, and the daemon's service in it."""

from __future__ import annotations

import os
import sys

from agtmux import installation
from agtmux.protocol import paths
from agtmux.protocol.errors import AgtmuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from agtmux.service.state import Service

_NEEDED = (
    "AGTMUX_CONFIG", "AGTMUX_RUNTIME_DIR", "AGTMUX_STATE_DIR", "TMUX_TMPDIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME",
)  # fmt: skip
"""Variables that decide where the daemon finds its files and your tmux servers. A manager of services knows none."""


def manager(program: str | None = None) -> Service:
    """Return the daemon as a service of this machine's manager. ``program``: agtmuxd, else the installed one.

    Raises E_UNSUPPORTED on a system without systemd and launchd, E_PRECONDITION_FAILED if there is no agtmuxd.
    """
    found = program or installation.program("agtmuxd", sys.argv[0], sys.executable)
    if found is None:
        raise AgtmuxError(
            "E_PRECONDITION_FAILED",
            f"there is no program agtmuxd beside {sys.executable}: install agtmux again (pipx install agtmux)",
        )
    needed = {name: os.path.abspath(os.environ[name]) for name in _NEEDED if os.environ.get(name)}
    return _of(sys.platform, found, os.environ, needed)


def _of(platform: str, program: str, environ: Mapping[str, str], needed: Mapping[str, str]) -> Service:
    if platform == "darwin":
        from agtmux.service.launchd import Launchd

        return Launchd(program, environ, needed)
    if platform == "linux":
        from agtmux.service.systemd import Systemd

        return Systemd(program, environ, needed)
    raise AgtmuxError("E_UNSUPPORTED", f"agtmux knows no services on {platform}: agtmux commands start the daemon")


def installed() -> Service | None:
    """Return the service that runs the daemon which this command talks to. None if there is none.

    Costs a look at one file where no service is installed.
    """
    folder = paths.launch_agents_dir() if sys.platform == "darwin" else paths.user_units_dir()
    name = "io.agtmux.daemon.plist" if sys.platform == "darwin" else "agtmuxd.socket"
    if not os.path.lexists(os.path.join(folder, name)):
        return None
    try:
        found = manager()
    except AgtmuxError:
        return None
    return found if any(found.serves(path) for path in paths.socket_candidates()) else None
