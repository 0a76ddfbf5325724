"""What a message is, how large it may be, and how far it has come."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.features.messages.model import (
    BAND,
    BANDS,
    LOST,
    MOST_BODY,
    MOST_HOPS,
    NS,
    PREVIEW,
    TTL,
    DeliveryRoute,
    DeliveryState,
    Kind,
    Message,
    Priority,
    check_size,
    digest,
    expiry,
    is_answer,
    next_hop,
    preview,
    quoted,
    reached,
    route_of,
)

S = DeliveryState


def message(name: str = "m1", **more: object) -> Message:
    made = Message(name, "a1", "agent:a", Kind.NOTE, Priority.NORMAL, "subject", "body", "m1", "ref-0001", "d", 5 * NS)
    return replace(made, **more)  # type: ignore[arg-type]


@pytest.mark.tc("TC-660")
@pytest.mark.parametrize(
    ("subject", "body", "field"), [("x" * 201, "", "subject"), ("", "ä" * (MOST_BODY // 2 + 1), "body")]
)
def test_what_is_too_long_is_refused_with_the_limit(subject: str, body: str, field: str) -> None:
    with pytest.raises(AgtmuxError) as caught:
        check_size(subject, body)
    assert caught.value.code == "E_PAYLOAD_TOO_LARGE"
    assert caught.value.details == {"field": field, "cap": {"subject": 200, "body": 65_536}[field]}
    check_size("x" * 200, "ä" * (MOST_BODY // 2))


@pytest.mark.tc("TC-661")
def test_agents_reply_to_each_other_eight_times_and_then_a_person_must() -> None:
    one = message()
    for hop in range(1, MOST_HOPS + 1):
        one = replace(one, hop=next_hop(one, by_agent=True))
        assert one.hop == hop
    with pytest.raises(AgtmuxError, match="only a person may reply now"):
        next_hop(one, by_agent=True)
    assert next_hop(one, by_agent=False) == 0


@pytest.mark.tc("TC-662")
def test_only_a_person_or_the_team_lets_a_message_be_typed() -> None:
    pane, pull = DeliveryRoute.PANE, DeliveryRoute.PULL
    assert route_of(by_person=True, deliver=None) is pane
    assert route_of(by_person=False, deliver=None) is pull
    assert route_of(by_person=False, deliver="pane") is pane
    assert route_of(by_person=True, deliver="pane", notify="pull") is pull
    assert route_of(by_person=False, deliver=None, notify="pane") is pull, "an agent cannot open its pane to others"


@pytest.mark.tc("TC-663")
def test_an_answer_is_found_by_the_id_of_its_question_and_nothing_else() -> None:
    question = message("q", kind=Kind.QUESTION)
    answer = message("r", kind=Kind.ANSWER, parent_id="q", sender_agent_id="a2")
    assert is_answer(question, answer)
    assert not is_answer(question, replace(answer, parent_id="q2", subject=question.subject))
    assert not is_answer(question, replace(answer, kind=Kind.NOTE))
    assert not is_answer(question, replace(answer, sender_agent_id="a1")), "from the one who asks"
    assert not is_answer(question, replace(answer, cancelled_at=1))
    assert is_answer(message("q"), replace(answer, kind=Kind.STATUS)), "any reply to a note"


@pytest.mark.tc("TC-664")
def test_a_receipt_counts_when_all_have_given_it_and_never_comes_when_one_is_lost() -> None:
    assert reached([S.ACKED, S.ACKED], "acked") is True
    assert reached([S.ACKED, S.READ], "acked") is False
    assert reached([S.ACKED, S.READ], "read") is True
    assert reached([S.SUBMITTED_UNCONFIRMED], "delivered") is False
    for lost in LOST:
        assert reached([S.ACKED, lost], "acked") is None


@pytest.mark.tc("TC-665")
def test_urgent_messages_expire_sooner_and_none_before_its_answer_is_due() -> None:
    assert expiry(Priority.URGENT, 0, None) == 2 * 3600 * NS
    assert expiry(Priority.NORMAL, 0, None) == TTL[Priority.LOW] == 24 * 3600 * NS
    assert expiry(Priority.URGENT, 0, 86_400 * NS) == 86_400 * NS
    assert BANDS[Priority.URGENT] + BAND <= BANDS[Priority.NORMAL] and BANDS[Priority.NORMAL] + BAND <= BANDS["low"]  # type: ignore[index]


@pytest.mark.tc("TC-666")
@given(st.text(max_size=80))
def test_no_text_of_a_search_is_a_syntax_error(text: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE f USING fts5 (body)")
    query = quoted(text)
    if query:
        connection.execute("SELECT rowid FROM f WHERE f MATCH ?", (query,)).fetchall()
    connection.close()


@pytest.mark.tc("TC-666")
@pytest.mark.parametrize("text", ["a AND", "NEAR(", '"', "subject:x", "a*b -c ^d (e", "{x} : y", "*"])
def test_signs_of_the_query_language_are_only_text(text: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE f USING fts5 (subject, body)")
    connection.execute("SELECT rowid FROM f WHERE f MATCH ?", (quoted(text),)).fetchall()
    connection.close()


@pytest.mark.tc("TC-667")
def test_lists_show_the_beginning_of_a_body_and_the_stream_shows_no_text() -> None:
    one = message(body="first\x1b[31m line\nsecond " + "x" * 500)
    assert preview(one.body).startswith("first[31m line second x") and len(preview(one.body)) == PREVIEW
    assert one.item(body=False)["body"] is None
    assert one.item(body=True)["body"] == one.body
    assert not {"subject", "body", "preview", "refs"} & one.change().keys()


@pytest.mark.tc("TC-668")
def test_the_digest_of_a_request_leaves_out_its_name() -> None:
    assert digest("send", {"body": "x", "request_ref": "a"}) == digest("send", {"request_ref": "b", "body": "x"})
    assert digest("send", {"body": "x"}) != digest("send", {"body": "y"})
    assert digest("send", {"body": "x"}) != digest("reply", {"body": "x"})
