"""Check this machine and this shell: folders, configuration, disk, locale, and where this command runs."""

from __future__ import annotations

import os
import stat
import sys

from agtmux.doctor.facts import command_in, home, shell
from agtmux.doctor.report import note, ok, problem, skipped, warning
from agtmux.protocol import paths
from agtmux.protocol.errors import AgtmuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agtmux.doctor.facts import Facts
    from agtmux.doctor.report import Finding

SOCKET_LIMIT = 104
MIB = 1 << 20
FREE_LEAST, FREE_LOW = 16 * MIB, 512 * MIB
"""Bytes of free disk. Below the first, soon nothing can be stored. Below the second, you get a warning."""


def folders(facts: Facts) -> Iterator[Finding]:
    """Are folders and socket there, ours, and closed to others?"""
    fine = True
    if paths.runtime_is_gone():
        fine = False
        yield warning(
            "runtime_gone",
            f"XDG_RUNTIME_DIR names a folder that is gone ({os.path.dirname(paths.runtime_dir())}): log in again",
        )
    for name, folder in (("state", paths.state_dir()), ("runtime", paths.runtime_dir())):
        if not os.path.lexists(folder):
            continue
        try:
            paths.check_private_dir(folder)
        except AgtmuxError as error:
            fine = False
            mode = stat.S_IMODE(os.stat(folder).st_mode) if os.path.isdir(folder) else 0
            fix = shell(["chmod", "700", folder]) if mode & 0o022 and "writable" in error.message else None
            yield problem(f"{name}_folder", error.message, fix)
    path = paths.socket_path()
    if len(os.fsencode(path)) > SOCKET_LIMIT:
        fine = False
        yield problem(
            "socket_too_long",
            f"{path} has more than {SOCKET_LIMIT} bytes, too many for a socket",
            "export AGTMUX_RUNTIME_DIR=/tmp/agtmux-$USER",
        )
    for text, fix in _open_to_others():
        fine = False
        yield warning("open", text, fix)
    if facts.environ.get("AGTMUX_SOCKET"):
        yield note("agtmux_socket", f"AGTMUX_SOCKET is set: this shell asks the daemon at {path}")
    if fine:
        both = dict.fromkeys([home(paths.state_dir()), home(paths.runtime_dir())])
        yield ok("private", f"only you can use {' and '.join(both)}")


def _open_to_others() -> Iterator[tuple[str, str]]:
    """Yield files that others may read or write, each with the command that closes it."""
    for path in (paths.socket_path(), paths.database_path(), paths.spool_path(), paths.log_path()):
        try:
            info = os.lstat(path)
        except OSError:
            continue
        if info.st_uid == os.getuid() and stat.S_IMODE(info.st_mode) & 0o077 and not stat.S_ISLNK(info.st_mode):
            yield f"{home(path)} is open to other users", shell(["chmod", "600", path])
    config = paths.config_file()
    try:
        if stat.S_IMODE(os.stat(config).st_mode) & 0o022:
            yield f"others may write to {home(config)}", shell(["chmod", "go-w", config])
    except OSError:
        return


def configuration(facts: Facts) -> Iterator[Finding]:
    """Is the configuration file right, as the daemon reads it?"""
    path = paths.config_file()
    errors = facts.errors("configuration not loaded")
    done = facts.run([sys.executable, "-P", "-m", "agtmuxd", "--check-config"], 8.0)
    if done.status == 1:
        text = done.failure_message.removeprefix("agtmuxd: ").rpartition(" (E_")[0] or done.failure_message
        yield problem("wrong", text, _edit(facts, path))
    elif done.status != 0:
        yield skipped("not_read", f"agtmuxd cannot check it: {done.failure_message}")
    elif errors:
        yield warning("not_loaded", f"{errors[0]}; the file is right now", "agtmux daemon reload")
    else:
        there = os.path.lexists(path)
        yield ok("right", f"{home(path)} {'is right' if there else 'does not exist: all settings have their defaults'}")


def storage(facts: Facts) -> Iterator[Finding]:
    """Is there room for the database, and does everything that hooks wrote come in?"""
    store = (facts.health or {}).get("store") or {}
    folder = paths.state_dir()
    while not os.path.isdir(folder) and folder != "/":
        folder = os.path.dirname(folder)
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    text = f"{_size(free)} free in {home(folder)}"
    if free < FREE_LEAST:
        yield problem("full", f"only {text}", shell(["df", "-h", folder]))
    elif free < FREE_LOW:
        yield note("little_room", text, shell(["df", "-h", folder]))
    if disk.f_files and disk.f_favail == 0:
        yield problem("no_inodes", f"no inodes are free in {home(folder)}", shell(["df", "-i", folder]))
    size = _bytes(paths.database_path())
    most = store.get("max_bytes")
    parts = [text] if size is None else [f"database {_size(size)}", text]
    if isinstance(most, int) and isinstance(store.get("used_bytes"), int) and store["used_bytes"] > most:
        limit = f"the database uses {_size(store['used_bytes'])}, more than store.max_bytes ({_size(most)})"
        yield warning("too_large", limit, _edit(facts, paths.config_file()))
    yield from _left_over()
    waiting = _bytes(paths.spool_path()) or 0
    if waiting and facts.health is None:
        parts.append(f"{_size(waiting)} of events wait in the spool")
    yield ok("room", ", ".join(parts))


def _left_over() -> Iterator[Finding]:
    """Yield a note for damaged databases that were set aside."""
    name = os.path.basename(paths.database_path()) + ".corrupt-"
    try:
        kept = sorted(one for one in os.listdir(paths.state_dir()) if one.startswith(name))
    except OSError:
        return
    if kept:
        size = sum(_bytes(os.path.join(paths.state_dir(), one)) or 0 for one in kept)
        files = [os.path.join(paths.state_dir(), one) for one in kept]
        yield note("set_aside", f"{len(kept)} damaged databases are kept ({_size(size)})", shell(["rm", *files]))


def locale(facts: Facts) -> Iterator[Finding]:
    """Does this shell use UTF-8? Without it, signs and other scripts are shown as ``?`` or ``_``."""
    environ = first_environ() or facts.environ
    name = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or ""
    if name.lower().replace("-", "").endswith("utf8") or (not name and sys.platform == "darwin"):
        yield ok("utf8", name or "UTF-8")
        return
    shown = f"is {name}" if name else "is not set"
    yield warning(
        "not_utf8", f"the locale {shown}, without UTF-8: agtmux and tmux show some signs as ? or _",
        "export LANG=C.UTF-8",
    )  # fmt: skip


def first_environ() -> Mapping[str, str]:
    """Return the environment as this process got it: Python changes LC_CTYPE for itself. Empty if not known."""
    try:
        with open("/proc/self/environ", "rb") as file:
            pairs = file.read(1 << 20).decode("utf-8", "surrogateescape").split("\0")
    except OSError:
        return {}
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def place(facts: Facts) -> Iterator[Finding]:
    """Does this command run where it may do everything?"""
    apart = facts.health is not None and is_apart(facts.health.get("pid"))
    if apart:
        yield warning(
            "apart", "this shell is in a container, the daemon is not: it takes events from here, but no actions"
        )
    if facts.unreachable is not None and facts.unreachable.code == "E_FORBIDDEN":
        yield problem("forbidden", facts.unreachable.message, command_in(facts.unreachable.message))
    box = container(facts.environ)
    if box is None:
        yield ok("place", "no container")
    elif not apart:
        yield ok("place", f"this shell is in {box}" + (", with the daemon" if facts.health is not None else ""))


def is_apart(pid: object, root: str = "/proc") -> bool:
    """Return whether the daemon with this pid is in another pid namespace than this process. False if not known."""
    try:
        own = os.readlink(f"{root}/self/ns/pid")
    except OSError:
        return False
    try:
        return os.readlink(f"{root}/{pid}/ns/pid") != own
    except FileNotFoundError:
        return True
    except OSError:
        return False


def container(environ: Mapping[str, str], root: str = "/") -> str | None:
    """Return the kind of container that this process runs in. None if there is no sign of one."""
    if os.path.exists(f"{root}run/.containerenv"):
        return "a podman container"
    if os.path.exists(f"{root}.dockerenv"):
        return "a docker container"
    kind = environ.get("container")
    return f"a container ({kind})" if kind else None


def _edit(facts: Facts, path: str) -> str:
    return f"{facts.environ.get('EDITOR') or 'vi'} {shell([path])}"


def _bytes(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except OSError:
        return None


def _size(count: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", MIB), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
