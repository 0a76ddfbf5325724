"""One prompt is answered once: who saw it allows nothing else, though the next request reads the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from agtmux.cli.action_options import uuid7
from agtmux.protocol.errors import AgtmuxError
from tests.acceptance.asking import ask, refusal
from tests.acceptance.stage import PATIENCE, Actor, Daemon, Item
from tests.conftest import until

pytestmark = pytest.mark.tc("TC-143")
Make = Callable[..., Actor]
SAME = "rm -rf build"


@pytest.fixture
def up(daemon: Daemon) -> Iterator[Daemon]:
    """A daemon that runs."""
    yield daemon.start()


def twice(up: Daemon, one: Actor) -> Item:
    """The row of an agent that asks for one thing and, once that is answered, for the very same once more."""
    one.start().ready(up)
    one.tell(ask=SAME, then=[SAME])

    def asked() -> Item | None:
        row = up.pane(one.pane)
        return row if row is not None and (row["waiting_for"] or {}).get("fingerprint") else None

    return until(asked, within=PATIENCE) or {}


def seen(row: Item) -> dict[str, Any]:
    return {"if_state_version": row["state_version"], "if_fingerprint": row["waiting_for"]["fingerprint"]}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("approve", {}), ("approve", {})),
        (("approve", {}), ("deny", {})),
        (("deny", {}), ("approve", {})),
        (("answer", {"option": 1}), ("answer", {"option": 1})),
        (("answer", {"option": 1}), ("approve", {})),
    ],
    ids=lambda value: value[0],
)
def test_two_clients_that_saw_one_prompt_answer_one(
    up: Daemon, actor: Make, first: tuple[str, Item], second: tuple[str, Item]
) -> None:
    """The second one is refused, and looks again: then it is another prompt that it answers, if it means to."""
    one = actor()
    row = twice(up, one)
    ref, mine = str(row["ref"]), seen(row)
    ask(up, first[0], ref, **mine, **first[1])
    keys = one.keys()
    assert refusal(up, second[0], ref, **mine, **second[1]) in (
        ("E_PRECONDITION_FAILED", "answered"), ("E_PRECONDITION_FAILED", "state_version"),
        ("E_PRECONDITION_FAILED", "no_prompt"),
    )  # fmt: skip
    assert one.keys() == keys


def test_of_approvals_at_once_one_is_done(up: Daemon, actor: Make) -> None:
    one = actor()
    row = twice(up, one)
    ref, mine = str(row["ref"]), seen(row)

    def approve(_: int) -> str:
        try:
            return str(
                up.client.act("approve", {"request_ref": uuid7(), "ref": ref, **mine}, PATIENCE).json()["action"]
            )
        except AgtmuxError as error:
            return str(error.details.get("reason"))

    with ThreadPoolExecutor(4) as pool:
        came = list(pool.map(approve, range(4)))
    assert came.count("approve") == 1, came
    assert one.keys() == b"1"


def test_the_next_prompt_of_the_same_words_can_be_answered_by_who_looks_again(up: Daemon, actor: Make) -> None:
    """Its state has another version, also where nothing else of it changed."""
    one = actor()
    row = twice(up, one)
    ref, mine = str(row["ref"]), seen(row)
    ask(up, "approve", ref, **mine)

    def next_one() -> Item | None:
        now = up.pane(one.pane)
        waits = now is not None and (now["waiting_for"] or {}).get("fingerprint") == mine["if_fingerprint"]
        return now if waits and now is not None and now["state_version"] > mine["if_state_version"] else None

    now = until(next_one, within=PATIENCE) or {}
    assert refusal(up, "approve", ref, **mine)[0] == "E_PRECONDITION_FAILED"
    ask(up, "approve", ref, **seen(now))
    assert one.keys() == b"11"


def test_a_version_that_was_used_stays_so_over_a_restart(up: Daemon, actor: Make) -> None:
    one = actor()
    row = twice(up, one)
    ref, mine = str(row["ref"]), seen(row)
    ask(up, "approve", ref, **mine)
    assert up.stop() == 0
    up.start()
    up.wait_for(one.pane, "waiting_approval")
    assert refusal(up, "approve", ref, **mine)[0] == "E_PRECONDITION_FAILED"
    assert one.keys() == b"1"


def test_keys_sent_into_a_dialog_use_it_up_as_well(up: Daemon, actor: Make) -> None:
    one = actor()
    row = twice(up, one)
    ref, mine = str(row["ref"]), seen(row)
    ask(up, "send", ref, keys=["1"], if_state="waiting_approval", if_state_version=mine["if_state_version"])
    assert refusal(up, "approve", ref, **mine)[0] == "E_PRECONDITION_FAILED"
    named = {"keys": ["1"], "if_state": "waiting_approval", "if_state_version": mine["if_state_version"]}
    assert refusal(up, "send", ref, **named)[0] == "E_PRECONDITION_FAILED"
    assert one.keys() == b"1"
