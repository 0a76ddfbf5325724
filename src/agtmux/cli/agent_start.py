"""Wait until the daemon sees an agent in a new pane, and until it accepts input (for ``agtmux new``).

Owns when that is over. It only follows the stream, also over a restart of the daemon.
"""

from __future__ import annotations

import json
import time

from agtmux.cli.context import App
from agtmux.cli.live import Follower, Rows
from agtmux.protocol.errors import AgtmuxError
from agtmux.render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    Item = Mapping[str, Any]

HOST = "host"
"""The target of the user's own tmux server."""
_TICK = 0.25
_SHELLS = frozenset({"bash", "dash", "zsh", "fish", "ksh", "mksh", "tcsh", "csh", "nu", "xonsh", "elvish"})
"""A pane that shows one of these: the program in it has ended. (``sh`` is what runs the program.)"""


class AgentStart:
    """The start of one agent in the pane ``pane_id`` of ``target``, which is its own. ``seconds``: for all of it."""

    def __init__(self, app: App, target: str, pane_id: str, seconds: float) -> None:
        self._app, self._pane_id, self._target = app, pane_id, target
        self._end, self._seconds = time.monotonic() + seconds, seconds
        self._item: Item | None = None
        self._shown: str | None = None
        self._changes = self._follow()

    def until_seen(self) -> Item:
        """Return the row of the pane once an agent is seen in it. Raises E_TIMEOUT, E_RUNTIME_STALE."""
        return self._until(lambda item: item.get("runtime_id") is not None)

    def until_ready(self) -> Item:
        """Return the row once the agent accepts input. What it asks before is printed. Raises as ``until_seen``."""
        return self._until(lambda item: item.get("accepts_input") is True)

    def _until(self, fits: Callable[[Item], bool]) -> Item:
        while self._item is None or not fits(self._item):
            if self._item is not None:
                self._say_what_it_asks(self._item)
            self._item = next(self._changes)
            self._check(self._item)
        return self._item

    def _follow(self) -> Iterator[Item]:
        """Yield the row of the pane whenever it has changed. Raises E_TIMEOUT, and E_RUNTIME_STALE if it is closed."""

        def tick() -> None:
            if time.monotonic() > self._end:
                raise self._late()

        params = {"scope": "panes", "all": "true", "cursor": None}
        rows, was = Rows(), False
        for raw in Follower(self._app, params, reconnect=True).lines(tick, _TICK):
            if rows.apply(json.loads(raw)):
                mine = [item for item in rows.body["items"] if self._is_mine(item)]
                if mine:
                    was = True
                    yield mine[0]
                elif was:
                    raise AgtmuxError("E_RUNTIME_STALE", f"the pane {self._pane_id} was closed")
            tick()
        raise AgtmuxError("E_INTERNAL", "the daemon ended the stream: run the command again")

    def _is_mine(self, item: Item) -> bool:
        return (item["identity"]["target"], item["identity"]["pane_id"]) == (self._target, self._pane_id)

    def _check(self, item: Item) -> None:
        """Raise E_RUNTIME_STALE if the program has ended. Some agents start themselves again: that is no end."""
        ended = item.get("runtime_id") is None or item.get("reason_code") == "agent_crashed"
        if ended and item.get("command") in _SHELLS:
            raise AgtmuxError("E_RUNTIME_STALE", f"the agent in {self._pane_id} has ended: see why with {self._see()}")

    def _say_what_it_asks(self, item: Item) -> None:
        """Print a request of the agent once: a person may answer it while this waits."""
        waiting = item.get("waiting_for") or {}
        if item.get("accepts_input") is True or not waiting:
            return
        text = ": ".join(clean(waiting[key]) for key in ("subject", "text") if waiting.get(key)) or "an answer"
        if text != self._shown:
            self._shown = text
            self._app.say(f"it waits for you ({text}): answer with agtmux attach {self._ref()}; still waiting")

    def _late(self) -> AgtmuxError:
        item = self._item or {}
        if item.get("runtime_id") is None:
            what = f"no agent was seen in {self._pane_id}"
        else:
            asks = f", which waits for you ({self._shown})" if self._shown else ""
            what = f"the agent in {self._pane_id} is {clean(item.get('state'))}{asks} and does not accept input yet"
        return AgtmuxError("E_TIMEOUT", f"{what} after {self._seconds:g} s: see it with {self._see()}")

    def _see(self) -> str:
        return f"agtmux view-output {self._ref()}"

    def _ref(self) -> str:
        """Return what names the pane on a command line. Panes of several servers can have the same id."""
        return self._pane_id if self._target == HOST else str((self._item or {}).get("ref") or self._pane_id)
