"""Check the daemon's service: is it as agtmux wrote it, does it run, and does it go on after logout?"""

from __future__ import annotations

import os

from agtmux.doctor.facts import home
from agtmux.doctor.report import note, ok, problem, warning
from agtmux.written_files import CHANGED, OURS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from agtmux.doctor.facts import Facts
    from agtmux.doctor.report import Finding
    from agtmux.service.state import ServiceState


def service(facts: Facts) -> Iterator[Finding]:
    """Is the service fine, if one is installed?"""
    state = facts.service
    if state is None:
        yield ok("none", "this system has no manager of services that agtmux knows")
        return
    if not state.installed:
        yield ok("no_service", "not installed: commands start the daemon (agtmux daemon install starts it at login)")
        return
    yield from _files(state)
    if state.manager is not None:
        yield warning("no_manager", f"the service is installed, but {state.manager}: log in by ssh or on the console")
        return
    fine = True
    if state.stale:
        fine = False
        yield warning("stale", "a unit file changed since systemd read it", "systemctl --user daemon-reload")
    if not state.enabled:
        fine = False
        yield warning("not_enabled", "the service does not start at login", "agtmux daemon install")
    if state.failed is not None:
        fine = False
        log = "journalctl --user -u agtmuxd.service -n 50" if state.kind == "systemd" else "agtmux daemon logs -n 50"
        yield problem("failed", f"the service failed: {state.failed}", log)
    elif not state.active and not state.waits:
        fine = False
        yield warning("stopped", "the service is stopped", "agtmux daemon start")
    health = facts.health
    if health is not None and state.active and state.pid not in (None, health.get("pid")):
        fine = False
        yield warning(
            "other_daemon", f"the daemon that answers (pid {health.get('pid')}) is not the one of the service "
            f"(pid {state.pid})", "agtmux daemon restart"
        )  # fmt: skip
    if state.linger is False:
        yield note("no_linger", "the service ends with your last logout", "loginctl enable-linger")
    if fine:
        yield ok("service", state.words)


def _files(state: ServiceState) -> Iterator[Finding]:
    for path, owner in state.files.items():
        if owner != OURS:
            how = "was changed by hand" if owner == CHANGED else "was not written by agtmux"
            yield note("changed", f"{home(path)} {how}: agtmux will neither update nor remove it")
    if state.program is not None and not os.access(state.program, os.X_OK):
        yield problem(
            "program_gone", f"the service starts {state.program}, which is not there", "agtmux daemon install"
        )
