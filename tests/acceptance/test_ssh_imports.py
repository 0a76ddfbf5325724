"""What reaches machines over ssh is large: loaded only where there is such a target, and not by the event loop."""

from __future__ import annotations

import sys

import pytest

from tests.acceptance.stage import PATIENCE, Daemon, Place
from tests.conftest import until

NOTES_IMPORTS = """
import sys, threading

class Notes:
    def find_spec(self, name, path=None, target=None):
        if name in ("asyncssh", "agtmuxd.targets.ssh.executor", "agtmuxd.remote_hooks.link"):
            with open(sys.argv[1], "a") as file:
                print(name, threading.current_thread() is threading.main_thread(), file=file)

sys.meta_path.insert(0, Notes())
from agtmuxd.__main__ import main
main(["--log-level", "info"])
"""
IN_A_THREAD = {"asyncssh": "False", "agtmuxd.targets.ssh.executor": "False", "agtmuxd.remote_hooks.link": "False"}


def started(place: Place, daemon: Daemon, name: str) -> dict[str, str]:
    """Start the daemon; ask it what it has loaded of ssh: module, and whether its main thread did."""
    notes = place.root / name
    notes.touch()
    process = daemon.launch([sys.executable, "-c", NOTES_IMPORTS, str(notes)])
    until(lambda: daemon.answers() or process.poll() is not None, within=PATIENCE, what="agtmuxd answers")
    daemon.health()
    return loaded(place, name)


def loaded(place: Place, name: str) -> dict[str, str]:
    return dict(line.split() for line in (place.root / name).read_text().splitlines())


@pytest.mark.tc("TC-239")
def test_ssh_is_loaded_for_the_first_ssh_target_and_off_the_event_loop(place: Place, daemon: Daemon) -> None:
    """Not at a start without one, nor for another target of this machine; in a thread when one is added, and at a
    start with one.
    """
    (place.home / ".ssh").mkdir()
    (place.home / ".ssh/config").write_text("Host vm1\n  HostName 127.0.0.1\n  Port 1\n")
    assert started(place, daemon, "first") == {}
    daemon.client.add_target({"name": "local", "kind": "local"})
    assert loaded(place, "first") == {}
    daemon.client.add_target({"name": "vm1", "kind": "ssh", "ssh_target": "vm1"})
    assert loaded(place, "first") == IN_A_THREAD
    assert daemon.stop() == 0
    assert started(place, daemon, "second") == IN_A_THREAD
