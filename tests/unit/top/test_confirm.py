"""The card that asks for a second stroke."""

from __future__ import annotations

import pytest

from agtmux.top import lines
from agtmux.top.action_requests import Outcome
from agtmux.top.card import HELD, READ
from agtmux.top.confirm import Confirm, confirm_lines
from agtmux.top.keys import DEFAULTS


def card() -> Confirm:
    return Confirm("Drop the delivery to tester?", [((f"line {n}", ""),) for n in range(30)], "kill", "drop it", 0.0)


@pytest.mark.tc("TC-902")
def test_a_stroke_counts_once_after_the_card_could_be_read_and_the_key_was_let_go() -> None:
    one = card()
    one.stroke("kill", READ / 2)
    assert not one.due(READ / 2 + HELD) and "too soon" in one.note
    one.stroke("approve", 2.0)
    assert not one.due(3.0)
    one.stroke("kill", 4.0)
    one.stroke("kill", 4.0 + HELD / 2)
    assert not one.due(5.0) and "held down" in one.note
    one.stroke("enter", 6.0)
    assert not one.due(6.0 + HELD / 2)
    assert one.due(6.0 + HELD) and not one.due(7.0)
    one.stroke("kill", 8.0)
    assert not one.due(9.0)


@pytest.mark.tc("TC-902")
@pytest.mark.parametrize(
    ("outcome", "state"),
    [(Outcome(True, False, "ok"), "done"), (Outcome(False, False, "no"), "stale"), (Outcome(False, True, "?"), "open")],
)
def test_only_an_unknown_result_may_be_asked_for_again(outcome: Outcome, state: str) -> None:
    one = card()
    one.stroke("kill", 2.0)
    assert one.due(3.0)
    one.finish(outcome)
    one.stroke("kill", 10.0)
    assert (one.state, one.due(11.0)) == (state, state == "open")


@pytest.mark.tc("TC-902")
def test_the_card_fits_and_says_how_much_it_leaves_out() -> None:
    shown = lines.text_of(confirm_lines(card(), DEFAULTS, 5.0, 76, 14))
    assert len(shown) <= 14
    assert any("more lines" in text for text in shown)
    assert shown[-1].startswith("x ⏎ drop it") and shown[-1].endswith("Esc close")


@pytest.mark.tc("TC-902")
def test_a_long_text_is_wrapped_to_the_card_so_that_all_of_it_is_seen() -> None:
    text = " ".join(f"word{n}" for n in range(12))
    one = Confirm("Message to builder (claude) in host/work:1.0 %1", [((text, "what"),), ()], "compose", "send", 0.0)
    shown = lines.text_of(confirm_lines(one, DEFAULTS, 5.0, 34, 16))
    assert all(len(line) <= 34 for line in shown)
    assert " ".join(shown).count("word") == 12
