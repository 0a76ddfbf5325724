"""Makes pictures of the web page: all agents on a desktop, one request on a phone.

``python -m tests.pictures.web_page -o docs/images`` writes ``web-desktop.png`` and ``web-phone.png``. ``--dark`` and
``--light`` choose the colours of both.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.acceptance.actor import APPROVAL, RULE
from tests.browser.browsing import Web, live, says, started
from tests.conftest import until
from tests.git_repo import git, repository
from tests.pictures.scene import Scene, machine

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PUSH = "git push --force-with-lease origin fix/names"
QUESTION = (
    RULE, " ☐ Database", "", "Which database should the tests of the shop use?", "", "❯ 1. SQLite, in memory",
    "  2. PostgreSQL, as in production", "  3. Type something.", RULE, "  4. Chat about this", "",
    "Enter to select · ↑/↓ to navigate · Esc to cancel",
)  # fmt: skip
VIEWS: dict[str, dict[str, Any]] = {
    "web-desktop": {"viewport": {"width": 1280, "height": 760}, "color_scheme": "light"},
    "web-phone": {"viewport": {"width": 375, "height": 760}, "color_scheme": "dark", "device_scale_factor": 2},
}
"""The size and colours of each picture."""


@contextmanager
def busy() -> Iterator[Scene]:
    """Give a machine with six agents: one asks for approval, one has a question, and each other state once."""
    with machine() as scene:
        home = scene.place.root / "src"
        agtmux = repository(home / "agtmux")
        git(agtmux, "worktree", "add", "-q", "-b", "fix/names", str(home / "rows"))
        (home / "notes").mkdir()
        asks = scene.start("rows", "claude", home / "rows")
        asks.draw("\n".join(APPROVAL).replace("{command}", PUSH).replace("Do it", "Push the branch"))
        wonders = scene.start("shop", "claude", repository(home / "webshop"))
        wonders.draw("\n".join(QUESTION))
        runs = scene.start("main", "claude", agtmux)
        done = scene.start("notes", "claude", home / "notes")
        failed = scene.start("api", "codex", repository(home / "api", branch="next"))
        rests = scene.start("infra", "claude", repository(home / "infra"))
        runs.hook("UserPromptSubmit", prompt="count the tests that wait for a file")
        done.hook("UserPromptSubmit", prompt="sort the notes of last week")
        done.hook("Stop", last_assistant_message="I sorted 14 notes into 3 folders.\nDetails follow.")
        failed.hook("UserPromptSubmit", prompt="add a route for invoices")
        rests.draw("\n".join((RULE, "❯ ", RULE, "  ? for shortcuts")))
        for agent, state in (
            (asks, "waiting_approval"), (wonders, "waiting_input"), (runs, "running"), (done, "completed"),
            (failed, "running"), (rests, "idle"),
        ):  # fmt: skip
            scene.daemon.wait_for(agent.pane, state)
        yield scene


def pictures(scene: Scene, chromium: Browser, folder: Path, colours: str | None = None) -> list[Path]:
    """Write the pictures into a folder, and return their paths. ``colours``: light or dark, for both."""
    web, made = Web(scene.place, scene.daemon, chromium), []
    for name, view in VIEWS.items():
        tab = web.open("act", **{**view, **({"color_scheme": colours} if colours else {})})
        live(tab)
        says(tab, ".card", PUSH)
        until(lambda tab=tab: tab.locator(".moving").count() == 0, within=40, what="the cards stand still")  # type: ignore[misc]
        made.append(folder / f"{name}.png")
        tab.screenshot(path=made[-1], animations="disabled")
    assert web.close() == []
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path(), help="folder for the pictures")
    parser.add_argument("--dark", dest="colours", action="store_const", const="dark")
    parser.add_argument("--light", dest="colours", action="store_const", const="light")
    options = parser.parse_args()
    with busy() as scene, started() as chromium:
        for path in pictures(scene, chromium, options.output, options.colours):
            print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
