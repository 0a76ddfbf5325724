"""Rules are tried on their samples and on captured screens."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.adapters.discovery import discover
from agtmuxd.api.routes.rules import CheckRequest, ReplayRequest
from agtmuxd.core.model import Claim
from agtmuxd.core.screen.rule_file import load
from agtmuxd.rules.catalog import RuleCatalog
from tests.corpus import recording
from tests.unit.adapters.toy import ToyAdapter
from tests.unit.rules.test_catalog import MINE, TOY, rule_catalog


async def test_every_shipped_rule_holds_on_its_recorded_sample(tmp_path: Path) -> None:
    _, book = rule_catalog(tmp_path)
    items = await book.check(CheckRequest(corpus=recording.ROOT))
    assert {item["agent"] for item in items} >= {"claude", "codex", "gemini", "copilot", "opencode", "cursor"}
    assert [(i["agent"], r) for i in items for r in i["rules"] if r["ok"] is False] == []
    assert sum(1 for i in items for r in i["rules"] if r["ok"]) > 60
    without = (await book.check(CheckRequest(agents=["claude"])))[0]["rules"]
    assert not any(rule["ok"] for rule in without), "no recordings, nothing tried"


async def test_a_rule_is_tried_on_a_screen_beside_its_file(tmp_path: Path) -> None:
    (tmp_path / "toy.toml").write_text(TOY)
    _, book = rule_catalog(tmp_path)
    book.read()

    async def tried() -> tuple[bool | None, str]:
        rule = (await book.check(CheckRequest(agents=["toy"])))[0]["rules"][0]
        return rule["ok"], rule["message"]

    missing = await tried()
    assert missing[0] is False
    assert f"tmux capture-pane -p -t PANE > {tmp_path}/asks.txt" in missing[1]
    (tmp_path / "asks.txt").write_text("hello\nWhich way?\n")
    assert await tried() == (True, "matches its sample")
    (tmp_path / "asks.txt").write_text("nothing here\n")
    assert await tried() == (
        False, "does not match its sample: all: contains 'Which way?' in tail:40 finds nothing"
    )  # fmt: skip
    (tmp_path / "asks.txt").write_text("\n")
    assert (await tried())[1].endswith("asks.txt is empty")


def test_a_captured_screen_is_replayed_through_the_rules(tmp_path: Path) -> None:
    _, book = rule_catalog(tmp_path)
    sample = recording.load("claude/e1-bash-approval").sample_at(9000)
    body = book.replay(ReplayRequest(agent="claude", screen="\n".join(sample.lines), title=sample.title))
    assert (body["claim"], body["strength"], body["composer"]) == ("waiting_approval", "definitive", None)
    assert body["waiting_for"]["kind"] == "approval"
    assert body["matched"][0]["rule"] == body["rule"]
    nothing = book.replay(ReplayRequest(agent="claude", screen="$ ls"))
    assert (nothing["claim"], nothing["matched"]) == (None, [])
    after = recording.load("claude/c-prompt-done")
    done = next(x for x in after.labels if x.state == "completed")
    screen = "\n".join(after.sample_at(done.start + 1000).lines)
    result = book.replay(ReplayRequest(agent="claude", screen=screen, before=Claim.RUNNING))
    assert result["claim"] == "completed"
    with pytest.raises(AgtmuxError, match="generic"):
        book.replay(ReplayRequest(agent="generic", screen=""))


@pytest.mark.tc("TC-046")
async def test_an_adapter_from_elsewhere_proves_its_rules_by_screens_of_its_own(tmp_path: Path) -> None:
    theirs, mine = tmp_path / "theirs", tmp_path / "mine"
    theirs.mkdir()
    mine.mkdir()

    registry = discover(points=())
    adapter = ToyAdapter()
    adapter.shipped = adapter.rules = load(TOY, "toy.toml", "toy")
    adapter.screens = theirs
    registry.add(adapter)
    book = RuleCatalog(registry, mine)
    (theirs / "asks.txt").write_text("Which way?\n")

    async def tried() -> list[tuple[str, bool | None]]:
        (item,) = await book.check(CheckRequest(agents=["toy"]))
        return [(rule["rule"], rule["ok"]) for rule in item["rules"]]

    assert await tried() == [("asks", True)]
    over = MINE.replace('"claude"', '"toy"').replace('strength = "hint"', 'sample = { screen = "mine.txt" }')
    (mine / "toy.toml").write_text(over)
    (mine / "mine.txt").write_text("my own words\n")
    assert await tried() == [("mine", True), ("asks", True)], "each beside the file that names it"
    adapter.screens = None
    assert await tried() == [("mine", True), ("asks", False)]
