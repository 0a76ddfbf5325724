"""The words of messages: names or the whole request, on one line each, and nothing that steers a terminal."""

from __future__ import annotations

import json

import pytest

from agtmuxd.features.notify.message import LONGEST, Draft, Message, Prompt, clean, message_of, trial_message
from agtmuxd.features.notify.model import Episode, Kind, Part
from tests.unit.features.notify.makers import T0, episode, subject

pytestmark = pytest.mark.tc("TC-406")


def worded(*episodes: Episode, full: bool = True, part: Part = Part.FIRST) -> Message:
    return message_of(Draft("m-1", "desk", T0, full, [(one, part) for one in episodes]))


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        (Kind.WAITING_APPROVAL, "claude needs your approval"),
        (Kind.WAITING_INPUT, "claude asks you something"),
        (Kind.ERROR, "claude has an error"),
        (Kind.COMPLETED, "claude is done"),
        (Kind.STUCK, "claude makes no progress"),
    ],
)
def test_a_message_begins_with_the_agent(kind: Kind, title: str) -> None:
    message = worded(episode(kind=kind))
    assert (message.title, message.kind) == (title, str(kind))
    assert message.body.splitlines()[-1] == "work:1.1 on host (site)"


def test_the_request_is_shown_only_where_it_may_be() -> None:
    assert worded(episode()).body == "Bash: make\nwork:1.1 on host (site)"
    names = worded(episode(), full=False)
    assert names.body == "work:1.1 on host (site)"
    assert "make" not in json.dumps(names.public())
    done = worded(episode(kind=Kind.COMPLETED, subject=subject(task="tidy up")))
    assert done.body.startswith("tidy up\n"), "a completion names what was asked for, not what was approved"
    said = worded(episode(kind=Kind.COMPLETED, subject=subject(task="tidy up", last_message="All tidy.")))
    assert said.body.startswith("All tidy.\n")


def test_a_reminder_says_so() -> None:
    assert worded(episode(), part=Part.REMIND).title == "claude still needs your approval"


def test_many_are_counted_and_listed_the_most_pressing_first() -> None:
    some = [episode(1, Kind.COMPLETED), episode(2), episode(3, Kind.ERROR)]
    message = worded(*some)
    assert (message.title, message.kind) == ("2 agents need you, 1 is done", "error")
    assert [line.partition(":")[0] for line in message.body.splitlines()] == [
        "claude has an error", "claude needs your approval", "claude is done",
    ]  # fmt: skip
    assert message.prompt is None
    assert worded(episode(1, Kind.COMPLETED), episode(2, Kind.COMPLETED)).title == "2 agents are done"


def test_a_long_list_is_cut() -> None:
    lines = worded(*[episode(n) for n in range(1, 31)]).body.splitlines()
    assert (len(lines), lines[-1]) == (12, "and 19 more")


def test_nothing_in_a_message_steers_a_terminal() -> None:
    evil = subject(agent="cl\x1b]0;x\x07aude", asks="a\x1b[31m\nb\u202ec" + "d" * 5000, place="w\x00:1.1")
    message = worded(episode(subject=evil))
    text = message.title + message.body.replace("\n", "")
    assert all(character.isprintable() for character in text)
    assert len(clean("x" * 5000)) == LONGEST


def test_a_secret_in_a_request_is_not_sent() -> None:
    message = worded(episode(subject=subject(asks="curl -H 'Authorization: Bearer abcdef0123456789abcdef' x")))
    assert "abcdef0123456789" not in json.dumps(message.to_json())


def test_only_an_approval_with_a_fingerprint_can_be_answered() -> None:
    prompt = worded(episode()).prompt
    assert prompt is not None and prompt == Prompt("rt-1", "f-1", "e1")
    assert worded(episode(kind=Kind.ERROR)).prompt is None
    assert worded(episode(), full=False).prompt is None, "who does not see the request cannot answer it"
    assert worded(episode(subject=subject(asks="x" * 900))).prompt is None, "nor who sees a part of it"
    assert worded(episode(1), episode(2)).prompt is None


def test_a_message_survives_the_database() -> None:
    message = worded(episode(1), episode(2, Kind.ERROR))
    assert Message.from_json(json.loads(json.dumps(message.to_json()))) == message
    test = trial_message("m-2", "phone", T0)
    assert Message.from_json(json.loads(json.dumps(test.to_json()))) == test


def test_programs_get_type_time_id_and_data() -> None:
    public = worded(episode()).public()
    assert public["type"] == "agtmux.waiting_approval"
    assert public["timestamp"] == "2026-01-01T00:00:00.000Z"
    assert public["data"]["items"][0]["ref"] == "pane:host/work/@1/%1"
