"""Check the targets: can each be read, do their clocks agree, and does ssh find your keys?"""

from __future__ import annotations

import os
import socket

from agtmux.doctor.facts import shell
from agtmux.doctor.report import note, ok, problem, skipped, warning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from agtmux.doctor.facts import Facts
    from agtmux.doctor.report import Finding

SKEW_MS = 10_000
"""Milliseconds that the clock of another machine may differ."""

_WHY = {
    "timeout": "it does not answer in time",
    "no_tmux": "tmux was not found there",
    "tmux_too_old": "its tmux is older than 3.3",
    "refused": "the name, the configuration or the login shell refused the connection",
    "lost": "the connection was cut",
    "auth": "it accepts none of your keys",
    "host_key": "its host key is unknown, changed or revoked",
    "channel_limit": "its sshd allows too few sessions",
    "same_server": "another target watches the same server",
    "too_large": "it has more panes or processes than agtmux reads",
}


def reachable(facts: Facts) -> Iterator[Finding]:
    """Can every target be read?"""
    if facts.health is None:
        yield skipped("no_daemon", "needs the daemon")
        return
    for target in facts.targets:
        name, health, reason = str(target.get("target")), target.get("health"), target.get("reason")
        if health != "ok":
            why = _WHY.get(str(reason), str(reason)) if reason else "it was not read yet"
            fix = shell(["agtmux", "target", "connect", name])
            if reason == "same_server":
                fix = shell(["agtmux", "target", "remove", name])
            if reason is None and not target.get("read"):
                yield note("not_read", f"{name}: {why}", fix)
            else:
                yield (problem if health == "down" else warning)("unreachable", f"{name} is {health}: {why}", fix)
        if target.get("unread_panes"):
            yield warning(
                "unread_panes", f"{name}: {target['unread_panes']} panes cannot be read", "agtmux daemon status"
            )
    for text in facts.errors("target "):
        yield warning("unread_pane", text, "agtmux daemon status")
    good = [str(target.get("target")) for target in facts.targets if target.get("health") == "ok"]
    if good:
        yield ok("reachable", ", ".join(good))


def clocks(facts: Facts) -> Iterator[Finding]:
    """Did this machine's clock jump, and do the clocks of other machines agree with it?"""
    if facts.health is None:
        yield skipped("no_daemon", "needs the daemon")
        return
    fine = True
    for text in facts.errors("retention"):
        fine = False
        yield warning("jumped", text.removeprefix("retention: "), "date")
    for target in facts.targets:
        offset = target.get("clock_offset_ms")
        if isinstance(offset, (int, float)) and abs(offset) > SKEW_MS:
            fine = False
            way = "ahead" if offset > 0 else "behind"
            yield note(
                "skew",
                f"the clock of {target.get('target')} is {abs(offset) / 1000:.0f} s {way}; agtmux corrects its events",
                shell(["ssh", str(target.get("connection_ref") or target.get("target")), "timedatectl"]),
            )
    if fine:
        yield ok("clocks", "no clock jumped or differs much")


def ssh_agent(facts: Facts) -> Iterator[Finding]:
    """Does the daemon reach your ssh agent? Only matters with targets behind ssh."""
    behind = [str(target.get("target")) for target in facts.targets if target.get("kind") == "ssh"]
    if facts.health is None:
        yield skipped("no_daemon", "needs the daemon")
        return
    if not behind:
        yield ok("no_ssh_targets", "no target is behind ssh")
        return
    daemon = facts.daemon_environment
    if daemon is None:
        yield skipped("not_known", "this daemon does not say which ssh agent it uses", "agtmux daemon restart")
        return
    theirs, mine = daemon.get("ssh_auth_sock"), facts.environ.get("SSH_AUTH_SOCK")
    fix = "agtmux daemon restart"
    if daemon.get("service") == "systemd":
        fix = "systemctl --user import-environment SSH_AUTH_SOCK && agtmux daemon restart"
    if theirs and answers(theirs):
        yield ok("agent", f"the daemon uses {theirs}")
    elif mine and answers(mine):
        what = "is gone" if theirs else "is not known to it"
        yield warning("agent_lost", f"the daemon's ssh agent {what}: keys with a passphrase do not work", fix)
    elif theirs:
        yield note("agent_dead", f"the daemon's ssh agent ({theirs}) is gone: only keys without a passphrase work")
    else:
        yield note("no_agent", "no ssh agent is set: only keys without a passphrase work", 'eval "$(ssh-agent)"')


def answers(path: str) -> bool:
    """Return whether something listens at this socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(1.0)
        try:
            sock.connect(os.fspath(path))
        except (OSError, ValueError):
            return False
    return True
