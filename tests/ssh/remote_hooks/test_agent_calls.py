"""An agent on a machine behind ssh asks in its own name: proven by the processes there, and for open routes only."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from agtmuxd.api.route import Access
from agtmuxd.remote_hooks import agent_calls, install_program
from agtmuxd.remote_hooks.call_program import HEADER, digest
from tests.acceptance.stage import PATIENCE, Agent, Daemon, Item, Place
from tests.conftest import until
from tests.route_tables import ROUTES
from tests.ssh.remote_hooks.test_link import HookedMachine, daemon, place, post, vm  # noqa: F401 fixtures

pytestmark = pytest.mark.tc("TC-640")


def argv(far: HookedMachine, method: str, path: str) -> list[str]:
    return [sys.executable, "-IS", install_program.path(str(far.home)), "call", method, path]


def call(agent: Agent, far: HookedMachine, method: str, path: str, body: Item | None = None) -> tuple[int, Any]:
    """What the agent there gets when it runs the program: exit status and answer."""
    done = agent.tell(hook={"argv": argv(far, method, path), "payload": body or {}, "env": {}})
    return done["status"], json.loads(done["out"])


@pytest.fixture
def far(daemon: Daemon, vm: Callable[..., HookedMachine]) -> HookedMachine:  # noqa: F811
    """A machine that is watched, with an agent and an open socket."""
    made = vm()
    made.add()
    daemon.wait_agent(made.agent.pane, "vm1")
    made.reached()
    return made


def test_an_agent_there_asks_in_its_own_name(place: Place, daemon: Daemon, far: HookedMachine) -> None:  # noqa: F811
    status, body = call(far.agent, far, "GET", "/v1/whoami")
    row = daemon.wait_agent(far.agent.pane, "vm1")
    assert (status, body["kind"], body["agent"]["runtime_id"]) == (0, "agent", row["runtime_id"])
    assert place.cli("name", f"runtime:{row['runtime_id']}", "far").returncode == 0
    assert call(far.agent, far, "GET", "/v1/whoami")[1]["label"] == "agent:far"
    status, body = call(far.agent, far, "POST", "/v1/agents", {"request_ref": "from-afar", "name": "other"})
    assert (status, body["error"]["code"]) == (1, "E_POLICY_DENIED"), "an agent there may do what one here may"


def test_an_agent_there_sends_a_message_that_waits_in_the_inbox(place: Place, far: HookedMachine) -> None:  # noqa: F811
    assert place.cli("agent", "add", "other").returncode == 0
    message = {"request_ref": "from-afar", "to": ["other"], "subject": "hello", "body": "from another machine"}
    status, body = call(far.agent, far, "POST", "/v1/messages", message)
    assert (status, "agent:claude-1" in json.dumps(body)) == (0, True), body


def test_two_agents_there_are_told_apart(daemon: Daemon, far: HookedMachine) -> None:  # noqa: F811
    second = Agent(far.tmux, far.place).start("second")
    runtime = daemon.wait_agent(second.pane, "vm1")["runtime_id"]
    assert call(second, far, "GET", "/v1/whoami")[1]["agent"]["runtime_id"] == runtime
    assert call(far.agent, far, "GET", "/v1/whoami")[1]["agent"]["runtime_id"] != runtime


def test_who_is_no_agent_there_is_refused(far: HookedMachine) -> None:
    done = subprocess.run(argv(far, "GET", "/v1/whoami"), capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (1, "E_FORBIDDEN")


CASES = """
import json, socket, subprocess, sys
path, good, header, agent = sys.argv[1:5]
helper = subprocess.Popen(["sh", "-c", "read x", "agtmux-call", good], stdin=subprocess.PIPE)

def ask(caller, method="GET", target="/v1/whoami", body=b""):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    head = f"{method} {target} HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n{header}: {caller}\\r\\n"
    sock.sendall(f"{head}Content-Length: {len(body)}\\r\\n\\r\\n".encode() + body)
    return int(sock.recv(65536).split()[1])

nonce, pid = "0" * 32, helper.pid
found = {
    "good": ask(f"{pid} {nonce}"),
    "another nonce": ask(f"{pid} {'1' * 32}"),
    "another path": ask(f"{pid} {nonce}", target="/v1/agents"),
    "another query": ask(f"{pid} {nonce}", target="/v1/whoami?x=1"),
    "another body": ask(f"{pid} {nonce}", "POST", "/v1/agents", b"{}"),
    "a process without the digest": ask(f"{agent} {nonce}"),
    "no such process": ask(f"999999999 {nonce}"),
    "no nonce": ask(f"{pid}"),
    "nothing": ask(""),
}
helper.communicate()
found["an ended process"] = ask(f"{pid} {nonce}")
print(json.dumps(found))
"""


def test_the_proof_of_another_request_or_process_is_none(far: HookedMachine) -> None:
    """A process below the agent has the digest of one request: it is accepted, and nothing else with it."""
    good = digest("0" * 32, "GET", "/v1/whoami", b"")
    words = [sys.executable, "-c", CASES, str(far.reached()), good, HEADER, str(far.agent.pid)]
    done = far.agent.tell(hook={"argv": words, "payload": {}, "env": {}})
    assert done["status"] == 0, done
    found = json.loads(done["out"])
    assert found.pop("good") == 200
    assert set(found.values()) == {403}, found


def test_a_process_that_left_the_agent_proves_nothing(far: HookedMachine) -> None:
    leave = ["sh", "-c", '"$@" >"$0.part" 2>&1 & exec true', str(far.home / "left"), *argv(far, "GET", "/v1/whoami")]
    script = "sleep 0.3; " + leave[2]
    far.agent.tell(hook={"argv": ["setsid", "-f", "sh", "-c", script, *leave[3:]], "payload": {}, "env": {}})
    file = far.home / "left.part"
    until(lambda: file.exists() and file.read_text().endswith("}\n"), within=PATIENCE, what="an answer")
    assert json.loads(file.read_text())["error"]["code"] == "E_FORBIDDEN"


def test_only_open_routes_are_served_there(far: HookedMachine) -> None:
    path = far.reached()
    for route in ROUTES:
        if (route.method, route.path) == ("POST", "/v1/events"):
            continue
        open_there = route.access is Access.AGENTS and route.path.split("/")[2] in agent_calls.OPEN
        status, body = post(path, route.method, route.path.replace("{", "").replace("}", ""))
        assert status == 403, route.path
        says = "there is no proof" if open_there else "accepts only"
        assert says in body["error"]["message"], route.path
    for closed in ("/v1/leases", "/v1/worktrees", "/v1/panes", "/v1/actions/send", "/v1/daemon/stop"):
        status, answer = call(far.agent, far, "POST", closed, {})
        assert (status, answer["error"]["code"]) == (1, "E_FORBIDDEN"), closed
