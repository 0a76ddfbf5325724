"""What a person decides: approve, deny, answer, interrupt, kill, ack. Real panes, a stand-in that takes keys."""

from __future__ import annotations

import os
import pty
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.acceptance.asking import ask, refusal
from tests.acceptance.stage import PATIENCE, PROGRAMS, Actor, Daemon, Item, Place
from tests.conftest import Tmux, until

Make = Callable[..., Actor]
PLAN = [
    "─" * 60, " Ready to code?", "", " Here is Claude's plan:", " 1. Measure the plot.", "─" * 60,
    " Claude has written up a plan and is ready to execute. Would you like to proceed?", "",
    " ❯ 1. Yes, and use auto mode", "   2. Yes, manually approve edits", "   3. Tell Claude what to change",
]  # fmt: skip


@pytest.fixture
def up(daemon: Daemon) -> Iterator[Daemon]:
    """A daemon that runs."""
    yield daemon.start()


def has_ended(pid: int) -> bool:
    """Whether a process has gone, or waits for its parent to take note."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.tc("TC-027")
def test_approve_and_deny_press_their_key_on_the_prompt_that_was_seen(up: Daemon, actor: Make, place: Place) -> None:
    one = actor().start()
    one.ready(up)
    row = one.asks(up, "make clean")
    assert place.cli("approve", one.pane).stdout.startswith("approved in host %0: Bash command: make clean")
    assert (one.keys(), one.sent()) == (b"1", ["chose 1"])
    one.asks(up, "make distclean")
    seen = {"if_state_version": row["state_version"], "if_fingerprint": row["waiting_for"]["fingerprint"]}
    assert refusal(up, "approve", row["ref"], **seen)[0] == "E_PRECONDITION_FAILED"
    now = up.pane(one.pane)
    assert now is not None
    seen["if_state_version"] = now["state_version"]
    assert refusal(up, "approve", row["ref"], **seen) == ("E_PRECONDITION_FAILED", "fingerprint")
    assert one.keys() == b"1"
    assert place.cli("deny", one.pane).returncode == 0
    assert (one.keys(), one.sent()) == (b"1\x1b", ["chose 1", "cancelled"])


def by_terminal(place: Place, typed: bytes, *arguments: str) -> tuple[int, str]:
    """Exit status and words of ``agtmux`` in a terminal at which somebody types."""
    master, slave = pty.openpty()
    done = subprocess.Popen(
        [str(PROGRAMS / "agtmux"), *arguments], env=place.env, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    os.write(master, typed)
    result = b""
    with suppress(OSError):  # the other end is closed
        while data := os.read(master, 4096):
            result += data
    os.close(master)
    return done.wait(PATIENCE), result.decode()


@pytest.mark.tc("TC-027")
def test_at_a_terminal_it_is_asked_first_and_no_is_no(up: Daemon, actor: Make, place: Place) -> None:
    one = actor().start()
    one.ready(up)
    one.asks(up, "make clean")
    for argv in (["approve", one.pane], ["deny", one.pane], ["answer", one.pane, "1"], ["kill", one.pane]):
        status, result = by_terminal(place, b"n\n", *argv)
        assert (status, "nothing was done" in result) == (130, True), result
    assert one.keys() == b""
    status, result = by_terminal(place, b"y\n", "approve", one.pane)
    assert (status, "1. Yes" in result, one.keys()) == (0, True, b"1"), result


@pytest.mark.tc("TC-107")
def test_nothing_is_approved_unseen_or_by_force(up: Daemon, actor: Make, place: Place) -> None:
    one = actor().start()
    row = one.ready(up)
    assert place.cli("approve", one.pane).returncode == 5
    row = one.asks(up)
    seen = {"if_state_version": row["state_version"], "if_fingerprint": row["waiting_for"]["fingerprint"]}
    assert refusal(up, "approve", row["ref"])[0] == "E_INVALID_REQUEST"
    assert refusal(up, "approve", row["ref"], if_fingerprint=seen["if_fingerprint"])[0] == "E_INVALID_REQUEST"
    assert refusal(up, "deny", row["ref"], force_stale=True, **seen)[0] == "E_INVALID_REQUEST"
    assert one.keys() == b""


def questioned(daemon: Daemon, one: Actor, typed: str = "") -> Item:
    """The row of the pane once its question was seen on the screen."""
    one.tell(question=typed)

    def asked() -> Item | None:
        item = daemon.pane(one.pane)
        waiting = (item or {}).get("waiting_for") or {}
        wanted = typed or "Type something."
        return item if waiting.get("fingerprint") and wanted in waiting["options"] else None

    return until(asked, within=PATIENCE, what=f"a question: {daemon.pane(one.pane)}") or {}


@pytest.mark.tc("TC-027")
def test_a_question_is_answered_by_number_by_words_or_by_a_text_of_ones_own(
    up: Daemon, actor: Make, place: Place
) -> None:
    one = actor().start()
    one.ready(up)
    for words, arrived, chosen in (
        ("2", b"2", "chose 2"), ("green", b"1", "chose 1"), ("a colour like sand", b"3a colour like sand\r", None),
    ):  # fmt: skip
        questioned(up, one)
        before = len(one.keys())
        done = place.cli("answer", one.pane, words)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"answered in host {one.pane}: Colour: Which colour")
        assert one.keys()[before:] == arrived
        assert one.sent()[-1] == (chosen or f"wrote {words}")
    questioned(up, one)
    before = len(one.keys())
    assert place.cli("answer", one.pane, "7").returncode == 2
    assert place.cli("answer", one.pane, "two\nlines").returncode == 5
    assert place.cli("approve", one.pane).returncode == 5
    assert one.keys()[before:] == b""


@pytest.mark.tc("TC-107")
def test_a_text_that_somebody_types_into_a_question_is_left_alone(up: Daemon, actor: Make) -> None:
    one = actor().start()
    one.ready(up)
    row = questioned(up, one, "half typed")
    seen = {"if_state_version": row["state_version"], "if_fingerprint": row["waiting_for"]["fingerprint"]}
    assert refusal(up, "answer", row["ref"], text="sand", **seen)[0] == "E_UNSUPPORTED"
    assert one.keys() == b""


@pytest.mark.tc("TC-107")
def test_a_yes_that_is_more_than_a_yes_is_left_to_a_person(up: Daemon, actor: Make, place: Place) -> None:
    one = actor().start()
    one.ready(up)
    one.tell(rows=PLAN)
    up.wait_for(one.pane, "waiting_approval")
    done = place.cli("approve", one.pane)
    assert (done.returncode, one.keys()) == (5, b"")
    assert f"agtmux answer {one.pane} N" in done.stderr
    assert "2 Yes, manually approve edits" in done.stderr
    assert place.cli("answer", one.pane, "2").returncode == 0
    assert one.keys() == b"2"


@pytest.mark.tc("TC-107")
def test_a_prompt_that_follows_another_at_once_is_not_answered_with_it(up: Daemon, actor: Make, place: Place) -> None:
    one = actor().start()
    one.ready(up)
    one.tell(ask="make one", then=["make two"])
    until(lambda: ((up.pane(one.pane) or {})["waiting_for"] or {}).get("fingerprint"), within=PATIENCE)
    done = place.cli("approve", one.pane)
    assert (done.returncode, one.keys()) == (0, b"1"), done.stderr
    assert "make one" in done.stdout
    row = up.wait_for(one.pane, "waiting_approval")
    until(lambda: "make two" in str((up.pane(one.pane) or {})["waiting_for"]), within=PATIENCE, what=str(row))
    assert one.sent() == ["chose 1"]


@pytest.mark.tc("TC-107")
def test_words_that_do_not_stand_alone_in_their_field_are_not_submitted(up: Daemon, actor: Make, place: Place) -> None:
    one = actor().start()
    one.ready(up)
    questioned(up, one)
    one.tell(how=["mumbles"])
    done = place.cli("answer", one.pane, "sand")
    assert (done.returncode, done.stdout.startswith("unconfirmed: nothing"), one.keys()) == (7, True, b"3sand")
    assert "not submitted" in done.stderr
    assert one.sent() == []


@pytest.mark.tc("TC-031")
def test_the_audit_of_an_approval_holds_no_secret_of_its_command(up: Daemon, actor: Make, place: Place) -> None:
    one = actor().start()
    one.ready(up)
    secret = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
    one.tell(ask=f"push --token {secret}")
    until(lambda: ((up.pane(one.pane) or {})["waiting_for"] or {}).get("fingerprint"), within=PATIENCE)
    done = place.cli("approve", one.pane)
    assert (done.returncode, one.sent()) == (0, ["chose 1"]), done.stderr
    assert up.stop() == 0
    connection = sqlite3.connect(place.state / "agtmux.db")
    dump = "\n".join(connection.iterdump())
    connection.close()
    assert "push --token" in dump
    assert secret not in dump


@pytest.mark.tc("TC-027")
def test_what_was_pressed_without_effect_is_not_called_done(up: Daemon, actor: Make, place: Place) -> None:
    one = actor().start()
    one.ready(up)
    one.tell(how=["quiet"])
    one.asks(up)
    done = place.cli("approve", one.pane)
    assert done.returncode == 7
    assert done.stdout.startswith(f"unconfirmed: 1 to host {one.pane}: Bash command: rm -rf build")
    assert one.keys() == b"1"


@pytest.mark.tc("TC-029")
def test_interrupt_and_kill_by_key_stop_a_turn_and_spare_an_idle_agent(up: Daemon, actor: Make, place: Place) -> None:
    one = actor().start()
    row = one.ready(up)
    assert refusal(up, "interrupt", row["ref"]) == ("E_PRECONDITION_FAILED", "not_running")
    assert refusal(up, "kill", row["ref"]) == ("E_PRECONDITION_FAILED", "not_running")
    one.tell(run=True)
    up.wait_for(one.pane, "running")
    assert place.cli("kill", one.pane).returncode == 2  # nobody is there to ask
    assert one.keys() == b""
    assert place.cli("kill", one.pane, "--yes").returncode == 0
    up.wait_for(one.pane, "idle")
    assert one.keys() == b"\x03"
    one.tell(run=True)
    up.wait_for(one.pane, "running")
    assert place.cli("interrupt", one.pane).returncode == 0
    assert one.keys() == b"\x03\x1b"
    up.wait_for(one.pane, "idle")


@pytest.mark.tc("TC-030")
def test_a_signal_needs_a_process_that_is_known(up: Daemon, actor: Make, place: Place, tmux: Tmux) -> None:
    shell = tmux.start("sh", session="plain")
    ref = until(lambda: up.pane(shell), within=PATIENCE)["ref"]  # type: ignore[index]
    assert refusal(up, "kill", ref, mode="signal", signal="TERM")[0] == "E_PID_UNAVAILABLE"
    assert refusal(up, "kill", ref, signal="TERM")[0] == "E_INVALID_REQUEST"
    assert place.cli("kill", shell, "--signal", "KILL", "--yes").returncode == 2
    one = actor().start("agents")
    row = one.ready(up)
    answer = ask(up, "kill", row["ref"], mode="signal", signal="TERM")
    assert (answer["result"]["pid"], answer["result"]["ended"]) == (one.pid, True)
    until(lambda: has_ended(one.pid), within=PATIENCE)


WRAPPER = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, lambda *_: None)
sys.exit(subprocess.call(sys.argv[1:]))
"""


@pytest.mark.tc("TC-030")
def test_a_signal_reaches_the_program_that_an_agent_wraps(up: Daemon, actor: Make, place: Place) -> None:
    one = actor()
    wrapper = place.root / "wrapper.py"
    wrapper.write_text(WRAPPER)
    one.argv = [one.argv[0], str(wrapper), *one.argv]
    one.start()
    outer = up.wait_agent(one.pane)["pid"]
    assert outer != one.pid
    row = one.ready(up)
    result = ask(up, "kill", row["ref"], mode="signal", signal="TERM")["result"]
    assert (result["pids"], result["ended"]) == ([outer, one.pid], True)
    until(lambda: has_ended(one.pid) and has_ended(outer), within=PATIENCE)


@pytest.mark.tc("TC-109")
def test_what_was_acknowledged_needs_nobody_until_something_changes(
    up: Daemon, actor: Make, place: Place, tmux: Tmux
) -> None:
    one = actor().start()
    tmux.run("set-option", "-t", one.pane, "remain-on-exit", "on")
    one.ready(up)
    one.asks(up, "first")
    assert (up.pane(one.pane) or {})["attention"] == "needs_action"
    assert place.cli("ack", one.pane, "--if-state", "error").returncode == 5
    assert place.cli("ack", one.pane, "--if-fingerprint", "0" * 16).returncode == 5
    assert (up.pane(one.pane) or {})["attention"] == "needs_action"
    assert place.cli("ack", one.pane).returncode == 0
    until(lambda: (up.pane(one.pane) or {})["attention"] == "none", within=PATIENCE)
    one.title("another title")
    until(lambda: (up.pane(one.pane) or {})["title"] == "another title", within=PATIENCE)
    assert (up.pane(one.pane) or {})["attention"] == "none"
    one.asks(up, "second")
    assert (up.pane(one.pane) or {})["attention"] == "needs_action"
    one.vanish()
    until(lambda: (up.pane(one.pane) or {}).get("reason_code") == "agent_crashed", within=PATIENCE)
    assert place.cli("ack", one.pane).returncode == 0
    until(lambda: not up.panes(), within=PATIENCE)


@pytest.mark.tc("TC-109")
def test_a_prompt_that_was_acknowledged_before_it_was_drawn_stays_so(up: Daemon, actor: Make, place: Place) -> None:
    one = actor().start()
    one.ready(up)
    one.tell(run=True)
    up.wait_for(one.pane, "running")
    one.hook("UserPromptSubmit", prompt="tidy up")
    one.tell(rows=["half a box"])  # a spinner that stays would say that nobody is asked
    one.hook("PermissionRequest", tool_name="Bash", tool_input={"command": "rm -rf build"})
    assert up.wait_for(one.pane, "waiting_approval")["waiting_for"]["fingerprint"] is None
    assert place.cli("ack", one.pane).returncode == 0
    row = one.asks(up)
    assert (row["state"], row["attention"]) == ("waiting_approval", "none")
