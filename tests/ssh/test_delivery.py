"""Messages to an agent behind ssh are typed as on this machine: once, and only while the link is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.stage import PATIENCE, Actor, Daemon, Place, pasted
from tests.acceptance.test_delivery import reaches, row
from tests.conftest import Tmux, until
from tests.ssh.sshd import Keys, Sshd
from tests.ssh.test_actions import ready
from tests.ssh.test_target_manager import RemoteMachine, becomes


@pytest.fixture
def place(short_dir: Path, tmux: Tmux, keys: Keys) -> Place:
    made = Place(short_dir)
    tmux.env = dict(made.env)
    made.configure(
        tmux, f'[ssh]\nconfig_file = "{keys.config}"\n[targets]\nconnect_timeout = 2.0\ncommand_timeout = 2.0\n'
    )
    return made


@pytest.fixture
def daemon(place: Place) -> Iterator[Daemon]:
    made = Daemon(place)
    yield made.start()
    made.close()
    print(made.said())


@pytest.fixture
def far(place: Place, daemon: Daemon, new_sshd: Callable[..., Sshd], new_tmux: Callable[[], Tmux]) -> RemoteMachine:
    """A machine behind ssh, without an agent."""
    return RemoteMachine(new_sshd(), new_tmux(), place)


def start(far: RemoteMachine, daemon: Daemon) -> tuple[Actor, str]:
    """Start an agent there, and wait until it is idle. Return it and its name."""
    one = Actor(far.tmux, far.place).start()
    far.add()
    runtime = ready(daemon, far.name, one.pane)["runtime_id"]

    def name() -> str | None:
        items = daemon.client.agents().json()["items"]
        return next((item["name"] for item in items if item["runtime_id"] == runtime), None)

    return one, str(until(name, within=PATIENCE, what="it has a name"))


def sent_id(answer: Any) -> str:
    """The id of a message that was sent or queued."""
    item = answer["item"]
    return str(item.get("message_id") or item["id"])


@pytest.mark.tc("TC-945")
def test_an_idle_agent_behind_ssh_gets_a_message_and_a_prompt_typed_once(
    place: Place, daemon: Daemon, far: RemoteMachine
) -> None:
    one, name = start(far, daemon)
    message = sent_id(place.json("msg", "send", "--to", name, "-s", "port", "-m", "which port; $HOME 'q'?"))
    reaches(place, message, "delivered")
    (first,) = one.sent()
    assert first.startswith(f"[agtmux msg {message} from person] ")
    assert first.endswith("note: port\nwhich port; $HOME 'q'?")
    one.tell(run=False)
    ready(daemon, far.name, one.pane)
    prompt = sent_id(place.json("queue", name, "now héllo\nin two lines"))
    reaches(place, prompt, "delivered")
    assert one.sent() == [first, "now héllo\nin two lines"]
    assert one.keys() == pasted(first) + b"\r" + pasted("now héllo\nin two lines") + b"\r"


@pytest.mark.tc("TC-946")
def test_what_is_sent_while_the_link_is_down_waits_and_is_typed_once_after_it_is_back(
    place: Place, daemon: Daemon, far: RemoteMachine
) -> None:
    one, name = start(far, daemon)
    far.sshd.kill()
    becomes(daemon, far.name, "down")
    message = sent_id(place.json("msg", "send", "--to", name, "-m", "while you were away"))
    prompt = sent_id(place.json("queue", name, "and then this"))
    found = reaches(place, message, "held")
    assert (found["hold_reason"], found["attempts"], found["action_ref"]) == ("target_down", 0, None)
    assert (row(place, prompt)["state"], row(place, prompt)["action_ref"]) == ("queued", None), "it is the second"
    assert one.keys() == b""
    far.sshd.start()
    becomes(daemon, far.name, "ok")
    reaches(place, message, "delivered")
    one.tell(run=False)
    reaches(place, prompt, "delivered")
    first, second = one.sent()
    assert (first.endswith("while you were away"), second) == (True, "and then this")
    assert one.keys() == pasted(first) + b"\r" + pasted(second) + b"\r"
    assert [row(place, one_id)["attempts"] for one_id in (message, prompt)] == [0, 0], "no try failed"
