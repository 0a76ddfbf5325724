"""The ref grammar."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core import ref
from agtmuxd.core.ref import PaneRef, RuntimeRef

TARGETS = st.from_regex(r"\A[A-Za-z0-9._-]{1,20}\Z")
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
IDS = st.integers(0, 10**9)


@pytest.mark.tc("TC-024")
@given(TARGETS, NAMES, IDS, IDS)
def test_any_session_name_round_trips_through_a_ref(target: str, session: str, window: int, pane: int) -> None:
    text = ref.format_pane(target, session, f"@{window}", f"%{pane}")
    assert text.isascii()
    assert ref.parse(text) == PaneRef(target, session, f"@{window}", f"%{pane}")


@pytest.mark.tc("TC-024")
@given(TARGETS, NAMES)
def test_any_session_name_round_trips_through_the_session_filter(target: str, session: str) -> None:
    assert ref.parse_session(ref.format_session(target, session)) == (target, session)


@pytest.mark.tc("TC-024")
@pytest.mark.parametrize(
    ("session", "encoded"),
    [("a/b", "a%2Fb"), ("100%", "100%25"), ("my work", "my%20work"), ("日本", "%E6%97%A5%E6%9C%AC"), ("%2F", "%252F")],
)
def test_the_encoding_of_a_session_name_is_the_known_one(session: str, encoded: str) -> None:
    assert ref.format_pane("host", session, "@1", "%2") == f"pane:host/{encoded}/@1/%2"


def test_a_runtime_ref_is_its_id_and_nothing_else() -> None:
    assert ref.parse("runtime:0123456789abcdef") == RuntimeRef("0123456789abcdef")
    assert ref.parse(ref.format_runtime("A.b_c:d-0123456789")) == RuntimeRef("A.b_c:d-0123456789")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "runtime:short",
        "runtime:" + "a" * 129,
        "runtime:0123456789abcde\n",
        "runtime:0123456789abcdé",
        "%12",
        "pane:host/work/@1",
        "pane:host/work/@1/%2/",
        "pane:host/a/b/@1/%2",
        "pane:ho st/work/@1/%2",
        "pane:/work/@1/%2",
        "pane:host//@1/%2",
        "pane:host/work/1/%2",
        "pane:host/work/@1/2",
        "pane:host/work/@١/%2",
        "pane:host/work/@1/%2\n",
        "Pane:host/work/@1/%2",
        "pane:" + "a" * 5000,
    ],
)
def test_what_is_not_of_the_grammar_is_invalid(text: str) -> None:
    with pytest.raises(AgtmuxError) as caught:
        ref.parse(text)
    assert caught.value.code == "E_REF_INVALID"


@pytest.mark.parametrize("session", ["100%", "%zz", "%4", "%FF", "%C3%28", "a b", "日本", "%ED%A0%80"])
def test_a_session_that_is_badly_encoded_says_so(session: str) -> None:
    with pytest.raises(AgtmuxError) as caught:
        ref.parse(f"pane:host/{session}/@1/%2")
    assert caught.value.code == "E_REF_INVALID_ENCODING"


@given(st.text(max_size=60))
def test_parse_says_a_ref_or_one_of_two_errors_and_nothing_else(text: str) -> None:
    try:
        parsed = ref.parse(text)
    except AgtmuxError as error:
        assert error.code in {"E_REF_INVALID", "E_REF_INVALID_ENCODING"}
    else:
        assert isinstance(parsed, RuntimeRef | PaneRef)
