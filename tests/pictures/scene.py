"""A machine for pictures: a private tmux server with agents in real git repositories, and a real daemon.

The agents are the stand-ins of the acceptance tests: they report by the real hooks. Another picture may add its own.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.stage import PROGRAMS, Agent, Daemon, Place
from tests.conftest import Tmux, until
from tests.git_repo import git, repository
from tests.pictures.terminal import printed


@dataclass(slots=True)
class Scene:
    """Agents by the name of their session, all in the states that the picture wants."""

    place: Place
    daemon: Daemon
    tmux: Tmux
    agents: dict[str, Agent] = field(default_factory=dict)

    def agtmux(self, *argv: str, columns: int) -> str:
        """Return what ``agtmux`` prints on a terminal, with its colours."""
        return printed([str(PROGRAMS / "agtmux"), *argv], self.place.env, columns=columns)

    def start(self, session: str, name: str, folder: Path) -> Agent:
        """Start an agent in a folder, and wait until the daemon shows it with its project."""
        agent = self.agents[session] = Agent(self.tmux, self.place, name)
        agent.start_in("new-session", "-s", session, "-c", str(folder))
        until(lambda: (self.daemon.pane(agent.pane) or {}).get("project"), within=40, what=f"{session} is shown")
        return agent


@contextmanager
def machine() -> Iterator[Scene]:
    """Give a machine without agents. All of it ends with the block."""
    root = Path(tempfile.mkdtemp(prefix="agt", dir="/tmp"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        tmux = Tmux(root / "tmux")
        stack.callback(tmux.stop)
        place = Place(root)
        tmux.env = dict(place.env)
        place.configure(tmux)
        daemon = Daemon(place).start()
        stack.callback(daemon.close)
        yield Scene(place, daemon, tmux)


@contextmanager
def usual() -> Iterator[Scene]:
    """Give a machine with five agents: two that ask, one at work, one that finished, one that failed."""
    with machine() as scene:
        home = scene.place.root / "src"
        agtmux = repository(home / "agtmux")
        git(agtmux, "worktree", "add", "-q", "-b", "fix/names", str(home / "rows"))
        webshop = repository(home / "webshop")
        (home / "notes").mkdir()
        asks = scene.start("rows", "claude", home / "rows")
        runs = scene.start("main", "claude", agtmux)
        question = scene.start("shop", "codex", webshop)
        done = scene.start("notes", "claude", home / "notes")
        failed = scene.start("api", "claude", repository(home / "api", branch="next"))
        runs.hook("UserPromptSubmit", prompt="count the tests that wait for a file")
        done.hook("UserPromptSubmit", prompt="sort the notes of last week")
        done.hook("Stop", last_assistant_message="I sorted 14 notes into 3 folders.\nDetails follow.")
        failed.hook("UserPromptSubmit", prompt="add a route for invoices")
        failed.hook("StopFailure", error="rate_limit", error_details="429 too many requests")
        question.ask("psql -c 'drop table carts'")
        asks.ask("git push --force-with-lease origin fix/names")
        for agent, state in (
            (asks, "waiting_approval"), (question, "waiting_approval"), (runs, "running"), (done, "completed"),
            (failed, "error"),
        ):  # fmt: skip
            scene.daemon.wait_for(agent.pane, state)
        yield scene
