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

from agtmuxd.adapters.opencode import OpenCodeAdapter
from tests.corpus import recording

NODE = shutil.which("node")
DRIVE = """
import { Agtmux } from "./plugin/agtmux.mjs"
import { readFileSync } from "node:fs"
const plugin = await Agtmux()
for (const [name, payload] of JSON.parse(readFileSync(0, "utf8"))) {
  const [kind, rest] = [name.split(":")[0], name.slice(name.indexOf(":") + 1)]
  if (kind === "event") await plugin.event({ event: { type: rest, properties: payload } })
  else if (plugin[rest]) await plugin[rest](payload.input, payload.output)
}
"""
RECORDER = """#!{python}
import json, sys
open({log!r}, "a").write(json.dumps([sys.argv[1:], json.load(sys.stdin)]) + "\\n")
"""


def told(tmp_path: Path, events: list[tuple[str, object]]) -> list[tuple[str, dict[str, Any]]]:
    """(event, payload) of every call that the installed plugin makes for these events."""
    program, log = tmp_path / "ag tmux", tmp_path / "log"
    program.write_text(RECORDER.format(python=sys.executable, log=str(log)))
    program.chmod(0o700)
    plan = OpenCodeAdapter().plan_hooks(tmp_path, f"'{program}' hook", remove=False)[0]
    assert plan.after is not None
    (tmp_path / "plugin").mkdir()
    (tmp_path / "plugin/agtmux.mjs").write_text(plan.after)
    (tmp_path / "drive.mjs").write_text(DRIVE)
    assert NODE is not None
    began = time.time_ns()
    subprocess.run(
        [NODE, str(tmp_path / "drive.mjs")], input=json.dumps(events).encode(), check=True, timeout=60, env={}
    )
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
    names = [name.partition(":")[2] for name, _ in told(tmp_path, events)]
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
    statuses = [payload.get("status") for _, payload in told(tmp_path, events)]
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
    told(tmp_path, sent)
    lines = (tmp_path / "log").read_text().splitlines()
    created, prompt, busy = (int(json.loads(line)[0][5]) for line in lines)
    assert 400_000_000 <= prompt - created <= 5_000_000_000
    assert prompt < busy <= prompt + 1_000_000  # both were sent at once


@pytest.mark.tc("TC-036")
@pytest.mark.skipif(NODE is None, reason="no node here; the plugin is JavaScript")
def test_the_plugin_names_the_parent_of_a_sub_agents_session(tmp_path: Path) -> None:
    asked = {"id": "p", "sessionID": "child", "permission": "bash"}
    calls = told(
        tmp_path,
        [
            ("event:session.created", {"sessionID": "child", "info": {"id": "child", "parentID": "root"}}),
            ("event:permission.asked", asked),
            ("event:session.idle", {"sessionID": "root"}),
        ],
    )
    assert [payload.get("parentID") for _, payload in calls] == ["root", "root", None]
