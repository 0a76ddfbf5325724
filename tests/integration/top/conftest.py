"""The dashboard on a screen in memory, before a stub of the daemon."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from agtmux.client import Client
from agtmux.top.app import Dashboard
from agtmux.top.card import HELD
from agtmux.top.feed import Feed
from agtmux.top.keys import DEFAULTS
from agtmux.top.panels import Options
from tests.unit.top.stage import Stage

Open = Callable[..., AbstractAsyncContextManager["Seen"]]


class Seen:
    """A running dashboard: ``text`` is what its screen shows, ``press`` its keyboard."""

    def __init__(self, app: Dashboard, pilot: Pilot[Any], stage: Stage) -> None:
        self.app, self.pilot, self.stage = app, pilot, stage

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    @property
    def text(self) -> str:
        """All rows of the screen."""
        width, height = self.app.size
        lines = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in line)[:width].rstrip() for line in lines[:height])

    @property
    def rows(self) -> list[str]:
        return self.text.split("\n")

    async def until(self, what: Callable[[], object], within: float = 10.0) -> None:
        """Wait until something is true, letting the dashboard run."""
        end = time.monotonic() + within
        while not what():
            if time.monotonic() > end:
                pytest.fail(f"not within {within:g} s; the screen shows:\n{self.text}")
            await self.pilot.pause(0.01)

    async def shows(self, *words: str) -> None:
        await self.until(lambda: all(word in self.text for word in words))

    def later(self, seconds: float = 1.0) -> None:
        """Let time pass for cards: strokes that come too soon do not count."""
        self.app.options.clock.now += seconds  # type: ignore[attr-defined]

    async def strike(self, key: str) -> None:
        """Press a key on a card that could be read, and let it go."""
        self.later()
        await self.press(key)
        self.later()
        await self.pilot.pause(HELD + 0.05)


class Clock:
    """The time of cards, in the test's hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def stages(short_dir: Path) -> Iterator[Callable[..., Stage]]:
    """Makes a stub of the daemon that serves these rows."""
    made: list[Stage] = []

    def make(*items: dict[str, Any]) -> Stage:
        made.append(Stage(short_dir, *items).start())
        return made[-1]

    yield make
    for stage in made:
        stage.stop()


@pytest.fixture
def dashboard(short_dir: Path) -> Open:
    """Opens a dashboard before a stub: ``async with dashboard(stage, size=(80, 24)) as seen``."""

    @asynccontextmanager
    async def start(stage: Stage, size: tuple[int, int] = (80, 24), **options: Any) -> AsyncIterator[Seen]:
        def client(first: bool = False) -> Client:
            return Client([str(short_dir / "run" / "agtmuxd.sock")], timeout=5.0)

        feed = Feed(client)
        feed.start()
        feed.first()
        app = Dashboard(feed, client, Options(**{"keymap": DEFAULTS, "clock": Clock(), **options}))
        async with app.run_test(size=size) as pilot:
            seen = Seen(app, pilot, stage)
            await pilot.pause()
            yield seen
        feed.stop()

    return start
