"""The key ``notify`` in Codex's config.toml: ours goes in, before the user's own program, and comes out again.

Codex calls one program at the end of a turn, with a JSON text as its last argument. Where the user has one, ours runs
beside it, and the user's lines are kept as comments below, so that they come back byte for byte.
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
    "config.toml has a notify entry that agtmux cannot run beside its own; it is left alone (hooks, title and screen "
    "tell as much)."
)
_OTHER: Final = "notify calls agtmux already, for the machine that watches this one; it is left alone."
_CHAINED: Final = "Your own notify program is run as before, beside agtmux's."
_LINE: Final = re.compile(r"(?:^|(?<=\ufeff))notify = (\[.*\])(\r?\n|\Z)", re.MULTILINE)
_KEY: Final = re.compile(r"""(?:^|(?<=\ufeff))[ \t]*(?:notify|"notify"|'notify')[ \t]*=""", re.MULTILINE)
_FIRST: Final = "# kept by agtmux: "
_NEXT: Final = "# kept by agtmux| "
_KEPT: Final = re.compile(rf"{re.escape(_FIRST)}[^\n]*(?:\n{re.escape(_NEXT)}[^\n]*)*(?:\n|\Z)")
_LONGEST: Final = 200
"""Lines of a value that are looked at."""


def plan(path: Path, ours: OwnEntries, command: str, *, remove: bool) -> HookPlan:
    """What (un)installing would make of ``config.toml``. Raises ValueError for a file that is no TOML."""
    before = json_hooks.read(path)
    text = before or ""
    value_of(path, text)
    bare = _without(text, ours)
    if remove:
        gone = before is not None and text != bare == "" and text.endswith("\n")
        return HookPlan(path, before, before if text == bare else None if gone else bare)
    after, notes = _with(bare, command, ends=before is None or _ends(text, bare))
    if after is None or value_of(path, after) is None:
        return HookPlan(path, before, before, notes)
    return HookPlan(path, before, after, notes)


def status(path: Path, ours: OwnEntries, command: str) -> HookStatus:
    """Whether our notify is in ``config.toml``. Raises ValueError as ``plan`` does."""
    text = json_hooks.read(path) or ""
    value = value_of(path, text)
    found = _ours(text, ours)
    if found is None:
        _, notes = _with(text, command, ends=True)
        return HookStatus(path, False, False, (), notes if value is not None else ())
    bare = _without(text, ours)
    wanted, _ = _with(bare, command, ends=_ends(text, bare))
    call = shlex.join(_own_words(json.loads(found.group(1))))  # without the user's program: a test is nothing for it
    return HookStatus(path, True, wanted != text, ("notify",), command=call, as_argument=True)


def value_of(path: Path, text: str) -> Any:
    """The value of notify. Raises ValueError."""
    return settings(path, text).get("notify")


def settings(path: Path, text: str) -> dict[str, Any]:
    """What the file says. Raises ValueError that names it."""
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except (tomllib.TOMLDecodeError, RecursionError) as e:
        raise ValueError(f"{path}: is not TOML: {e}. Repair the file, then run this again.") from e


def _call(command: str, theirs: list[str] | None) -> str:
    """Our value of the key: ours alone, or ours in the background and then, in its place, the user's own."""
    words = [*shlex.split(command), "codex"]
    if theirs is not None:
        both = f'{shlex.join(words)} "$1" 2>/dev/null & exec {shlex.join(theirs)} "$1"'
        words = ["/bin/sh", "-c", both, "agtmux"]
    told = json.dumps(words, ensure_ascii=False).replace("\x7f", "\\u007f")  # which TOML does not take as it is
    return f"notify = {told}"


def _ours(text: str, ours: OwnEntries) -> re.Match[str] | None:
    """Our line."""
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
    """Of a value of the key, the words that call our program, if any do."""
    if words[:2] == ["/bin/sh", "-c"] and words[3:] == ["agtmux"]:
        return words_of(words[2].partition(' "$1"')[0])
    return words


def _without(text: str, ours: OwnEntries) -> str:
    """``text`` as it was before us; with the user's own line where we kept it."""
    found = _ours(text, ours)
    if found is None:
        return text
    kept = _KEPT.match(text, found.end())
    if kept is None:
        return text[: found.start()] + text[found.end() :]
    lines = kept.group().splitlines(keepends=True)
    theirs = "".join(line[len(_FIRST) :] for line in lines)
    return text[: found.start()] + theirs + text[kept.end() :]


def _ends(text: str, bare: str) -> bool:
    """Whether our line has a line end in this file. An empty file that was there gets none: that is how it is told from
    one that we made."""
    return bare != "" or text.endswith("\n")


def _with(text: str, command: str, *, ends: bool) -> tuple[str | None, tuple[str, ...]]:
    """``text``, which has nothing of ours, with our line, with or without a line end; None where it has to stay as it
    is. And what to tell."""
    newline = "\r\n" if "\r\n" in text else "\n"
    theirs = settings(Path("config.toml"), text).get("notify")
    if theirs is None:
        mark = "\ufeff" if text.startswith("\ufeff") else ""
        return mark + _call(command, None) + (newline if ends else "") + text.removeprefix(mark), ()
    span = _span(text, theirs)
    if span is None:
        return None, (TAKEN,)
    if any(_is_call(theirs, OwnEntries("codex", far)) for far in (True, False)):
        return None, (_OTHER,)
    start, end = span
    kept = text[start:end].splitlines(keepends=True)
    comments = "".join((_NEXT if i else _FIRST) + line for i, line in enumerate(kept))
    return text[:start] + _call(command, theirs) + newline + comments + text[end:], (_CHAINED,)


def _span(text: str, value: Any) -> tuple[int, int] | None:
    """From where to where the lines of the key notify go, however it is written; None where that cannot be told."""
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
    """Whether these lines hold the key and nothing else does."""
    try:
        return tomllib.loads(text[start:end]) == {"notify": value} and "notify" not in tomllib.loads(
            (text[:start] + text[end:]).removeprefix("\ufeff")
        )
    except tomllib.TOMLDecodeError:
        return False
