"""What is left on Cline's screen tells a turn that was broken off from one that ended."""

from __future__ import annotations

import pytest

from agtmuxd.adapters.shared import shipped_rules
from agtmuxd.core.model import Claim, Sample

BAR = " " * 97 + "█"
RULE = "─" * 100


def shown(*above: str, field: tuple[str, ...] = ("❯ Ask anything...",)) -> Sample:
    rows = (*above, "", RULE, *field, RULE, " fake (1,000) $0.00", " proj")
    return Sample(rows, "go", True, False, 0, 0, 100, 30)


@pytest.mark.tc("TC-241")
@pytest.mark.parametrize(
    ("left", "claim"),
    [
        ((" ❯ go",), Claim.IDLE),
        ((" ❯ go", "   and a second line"), Claim.IDLE),
        ((" ❯ go", "", " * run_commands(sleep 40)", "   ⎿"), Claim.IDLE),
        ((" ❯ go", BAR, " * run_commands(sleep 40)", "   ⎿" + BAR[4:], BAR), Claim.IDLE),
        ((" ❯ go", "", " * run_commands(ls)", "   ⎿ a.txt"), Claim.COMPLETED),
        ((" ❯ go", "", " * run_commands(ls)", "   ⎿", "", " * There is nothing here."), Claim.COMPLETED),
        ((" ❯ go", "", " * The answer.", "   Its second row."), Claim.COMPLETED),
        ((" ❯ go", "", " ! words of another kind"), Claim.COMPLETED),
    ],
)
def test_a_turn_without_an_answer_or_a_tool_without_a_result_was_interrupted(
    left: tuple[str, ...], claim: Claim
) -> None:
    """Also where the conversation has a scroll bar."""
    write = shipped_rules("cline").look(shown(" ❯ before", "", " * Done.", "", *left), Claim.RUNNING)
    assert write is not None
    assert write.claim is claim


@pytest.mark.tc("TC-242")
@pytest.mark.parametrize(
    "field",
    [
        ("❯ [hello word0 word1... Pasted +30 lines]",),
        ("❯ [hello word0 word1... Pasted +500", "  lines]"),
    ],
)
def test_a_paste_of_several_lines_is_known_by_what_stands_for_it(field: tuple[str, ...]) -> None:
    """Its first words and how many lines more."""
    controls = shipped_rules("cline").controls()
    assert controls.chips(shown(" ❯ before", " * Done.")) == 0
    assert controls.chips(shown(" ❯ before", " * Done.", field=field)) == 1


HEADING = (
    " " * 40 + "What can I do for you?",
    "",
    " " * 20 + "Use / for slash commands, @ for file mentions, Ctrl+P for menu",
)
WRAPPED = (
    " " * 19 + "What can I do for you?",
    "",
    " Use / for slash commands, @ for file mentions, Ctrl+P for",
    " menu",
)


@pytest.mark.tc("TC-588")
@pytest.mark.parametrize(
    ("above", "field", "claim"),
    [
        (HEADING, "❯ What can I do for you?", Claim.IDLE),
        (HEADING, "❯ hello", Claim.IDLE),
        (WRAPPED, "❯ What can I do for you?", Claim.IDLE),
        ((" ❯ go", "", " * What can I do for you?"), "❯ Ask anything...", Claim.COMPLETED),
        ((" ❯ go", "", *HEADING, "", " * Done."), "❯ Ask anything...", Claim.COMPLETED),
    ],
)
def test_the_page_of_a_new_session_is_idle(above: tuple[str, ...], field: str, claim: Claim) -> None:
    """A conversation that was cleared is over, whatever it had come to; its words in an answer are no page."""
    write = shipped_rules("cline").look(shown(*above, field=(field,)), Claim.COMPLETED)
    assert write is not None
    assert write.claim is claim
