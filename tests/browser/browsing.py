"""A real browser before the web page of a real daemon: headless Chromium, one context for each test.

Owns no expectation, but one: the page must log no error and break no rule of its content security policy.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.stage import PATIENCE, Agent, Daemon, Item, Place
from tests.conftest import until

if TYPE_CHECKING:  # the other tests of this folder need no browser
    from playwright.sync_api import Browser, BrowserContext, Page

MS = PATIENCE * 1000
PHONE = {"width": 375, "height": 812}
DESKTOP = {"width": 1280, "height": 800}
AXE = sorted((Path(__file__).parents[2] / ".cache" / "axe-core").glob("*/axe.min.js"))
LOST = ("net::ERR_", "401 (Unauthorized)", "412 (Precondition Failed)", "403 (Forbidden)")
"""What the browser itself logs for answers that a test provokes."""


@contextmanager
def started() -> Iterator[Browser]:
    """Debian's Chromium. Skips the test where there is none."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed: run scripts/setup.sh browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


class Web:
    """The web page of a daemon, and the tabs that look at it. ``errors``: what the tabs logged and should not have."""

    def __init__(self, place: Place, daemon: Daemon, browser: Browser) -> None:
        self.place, self.daemon, self._browser = place, daemon, browser
        self.errors: list[str] = []
        self._contexts: list[BrowserContext] = []
        self.url = str(daemon.client.web_on().json()["urls"][0])

    def link(self, scope: str = "act", name: str | None = None) -> str:
        """A single-use link."""
        return str(self.daemon.client.web_link({"scope": scope, "name": name}).json()["urls"][0])

    def context(self, **how: Any) -> BrowserContext:
        """A browser with an empty storage, as another device has."""
        made = self._browser.new_context(**{"viewport": DESKTOP, "service_workers": "block", **how})
        made.set_default_timeout(MS)
        made.on("weberror", lambda error: self.errors.append(str(error.error)))
        made.on("console", lambda line: self._hear(line.type, line.text))
        self._contexts.append(made)
        return made

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not any(word in text for word in LOST):
            self.errors.append(text)

    def open(self, scope: str = "act", path: str = "", *, context: BrowserContext | None = None, **how: Any) -> Page:
        """A tab of a newly linked device, at ``path`` such as ``p/host/%251``, once it shows what the daemon has."""
        tab = (context or self.context(**how)).new_page()
        tab.goto(self.link(scope))
        live(tab)
        if path:
            self.show(tab, path)
        return tab

    def show(self, tab: Page, path: str) -> None:
        tab.goto(f"{self.url}#/{path}")

    def watchers(self) -> int:
        return int(self.daemon.health()["counters"]["watchers"])

    def actions(self, one: Agent) -> list[Item]:
        """What was done to an agent, newest first."""
        found: list[Item] = self.daemon.client.actions({}).json()["items"]
        return [item for item in found if item["pane_id"] == one.pane]

    def close(self) -> list[str]:
        """Close all tabs. What they logged and should not have."""
        for one in self._contexts:
            one.close()
        errors = list(self.errors)
        self._contexts.clear()
        self.errors.clear()
        return errors


def live(tab: Page) -> None:
    """Wait until the tab follows the stream."""
    tab.locator("[data-f=status][data-status=live]").wait_for()


def hide(tab: Page, hidden: bool) -> None:
    """What a browser does when somebody looks at another tab or switches the phone off."""
    tab.evaluate(
        """hidden => {
            Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
            document.dispatchEvent(new Event('visibilitychange'));
        }""",
        hidden,
    )  # fmt: skip


def card(tab: Page, number: int = 0) -> Any:
    return tab.locator(".card").nth(number)


def says(tab: Page, selector: str, text: str) -> str:
    """Wait until an element has this text in it; all of its text."""
    found = tab.locator(selector, has_text=text).first
    found.wait_for()
    return found.inner_text()


def rows(tab: Page) -> list[tuple[str, str, str]]:
    """State, agent and place of each row that is shown."""
    shown: list[list[str]] = tab.locator(".row").evaluate_all(
        """all => all.map(row => ['state', 'who', 'where'].map(
            name => row.querySelector(`[data-f=${name}]`).textContent))"""
    )
    return [(one[0], one[1], one[2]) for one in shown]


def devices(place: Place) -> dict[str, Item]:
    return {one["name"]: one for one in place.json("web", "devices")["items"]}


def gone(tab: Page, selector: str) -> None:
    tab.locator(selector).first.wait_for(state="detached")


def settled(web: Web, count: int) -> None:
    """Wait until that many streams are open, as the daemon counts them."""
    until(lambda: web.watchers() == count, within=PATIENCE, what=f"{count} watchers, not {web.watchers()}")
