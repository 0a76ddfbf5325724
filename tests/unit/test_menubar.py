"""The menu for SwiftBar and xbar: its format, and that no text of a pane changes its lines or parameters."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtmux import menubar
from tests.unit.daemon_stub import pane

AGTMUX = "/opt/my tools/agtmux"
FP = "5f2c9a"
ASKS: dict[str, Any] = {
    "state": "waiting_approval", "attention": "needs_action",
    "waiting_for": {"kind": "approval", "subject": "Bash", "text": "rm -rf build", "options": [], "fingerprint": FP},
}  # fmt: skip


class Line:
    """One line as SwiftBar reads it: the text before the first ``|``, then ``name=value`` with quotes."""

    def __init__(self, line: str) -> None:
        text, bar, rest = line.partition("|")
        self.depth = len(re.match(r"(?:--)*", text)[0]) // 2 if text != "---" else 0  # type: ignore[index]
        self.text = text[2 * self.depth :].strip()
        self.parameters: dict[str, str] = {}
        for word in shlex.split(rest):
            name, equals, value = word.partition("=")
            assert equals, line
            assert name not in self.parameters, line
            self.parameters[name] = value
        self.bar = bool(bar)

    @property
    def command(self) -> list[str]:
        """What a click runs."""
        words = [self.parameters[f"param{n}"] for n in range(1, 20) if f"param{n}" in self.parameters]
        return [self.parameters["bash"], *words] if "bash" in self.parameters else []


def lines(*items: dict[str, Any], **how: Any) -> list[Line]:
    text = menubar.menu(items, AGTMUX, **how)
    assert text.endswith("\n")
    return [Line(line) for line in text.splitlines()]


def named(found: list[Line], text: str) -> Line:
    return next(line for line in found if line.text == text)


@pytest.mark.tc("TC-533")
def test_the_first_line_counts_and_a_separator_follows() -> None:
    found = lines(pane("%1", **ASKS), pane("%2", state="error", attention="needs_action"), pane("%3"))
    assert found[0].text == "1! 1✗ 1●"
    assert found[0].parameters == {"sfimage": "exclamationmark.bubble.fill", "color": "orange"}
    assert (found[1].text, found[1].bar) == ("---", False)
    assert lines(pane("%1", **ASKS), swiftbar=False)[0].parameters == {}, "xbar has no pictures"
    assert lines()[0].text == "·"
    assert named(lines(), "No agents")
    assert named(lines(pane(state="idle")), "Nothing needs you")


@pytest.mark.tc("TC-533")
def test_who_needs_you_stands_at_the_top_and_the_rest_in_submenus() -> None:
    quiet = [pane(f"%{n}", state="idle") for n in range(50)]
    found = lines(pane("%90", **ASKS), pane("%91", state="completed", attention="review"), pane("%92"), *quiet)
    top = [line.text for line in found if line.depth == 0][2:]
    assert top == [
        "! claude work:1.0 — Bash: rm -rf build", "* claude work:1.0 — a title", "● Running (1)", "· Quiet (50)", "---",
        "Open the dashboard",
    ]  # fmt: skip
    assert named(found, "… and 10 more").depth == 1


@pytest.mark.tc("TC-533")
def test_an_approval_is_one_level_down_with_the_whole_request_and_its_fingerprint() -> None:
    """The item goes to the pane. What approves is below the text that you approve."""
    long = "x" * 200
    asks = {**ASKS, "waiting_for": {**ASKS["waiting_for"], "text": long}}
    found = lines(pane("%1", **asks))
    item = next(line for line in found if line.text.startswith("! claude"))
    ref = "pane:host/work/@1/%1"
    assert item.command == [AGTMUX, "attach", ref]
    assert (item.parameters["terminal"], item.parameters["length"], item.parameters["trim"]) == ("true", "60", "false")
    below = [line for line in found if line.depth == 1]
    asked = "".join(line.text[1:-1] for line in below if line.text.startswith("“"))
    assert asked == f"Bash: {long}"
    assert named(found, "Approve once").command == [
        AGTMUX, "menubar", "act", "approve", ref, f"--runtime={'r' * 16}", "--state-version=3", f"--fingerprint={FP}",
    ]  # fmt: skip
    assert named(found, "Approve once").parameters["terminal"] == "false"
    assert named(found, "Deny").command[3] == "deny"
    assert below.index(named(found, "Approve once")) > max(
        n for n, line in enumerate(below) if line.text.startswith("“")
    )


@pytest.mark.tc("TC-533")
def test_a_question_offers_its_options_and_nothing_is_offered_without_a_fingerprint() -> None:
    asks = {
        "state": "waiting_input", "attention": "needs_action",
        "waiting_for": {"kind": "question", "text": "Which?", "options": ["One", "Two | x=y"], "fingerprint": FP},
    }  # fmt: skip
    found = lines(pane("%1", **asks))
    assert named(found, "2. Two ¦ x=y").command[-2:] == [f"--fingerprint={FP}", "--option=2"]
    blind = {**asks, "waiting_for": {**asks["waiting_for"], "fingerprint": None}}  # type: ignore[dict-item]
    assert not [line for line in lines(pane("%1", **blind)) if "answer" in line.command]


@pytest.mark.tc("TC-533")
def test_every_line_turns_off_what_would_change_its_text() -> None:
    """SwiftBar would make a picture of ``:word:``, and read ANSI colours and Markdown."""
    for line in lines(pane("%1", **ASKS))[2:]:
        if line.bar:
            names = ("trim", "symbolize", "emojize", "ansi", "md")
            assert {line.parameters[name] for name in names} == {"false"}, line.text


HOSTILE = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        [
            "a | bash=/bin/rm param1=-rf", "~~~\n2! | x=y", "---", "-- sub", "a\\nb", "\x1b[31mred\x1b[0m", ":bolt:",
            "'\"`$(x)", "a\u2028b", "x" * 500, "| |", "\r\n---\r\n",
        ]
    ),
)  # fmt: skip


@pytest.mark.tc("TC-534")
@given(title=HOSTILE, text=HOSTILE, session=HOSTILE, option=HOSTILE, fingerprint=HOSTILE, ref=HOSTILE, agent=HOSTILE)
def test_no_text_of_a_pane_adds_a_line_a_parameter_or_a_menu(
    title: str, text: str, session: str, option: str, fingerprint: str, ref: str, agent: str
) -> None:
    """Whatever an agent writes: the same lines, at the same depth, and commands with plain words only."""

    def made(title: str, text: str, session: str, option: str, fingerprint: str, ref: str, agent: str) -> list[Line]:
        waiting = {"kind": "question", "text": text, "options": [option], "fingerprint": fingerprint}
        one = pane(
            "%1", state="waiting_input", attention="needs_action", waiting_for=waiting, ref=ref, agent_type=agent
        )
        one["identity"] = {**one["identity"], "session_name": session}
        other = pane("%2", title=title, task=None, state="completed", attention="review")
        menu = menubar.menu([one, other], AGTMUX)
        assert menubar.SEPARATOR not in menu
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u2028\u2029]", menu)
        return [Line(line) for line in menu.split("\n") if line]

    found = made(title, text, session, option, fingerprint, ref, agent)
    plain = made("t", "q", "s", "o", FP, "pane:host/s/@1/%1", "claude")
    for line in found:
        assert set(line.parameters) <= {
            "trim", "length", "symbolize", "emojize", "ansi", "md", "bash", "terminal", "refresh", "sfimage", "color",
            *(f"param{n}" for n in range(1, 9)),
        }  # fmt: skip
        assert all(re.fullmatch(r"[A-Za-z0-9._:/@%+=,~-]+", word) for word in line.command[1:])
        assert line.command[:1] in ([], [AGTMUX])
        assert len(line.text) <= menubar.LENGTH + 12
    fixed = [line.text for line in plain if not line.text.startswith(("!", "*", "“", "1."))]
    assert [line.text for line in found if line.text in fixed].count("---") == fixed.count("---")
    assert {line.command[1] for line in found if line.command} <= {"attach", "menubar", "top"}
    safe = re.fullmatch(r"[A-Za-z0-9._:/@%+=,~-]+", fingerprint) and re.fullmatch(r"[A-Za-z0-9._:/@%+=,~-]+", ref)
    assert bool([line for line in found if "answer" in line.command]) == bool(safe)


@pytest.mark.tc("TC-534")
@pytest.mark.parametrize("program", ["/opt/a|b/agtmux", "/opt/'x'/agtmux", '/opt/"/agtmux', "relative/agtmux", "/a\nb"])
def test_a_path_that_a_menu_bar_would_read_as_something_else_is_refused(program: str) -> None:
    with pytest.raises(ValueError, match=re.escape(program)):
        menubar.menu([], program)


@pytest.mark.tc("TC-533")
def test_trouble_and_missing_targets_are_shown_with_a_sign() -> None:
    shown = [Line(line) for line in menubar.trouble("no daemon | x=y answers", AGTMUX).splitlines()]
    assert shown[0].text == "⚠"
    assert shown[2].text == "⚠ no daemon ¦ x=y answers"
    assert named(shown, "Check what is wrong").command == [AGTMUX, "doctor"]
    assert lines(note="build did not answer")[2].text == "⚠ build did not answer"


@pytest.mark.tc("TC-533")
def test_the_plugin_is_streamable_for_swiftbar_and_plain_for_xbar() -> None:
    text = menubar.script(AGTMUX, swiftbar=True)
    assert text.startswith("#!/bin/sh\n")
    assert "# <swiftbar.type>streamable</swiftbar.type>\n" in text
    assert text.endswith("exec '/opt/my tools/agtmux' menubar --follow\n")
    assert "streamable" not in menubar.script(AGTMUX, swiftbar=False)
    assert menubar.script(AGTMUX, swiftbar=False).endswith(" menubar --xbar\n")


@pytest.mark.tc("TC-533")
def test_each_operation_of_the_menu_is_offered_somewhere() -> None:
    """The table that other surfaces are compared with is what the menu does."""
    question = {"state": "waiting_input", "waiting_for": {**ASKS["waiting_for"], "options": ["Yes"]}}
    found = lines(pane("%1", **ASKS), pane("%2"), pane("%3", **{**ASKS, **question}))
    commands = [line.command for line in found if line.command]
    done = {words[3] if words[1] == "menubar" else words[1] for words in commands}
    assert done - {"top"} == set(menubar.OPERATIONS) - {"watch"}
    assert set(menubar.ACTIONS) == set(menubar.OPERATIONS) - {"watch", "attach"}
