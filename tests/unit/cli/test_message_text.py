"""How a message reads on a terminal."""

from __future__ import annotations

import pytest

from agtmux import render
from agtmux.cli import message_text
from tests.unit.cli.messages import MESSAGE

pytestmark = pytest.mark.tc("TC-667")
NOW = 1_767_225_600.0 + 120


def test_a_message_shows_what_it_is_about_how_far_it_came_and_no_control_character() -> None:
    text = "\n".join(message_text.lines(MESSAGE, NOW))
    for part in (
        "12  question from agent:anna, 2m ago", "subject:   port", "to:        bert (held: draft), person (read)",
        "priority:  urgent", "(overdue)", "refs:      a.py:3@1f2e", "reactions: +1 person", "id:        m-1",
    ):  # fmt: skip
        assert part in text
    assert "\x1b" not in text and "which[31m port?" in text
    assert "body" not in "\n".join(message_text.lines({**MESSAGE, "body": None}, NOW))


def test_a_listing_has_one_line_a_message() -> None:
    lines = render.plain("messages", [MESSAGE, {**MESSAGE, "channel": "build", "subject": ""}], NOW).splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == ["12", "12"]
    assert "bert, person" in lines[1] and "held draft, read" in lines[1]
    assert "#build" in lines[2] and "which port?" in lines[2]


def test_members_say_what_is_not_usual() -> None:
    members = [
        {"agent_id": name, "agent": name, "notify": how}
        for name, how in zip("abc", ("pull", "pane", "none"), strict=True)
    ]
    item = {"name": "build", "team": "web", "members": members, "created_at": MESSAGE["created_at"]}
    text = render.plain("message channels", [item], NOW)
    assert "web/build" in text and "a, b (pane), c (muted)" in text
