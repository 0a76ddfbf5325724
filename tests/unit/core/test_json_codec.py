"""JSON that somebody else wrote is taken such that it can be kept and told on, or refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agtmuxd.core import json_codec

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda x: st.lists(x, max_size=4) | st.dictionaries(st.text(st.characters(), max_size=4), x, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(value=JSON)
def test_what_is_taken_can_be_written_again_and_is_what_was_said(value: Any) -> None:
    text = json.dumps(value)
    try:
        taken = json_codec.decode(text.encode())
    except ValueError:
        assert "NaN" in text or "Infinity" in text
        return
    assert json_codec.decode(json_codec.encode(taken)) == taken
    assert json.dumps(taken, ensure_ascii=False).encode()
    if "\\ud" not in text:
        assert taken == value


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"[" * 200_000, "too deeply"),
        (b"[" * 65 + b"]" * 65, "too deeply"),
        (b'{"a":' * 65 + b"{}" + b"}" * 65, "too deeply"),
        (b'{"a":1e999}', "1e999 is not JSON"),
        (b'{"a":NaN}', "NaN is not JSON"),
        (b'{"a":' + b"9" * 5000 + b"}", "digits"),
        (b"", "Expecting value"),
    ],
)
def test_what_could_not_be_kept_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        json_codec.decode(data)


def test_text_that_was_cut_in_a_character_stays_text() -> None:
    assert json_codec.decode(b'{"a\\ud83d":["\\uDC00", "\\ud83d\\ude00", "\xff", 1.5]}') == {
        "a\ufffd": ["\ufffd", "\U0001f600", "\ufffd", 1.5]
    }
    assert json_codec.decode(b"[" * 64 + b"]" * 64)
