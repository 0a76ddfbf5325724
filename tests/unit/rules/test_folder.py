"""The folder of the user's rules as it changes: what is taken in, waited for and told, and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from agtmuxd.adapters.discovery import discover
from agtmuxd.adapters.registry import Registry
from agtmuxd.core.model import MS, Sample
from agtmuxd.rules.catalog import LOOK_EVERY, LOOK_SOON, RuleCatalog
from agtmuxd.rules.folder import DOUBT, STILL, FolderChanges, FolderState, RuleFolder
from tests.unit.rules.test_catalog import MINE, TOY

OTHER = TOY.replace('"toy"', '"pet"').replace("toycli", "petcli")


class Bench:
    """A rulebook whose folder is looked at when the test says so, at times that the test gives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.registry: Registry = discover(points=())
        self.book = RuleCatalog(self.registry, folder)
        self.now = 0
        self.changes = 0
        self.book.read_good_files()

    def write(self, agent: str, text: str) -> None:
        (self.folder / f"{agent}.toml").write_text(text)

    async def after(self, ms: int) -> float:
        self.now += ms * MS
        return await self.book.check_for_changes(self._changed, self.now)

    async def settle(self) -> None:
        """Looks as the daemon makes them, until nothing moves."""
        for _ in range(20):
            if await self.after(100) == LOOK_EVERY:
                return
        raise AssertionError("it never comes to rest")

    def _changed(self) -> None:
        self.changes += 1

    def says(self, agent: str, row: str) -> str | None:
        fenced = self.registry.get(agent)
        write = None if fenced is None else fenced.look(Sample((row,), "t", True, True, 0, 0, 80, 24), None)
        return None if write is None else write.rule


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    folder = tmp_path / "rules"
    folder.mkdir()
    return Bench(folder)


@pytest.mark.tc("TC-046")
async def test_a_new_a_changed_and_a_removed_file_are_taken_in_without_being_asked(bench: Bench) -> None:
    bench.write("toy", TOY)
    await bench.settle()
    assert (bench.says("toy", "Which way?"), bench.changes) == ("asks", 1)
    bench.write("toy", TOY.replace("asks", "wonders"))
    await bench.settle()
    assert (bench.says("toy", "Which way?"), bench.changes) == ("wonders", 2)
    bench.write("claude", MINE)
    await bench.settle()
    assert bench.says("claude", "my own words") == "mine"
    (bench.folder / "toy.toml").unlink()
    await bench.settle()
    assert (bench.registry.get("toy"), bench.changes) == (None, 4)
    assert bench.says("claude", "my own words") == "mine"
    assert bench.now < 10_000 * MS


@pytest.mark.tc("TC-046")
async def test_a_file_that_is_wrong_keeps_its_last_good_rules_and_holds_up_no_other(bench: Bench) -> None:
    bench.write("toy", TOY)
    await bench.settle()
    bench.write("toy", TOY.replace("claim =", "clam ="))
    bench.write("pet", OTHER)
    with capture_logs() as logs:
        await bench.settle()
    assert bench.says("pet", "Which way?") == "asks"
    assert bench.says("toy", "Which way?") == "asks", "the last good rules"
    assert list(bench.book.wrong) == [bench.folder / "toy.toml"]
    assert "clam" in bench.book.wrong[bench.folder / "toy.toml"]
    assert [log["so"] for log in logs if log["event"] == "rules not loaded"] == ["the previous rules stay in use"]
    bench.write("pet", OTHER.replace("asks", "wonders"))
    with capture_logs() as logs:
        await bench.settle()
    assert bench.says("pet", "Which way?") == "wonders"
    assert [log["event"] for log in logs] == ["rules loaded"], "what is wrong is told once"
    bench.write("toy", TOY)
    await bench.settle()
    assert bench.book.wrong == {}


@pytest.mark.tc("TC-046")
@pytest.mark.parametrize("between", ["", 'format = 1\nagent = "t', None])
async def test_a_save_in_two_steps_is_no_false_alarm_and_takes_no_rules_away(bench: Bench, between: str | None) -> None:
    bench.write("toy", TOY)
    await bench.settle()
    if between is None:
        (bench.folder / "toy.toml").unlink()
    else:
        bench.write("toy", between)
    with capture_logs() as logs:
        for _ in range(8):
            assert await bench.after(100) == LOOK_SOON
            assert bench.says("toy", "Which way?") == "asks"
        bench.write("toy", TOY.replace("asks", "wonders"))
        await bench.settle()
    assert bench.says("toy", "Which way?") == "wonders"
    assert (bench.book.wrong, [log["event"] for log in logs]) == ({}, ["rules loaded"])


async def test_an_editors_own_files_and_a_text_that_says_the_same_change_nothing(bench: Bench) -> None:
    bench.write("toy", TOY)
    await bench.settle()
    (bench.folder / ".#toy.toml").symlink_to("somebody@host.1234")
    (bench.folder / "toy.toml~").write_text("x")
    (bench.folder / ".toy.toml.swp").write_text("x")
    bench.write("toy", TOY + "\n# a word\n")
    await bench.settle()
    assert (bench.changes, bench.book.wrong) == (1, {})


async def test_a_link_to_a_file_elsewhere_is_followed_and_one_to_nowhere_is_named(bench: Bench, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    real.write_text(TOY)
    (bench.folder / "toy.toml").symlink_to(real)
    await bench.settle()
    real.write_text(TOY.replace("asks", "wonders"))
    await bench.settle()
    assert bench.says("toy", "Which way?") == "wonders"
    real.unlink()
    await bench.settle()
    assert bench.book.wrong == {bench.folder / "toy.toml": f"{bench.folder}/toy.toml: leads to no file"}
    assert bench.says("toy", "Which way?") == "wonders"


async def test_a_folder_that_is_none_or_holds_too_much_is_named_and_takes_no_rules_away(bench: Bench) -> None:
    bench.write("toy", TOY)
    await bench.settle()
    bench.folder.rename(bench.folder.with_name("away"))
    bench.folder.write_text("no folder")
    await bench.after(1000)
    assert "cannot be read as a folder" in bench.book.wrong[bench.folder]
    assert bench.says("toy", "Which way?") == "asks"
    bench.folder.unlink()
    bench.folder.with_name("away").rename(bench.folder)
    await bench.settle()
    assert bench.book.wrong == {}
    for n in range(101):
        (bench.folder / f"x{n}.toml").write_text("")
    await bench.after(1000)
    assert "102 rules files" in bench.book.wrong[bench.folder]
    assert bench.says("toy", "Which way?") == "asks"


async def test_what_a_reload_took_in_is_not_taken_in_again(bench: Bench) -> None:
    bench.write("toy", TOY)
    bench.book.read()
    assert await bench.after(1000) == LOOK_EVERY
    assert (bench.says("toy", "Which way?"), bench.changes) == ("asks", 0)


async def test_quiet_files_are_not_opened_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write("toy", TOY)
    bench.write("pet", OTHER)
    await bench.settle()
    opened: list[Path] = []
    real = Path.open

    def noted(path: Path, *how: Any, **more: Any) -> Any:
        opened.append(path)
        return real(path, *how, **more)

    monkeypatch.setattr(Path, "open", noted)
    for _ in range(5):
        await bench.after(1000)
    assert opened == []
    bench.write("toy", TOY.replace("asks", "wonders"))
    opened.clear()
    await bench.settle()
    assert set(opened) == {bench.folder / "toy.toml"}


def test_a_folder_that_is_not_there_has_no_rules(tmp_path: Path) -> None:
    assert RuleFolder(tmp_path / "none").marks() == {}


def test_a_change_is_over_when_nothing_moved_for_a_moment() -> None:
    unrest = FolderChanges()
    unrest.taken = 1
    assert unrest.look(1, 0) is FolderState.UNCHANGED
    assert unrest.look(2, 10) is FolderState.CHANGING
    assert unrest.look(2, 9 + STILL) is FolderState.CHANGING
    assert unrest.look(3, 10 + STILL) is FolderState.CHANGING, "it moved again"
    assert unrest.look(3, 10 + 2 * STILL) is FolderState.SETTLED
    assert unrest.look(3, 10 + STILL + DOUBT) is FolderState.SETTLED_LONG
    unrest.taken = 3
    assert unrest.look(3, 10 + STILL + DOUBT) is FolderState.UNCHANGED
    assert unrest.look(1, 20 + STILL + DOUBT) is FolderState.CHANGING
