"""Find the paths of the socket, lock, database, spool, log and config. Only this module reads the environment for
paths.

It imports only ``os``, because the hook and every CLI call import it. The rules are those of platformdirs, written out
for the two platforms that have tmux. A test compares them with platformdirs itself.
"""

from __future__ import annotations

import os
import stat
import sys

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.regular import read_regular

APP = "agtmux"


def _home() -> str:
    """Return the user's home folder. Raises E_FORBIDDEN if there is none: files would land in an agent's working
    directory.
    """
    home = os.environ.get("HOME", "")
    if home.startswith("/"):
        return home
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        raise AgtmuxError("E_FORBIDDEN", "this user has no home folder: set HOME or AGTMUX_STATE_DIR") from None


def _xdg(variable: str, fallback: str) -> str:
    value = os.environ.get(variable, "")
    return value if value.startswith("/") else os.path.join(_home(), fallback)


def state_dir() -> str:
    """Return the folder of the database, spool and log. ``AGTMUX_STATE_DIR`` overrides it."""
    own = os.environ.get("AGTMUX_STATE_DIR")
    if own:
        return os.path.abspath(own)
    if sys.platform == "darwin":
        return os.path.join(_home(), "Library", "Application Support", APP)
    return os.path.join(_xdg("XDG_STATE_HOME", ".local/state"), APP)


def runtime_dir() -> str:
    """Return the folder of the socket and lock: ``AGTMUX_RUNTIME_DIR``, else ``$XDG_RUNTIME_DIR/agtmux``, else the
    state's.
    """
    own = os.environ.get("AGTMUX_RUNTIME_DIR")
    if own:
        return os.path.abspath(own)
    xdg = os.environ.get("XDG_RUNTIME_DIR", "")
    if sys.platform != "darwin" and xdg.startswith("/"):
        return os.path.join(xdg, APP)
    return state_dir()


def runtime_is_gone() -> bool:
    """Return whether ``XDG_RUNTIME_DIR`` names a missing folder. A tmux server that outlives its login has that."""
    folder = runtime_dir()
    return folder not in (os.environ.get("AGTMUX_RUNTIME_DIR"), state_dir()) and not os.path.lexists(
        os.path.dirname(folder)
    )


def config_file() -> str:
    """Return the path of ``config.toml``. ``AGTMUX_CONFIG`` overrides it."""
    own = os.environ.get("AGTMUX_CONFIG")
    if own:
        return os.path.abspath(own)
    if sys.platform == "darwin":
        return os.path.join(_home(), "Library", "Application Support", APP, "config.toml")
    return os.path.join(_xdg("XDG_CONFIG_HOME", ".config"), APP, "config.toml")


def socket_path() -> str:
    """Return the socket that a client connects to: ``AGTMUX_SOCKET``, else ``agtmuxd.sock`` in the runtime folder."""
    own = os.environ.get("AGTMUX_SOCKET")
    return os.path.abspath(own) if own else os.path.join(runtime_dir(), "agtmuxd.sock")


def lock_paths() -> list[str]:
    """Return the files that a running daemon holds locked and that name its pid: the database's, then the runtime
    folder's.
    """
    return [database_path() + ".lock", os.path.join(runtime_dir(), "agtmuxd.lock")]


def spare_socket_path() -> str:
    """Return the socket of a daemon that can no longer listen in the runtime folder."""
    return os.path.join(state_dir(), "agtmuxd.spare.sock")


def pointer_path() -> str:
    """Return the file in the state folder that holds the path of the running daemon's socket (one line)."""
    return os.path.join(state_dir(), "socket-path")


def socket_candidates() -> list[str]:
    """Return the sockets that a hook tries, in order. A tmux server may have been started without
    ``XDG_RUNTIME_DIR``.
    """
    out = [socket_path()]
    try:
        recorded = read_regular(pointer_path(), 4096).decode("utf-8").strip()
    except (OSError, ValueError, AgtmuxError):
        recorded = ""
    if recorded and recorded not in out and not os.environ.get("AGTMUX_SOCKET"):
        out.append(recorded)
    return out


def database_path() -> str:
    return os.path.join(state_dir(), "agtmux.db")


def spool_path() -> str:
    """Return the JSONL file that hooks append to while no daemon answers."""
    return os.path.join(state_dir(), "spool.jsonl")


def patterns_path() -> str:
    """Return the JSON list of ``redaction.patterns``. The daemon writes it for hooks that have to spool."""
    return os.path.join(state_dir(), "redaction-patterns.json")


def log_path() -> str:
    return os.path.join(state_dir(), "agtmuxd.log")


def user_units_dir() -> str:
    """Return the folder of the user's own systemd units."""
    return os.path.join(_xdg("XDG_CONFIG_HOME", ".config"), "systemd", "user")


def user_runtime_dir() -> str:
    """Return the runtime folder of the user's session, which systemd calls ``%t``: also where a shell was not handed
    its name, as after ``su``.
    """
    xdg = os.environ.get("XDG_RUNTIME_DIR", "")
    return xdg if xdg.startswith("/") else f"/run/user/{os.getuid()}"


def launch_agents_dir() -> str:
    """Return the folder of the user's own launchd agents."""
    return os.path.join(_home(), "Library", "LaunchAgents")


def ensure_private_dir(path: str) -> None:
    """Create ``path`` and missing folders above it with mode 0700, or check it.

    Raises E_FORBIDDEN if it cannot be made or written to, if another user owns it, or if others may write to it.
    """
    try:
        _make_private(path)
    except OSError as error:
        raise _unusable(path, f"cannot be made ({error.strerror})") from None
    check_private_dir(path)


def check_private_dir(path: str) -> None:
    """Raise E_FORBIDDEN if ``path`` is not our own writable folder, or if others may write to it."""
    try:
        info = os.stat(path)
    except OSError as error:
        raise _unusable(path, f"cannot be used ({error.strerror})") from None
    if info.st_uid != os.getuid():
        raise _unusable(path, f"belongs to uid {info.st_uid}, not to you")
    if not stat.S_ISDIR(info.st_mode):
        raise AgtmuxError("E_FORBIDDEN", f"{path} is not a directory: move it away")
    if stat.S_IMODE(info.st_mode) & 0o022:
        raise AgtmuxError("E_FORBIDDEN", f"{path} is writable by others: run chmod 700 {path}")
    if not os.access(path, os.W_OK | os.X_OK):
        read_only = os.statvfs(path).f_flag & os.ST_RDONLY
        raise _unusable(path, f"cannot be written to ({'Read-only file system' if read_only else 'Permission denied'})")


def _make_private(path: str) -> None:
    try:
        os.mkdir(path, 0o700)
    except FileNotFoundError:
        above = os.path.dirname(path)
        if above == path:
            raise
        _make_private(above)
        os.mkdir(path, 0o700)
    except OSError:
        if not os.path.isdir(path):
            raise


def _unusable(path: str, why: str) -> AgtmuxError:
    state = path == state_dir() or path != runtime_dir()
    variable = "AGTMUX_STATE_DIR" if state else "AGTMUX_RUNTIME_DIR"
    return AgtmuxError("E_FORBIDDEN", f"{path} {why}: set {variable} to a folder that you own and can write to")
