"""The command line that continues a session: each agent's own, and never a word that an id could smuggle in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agtmuxd.adapters.discovery import discover

pytestmark = pytest.mark.tc("TC-256")
REGISTRY = discover([])
PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "restore.md").read_text("utf-8")


def test_each_agent_is_continued_as_the_reference_says() -> None:
    documented = sorted(re.findall(r"^\| [^|]+ \| `([a-z-]+ [^`]*ID)` \|$", PAGE, re.M))
    found = [REGISTRY.resume_command(name, "ID") for name in REGISTRY.adapters]
    assert sorted(" ".join(argv) for argv in found if argv) == documented
    assert len(documented) == 8


@pytest.mark.parametrize("odd", ["", "-x", "--model=evil", "a b", "a;b", "$(x)", "a\nb", "../x", "é", "x" * 200])
def test_an_id_that_is_none_gives_no_command(odd: str) -> None:
    assert REGISTRY.resume_command("claude", odd) is None


def test_an_agent_without_sessions_gives_no_command() -> None:
    assert REGISTRY.resume_command("generic", "s-1") is None
    assert REGISTRY.resume_command("no-such-agent", "s-1") is None
