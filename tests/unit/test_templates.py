"""Templates of ``agtmux ls --format``: they are filled, and nothing in them is run."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtmux import templates
from agtmux.columns import width
from agtmux.templates import FIELDS, TemplateError
from tests.unit.daemon_stub import pane

pytestmark = pytest.mark.tc("TC-267")
NOW = 1767225600.0 + 75
ITEM = pane(
    "%12", state="waiting_approval", attention="needs_action", since="2026-01-01T00:00:00.000Z", worktree="rows",
    waiting_for={"kind": "approval", "subject": "Bash", "text": "make", "options": [], "fingerprint": "f"},
)  # fmt: skip


def filled(text: str, **fields: Any) -> str:
    return templates.fill(templates.parse(text), ITEM | fields, NOW)


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("{ref} {state}", "pane:host/work/@1/%12 waiting_approval"),
        ("{agent} {project} {branch} {age}", "claude agtmux main 1m"),
        ("{request}", "Bash: make"),
        (r"{pane}\t{place}\n{glyph}\\", "%12\twork:1.0\n!\\"),
        ("{pane}\t{agent}\n", "%12\tclaude\n"),
        ("{{pane}} {{{pane}}}", "{pane} {%12}"),
        ("{pane:>6}|{pane:<6}|{pane:^6}|{pane:6}|{pane:2}", "   %12|%12   | %12  |%12   |%12"),
        ("{where}", "agtmux:main [rows]"),
        ("{message}|{name}", "|"),
        ("é {agent}", "é claude"),
    ],
)
def test_fields_and_escapes_are_filled_in(template: str, line: str) -> None:
    assert filled(template) == line


def test_fields_are_filled_up_by_columns_of_the_terminal_not_by_characters() -> None:
    assert filled("{project:8}|", project="日本") == "日本    |"
    assert filled("{project:>8}|", project="日本") == "    日本|"


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{nope}", "there is no field nope. Fields: ref, state, "),
        ("{}", "there is no field {}. Fields: ref, "),
        ("{agent.__class__}", "cannot be read"),
        ("{agent[0]}", "cannot be read"),
        ("{agent!r}", "cannot be read"),
        ("{0}", "cannot be read"),
        ("{agent:.5}", "cannot be read"),
        ("{agent:x<5}", "cannot be read"),
        ("{agent:<99999}", "cannot be read"),
        ("{agent:<401}", "too wide: use at most 400"),
        ("{agent:{age}}", "{ stands alone: write {{"),
        ("{agent} }", "} stands alone: write }}"),
        ("{agent", "{ stands alone"),
        (r"{agent}\x", r"\x is not an escape"),
        ("{agent}\\", "is not an escape"),
        ("json", "it names no field. Presets: fzf. Fields: ref, "),
        ("", "it names no field"),
        ("{agent}" * 1000, "longer than 4096"),
    ],
)
def test_what_cannot_be_filled_is_refused_with_what_can(template: str, why: str) -> None:
    with pytest.raises(TemplateError) as error:
        templates.parse(template)
    assert why in str(error.value)


def test_the_preset_for_fzf_gives_a_ref_a_tab_and_a_line_for_people() -> None:
    line = filled("fzf")
    ref, human = line.split("\t")
    assert ref == ITEM["ref"]
    assert re.sub(" +", " ", human) == "! waiting_approval claude 1m agtmux:main [rows] Bash: make"


def test_every_field_takes_a_pane_without_anything() -> None:
    bare = dict.fromkeys(ITEM) | {"identity": {}}
    for name in FIELDS:
        text = templates.fill(templates.parse(f"{{{name}}}"), bare, NOW)
        assert text in ("", " ", "-:-.-"), name


HOSTILE = st.text(st.one_of(st.characters(), st.sampled_from("\x1b\x9b\u202e\u2066\x07\r\n\t\u200b")), max_size=30)


@given(HOSTILE, HOSTILE)
def test_no_control_character_of_a_pane_or_template_comes_through(value: str, literal: str) -> None:
    hostile: dict[str, Any] = dict.fromkeys(ITEM, value)
    hostile["identity"] = dict.fromkeys(ITEM["identity"], value)
    hostile["waiting_for"] = {"subject": value, "text": value}
    text = literal.replace("\\", "").replace("{", "").replace("}", "")
    for name in FIELDS:
        line = templates.fill(templates.parse(f"{{{name}:>9}}"), hostile, NOW)
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", line), name
        assert width(line) >= 9
    line = templates.fill(templates.parse(text + "{agent}"), ITEM, NOW)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", line)


@given(st.text("{}\\:<>^!.[]() abcdefst019_\n", max_size=30))
def test_any_template_is_filled_or_refused(text: str) -> None:
    try:
        parts = templates.parse(text)
    except TemplateError as error:
        assert str(error)
    else:
        assert isinstance(templates.fill(parts, ITEM, NOW), str)
