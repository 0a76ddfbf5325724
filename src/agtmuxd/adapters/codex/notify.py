"""Add and remove our program under the key ``notify`` in Codex's ``config.toml``.

Codex calls one program at the end of a turn, with a JSON text as its last argument. If the user has set a program, ours
runs beside it. The user's lines are kept as comments below our line, so that they can be restored byte for byte.
"""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any, Final

from agtmuxd.adapters.contract import HookPlan, HookStatus
from agtmuxd.adapters.settings import json_hooks
from agtmuxd.adapters.settings.hook_command import OwnEntries, words_of

TAKEN: Final = (
    "config.toml has a notify entry that agtmux cannot combine with its own, so it stays as it is (hooks, "
    "title and screen "
    "are enough)."
)
_OTHER: Final = "notify already calls agtmux for the machine that watches this one, so it stays as it is."
_CHAINED: Final = "Your own notify program still runs, together with agtmux's."
_LINE: Final = re.compile(r"(?:^|(?<=\ufeff))notify = (\[.*\])(\r?\n|\Z)", re.MULTILINE)
_KEY: Final = re.compile(r"""(?:^|(?<=\ufeff))[ \t]*(?:notify|"notify"|'notify')[ \t]*=""", re.MULTILINE)
_FIRST: Final = "# kept by agtmux: "
_NEXT: Final = "# kept by agtmux| "
_KEPT: Final = re.compile(rf"{re.escape(_FIRST)}[^\n]*(?:\n{re.escape(_NEXT)}[^\n]*)*(?:\n|\Z)")
_LONGEST: Final = 200
"""Lines of a value that are searched."""


def plan(path: Path, ours: OwnEntries, command: str, *, remove: bool) -> HookPlan:
    """Return what installing or uninstalling would make of ``config.toml``. Raises ValueError for a file that is not
    TOML.
    """
    before = json_hooks.read(path)
    text = before or ""
    value_of(path, text)
    bare = _without_ours(text, ours)
    if remove:
        gone = before is not None and text != bare == "" and text.endswith("\n")
        return HookPlan(path, before, before if text == bare else None if gone else bare)
    after, notes = _with_ours(bare, command, ends=before is None or _has_line_end(text, bare))
    if after is None or value_of(path, after) is None:
        return HookPlan(path, before, before, notes)
    return HookPlan(path, before, after, notes)


def status(path: Path, ours: OwnEntries, command: str) -> HookStatus:
    """Return whether our notify is in ``config.toml``. Raises ValueError as ``plan`` does."""
    text = json_hooks.read(path) or ""
    value = value_of(path, text)
    found = _ours(text, ours)
    if found is None:
        _, notes = _with_ours(text, command, ends=True)
        return HookStatus(path, False, False, (), notes if value is not None else ())
    bare = _without_ours(text, ours)
    wanted, _ = _with_ours(bare, command, ends=_has_line_end(text, bare))
    call = shlex.join(
        _own_words(json.loads(found.group(1)))
    )  # without the user's program: it should not run for a test
    return HookStatus(path, True, wanted != text, ("notify",), command=call, as_argument=True)


def value_of(path: Path, text: str) -> Any:
    """Return the value of ``notify``. Raises ValueError."""
    return settings(path, text).get("notify")


def settings(path: Path, text: str) -> dict[str, Any]:
    """Return the file's settings. Raises ValueError that names the file."""
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except (tomllib.TOMLDecodeError, RecursionError) as e:
        raise ValueError(f"{path}: is not TOML: {e}. Repair the file, then run this again.") from e


def _call(command: str, theirs: list[str] | None) -> str:
    """Return our value of the key: our program alone, or ours in the background and then the user's program in its
    place.
    """
    words = [*shlex.split(command), "codex"]
    if theirs is not None:
        both = f'{shlex.join(words)} "$1" 2>/dev/null & exec {shlex.join(theirs)} "$1"'
        words = ["/bin/sh", "-c", both, "agtmux"]
    text = json.dumps(words, ensure_ascii=False).replace(
        "\x7f", "\\u007f"
    )  # TOML does not take this character as it is
    return f"notify = {text}"


def _ours(text: str, ours: OwnEntries) -> re.Match[str] | None:
    """Find our line."""
    for found in _LINE.finditer(text):
        try:
            words = json.loads(found.group(1))
        except ValueError:
            continue
        if isinstance(words, list) and all(isinstance(word, str) for word in words) and _is_call(words, ours):
            return found
    return None


def _is_call(words: list[str], ours: OwnEntries) -> bool:
    return ours.calls(_own_words(words))


def _own_words(words: list[str]) -> list[str]:
    """Return those words of a value of ``notify`` that call our program. Empty if none do."""
    if words[:2] == ["/bin/sh", "-c"] and words[3:] == ["agtmux"]:
        return words_of(words[2].partition(' "$1"')[0])
    return words


def _without_ours(text: str, ours: OwnEntries) -> str:
    """Return ``text`` as it was before the installation, with the user's own lines if they were kept."""
    found = _ours(text, ours)
    if found is None:
        return text
    kept = _KEPT.match(text, found.end())
    if kept is None:
        return text[: found.start()] + text[found.end() :]
    lines = kept.group().splitlines(keepends=True)
    theirs = "".join(line[len(_FIRST) :] for line in lines)
    return text[: found.start()] + theirs + text[kept.end() :]


def _has_line_end(text: str, bare: str) -> bool:
    """Return whether our line has a line end in this file. In a file that existed but was empty it has none. This is
    how such a file is text apart from one that we made.
    """
    return bare != "" or text.endswith("\n")


def _with_ours(text: str, command: str, *, ends: bool) -> tuple[str | None, tuple[str, ...]]:
    """Return ``text`` with our line added, and notes for the user. None for the text if the file has to stay as it is.

    ``text`` holds nothing of ours. ``ends``: whether our line gets a line end.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    theirs = settings(Path("config.toml"), text).get("notify")
    if theirs is None:
        mark = "\ufeff" if text.startswith("\ufeff") else ""
        return mark + _call(command, None) + (newline if ends else "") + text.removeprefix(mark), ()
    span = _span(text, theirs)
    if span is None:
        return None, (TAKEN,)
    if any(_is_call(theirs, OwnEntries("codex", remote)) for remote in (True, False)):
        return None, (_OTHER,)
    start, end = span
    kept = text[start:end].splitlines(keepends=True)
    comments = "".join((_NEXT if i else _FIRST) + line for i, line in enumerate(kept))
    return text[:start] + _call(command, theirs) + newline + comments + text[end:], (_CHAINED,)


def _span(text: str, value: Any) -> tuple[int, int] | None:
    """Return the start and end of the lines of the key ``notify``, however they are written. None if they cannot be
    found.
    """
    if not (isinstance(value, list) and value and all(isinstance(word, str) for word in value)):
        return None
    for found in _KEY.finditer(text):
        end = found.start()
        for _ in range(_LONGEST):
            end = text.find("\n", end) + 1 or len(text)
            if _is_whole(text, found.start(), end, value):
                return found.start(), end
            if end == len(text):
                break
    return None


def _is_whole(text: str, start: int, end: int, value: Any) -> bool:
    """Return whether these lines hold the whole key and nothing else."""
    try:
        return tomllib.loads(text[start:end]) == {"notify": value} and "notify" not in tomllib.loads(
            (text[:start] + text[end:]).removeprefix("\ufeff")
        )
    except tomllib.TOMLDecodeError:
        return False
