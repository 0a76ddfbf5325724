"""The table of runbooks/actions.md: what each action does to a pane in each condition, and how many bytes arrive."""

from __future__ import annotations

import ast
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from agtmux.cli.action_options import uuid7
from agtmux.protocol.errors import AgtmuxError
from tests.acceptance.stage import PATIENCE, Actor, Daemon, Item
from tests.conftest import Tmux, until

RUNBOOK = Path(__file__).parents[2] / "runbooks" / "actions.md"

ACTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "text": ("send", {"text": "hi"}),
    "Enter": ("send", {"enter": True}),
    "key Down": ("send", {"keys": ["Down"]}),
    "shell": ("send", {"text": "hi", "shell": True}),
    "approve": ("approve", {}),
    "deny": ("deny", {}),
    "answer 1": ("answer", {"option": 1}),
    "interrupt": ("interrupt", {}),
    "kill": ("kill", {}),
    "signal": ("kill", {"mode": "signal"}),
    "attach": ("attach", {}),
    "view": ("view-output", {}),
    "ack": ("ack", {}),
}
HARMLESS = frozenset({"key Down", "signal", "attach", "view"})
"""Done, they leave the stand-in in its condition: it ignores SIGINT."""
CONDITIONS = (
    "idle", "draft", "running", "approval open", "copy mode", "synchronised", "input off", "suspended", "dead pane",
    "plain shell", "replaced",
)  # fmt: skip


def table() -> dict[str, dict[str, str]]:
    """Condition → action → what the runbook says: a reason, or ``done`` and the bytes that arrive."""
    lines = RUNBOOK.read_text("utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("| condition |"))
    head = [cell.strip() for cell in lines[start].split("|")[2:-1]]
    out: dict[str, dict[str, str]] = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        name, *cells = [cell.strip() for cell in line.split("|")[1:-1]]
        out[name] = dict(zip(head, cells, strict=True))
    return out


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


class Scene:
    """One pane in one condition. ``ref`` is what the action is asked for."""

    def __init__(self, daemon: Daemon, tmux: Tmux, one: Actor) -> None:
        self.daemon, self.tmux, self.one = daemon, tmux, one
        self.row = one.ready(daemon)
        self.settle()

    def settle(self) -> None:
        """Until its state has stood for a moment: a start shows in several steps."""
        self.until(lambda row: time.time() - _seconds(row["updated_at"]) > 0.5)

    @property
    def ref(self) -> str:
        return str(self.row["ref"])

    def make(self, condition: str) -> None:
        """Bring the pane into its condition, from being idle or from what an action left of the condition."""
        one, daemon, tmux = self.one, self.daemon, self.tmux
        if condition == "draft":
            one.tell(draft="mine")
            self.until(lambda row: row["accepts_input"] is False)
        elif condition == "running":
            one.tell(run=True)
            self.until(lambda row: row["state"] == "running")
        elif condition == "approval open":
            self.row = one.asks(daemon)
        elif condition == "copy mode":
            tmux.run("copy-mode", "-t", one.pane)
        elif condition == "synchronised":
            tmux.run("set-option", "-p", "-t", one.pane, "synchronize-panes", "on")
        elif condition == "input off":
            tmux.run("select-pane", "-d", "-t", one.pane)
        elif condition == "suspended":
            os.kill(one.pid, signal.SIGSTOP)  # its shell takes the terminal back
            self.until(lambda row: row["reason_code"] == "suspended")
        if condition in ("draft", "running", "approval open", "suspended"):
            self.settle()

    def until(self, fits: Callable[[Item], bool]) -> None:
        def there() -> Item | None:
            row = self.daemon.pane(self.one.pane)
            return row if row is not None and fits(row) else None

        found = until(there, within=PATIENCE, what=f"{self.daemon.pane(self.one.pane)}")
        self.row = found or {}

    def ask(self, name: str, expected: str) -> str:
        """What came of an action: the reason or code of its refusal, or ``done`` and what arrived.

        ``expected``: what the table says; bytes that it tells of are waited for, tmux writes them when it likes.
        """
        kind, body = ACTIONS[name]
        body = {"request_ref": uuid7(), "ref": self.ref, **body}
        if kind in ("approve", "deny", "answer"):
            waiting = self.row.get("waiting_for") or {}
            body |= {"if_state_version": self.row["state_version"] or 0,
                     "if_fingerprint": waiting.get("fingerprint") or "0" * 64}  # fmt: skip
        before = len(self.one.keys())
        try:
            self.daemon.client.act(kind, body, PATIENCE)
            message = "done"
        except AgtmuxError as error:
            message = str(error.details.get("reason") or error.code)
        size = len(ast.literal_eval(expected.split("`")[1])) if "`" in expected and message == "done" else 0
        end = time.monotonic() + PATIENCE
        while len(self.one.keys()) < before + size and time.monotonic() < end:
            time.sleep(0.005)
        arrived = self.one.keys()[before:]
        return f"{message} `{arrived!r}`" if arrived else message


@pytest.fixture
def scene(daemon: Daemon, tmux: Tmux, actor: Callable[..., Actor]) -> Iterator[Callable[[], Scene]]:
    """Makes scenes on one daemon."""
    daemon.start()
    made: list[Scene] = []

    def make() -> Scene:
        made.append(Scene(daemon, tmux, actor().start_in_shell(f"scene{len(made)}")))
        return made[-1]

    yield make
    for one in made:
        if Path(f"/proc/{one.one.pid}").exists():
            os.kill(one.one.pid, signal.SIGCONT)


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_runbook_tells_what_each_action_does_to_a_pane(
    condition: str, scene: Callable[[], Scene], tmux: Tmux, actor: Callable[..., Actor], daemon: Daemon
) -> None:
    answer: dict[str, str] = {}
    now = scene()
    fresh = True
    for name in ACTIONS:
        if condition == "plain shell":
            pane = tmux.start("sh", session=f"shell{len(answer)}")
            until(lambda: daemon.pane(pane) is not None, within=PATIENCE)  # noqa: B023 asked here and now
            now.row = {**(daemon.pane(pane) or {}), "state_version": 1}
        elif condition == "dead pane" and fresh:
            tmux.run("set-option", "-t", now.one.pane, "remain-on-exit", "on")
            tmux.run("respawn-pane", "-k", "-t", now.one.pane, "true")
            now.until(lambda row: row["runtime_id"] is None)
            now.row = {**(daemon.pane(now.one.pane) or {}), "state_version": 1}
        elif condition == "replaced" and fresh:
            old = now.row
            next_one = actor().start_in("respawn-pane", "-k", "-t", now.one.pane)
            next_one.ready(daemon)
            now.one, now.row = next_one, {**old, "ref": f"runtime:{old['runtime_id']}"}
        elif condition not in ("dead pane", "replaced"):
            last = next(reversed(answer), "")
            if not fresh and last not in HARMLESS and answer[last].startswith("done"):
                now = scene()  # an action that was done may have changed the condition
                now.make(condition)
            elif fresh:
                now.make(condition)
        fresh = False
        answer[name] = now.ask(name, table()[condition][name])
    print("| " + " | ".join([condition, *answer.values()]) + " |")
    assert answer == table()[condition]
