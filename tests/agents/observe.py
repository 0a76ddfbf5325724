"""A private agtmuxd over a world, and what ``agtmux watch`` streamed of it, as sequences of states per pane."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.agents.world import World

BIN = Path(sys.executable).parent
GONE = "gone"
"""Stands for: the pane is not listed (no agent, or it left in order)."""


class Daemon:
    """``agtmuxd`` in the foreground, watching the world's tmux server as target ``host``. A context manager."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.log = world.root / "agtmuxd.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.world.config.write_text(f'[host]\ntmux_socket = "{self.world.tmux.socket}"\n')
        self.start()
        return self

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self.log.open("ab") as log:
            # a session of its own: Ctrl-C at the terminal is the caller's to handle
            self._process = subprocess.Popen(
                [str(BIN / "agtmuxd")],
                env=self.world.env(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + 15
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                self._process.kill()
                self._process.wait()
                raise AssertionError(f"agtmuxd did not come up:\n{self.tail()}")
            time.sleep(0.05)

    def crash(self) -> None:
        """End it by SIGKILL, as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"agtmuxd did not stop:\n{self.tail()}") from None

    def tail(self, lines: int = 30) -> str:
        """The last lines of its log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"

    def cli(self, *args: str, check: bool = True, env: dict[str, str] | None = None) -> str:
        """Standard output of ``agtmux ARGS`` in this world. Raises AssertionError if it fails and ``check`` is set."""
        command, full = [str(BIN / "agtmux"), *args], self.world.env(**(env or {}))
        done = subprocess.run(command, env=full, capture_output=True, text=True, timeout=30, check=False)
        assert not check or done.returncode == 0, f"agtmux {' '.join(args)}: {done.stdout}{done.stderr}"
        return done.stdout

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as s:
            try:
                s.connect(str(self.world.runtime / "agtmuxd.sock"))
            except OSError:
                return False
        return True


class Watch:
    """``agtmux watch --format jsonl`` as a process; every state it streamed, per pane, in order. A context manager."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self._lock = threading.Lock()
        self._states: dict[str, list[str]] = {}
        self._items: dict[str, dict[str, Any]] = {}
        self._read: dict[str, int] = {}  # how many of _states a test has accounted for
        self._trace: list[str] = []
        self._born = time.monotonic()

    def __enter__(self) -> Self:
        command = [str(BIN / "agtmux"), "watch", "--format", "jsonl"]
        self._process = subprocess.Popen(
            command,
            env=self.daemon.world.env(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._thread.join(5)
        if self._process.stdout is not None:
            self._process.stdout.close()

    # ------------------------------------------------ reading
    def _follow(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                body = json.loads(line)
            except ValueError:
                self._note(f"not JSON: {line.rstrip()}")
                continue
            self._take(body)

    def _take(self, body: dict[str, Any]) -> None:
        with self._lock:
            if body.get("type") == "snapshot":
                listed = {str(item["identity"]["pane_id"]): item for item in body.get("items", [])}
                for pane in [*self._states, *listed]:
                    self._put(pane, listed.get(pane))
            for change in body.get("changes", []):
                item = change.get("item") if change["op"] == "upsert" else None
                self._put(str(change["identity"]["pane_id"]), item)

    def _put(self, pane: str, item: dict[str, Any] | None) -> None:
        """One pane's present row, or None when it is not listed. The lock is held."""
        state = str(item["state"]) if item else GONE
        states = self._states.setdefault(pane, [])
        self._items[pane] = item or {}
        if states[-1:] != [state]:
            states.append(state)
            self._note(f"{pane} {state} {(item or {}).get('reason_code') or ''} {(item or {}).get('source') or ''}")

    def _note(self, text: str) -> None:
        self._trace.append(f"{time.monotonic() - self._born:8.2f} {text}")

    # ------------------------------------------------ asking
    def states(self, pane: str) -> list[str]:
        """Every state of the pane so far, changes only; ``gone`` where it was not listed."""
        with self._lock:
            return list(self._states.get(pane, []))

    def item(self, pane: str) -> dict[str, Any]:
        """The pane's present row; empty when it is not listed."""
        with self._lock:
            return dict(self._items.get(pane, {}))

    def wait_for(self, pane: str, seen: Callable[[dict[str, Any]], bool], timeout: float = 30) -> dict[str, Any]:
        """The first row of the pane for which ``seen`` holds."""
        end = time.monotonic() + timeout
        while not seen(item := self.item(pane)):
            assert time.monotonic() < end, f"pane {pane} is {item}\n{self.trace()}\nexplain:\n{self._explain(pane)}"
            time.sleep(0.05)
        return item

    def trace(self) -> str:
        """All that was streamed, with seconds, for a failure's message."""
        return "\n".join(self._trace[-60:])

    def expect(
        self, pane: str, *states: str, timeout: float = 20, starting: bool = False, idle_first: bool = False
    ) -> None:
        """The next states of the pane are exactly these; waits for the last one. Anything between them fails.

        ``idle_first``: ``idle`` may come before them, because the agent itself shows it.

        ``starting``: ``unknown`` and ``gone`` may come in between, and the last state again (an agent that starts, or
        starts itself again, or asks twice); also a start-up dialog that was answered before or after the first look.
        """
        noise = {"unknown", GONE, "waiting_input"} - set(states) if starting else set()
        end = time.monotonic() + timeout
        while True:
            done = self._read.get(pane, 0)
            new = self.states(pane)[done:]
            seen = [s for s in new if s not in noise]
            if idle_first and seen[:1] == ["idle"] != list(states[:1]):
                seen = seen[1:]
            if starting:  # what was filtered out may have split a state in two
                before = self.states(pane)[:done][-1:]
                seen = [s for i, s in enumerate(seen) if [s] != (seen[i - 1 : i] if i else before)]
            if seen == list(states) and new[-1:] == seen[-1:]:
                self._read[pane] = done + len(new)
                return
            if seen != list(states)[: len(seen)] or time.monotonic() > end:
                want, got = " → ".join(states), " → ".join(new) or "nothing"
                raise AssertionError(
                    f"pane {pane}: expected {want}; agtmux watch streamed {got}\n"
                    f"{self.trace()}\nexplain:\n{self._explain(pane)}\nlog:\n{self.daemon.tail()}"
                )
            time.sleep(0.05)

    def expect_quiet(self, pane: str, seconds: float = 1.0) -> None:
        """No further state for so long: what was shown last stays."""
        time.sleep(seconds)
        new = self.states(pane)[self._read.get(pane, 0) :]
        assert not new, f"pane {pane}: unasked states {new}\n{self.trace()}\nexplain:\n{self._explain(pane)}"

    def _explain(self, pane: str) -> str:
        ref = self.item(pane).get("ref")
        return self.daemon.cli("explain", str(ref), check=False) if ref else "(not listed)"
