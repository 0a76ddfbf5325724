"""Find where agtmux itself is installed, and where the agents on this machine keep their settings.

Owns the path that hooks, services and menu bars call agtmux by. Knows neither the daemon nor click.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

HOMES = {
    "claude": ((("CLAUDE_CONFIG_DIR", ""),), ".claude"),
    "codex": ((("CODEX_HOME", ""),), ".codex"),
    "gemini": ((("GEMINI_CLI_HOME", ".gemini"),), ".gemini"),
    "copilot": ((("COPILOT_HOME", ""),), ".copilot"),
    "opencode": ((("OPENCODE_CONFIG_DIR", ""), ("XDG_CONFIG_HOME", "opencode")), ".config/opencode"),
    "pi": ((("PI_CODING_AGENT_DIR", ""),), ".pi/agent"),
    "qwen": ((("QWEN_HOME", ""),), ".qwen"),
    "cursor": ((), ".cursor"),
}
"""Per agent: the variables that name its folder with the path below each, and the default folder in the home
directory.
"""

_CACHES = {
    "uv's cache, where uvx puts what it runs": (r"/(?:archive|builds|environments)-v\d+/",),
    "pipx's cache, where pipx run puts what it runs": (r"/pipx/\.cache/", r"/(?:\.cache|Caches)/pipx/"),
}
"""Parts of paths of environments that exist for one run only."""


def program(name: str, argv0: str, python: str) -> str | None:
    """Return the absolute path of the program ``name`` of this installation: ``agtmux`` or ``agtmuxd``.

    ``argv0``: how this process was started. ``python``: its interpreter. The path that the user calls is preferred: a
    link to it stays where it is when agtmux is updated. None if there is no such program.
    """
    import shutil

    called = None
    if os.path.basename(argv0) == "agtmux":
        called = argv0 if os.path.dirname(argv0) and os.access(argv0, os.X_OK) else shutil.which(argv0)
    for beside in (called, python):
        found = beside and os.path.join(os.path.dirname(os.path.abspath(beside)), name)
        if found and os.access(found, os.X_OK):
            return found
    return None


def hook_command(argv0: str, python: str) -> str:
    """Return the shell command that agents call, by absolute path. The agent's name follows it.

    ``argv0``: how this process was started. ``python``: its interpreter.
    """
    import shlex

    found = program("agtmux", argv0, python)
    if found is None:
        return f"{shlex.quote(os.path.abspath(python))} -m agtmux hook"
    return f"{shlex.quote(found)} hook"


def temporary_place(path: str, temporary: str) -> str | None:
    """Return what makes a program's location temporary: ``uvx``, ``pipx run``, the temporary folder. None if nothing
    does.

    ``path``: its absolute path. If it is a link, its destination counts too. ``temporary``: the folder for temporary
    files.
    """
    import re

    folder, name = os.path.split(path)
    paths = (os.path.join(os.path.realpath(folder), name), os.path.realpath(path))
    for one in paths:
        for kept_by, marks in _CACHES.items():
            if any(re.search(mark, one) for mark in marks):
                return kept_by
    root = os.path.realpath(temporary)
    home = os.path.realpath(os.path.expanduser("~"))
    if root != "/" and not f"{home}/".startswith(f"{root}/") and any(one.startswith(f"{root}/") for one in paths):
        return f"the folder for temporary files, {root}"
    return None


def config_homes(env: Mapping[str, str]) -> dict[str, str]:
    """Return the folder of each agent's settings: by the agent's own variables, else in the home directory."""
    homes = {}
    for agent, (variables, usual) in HOMES.items():
        homes[agent] = os.path.expanduser(f"~/{usual}")
        for variable, under in variables:
            if env.get(variable):
                homes[agent] = os.path.join(os.path.abspath(env[variable]), under).rstrip("/")
                break
    return homes
