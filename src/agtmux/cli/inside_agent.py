"""Check whether this command runs inside a coding agent in tmux. Such a command starts no daemon.

Owns the few names of agents' programs. The daemon uses more than that to decide who may act. This check is used only if
there is no daemon.
"""

from __future__ import annotations

import os
import re
import time

from agtmux import hook
from agtmux.protocol import psline

PROGRAMS = frozenset({"claude", "codex", "gemini", "copilot", "opencode", "pi", "qwen", "cline", "cursor-agent"})
_PACKAGES = {
    "/claude-code/": "claude", "/gemini-cli/": "gemini", "/@openai/codex": "codex", "/@github/copilot": "copilot",
    "/opencode-ai/": "opencode", "/pi-coding-agent/": "pi", "/@qwen-code/": "qwen", "/cursor-agent/": "cursor-agent",
}  # fmt: skip
"""Folders of agents' scripts that have another name, by a part of their path."""
_CLAUDE = re.compile(r"(?:^|/)(?:\.claude-[\w-]+|versions/\d+\.\d+\.\d+[\w.-]*)$")
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_PLATFORM = re.compile(r"-(?:x86_64|aarch64)[\w-]*$|\.exe$")
_NODES = frozenset({"node", "nodejs", "bun", "deno", "MainThread", "node-MainThread"})
_SERVER = "tmux: server"
_COMM = 15
"""Characters of a program's name that Linux keeps in ``comm``."""
_PS_FOR = 2_000_000_000
"""Nanoseconds that ps may take on systems without ``/proc``."""


def agent_above() -> str | None:
    """Return the agent in a tmux pane that runs this process, like ``claude (pid 4711)``. None if there is none."""
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
    """Return the agent that a process is, by its own name or by the script that its interpreter runs."""
    if not words:
        return comm if comm in PROGRAMS else None
    name = os.path.basename(words[0])
    if name in _NODES:
        return _script(next((word for word in words[1:] if not word.startswith("-")), ""))
    if _CLAUDE.search(words[0]) and comm == name[:_COMM]:
        return "claude"
    known = _PLATFORM.sub("", name)
    if known == "pi":  # other programs have that name: the agent sets it as its process title, without arguments
        return known if words == ["pi"] and comm == known else None
    claude = known == "claude" and (_VERSION.match(comm) or comm.startswith(".claude-"))
    if known in PROGRAMS and (claude or comm == name[:_COMM] or comm in _NODES):
        return known
    return comm if comm in PROGRAMS and comm != "pi" else None


def _script(path: str) -> str | None:
    """Return the agent of a script, by its name or by the folder of its package."""
    name = os.path.basename(path).removesuffix(".js")
    if name in PROGRAMS:
        return name
    near = "/" + "/".join(path.split("/")[-4:])
    return next((agent for piece, agent in _PACKAGES.items() if piece in near), None)
