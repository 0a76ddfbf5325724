"""The user's own rules: laid over the shipped ones, an agent by rules alone, and every rule tried on its sample."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.adapters.discovery import discover
from agtmuxd.adapters.registry import Registry
from agtmuxd.core.model import Proc, Sample
from agtmuxd.rules.catalog import RuleCatalog
from tests.corpus import recording

TOY = """
format = 1
agent = "toy"
recorded_on = ["1"]
[process]
names = ["toycli"]
headless = ["--once"]
other = ["login", "--version"]
[[rule]]
name = "asks"
claim = "waiting_input"
all = [{ contains = "Which way?" }]
waiting = { kind = "question", text_regex = '(Which[^\\n]*)' }
sample = { screen = "asks.txt" }
"""
MINE = """
format = 1
agent = "claude"
extends = true
[[rule]]
name = "mine"
priority = 5000
claim = "error"
strength = "hint"
all = [{ contains = "my own words" }]
"""


def rule_catalog(folder: Path) -> tuple[Registry, RuleCatalog]:
    registry = discover(points=())
    return registry, RuleCatalog(registry, folder)


def claim_of(registry: Registry, agent: str, *rows: str) -> str | None:
    fenced = registry.get(agent)
    assert fenced is not None
    write = fenced.look(Sample(rows, "t", True, True, 0, 0, 80, 24), None)
    return None if write is None else write.rule


def identify(registry: Registry, comm: str, *argv: str) -> tuple[str, bool] | None:
    found = registry.identify(Proc(10, 1, 10, 10, 1, "S", "7", comm, argv))
    return None if found is None else (found[1].agent_type, found[1].headless)


@pytest.mark.tc("TC-046")
def test_an_agent_is_added_by_a_rules_file_alone(tmp_path: Path) -> None:
    (tmp_path / "toy.toml").write_text(TOY)
    registry, book = rule_catalog(tmp_path)
    book.read()
    assert identify(registry, "toycli", "/opt/toycli", "go") == ("toy", False)
    assert identify(registry, "python3", "python3", "/usr/bin/toycli", "--once") == ("toy", True)
    assert identify(registry, "toycli", "toycli", "login") is None
    assert identify(registry, "sleep", "toycli", "100") is None
    assert identify(registry, "vim", "vim", "toycli") is None
    assert claim_of(registry, "toy", "Which way?") == "asks"
    (tmp_path / "toy.toml").unlink()
    book.read()
    assert registry.get("toy") is None


def test_a_users_rules_lie_over_the_shipped_ones_and_are_taken_back(tmp_path: Path) -> None:
    dialog = recording.load("claude/e1-bash-approval").sample_at(9000)
    registry, book = rule_catalog(tmp_path)
    before = claim_of(registry, "claude", *dialog.lines)
    (tmp_path / "claude.toml").write_text(MINE)
    book.read()
    assert claim_of(registry, "claude", "my own words") == "mine"
    assert claim_of(registry, "claude", *dialog.lines) == before
    (tmp_path / "claude.toml").write_text(MINE.replace("extends = true", ""))
    book.read()
    assert claim_of(registry, "claude", *dialog.lines) is None, "without extends the file stands for all rules"
    (tmp_path / "claude.toml").unlink()
    book.read()
    assert claim_of(registry, "claude", *dialog.lines) == before
    assert claim_of(registry, "claude", "my own words") is None


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("toy", TOY.replace("[process]", "[proces]"), "proces"),
        ("toy", TOY.replace('names = ["toycli"]', "names = []"), "at least one program name"),
        ("other", TOY, "must be 'other'"),
        ("toy", MINE.replace("claude", "toy"), "agtmux knows no agent toy"),
        ("toy", "format =", "is not valid TOML"),
    ],
)
def test_a_wrong_file_is_named_and_the_rules_stay_as_they_were(
    name: str, text: str, message: str, tmp_path: Path
) -> None:
    registry, book = rule_catalog(tmp_path)
    (tmp_path / "claude.toml").write_text(MINE)
    book.read()
    (tmp_path / "claude.toml").unlink()
    (tmp_path / f"{name}.toml").write_text(text)
    with pytest.raises(AgtmuxError) as caught:
        book.read()
    assert caught.value.code == "E_INVALID_REQUEST"
    assert message in caught.value.message
    assert f"{name}.toml" in caught.value.message
    assert claim_of(registry, "claude", "my own words") == "mine"
    assert len(book.read_good_files()) == 1
    assert claim_of(registry, "claude", "my own words") is None


@pytest.mark.tc("TC-046")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (os.mkfifo, "is not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "is not a regular file"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "not UTF-8 text"),
        (lambda path: path.write_text("#" * ((1 << 20) + 1)), "longer than 1 MiB"),
        (
            lambda path: path.write_text(re.sub(r"\[process\](?s:.*)(?=\[\[rule)", "", TOY)),
            "add [process] with the names",
        ),
    ],
)
def test_an_odd_file_among_the_rules_is_named_and_holds_up_nobody(
    tmp_path: Path, make: Callable[[Path], object], words: str
) -> None:
    registry, book = rule_catalog(tmp_path)
    (tmp_path / "toy.toml").write_text(TOY)
    book.read()
    (tmp_path / "toy.toml").unlink()
    make(tmp_path / "toy.toml")
    with pytest.raises(AgtmuxError, match=re.escape(words)) as caught:
        book.read()
    assert str(tmp_path / "toy.toml") in caught.value.message
    assert registry.get("toy") is not None, "the rules stay as they were"
