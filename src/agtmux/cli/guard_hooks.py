r"""Put agtmux's git hooks into a repository beside the user's own, and take them out again exactly.

Owns two ways, because tools that manage hooks differ:

- *Beside*: the repository has no ``core.hooksPath``. agtmux's hook takes the place ``pre-commit``, and runs the user's
  hook, which lies next to it as ``pre-commit.before-agtmux``. Tools such as pre-commit go on working in that folder.
- *In front*: the repository has ``core.hooksPath`` (husky, a folder of the team), or a hook that looks at its own name.
  Nothing of the user's is moved. ``core.hooksPath`` leads to a folder of agtmux, whose hooks run the user's where they
  are. The old value is kept in ``agtmux.hooksPath``, empty if the repository itself had none.
"""

from __future__ import annotations

import os
import shlex
from functools import partial
from pathlib import Path

from agtmux import written_files
from agtmux.cli.git_repo import Repo, git
from agtmux.protocol.errors import AgtmuxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import NamedTuple

    class Step(NamedTuple):
        """One change. ``do`` makes it."""

        text: str
        do: Callable[[], object]

else:
    from collections import namedtuple

    Step = namedtuple("Step", "text do")

GUARDED = ("pre-commit", "prepare-commit-msg", "pre-push")
"""``prepare-commit-msg`` too: ``git commit --no-verify`` skips only the other two."""
OTHERS = (
    "applypatch-msg", "pre-applypatch", "post-applypatch", "pre-merge-commit", "commit-msg", "post-commit",
    "pre-rebase", "post-checkout", "post-merge", "pre-receive", "update", "post-receive", "post-update", "pre-auto-gc",
    "post-rewrite", "sendemail-validate",
)  # fmt: skip
"""Hooks of the user that run in front of which agtmux's folder stands. Whether one is there changes nothing for git."""
BY_BEING_THERE = ("push-to-checkout", "reference-transaction", "proc-receive", "post-index-change")
"""Hooks that change what git does by being there: only those that the user has."""
BESIDE = ".before-agtmux"
BY = "agtmux guard install"
_KEY, _KEPT = "core.hooksPath", "agtmux.hooksPath"
_OWN_NAME = (b"basename", b"${0##", b"BASH_SOURCE")
_FOLDER = b"agtmux-hooks"


def install_steps(repo: Repo, program: str) -> list[Step]:
    """Return what installs the hooks, or brings them up to date. Empty: all is there. Raises E_PRECONDITION_FAILED."""
    folder = _default_folder(repo)
    named = any(_knows_its_name(os.path.join(folder, _b(name))) for name in GUARDED)
    if _value(repo, _KEY) is not None or named or os.path.islink(folder):
        return _front_steps(repo, program)
    return [step for name in GUARDED for step in _beside_steps(folder, name, program)]


def uninstall_steps(repo: Repo) -> list[Step]:
    """Return what removes the hooks and leaves everything as it was. Raises E_PRECONDITION_FAILED."""
    steps: list[Step] = []
    own, kept = os.path.join(repo.common, _FOLDER), _value(repo, _KEPT, "--local")
    if _value(repo, _KEY, "--local") == own:
        if kept:
            steps.append(Step(f"set {_KEY} back to {_s(kept)}", partial(_set, repo, _KEY, kept)))
        else:
            steps.append(Step(f"unset {_KEY}", partial(_unset, repo, _KEY)))
    if kept is not None:
        steps.append(Step(f"unset {_KEPT}", partial(_unset, repo, _KEPT)))
    if Path(_s(own)).is_dir():
        steps.append(Step(f"remove {_s(own)}", partial(_remove_folder, own)))
    folder = _default_folder(repo)
    for name in GUARDED:
        steps += _undo_steps(folder, name)
    return steps


# ---------------------------------------------------------------- beside the user's hooks


def _beside_steps(folder: bytes, name: str, program: str) -> list[Step]:
    path, kept = os.path.join(folder, _b(name)), os.path.join(folder, _b(name + BESIDE))
    text = _script(name, f'"$(dirname "$0")/{name}{BESIDE}"', program)
    owner = written_files.owners([_s(path), _s(path) + ".legacy"])
    if owner.get(_s(path) + ".legacy") == written_files.OURS:
        return []  # pre-commit has moved ours there, and runs it
    steps: list[Step] = []
    if owner.get(_s(path)) == written_files.CHANGED:
        raise AgtmuxError("E_PRECONDITION_FAILED", f"{_s(path)} was changed by hand: move it away, then run {BY} again")
    if _s(path) in owner and owner[_s(path)] == written_files.FOREIGN:
        if os.path.lexists(kept):
            raise AgtmuxError("E_PRECONDITION_FAILED", f"{_s(kept)} is in the way: move it away, then run {BY} again")
        steps.append(Step(f"keep your {name} as {_s(kept)}", partial(os.rename, path, kept)))
    if steps or written_files.text_of(_s(path)) != text:
        steps.append(Step(f"write {_s(path)}", partial(written_files.write, _s(path), text, 0o755)))
    return steps


def _undo_steps(folder: bytes, name: str) -> list[Step]:
    steps: list[Step] = []
    kept = os.path.join(folder, _b(name + BESIDE))
    for place in (os.path.join(folder, _b(name)), os.path.join(folder, _b(name + ".legacy"))):
        owner = written_files.owners([_s(place)]).get(_s(place))
        if owner == written_files.CHANGED:
            raise AgtmuxError("E_PRECONDITION_FAILED", f"{_s(place)} was changed by hand: remove it yourself")
        if owner == written_files.OURS:
            if os.path.lexists(kept):
                steps.append(Step(f"put your {name} back", partial(os.replace, kept, place)))
            else:
                steps.append(Step(f"remove {_s(place)}", partial(os.unlink, place)))
    return steps


def _knows_its_name(path: bytes) -> bool:
    """Return whether a hook may look at its own name, so that it must not get another one."""
    if not os.path.lexists(path):
        return False
    if os.path.islink(path):
        return True
    text = written_files.text_of(_s(path))
    if text is None or written_files.owner_of(text) == written_files.OURS:
        return False
    data = text.encode("utf-8", "surrogateescape")
    return not data.startswith(b"#!") or any(mark in data for mark in _OWN_NAME)


# ---------------------------------------------------------------- in front of the user's hooks


def _front_steps(repo: Repo, program: str) -> list[Step]:
    own = os.path.join(repo.common, _FOLDER)
    local = _value(repo, _KEY, "--local")
    raw = _value(repo, _KEPT, "--local") or b"" if local == own else local or b""
    steps: list[Step] = []
    for name, text in _front_texts(repo, _users_folder(repo, own), program):
        path = _s(os.path.join(own, _b(name)))
        if written_files.text_of(path) != text:
            steps.append(Step(f"write {path}", partial(written_files.write, path, text, 0o755)))
    if _value(repo, _KEPT, "--local") != raw:
        steps.append(Step(f"keep the {_KEY} of this repository in {_KEPT}", partial(_set, repo, _KEPT, raw)))
    if local != own:
        steps.append(Step(f"set {_KEY} to {_s(own)}", partial(_set_front, repo, own)))
    return steps


def _users_folder(repo: Repo, own: bytes) -> bytes:
    """Return where the user's hooks are: as git would find them without agtmux."""
    found = _value(repo, _KEY, "--type=path")
    if found == own:
        found = _value(repo, _KEPT, "--local", "--type=path") or None
        for scope in ("--global", "--system"):
            found = found if found is not None else _value(repo, _KEY, scope, "--type=path")
    return found if found is not None else _default_folder(repo)


def _front_texts(repo: Repo, folder: bytes, program: str) -> Iterable[tuple[str, str]]:
    """Yield agtmux's hooks that run those of ``folder``. A relative folder is one of each worktree, as for git."""
    there = os.path.join(repo.top, folder)
    for name in (*GUARDED, *OTHERS, *BY_BEING_THERE):
        if name in BY_BEING_THERE and not os.path.lexists(os.path.join(there, _b(name))):
            continue
        own = shlex.quote(_s(os.path.join(folder, _b(name))))
        yield name, _script(name, own, program if name in GUARDED else None)


def _set_front(repo: Repo, own: bytes) -> None:
    _set(repo, _KEY, own)
    if _value(repo, _KEY) != own:
        _unset(repo, _KEY)
        text = f"another configuration of git wins over {_KEY} of this repository: see git config --show-origin {_KEY}"
        raise AgtmuxError("E_PRECONDITION_FAILED", text)


def _remove_folder(own: bytes) -> None:
    written_files.remove([_s(os.path.join(own, name)) for name in os.listdir(own)])
    try:
        os.rmdir(own)
    except OSError as error:
        text = f"{_s(own)} holds files that agtmux did not write: remove it yourself ({error.strerror})"
        raise AgtmuxError("E_PRECONDITION_FAILED", text) from None


# ---------------------------------------------------------------- parts


def _script(name: str, own: str, program: str | None) -> str:
    """Return a hook: first the user's own, then the check. ``own``: a shell word. ``program`` None: no check."""
    lines = ["#!/bin/sh", f"own={own}"]
    if program is None:
        lines += ['[ -x "$own" ] || exit 0', 'exec "$own" "$@"']
    else:
        feed, run = ("", '"$own" "$@"') if name != "pre-push" else ("printf '%s' \"$input\" | ", '"$own" "$@"')
        if name == "pre-push":
            lines.append("input=$(cat; printf x) && input=${input%x}")
        lines += [
            f'if [ -x "$own" ]; then {feed}{run} || exit $?; fi',
            f"program={shlex.quote(program)}",
            '[ -x "$program" ] || program=$(command -v agtmux) || {',
            '    echo "agtmux guard: agtmux is not installed any more, so leases were not checked" >&2',
            "    exit 0",
            "}",
            f'{feed}"$program" guard check --hook {name}',
        ]
    return written_files.mark("\n".join(lines) + "\n", BY, f"Remove it with: {BY} --uninstall", after=1)


def _default_folder(repo: Repo) -> bytes:
    return os.path.join(repo.common, b"hooks")


def _value(repo: Repo, key: str, *how: str) -> bytes | None:
    """Return a value of git's configuration. None if it is not set."""
    try:
        return git("config", *how, "--get", key, cwd=repo.top).rstrip(b"\n")
    except AgtmuxError as error:
        if error.message.endswith("exit status 1"):
            return None
        raise


def _set(repo: Repo, key: str, value: bytes) -> None:
    git("config", "--local", key, value, cwd=repo.top)


def _unset(repo: Repo, key: str) -> None:
    git("config", "--local", "--unset", key, cwd=repo.top)


def _b(text: str) -> bytes:
    return text.encode()


def _s(path: bytes) -> str:
    return os.fsdecode(path)
