"""Listings as text: aligned in a pipe, fitted and coloured on a terminal, with short ages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agtmux import render
from tests.unit.daemon_stub import Stub, listing, on_terminal, out, pane

ASKED = {"kind": "approval", "subject": "Bash", "text": "rm -rf build", "options": ["Yes", "No"], "fingerprint": "f1"}


def test_plain_text_is_aligned_uncut_and_without_colour(short_dir: Path, stub: Stub) -> None:
    waiting = pane("%2", state="waiting_approval", attention="needs_action", waiting_for=ASKED, window_index=10)
    wide = pane("%3", agent_type="gemini", task="日本語 " + "x" * 300, since=None)
    stub.answer("GET /v1/panes", listing(waiting, wide))
    text = out(short_dir, "list", "panes")
    assert "\x1b" not in text
    header, first, second = text.splitlines()
    assert header.split() == ["STATE", "FOR", "AGENT", "TARGET", "PANE", "PLACE", "ATTENTION", "PROJECT", "WHAT"]
    assert first.endswith("Bash: rm -rf build")
    assert second.endswith("日本語 " + "x" * 300)
    for name in ("AGENT", "WHAT"):
        place = header.index(name)
        assert all(line[place - 1] == " " and line[place] != " " for line in (first, second))


def test_a_terminal_gets_a_coloured_table_that_fits_it(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/panes", listing(pane(state="error", attention="needs_action", task="t" * 300)))
    drawn = on_terminal(short_dir, "ls", cols=90)
    assert "\x1b[1;31m✗ error" in drawn
    assert "1 agent: 1 error; 1 needs you" in drawn
    for cols in (40, 80, 200):
        for plain in (
            on_terminal(short_dir, "ls", cols=cols, NO_COLOR="1"),
            on_terminal(short_dir, "ls", "--color", "never", cols=cols),
        ):
            assert not re.search(r"\x1b\[[0-9;]*[34]\dm", plain)
            lines = re.sub(r"\x1b\[[0-9;]*m", "", plain).splitlines()
            assert max(map(len, lines)) <= cols
            assert lines[1].startswith("!  ✗ error")
            assert lines[1].rstrip().endswith("t…")


def test_colour_can_be_asked_for_in_a_pipe(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/panes", listing(pane(state="error")))
    assert "\x1b[1;31m✗ error" in out(short_dir, "--color", "always", "ls")
    assert "\x1b[1;31m✗ error" in out(short_dir, "ls", "--color", "always")


def test_an_empty_listing_says_so_only_to_a_person(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/panes", listing())
    assert "no agents: run" in on_terminal(short_dir, "ls")
    assert len(out(short_dir, "ls").splitlines()) == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.9, "59s"), (61, "1m"), (3600, "1h00m"), (11100, "3h05m"), (200_000, "2d"), (-5, "0s")],
)
def test_ages_are_short(seconds: float, text: str) -> None:
    assert render.age("2026-01-01T00:00:00.500Z", 1767225600.5 + seconds) == text


def test_an_age_of_nothing_is_a_dash() -> None:
    assert [render.age(stamp, 0.0) for stamp in (None, "", "yesterday", 5)] == ["-"] * 4
