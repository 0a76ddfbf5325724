"""The card: which strokes count, and what they send."""

from __future__ import annotations

from typing import Any

import pytest

from agtmux.top.action_requests import Outcome
from agtmux.top.card import HELD, READ, Card, card_lines
from agtmux.top.keys import DEFAULTS
from agtmux.top.lines import length, text_of
from tests.unit.top.rows import NOW, row

ASKS = {"kind": "approval", "subject": "Bash", "text": "rm -rf build\nDo you want to proceed?",
        "options": ["Yes", "Yes, and don't ask again", "No"], "fingerprint": "f1"}  # fmt: skip
LATER = READ + 0.01
"""A time at which the card could be read."""
DONE = Outcome(done=True, again=False, text="approved")


def waiting(**more: Any) -> Any:
    return row("%1", "waiting_approval", **{"waiting_for": ASKS, "state_version": 7, "runtime_id": "r" * 16, **more})


def sent(card: Card, name: str, at: float = LATER) -> dict[str, Any] | None:
    """What one stroke sends, once the key was let go."""
    card.stroke(name, at)
    request = card.due(at + HELD + 0.01)
    return None if request is None else {"kind": request.kind, **request.body}


@pytest.mark.tc("TC-307")
def test_a_stroke_on_a_card_decides_for_the_very_prompt_that_it_shows() -> None:
    """It names runtime, state version and fingerprint, as the command line does."""
    seen = {"if_runtime": "r" * 16, "if_state_version": 7, "if_fingerprint": "f1"}
    assert sent(Card("approve", waiting(), 0), "approve") == {"kind": "approve", **seen}
    assert sent(Card("approve", waiting(), 0), "enter") == {"kind": "approve", **seen}
    assert sent(Card("approve", waiting(), 0), "deny") == {"kind": "deny", **seen}
    assert sent(Card("deny", waiting(), 0), "enter") == {"kind": "deny", **seen}
    assert sent(Card("approve", waiting(), 0), "2") == {"kind": "answer", "option": 2, **seen}


@pytest.mark.tc("TC-307")
def test_a_stroke_that_comes_before_the_card_can_be_read_does_not_count() -> None:
    card = Card("approve", waiting(), 0)
    assert sent(card, "approve", 0.05) is None
    assert "too soon" in card.note
    assert sent(card, "approve", LATER) is not None


@pytest.mark.tc("TC-307")
def test_a_key_that_is_held_down_never_decides() -> None:
    """Its repeats come faster than a person strikes, however long it is held."""
    card = Card("approve", waiting(), 0)
    at = 0.0
    while at < 10:
        at += 0.033
        card.stroke("approve", at)
        assert card.due(at + 0.032) is None
    assert "held down" in card.note
    assert card.due(at + 5) is None
    assert sent(card, "approve", at + 5) is not None


@pytest.mark.tc("TC-307")
def test_the_first_repeat_of_a_held_key_is_taken_back_by_the_second() -> None:
    """Also where the repeats begin long after the card could be read."""
    card = Card("approve", waiting(), 0)
    card.stroke("approve", 0.6)
    assert card.due(0.6 + HELD / 2) is None
    card.stroke("approve", 0.6 + HELD / 2)
    assert card.due(5) is None


@pytest.mark.tc("TC-307")
def test_a_card_sends_once() -> None:
    """While a result is awaited, and after it, no stroke counts."""
    card = Card("approve", waiting(), 0)
    assert sent(card, "approve") is not None
    assert card.state == "sent"
    assert sent(card, "approve", 2) is None
    card.finish(DONE)
    assert card.state == "done"
    assert sent(card, "deny", 3) is None


@pytest.mark.tc("TC-307")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"waiting_for": {**ASKS, "fingerprint": "f2"}}, "the prompt changed: nothing was done"),
        ({"waiting_for": None}, "the prompt changed"),
        ({"state_version": 8}, "the prompt changed"),
        ({"runtime_id": "s" * 16}, "the agent has ended"),
        (None, "the agent has ended"),
    ],
)
def test_a_card_whose_prompt_changed_says_so_and_does_nothing(change: dict[str, Any] | None, says: str) -> None:
    """Also a stroke that was not sent yet is taken back."""
    card = Card("approve", waiting(), 0)
    card.stroke("approve", LATER)
    assert card.look(None if change is None else waiting(**change), LATER + 0.01)
    assert card.due(LATER + HELD + 0.01) is None
    assert sent(card, "approve", 5) is None
    assert sent(card, "1", 6) is None
    assert card.state == "stale"
    assert says in card.note


@pytest.mark.tc("TC-307")
def test_what_does_not_touch_the_prompt_leaves_the_card_alone() -> None:
    card = Card("approve", waiting(), 0)
    assert not card.look(waiting(title="another title"), 1)
    assert sent(card, "approve", 2) is not None


@pytest.mark.tc("TC-307")
def test_a_prompt_that_is_not_on_the_screen_yet_cannot_be_decided() -> None:
    """Once it is, the card shows it, and must be read again."""
    hooked = waiting(waiting_for={**ASKS, "fingerprint": None})
    card = Card("approve", hooked, 0)
    assert sent(card, "approve", 1) is None
    assert "not on the agent's screen yet" in card.note
    assert card.look(waiting(state_version=9), 2)
    assert sent(card, "approve", 2.1) is None
    body = sent(card, "approve", 3)
    assert body is not None
    assert body["if_state_version"] == 9


@pytest.mark.tc("TC-307")
def test_an_answer_that_was_lost_is_asked_for_under_the_same_name() -> None:
    """The daemon never does one request twice. A change in between says that it may have been done."""
    card = Card("approve", waiting(), 0)
    card.stroke("approve", LATER)
    first = card.due(LATER + HELD + 0.01)
    assert first is not None
    card.finish(Outcome(done=False, again=True, text="it may or may not have been done"))
    card.stroke("approve", 5)
    second = card.due(5 + HELD + 0.01)
    assert second is not None
    assert second.request_ref == first.request_ref
    card.finish(Outcome(done=False, again=True, text="lost"))
    card.look(waiting(state_version=8), 9)
    assert card.note == "the prompt changed: the request may have been done"


@pytest.mark.tc("TC-307")
def test_a_refusal_ends_the_card() -> None:
    card = Card("approve", waiting(), 0)
    sent(card, "approve")
    card.finish(Outcome(done=False, again=False, text="nothing was done: answered"))
    assert (card.state, card.note) == ("stale", "nothing was done: answered")


@pytest.mark.tc("TC-307")
def test_answers_are_numbers_of_options_or_words() -> None:
    """A number that is no option is refused; without options it is a text like any other."""
    card = Card("answer", row("%1", "waiting_input", waiting_for=ASKS), 0)
    assert card.submit("7") is None
    assert card.note == "there is no option 7"
    assert card.submit("  ") is None
    request = card.submit(" 2 ")
    assert request is not None
    assert request.body["option"] == 2
    free = Card("answer", row("%1", "waiting_input", waiting_for={**ASKS, "options": []}), 0).submit("7")
    assert free is not None
    assert free.body["text"] == "7"
    hooked = Card("answer", row("%1", "waiting_input", waiting_for={**ASKS, "fingerprint": None}), 0)
    assert hooked.submit("yes") is None


@pytest.mark.tc("TC-307")
def test_interrupting_is_bound_to_the_state_that_was_seen() -> None:
    """The key that ends a turn would deny a request that came in between."""
    card = Card("interrupt", row("%1", "running"), 0)
    assert sent(card, "interrupt") == {"kind": "interrupt", "if_runtime": "r" * 16, "if_state": ["running"]}
    late = Card("interrupt", row("%1", "running"), 0)
    late.look(waiting(), 1)
    assert late.state == "stale"
    assert "is waiting_approval now" in late.note


@pytest.mark.tc("TC-307")
def test_killing_names_the_process_and_the_signal() -> None:
    card = Card("kill", row("%1", pid=4711), 0)
    text = "\n".join(text_of(card_lines(card, DEFAULTS, NOW, 70, 20)))
    assert "process 4711 (claude)" in text
    assert sent(card, "kill") == {"kind": "kill", "if_runtime": "r" * 16, "mode": "key", "signal": "INT"}
    hard = Card("kill", row("%1"), 0)
    assert sent(hard, "3") == {"kind": "kill", "if_runtime": "r" * 16, "mode": "signal", "signal": "KILL"}
    assert sent(Card("kill", row("%1", pid=None), 0), "4") is None


@pytest.mark.tc("TC-307")
@pytest.mark.parametrize("verb", ["approve", "deny", "answer", "interrupt"])
def test_a_row_with_nothing_to_decide_opens_no_card_that_acts(verb: str) -> None:
    card = Card(verb, row("%1", "idle"), 0)
    assert card.state == "stale"
    assert f"nothing to {verb}: claude in host/work:1.0 %1 is idle" in card.note
    assert sent(card, verb, 5) is None


@pytest.mark.tc("TC-307")
def test_a_card_shows_all_that_is_decided() -> None:
    """Request, place, folder, age, what grants more than once, and the keys that count now; at any size."""
    one = waiting(cwd="/src/shop", project="shop")
    text = text_of(card_lines(Card("approve", one, 0, number=1, of=3), DEFAULTS, NOW, 70, 20))
    assert text == [
        "Approve?  1 of 3",
        "claude in host/work:1.0 %1, for 1h00m",
        "shop /src/shop",
        "",
        "Bash",
        "rm -rf build",
        "Do you want to proceed?",
        " 1 Yes",
        " 2 Yes, and don't ask again  (also later ones)",
        " 3 No",
        "",
        "",
        "",
        "a ⏎ approve  d deny  1-3 choose  Esc next",
    ]
    early = text_of(card_lines(Card("approve", one, 0), DEFAULTS, NOW, 70, 20, is_new=True))
    assert early[-1] == "read it first  Esc close"
    for room, most in ((30, 10), (20, 8), (100, 40)):
        made = card_lines(Card("approve", one, 0), DEFAULTS, NOW, room, most)
        assert len(made) <= max(most, 9)
        assert "approve" in text_of(made)[-1]
        assert all(length(spans) <= room + 30 for spans in made)
