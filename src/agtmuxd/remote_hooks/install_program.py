"""Build the hook program for another machine: its text, its path there and the command that agents call.

Knows neither ssh nor the agents' settings.
"""

from __future__ import annotations

import shlex
from functools import lru_cache
from importlib import resources
from pathlib import PurePosixPath

FOLDER = ".local/share/agtmux"
STATE = ".local/state/agtmux-remote"
"""Both are in the home folder there. The program finds STATE from its own path."""
NAME = "hook.py"

_GAPS = {'REDACT = ""\n': ("agtmux.protocol", "redact.py"), 'CALL = ""\n': ("agtmuxd.remote_hooks", "call_program.py")}


@lru_cache(maxsize=1)
def text() -> str:
    """Return the whole program. Raises ValueError if it has no place for one of its parts."""
    source = _source("agtmuxd.remote_hooks", "hook_program.py")
    for gap, part in _GAPS.items():
        if source.count(gap) != 1:
            raise ValueError(f"remote_hooks/hook_program.py has no place for {part[1]}")
        source = source.replace(gap, f"{gap.partition(' ')[0]} = {_source(*part)!r}\n")
    return source


def _source(package: str, name: str) -> str:
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def file_writer() -> str:
    """Return the program that writes settings files there."""
    return _source("agtmuxd.remote_hooks", "place_files.py")


def path(home: str) -> str:
    """Return the path of the hook program on a machine with this home folder."""
    return str(PurePosixPath(home, FOLDER, NAME))


def command(python: str, home: str) -> str:
    """Return the command line for the settings there; the agent's name follows it. ``python``: its path there."""
    return f"{shlex.quote(python)} -IS {shlex.quote(path(home))} hook"
