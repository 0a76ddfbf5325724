"""The real Claude Code in a container: what its hooks say there moves its pane."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess

import pytest

from tests.acceptance.boxes import UNSHARE, missing
from tests.agents.conftest import Start
from tests.agents.driver import ClaudeDriver
from tests.agents.observe import BIN
from tests.agents.session import Session
from tests.agents.world import World

pytestmark = [
    pytest.mark.agents, pytest.mark.tc("TC-218"), pytest.mark.timeout(240),
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
    pytest.mark.skipif(shutil.which("dtach") is None, reason="dtach is not installed: it is what hides the agent"),
]  # fmt: skip

HIDDEN = "dtach -n {sock} -E {boxed} && exec dtach -a {sock} -r winch"
MOUNTED = """mount -t tmpfs none /mnt && mkdir /mnt/run /mnt/agtmux && mount --bind {run} /mnt/run \\
  && mount --bind -o ro {box} /mnt/agtmux && unset AGTMUX_RUNTIME_DIR AGTMUX_STATE_DIR && exec {boxed}"""


def heard(s: Session, script: str) -> None:
    """Run Claude Code by this script, named by ``run --as``: a turn, an approval, and the hook decides."""
    program = s.driver.world.bin / "box"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    s.start_trusted(f"{BIN / 'agtmux'} run --as claude -- box")
    s.plain_turn()
    body = json.loads(s.watch.daemon.cli("explain", s.pane, "--json"))
    assert body["item"]["source"] == "hook", body
    assert s.watch.item(s.pane)["task"] == "hello there", "only the hook tells it"
    s.approval_given()
    events = json.loads(s.watch.daemon.cli("events", "--limit", "500", "--json"))["items"]
    bound = {event["event_type"] for event in events if event["source"] == "hook"}
    assert {"UserPromptSubmit", "PermissionRequest", "Stop"} <= bound


def boxed(world: World) -> str:
    return shlex.join([*UNSHARE, str(world.bin / "claude")])


def hidden(world: World, command: str) -> str:
    """As behind a container's client: below no process of the pane."""
    return HIDDEN.format(sock=world.root / "d.sock", boxed=command)


def test_claude_in_a_sandbox_below_its_pane_is_heard(start: Start) -> None:
    s = start(ClaudeDriver)
    heard(s, boxed(s.driver.world))


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_claude_in_bubblewrap_is_heard(start: Start) -> None:
    s = start(ClaudeDriver)
    heard(s, f"exec bwrap --unshare-pid --bind / / --dev /dev --proc /proc {s.driver.world.bin / 'claude'}")


def test_claude_that_a_container_hides_is_heard(start: Start) -> None:
    s = start(ClaudeDriver)
    heard(s, hidden(s.driver.world, boxed(s.driver.world)))


@pytest.mark.skipif(os.getuid() != 0, reason="mounts need root")
def test_claude_with_the_hook_program_of_one_file_is_heard(start: Start) -> None:
    """As docs/containers.md says: nothing of agtmux in the container but that file, read-only, and the socket."""
    s = start(ClaudeDriver)
    world = s.driver.world
    box, settings = world.root / "box", world.home / ".claude" / "settings.json"
    script = f"""umask 077; box={box}; mkdir -p "$box/share/agtmux" "$box/state/agtmux-remote"
{BIN / "agtmuxd"} --hook-program > "$box/share/agtmux/hook.py"
echo /mnt/run/agtmuxd.sock > "$box/state/agtmux-remote/host.supervisor"
sed -i 's#[^" ]*agtmux hook#python3 -IS /mnt/agtmux/share/agtmux/hook.py hook#' {settings}"""
    subprocess.run(["sh", "-ec", script], check=True, env=world.env())
    assert "/mnt/agtmux/share/agtmux/hook.py hook claude 2>/dev/null || true" in settings.read_text()
    assert str(BIN) not in settings.read_text()
    inside = MOUNTED.format(run=world.runtime, box=box, boxed=boxed(world))
    heard(s, hidden(world, shlex.join(["unshare", "--mount", "sh", "-c", inside])))
