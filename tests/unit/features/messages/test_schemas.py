"""What a request may say."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from agtmuxd.features.messages.schemas import DeliveriesQuery, MessageBody, MessagesQuery, SendBody

BASE = {"request_ref": "ref-00000001", "body": "x"}


@pytest.mark.tc("TC-674")
@pytest.mark.parametrize(
    "wrong",
    [
        {}, {"to": []}, {"to": ["a"], "channel": "c"}, {"to": [""]}, {"to": ["a"] * 33},
        {"to": ["a"], "kind": "prompt"},
        {"to": ["a"], "priority": "interrupt"}, {"to": ["a"], "refs": [{"line": 3}]}, {"to": ["a"], "sender": "boss"},
        {"to": ["a"], "request_ref": "x"}, {"to": "*"},
    ],
)  # fmt: skip
def test_recipients_are_explicit_and_nobody_names_the_sender(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SendBody.model_validate({**BASE, **wrong})


@pytest.mark.tc("TC-674")
def test_a_request_becomes_a_new_message() -> None:
    body = SendBody.model_validate({**BASE, "to": ["a"], "kind": "task", "refs": [{"path": "a.py", "line": 3}]})
    new = body.new(to=body.to, channel=body.channel)
    assert (new.to, new.channel, new.kind, new.refs) == (("a",), None, "task", ({"path": "a.py", "line": 3},))
    assert MessageBody.model_validate(BASE).new(parent="7").parent == "7"


@pytest.mark.tc("TC-674")
def test_queries_take_the_names_of_the_contract() -> None:
    query = MessagesQuery.model_validate({"from": "a", "unread": "true", "q": "x"})
    assert (query.from_, query.filter().unread, query.filter().text) == ("a", True, "x")
    states = DeliveriesQuery.model_validate({"state": ["dead,expired", "held"]}).state
    assert [str(state) for state in states] == ["dead", "expired", "held"]
