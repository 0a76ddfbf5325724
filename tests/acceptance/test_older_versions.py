"""Screens as they were when they were captured, and agents whose version nobody recorded: what ``explain`` says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agtmuxd.core.versions import older
from tests.acceptance.stage import PATIENCE, Agent, Daemon, Place
from tests.conftest import until

LINE = "─" * 60
DIALOG = """
  Select Model and Effort

› 1. GPT-6-Sol   Previous generation workhorse model.
  2. GPT-6-Luna  Fast and affordable model.

  Press enter to confirm or esc to go back
"""


@pytest.mark.tc("TC-184")
def test_a_dialog_that_hides_the_cursor_is_replayed_as_it_was_read(
    place: Place, daemon: Daemon, tmp_path: Path
) -> None:
    daemon.start()
    screen = tmp_path / "dialog.txt"
    screen.write_text(DIALOG)
    asked = ("explain", "--file", str(screen), "--agent", "codex")
    assert place.json(*asked)["claim"] is None
    hidden = place.json(*asked, "--cursor-hidden")
    assert (hidden["claim"], hidden["rule"]) == ("waiting_input", "dialog")
    assert "  waiting_input, by dialog" in place.cli(*asked, "--cursor-hidden").stdout


@pytest.mark.tc("TC-184")
@pytest.mark.parametrize(
    ("agent", "banner", "version", "old"),
    [
        ("claude", " ▐▛███▛█   Claude Code v2.0.75", "2.0.75", True),
        ("claude", " ▐▛███▛█   Claude Code v2.1.329", "2.1.329", False),
        ("codex", "│ >_ OpenAI Codex (v0.98.0)            │", "0.98.0", True),
        ("codex", "  >_ OpenAI Codex (v0.169.0)", "0.169.0", False),
        ("gemini", " ▝▜▄  Gemini CLI v0.9.0", "0.9.0", True),
        ("codex", "• an answer without a banner", None, False),
    ],
)
def test_a_screen_of_a_version_that_nobody_recorded_is_told_apart(
    place: Place, daemon: Daemon, tmp_path: Path, agent: str, banner: str, version: str | None, old: bool
) -> None:
    daemon.start()
    screen = tmp_path / "screen.txt"
    screen.write_text(f"{banner}\n\n> go\n")
    body = place.json("explain", "--file", str(screen), "--agent", agent)
    assert (body["version"], body["older"]) == (version, old)
    output = place.cli("explain", "--file", str(screen), "--agent", agent).stdout
    assert (f"version {version} is older than the oldest tested version ({body['oldest_version']})" in output) is old


@pytest.mark.tc("TC-184")
def test_an_agent_older_than_any_recorded_is_said_to_be(
    place: Place, daemon: Daemon, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    one = agent().start()
    one.draw(f" ▐▛███▛█   Claude Code v2.0.75\n\n● Hello.\n\n{LINE}\n❯ \n{LINE}\n  ? for shortcuts")
    daemon.wait_for(one.pane, "idle")
    result = "version 2.0.75 is older than the oldest tested version (2."
    listed: list[str] = []

    def explained() -> bool:
        listed.append(place.cli("explain", one.pane).stdout)
        return result in listed[-1]

    until(explained, within=PATIENCE, what="explain says that the version is old")
    assert "update the agent, or install its hooks" in listed[-1]
    assert "adapter   claude 1.0.0 on, reads 2." in place.cli("daemon", "status").stdout


@pytest.mark.tc("TC-184")
@pytest.mark.parametrize(
    ("version", "oldest", "is_older"),
    [
        ("2.1.9", "2.1.197", True),
        ("2.1.197", "2.1.197", False),
        ("v0.98.0", "0.145.0", True),
        ("0.145.0-alpha.3", "0.145.0", False),
        ("1.0", "1.0.102", True),
        ("nightly", "1.0.102", False),
        (None, "1.0.102", False),
        ("1.0.102", None, False),
    ],
)
def test_versions_are_compared_by_their_numbers(version: str | None, oldest: str | None, is_older: bool) -> None:
    assert older(version, oldest) is is_older
