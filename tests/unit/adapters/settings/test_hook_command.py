"""Which entries of an agent's settings are ours, and what the command in them does."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from agtmuxd.adapters.copilot.adapter import CopilotAdapter
from agtmuxd.adapters.opencode.adapter import OpenCodeAdapter
from agtmuxd.adapters.settings.hook_command import OwnEntries
from tests.unit.adapters.settings.settings_files import ADAPTERS, COMMAND, FILES, OWN, apply, ours, write


@pytest.mark.tc("TC-102")
@pytest.mark.parametrize("agent", ADAPTERS)
def test_another_place_of_agtmux_is_outdated_and_replaced(agent: str, tmp_path: Path) -> None:
    apply(agent, tmp_path, command="/old/agtmux hook")
    assert ADAPTERS[agent].hook_status(tmp_path, COMMAND)[0].outdated
    apply(agent, tmp_path)
    now = json.loads((tmp_path / FILES[agent]).read_text())
    assert set(ours(agent, now).values()) == {1}
    assert "/old/" not in json.dumps(now)
    assert not ADAPTERS[agent].hook_status(tmp_path, COMMAND)[0].outdated


FAR = "/usr/bin/python3 -IS /home/me/.local/share/agtmux/hook.py hook"


@pytest.mark.tc("TC-102")
@pytest.mark.parametrize(
    ("line", "is_ours"),
    [
        ("/opt/agtmux hook claude", True),
        ("'/opt/my tools/agtmux' hook claude 2>/dev/null || true", True),
        ("'/opt/caf\u00e9; rm \"x\"/agtmux' hook claude 2>/dev/null || true", True),
        ("AGTMUX_HOOK_CAP_MS=900 /opt/agtmux hook claude >/dev/null 2>&1 &", True),
        ("/usr/bin/python3 -m agtmux hook claude", True),
        ("/opt/agtmux hook claude; ~/bin/mine.sh", False),
        ("/opt/agtmux hook claude || ~/bin/mine.sh", False),
        ("cat | /opt/agtmux hook claude", False),
        ("/opt/agtmux hook claude-2", False),
        ("/opt/agtmux hook codex", False),
        ("echo agtmux; x hook claude", False),
        ("/home/agtmux/bin/notes hook claude", False),
        ("/usr/bin/python3 /home/me/src/agtmux/mine.py hook claude", False),
        ("/opt/agtmux-notes hook claude", False),
        ("agtmux hook claude", True),
        ("nice -n 5 /opt/agtmux hook claude", True),
        ("/opt/agtmux hook claude 'open", False),
        (f"{FAR} claude 2>/dev/null || true", False),
    ],
)
def test_an_entry_is_ours_only_if_it_runs_our_program_and_nothing_else(line: str, is_ours: bool) -> None:
    assert OwnEntries("claude", remote=False).holds({"command": line}) is is_ours
    assert OwnEntries("claude", remote=True).holds({"command": line}) is line.startswith(FAR)


@pytest.mark.tc("TC-102")
@pytest.mark.parametrize("agent", [*ADAPTERS, *OWN])
@pytest.mark.parametrize("order", [(COMMAND, FAR), (FAR, COMMAND)])
def test_hooks_of_this_machine_and_of_one_that_watches_it_stand_side_by_side(
    agent: str, order: tuple[str, str], tmp_path: Path
) -> None:
    adapter = ADAPTERS[agent] if agent in ADAPTERS else OWN[agent][0]

    def do(command: str, *, remove: bool) -> None:
        for plan in adapter.plan_hooks(tmp_path, command, remove=remove):
            write(plan)

    def is_there(command: str) -> bool:
        return bool(adapter.hook_status(tmp_path, command)[0].installed)

    def texts() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

    first, second = order
    do(first, remove=False)
    alone = texts()
    do(second, remove=False)
    both = texts()
    assert (is_there(first), is_there(second)) == (True, True)
    do(first, remove=False)
    assert texts() == both, "nobody takes the other's for an older one of its own"
    do(second, remove=True)
    assert texts() == alone
    do(second, remove=False)
    do(first, remove=True)
    assert (is_there(first), is_there(second)) == (False, True)
    do(second, remove=True)
    assert texts() == {}


@pytest.mark.tc("TC-102")
@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "cursor", "copilot"])
def test_a_program_that_is_gone_fails_no_agent_and_says_nothing(agent: str, tmp_path: Path) -> None:
    adapter = ADAPTERS[agent] if agent in ADAPTERS else OWN[agent][0]
    (plan, *_) = adapter.plan_hooks(tmp_path, "'/no/such place/agtmux' hook", remove=False)
    lines = re.findall(r'"(?:command|bash)": ("[^\n]*")', plan.after or "")
    assert lines
    for line in {json.loads(line) for line in lines}:
        for shell in ("sh", "bash"):
            done = subprocess.run([shell, "-c", line], input=b"{}", capture_output=True, check=False)
            assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_copilots_hooks_name_their_event_and_call_the_program_by_its_path(tmp_path: Path) -> None:
    plan = CopilotAdapter().plan_hooks(tmp_path, COMMAND, remove=False)[0]
    assert plan.after is not None
    hooks = json.loads(plan.after)["hooks"]
    assert hooks["agentStop"][0]["bash"] == f"{COMMAND} copilot --event agentStop 2>/dev/null || true"
    assert "permissionRequest" not in hooks  # it comes for requests that nobody is asked about, too


def test_opencodes_plugin_is_told_the_program_as_a_list_of_words(tmp_path: Path) -> None:
    plan = OpenCodeAdapter().plan_hooks(tmp_path, "'/opt/my tools/agtmux' hook", remove=False)[0]
    assert plan.after is not None
    assert 'const COMMAND = ["/opt/my tools/agtmux", "hook", "opencode"]' in plan.after
    assert '"event:permission.asked"' in plan.after
    assert "/* events */" not in plan.after
