"""Check the daemon: does it run, is it this version, is it healthy, and do its notifications arrive?"""

from __future__ import annotations

import shlex

from agtmux import __version__
from agtmux.client import is_older
from agtmux.doctor.facts import command_in
from agtmux.doctor.report import note, ok, problem, skipped, warning
from agtmux.protocol.errors import AgtmuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from agtmux.doctor.facts import Facts
    from agtmux.doctor.report import Finding

LAG_MS = 250
"""Milliseconds that the daemon's event loop may be late."""
ELSEWHERE = ("notify", "retention", "configuration not loaded", "target ")
"""Topics of the daemon's errors that other checks report."""
_LOSSES = {
    "events_refused": "events could not be taken in",
    "transcript_events_refused": "lines of session files could not be taken in",
    "failed_operations": "changes could not be stored",
    "observer_failures": "times reading a target failed in an unexpected way",
    "connections_refused": "connections were refused, because too many were open",
}
"""Counters of what the daemon lost since its start."""


def running(facts: Facts) -> Iterator[Finding]:
    """Does the daemon run, and is it of the same version?"""
    health = facts.health
    if health is None:
        yield _absent(facts)
        return
    yield ok("running", f"agtmuxd {health.get('version')}, pid {health.get('pid')}, up {_span(health.get('uptime_s'))}")
    version = str(health.get("version"))
    if is_older(version):
        yield warning(
            "older", f"the daemon is older ({version}) than this agtmux ({__version__})", "agtmux daemon restart"
        )
    elif version != __version__:
        yield warning(
            "newer", f"this agtmux is older ({__version__}) than the daemon ({version}): update {facts.argv0}"
        )


def _absent(facts: Facts) -> Finding:
    service = facts.service
    if service is not None and service.waits:
        return note("waits", "systemd starts the daemon at the first command or hook", "agtmux daemon start")
    if facts.holder is not None:
        return problem("lost", f"a daemon (pid {facts.holder}) runs but does not answer", "agtmux daemon restart")
    if facts.unreachable is not None and facts.unreachable.code != "E_DAEMON_UNREACHABLE":
        return problem("unreachable", facts.unreachable.message, command_in(facts.unreachable.message))
    return warning(
        "absent",
        "no daemon runs: the checks that need it are skipped, and hooks write to a file",
        "agtmux daemon start",
    )


def healthy(facts: Facts) -> Iterator[Finding]:
    """Is the daemon healthy, and has it lost nothing?"""
    health = facts.health
    if health is None:
        yield skipped("no_daemon", "needs the daemon")
        return
    degraded = health.get("status") != "ok"
    errors = [text for text in facts.errors("") if not text.startswith(ELSEWHERE)]
    for text in errors:
        yield (warning if degraded else note)("error", text, command_in(text) or "agtmux daemon status")
    lag = facts.counters.get("loop_lag_ms")
    if isinstance(lag, (int, float)) and lag > LAG_MS:
        yield warning("slow", f"the daemon is {lag:.0f} ms late: the machine is too busy", "agtmux daemon logs -n 50")
    for name, what in _LOSSES.items():
        count = facts.counters.get(name)
        if isinstance(count, int) and count > 0:
            yield note(name, f"{count} {what} since the daemon started", "agtmux daemon logs -n 100")
    for adapter in health.get("adapters") or ():
        if adapter.get("errors"):
            text = f"reading {adapter.get('name')} failed {adapter['errors']} times, last: {adapter.get('last_error')}"
            yield warning("adapter", text, "agtmux daemon logs -n 100")
    unread = [str(target.get("target")) for target in facts.targets if target.get("health") != "ok"]
    if degraded and unread and not errors:
        yield note("degraded", f"degraded, because {', '.join(unread)} cannot be read: see targets below")
    elif degraded:
        yield problem("degraded", "the daemon's health is degraded", "agtmux daemon status")
    else:
        yield ok("healthy", "its health is ok")


def notifications(facts: Facts) -> Iterator[Finding]:
    """Do notifications arrive? Whatever channels there are: the daemon says how each one stands."""
    if facts.health is None or facts.client is None:
        yield skipped("no_daemon", "needs the daemon")
        return
    try:
        status = facts.client.notify_status().json()
    except AgtmuxError as error:
        if error.code == "E_DAEMON_UNREACHABLE":
            raise
        yield skipped("no_notify", "this daemon sends no notifications")
        return
    channels = status.get("channels") or ()
    for channel in channels:
        yield from _channel(channel)
    if status.get("muted_until"):
        yield note("muted", f"all notifications are muted until {status['muted_until']}", "agtmux unmute")
    dead = status.get("dead") or ()
    if dead:
        yield note("dead", f"{len(dead)} messages were given up", "agtmux notify retry")
    good = [str(channel.get("channel")) for channel in channels if channel.get("state") in ("ok", "unused")]
    if good or not channels:
        yield ok("channels", ", ".join(good) or "no channel is configured")


def _channel(channel: Mapping[str, Any]) -> Iterator[Finding]:
    name = str(channel.get("channel"))
    test = shlex.join(["agtmux", "notify", "test", name])
    if channel.get("state") not in ("ok", "unused"):
        yield warning("channel", f"{name} is {channel.get('state')}: {channel.get('last_error')}", test)
    elif not channel.get("last_success"):
        yield note("untried", f"{name} has delivered nothing yet", test)


def _span(seconds: object) -> str:
    if not isinstance(seconds, (int, float)):
        return "?"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"
