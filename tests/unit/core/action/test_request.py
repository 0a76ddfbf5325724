"""A request: its digest, its nonce, and what is kept of its text."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtmuxd.core.action.request import (
    Guards,
    KillParams,
    Kind,
    Request,
    SendParams,
    Snapshot,
    preview,
    read_nonce,
)
from agtmuxd.core.model import NS
from tests.unit.core.action.test_guard import NOW, RUNTIME, case, reason

KEY = b"k" * 32


@pytest.mark.tc("TC-563")
def test_the_digest_of_a_request_is_the_same_as_before_it_could_remove_texts() -> None:
    request = Request(Kind.SEND, "request-1", "pane:host/s/@1/%1", Guards(), SendParams(text="hi", enter=True))
    assert request.digest(KEY) == "4a9ff424f630550d3be27cc969abb41cb55340a8535114a543e43d1fb5ac695b"
    assert Request(Kind.SEND, "request-1", request.ref, Guards(), SendParams(clear_own_draft=True)).digest(
        KEY
    ) != Request(Kind.SEND, "request-1", request.ref, Guards(), SendParams()).digest(KEY)


@pytest.mark.tc("TC-022")
def test_a_nonce_stands_for_one_pane_runtime_and_version() -> None:
    made = Snapshot("host", "%1", RUNTIME, 7, NOW)
    nonce = made.nonce(KEY)
    assert read_nonce(nonce, KEY, "host", "%1", RUNTIME) == made
    for other in (("host", "%2", RUNTIME), ("other", "%1", RUNTIME), ("host", "%1", None)):
        assert read_nonce(nonce, KEY, *other) is None
    assert read_nonce(nonce, b"x" * 32, "host", "%1", RUNTIME) is None
    assert read_nonce(nonce.replace(".7.", ".8."), KEY, "host", "%1", RUNTIME) is None
    for junk in ("", "a.b.c", "1.2", "1.2.3.4", "-1.2.3", "1.-.x"):
        assert read_nonce(junk, KEY, "host", "%1", RUNTIME) is None
    shown = replace(case(Kind.ATTACH, KillParams()), snapshot=replace(made, observed_at=NOW - 31 * NS))
    assert reason(shown) == "expired"
    assert reason(replace(shown, snapshot=replace(made, state_version=6))) == "state_version"


@pytest.mark.tc("TC-031")
@given(st.text(min_size=1))
def test_nothing_that_is_kept_of_a_text_gives_it_away(text: str) -> None:
    assert set(preview(text)) <= set("x9 .…")
    request = Request(Kind.SEND, "request-1", "r", Guards(snapshot="1.7.nonce"), SendParams(text=text))
    assert request.to_record(KEY)["guards"] == {}, "nor what a nonce lets its holder do"
    message = request.to_record(KEY)["params"]["text"]
    assert (message["characters"], message["preview"]) == (len(text), preview(text))
    assert message.keys() == {"characters", "digest", "drawn_digest", "preview"}
    for name in ("digest", "drawn_digest"):
        assert message[name] != request.to_record(b"another")["params"]["text"][name]


@pytest.mark.tc("TC-026")
def test_a_digest_names_the_payload_and_not_the_request() -> None:
    one = Request(Kind.SEND, "request-1", "r", Guards(), SendParams(text="a"))
    assert one.digest(KEY) == replace(one, request_ref="request-2").digest(KEY)
    for other in (replace(one, ref="s"), replace(one, kind=Kind.KILL), replace(one, guards=Guards(force_stale=True)),
                  replace(one, params=SendParams(text="a", enter=True))):  # fmt: skip
        assert one.digest(KEY) != other.digest(KEY)
