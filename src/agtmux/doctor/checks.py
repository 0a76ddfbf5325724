"""List the checks and run them side by side, each for a limited time. One that fails never ends the others."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from agtmux import __version__
from agtmux.doctor import agents, coordination, daemon, machine, messages, service, targets, tmux
from agtmux.doctor.report import Report, Result, warning
from agtmux.protocol.errors import AgtmuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agtmux.doctor.facts import Facts
    from agtmux.doctor.report import Finding

LIMIT = 10.0
"""Seconds for each check."""
SLOW = 1.0
"""Seconds after which a person hears what is still being checked."""


@dataclass(frozen=True, slots=True)
class Check:
    """``find`` yields findings. ``about``: what it looks at, for a person."""

    name: str
    about: str
    find: Callable[[Facts], Iterator[Finding]]


CHECKS = (
    Check("daemon", "does the daemon run, in this version", daemon.running),
    Check("health", "is it healthy", daemon.healthy),
    Check("service", "the service that starts it at login", service.service),
    Check("folders", "folders, socket and who may use them", machine.folders),
    Check("config", "the configuration file", machine.configuration),
    Check("storage", "database, spool and free disk", machine.storage),
    Check("tmux", "tmux's version and options", tmux.program),
    Check("server", "is the tmux server of this shell watched", tmux.watched),
    Check("targets", "can every target be read", targets.reachable),
    Check("clock", "clocks, here and behind ssh", targets.clocks),
    Check("ssh-agent", "does the daemon reach your ssh agent", targets.ssh_agent),
    Check("agents", "versions of the running agents", agents.versions),
    Check("hooks", "hooks in the agents' settings", agents.hooks),
    Check("notify", "do notifications arrive", daemon.notifications),
    Check("messages", "do messages arrive", messages.delivered),
    Check("leases", "are leases held by agents that are gone", coordination.leases),
    Check("worktrees", "worktrees of agents, and their records", coordination.worktrees),
    Check("guard", "do git hooks find agtmux", coordination.guard),
    Check("skill", "the skill that agents are taught", coordination.skill),
    Check("locale", "does this shell use UTF-8", machine.locale),
    Check("place", "containers", machine.place),
)
"""Every check, in the order in which results are shown. To add one, write its function and name it here."""


@dataclass
class _Running:
    check: Check
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0
    done: threading.Event = field(default_factory=threading.Event)


def run(
    facts: Facts,
    checks: Sequence[Check] = CHECKS,
    *,
    slow: Callable[[list[str]], None] = lambda _names: None,
    limit: float = LIMIT,
    slow_after: float = SLOW,
) -> Report:
    """Run all checks at once, and return what they found. Takes ``limit`` seconds at most.

    ``slow`` is called once, with the names of the checks that still run after ``slow_after`` seconds.
    """
    begun = time.monotonic()
    running = [_Running(check) for check in checks]
    for one in running:  # daemon threads: one that hangs does not keep the process
        threading.Thread(target=_run, args=(one, facts), name=f"check {one.check.name}", daemon=True).start()
    for one in running:
        one.done.wait(max(0.0, begun + slow_after - time.monotonic()))
    late = [one.check.name for one in running if not one.done.is_set()]
    if late:
        slow(late)
    for one in running:
        one.done.wait(max(0.0, begun + limit - time.monotonic()))
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return Report(__version__, at, tuple(_result(one, limit) for one in running))


def _run(one: _Running, facts: Facts) -> None:
    begun = time.monotonic()
    try:
        for finding in one.check.find(facts):
            one.findings.append(finding)
    except AgtmuxError as error:
        one.findings.append(warning("failed", f"could not be checked: {error.message}"))
    except Exception as error:  # noqa: BLE001 the outermost edge of a check: the others go on
        one.findings.append(warning("failed", f"could not be checked: {type(error).__name__}: {error}"))
    finally:
        one.seconds = time.monotonic() - begun
        one.done.set()


def _result(one: _Running, limit: float) -> Result:
    if one.done.is_set():
        return Result(one.check.name, tuple(one.findings), one.seconds)
    late = warning("timeout", f"did not end within {limit:g} s")
    return Result(one.check.name, (*one.findings, late), limit)
