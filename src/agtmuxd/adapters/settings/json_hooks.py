"""Add our hooks to an agent's JSON settings and remove them again, without touching anything else.

Owns the shape that Claude Code, Codex and Gemini CLI share: ``{"hooks": {EVENT: [{"hooks": [{"type": "command",
"command": ...}]}]}}``. Also owns files that are ours alone. The adapter gives the events and the other fields of an
entry.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from agtmuxd.adapters.contract import HookPlan, HookStatus
from agtmuxd.adapters.settings.hook_command import OwnEntries
from agtmuxd.adapters.settings.json_edit import Node, Style, check, insert, parse, plain, remove, value, was_created
from agtmuxd.adapters.settings.text_file import read_text

Groups = Mapping[str, Mapping[str, Any]]
"""Event name → the group to have under it."""

FIX: Final = "Repair the file, then run this again."


@dataclass(frozen=True, slots=True)
class Dialect:
    """What an agent accepts in its settings besides plain JSON. It does not read other files at all, so hooks in them
    would never run.
    """

    mark: bool = False  # a byte order mark
    comments: bool = False


PLAIN: Final = Dialect()


MOST: Final = 4 << 20
"""Bytes of a settings file that are read at most."""

_given: ContextVar[Mapping[Path, str | None] | None] = ContextVar("given", default=None)


class NotReadError(ValueError):
    """A file of another machine is needed and was not read yet. Read it there and plan again."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: was not read")
        self.path = path


@contextmanager
def reading(files: Mapping[Path, str | None]) -> Iterator[None]:
    """In this block ``read`` knows only these texts, by path. They are of another machine."""
    before = _given.set(files)
    try:
        yield
    finally:
        _given.reset(before)


def read(path: Path) -> str | None:
    """Return the text of ``path`` with its line ends as they are. None if it is not there. Raises ValueError.

    Adapters read settings only through this function. So they can plan for other machines too.
    """
    given = _given.get()
    if given is not None:
        if path not in given:
            raise NotReadError(path)
        return given[path]
    try:
        return read_text(path, MOST)
    except FileNotFoundError:
        return None


def listed(folder: Path, pattern: str) -> list[Path]:
    """Return the files of a folder on this machine, sorted by name. None of another machine: folders there are not
    listed.
    """
    return [] if _given.get() is not None else sorted(folder.glob(pattern))[:20]


def plan(
    path: Path,
    ours: OwnEntries,
    groups: Groups,
    *,
    remove_ours: bool,
    notes: tuple[str, ...] = (),
    top: Mapping[str, Any] = MappingProxyType({}),
    dialect: Dialect = PLAIN,
) -> HookPlan:
    """Return what installing or uninstalling would make of ``path``. Raises ValueError with the file and what to do.

    ``top``: further keys that a new file needs. A group without ``hooks`` is itself a hook entry.
    """
    before = read(path)
    fresh = json.dumps({"hooks": {event: [group] for event, group in groups.items()}, **top}, indent=2) + "\n"
    if before is None:
        return HookPlan(path, None, None if remove_ours else fresh, notes)
    try:
        check(before, mark=dialect.mark, comments=dialect.comments)
        bare = _without_ours(before, ours, {})
        alone = bare != before and value(bare, parse(bare)) == top and _made_by_us(before, len(top))
        if remove_ours:
            return HookPlan(path, before, None if alone else bare, notes)
        kept = _without_ours(before, ours, groups)
        # A file that we made is written anew, not emptied and filled. So it can be removed together with our hooks.
        after = fresh if alone and kept != before else _with_ours(kept, ours, groups)
    except ValueError as e:
        raise ValueError(f"{path}: {e}. {FIX}") from e
    return HookPlan(path, before, after, notes)


def status(
    path: Path, ours: OwnEntries, groups: Groups, notes: tuple[str, ...] = (), *, dialect: Dialect = PLAIN
) -> HookStatus:
    """Return which of our hooks are in ``path``. Raises ValueError as ``plan`` does."""
    text = read(path)
    if text is None:
        return HookStatus(path, False, False, (), notes)
    try:
        check(text, mark=dialect.mark, comments=dialect.comments)
        found = _groups_with_ours(text, ours)
    except ValueError as e:
        raise ValueError(f"{path}: {e}. {FIX}") from e
    wanted = {event: [dict(group)] for event, group in groups.items()}
    hooks = [hook for groups in found.values() for group in groups for hook in _entries(group) if ours.holds(hook)]
    command = str(hooks[0]["command"]) if hooks else None
    return HookStatus(path, bool(found), bool(found) and found != wanted, tuple(found), notes, command)


def plan_own(path: Path, ours: OwnEntries, text: str, *, remove_ours: bool, notes: tuple[str, ...] = ()) -> HookPlan:
    """Do the same for a file that is ours alone, in a folder with other files. Raises ValueError if the file is not
    ours.
    """
    before = read(path)
    if before is not None and not _calls_us(before, ours):
        if remove_ours:
            return HookPlan(path, before, before, notes)
        raise ValueError(f"{path}: exists and was not written by agtmux. Move it away, then run this again.")
    return HookPlan(path, before, None if remove_ours else text, notes)


def status_own(
    path: Path,
    ours: OwnEntries,
    text: str,
    events: tuple[str, ...],
    notes: tuple[str, ...] = (),
    *,
    command: Callable[[str], str | None],
) -> HookStatus:
    """Return whether our own file is there as this version writes it. ``command``: finds our command line in such a
    text.

    Raises ValueError if the file cannot be read.
    """
    there = read(path)
    if there is None or not _calls_us(there, ours):
        return HookStatus(path, False, False, (), notes)
    return HookStatus(path, True, there != text, events, notes, command(there))


def own_file(folder: Path, name: str, ours: OwnEntries) -> Path:
    """Return the path of our own file in ``folder``. Each of the two hook programs has one."""
    path = folder / name
    return path.with_name(f"{path.stem}-ssh{path.suffix}") if ours.remote else path


def _calls_us(text: str, ours: OwnEntries) -> bool:
    """Return whether the text of a file names our hook program, as a command line or as a list of words."""
    return re.search(rf'agtmux.*\bhook(?: |", *"){re.escape(ours.agent)}\b', text) is not None


def places(path: Path, ours: OwnEntries) -> list[tuple[str, int, int]]:
    """Return where our hooks stand: (event, index of the group, index in the group). Raises ValueError as ``plan``
    does.
    """
    text = read(path)
    if text is None:
        return []
    out = []
    hooks = _hooks(text, parse(text))
    for member in hooks.members if hooks is not None else ():
        groups = [value(text, g.node) for g in member.node.members] if member.node.kind == "array" else []
        for i, group in enumerate(groups):
            for k, hook in enumerate(_entries(group) if isinstance(group, dict) else ()):
                if ours.holds(hook) and member.key is not None:
                    out.append((member.key, i, k))
    return out


def _groups_with_ours(text: str, ours: OwnEntries) -> dict[str, list[Any]]:
    """Return event → groups that hold a hook of ours."""
    out: dict[str, list[Any]] = {}
    hooks = _hooks(text, parse(text))
    for member in hooks.members if hooks is not None else ():
        groups = [value(text, g.node) for g in member.node.members] if member.node.kind == "array" else []
        mine = [g for g in groups if isinstance(g, dict) and any(ours.holds(h) for h in _entries(g))]
        if mine and member.key is not None:
            out[member.key] = mine
    return out


def _entries(group: Mapping[str, Any]) -> list[Any]:
    """Return the hooks of a group. A group that is a hook itself is returned as its only hook."""
    entries = group.get("hooks")
    return entries if isinstance(entries, list) else [group]


def _hooks(text: str, root: Node) -> Node | None:
    if root.kind != "object":
        raise ValueError("its top level is not an object")
    member = root.get("hooks")
    if member is None:
        return None
    if member.node.kind != "object":
        raise ValueError('its key "hooks" is not an object')
    return member.node


def _without_ours(text: str, ours: OwnEntries, keep: Groups) -> str:
    """Return ``text`` without our hooks. Events that already hold exactly what ``keep`` wants are not changed."""
    while True:
        changed = _drop_one(text, ours, keep)
        if changed is None:
            return text
        text = changed


def _drop_one(text: str, ours: OwnEntries, keep: Groups) -> str | None:
    root = parse(text)
    hooks = _hooks(text, root)
    if hooks is None:
        return None
    found = _groups_with_ours(text, ours)
    for at, event in enumerate(hooks.members):
        if event.key not in found or event.node.kind != "array":
            continue
        if event.key in keep and found[event.key] == [dict(keep[event.key])]:
            continue
        for i, group in enumerate(event.node.members):
            if ours.holds(value(text, group.node)):
                return _drop_group(text, root, hooks, at, i)
            entries = group.node.get("hooks") if group.node.kind == "object" else None
            if entries is None or entries.node.kind != "array":
                continue
            for k, entry in enumerate(entries.node.members):
                if not ours.holds(value(text, entry.node)):
                    continue
                if len(entries.node.members) > 1:
                    return remove(text, entries.node, k)
                return _drop_group(text, root, hooks, at, i)
    return None


def _drop_group(text: str, root: Node, hooks: Node, at: int, index: int) -> str:
    """Remove a group, and the containers that were made for it alone."""
    event = hooks.members[at].node
    if len(event.members) > 1 or not was_created(text, event):
        return remove(text, event, index)
    if len(hooks.members) > 1 or not was_created(text, hooks):
        return remove(text, hooks, at)
    return remove(text, root, next(i for i, m in enumerate(root.members) if m.node is hooks))


def _with_ours(text: str, ours: OwnEntries, groups: Groups) -> str:
    style = Style.of(text)
    for event, group in groups.items():
        if event in _groups_with_ours(text, ours):
            continue
        root = parse(text)
        hooks = _hooks(text, root)
        if hooks is None:
            body = style.gap(2) + _member(style, event, group, 2) + style.gap(1)
            text = insert(text, root, f'"hooks": {{{body}}}', style.gap(1))
            continue
        there = hooks.get(event)
        if there is None:
            text = insert(text, hooks, _member(style, event, group, 2), style.gap(2))
        elif there.node.kind != "array":
            raise ValueError(f'its key "hooks" has no list under "{event}"')
        else:
            text = insert(text, there.node, style.dump(dict(group), 3), style.gap(3))
    return text


def _member(style: Style, event: str, group: Mapping[str, Any], depth: int) -> str:
    inner = style.gap(depth + 1) + style.dump(dict(group), depth + 1) + style.gap(depth)
    return f"{json.dumps(event)}: [{inner}]"


def _made_by_us(before: str, others: int) -> bool:
    """Return whether we made the file: it holds our hooks first, and nothing else except the ``others`` that we added.

    In a file that was there before, our hooks go last.
    """
    root = parse(before)
    if plain(before) != before:
        return False
    return len(root.members) == 1 + others and root.members[0].key == "hooks" and was_created(before, root)
