"""The table of retirements in the documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmuxd.core.state.retirement_doc import REDRAW, draw

ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.tc("TC-114")
def test_the_retirement_table_in_the_docs_is_the_one_in_the_code() -> None:
    assert (ROOT / "docs" / "retirement.md").read_text(encoding="utf-8") == draw(), f"draw it again: {REDRAW}"
