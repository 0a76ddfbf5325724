"""A private world to measure in: folders, tmux servers, stand-ins for agents, one daemon. Nothing of the user's.

A stand-in is a copied ``sleep`` (or, where it has to run hooks, ``sh``) named ``claude``, with the status file and the
session file that the real one keeps; what it shows is drawn by ``Stage`` out of recordings.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.tmux_server import private_server

from agtmux.transport import Exchange, NoDaemonError

COLS, ROWS = 120, 40
OPEN_FILES = 60
_HOLDS = """
session=$COPILOT_HOME/session-state/5d3c1b1e-0000-4000-8000-$$
mkdir -p "$session"
echo '{{"type":"session.start"}}' > "$session/events.jsonl"
exec {{fd}}> "$session/inuse.$$.hold"
for ((i = 1; i < {files}; i++)); do exec {{fd}}> "$session/file-$((i % 9))"; done
exec {program} 86400
"""
CLI = Path(sys.executable).with_name("agtmux")
DAEMON = [sys.executable, "-m", "agtmuxd"]


class Server:
    """One private tmux server. libtmux builds and reads it; ``source`` calls tmux, for libtmux takes no input.

    ``panes``: (pane id, pid, tty) of the stand-ins in it, in order.
    """

    def __init__(self, socket: Path, env: dict[str, str]) -> None:
        self.socket, self.env = socket, env
        self.panes: list[tuple[str, int, str]] = []
        self.server = private_server(socket, env)
        self.server.new_session("keep", x=COLS, y=ROWS, window_command="exec sleep 86400")
        self.source('set -g status off\nset -g default-size "120x40"\n')
        self.pid = int(self.run("display-message", "-p", "#{pid}"))

    def run(self, *args: str) -> str:
        command = ["tmux", "-u", "-S", str(self.socket), "-f", "/dev/null", *args]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, check=True).stdout

    def source(self, text: str) -> str:
        """Commands on the standard input of ``source-file -``."""
        command = ["tmux", "-u", "-S", str(self.socket), "source-file", "-"]
        return subprocess.run(command, env=self.env, input=text, capture_output=True, text=True, check=True).stdout

    def fill(self, program: str, count: int, name: str) -> list[tuple[str, int, str]]:
        """``count`` panes that run ``program``, 20 windows to a session. Returns their (pane id, pid, tty)."""
        for first in range(0, count, 20):
            session = f"{name}{first // 20}"
            self.run("new-session", "-d", "-s", session, "-x", str(COLS), "-y", str(ROWS), *program.split())
            self.source(f"new-window -d -t {session}: {program}\n" * (min(20, count - first) - 1))
        made = [
            (str(pane.pane_id), int(pane.pane_pid or 0), str(pane.pane_tty))
            for pane in self.server.panes
            if str(pane.session_name).rstrip("0123456789") == name
        ]
        made.sort(key=lambda row: int(row[0][1:]))
        return made

    def close(self) -> None:
        self.run("kill-server")


class World:
    """Folders, environment, servers and the daemon; leaves nothing behind."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="agtb-", dir="/tmp"))
        self.bin, self.claude_home = self.root / "bin", self.root / "claude-home"
        for folder in ("bin", "home", "state", "run", "tmp", "sh", "claude-home/sessions"):
            (self.root / folder).mkdir(parents=True, mode=0o700)
        shutil.copy2(_program("sleep"), self.bin / "claude")
        shutil.copy2(_program("sh"), self.root / "sh/claude")
        self.servers: list[Server] = []
        self.daemon: subprocess.Popen[bytes] | None = None
        self.socket = str(self.root / "run/agtmuxd.sock")
        self.env = {
            "HOME": str(self.root / "home"),
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "TMPDIR": str(self.root / "tmp"),
            "CLAUDE_CONFIG_DIR": str(self.claude_home),
            "COPILOT_HOME": str(self.root / "copilot-home"),
            "AGTMUX_RUNTIME_DIR": str(self.root / "run"),
            "AGTMUX_STATE_DIR": str(self.root / "state"),
            "AGTMUX_CONFIG": str(self.root / "config.toml"),
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self.daemon is not None:
            self.daemon.send_signal(signal.SIGTERM)
            try:
                self.daemon.wait(10)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
        for server in self.servers:
            with suppress(subprocess.CalledProcessError):
                server.close()
        shutil.rmtree(self.root, ignore_errors=True)

    # ---------------------------------------------------------------- panes

    def server(self) -> Server:
        """Another tmux server; the first one becomes the daemon's host target."""
        server = Server(self.root / f"t{len(self.servers)}", self.env)
        self.servers.append(server)
        return server

    def agents(self, server: Server, count: int, status: str | None = "idle") -> list[tuple[str, int, str]]:
        """``count`` panes with a stand-in for Claude Code, whose status file says ``status``."""
        made = server.fill(f"{self.bin}/claude 86400", count, "a")
        server.panes += made
        for _, pid, _ in made:
            if status is not None:
                self.status(pid, status)
        return made

    def copilots(self, server: Server, count: int) -> list[tuple[str, int, str]]:
        """``count`` panes with a stand-in for Copilot CLI, which holds as many files open as the real one does."""
        shutil.copy2(_program("sleep"), self.bin / "copilot")
        script = self.root / "sh/copilot.sh"
        script.write_text(_HOLDS.format(program=self.bin / "copilot", files=OPEN_FILES))
        made = server.fill(f"{_program('bash')} {script}", count, "c")
        server.panes += made
        return made

    def status(self, pid: int, status: str) -> None:
        """Write the status file as Claude Code does."""
        start = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19].decode()
        fresh = self.claude_home / f"sessions/{pid}.new"
        session = f"5d3c1b1e-0000-4000-8000-{pid:012d}"
        listed = {"pid": pid, "procStart": start, "status": status, "tmux": {}, "sessionId": session, "cwd": "/bench"}
        fresh.write_text(json.dumps(listed))
        fresh.replace(self.claude_home / f"sessions/{pid}.json")
        lines = self.claude_home / f"projects/-bench/{session}.jsonl"
        if not lines.exists():
            lines.parent.mkdir(parents=True, exist_ok=True)
            lines.write_text('{"type":"summary","summary":"nothing yet"}\n')

    def hooking_agent(self, server: Server) -> Hooker:
        """A stand-in that runs hooks when told to, as children of its own."""
        return Hooker(self, server)

    # ---------------------------------------------------------------- daemon

    def start(self, config: str = "") -> int:
        """Start the daemon on the first server, the others as further targets; its pid."""
        head = f'autostart = false\nlog_level = "warning"\n[host]\ntmux_socket = "{self.servers[0].socket}"\n'
        Path(self.env["AGTMUX_CONFIG"]).write_text(head + config)
        log = (self.root / "daemon.log").open("wb")
        self.daemon = subprocess.Popen(DAEMON, env=self.env, stderr=log)
        log.close()
        wait_for(lambda: self._answers(), 20, "the daemon")
        for i, server in enumerate(self.servers[1:], 1):
            self.post("/v1/targets", {"name": f"t{i}", "kind": "local", "tmux_socket": str(server.socket)})
        return self.daemon.pid

    def _answers(self) -> bool:
        if self.daemon is None or self.daemon.poll() is not None:
            raise RuntimeError("the daemon ended: " + (self.root / "daemon.log").read_text()[-2000:])
        try:
            self.get("/v1/health")
        except NoDaemonError:
            return False
        return True

    def get(self, target: str) -> Any:
        with Exchange(self.socket, "GET", target) as exchange:
            return json.loads(exchange.read())

    def post(self, target: str, body: object) -> Any:
        with Exchange(self.socket, "POST", target, json.dumps(body).encode()) as exchange:
            answer = json.loads(exchange.read())
        if exchange.status >= 400:
            raise RuntimeError(f"{target}: {answer}")
        return answer

    def await_agents(self, count: int, *, known: bool = True) -> None:
        """Until that many agents are listed, each with a state (``known``: not unknown)."""

        def there() -> bool:
            states = [item["state"] for item in self.get("/v1/panes")["items"]]
            return len(states) == count and None not in states and not (known and "unknown" in states)

        wait_for(there, 30, f"{count} agents")


class Hooker:
    """A stand-in whose shell reads commands from one pipe and says on another when each is done."""

    def __init__(self, world: World, server: Server) -> None:
        self._in, self._out = world.root / "hook.in", world.root / "hook.out"
        os.mkfifo(self._in)
        os.mkfifo(self._out)
        script = world.root / "sh/agent.sh"
        script.write_text(
            f'exec 3<>{self._in} 4<>{self._out}\nwhile read -r line <&3; do eval "$line"; echo >&4; done\n'
        )
        before = {pane for pane, _, _ in server.fill(f"{world.root}/sh/claude {script}", 1, "h")}
        self.pane = min(before)
        self.payload = world.root / "payload.json"
        self._w = os.open(self._in, os.O_RDWR)
        self._r = os.open(self._out, os.O_RDWR)

    def tell(self, command: str) -> float:
        """Let the agent run a shell command; the clock (``perf_counter``) at which it was told."""
        now = time.perf_counter()
        os.write(self._w, command.encode() + b"\n")
        return now

    def hook(self, command: str, payload: dict[str, object]) -> tuple[float, float]:
        """Let it run a hook with this payload and wait for it: the clocks at its start and at its end."""
        self.payload.write_text(json.dumps(payload))
        return self.tell(f"{command} <{self.payload}"), self.done()

    def done(self) -> float:
        """Wait until it has; the clock at its end."""
        os.read(self._r, 1)
        return time.perf_counter()


def wait_for(what: Callable[[], bool], seconds: float, name: str) -> None:
    """Poll. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise TimeoutError(f"{name} did not come within {seconds:g} s")
        time.sleep(0.05)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise RuntimeError(f"no {name} on PATH")
    return str(Path(found).resolve())
