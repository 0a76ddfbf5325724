"""Check tmux: its program, its versions, and that the server of this shell is watched."""

from __future__ import annotations

import os
import re
import shutil
import sys

from agtmux.doctor.facts import shell
from agtmux.doctor.report import note, ok, problem, warning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from agtmux.doctor.facts import Facts
    from agtmux.doctor.report import Finding

OLDEST, NEWEST = (3, 3), (3, 8)
"""The oldest version that agtmux works with, and the newest that it was tested with."""
_USUAL = ("/opt/homebrew/bin/tmux", "/usr/local/bin/tmux", "/usr/bin/tmux", "/home/linuxbrew/.linuxbrew/bin/tmux")


def program(facts: Facts) -> Iterator[Finding]:
    """Is tmux there, new enough, and not newer than what agtmux was tested with?"""
    path = find(facts)
    if path is None:
        how = "brew install tmux" if sys.platform == "darwin" else "sudo apt-get install tmux"
        yield problem("missing", "tmux is not installed", how)
        return
    done = facts.run([path, "-V"])
    text = done.out.strip() or done.failure_message
    version = number(text)
    if done.status != 0:
        yield problem("broken", f"{path} -V fails: {text}")
        return
    if version is not None and version < OLDEST:
        yield problem("too_old", f"{path} is {text}: agtmux needs 3.3 or newer")
    elif version is not None and version > NEWEST:
        yield note("newer", f"{path} is {text}: agtmux was tested up to tmux {'.'.join(map(str, NEWEST))}")
    else:
        yield ok("version", f"{text} ({path})")
    yield from _server(facts, path, text)


def _server(facts: Facts, path: str, text: str) -> Iterator[Finding]:
    """Compare the running server with the program, and look at the options that matter."""
    host = next((target for target in facts.targets if target.get("is_default")), {})
    runs = host.get("tmux_version")
    if runs and number(str(runs)) != number(text):
        yield note(
            "server_differs", f"the running server is tmux {runs}, the program is {text}: clients may be refused until "
            "you end the server"
        )  # fmt: skip
    name = host.get("connection_ref")
    words = [path, "-S" if "/" in str(name) else "-L", str(name)] if name else [path, "-L", "default"]
    done = facts.run([*words, "show-options", "-gv", "focus-events"])
    if done.status == 0 and done.out.strip() == "off":
        yield note(
            "focus_events",
            "focus-events is off: agtmux cannot tell which pane you look at, so notifications come also for that one; "
            "put the command without 'tmux' into ~/.tmux.conf to keep it",
            "tmux set-option -g focus-events on",
        )


def watched(facts: Facts) -> Iterator[Finding]:
    """Is the tmux server of this shell one of the targets?"""
    inside = facts.environ.get("TMUX", "").rsplit(",", 2)
    if len(inside) != 3 or not inside[0]:
        yield ok("outside", "this shell is outside tmux")
        return
    here = os.path.realpath(inside[0])
    if facts.health is None:
        yield ok("inside", f"this shell is in the tmux server at {here}")
        return
    daemon = facts.daemon_environment
    theirs = (daemon or {}).get("tmux_tmpdir") if daemon is not None else facts.environ.get("TMUX_TMPDIR")
    sockets = {
        os.path.realpath(socket_of(target.get("connection_ref"), theirs))
        for target in facts.targets
        if target.get("kind") == "local"
    }
    if here in sockets:
        yield ok("watched", "the tmux server of this shell is watched")
        return
    mine = facts.environ.get("TMUX_TMPDIR") or None
    if daemon is not None and mine != theirs and os.path.realpath(socket_of(None, mine)) == here:
        yield warning(
            "tmux_tmpdir", f"the daemon was started with another TMUX_TMPDIR ({theirs or 'none'}), so it does not see "
            f"the tmux server of this shell ({here})", "agtmux daemon restart"
        )  # fmt: skip
        return
    label = re.sub(r"[^A-Za-z0-9._-]", "-", os.path.basename(here)) or "tmux"
    add = ["agtmux", "target", "add", label, "--kind", "local", "--tmux-socket", inside[0]]
    yield warning("unwatched", f"the tmux server of this shell ({here}) is not watched", shell(add))


def find(facts: Facts) -> str | None:
    """Return the tmux that agtmux uses: on PATH, or in the usual places."""
    found = shutil.which("tmux", path=facts.environ.get("PATH"))
    return found or next((path for path in _USUAL if os.access(path, os.X_OK)), None)


def number(text: str) -> tuple[int, int] | None:
    """Return ``tmux 3.3a`` as (3, 3). None if there is no number."""
    match = None if "openbsd" in text else re.search(r"(?<![0-9])([0-9]{1,4})\.([0-9]{1,4})(?![0-9])", text)
    return (int(match[1]), int(match[2])) if match else None


def socket_of(name: object, tmpdir: str | None) -> str:
    """Return the socket of a local target. ``name``: its name or path, None for tmux's default."""
    if isinstance(name, str) and "/" in name:
        return name
    return f"{tmpdir or '/tmp'}/tmux-{os.getuid()}/{name or 'default'}"  # noqa: S108 tmux's own rule
