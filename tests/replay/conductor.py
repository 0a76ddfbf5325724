"""Plays one recording: draws on the pane's terminal, moves the impostors, runs hooks, writes the agent's files.

Runs in a process of its own outside the pane's process tree. Every step is logged with its wall-clock time, so that a
watcher's statements can be scored against the labels.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import fcntl
import hashlib
import json
import os
import re
import select
import shlex
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
from pathlib import Path
from typing import Any

from tests.replay import impostor, installed
from tests.replay.fill import Fill
from tests.replay.screen import Screen

_HOLDS = {"copilot": "inuse.1.hold"}
"""The file beside its log that a session's process holds open."""


def start_time(pid: int) -> str:
    """Field 22 of /proc/PID/stat. Raises OSError once the process has gone."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]


def renamed(chain: list[dict[str, Any]], name: str | None) -> list[dict[str, Any]]:
    """The chain of processes with another name for the agent, where the agent has one of its own."""
    last = chain[-1]
    if name and last["comm"] not in (name, "node") and "/" not in last["argv"][0]:
        last["comm"], last["argv"] = name, [name, *last["argv"][1:]]
    return chain


class Conductor:
    """``options`` as of ``player.parse``; ``run`` is a private folder, ``tty`` a descriptor of the pane's terminal."""

    def __init__(
        self, options: argparse.Namespace, head: dict[str, Any], lines: list[dict[str, Any]], run: Path, tty: int
    ) -> None:
        self.options, self.head, self.lines, self.run_dir = options, head, lines, run
        self.tty: int | None = tty
        self.screen = Screen(head["rows"])
        self.pane = os.environ.get("TMUX_PANE", "")
        self.config: Path = options.config_home
        self._log = open(options.log, "a", buffering=1, encoding="utf-8")  # noqa: SIM115 - lives as long as the replay
        self._lock = threading.Lock()
        self._links: dict[str, socket.socket] = {}
        self._pids: dict[str, int] = {}
        self._hooks = 0
        self._ended = self._started = self._agent_wanted = self._to_hold = False
        self._status_path: Path | None = None
        self._location: str | None = None
        self._saved_tty: list[Any] | None = None
        self.fill = Fill({}, 0.0, 1.0)

    # ------------------------------------------------ the whole replay
    def play(self) -> None:
        """From the first line to the last; leaves the terminal as it found it."""
        listener = self._listen()
        (self.run_dir / "ready").touch()
        size = self._fit(self.head["cols"], self.head["rows"])
        self._raw()
        threading.Thread(target=self._read_keys, daemon=True).start()
        first = "agent" if self.head.get("chain_root") == "agent" else "shell"
        if not self._until(lambda: first in self._links, 3):
            raise RuntimeError(f"the {first} process did not come up")
        self._put(b"\x1b[?7l\x1b[r\x1b[m")
        self._steps(size)
        self._ended = True
        if self._agent_wanted and self._status_path:
            self._status_path.unlink(missing_ok=True)  # the recording ended before the agent did
        self._tell("agent", wait=0, cmd="exit")
        time.sleep(0.1)
        self._put(b"\x1b[?1049l\x1b[?7h\x1b[?25h\x1b[m\x1b[H\x1b[J")
        self._cooked()
        self._tell("shell", wait=0, cmd="exit")
        time.sleep(0.2)
        listener.close()
        self.log(kind="done")

    def log(self, **fields: Any) -> None:
        """One line of the replay log."""
        line = json.dumps({"wall_time": round(time.time(), 4), **fields}, ensure_ascii=False)
        with self._lock:
            self._log.write(line + "\n")

    def _steps(self, size: tuple[int, int]) -> None:
        speed, zero = self.options.speed, time.time()
        self.fill = Fill({}, zero, speed, self.options.fresh_ids)
        head = {k: self.head[k] for k in ("agent", "scenario", "version", "duration_ms")}
        want = [self.head["cols"], self.head["rows"]]
        self.log(kind="begin", **head, speed=speed, pane=self.pane, size=list(size), want=want)
        for line in self.lines:
            if self.options.pause_until and line["t_ms"] >= self.options.pause_at:
                zero += self._pause()
                self.fill.start = zero
            due = zero + line["t_ms"] / 1000 / speed
            time.sleep(max(0.0, due - time.time()))
            began = time.time()
            try:
                more = self._step(line)
            except (OSError, ValueError, KeyError, TypeError) as error:  # one bad line must not end the replay
                more = {"error": repr(error)}
            late = {"late_ms": round((began - due) * 1000, 1), "took_ms": round((time.time() - began) * 1000, 1)}
            self.log(kind=line["kind"], t_ms=line["t_ms"], **late, **{k: v for k, v in more.items() if v is not None})
        time.sleep(max(0.0, zero + self.head["duration_ms"] / 1000 / speed - time.time()))
        self.log(kind="end", t_ms=self.head["duration_ms"])
        time.sleep(self.options.hold)

    def _pause(self) -> float:
        """Holds still until the file of ``--pause-until`` is there; how long that took."""
        began = time.time()
        while not self.options.pause_until.exists():
            time.sleep(0.02)
        self.options.pause_until = None
        return time.time() - began

    # ------------------------------------------------ one line of the recording
    def _step(self, line: dict[str, Any]) -> dict[str, Any]:
        kind = line["kind"]
        if self._to_hold and "agent" in self._links:
            self._hold()
        if kind == "screen":
            if "size" in line:
                self._fit(line["size"][0], line["size"][1])
            self._put(self.screen.apply(line))
            if "in_mode" in line and self.pane:
                enter, leave = ("copy-mode", "-t", self.pane), ("send-keys", "-t", self.pane, "-X", "cancel")
                self._tmux(*(enter if line["in_mode"] else leave))
        elif kind == "title":
            self._put(f"\x1b]2;{self._filled().text(line['title'])}\x1b\\".encode())
        elif kind == "osc" and not self.options.no_osc:
            self._put(f"\x1b]{line['text']}\x1b\\".encode())
        elif kind == "bell":
            self._put(b"\a")
        elif kind == "proc":
            return self._process(line)
        elif kind in ("hook", "notify"):
            return self._hook(line)
        elif kind == "status_file" and not self.options.no_status_file:
            return self._status_file(line)
        elif kind == "transcript" and not self.options.no_transcript:
            fill = self._filled()
            path = self.config / fill.text(line["file"])
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as f:
                f.write(json.dumps(fill.walk(line["line"]), ensure_ascii=False) + "\n")
        elif kind == "held" and not self.options.no_transcript:
            self._hold_all(line["sessions"])
        return {}

    def _hold_all(self, sessions: list[str]) -> None:
        """Lets the agent hold the files of these sessions open, and of no other."""
        folders = [self.config / "session-state" / self._filled().text(session) for session in sessions]
        for folder in folders:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._tell("agent", cmd="hold", paths=[str(folder / _HOLDS[self.head["agent"]]) for folder in folders])

    def _hold(self) -> None:
        """Lets the agent hold open what tells its session, as the real one does, where it was not recorded."""
        self._to_hold = False
        if any(line["kind"] == "held" for line in self.lines):
            return
        log = next((line["file"] for line in self.lines if line["kind"] == "transcript"), None)
        if log is not None and not self.options.no_transcript:
            folder = (self.config / self._filled().text(log)).parent
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._tell("agent", cmd="hold", paths=[str(folder / _HOLDS[self.head["agent"]])])

    def _filled(self) -> Fill:
        """``fill`` with the values of this moment."""
        pid, work = self._pids.get("agent"), self.options.cwd
        values: dict[str, Any] = {
            "CONFIG": self.config,
            "WORK": work,
            "DASHWORK": re.sub(r"[^A-Za-z0-9]", "-", str(work)),
            "HASHWORK": hashlib.sha256(os.fsencode(work)).hexdigest(),
            "HOME": self.options.home,
            "LAB": self.run_dir,
            "PID": pid,
            "PANE": self.pane or None,
            "TMUX": os.environ.get("TMUX"),
            "OTHER_PANE": self.options.other_pane,
        }
        if pid:
            with contextlib.suppress(OSError):
                values["PROCSTART"] = start_time(pid)
        if self.pane:
            if self._location is None:
                form = "#{session_name}:#{window_id}.#{pane_id}"
                self._location = self._tmux("display-message", "-p", "-t", self.pane, form)
            values["TMUXLOC"] = self._location
        self.fill.values = values
        return self.fill

    def _process(self, line: dict[str, Any]) -> dict[str, Any]:
        event, agent = line["event"], self._pids.get("agent")
        if event == "start":
            first = not self._started
            self._started = self._agent_wanted = True
            self._to_hold = self.head["agent"] in _HOLDS
            if not (self.head.get("chain_root") == "agent" and first):
                self._pids.pop("agent", None)
                self._tell("shell", cmd="start", chain=self.chain(line))
        elif event == "exit":
            self._agent_wanted = False
            self._tell("agent", cmd="exit", code=line.get("code", 0))
        elif event == "cont" and line.get("how") == "fg":
            self._tell("shell", cmd="fg")
        elif event == "stop" and line.get("how") == "ctrl-z" and self.head.get("chain_root") != "agent":
            self._tell("shell", cmd="stop")
        elif event in ("kill9", "stop", "cont") and agent:
            number = {"kill9": signal.SIGKILL, "stop": signal.SIGSTOP, "cont": signal.SIGCONT}[event]
            with contextlib.suppress(OSError):
                os.kill(agent, number)
            self._agent_wanted = self._agent_wanted and event != "kill9"
        elif event == "kill_pane" and self.pane:
            self._agent_wanted = False
            self._tmux("kill-pane", "-t", self.pane)
        return {"event": event, "pid": self._pids.get("agent")}

    def chain(self, line: dict[str, Any]) -> list[dict[str, Any]]:
        """The processes of a start line, outermost first, with the paths of this replay."""
        chain = copy.deepcopy(line["chain"])
        for process in chain:
            argv = [arg.replace("$LAB", "/opt/lab").replace("$WORK", str(self.options.cwd)) for arg in process["argv"]]
            process["argv"] = argv
        return renamed(chain, self.options.as_name)

    def _status_file(self, line: dict[str, Any]) -> dict[str, Any]:
        self._wait_agent()
        fill = self._filled()
        if "$PID" in line["file"] and not fill.values.get("PID"):
            return {"skipped": "no agent"}
        path = self.config / fill.text(line["file"])
        if line.get("removed"):
            path.unlink(missing_ok=True)
            return {"removed": True}
        data = fill.walk(line["data"])
        if fill.values.get("TMUXLOC") is None or data.get("tmux", "") == "$TMUXLOC":
            data.pop("tmux", None)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_name(path.name + ".new")
        new.write_text(json.dumps(data), encoding="utf-8")
        new.replace(path)
        self._status_path = path
        return {"status": data.get("status")}

    # ------------------------------------------------ hooks
    def _hook(self, line: dict[str, Any]) -> dict[str, Any]:
        event = line.get("event", "notify")
        wanted = self.options.events is None or event in self.options.events
        if not wanted or event in self.options.not_events:
            return {"skipped": True}
        if line.get("via") == "agent":
            self._wait_agent()
        fill = self._filled()
        payload = fill.walk(line["payload"])
        stdin = json.dumps(payload, ensure_ascii=False)
        if line["kind"] == "notify":
            commands, stdin = self._notify_commands(stdin), ""
        else:
            commands = self._hook_commands(event, payload)
        listed = {"TMUX": None, "TMUX_PANE": None, **fill.walk(line.get("env") or self.head.get("hook_env") or {})}
        env = {k: None if v is None or str(v).startswith("$") else str(v) for k, v in listed.items()}
        numbers = []
        for command in commands:
            self._hooks += 1
            numbers.append(self._hooks)
            job = {"id": self._hooks, "argv": command, "stdin": stdin, "env": env, "cwd": str(self.options.cwd)}
            by_agent = line.get("via") == "agent" and "agent" in self._links
            if not (by_agent and self._tell("agent", wait=0.01, cmd="run", **job)):
                # a daemon's hook, or the agent has just gone
                threading.Thread(target=self._run_here, args=(job,), daemon=True).start()
        return {"event": event, "ran": numbers}

    def _notify_commands(self, payload: str) -> list[list[str]]:
        if self.options.notify_cmd == "settings":
            program = installed.notify(self.config)
            return [[*program, payload]] if program else []
        return [] if self.options.notify_cmd == "none" else [[*shlex.split(self.options.notify_cmd), payload]]

    def _hook_commands(self, event: str, payload: dict[str, Any]) -> list[list[str]]:
        if self.options.hook_cmd == "settings":
            return installed.hooks(self.head["agent"], self.config, event, payload)
        if self.options.hook_cmd == "none":
            return []
        return [["/bin/sh", "-c", self.options.hook_cmd.replace("{event}", event)]]

    def _run_here(self, job: dict[str, Any]) -> None:
        began = time.time()
        env = impostor.with_changes(impostor.clean_env(), job["env"])
        try:
            done = subprocess.run(
                job["argv"],
                input=job["stdin"].encode(),
                env=env,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=30,
                cwd=job["cwd"],
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            self.log(kind="ran", id=job["id"], error=str(error), role="daemon")
            return
        ms, out = round((time.time() - began) * 1000), done.stdout[:300].decode("utf-8", "replace")
        self.log(kind="ran", id=job["id"], rc=done.returncode, ms=ms, out=out, role="daemon")

    # ------------------------------------------------ impostors
    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self.run_dir / "ctl"))
        listener.listen(16)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._follow, args=(client,), daemon=True).start()

    def _follow(self, client: socket.socket) -> None:
        role = ""
        with contextlib.suppress(OSError), client.makefile("rb") as lines:
            for raw in lines:
                body = json.loads(raw)
                if "role" in body:
                    role = body["role"]
                    self._links[role], self._pids[role] = client, body["pid"]
                    self.log(kind="up", role=role, pid=body["pid"])
                else:
                    self.log(kind=body.pop("event"), role=role, **body)
        if self._links.get(role) is client:
            del self._links[role]
        self.log(kind="down", role=role)

    def _tell(self, role: str, wait: float = 2.0, **command: Any) -> bool:
        self._until(lambda: role in self._links, wait)
        link = self._links.get(role)
        if link is None:
            return False
        try:
            link.sendall(json.dumps(command).encode() + b"\n")
        except OSError:
            return False
        return True

    def _wait_agent(self) -> None:
        self._until(lambda: not self._agent_wanted or "agent" in self._links, 1.0)

    @staticmethod
    def _until(true: Any, seconds: float) -> bool:
        end = time.time() + seconds
        while not true():
            if time.time() >= end:
                return False
            time.sleep(0.005)
        return True

    # ------------------------------------------------ terminal
    def _tmux(self, *args: str) -> str:
        try:
            done = subprocess.run(["tmux", *args], capture_output=True, text=True, timeout=5, check=False)
        except (OSError, subprocess.SubprocessError):
            return ""
        return done.stdout.strip()

    def _put(self, data: bytes) -> None:
        if self.tty is None:
            return
        try:
            while data:
                data = data[os.write(self.tty, data) :]
        except OSError as error:
            self.log(kind="tty_gone", error=str(error))
            self.tty = None

    def _raw(self) -> None:
        assert self.tty is not None
        self._saved_tty = termios.tcgetattr(self.tty)
        mode = termios.tcgetattr(self.tty)
        mode[0] &= ~(termios.ICRNL | termios.IXON | termios.INLCR)
        mode[3] &= ~(termios.ECHO | termios.ICANON | termios.ISIG | termios.IEXTEN)
        termios.tcsetattr(self.tty, termios.TCSANOW, mode)

    def _cooked(self) -> None:
        if self.tty is not None and self._saved_tty is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self.tty, termios.TCSANOW, self._saved_tty)

    def _size(self) -> tuple[int, int]:
        assert self.tty is not None
        rows, cols, _, _ = struct.unpack("HHHH", fcntl.ioctl(self.tty, termios.TIOCGWINSZ, b"\0" * 8))
        return int(cols), int(rows)

    def _fit(self, cols: int, rows: int) -> tuple[int, int]:
        """Gives the window a size of the recording; what it has in the end."""
        want = (cols, rows)
        if self._size() != want and self.pane and not self.options.any_size:
            self._tmux("resize-window", "-t", self.pane, "-x", str(want[0]), "-y", str(want[1]))
            self._until(lambda: self._size() == want, 1.0)
        return self._size()

    def _read_keys(self) -> None:
        """What somebody types into the pane (an approve or send of the product under test) goes to the log."""
        with contextlib.suppress(OSError):
            while not self._ended and self.tty is not None:
                if select.select([self.tty], [], [], 0.2)[0]:
                    data = os.read(self.tty, 4096)
                    if not data:
                        return
                    self.log(kind="input", text=data.decode("utf-8", "replace"))
