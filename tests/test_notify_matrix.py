"""The table of the reference that says what is sent when is what the planner does, also across a restart."""

from __future__ import annotations

import pytest

from tests import notify_matrix

pytestmark = pytest.mark.tc("TC-423")


def test_the_table_of_the_reference_is_what_is_sent() -> None:
    """Otherwise: ``.venv/bin/python -m tests.notify_matrix``."""
    text = notify_matrix.PAGE.read_text("utf-8")
    assert notify_matrix.page(text) == text


def test_nothing_in_it_is_sent_twice() -> None:
    assert "TWICE" not in notify_matrix.PAGE.read_text("utf-8")
