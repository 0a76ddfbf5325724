"""``agtmux mcp`` over stdio with the SDK's own client: an agent's tools say what its commands say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.stage import PROGRAMS, Agent, Daemon, Place

pytest.importorskip("mcp")

CLIENT = Path(__file__).with_name("mcp_client.py")
NAMES = ["whoami", "agents", "send", "inbox", "ack", "signal", "wait", "lease", "release", "worktree"]
_ODD = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}"), "ID"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
)
_VOLATILE = frozenset({"stream_cursor", "last_seen_at", "state", "since", "attention"})


def plain(value: Any) -> Any:
    """A JSON value without what differs between two calls: ids, times and what an agent is doing."""
    if isinstance(value, dict):
        return {name: 0 if name in _VOLATILE else plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, str):
        for pattern, word in _ODD:
            value = pattern.sub(word, value)
    return value


def fields(value: Any) -> Any:
    """The names of all fields: what a write changed may differ from what the next one found."""
    if isinstance(value, dict):
        return {name: fields(one) for name, one in value.items()}
    return [fields(one) for one in value[:1]] if isinstance(value, list) else None


Pair = tuple[str, dict[str, Any], list[str]]
"""A tool with its arguments, and the words of its command."""


class Tools:
    """Calls tools and commands as one agent does: from a process below it."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent

    def _run(self, argv: list[str], payload: dict[str, Any]) -> tuple[int, str]:
        done = self.agent.tell(hook={"argv": argv, "payload": payload, "env": {"AGTMUX_NO_AUTOSTART": "1"}})
        return int(done["status"]), str(done["out"])

    def converse(self, *calls: tuple[str, dict[str, Any]], mode: str = "auto") -> dict[str, Any]:
        """The tools, and the answers of these calls."""
        status, out = self._run([sys.executable, str(CLIENT)], {"calls": calls, "mode": mode})
        assert status == 0, out
        answer: dict[str, Any] = json.loads(out.splitlines()[-1])
        return answer

    def answers(self, *calls: tuple[str, dict[str, Any]]) -> list[Any]:
        """The JSON of these calls."""
        return [json.loads(answer["text"]) for answer in self.converse(*calls)["answers"]]

    def compare(self, pairs: list[Pair], view: Callable[[Any], Any]) -> list[Any]:
        """Call the tools, then their commands, and compare them by ``view``. The JSON of the tools."""
        answers = self.converse(*[(tool, arguments) for tool, arguments, _ in pairs])["answers"]
        found = []
        for (tool, arguments, words), answer in zip(pairs, answers, strict=True):
            at = words.index("--") if "--" in words else len(words)
            twin, failed = self.twin(*words[:at], "--json", *words[at:])
            found.append(json.loads(answer["text"]))
            assert view(found[-1]) == view(twin), (tool, arguments)
            assert answer["error"] == failed, (tool, arguments)
        return found

    def call(self, tool: str, **arguments: Any) -> tuple[Any, bool]:
        """The JSON of one tool, and whether it is an error."""
        (answer,) = self.converse((tool, arguments))["answers"]
        return json.loads(answer["text"]), answer["error"]

    def twin(self, *words: str) -> tuple[Any, bool]:
        """The same of a command."""
        status, out = self._run([str(PROGRAMS / "agtmux"), *words], {})
        return json.JSONDecoder().raw_decode(out)[0], status != 0


@pytest.fixture
def tools(place: Place, daemon: Daemon, agent: Callable[..., Agent]) -> Tools:
    """An agent of the team ``web`` with the name ``builder``."""
    daemon.start()
    one = agent().start("main")
    runtime = daemon.wait_agent(one.pane)["runtime_id"]
    team = place.root / "team.toml"
    team.write_text('name = "web"\n[[agents]]\nname = "builder"\n')
    assert place.cli("team", "apply", str(team)).returncode == 0
    done = place.cli("agent", "bind", "builder", f"runtime:{runtime}", "--take", "--yes")
    assert done.returncode == 0, done
    return Tools(one)


@pytest.mark.tc("TC-870")
def test_each_tool_says_what_its_command_says(tools: Tools, place: Place) -> None:
    """The daemon knows the agent by its processes: nobody names himself."""
    repo = place.home / "repo"
    repo.mkdir()
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        git = ["git", "-C", str(repo), "-c", "user.name=a", "-c", "user.email=a@b", *words]
        subprocess.run(git, check=True, env=place.env)
    asked = place.json("msg", "send", "--to", "builder", "-m", "please rebase")["item"]["message_id"]
    folder = {"folder": str(repo)}
    reads: list[Pair] = [
        ("whoami", {}, ["whoami"]),
        ("agents", {}, ["agents"]),
        ("agents", {"team": "web", "q": "build"}, ["agents", "--team", "web", "build"]),
        ("agents", {"team": "-x"}, ["agents", "--team=-x"]),
        ("inbox", {}, ["inbox"]),
        ("inbox", {"unread": True, "limit": 1}, ["inbox", "--unread", "--limit", "1"]),
        ("worktree", {"do": "list"}, ["worktree", "list"]),
        ("ack", {"id": "-x"}, ["msg", "ack", "--", "-x"]),
        ("send", {"to": ["nobody"], "text": "x"}, ["msg", "send", "--to", "nobody", "-m", "x"]),
        ("signal", {"topic": "team/other/built"}, ["signal", "send", "team/other/built"]),
        ("lease", {}, ["lease", "acquire"]),
        ("release", {"what": ["nothing"]}, ["lease", "release", "nothing"]),
    ]  # fmt: skip
    who, *_ = tools.compare(reads, plain)
    assert (who["kind"], who["agent"]["name"]) == ("agent", "builder")
    data = {"a": "é\n"}
    writes: list[Pair] = [
        ("inbox", {"id": asked}, ["inbox", "show", asked]),
        ("ack", {"id": asked}, ["msg", "ack", asked]),
        ("send", {"to": ["person"], "text": "-x\n", "subject": "-s", "kind": "question"},
         ["msg", "send", "--to", "person", "--message=-x\n", "--subject=-s", "--kind", "question"]),
        ("send", {"reply_to": asked, "text": "done"}, ["msg", "reply", asked, "-m", "done"]),
        ("signal", {"topic": "team/web/built", "data": data},
         ["signal", "send", "team/web/built", "--data", json.dumps(data)]),
        ("lease", {"names": ["db"], "ttl": "30m", "reason": "tests"},
         ["lease", "acquire", "--name", "db", "--ttl", "30m", "--reason", "tests"]),
        ("release", {"what": ["db"]}, ["lease", "release", "db"]),
    ]  # fmt: skip
    done = tools.compare(writes, fields)
    assert (done[2]["item"]["subject"], done[2]["item"]["kind"]) == ("-s", "question")
    assert place.json("signal", "read", "team/web/built")["items"][0]["data"] == data
    folder = {"folder": str(repo)}
    held, released, unknown, added = tools.answers(
        ("lease", {"paths": ["src/*.py"], **folder}), ("release", folder), ("whoami", {"name": "lead"}),
        ("worktree", {"do": "add", "slug": "fix", **folder}),
    )  # fmt: skip
    assert [one["pattern"] for one in held["items"]] == [one["pattern"] for one in released["items"]] == ["src/*.py"]
    assert unknown["error"]["message"] == "whoami: unknown argument 'name'; it takes nothing"
    assert (added["branch"], added["agent"]) == ("agtmux/web/builder/fix", "builder")


@pytest.mark.tc("TC-871")
def test_a_wait_comes_back_with_a_handle_and_goes_on(
    tools: Tools, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An open wait is answered in time, and a later call with its id, or the command, has its result."""
    (first, listed) = tools.converse(
        ("wait", {"conditions": ["signal:team/web/go"], "timeout_s": 600, "block_s": 0.2}), ("wait", {}),
    )["answers"]  # fmt: skip
    item = json.loads(first["text"])["item"]
    assert (item["state"], first["error"]) == ("open", False)
    assert [one["wait_id"] for one in json.loads(listed["text"])["items"]] == [item["wait_id"]]
    assert place.cli("signal", "send", "team/web/go").returncode == 0
    met, failed = tools.call("wait", id=item["wait_id"])
    assert (met["item"]["state"], failed) == ("met", False)
    twin, _ = tools.twin("wait", "--id", item["wait_id"], "--json")
    assert plain(twin) == plain(met)
    gone, failed = tools.call("wait", conditions=["nonsense"])
    assert (gone["error"]["code"], failed) == ("E_INVALID_REQUEST", True)


@pytest.mark.tc("TC-871")
@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_tools_are_few_and_their_texts_short(tools: Tools, mode: str) -> None:
    """Each agent carries them in every request. Clients of both generations of the protocol get them."""
    listed = tools.converse(mode=mode)["tools"]
    assert [name for name, _, _ in listed] == NAMES
    assert len(json.dumps(listed)) < 4000
    assert all(schema["additionalProperties"] is False for _, _, schema in listed)


@pytest.mark.tc("TC-871")
def test_without_a_daemon_a_tool_says_what_to_type_and_starts_none(tools: Tools, daemon: Daemon) -> None:
    assert daemon.stop() == 0
    answer, failed = tools.call("whoami")
    assert (answer["error"]["code"], failed) == ("E_DAEMON_UNREACHABLE", True)
    assert "agtmux daemon start" in answer["error"]["message"]
    assert not daemon.answers()


@pytest.mark.tc("TC-872")
def test_without_the_sdk_the_command_says_what_to_install(place: Place) -> None:
    code = (
        "import sys; sys.modules.update({'mcp': None, 'mcp_types': None, 'anyio': None});"
        "from agtmux.cli.root import run; sys.exit(run(['mcp']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 5
    assert "pip install 'agtmux[mcp]'" in done.stderr
