"""What the way a text is drawn tells: a placeholder from a draft, and which option a dialog's keys act on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.adapters.contract import Identity
from agtmuxd.core.model import NS, Claim, Proc, Sample, Write
from agtmuxd.core.screen.controls import Controls
from agtmuxd.core.screen.rule_file import RuleFileError, load
from agtmuxd.core.screen.style import read
from agtmuxd.targets.agent import Agent
from agtmuxd.targets.roster import Roster
from agtmuxd.tmux.round import lines
from agtmuxd.tmux.sgr import parse
from tests.rig import pane_row

LINE = "─" * 20

RULES = """
format = 1
agent = "toy"
[composer]
prompt = '^❯(?: (.*))?$'
above = '^─{8,}'
below = '^─{8,}'
hints = '^Type a message'
%s
[[rule]]
name = "free"
claim = "not_running"
strength = "hint"
composer = "visible"
"""


def screen(*rows: str, cursor: tuple[int, int] = (2, 1), styled: bool = True) -> Sample:
    text, styles = parse("\n".join(rows))
    return Sample(lines(text), "t", False, True, *cursor, 80, 24, styles if styled else None)


DIM = 'hint_style = "dim"'


class _Toy:
    """An adapter by rules that may be changed."""

    def __init__(self, key: str) -> None:
        self.rules = load(RULES % key, "toy.toml", "toy")

    def look(self, sample: Sample, before: Claim | None) -> Write | None:
        return self.rules.look(sample, before)

    def controls(self) -> Controls:
        return self.rules.controls()


@pytest.mark.tc("TC-107")
async def test_styles_are_not_read_any_more_once_rules_that_are_taken_anew_ask_for_none() -> None:
    nothing: Any = None
    toy: Any = _Toy(DIM)
    roster = Roster(nothing, nothing, lambda *_: {}, status_files=lambda _: False)
    proc = Proc(7, 1, 7, 7, 1, "S", "99", "toy", ("toy",))
    roster.agents["%1"] = Agent("%1", toy, Identity("toy"), proc, 0, None, Path("/"), {})
    row = pane_row("%1", cursor_x=2, cursor_y=1)
    shown = {"%1": f"{LINE}\n❯ Type a message\n{LINE}\n"}
    await roster.look({"%1": row}, shown, NS)
    assert roster.styled() == {"%1"}
    toy.rules = load(RULES % "", "toy.toml", "toy")
    roster.forget_looks()
    await roster.look({"%1": row}, dict(shown), 2 * NS)
    assert roster.styled() == frozenset()


STYLED = """
format = 1
agent = "toy"
[[rule]]
name = "chosen"
claim = "waiting_input"
strength = "hint"
all = [{ contains = "Which way" }, { row = '^ *(Left|Right)', style = "reverse" }]
waiting = { kind = "question" }
"""


def test_a_rule_that_asks_how_a_row_is_drawn_holds_only_where_that_is_known() -> None:
    rules = load(STYLED, "toy.toml", "toy")

    def says(*rows: str, styled: bool = True) -> str | None:
        write = rules.look(screen(*rows, styled=styled), None)
        return None if write is None else write.rule

    assert says("Which way?", "  Left", "  \x1b[7mRight\x1b[0m") == "chosen"
    assert says("Which way?", "  Left", "  \x1b[1mRight\x1b[0m") is None
    assert says("Which way?", "  \x1b[7mRi\x1b[0mght") is None
    assert says("Which way?", "  Left", "  \x1b[7mRight\x1b[0m", styled=False) is None
    controls = rules.controls()
    assert controls.styled
    assert controls.asks_style(screen("Which way?", "  Left", styled=False))
    assert not controls.asks_style(screen("Nothing to choose", styled=False))


@pytest.mark.parametrize(
    ("region", "row", "holds"),
    [
        ('"screen"', 0, True),
        ('"tail:2"', 5, True),
        ('"tail:2"', 3, False),
        ('"footer"', 5, True),
        ('"footer"', 3, False),
        ('"composer"', 3, True),
        ('"composer"', 1, False),
        ('"above:1"', 1, True),
        ('"above:1"', 0, False),
        ("{ from = '^mark 1' }", 1, True),
        ("{ from = '^mark 1' }", 0, False),
        ("{ from = '^absent' }", 0, False),
        ('"title"', 0, False),
    ],
)
def test_a_style_is_looked_for_in_the_region_of_its_matcher(region: str, row: int, holds: bool) -> None:
    rule = "[[rule]]\nname = 'marked'\nclaim = 'running'\nstrength = 'hint'\npriority = 1\n"
    rule += f"all = [{{ row = 'mark', style = 'reverse', region = {region} }}]\n"
    rows = ["mark 0", "mark 1", LINE, "❯ mark", LINE, "mark 5"]
    rows[row] = rows[row].replace("mark", "\x1b[7mmark\x1b[0m")
    write = load(RULES % DIM + rule, "toy.toml", "toy").look(screen(*rows, cursor=(6, 3)), None)
    assert write is not None
    assert (write.rule == "marked") is holds


DIALOG = """
format = 1
agent = "toy"
[[rule]]
name = "permission"
claim = "waiting_approval"
strength = "hint"
all = [{ contains = "Allow once" }]
waiting = { kind = "approval", option_regex = '(Allow once|Allow always|Reject)' }
keys = { %s }
"""


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ('approve = 1, chosen = "odd"', "so the key option is needed too"),
        ("chosen = \"odd\", pointer = '^> (.*)'", "cannot be used together with pointer"),
        ('chosen = "bright"', "'bright' is not a style"),
        ('chosen = "odd", move = ["Left"]', "needs two keys"),
        ('chosen = "odd", move = ["Left", "Rihgt"]', "'Rihgt' is not a tmux key name"),
        ("approve = true", "must be a whole number"),
    ],
)
def test_keys_that_make_no_sense_are_refused_by_name(keys: str, message: str) -> None:
    with pytest.raises(RuleFileError, match=re.escape(message)):
        load(DIALOG % keys, "toy.toml", "toy")


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ('hint_style = "grey"', "key hint_style: 'grey' is not a style"),
        ('hint_style = "fg:256"', "'fg:256' is not a style"),
        ('hint_style = ""', "a style needs a word"),
        ("hint_style = []", "a style needs a word"),
        ("hint_style = 5", "must be a list"),
        ("hint_like = 'x'", "needs 1 group"),
    ],
)
def test_a_style_that_is_none_is_refused_by_name(key: str, message: str) -> None:
    with pytest.raises(RuleFileError, match=re.escape(message)):
        load(RULES % key, "toy.toml", "toy")


def test_a_style_goes_with_a_row_alone() -> None:
    with pytest.raises(RuleFileError, match="key style: can only be used with row"):
        load(STYLED.replace("row = '^ *(Left|Right)'", 'contains = "Left"'), "toy.toml", "toy")


def test_a_style_is_any_of_its_alternatives_and_all_the_words_of_one() -> None:
    test = read(["dim !bold", "fg:248", "plain"])
    assert [test.holds(frozenset(w.split())) for w in ("dim", "dim bold", "fg:248 bold", "fg:1", "", "reverse")] == [
        True, False, True, False, True, False,
    ]  # fmt: skip
    assert read(["fg"]).holds(frozenset({"fg:#010203"}))
    assert not read(["!bg"]).holds(frozenset({"bg:1"}))
    assert Controls().undrawn(screen("x")) is None
