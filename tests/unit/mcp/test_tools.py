"""The MCP tools without MCP: what they take, which command each runs, and what comes back when one cannot run."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest

from agtmux.mcp import tools
from agtmux.mcp.tools import TOOLS, Tool, answer, run
from tests.test_docs import parses

pytestmark = pytest.mark.tc("TC-871")
ODD = ["-x", "--all", "--", "a b", "$(id)", "a;b", "", "é\n"]
SAMPLES: dict[str, list[dict[str, Any]]] = {
    "whoami": [{}],
    "agents": [{}, {"team": "-x", "q": "-x"}],
    "send": [{"to": ["-x", "--all"], "text": "-", "subject": "-x", "kind": "question", "request_ref": "-request-1"},
             {"channel": "-x", "text": ""}, {"reply_to": "-x", "text": "x"}],
    "inbox": [{}, {"unread": True, "limit": 3, "since": "-x", "channel": "-x"}, {"id": "-x"}],
    "ack": [{"id": "--all"}],
    "signal": [{"topic": "-x", "data": {"a": None}}, {"topic": "t"}],
    "lease": [{"paths": ODD[:6], "names": ["-x"], "shared": True, "ttl": "-1m", "reason": "-x"}],
    "release": [{}, {"what": ["--all", "-x"]}],
    "worktree": [{"do": "list"}, {"do": "add", "slug": "-x", "base": "-x"}],
}  # fmt: skip


def by_name(name: str) -> Tool:
    return next(tool for tool in TOOLS if tool.name == name)


@pytest.mark.parametrize("name", list(SAMPLES))
def test_the_command_line_takes_the_words_of_each_tool(name: str) -> None:
    """Whatever the arguments are, none becomes an option of its own."""
    tool = by_name(name)
    assert tool.command is not None
    for arguments in SAMPLES[name]:
        tools.check(tool, arguments)
        words = list(tool.command(arguments))
        at = words.index("--") if "--" in words else len(words)
        try:
            parses(shlex.join(["agtmux", *words[:at], "--json", *words[at:]]))
        except (click.UsageError, click.exceptions.Exit) as error:
            pytest.fail(f"{words}: {error}")


def test_all_tools_have_a_sample_and_short_texts() -> None:
    assert {tool.name for tool in TOOLS if tool.command is not None} == set(SAMPLES)
    assert all(len(tool.description.split()) < 40 for tool in TOOLS)
    assert len(tools.INSTRUCTIONS.split()) < 50


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("nothing", {}, "there is no tool 'nothing'"),
        ("ack", {}, "ack: id is missing"),
        ("ack", {"id": 7}, "ack: id has to be of the type string"),
        ("lease", {"paths": "src"}, "lease: paths has to be of the type array"),
        ("lease", {"paths": ["src", 7]}, "lease: paths has to be of the type array"),
        ("lease", {"shared": "yes"}, "lease: shared has to be of the type boolean"),
        ("inbox", {"limit": True}, "inbox: limit has to be of the type integer"),
        ("worktree", {"do": "remove"}, "worktree: do has to be add or list"),
        ("whoami", {"name": "lead"}, "whoami: unknown argument 'name'; it takes nothing"),
        ("wait", {"id": "w", "conditions": ["agent:a=gone"]}, "not both"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, tool: str, arguments: dict[str, Any], words: str
) -> None:
    monkeypatch.setattr("subprocess.run", lambda *_args, **_more: pytest.fail("nothing may run"))
    text, failed = answer(tool, arguments)
    error = json.loads(text)["error"]
    assert (error["code"], failed) == ("E_INVALID_REQUEST", True)
    assert words in error["message"]


def test_a_command_that_cannot_run_or_hangs_is_an_error_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, failed = answer("lease", {"paths": ["x"], "folder": str(tmp_path / "none")})
    assert (json.loads(text)["error"]["code"], failed) == ("E_INVALID_REQUEST", True)
    text, failed = answer("release", {"what": ["\0"]})
    assert (json.loads(text)["error"]["code"], failed) == ("E_INVALID_REQUEST", True)
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho 'it broke' >&2; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(program))
    text, _ = answer("whoami", {})
    assert json.loads(text)["error"]["message"] == "agtmux whoami printed nothing: it broke"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(tools, "LIMIT", 0.2)
    text, _ = answer("whoami", {})
    assert json.loads(text)["error"]["code"] == "E_TIMEOUT"


def test_a_project_folder_never_replaces_agtmux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command runs where the agent works, but no module is loaded from there."""
    (tmp_path / "agtmux").mkdir()
    (tmp_path / "agtmux" / "__init__.py").write_text("raise SystemExit('owned')\n")
    (tmp_path / "json.py").write_text("raise SystemExit('owned')\n")
    monkeypatch.setenv("AGTMUX_SOCKET", str(tmp_path / "none.sock"))
    text, failed = run(["whoami"], str(tmp_path))
    assert (json.loads(text)["error"]["code"], failed) == ("E_DAEMON_UNREACHABLE", True)
    assert re.search("owned", text) is None
