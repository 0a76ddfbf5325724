"""agtmux send: text and keys arrive as they are, once, and where they were meant to go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.asking import ask, refusal
from tests.acceptance.stage import PATIENCE, Daemon, Place, pasted
from tests.acceptance.test_actions import Make
from tests.conftest import Tmux, until

SHELL: dict[str, Any] = {"shell": True}


@pytest.fixture
def up(daemon: Daemon) -> Iterator[Daemon]:
    """A daemon that runs."""
    yield daemon.start()


@pytest.mark.tc("TC-027")
def test_text_keys_and_enter_arrive_as_they_are(up: Daemon, actor: Make, place: Place) -> None:
    one = actor().start()
    one.ready(up)
    done = place.cli("send", one.pane, "--text", "héllo; #{pane_id} \"q\" 'q' $HOME ~", "--enter")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("submitted to host")
    assert one.sent() == ["héllo; #{pane_id} \"q\" 'q' $HOME ~"]
    one.tell(run=False)
    one.ready(up)
    before = len(one.keys())
    assert place.cli("send", one.pane, "--key", "C-a", "--key", "F5").returncode == 0
    assert one.keys()[before:] == b"\x01\x1b[15~"
    assert place.cli("send", one.pane, "--key", "Entr").returncode == 2


@pytest.mark.tc("TC-027")
def test_standard_input_of_several_lines_is_one_paste_and_one_prompt(up: Daemon, actor: Make, place: Place) -> None:
    one = actor().start()
    row = one.ready(up)
    text = "first line\n  second ✓\nthird"
    answer = ask(up, "send", row["ref"], text=text, enter=True)
    assert (answer["result"]["by"], answer["result"]["delivery"]) == ("paste", "submitted")
    assert one.sent() == [text]
    assert one.keys() == b"\x1b[200~" + text.encode() + b"\x1b[201~\r"


@pytest.mark.tc("TC-027")
@pytest.mark.parametrize("size", [3761, 262_144])
def test_a_large_text_becomes_a_chip_and_is_submitted_once(up: Daemon, actor: Make, size: int) -> None:
    one = actor().start()
    row = one.ready(up)
    one.tell(how=["chip"])
    text = ("line of words\n" * (size // 14 + 1))[:size]
    answer = ask(up, "send", row["ref"], text=text, enter=True)
    assert answer["result"]["delivery"] == "submitted"
    assert one.keys() == b"\x1b[200~" + text.encode() + b"\x1b[201~\r"
    assert len(one.sent()) == 1


@pytest.mark.tc("TC-027")
def test_a_draft_taller_than_its_field_is_known_by_its_end(up: Daemon, actor: Make) -> None:
    one = actor().start()
    row = one.ready(up)
    text = "\n".join(f"row {n} of a long prompt" for n in range(40))
    assert ask(up, "send", row["ref"], text=text, enter=True)["result"]["delivery"] == "submitted"
    assert one.sent() == [text]


@pytest.mark.tc("TC-027")
@pytest.mark.parametrize("text", ["a few words", "first line\nsecond line"])
def test_enter_follows_text_at_a_distance_so_that_it_is_no_line_of_it(up: Daemon, actor: Make, text: str) -> None:
    one = actor().start()
    row = one.ready(up)
    one.tell(how=["wary"])
    assert ask(up, "send", row["ref"], text=text, enter=True)["result"]["delivery"] == "submitted"
    assert one.sent() == [text]


@pytest.mark.tc("TC-106")
def test_a_text_that_would_end_its_own_paste_is_refused_whole(up: Daemon, actor: Make) -> None:
    one = actor().start()
    text = "harmless\n\x1b[201~\rrm -rf /\r"
    assert refusal(up, "send", one.ready(up)["ref"], text=text)[0] == "E_INVALID_REQUEST"
    assert one.keys() == b""


@pytest.mark.tc("TC-027")
def test_more_than_256_kib_is_too_large(up: Daemon, actor: Make) -> None:
    one = actor().start()
    assert refusal(up, "send", one.ready(up)["ref"], text="x" * 262_145)[0] == "E_PAYLOAD_TOO_LARGE"
    assert one.keys() == b""


@pytest.mark.tc("TC-027")
def test_without_a_sign_the_receipt_says_so_and_nothing_is_pressed_twice(up: Daemon, actor: Make, place: Place) -> None:
    one = actor().start()
    one.ready(up)
    one.tell(how=["deaf"])
    done = place.cli("send", one.pane, "--text", "anybody there", "--enter", "--timeout", "0.5")
    assert done.returncode == 7
    assert done.stdout.startswith("unconfirmed")
    assert one.keys() == pasted("anybody there") + b"\r"


@pytest.mark.tc("TC-027")
def test_text_that_is_not_seen_is_not_submitted(up: Daemon, actor: Make) -> None:
    one = actor().start()
    row = one.ready(up)
    one.tell(how=["quiet"])
    result = ask(up, "send", row["ref"], text="into the void", enter=True)["result"]
    assert (result["delivery"], result["entered"]) == ("unconfirmed", False)
    assert one.keys() == pasted("into the void")


@pytest.mark.tc("TC-027")
def test_a_busy_agent_keeps_it_for_later_and_the_receipt_says_so(up: Daemon, actor: Make) -> None:
    one = actor().start()
    one.ready(up)
    one.tell(run=True)
    row = up.wait_for(one.pane, "running")
    result = ask(up, "send", row["ref"], text="after that", enter=True)["result"]
    assert (result["delivery"], result["queued"]) == ("submitted", True)


@pytest.mark.tc("TC-107")
def test_text_is_never_typed_into_an_open_dialog(up: Daemon, actor: Make) -> None:
    one = actor().start()
    one.ready(up)
    row = one.asks(up)
    for body in ({"text": "hello", "enter": True}, {"enter": True}, {"keys": ["Enter"]}, {"keys": ["1"]}):
        assert refusal(up, "send", row["ref"], **body) == ("E_PRECONDITION_FAILED", "dialog_open"), body
        assert refusal(up, "send", row["ref"], if_state=["idle"], **body)[1] == "state", body
        assert refusal(up, "send", row["ref"], force_stale=True, **body)[1] == "dialog_open", body
    assert one.keys() == b""
    ask(up, "send", row["ref"], keys=["Down"], if_state=["waiting_approval"])
    assert one.keys() == b"\x1b[B"


@pytest.mark.tc("TC-107")
def test_a_dialog_that_opened_a_moment_ago_is_seen_before_typing(up: Daemon, actor: Make) -> None:
    one = actor().start()
    row = one.ready(up)
    one.tell(ask="rm -rf /")  # the daemon may not have looked since
    code, reason = refusal(up, "send", row["ref"], text="y", enter=True, if_state=["idle"])
    assert (code, reason in ("dialog_open", "state_version", "state")) == ("E_PRECONDITION_FAILED", True), reason
    assert one.keys() == b""


@pytest.mark.tc("TC-107")
def test_a_draft_of_the_operator_is_left_alone(up: Daemon, actor: Make) -> None:
    one = actor().start()
    row = one.ready(up)
    one.tell(draft="half typed")
    for body in ({"text": "more", "enter": True}, {"enter": True}, {"keys": ["Enter"]}, {"keys": ["C-m"]}):
        assert refusal(up, "send", row["ref"], **body)[1] in ("draft", "state_version"), body
        assert refusal(up, "send", row["ref"], force_stale=True, **body)[1] == "draft", body
    assert one.keys() == b""
    until(lambda: (up.pane(one.pane) or row)["state_version"] != row["state_version"], within=PATIENCE)
    assert ask(up, "send", row["ref"], text=" and more", enter=True, over_draft=True)["result"]["entered"]
    assert one.sent() == ["half typed and more"]


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize("key", ["Enter", "C-m"])
def test_a_text_is_not_submitted_by_a_key_that_does_not_wait_for_it(
    up: Daemon, actor: Make, place: Place, key: str
) -> None:
    one = actor().start()
    row = one.ready(up)
    assert refusal(up, "send", row["ref"], text="hello", keys=[key])[0] == "E_INVALID_REQUEST"
    done = place.cli("send", one.pane, "--text", "hello", "--key", "Down", "--key", key)
    assert (done.returncode, f"{key} would be pressed before the text shows" in done.stderr) == (2, True), done.stderr
    assert one.keys() == b""


@pytest.mark.tc("TC-107")
def test_copy_mode_is_refused_or_left_first(up: Daemon, actor: Make, tmux: Tmux) -> None:
    one = actor().start()
    row = one.ready(up)
    tmux.run("copy-mode", "-t", one.pane)
    assert refusal(up, "send", row["ref"], text="x") == ("E_PRECONDITION_FAILED", "copy_mode")
    assert refusal(up, "kill", row["ref"])[1] == "copy_mode"
    assert ask(up, "send", row["ref"], text="typed", enter=True, leave_mode=True)["result"]["delivery"] == "submitted"
    assert tmux.run("display-message", "-p", "-t", one.pane, "#{pane_in_mode}") == "0"
    assert one.sent() == ["typed"]


@pytest.mark.tc("TC-107")
def test_a_pane_that_shares_its_keys_or_takes_none_is_refused(up: Daemon, actor: Make, tmux: Tmux) -> None:
    one = actor().start()
    row = one.ready(up)
    tmux.run("set-option", "-p", "-t", one.pane, "synchronize-panes", "on")
    assert refusal(up, "send", row["ref"], text="x")[1] == "synchronized"
    tmux.run("set-option", "-p", "-t", one.pane, "synchronize-panes", "off")
    tmux.run("select-pane", "-d", "-t", one.pane)
    assert refusal(up, "send", row["ref"], text="x")[1] == "input_off"
    assert one.keys() == b""


@pytest.mark.tc("TC-107")
def test_a_shell_is_typed_into_only_when_a_shell_was_meant(up: Daemon, actor: Make, tmux: Tmux) -> None:
    shell = tmux.start("sh", session="plain")
    one = actor().start("agents")
    row = one.ready(up)
    ref = until(lambda: up.pane(shell), within=PATIENCE)["ref"]  # type: ignore[index]
    assert refusal(up, "send", ref, text="touch made", enter=True) == ("E_PRECONDITION_FAILED", "shell")
    assert refusal(up, "send", row["ref"], text="claude", **SHELL) == ("E_PRECONDITION_FAILED", "agent_there")
    assert one.keys() == b""
    assert ask(up, "send", ref, text="echo it-was-'typed'", enter=True, **SHELL)["result"]["entered"]
    until(lambda: "it-was-typed" in tmux.run("capture-pane", "-p", "-t", shell), within=PATIENCE)
