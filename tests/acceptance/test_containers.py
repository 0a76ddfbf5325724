"""Hooks of agents in containers: another space of process numbers, seen from outside by the kernel's word."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.boxes import UNSHARE, Boxed, missing
from tests.acceptance.stage import PATIENCE, PROGRAMS, Agent, Daemon, Place
from tests.conftest import Tmux, until

pytestmark = [
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
    pytest.mark.skipif(shutil.which("dtach") is None, reason="dtach is not installed: it is what hides the agent"),
]

Make = Callable[..., Boxed]
INNER = "import subprocess, sys\nsys.exit(subprocess.run(sys.argv[1:]).returncode)\n"


@pytest.fixture
def boxed(tmux: Tmux, place: Place) -> Iterator[Make]:
    """Stand-ins in containers; those that were started are ended, wherever they are."""
    made: list[Boxed] = []

    def make(name: str = "claude", **more: object) -> Boxed:
        made.append(Boxed(tmux, place, name, **more))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        if one.pid:
            one.exit()


def heard(daemon: Daemon) -> int:
    """How many hooks the daemon was told of."""
    return int(daemon.health()["counters"].get("events_hook", 0))


def state(daemon: Daemon, pane: str) -> str | None:
    return (daemon.pane(pane) or {}).get("state")


def unmoved(daemon: Daemon, agent: Boxed, *others: str) -> None:
    """What this agent reports arrives, and moves neither its pane nor one of the others."""
    panes = (agent.pane, *others)
    before, listed = [state(daemon, pane) for pane in panes], heard(daemon)
    agent.ask()
    assert heard(daemon) == listed + 2, "the daemon answered the hooks"
    assert [state(daemon, pane) for pane in panes] == before


# ------------------------------------------------ TC-218: taken for the right pane


@pytest.mark.tc("TC-218")
@pytest.mark.parametrize("hidden", [True, False], ids=["hidden", "below"])
def test_hooks_of_a_declared_agent_in_a_container_move_its_pane(daemon: Daemon, boxed: Make, hidden: bool) -> None:
    """``agtmux run --as``: the hook decides, as ``explain`` says."""
    daemon.start()
    agent = boxed(declared="claude", hidden=hidden).start()
    daemon.wait_agent(agent.pane)
    agent.ask("touch made-in-a-box")
    item = daemon.wait_for(agent.pane, "waiting_approval")
    assert item["waiting_for"]["text"] == "touch made-in-a-box"
    assert item["source"] == "hook"
    agent.hook("Stop")
    daemon.wait_for(agent.pane, "completed")


@pytest.mark.tc("TC-218")
def test_the_pane_option_takes_hooks_from_a_container_too(daemon: Daemon, tmux: Tmux, boxed: Make) -> None:
    """``@agtmux-agent`` on a pane where the container's client is a job of the shell."""
    daemon.start()
    agent = boxed().start_in_shell()
    tmux.run("set-option", "-p", "-t", agent.pane, "@agtmux-agent", "claude")
    daemon.wait_agent(agent.pane)
    agent.ask()
    daemon.wait_for(agent.pane, "waiting_approval")


@pytest.mark.tc("TC-218")
def test_an_agent_whose_process_is_seen_through_its_sandbox_needs_no_word_of_its_user(
    daemon: Daemon, boxed: Make
) -> None:
    """bubblewrap, unshare: the chain that the daemon sees leads to the pane's agent, whatever numbers the hook sees."""
    daemon.start()
    agent = boxed(hidden=False, seen={"TMUX": "", "TMUX_PANE": ""}).start()
    daemon.wait_agent(agent.pane)
    agent.ask()
    daemon.wait_for(agent.pane, "waiting_approval")


@pytest.mark.tc("TC-218")
def test_hooks_from_a_container_are_taken_again_after_a_restart_of_the_daemon(daemon: Daemon, boxed: Make) -> None:
    daemon.start()
    agent = boxed(declared="claude").start()
    daemon.wait_agent(agent.pane)
    agent.ask()
    daemon.wait_for(agent.pane, "waiting_approval")
    daemon.stop()
    daemon.start()
    agent.hook("Stop")
    daemon.wait_for(agent.pane, "completed")


@pytest.mark.tc("TC-218")
def test_two_declared_agents_in_containers_never_mix(daemon: Daemon, boxed: Make) -> None:
    """They have the same numbers for their processes and the same session id; their panes tell them apart."""
    daemon.start()
    one, two = boxed(declared="claude").start(), boxed(declared="claude").start("second")
    daemon.wait_agent(one.pane)
    daemon.wait_agent(two.pane)
    assert one.pid == two.pid, "both are the first process in there"
    one.hook("UserPromptSubmit", prompt="one")
    two.ask()
    daemon.wait_for(two.pane, "waiting_approval")
    assert daemon.wait_for(one.pane, "running")["task"] == "one"
    one.hook("Stop")
    daemon.wait_for(one.pane, "completed")
    assert state(daemon, two.pane) == "waiting_approval"


@pytest.mark.tc("TC-218")
def test_a_hook_in_a_container_without_a_socket_and_without_a_folder_is_silent(daemon: Daemon, boxed: Make) -> None:
    """Nothing was mounted: the agent notices nothing, and the next hook is no other for it."""
    daemon.start()
    agent = boxed(declared="claude").start()
    nowhere = {"AGTMUX_RUNTIME_DIR": "/proc/nowhere", "AGTMUX_STATE_DIR": "/proc/nowhere"}
    argv = [str(PROGRAMS / "agtmux"), "hook", "claude"]
    result = agent.tell(hook={"argv": argv, "payload": {"hook_event_name": "Stop"}, "env": nowhere})
    assert result == {"status": 0, "out": ""}


@pytest.mark.tc("TC-218")
def test_the_hook_program_of_one_file_reports_from_a_container(daemon: Daemon, place: Place, boxed: Make) -> None:
    """As docs/containers.md says: a folder with the program and the socket's path, and a command that calls it."""
    daemon.start()
    box = place.root / "box"
    program, state = box / "share" / "agtmux" / "hook.py", box / "state" / "agtmux-remote"
    program.parent.mkdir(parents=True)
    state.mkdir(parents=True)
    output = subprocess.run(
        [str(PROGRAMS / "agtmuxd"), "--hook-program"], capture_output=True, text=True, check=True, env=place.env
    )
    program.write_text(output.stdout)
    (state / "host.supervisor").write_text(f"{place.socket}\n")
    agent = boxed(declared="claude").start()
    daemon.wait_agent(agent.pane)
    asked = {"tool_name": "Bash", "tool_input": {"command": "make"}, "session_id": "s"}
    agent.run_inside(
        sys.executable, "-IS", str(program), "hook", "claude", hook_event_name="PermissionRequest", **asked
    )
    assert daemon.wait_for(agent.pane, "waiting_approval")["waiting_for"]["text"] == "make"


# ------------------------------------------------ TC-219: what is not known stays unbound


@pytest.mark.tc("TC-240")
def test_what_a_container_left_in_the_spool_moves_no_pane(daemon: Daemon, place: Place, boxed: Make) -> None:
    """Nobody can tell any more whose it is: not even where its agent is the first process there, and it names none."""
    daemon.start()
    agent = boxed(declared="claude").start()
    daemon.wait_agent(agent.pane)
    before = state(daemon, agent.pane)
    daemon.stop()
    payload = {"hook_event_name": "PermissionRequest", "session_id": "s", "tool_name": "Bash", "tool_input": {}}
    argv = [str(PROGRAMS / "agtmux"), "hook", "claude"]
    agent.tell(hook={"argv": argv, "payload": payload, "env": {"AGTMUX_HOOK_CAP_MS": "20000"}})
    spooled = json.loads((place.state / "spool.jsonl").read_text())
    assert (spooled["chain"], spooled["pane_id"]) == ([], agent.pane)
    daemon.start()
    until(lambda: heard(daemon) == 1, within=PATIENCE, what="the spool is taken in")
    assert state(daemon, agent.pane) == before
    assert "hook" not in [item["source"] for item in place.json("events")["items"]]


@pytest.mark.tc("TC-219")
def test_hooks_from_a_container_move_no_pane_whose_agent_nobody_named(daemon: Daemon, boxed: Make) -> None:
    daemon.start()
    agent = boxed().start()
    until(lambda: daemon.health()["targets"][0]["panes"] == 1, within=PATIENCE)
    unmoved(daemon, agent)


@pytest.mark.tc("TC-219")
def test_hooks_of_another_agent_than_the_one_named_are_not_taken(daemon: Daemon, boxed: Make) -> None:
    daemon.start()
    agent = boxed(declared="codex").start()
    assert daemon.wait_agent(agent.pane)["agent_type"] == "codex"
    unmoved(daemon, agent)


@pytest.mark.tc("TC-219")
def test_a_hook_from_a_hidden_agent_that_names_no_pane_is_not_taken(daemon: Daemon, boxed: Make) -> None:
    daemon.start()
    agent = boxed(declared="claude", seen={"TMUX": "", "TMUX_PANE": ""}).start()
    daemon.wait_agent(agent.pane)
    unmoved(daemon, agent)


@pytest.mark.tc("TC-219")
@pytest.mark.parametrize("hidden", [True, False], ids=["hidden", "below"])
def test_an_agent_that_an_agent_in_a_container_runs_does_not_speak_for_it(
    daemon: Daemon, place: Place, boxed: Make, hidden: bool
) -> None:
    """The same program again, as a tool: its turn's end is not the outer one's."""
    daemon.start()
    agent = boxed(declared="claude", hidden=hidden).start()
    daemon.wait_agent(agent.pane)
    agent.ask()
    daemon.wait_for(agent.pane, "waiting_approval")
    inner, result = place.root / "inner.py", heard(daemon)
    inner.write_text(INNER)
    argv = [str(place.root / "bin" / "claude"), str(inner), str(PROGRAMS / "agtmux"), "hook", "claude"]
    agent.run_inside(*argv, hook_event_name="Stop", session_id="s-inner")
    assert heard(daemon) == result + 1
    assert state(daemon, agent.pane) == "waiting_approval"
    assert daemon.health()["counters"]["events_bind_nested"] == 1


@pytest.mark.tc("TC-219")
def test_a_second_agent_with_the_variables_of_another_pane_is_not_taken_for_that_panes(
    daemon: Daemon, boxed: Make
) -> None:
    """A container hands the variables that it was started with to all that is started in it later. Once the first
    agent has ended, the next one in that pane is heard."""
    daemon.start()
    first = boxed(declared="claude", stays=True).start()
    daemon.wait_agent(first.pane)
    first.ask()
    daemon.wait_for(first.pane, "waiting_approval")
    other = boxed(declared="claude", seen={"TMUX_PANE": first.pane}).start("second")
    daemon.wait_agent(other.pane)
    other.hook("Stop")
    assert state(daemon, first.pane) == "waiting_approval"
    assert state(daemon, other.pane) == "unknown"
    assert daemon.health()["counters"]["events_bind_ambiguous"] == 1
    first.exit()
    first.pid = 0
    other.hook("Stop")
    daemon.wait_for(first.pane, "completed")


@pytest.mark.tc("TC-219")
def test_hooks_from_a_container_never_reach_an_agent_that_runs_in_the_pane_itself(
    daemon: Daemon, tmux: Tmux, place: Place, boxed: Make
) -> None:
    """An agent outside, and one in a container that says that it is in the same pane."""
    daemon.start()
    plain = Agent(tmux, place).start()
    daemon.wait_agent(plain.pane)
    plain.ask()
    daemon.wait_for(plain.pane, "waiting_approval")
    agent = boxed(seen={"TMUX_PANE": plain.pane}).start("second")
    result = heard(daemon)
    agent.hook("Stop")
    assert heard(daemon) == result + 1
    assert state(daemon, plain.pane) == "waiting_approval"


@pytest.mark.tc("TC-219")
def test_a_process_in_a_container_may_read_and_may_not_act(daemon: Daemon, tmux: Tmux, place: Place) -> None:
    """Who may type into this machine's panes is in no container any more."""
    daemon.start()
    agent = Agent(tmux, place).start()
    daemon.wait_agent(agent.pane)

    def inside(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [*UNSHARE, str(PROGRAMS / "agtmux"), *words]
        env = {**place.env, "AGTMUX_NO_AUTOSTART": "1"}
        return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False)

    read = inside("ls", "--json")
    assert [item["identity"]["pane_id"] for item in json.loads(read.stdout)["items"]] == [agent.pane]
    refused = inside("send", agent.pane, "--text", shlex.quote("id"))
    assert refused.returncode != 0
    assert "the caller runs in a container" in refused.stderr
