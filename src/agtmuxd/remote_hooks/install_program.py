"""The hook program as it is placed on another machine: its text, where it lies there and how agents call it.

Knows neither ssh nor settings.
"""

from __future__ import annotations

import shlex
from functools import lru_cache
from importlib import resources
from pathlib import PurePosixPath

FOLDER = ".local/share/agtmux"
STATE = ".local/state/agtmux-remote"
"""In the home folder there; the program finds the second from where it lies itself."""
NAME = "hook.py"

_GAP = 'REDACT = ""\n'


@lru_cache(maxsize=1)
def text() -> str:
    """The whole program."""
    source = _source("agtmuxd.remote_hooks", "hook_program.py")
    if source.count(_GAP) != 1:
        raise ValueError("remote_hooks/hook_program.py has no place for the redaction")
    return source.replace(_GAP, f"REDACT = {_source('agtmux.protocol', 'redact.py')!r}\n")


def _source(package: str, name: str) -> str:
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def place() -> str:
    """The program that puts files in place there."""
    return _source("agtmuxd.remote_hooks", "place_files.py")


def path(home: str) -> str:
    """Where it lies on a machine with that home folder."""
    return str(PurePosixPath(home, FOLDER, NAME))


def command(python: str, home: str) -> str:
    """The command line that settings there get; the agent's name goes behind it. ``python``: its path there."""
    return f"{shlex.quote(python)} -IS {shlex.quote(path(home))} hook"
