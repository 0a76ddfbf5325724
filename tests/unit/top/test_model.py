"""The dashboard's rows, made from those of the API."""

from __future__ import annotations

import pytest

from agtmux.render import STATES
from agtmux.top.model import GLYPHS, Row, View, age, counts, row_of, seconds, targets_of, word
from tests.unit.daemon_stub import STAMP, pane
from tests.unit.top.rows import item, row

ASKS = {"kind": "approval", "subject": "Bash", "text": "rm -rf build\nDo you want to proceed?",
        "options": ["Yes", "Yes, and don't ask again for rm", "No"], "fingerprint": "f1"}  # fmt: skip


@pytest.mark.tc("TC-302")
def test_each_state_has_a_shape_of_its_own() -> None:
    """Seven states, seven glyphs of one cell: colour is never the only difference."""
    assert set(GLYPHS) == set(STATES)
    assert len(set(GLYPHS.values())) == len(STATES)
    assert len({word(state) for state in STATES}) == len(STATES)
    assert max(len(word(state)) for state in STATES) <= 9


@pytest.mark.tc("TC-302")
def test_a_row_says_first_what_the_agent_asks() -> None:
    assert row("%1", "waiting_approval", waiting_for=ASKS).what == "Bash: rm -rf build Do you want to proceed?"
    assert row("%1", "error", detail="429 too many", task="fix it").what == "429 too many: fix it"
    assert row("%1", "running", task="fix it", message="done").what == "fix it"
    assert row("%1", "completed", task="fix it", message="All tests pass").what == "All tests pass"
    assert row("%1", "idle", task=None, message=None, title="").what == ""


@pytest.mark.tc("TC-307")
def test_options_that_grant_more_than_once_are_known() -> None:
    """The card says so beside them."""
    request = row("%1", "waiting_approval", waiting_for=ASKS).request
    assert request is not None
    assert request.lasting == (2,)
    assert request.fingerprint == "f1"


@pytest.mark.tc("TC-302")
def test_a_pane_without_an_agent_is_no_row() -> None:
    assert row_of(pane(state=None)) is None
    assert row_of({}) is None


@pytest.mark.tc("TC-303")
def test_fields_that_have_another_type_do_no_harm() -> None:
    """A newer daemon may send what this program does not know."""
    odd = item("%1", "running", pid="7", state_version=None, waiting_for="?", background_tasks=True, since=5, cwd=3)
    made = row_of(odd)
    assert isinstance(made, Row)
    assert (made.pid, made.state_version, made.request, made.background, made.since) == (None, None, None, 0, None)
    made = row("%1", title="\x1b]0;x\x07\u202eevil", task=None)
    assert made.title == "]0;xevil"


@pytest.mark.tc("TC-302")
def test_ages_have_one_or_two_units() -> None:
    stamp = seconds(STAMP)
    assert stamp == 1_767_225_600.0
    texts = [age(0, past) for past in (0, 59, 60, 3599, 3600, 3900, 36_000, 86_399, 86_400, 9e9)]
    assert texts == ["0s", "59s", "1m", "59m", "1h00m", "1h05m", "10h00", "23h59", "1d", "9999d"]
    assert (age(None, 5), age(10, 5)) == ("", "0s")
    assert seconds("soon") is None
    assert seconds("2026-13-01T00:00:00Z") is None


@pytest.mark.tc("TC-302")
def test_rows_are_counted_by_state_and_by_what_they_want() -> None:
    rows = [row("%1", "error"), row("%2", "completed", attention="review"), row("%3")]
    assert counts(rows) == {"needs": 1, "review": 1, "error": 1, "completed": 1, "running": 1}


@pytest.mark.tc("TC-302")
def test_a_place_names_its_target_only_where_there_are_several() -> None:
    one = View({r.key: r for r in [row("%1")]})
    assert not one.many_targets
    two = View({r.key: r for r in [row("%1"), row("%1", target="gpu")]})
    assert two.many_targets
    result = targets_of({"items": [{"target": "gpu", "health": "down", "reason": "refused", "last_seen_at": STAMP}]})
    assert (result[0].name, result[0].health, result[0].seen) == ("gpu", "down", 1_767_225_600.0)
