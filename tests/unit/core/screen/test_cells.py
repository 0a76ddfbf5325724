"""A text is the same however a terminal draws it."""

from __future__ import annotations

import pytest

from agtmuxd.core.screen.cells import fold, from_column
from tests.unit.core.screen.test_field_mode import CONTROLS, screen

SAME = {
    "composed": ("résumé", "re\u0301sume\u0301"),
    "hangul": ("한글", "\u1112\u1161\u11ab\u1100\u1173\u11af"),
    "no-break space": ("one two", "one\u00a0two"),
    "full width": ("ＡＢＣ１２３", "ＡＢＣ１２３"),
    "joined emoji": ("👩 👩", "\U0001f469\u200d \U0001f469\ufe0f"),
    "tab": ("a   b", "a\tb"),
    "ligature": ("ﬁle", "file"),
    "blanks behind": ("hello", "hello   "),
    "hebrew": ("שלום עולם", "שלום עולם"),
    "vowel points": ("שָׁלוֹם", "שָׁלוֹם"),
}


@pytest.mark.tc("TC-172")
@pytest.mark.parametrize("name", SAME)
def test_a_text_is_known_again_however_it_is_drawn(name: str) -> None:
    drawn, sent = SAME[name]
    assert CONTROLS.holds(screen("❯ " + drawn, x=2 + len(drawn)), sent)
    assert not CONTROLS.holds(screen("❯ " + drawn, x=2 + len(drawn)), sent + " more")


@pytest.mark.tc("TC-172")
def test_other_words_are_other_words() -> None:
    for drawn, sent in (("resume", "resumed"), ("한", "글"), ("日", "本"), ("👩", "👨")):
        assert not CONTROLS.holds(screen("❯ " + drawn, x=4), sent)
    assert fold("plain text?") == "plain text?"
    assert from_column("日a\u0301b", 2) == "a\u0301b"
    assert from_column("日a\u0301b", 3) == "b"
    assert from_column("ab", 9) == ""
