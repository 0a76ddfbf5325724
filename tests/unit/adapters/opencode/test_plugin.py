"""OpenCode's plugin, run by node as OpenCode would: what it calls, with what, and in which order."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.adapters.opencode.adapter import OpenCodeAdapter
from tests.corpus import recording

NODE = shutil.which("node")
BEGIN = """
import { Agtmux } from "./plugin/agtmux.mjs"
import { existsSync, readFileSync } from "node:fs"
const plugin = await Agtmux()
for (const [name, payload] of JSON.parse(readFileSync(0, "utf8"))) {
  const [kind, rest] = [name.split(":")[0], name.slice(name.indexOf(":") + 1)]
  if (kind === "event") await plugin.event({ event: { type: rest, properties: payload } })
  else if (plugin[rest]) await plugin[rest](payload.input, payload.output)
}
"""
RETURNED = """
const told = existsSync("log") ? readFileSync("log", "utf8").trim().split("\\n").length : 0
console.log(told > 1 ? "too late" : "returned while the first was told")
"""
RECORDER = """#!{python}
import json, sys
open({log!r}, "a").write(json.dumps([sys.argv[1:], json.load(sys.stdin)]) + "\\n")
"""


HANGS = """#!/bin/sh
printf '%s\\n' "$4" >> '{log}'
case $4 in event:session.created) exec sleep 600;; esac
"""
"""In sh, which has written long before the plugin loses its patience, on a busy machine too."""


def installed(tmp_path: Path, script: str) -> Path:
    """The plugin as it is installed, with ``script`` for our command; the log that this writes."""
    program, log = tmp_path / "ag tmux", tmp_path / "log"
    program.write_text(script.format(python=sys.executable, log=str(log)))
    program.chmod(0o700)
    plan = OpenCodeAdapter().plan_hooks(tmp_path, f"'{program}' hook", remove=False)[0]
    assert plan.after is not None
    (tmp_path / "plugin").mkdir(exist_ok=True)
    (tmp_path / "plugin/agtmux.mjs").write_text(plan.after)
    return log


def run(tmp_path: Path, events: list[tuple[str, object]], then: str = "") -> subprocess.CompletedProcess[str]:
    """Node with the plugin, told these events; returns once all calls of it are over."""
    (tmp_path / "drive.mjs").write_text(BEGIN + then)
    assert NODE is not None
    return subprocess.run(
        [NODE, "drive.mjs"], cwd=tmp_path, input=json.dumps(events), text=True, capture_output=True, check=True,
        timeout=60, env={},
    )  # fmt: skip


def reported_events(tmp_path: Path, events: list[tuple[str, object]]) -> list[tuple[str, dict[str, Any]]]:
    """(event, payload) of every call that the installed plugin makes for these events."""
    log = installed(tmp_path, RECORDER)
    began = time.time_ns()
    run(tmp_path, events)
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert all([*args[:3], args[4]] == ["hook", "opencode", "--event", "--at"] for args, _ in rows)
    moments = [int(args[5]) for args, _ in rows]
    assert moments == sorted(set(moments))
    assert began <= moments[0] + 1_000_000
    assert moments[-1] <= time.time_ns() + 501_000_000
    return [(args[3], payload) for args, payload in rows]


@pytest.mark.tc("TC-036")
@pytest.mark.skipif(NODE is None, reason="no node here; the plugin is JavaScript")
def test_the_plugin_tells_what_states_need_in_order_and_nothing_else(tmp_path: Path) -> None:
    lines = [x for x in recording.load("opencode/m-80x24").lines if x["kind"] == "hook"]
    events = [(x["event"], x["payload"]) for x in lines]
    events.insert(3, ("event:message.part.delta", {"sessionID": "s", "delta": "w"}))
    names = [name.partition(":")[2] for name, _ in reported_events(tmp_path, events)]
    prompt = ["chat.message", "session.status"]
    assert names == [
        *("session.created", *prompt, "session.error", "session.idle", "session.idle"),
        *(*prompt, "permission.asked", "permission.replied", "session.status", "session.idle"),
        *(*prompt, "question.asked", "question.rejected", "session.idle"),
    ]


@pytest.mark.tc("TC-036")
@pytest.mark.skipif(NODE is None, reason="no node here; the plugin is JavaScript")
def test_the_plugin_tells_a_status_once_until_something_else_happened(tmp_path: Path) -> None:
    """A turn is busy at each of its steps; each try to reach a failing server has a message of its own."""
    kinds = ["busy", "busy", "retry", "retry", "busy", "busy", "idle", "busy"]
    events: list[tuple[str, object]] = [
        ("event:session.status", {"sessionID": "s", "status": {"type": kind}}) for kind in kinds
    ]
    events.insert(5, ("event:permission.replied", {"sessionID": "s", "reply": "reject"}))
    statuses = [payload.get("status") for _, payload in reported_events(tmp_path, events)]
    assert [status and status["type"] for status in statuses] == [
        "busy", "retry", "retry", "busy", None, "busy", "busy",
    ]  # fmt: skip


@pytest.mark.tc("TC-036")
@pytest.mark.skipif(NODE is None, reason="no node here; the plugin is JavaScript")
def test_a_prompt_counts_once_the_screen_can_show_its_turn(tmp_path: Path) -> None:
    """It says for an instant still that nothing runs; what follows the prompt stays behind it."""
    sent: list[tuple[str, object]] = [
        ("event:session.created", {"sessionID": "s"}),
        ("hook:chat.message", {"input": {"sessionID": "s"}, "output": {}}),
        ("event:session.status", {"sessionID": "s", "status": {"type": "busy"}}),
    ]
    reported_events(tmp_path, sent)
    lines = (tmp_path / "log").read_text().splitlines()
    created, prompt, busy = (int(json.loads(line)[0][5]) for line in lines)
    assert 400_000_000 <= prompt - created <= 5_000_000_000
    assert prompt < busy <= prompt + 1_000_000  # both were sent at once


@pytest.mark.tc("TC-036")
@pytest.mark.skipif(NODE is None, reason="no node here; the plugin is JavaScript")
def test_the_plugin_names_the_parent_of_a_sub_agents_session(tmp_path: Path) -> None:
    asked = {"id": "p", "sessionID": "child", "permission": "bash"}
    calls = reported_events(
        tmp_path,
        [
            ("event:session.created", {"sessionID": "child", "info": {"id": "child", "parentID": "root"}}),
            ("event:permission.asked", asked),
            ("event:session.idle", {"sessionID": "root"}),
        ],
    )
    assert [payload.get("parentID") for _, payload in calls] == ["root", "root", None]


@pytest.mark.tc("TC-036")
@pytest.mark.skipif(NODE is None, reason="no node here; the plugin is JavaScript")
def test_a_command_that_hangs_holds_up_nothing_and_is_left_behind(tmp_path: Path) -> None:
    """The plugin's own calls return at once; what comes next is told all the same, a known status once more."""
    busy: tuple[str, object] = ("event:session.status", {"sessionID": "s", "status": {"type": "busy"}})
    idle: list[tuple[str, object]] = [("event:session.idle", {"sessionID": str(n)}) for n in range(300)]
    log = installed(tmp_path, HANGS)
    done = run(tmp_path, [("event:session.created", {"sessionID": "t"}), busy, *idle, busy], RETURNED)
    assert done.stdout == "returned while the first was told\n"
    names = log.read_text().splitlines()
    newest = ["event:session.idle"] * 99 + ["event:session.status"]
    assert names == ["event:session.created", *newest]  # the newest of those that waited


@pytest.mark.tc("TC-036")
@pytest.mark.skipif(NODE is None, reason="no node here; the plugin is JavaScript")
def test_odd_payloads_are_passed_over_in_silence(tmp_path: Path) -> None:
    """Whatever another version hands over, OpenCode's own call succeeds, and what follows is told."""
    odd: list[tuple[str, object]] = [
        ("event:session.status", None),
        ("event:session.status", {"status": 3}),
        ("event:session.created", {"info": "x", "sessionID": None}),
        ("hook:chat.message", {"input": None, "output": {"parts": "words"}}),
        ("hook:chat.message", {"input": {"sessionID": 7}, "output": {"parts": [None, {"type": "text", "text": 5}]}}),
        ("event:permission.asked", {"id": "p", "sessionID": "s", "metadata": {"diff": "x" * 3_000_000}}),
        ("event:session.idle", {"sessionID": "s"}),
    ]
    names = [name for name, _ in reported_events(tmp_path, odd)]
    assert names[-2:] == ["event:permission.asked", "event:session.idle"]
    quiet = run(tmp_path, [], "for (const x of [undefined, null, {}, { event: null }]) await plugin.event(x)")
    loops = (
        "const ring = {}; ring.ring = ring; await plugin.event({ event: { type: 'session.idle', properties: ring } })"
    )
    assert [quiet.stderr, run(tmp_path, [], loops).stderr] == ["", ""]


@pytest.mark.tc("TC-036")
@pytest.mark.skipif(NODE is None, reason="no node here; the plugin is JavaScript")
def test_the_command_may_wait_for_its_payload_since_nothing_waits_for_it(tmp_path: Path) -> None:
    """OpenCode writes it late on a busy machine; without it an interrupt looks like a failure."""
    log = installed(tmp_path, "#!/bin/sh\necho $AGTMUX_HOOK_CAP_MS >> '{log}'\n")
    run(tmp_path, [("event:session.idle", {"sessionID": "s"})])
    assert log.read_text() == "1000\n"
