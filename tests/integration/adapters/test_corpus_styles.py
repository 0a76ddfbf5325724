"""Real screens with their attributes: a placeholder and a draft differ in how they are drawn alone."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from agtmuxd.adapters.discovery import discover
from agtmuxd.core.model import Source, Write
from agtmuxd.core.screen.controls import InputField
from agtmuxd.core.screen.rule_file import load
from agtmuxd.core.state.debounce import DebounceState
from agtmuxd.core.state.observation import HealthChange, Observation
from agtmuxd.targets.agent import STYLES_HOLD
from agtmuxd.targets.executor import ProgramResult
from agtmuxd.targets.local.executor import LocalExecutor
from agtmuxd.targets.observer import Observer
from tests.conftest import Tmux, until
from tests.corpus import screens
from tests.corpus.screens import Screen

NAMES = screens.names()


def look(screen: Screen, *, styled: bool = True) -> tuple[InputField, bool | None]:
    """What the field holds, and whether it accepts input."""
    adapter = discover([]).get(screen.agent)
    assert adapter is not None
    controls = adapter.controls()
    assert controls is not None
    sample = screen.sample if styled else screen.plain
    write = adapter.look(sample, None)
    assert write is not None, screen.name
    return controls.look(sample), write.accepts_input


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize("name", [n for n in NAMES if screens.load(n).colours])
def test_a_field_is_free_exactly_where_nothing_was_typed(name: str) -> None:
    screen = screens.load(name)
    field, accepts = look(screen)
    assert accepts is (screen.typed == "")
    assert field is (InputField.DRAFT if screen.typed else InputField.OFFERED if screen.offered else InputField.FREE)


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize("name", [n for n in NAMES if not screens.load(n).colours])
def test_without_colours_no_free_field_is_a_draft_and_no_unknown_text_a_free_field(name: str) -> None:
    screen = screens.load(name)
    _, accepts = look(screen)
    if not screen.typed:
        assert accepts is True
    elif "hint-words" not in name:  # there only the words are left to go by
        assert accepts is not True


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize("agent", ["claude", "codex", "gemini"])
def test_the_plain_screen_alone_takes_the_words_of_a_placeholder_for_one(agent: str) -> None:
    """What these screens are recorded for: were it otherwise, nothing would have to be captured with attributes."""
    assert look(screens.load(f"{agent}/hint-words-home"), styled=False) == (InputField.FREE, True)
    assert look(screens.load(f"{agent}/draft-home"), styled=False)[1] is None


class RecordingSink:
    """Takes in what an observer tells."""

    def __init__(self) -> None:
        self.seen: Observation | None = None

    async def observe(self, seen: Observation) -> None:
        self.seen = seen

    async def report_health(self, change: HealthChange) -> None:
        assert change.health == "ok"

    def last_levels(self, target_id: str, pane_id: str, pid: int, start: str) -> dict[Source, DebounceState]:
        return {}


class RecordingExecutor(LocalExecutor):
    """Notes what each tmux client was asked."""

    def __init__(self) -> None:
        super().__init__(os.environ)
        self.asked: list[str] = []

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,  # noqa: ASYNC109 the contract
        max_output: int = 16 * 1024 * 1024,
    ) -> ProgramResult:
        self.asked.append(stdin.decode())
        return await super().run(argv, stdin=stdin, timeout=timeout, max_output=max_output)

    def with_styles(self) -> int:
        return sum("capture-pane -p -e" in asked for asked in self.asked)


class ObservedPane:
    """A pane that shows one of the screens and runs a process of its agent's name, and rounds of it."""

    def __init__(self, tmux: Tmux, folder: Path) -> None:
        self.tmux, self.folder = tmux, folder
        self.executor, self.ears = RecordingExecutor(), RecordingSink()
        argv = ["tmux", "-u", "-S", str(tmux.socket)]
        self.title = "toy"
        self.later = 0  # ns that the observer's clock is ahead
        self.registry = discover([])
        self.observer = Observer("t", self.executor, lambda: argv, self.registry, self.ears, self.clock, local=True)

    def clock(self) -> int:
        return time.time_ns() + self.later

    def start(self, screen: Screen) -> str:
        program = self.folder / screen.agent
        shutil.copy2(Path(shutil.which("sleep") or "/bin/sleep").resolve(), program)
        self.title = screen.sample.title
        command = f"stty raw -echo; CLAUDE_CONFIG_DIR={self.folder} {program} 600; true"
        pane = self.tmux.start("sh", "-c", command, cols=screen.sample.cols, rows=screen.sample.rows)
        self.draw(pane, screen.drawing)
        return pane

    def draw(self, pane: str, drawing: str) -> None:
        """Returns when the terminal has taken all of it in: the title comes last."""
        self.tmux.run("select-pane", "-t", pane, "-T", "pending")
        Path(self.tmux.show(pane, "#{pane_tty}")).write_text(f"{drawing}\x1b]2;{self.title}\x1b\\")
        until(lambda: self.tmux.show(pane, "#{pane_title}") != "pending", what="it is drawn")

    def said(self) -> Write | None:
        """What the screen said last."""
        agents = list(self.observer.roster.agents.values())
        steady = agents[0].steady.get(Source.POLLER) if agents else None
        return None if steady is None else steady.current

    async def becomes(self, accepts: bool | None) -> None:
        """Rounds until the field is told to accept input, or not."""
        await self._until(lambda write: write.accepts_input is accepts)

    async def follows(self, rule: str) -> None:
        """Rounds until this rule speaks."""
        await self._until(lambda write: write.rule == rule)

    async def _until(self, fits: Callable[[Write], bool]) -> None:
        deadline = asyncio.get_running_loop().time() + 20
        while True:
            await self.observer.once()
            write = self.said()
            if write is not None and fits(write):
                return
            assert asyncio.get_running_loop().time() < deadline, write
            await asyncio.sleep(0.05)


@pytest.fixture
async def watched(tmux: Tmux, short_dir: Path) -> AsyncIterator[ObservedPane]:
    made = ObservedPane(tmux, short_dir)
    yield made
    await made.executor.close()


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize("agent", ["claude", "codex", "gemini"])
async def test_a_draft_of_a_placeholders_words_is_told_from_it_by_rounds(watched: ObservedPane, agent: str) -> None:
    watched.start(screens.load(f"{agent}/hint-words-home"))
    await watched.becomes(False)


@pytest.mark.tc("TC-107", "TC-109")
async def test_a_text_in_the_field_is_captured_with_its_attributes_once_in_a_round_of_its_own_kind(
    watched: ObservedPane,
) -> None:
    queued = screens.load("claude/queued")
    unknown = queued.drawing.replace("ress up to edit queued messages", "ractise what another version says")
    pane = watched.start(queued)
    watched.draw(pane, unknown)
    await watched.becomes(True)
    assert watched.executor.with_styles() == 1
    before, rounds = len(watched.executor.asked), watched.observer.rounds
    for words in ("another row of output", "and one more"):
        watched.draw(pane, f"\x1b7\x1b[1;1H{words}\x1b8")  # the screen changes, the field does not
        await watched.observer.once()
        assert watched.said() is not None
        await watched.becomes(True)
    assert watched.executor.with_styles() == 1
    assert len(watched.executor.asked) - before == watched.observer.rounds - rounds
    watched.draw(pane, unknown.replace("\x1b[0;2m", "\x1b[0m").replace("ractise", "retend"))
    await watched.becomes(False)
    assert watched.executor.with_styles() == 2


@pytest.mark.tc("TC-107")
async def test_a_placeholder_that_took_the_place_of_the_same_words_is_noticed_in_time(watched: ObservedPane) -> None:
    screen = screens.load("codex/hint-words-home")
    pane = watched.start(screen)
    await watched.becomes(False)
    placeholder = "\x1b[2mAsk Codex to do anything\x1b[0m"
    watched.draw(pane, screen.drawing.replace("Ask Codex to do anything", placeholder))
    for _ in range(3):
        await watched.observer.once()
    assert watched.executor.with_styles() == 1  # nothing else changed, so nobody looked
    watched.later = STYLES_HOLD
    await watched.becomes(True)
    assert watched.executor.with_styles() == 2


@pytest.mark.tc("TC-107")
async def test_without_colours_rounds_leave_an_unknown_text_unknown(watched: ObservedPane) -> None:
    pane = watched.start(screens.load("claude/draft-home-no-color"))
    await watched.becomes(None)
    for _ in range(3):
        await watched.observer.once()
    assert watched.said() is not None
    assert watched.executor.with_styles() == 1, pane


TOY = """
format = 1
agent = "toy"
[process]
names = ["toy"]
[[rule]]
name = "left"
claim = "running"
strength = "hint"
all = [{ contains = "Which way" }, { row = '(Left)', style = "reverse" }]
[[rule]]
name = "right"
claim = "running"
strength = "hint"
all = [{ contains = "Which way" }, { row = '(Right)', style = "reverse" }]
"""


@pytest.mark.tc("TC-046")
async def test_a_rule_that_asks_how_text_is_drawn_follows_what_changes_in_style_alone(
    watched: ObservedPane, short_dir: Path
) -> None:
    watched.registry.use_rules({"toy": load(TOY, "toy.toml", "toy")})
    shutil.copy2(Path(shutil.which("sleep") or "/bin/sleep").resolve(), short_dir / "toy")
    pane = watched.tmux.start("sh", "-c", f"stty raw -echo; {short_dir}/toy 600; true")
    watched.draw(pane, "\x1b[HWhich way?\r\n\x1b[7mLeft\x1b[0m Right")
    await watched.follows("left")
    watched.draw(pane, "\x1b[HWhich way?\r\nLeft \x1b[7mRight\x1b[0m")
    await watched.follows("right")
    watched.draw(pane, "\x1b[2J\x1b[HNo way.")
    await watched.follows("no rule matched")
    before = watched.executor.with_styles()
    await watched.observer.once()
    assert watched.executor.with_styles() == before


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize("name", [name for name in NAMES if screens.load(name).typed and "home" not in name])
def test_a_cursor_behind_a_draft_is_seen_there_whatever_frames_the_field(name: str) -> None:
    screen = screens.load(name)
    adapter = discover([]).get(screen.agent)
    assert adapter is not None
    controls = adapter.controls()
    assert controls is not None
    assert controls.at_end(screen.plain)
