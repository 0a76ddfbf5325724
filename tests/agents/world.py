"""One private world for agents: folders, scrubbed environment, tmux server, and the installed CLIs.

Nothing of the user's is in it: HOME, temp folder, config homes and sockets lie below one short temporary folder, and
the environment of every process is built up from nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.agents import processes
from tests.agents.terminal import Tmux

REPO = Path(__file__).resolve().parents[2]
LOCK = REPO / "tests/agents/node/package-lock.json"
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
COLOURS: Mapping[str, Mapping[str, str]] = {
    "256": {},
    "truecolor": {"COLORTERM": "truecolor"},
    "none": {"NO_COLOR": "1"},
}
"""What a terminal tells programs of its colours, by name. From 3.6 on tmux itself says ``COLORTERM=truecolor``."""


THEMES: Mapping[str, str] = {"dark": "fg=#d0d0d0,bg=#101418", "light": "fg=#222222,bg=#fafafa", "untold": ""}
"""The terminal's colours, which tmux tells programs that ask for them, and some draw themselves otherwise for it. A
terminal need not tell: ``untold``. Agents that have a theme in their settings are given the dark or the light one.
"""


def _wanted(variable: str, known: Iterable[str], default: str) -> str:
    wanted = os.environ.get(variable) or default
    if wanted not in known:
        raise ValueError(f"{variable} is {wanted!r}; it may be {', '.join(known)}")
    return wanted


def installed() -> Path | None:
    """The ``node_modules`` that ``make test-agents`` keeps for the present lock file, or None."""
    cache = Path(os.environ.get("AGTMUX_AGENTS_CACHE") or REPO / ".cache/agents")
    modules = cache / hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16] / "node_modules"
    return modules if modules.is_dir() else None


def modules_of(agent: str) -> Path | None:
    """The ``node_modules`` to take this agent from: the one that ``AGTMUX_TEST_MODULES`` names for it
    (``claude=/DIR/node_modules,codex=/DIR/node_modules``), else the pinned one; None where neither is there.
    """
    named = dict(part.split("=", 1) for part in os.environ.get("AGTMUX_TEST_MODULES", "").split(",") if "=" in part)
    return Path(named[agent]) if agent in named else installed()


def version_of(modules: Path, package: str) -> str:
    """The version of a package that is installed there."""
    return str(json.loads((modules / package / "package.json").read_text(encoding="utf-8"))["version"])


def claude_binary(modules: Path) -> Path | None:
    """The native program of this platform; it needs no Node."""
    return next(iter(sorted(modules.glob("@anthropic-ai/claude-code-*/claude"))), None)


class World:
    """Folders, environment and tmux server. A context manager that leaves nothing behind.

    ``colours``, of ``COLOURS``, and ``theme``, of ``THEMES``, say what the terminal is like. By default they are what
    ``AGTMUX_TEST_COLOURS`` and ``AGTMUX_TEST_THEME`` say, else true colour and dark. ``size``: columns and rows.
    """

    def __init__(self, colours: str | None = None, theme: str | None = None, size: tuple[int, int] = (120, 40)) -> None:
        self.colours = colours or _wanted("AGTMUX_TEST_COLOURS", COLOURS, "truecolor")
        self.theme = theme or _wanted("AGTMUX_TEST_THEME", THEMES, "dark")
        self.root = Path(tempfile.mkdtemp(prefix="agt-", dir="/tmp"))
        self.home, self.work, self.bin = self.root / "home", self.root / "home/proj", self.root / "bin"
        self.state, self.runtime = self.root / "state", self.root / "run"
        self.config = self.root / "config.toml"
        for folder in (self.work, self.bin, self.state, self.runtime, self.root / "tmp"):
            folder.mkdir(parents=True, mode=0o700)
        for name in ("tmux", "node"):  # those that come first in the caller's PATH
            if program := shutil.which(name):
                self.link(name, Path(program))
        self.tmux = Tmux(self.root / "tmux.sock", self.env(), size)

    def env(self, **more: str) -> dict[str, str]:
        """The environment of every process of this world, plus ``more``."""
        return {
            "HOME": str(self.home),
            "PATH": f"{self.bin}:{SYSTEM_PATH}",
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            **COLOURS[self.colours],
            "SHELL": "/bin/bash",
            "TMPDIR": str(self.root / "tmp"),
            # where there is no network namespace: a proxy that refuses
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1,localhost",
            "AGTMUX_RUNTIME_DIR": str(self.runtime),
            "AGTMUX_STATE_DIR": str(self.state),
            "AGTMUX_CONFIG": str(self.config),
            **more,
        }

    @property
    def brightness(self) -> str:
        """Of the theme, as settings of agents have it: ``dark`` or ``light``."""
        return "light" if self.theme == "light" else "dark"

    def link(self, name: str, program: Path) -> None:
        """Puts a program on the PATH of this world."""
        target = self.bin / name
        if not target.is_symlink():
            target.symlink_to(program)

    def __enter__(self) -> Self:
        self.tmux.__enter__()
        if style := THEMES[self.theme]:
            for option in ("window-style", "window-active-style"):
                self.tmux.run("set-option", "-g", option, style)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.tmux.__exit__(kind, error, tb)
        self._stop_leftovers()
        shutil.rmtree(self.root, ignore_errors=True)

    def _stop_leftovers(self) -> None:
        """Ends what outlived its pane (an agent's own daemon): processes whose HOME is this world's, no others."""
        mine = f"HOME={self.home}".encode()
        for sig, patience in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 1.0)):
            left = [pid for pid in _own_pids() if mine in _environment(pid).split(b"\0")]
            for pid in left:
                try:
                    os.kill(pid, sig)
                except ProcessLookupError:
                    continue
            end = time.monotonic() + patience
            while any(processes.alive(pid) for pid in left) and time.monotonic() < end:
                time.sleep(0.05)


def _own_pids() -> list[int]:
    me = os.getpid()
    return [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and int(p.name) != me]


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""
