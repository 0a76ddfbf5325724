"""Whether this command runs inside a coding agent that a daemon would supervise: such a one starts no daemon.

Owns the few names that agents' programs have. The daemon judges callers by more than that (who may act); this is asked
only where there is no daemon.
"""

from __future__ import annotations

import os
import time

from agtmux import hook
from agtmux.protocol import psline

PROGRAMS = frozenset({"claude", "codex", "gemini", "copilot", "opencode", "cursor-agent"})
_NODES = frozenset({"node", "nodejs", "bun", "deno", "MainThread", "node-MainThread"})
_SERVER = "tmux: server"
_PS_FOR = 2_000_000_000
"""Nanoseconds that ps may take where there is no ``/proc``."""


def agent_above() -> str | None:
    """The agent in a tmux pane that runs this process, like ``claude (pid 4711)``; None for none, or none in tmux."""
    found = None
    above = hook.ancestors(os.getppid())
    if not above and not os.path.exists(hook.PROC):
        above = psline.ancestors(os.getppid(), time.time_ns() + _PS_FOR)
    for link in above:
        argv = link["argv"]
        words = argv if isinstance(argv, list) else []
        comm = str(link.get("comm") or (os.path.basename(words[0]) if words else ""))
        if comm == _SERVER:
            return found
        if found is None and (name := _program(comm, words)) is not None:
            found = f"{name} (pid {link['pid']})"
    return found if os.environ.get("TMUX") else None


def _program(comm: str, words: list[str]) -> str | None:
    """The agent that a process is, by its own name or by that of the script that its interpreter runs."""
    names = [os.path.basename(word) for word in words]
    if names and names[0] in PROGRAMS and (comm == names[0] or comm in _NODES):
        return names[0]
    if names and names[0] in _NODES:
        script = next((word for word in words[1:] if not word.startswith("-")), "")
        parts = [part.removesuffix(".js") for part in script.split("/")[-3:]]
        known = {"claude-code": "claude", "gemini-cli": "gemini", "opencode-ai": "opencode"}
        return next((known.get(part, part) for part in reversed(parts) if known.get(part, part) in PROGRAMS), None)
    return comm if comm in PROGRAMS else None
