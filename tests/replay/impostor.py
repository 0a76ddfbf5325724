"""The processes that a replay shows in the process table: shell, wrappers, agent.

Each is a Python interpreter under another file name (so comm and exe are right) whose command line in /proc is
rewritten in place. They draw nothing: the conductor, outside the pane's process tree, tells them over a Unix socket
what to do. Started through a sitecustomize.py that imports this file alone, so it imports only the standard library.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import time
from typing import Any

PRIVATE = ("PYTHONHOME", "PYTHONPATH", "PYTHONNOUSERSITE", "PYTHONDONTWRITEBYTECODE", "REPLAY_IMPOSTOR")
_ARG_START, _ARG_END = 45, 46  # fields of /proc/self/stat, counted after the command's name


def disguise(argv: list[str]) -> list[str]:
    """Arguments to exec with: as many bytes, but nothing the interpreter takes for an option of its own."""
    return [argv[0]] + [("x" + arg[1:] if arg.startswith("-") else arg) for arg in argv[1:]]


def _rewrite_cmdline(argv: list[str]) -> None:
    import ctypes

    with open("/proc/self/stat") as f:
        rest = f.read().rsplit(")", 1)[1].split()
    start, end = int(rest[_ARG_START]), int(rest[_ARG_END])
    want = b"\0".join(os.fsencode(arg) for arg in argv) + b"\0"
    if end - start == len(want) and disguise(argv) != argv:
        ctypes.memmove(start, want, len(want))


def exec_as(spec: dict[str, Any], conf: dict[str, Any]) -> None:
    """Becomes the process that ``spec`` ({comm, argv}) describes; never returns."""
    env = dict(os.environ)
    env["REPLAY_IMPOSTOR"] = json.dumps(conf)
    env["PYTHONHOME"] = conf["pyhome"]
    env["PYTHONPATH"] = conf["site"]
    env["PYTHONNOUSERSITE"] = env["PYTHONDONTWRITEBYTECODE"] = "1"
    os.execve(os.path.join(conf["bin"], spec["comm"][:15]), disguise(spec["argv"]), env)  # noqa: S606


def clean_env() -> dict[str, str]:
    """The environment as it was before the disguise."""
    env = {key: value for key, value in os.environ.items() if key not in PRIVATE}
    env.update(json.loads(env.pop("REPLAY_SAVED_ENV", "{}")))
    return env


def with_changes(env: dict[str, str], changes: dict[str, str | None]) -> dict[str, str]:
    """``env`` with some variables set, and those taken out whose new value is None."""
    merged = {**env, **changes}
    return {key: value for key, value in merged.items() if value is not None}


class Link:
    """The line to the conductor: JSON objects, one per line, both ways."""

    def __init__(self, path: str, hello: dict[str, Any]) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(path)
        self._buffer = b""
        self.send(hello)

    def send(self, message: dict[str, Any]) -> None:
        """Tells the conductor; a conductor that has gone is noticed by ``poll``."""
        with contextlib.suppress(OSError):
            self._socket.sendall(json.dumps(message).encode() + b"\n")

    def poll(self, timeout: float) -> list[dict[str, Any]] | None:
        """Commands that arrived; None when the conductor has gone."""
        if not select.select([self._socket], [], [], timeout)[0]:
            return []
        try:
            data = self._socket.recv(1 << 20)
        except OSError:
            data = b""
        if not data:
            return None
        self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\n")
        return [json.loads(line) for line in lines if line]


def main() -> None:
    """What sitecustomize calls; ends the interpreter before it runs anything else."""
    conf = json.loads(os.environ["REPLAY_IMPOSTOR"])
    chain, level = conf["chain"], conf["level"]
    _rewrite_cmdline(chain[level]["argv"])
    if conf["role"] == "shell":
        _Shell(conf).run()
    elif level < len(chain) - 1:
        _wrapper(conf)
    else:
        _agent(conf)
    os._exit(0)


class _Shell:
    """Starts the agent's chain as a foreground job and takes the terminal back when it ends or stops."""

    def __init__(self, conf: dict[str, Any]) -> None:
        for number in (signal.SIGTTOU, signal.SIGINT, signal.SIGTSTP):
            signal.signal(number, signal.SIG_IGN)
        self.conf = conf
        self.link = Link(conf["ctl"], {"role": "shell", "pid": os.getpid()})
        self.job: int | None = None
        self.stopped = False
        with contextlib.suppress(OSError):  # started without job control: lead a group of our own
            os.setpgid(0, 0)
        self.group = os.getpgrp()

    def run(self) -> None:
        self._front(self.group)
        while True:
            commands = self.link.poll(0.02)
            if commands is None:
                if self.job:
                    with contextlib.suppress(OSError):
                        os.killpg(self.job, signal.SIGKILL)
                return
            for command in commands:
                if command["cmd"] == "start":
                    self._start(command["chain"])
                elif command["cmd"] == "stop" and self.job:  # as the terminal's Ctrl-Z: the whole job
                    os.killpg(self.job, signal.SIGSTOP)
                elif command["cmd"] == "fg" and self.job:
                    self._front(self.job)
                    os.killpg(self.job, signal.SIGCONT)
                    self.stopped = False
                elif command["cmd"] == "exit":
                    os._exit(command.get("code", 0))
            if self.job:
                self._reap(self.job)

    def _front(self, group: int) -> None:
        with contextlib.suppress(OSError):
            os.tcsetpgrp(0, group)

    def _start(self, chain: list[dict[str, Any]]) -> None:
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            self._front(os.getpid())
            for number in (signal.SIGTTOU, signal.SIGINT, signal.SIGTSTP):
                signal.signal(number, signal.SIG_DFL)
            exec_as(chain[0], {**self.conf, "role": "agent", "chain": chain, "level": 0})
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        self.job, self.stopped = pid, False
        self._front(pid)

    def _reap(self, job: int) -> None:
        try:
            pid, status = os.waitpid(job, os.WNOHANG | os.WUNTRACED)
        except ChildProcessError:
            pid, status = job, 0
        if pid and os.WIFSTOPPED(status):
            if not self.stopped:
                self.stopped = True
                self._front(self.group)
                self.link.send({"event": "stopped"})
        elif pid:
            self.job = None
            self._front(self.group)
            self.link.send({"event": "ended", "status": status})


def _wrapper(conf: dict[str, Any]) -> None:
    """Spawns the next level, waits for it, ends with its status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    level = conf["level"] + 1
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        exec_as(conf["chain"][level], {**conf, "level": level})
    link = Link(conf["ctl"], {"role": "wrapper", "pid": os.getpid()})
    while True:
        if link.poll(0.05) is None:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _agent(conf: dict[str, Any]) -> None:
    """Runs hooks as its children when told to; ends when told to."""
    for number in (signal.SIGINT, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)  # keys are the recording's business
    link = Link(conf["ctl"], {"role": "agent", "pid": os.getpid()})
    running: list[tuple[int, subprocess.Popen[bytes], float]] = []
    held: dict[str, int] = {}
    while True:
        commands = link.poll(0.01 if running else 0.2)
        if commands is None:
            os._exit(0)
        for command in commands:
            if command["cmd"] == "exit":
                os._exit(command.get("code", 0))
            if command["cmd"] == "hold":
                for path in held.keys() - set(command["paths"]):
                    os.close(held.pop(path))
                for path in set(command["paths"]) - held.keys():
                    held[path] = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC)
            if command["cmd"] == "run":
                try:
                    running.append((command["id"], _hook(command), time.time()))
                except OSError as error:
                    link.send({"event": "ran", "id": command["id"], "error": str(error)})
        for item in list(running):
            serial, process, began = item
            if process.poll() is not None and process.stdout is not None:
                running.remove(item)
                out = (process.stdout.read() or b"")[:300].decode("utf-8", "replace")
                process.stdout.close()
                ms = round((time.time() - began) * 1000)
                link.send({"event": "ran", "id": serial, "rc": process.returncode, "ms": ms, "out": out})


def _hook(command: dict[str, Any]) -> subprocess.Popen[bytes]:
    """Starts a hook: a child of the agent, payload on its standard input."""
    process = subprocess.Popen(
        command["argv"],
        env=with_changes(clean_env(), command["env"]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=command.get("cwd") or None,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(OSError):
        process.stdin.write(command["stdin"].encode())
        process.stdin.close()
    os.set_blocking(process.stdout.fileno(), False)
    return process
