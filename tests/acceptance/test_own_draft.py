"""A text that agtmux typed and could not submit: it is recognised, and removed on request, and nothing else is."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable

import pytest

from agtmux.cli.action_options import uuid7
from agtmux.protocol.errors import AgtmuxError
from tests.acceptance.stage import PATIENCE, Actor, Daemon, Place, pasted
from tests.conftest import until

OWN = "agtmux itself typed"
BACK = b"\x7f"


def cut_off(place: Place, daemon: Daemon, one: Actor, text: str) -> None:
    """Send ``text`` with Enter to a daemon that then ends as by a crash, and start another one."""
    row = one.ready(daemon)
    with pytest.raises(AgtmuxError):
        daemon.client.act("send", {"request_ref": uuid7(), "ref": row["ref"], "text": text, "enter": True}, PATIENCE)
    assert daemon.process is not None
    assert daemon.process.wait(PATIENCE) == -signal.SIGKILL
    del place.env["AGTMUX_FAILPOINT"]
    daemon.start()
    daemon.wait_agent(one.pane)


def crash(place: Place, daemon: Daemon, one: Actor, text: str) -> None:
    place.env["AGTMUX_FAILPOINT"] = "mid_act:kill"
    daemon.start()
    one.start()
    cut_off(place, daemon, one, text)


def refused(place: Place, *arguments: str) -> dict[str, object]:
    """The error of a call that a check refuses."""
    done = place.cli(*arguments, "--json")
    assert done.returncode == 5, (arguments, done.stdout, done.stderr)
    error: dict[str, object] = json.loads(done.stdout)["error"]
    return error


@pytest.mark.tc("TC-560")
@pytest.mark.parametrize(
    "text",
    ["tidy up, please!", "東京, drei Zeilen:\n  über · naïve\nund Schluss", "a text that is wider than its pane " * 6],
    ids=["one line", "several lines", "wrapped"],
)
def test_a_text_that_a_crash_left_in_the_field_is_named_as_own_and_removed(
    place: Place, daemon: Daemon, actor: Callable[..., Actor], text: str
) -> None:
    """Typed before a crash and not submitted: the next prompt is refused, says whose text it is and what to type. That
    removes exactly the text, once, and then the prompt goes through."""
    one = actor()
    crash(place, daemon, one, text)
    error = refused(place, "prompt", one.pane, "something new")
    assert OWN in str(error["message"])
    assert f"agtmux send {one.pane} --clear-own-draft" in str(error["message"])
    assert one.keys() == pasted(text)
    once = ("send", one.pane, "--clear-own-draft", "--request-ref", uuid7())
    for again in ("", " (already done earlier, nothing was done now)"):
        done = place.cli(*once)
        assert (done.returncode, done.stdout) == (0, f"cleared {len(text)} characters in host {one.pane}{again}\n"), (
            done
        )
    assert one.keys() == pasted(text) + BACK * len(text)
    assert one.tell()["field"] == ""
    assert refused(place, "send", one.pane, "--clear-own-draft")["details"]["reason"] == "no_draft"  # type: ignore[index]
    assert place.cli("prompt", one.pane, "something new").returncode == 0
    assert one.sent() == ["something new"]


@pytest.mark.tc("TC-561")
def test_a_text_that_is_not_wholly_agtmuxs_own_is_never_removed(
    place: Place, daemon: Daemon, actor: Callable[..., Actor]
) -> None:
    """A text that a person added to, changed or typed is theirs: it is refused as any draft is, and no key arrives."""
    one = actor()
    crash(place, daemon, one, "tidy up")
    for theirs in ("tidy up now", "tidy", "tidy up!", "Tidy up", "my own words"):
        one.tell(draft=theirs)
        error = refused(place, "send", one.pane, "--clear-own-draft")
        assert (error["code"], error["details"]["reason"], error["details"]["own"]) == (  # type: ignore[index]
            "E_PRECONDITION_FAILED", "draft", False,
        ), theirs  # fmt: skip
        assert OWN not in str(refused(place, "prompt", one.pane, "more")["message"])
    one.asks(daemon)
    for more in ((), ("--if-state", "waiting_approval")):
        error = refused(place, "send", one.pane, "--clear-own-draft", *more)
        assert error["details"]["reason"] == "dialog_open"  # type: ignore[index]
    assert one.keys() == pasted("tidy up")


@pytest.mark.tc("TC-561")
def test_a_text_that_was_submitted_after_all_is_not_agtmuxs_draft_when_it_is_typed_again(
    place: Place, daemon: Daemon, actor: Callable[..., Actor]
) -> None:
    """The crash came after Enter, the agent began its turn, and later somebody typed the same words."""
    one = actor()
    place.env["AGTMUX_FAILPOINT"] = "after_submit:kill"
    daemon.start()
    one.start()
    cut_off(place, daemon, one, "tidy up")
    one.hook("UserPromptSubmit", prompt="tidy up")
    one.hook("Stop")
    one.tell(run=False, draft="tidy up")
    until(lambda: "tidy up" in place.cli("view-output", one.pane).stdout, within=PATIENCE)
    error = refused(place, "send", one.pane, "--clear-own-draft", "--force-stale")
    assert (error["details"]["reason"], error["details"]["own"]) == ("draft", False)  # type: ignore[index]
    assert one.keys() == pasted("tidy up") + b"\r"


@pytest.mark.tc("TC-560")
def test_a_text_that_the_agent_did_not_take_is_removed_without_any_crash(
    place: Place, daemon: Daemon, actor: Callable[..., Actor]
) -> None:
    """An agent that does not submit leaves the text in its field: that one is agtmux's own, too."""
    daemon.start()
    one = actor().start()
    one.ready(daemon)
    one.tell(how=["deaf"])
    assert place.cli("send", one.pane, "--text", "tidy up", "--enter", "--timeout", "0.3").returncode == 7
    assert place.cli("send", one.pane, "--clear-own-draft").returncode == 0
    assert one.tell()["field"] == ""


@pytest.mark.tc("TC-562")
def test_clearing_is_never_mixed_with_another_request(place: Place, daemon: Daemon) -> None:
    """The command line and the API refuse ``--clear-own-draft`` together with anything that types."""
    daemon.start()
    for more in (["--text", "x"], ["--enter"], ["--key", "C-u"], ["--over-draft"], ["--shell"], ["--leave-mode"]):
        done = place.cli("send", "%0", "--clear-own-draft", *more)
        assert (done.returncode, "leave the other options out" in done.stderr) == (2, True), (more, done.stderr)
        name = more[0].removeprefix("--").replace("-", "_").replace("key", "keys")
        given: object = "x" if name == "text" else ["C-u"] if name == "keys" else True
        body = {"request_ref": uuid7(), "ref": "pane:host/main/@0/%0", "clear_own_draft": True, name: given}
        with pytest.raises(AgtmuxError) as caught:
            daemon.client.act("send", body, PATIENCE)
        assert caught.value.code == "E_INVALID_REQUEST", name
