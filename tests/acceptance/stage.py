"""The helpers of the acceptance tests: a daemon, its command line, a watcher and a stand-in agent as real processes.

Everything lies in one short directory; nothing of the user's is read or touched.
"""

from __future__ import annotations

import json
import os
import queue
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pytest

from agtmux.client import Client
from tests.conftest import Tmux, clean_environment, until

PATIENCE = 40.0
"""Seconds until a test gives up on something that takes milliseconds on a machine with nothing else to do."""

PROGRAMS = Path(sys.executable).parent
STANDIN = Path(__file__).with_name("standin.py")
VOLATILE = (
    "generated_at",
    "emitted_at",
    "last_seen_at",
    "last_seen",
    "rtt_ms",
    "uptime_s",
    "age_s",
    "snapshot",
    "counters",
    "queues",
)

Item = dict[str, Any]


def lasting(value: Any) -> Any:
    """``value`` without the fields that move all the time."""
    if isinstance(value, dict):
        return {name: lasting(one) for name, one in value.items() if name not in VOLATILE}
    return [lasting(one) for one in value] if isinstance(value, list) else value


def pasted(text: str) -> bytes:
    """What arrives of a text for the input field of Claude Code, whose letters may be vim's commands."""
    return b"\x1b[200~" + text.encode() + b"\x1b[201~"


class Place:
    """The directories and the environment of one daemon and its clients."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runtime, self.state, self.home = root / "r", root / "s", root / "h"
        self.config = root / "c.toml"
        self.socket = self.runtime / "agtmuxd.sock"
        self.home.mkdir(exist_ok=True)
        self.env = clean_environment(
            {
                "HOME": str(self.home),
                "AGTMUX_RUNTIME_DIR": str(self.runtime),
                "AGTMUX_STATE_DIR": str(self.state),
                "AGTMUX_CONFIG": str(self.config),
                "TMUX_TMPDIR": str(root),
            }
        )

    def configure(self, tmux: Tmux, more: str = "") -> None:
        """Point the host target at ``tmux`` and look often, so that tests need not wait for quiet rounds."""
        self.config.write_text(
            f'{more.partition("[")[0]}\n[host]\ntmux_socket = "{tmux.socket}"\n'
            "[observe]\nquiet_interval = 0.25\nempty_interval = 0.25\n"
            + (("[" + more.partition("[")[2]) if "[" in more else "")
        )

    def cli(
        self, *arguments: str, env: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run ``agtmux`` to its end, without autostart unless ``arguments`` or ``env`` say otherwise."""
        return subprocess.run(
            [str(PROGRAMS / "agtmux"), *arguments], env={**self.env, "AGTMUX_NO_AUTOSTART": "1", **(env or {})},
            capture_output=True, text=True, timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL, cwd=folder,
        )  # fmt: skip

    def json(self, *arguments: str) -> Any:
        """The JSON that one successful ``agtmux`` call prints."""
        done = self.cli(*arguments, "--json")
        assert done.returncode == 0, (arguments, done.stderr)
        return json.loads(done.stdout)


class Daemon:
    """One ``agtmuxd`` in the foreground."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.log = place.root / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self.client = Client([str(place.socket)], timeout=PATIENCE)

    def launch(self, argv: Sequence[str] = (), **how: Any) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                argv or [str(PROGRAMS / "agtmuxd")], env=self.place.env, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, **how,
            )  # fmt: skip
        return self.process

    def start(self) -> Daemon:
        """Start and wait until it answers."""
        process = self.launch()
        until(lambda: self.answers() or process.poll() is not None, within=PATIENCE, what="agtmuxd answers")
        assert process.poll() is None, f"agtmuxd ended at once: {self.said()}"
        assert self.health()["pid"] == process.pid
        return self

    def answers(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            try:
                sock.connect(str(self.place.socket))
            except OSError:
                return False
        return True

    def send(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end; the exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def stop(self) -> int:
        return self.send(signal.SIGTERM)

    def kill9(self) -> None:
        self.send(signal.SIGKILL)

    def close(self) -> None:
        """Make sure that it has ended. Idempotent."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)

    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    # ------------------------------------------------------------ what it serves

    def panes(self, **params: str) -> list[Item]:
        found: list[Item] = self.client.listing("panes", params).json()["items"]
        return found

    def pane(self, pane_id: str, target: str = "host") -> Item | None:
        fits = [i for i in self.panes(all="true") if i["identity"]["pane_id"] == pane_id]
        return next((i for i in fits if i["identity"]["target"] == target), None)

    def wait_for(self, pane_id: str, state: str | None, target: str = "host") -> Item:
        """The row of a pane once its agent is in ``state`` (None: once it has no agent)."""

        def there() -> Item | None:
            item = self.pane(pane_id, target)
            return item if item is not None and item["state"] == state else None

        return until(there, within=PATIENCE, what=f"{pane_id} is {state}; {self.pane(pane_id, target)}") or {}

    def wait_agent(self, pane_id: str, target: str = "host") -> Item:
        """The row of a pane once an agent is seen in it."""

        def there() -> Item | None:
            item = self.pane(pane_id, target)
            return item if item is not None and item["runtime_id"] is not None else None

        return until(there, within=PATIENCE, what=f"an agent in {pane_id}") or {}

    def health(self) -> Item:
        return self.client.health().json()


class Watch:
    """``agtmux watch --json`` as a process; ``lines`` grows as it prints."""

    def __init__(self, place: Place, *arguments: str) -> None:
        self.lines: list[Item] = []
        self.raw: list[bytes] = []
        self._more: queue.Queue[bytes] = queue.Queue()
        self.errors = place.root / f"watch{len(list(place.root.glob('watch*')))}"
        with self.errors.open("wb") as stderr:
            self.process = subprocess.Popen(
                [str(PROGRAMS / "agtmux"), "watch", "--json", *arguments], stdin=subprocess.DEVNULL,
                env={**place.env, "AGTMUX_NO_AUTOSTART": "1"}, stdout=subprocess.PIPE, stderr=stderr,
            )  # fmt: skip
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._more.put(line)

    def until(self, fits: Callable[[Item], object]) -> Item:
        """The first line from now on that fits; those before it are in ``lines`` too."""

        def next_line() -> Item | None:
            while True:
                try:
                    raw = self._more.get_nowait()
                except queue.Empty:
                    return None
                self.raw.append(raw)
                self.lines.append(json.loads(raw))
                if fits(self.lines[-1]):
                    return self.lines[-1]

        what = f"a line of the watcher that fits; it said {self.errors.read_text()}"
        return until(next_line, within=PATIENCE, what=what) or {}

    def close(self) -> None:
        """End it. Idempotent."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE)
        if self.process.stdout is not None:
            self.process.stdout.close()


class Replay:
    """What a reader of the stream holds after each line: a snapshot with its changes applied."""

    def __init__(self) -> None:
        self.rows: dict[str, Item] = {}
        self.sequence = -1

    def take(self, line: Item) -> None:
        """Apply one line; a repeated or older one fails the test."""
        if line["type"] == "reset":
            return
        if line["type"] == "snapshot":
            self.rows = {self._key(item): item for item in line["items"]}
        elif line["type"] == "delta":
            assert line["sequence"] > self.sequence, f"{line['cursor']} came after {self.sequence}"
            for change in line["changes"]:
                key = self._key(change)
                if change["op"] == "delete":
                    del self.rows[key]
                    continue
                assert lasting(self.rows.get(key)) != lasting(change["item"]), f"{line['cursor']} changes nothing"
                self.rows[key] = change["item"]
        self.sequence = line["sequence"]

    @staticmethod
    def _key(item: Item) -> str:
        return json.dumps(item["identity"], sort_keys=True)

    def same_as(self, items: Sequence[Item]) -> bool:
        return bool(lasting(self.rows) == lasting({self._key(item): item for item in items}))


class Agent:
    """A stand-in agent in a pane: ``pane`` is its id, ``pid`` its process."""

    program_file = STANDIN

    def __init__(self, tmux: Tmux, place: Place, name: str = "claude") -> None:
        self.tmux, self.place, self.name = tmux, place, name
        number = len(list(place.root.glob("a*.sock")))
        self._socket = place.root / f"a{number}.sock"
        folder = place.root / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / name
        if not program.exists():
            program.symlink_to(Path(sys.executable).resolve())
        self.argv = [str(program), str(self.program_file), str(self._socket)]
        self.pane = ""
        self.pid = 0

    def start(self, session: str = "main") -> Self:
        """Run in a new session."""
        self.pane = self.tmux.start(*self.argv, session=session)
        return self._meet()

    def start_in(self, *tmux_command: str) -> Self:
        """Run by a tmux command that makes or fills a pane, e.g. ``("split-window", "-t", "main")``."""
        show = () if tmux_command[0] == "respawn-pane" else ("-d", "-P", "-F", "#{pane_id}")
        output = self.tmux.run(tmux_command[0], *show, *tmux_command[1:], "--", *self.argv)
        self.pane = output or tmux_command[tmux_command.index("-t") + 1]
        return self._meet()

    def start_in_shell(self, session: str = "main") -> Self:
        """Run as a job of an interactive shell in a new session."""
        self.pane = self.tmux.start("bash", "--norc", "--noprofile", "-i", session=session)
        self.tmux.run("send-keys", "-t", self.pane, "-l", shlex.join(self.argv))
        self.tmux.run("send-keys", "-t", self.pane, "Enter")
        return self._meet()

    def _meet(self) -> Self:
        until(self._socket.exists, within=PATIENCE, what="the stand-in listens")
        self.pid = int(self.tell()["pid"])
        return self

    def tell(self, **command: Any) -> Item:
        """Give one command and return the answer."""

        def reach() -> socket.socket | None:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.settimeout(PATIENCE)
            try:
                sock.connect(str(self._socket))
            except OSError:
                sock.close()
                return None
            return sock

        sock = until(reach, within=PATIENCE, what="the stand-in answers")
        assert sock is not None
        with sock, sock.makefile("rwb") as line:
            line.write(json.dumps(command).encode() + b"\n")
            line.flush()
            result = line.readline()
        answer: Item = json.loads(result) if result else {}
        return answer

    def draw(self, text: str) -> None:
        self.tell(draw=text)

    def title(self, text: str) -> None:
        self.tell(title=text)

    def hook(self, event: str, **payload: Any) -> None:
        """Call the real hook as an agent does; it must exit 0 and print nothing."""
        body = {"hook_event_name": event, "session_id": f"s-{self.pid}", **payload}
        argv = [str(PROGRAMS / "agtmux"), "hook", self.name]
        result = self.tell(hook={"argv": argv, "payload": body, "env": {}})
        if result != {"status": 0, "out": ""}:
            pytest.fail(f"a hook must be silent, this one was not: {result}")

    def ask(self, command: str = "rm -rf build") -> None:
        """A turn that stops at an approval."""
        self.hook("UserPromptSubmit", prompt="tidy up")
        self.hook("PermissionRequest", tool_name="Bash", tool_input={"command": command})

    def exit(self, code: int = 0) -> None:
        self.tell(exit=code)

    def vanish(self) -> None:
        """Die as by ``kill -9``."""
        os.kill(self.pid, signal.SIGKILL)


class Actor(Agent):
    """A stand-in that takes keys: ``keys()`` is every byte that reached it, ``sent()`` what was submitted or chosen.

    Both wait until all that tmux was told to type has arrived, so that an empty answer means that nothing was typed.
    """

    program_file = Path(__file__).with_name("actor.py")

    def keys(self) -> bytes:
        self._settle()
        return Path(f"{self._socket}.keys").read_bytes()

    def _settle(self) -> None:
        """tmux answers after what it was told before; the stand-in after it read what is in its terminal. A long paste
        goes through in pieces, so this is done until one time brings nothing more."""
        kept, before = Path(f"{self._socket}.keys"), -1
        while self._listens() and before != (before := kept.stat().st_size):
            self.tmux.try_run("display-message", "-p", "")
            self.tell(settle=True)

    def _listens(self) -> bool:
        """Whether its process is there and not stopped."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] not in "TtZX"
        except OSError:
            return False

    def sent(self) -> list[str]:
        self._settle()
        return [json.loads(line) for line in Path(f"{self._socket}.sent").read_text().splitlines()]

    def ready(self, daemon: Daemon) -> Item:
        """The row of the pane once its input field was seen."""
        daemon.wait_for(self.pane, "idle")

        def takes() -> Item | None:
            item = daemon.pane(self.pane)
            return item if item is not None and item["accepts_input"] is True else None

        return until(takes, within=PATIENCE, what=f"an input field: {daemon.pane(self.pane)}") or {}

    def asks(self, daemon: Daemon, command: str = "rm -rf build") -> Item:
        """The row of the pane once its approval was seen on the screen."""
        self.tell(ask=command)

        def asked() -> Item | None:
            item = daemon.pane(self.pane)
            waiting = (item or {}).get("waiting_for") or {}
            return item if waiting.get("fingerprint") and command in str(waiting.get("text")) else None

        return until(asked, within=PATIENCE, what=f"an approval: {daemon.pane(self.pane)}") or {}
