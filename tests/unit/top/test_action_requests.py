"""Requests of the dashboard, and what is said of their results."""

from __future__ import annotations

from typing import Any, cast

import pytest

from agtmux.client import Client
from agtmux.protocol.errors import AgtmuxError
from agtmux.top.action_requests import perform, request_for
from agtmux.transport import ConnectionLostError, NoDaemonError
from tests.unit.top.rows import row

HERE = "claude in host/work:1.0 %1"


class Answers:
    """Stands for the client: answers or raises what it was given, and keeps the request."""

    def __init__(self, answer: dict[str, Any] | AgtmuxError) -> None:
        self.answer = answer
        self.request: dict[str, Any] = {}

    def act(self, kind: str, request: dict[str, Any], timeout: float = 30.0) -> Answers:
        self.request = {"kind": kind, **request}
        if isinstance(self.answer, AgtmuxError):
            raise self.answer
        return self

    def json(self) -> dict[str, Any]:
        assert isinstance(self.answer, dict)
        return self.answer


def said(kind: str, answer: dict[str, Any] | AgtmuxError, **body: Any) -> tuple[bool, bool, str]:
    outcome = perform(cast(Client, Answers(answer)), request_for(kind, row("%1", "waiting_approval"), **body))
    return outcome.done, outcome.again, outcome.text


@pytest.mark.tc("TC-306")
@pytest.mark.parametrize(
    ("kind", "body", "answer", "text"),
    [
        ("approve", {}, {"result": {"delivery": "submitted"}}, f"approved: {HERE}"),
        ("deny", {}, {"result": {}}, f"denied: {HERE}"),
        ("ack", {}, {"result": {}}, f"marked as seen: {HERE}"),
        ("send", {"text": "x"}, {"result": {"delivery": "submitted"}}, f"submitted: prompt to {HERE}"),
        ("kill", {"mode": "key"}, {"result": {"ended": True}}, f"sent C-c to {HERE}, it ended"),
        ("kill", {"mode": "signal", "signal": "TERM"}, {"result": {}}, f"sent SIGTERM to {HERE}"),
        ("approve", {}, {"result": {"delivery": "unconfirmed", "keys": ["1"], "note": "look\x1b[2J"}},
         f"not confirmed: 1 went to {HERE}; look at it (look[2J)"),
        ("approve", {}, {"replayed": True}, f"approved: {HERE} (done earlier, nothing was done now)"),
    ],
)  # fmt: skip
def test_a_result_is_told_in_one_line(kind: str, body: dict[str, Any], answer: dict[str, Any], text: str) -> None:
    assert said(kind, answer, **body) == (True, False, text)


@pytest.mark.tc("TC-307")
def test_only_a_lost_answer_may_be_asked_for_again() -> None:
    """A refusal did nothing. An end that nobody knows is told as such."""
    assert said("approve", AgtmuxError("E_PRECONDITION_FAILED", "the prompt is another one"))[1:] == (
        False, "nothing was done: the prompt is another one",
    )  # fmt: skip
    assert said("approve", NoDaemonError("E_DAEMON_UNREACHABLE", "no daemon"))[1:] == (
        False, "nothing was done: no daemon",
    )  # fmt: skip
    assert said("approve", ConnectionLostError("E_DAEMON_UNREACHABLE", "it left"))[1:] == (
        True, "it may or may not have been done: it left",
    )  # fmt: skip
    assert said("approve", AgtmuxError("E_ACTION_INDETERMINATE", "who knows"))[1:] == (
        False, "it may or may not have been done: who knows",
    )  # fmt: skip


@pytest.mark.tc("TC-307")
def test_a_request_has_a_name_and_leaves_out_what_is_not_known() -> None:
    answers = Answers({"result": {}})
    perform(cast(Client, answers), request_for("ack", row("%1", runtime_id=None)))
    assert set(answers.request) == {"kind", "request_ref", "ref"}
    assert request_for("ack", row("%1")).request_ref != request_for("ack", row("%1")).request_ref
