"""Ask git which files of a working tree changed. Blocks: call it in a thread.

Runs no code that the repository names: no hook, no file monitor, no filter, no external diff. Takes no lock, writes
nothing, and reads a limited answer for a limited time.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from threading import Timer
from typing import Final

from agtmux.protocol.git_command import FILTERS, environment, filter_names
from agtmux.protocol.regular import read_regular
from agtmuxd.core import git_files

WITHIN: Final = 5.0
"""Seconds for one git command."""
MOST_BYTES: Final = 1 << 20
"""Bytes of one answer that are read. What follows is not compared."""


def find_tree(folder: str) -> tuple[str, str] | None:
    """Return the top of the working tree that a folder is in, and the repository's common folder. None outside git.

    Reads small files only.
    """
    for top in git_files.upwards(os.path.realpath(folder)):
        link = os.path.join(top, ".git")
        try:
            if Path(link).is_dir():
                return top, os.path.realpath(link)
            git = git_files.git_folder(read_regular(link, git_files.MOST), top)
            if git is None:
                return None
            common = git_files.common_folder(read_regular(os.path.join(git, "commondir"), git_files.MOST), git)
            return (top, os.path.realpath(common)) if common is not None else None
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            return None
    return None


def changed_files(program: str, top: str, base: str | None, environ: Mapping[str, str]) -> dict[str, int] | None:
    """Return the time of the last write (ns) of each file that differs from HEAD, and of those changed since ``base``.

    A file that is gone has the time 0. None if git failed or took too long.
    """
    listed = _git(program, top, environment(environ), *FILTERS)
    if listed is None:
        return None
    env = environment(environ, filter_names(listed, everywhere=True))
    status = _git(
        program, top, env, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--ignored=no", "--no-renames",
        "--ignore-submodules=all",
    )  # fmt: skip
    since = b""
    if base is not None:
        words = ("--name-only", "-z", "--no-ext-diff", "--no-textconv", "--no-renames", "--ignore-submodules=all")
        found = _git(program, top, env, "diff", *words, base, "HEAD", "--")
        since = found if found is not None else b""  # the base is gone: what differs from HEAD still counts
    if status is None:
        return None
    paths = [one[3:] for one in _whole(status)] + _whole(since)
    return {os.fsdecode(path): _written_at(os.path.join(os.fsencode(top), path)) for path in paths}


def _whole(raw: bytes) -> list[bytes]:
    """Split an answer. Without its last piece, if it was cut there."""
    return [one for one in raw.split(b"\0")[:-1] if one]


def _written_at(path: bytes) -> int:
    try:
        return os.lstat(path).st_mtime_ns
    except OSError:
        return 0


def _git(program: str, folder: str, env: Mapping[str, str], *words: str) -> bytes | None:
    """Run git and return what it prints, at most ``MOST_BYTES``. None if it failed. ``config``: empty is no failure."""
    try:
        process = subprocess.Popen(
            [program, *words], cwd=folder, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, ValueError):
        return None
    with process:
        try:
            out = _read(process)
        finally:
            process.kill()
    failed = process.returncode not in (0, 1 if words[0] == "config" else 0, -9)
    return None if out is None or failed else out


def _read(process: subprocess.Popen[bytes]) -> bytes | None:
    """Read the answer up to its limit, and wait for the end. None if it took too long."""
    late = Timer(WITHIN, process.kill)
    late.start()
    try:
        out = process.stdout.read(MOST_BYTES) if process.stdout is not None else b""
        if len(out) < MOST_BYTES:
            process.wait()
            return out if process.returncode >= 0 else None
        return out
    finally:
        late.cancel()
