"""Decide exactly whether two path patterns can match the same file. Pure.

A pattern is relative to the top of its repository:

- ``*`` any characters of one name, ``?`` one character, ``[a-z]`` and ``[!a-z]`` one of a class
- ``**`` as a whole name: any number of folders; at the end: everything below
- a last name without ``*``, ``?`` and ``[``: the file or folder of that name, and everything below it
- ``\\`` before ``* ? [ ] { } \\``: that character. ``\\xNN``: the byte NN, for names that are not UTF-8

Two patterns overlap if some path matches both. The product of their automata answers that; no heuristic does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeVar

from agtmux.protocol.errors import AgtmuxError

Ranges = tuple[tuple[int, int], ...]
"""Code points: inclusive ranges, sorted, without gaps of nothing. Bytes that are not UTF-8 are lone surrogates."""
Atom = Ranges | None
"""One character of a name. None: any number of any characters."""
Name = tuple[Atom, ...]
Part = Name | None
"""One name of a path. None: any number of names."""

T = TypeVar("T", bound=Hashable)

MOST_CHARS: Final = 512
MOST_NAMES: Final = 64
MOST_STATES: Final = 100_000
"""States of products that one request may need."""
_LAST: Final = 0x10FFFF
_SLASH: Final = ord("/")
_SPECIAL: Final = frozenset("*?[]{}\\-!^")
_CLASS_ESCAPES: Final = re.compile(r"\[[:.=]")


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern. ``text``: its normal form. ``literal``: it has no ``*``, ``?`` or class."""

    text: str
    parts: tuple[Part, ...]
    literal: bool


class Budget:
    """How many states one request may still visit."""

    def __init__(self, states: int = MOST_STATES) -> None:
        self.left = states

    def spend(self, states: int = 1) -> None:
        """Raise E_INVALID_REQUEST if the request becomes too expensive."""
        self.left -= states
        if self.left < 0:
            raise _refused("these patterns are too complex to compare: use fewer, or fewer * in one name")


def _refused(why: str) -> AgtmuxError:
    return AgtmuxError("E_INVALID_REQUEST", why)


# ---------------------------------------------------------------- reading a pattern


@lru_cache(maxsize=4096)
def compile_pattern(text: str, ignore_case: bool = False) -> Glob:
    """Read a pattern. Raises E_INVALID_REQUEST for one that is not well-formed or leaves the repository."""
    names = _split(text)
    if not names:
        return Glob("**", (_ANY, None), literal=False)
    parts: list[Part] = []
    for raw, name in names:
        if raw != "**":
            parts.append(_folded(name) if ignore_case else name)
        elif not parts or parts[-1] is not None:
            parts.append(None)
    last = names[-1][1]
    if parts[-1] is None:
        parts.insert(-1, _ANY)  # what is below, not the folder itself
    elif all(map(_is_char, last)):
        parts.append(None)  # the file of that name, or the folder with all below
    literal = all(_is_char(atom) for _, name in names for atom in name)
    return Glob("/".join(raw for raw, _ in names), tuple(parts), literal)


@lru_cache(maxsize=4096)
def compile_path(text: str, ignore_case: bool = False) -> Glob:
    """Read one path, whose special characters are escaped. Raises E_INVALID_REQUEST if it is a pattern."""
    found = compile_pattern(text, ignore_case)
    if not found.literal:
        raise _refused(f"{text[:80]!r} is a pattern, not a path: put \\ before * ? [ and {{")
    return Glob(found.text, found.parts[:-1], literal=True)


def _is_char(atom: Atom) -> bool:
    return atom is not None and len(atom) == 1 and atom[0][0] == atom[0][1]


def _split(text: str) -> list[tuple[str, Name]]:
    """Return the names with their texts. ``dir/`` becomes ``dir/**``."""
    if not text:
        raise _refused("a pattern is empty: name a file or folder, like src/api")
    if len(text) > MOST_CHARS:
        raise _refused(f"a pattern has {len(text)} characters: use at most {MOST_CHARS}")
    if text.startswith("/"):
        raise _refused(f"{text[:80]!r} is absolute: give it relative to the top of the repository")
    names: list[tuple[str, Name]] = []
    for raw, name in _Reader(text).names():
        if raw == "..":
            raise _refused(f"{text[:80]!r} leaves its folder by ..: give it relative to the top of the repository")
        if raw not in ("", ".") and not (raw == "**" and names and names[-1][0] == "**"):
            names.append((raw, name))
    if text.endswith("/") and names and names[-1][0] != "**":
        names.append(("**", (None,)))
    if len(names) > MOST_NAMES:
        raise _refused(f"a pattern has {len(names)} names: use at most {MOST_NAMES}")
    return names


class _Reader:
    """Reads a pattern character by character."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def names(self) -> Iterable[tuple[str, Name]]:
        """Yield each name between slashes, with its text."""
        start, atoms = 0, list[Atom]()
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == "/":
                yield self._text[start : self._at], tuple(atoms)
                self._at += 1
                start, atoms = self._at, []
            elif char == "*":
                self._at += 1
                if not atoms or atoms[-1] is not None:
                    atoms.append(None)
            else:
                atoms.append(self._atom(char))
        yield self._text[start:], tuple(atoms)

    def _atom(self, char: str) -> Ranges:
        if char == "?":
            self._at += 1
            return _ANY_CHAR
        if char == "[":
            return self._class()
        if char in "{}":
            raise self._wrong("agtmux does not read {a,b}: give one pattern for each, or \\{ for the character")
        return _char(self._char())

    def _char(self) -> int:
        """Read one character, which may be escaped."""
        char = self._text[self._at]
        self._at += 1
        if char != "\\":
            if ord(char) < 0x20 or ord(char) == 0x7F or 0xD800 <= ord(char) <= 0xDFFF:
                raise self._wrong("write a control character or an odd byte as \\xNN")
            return ord(char)
        escaped = self._text[self._at : self._at + 1]
        self._at += 1
        if escaped == "x" and (digits := re.compile("[0-9a-fA-F]{2}").match(self._text, self._at)):
            self._at += 2
            byte = int(digits[0], 16)
            if byte in (0, _SLASH):
                raise self._wrong("no name holds a NUL or a slash")
            return byte if byte < 0x80 else 0xDC00 + byte
        if not escaped or escaped not in _SPECIAL:
            raise self._wrong("use / between folders; \\ stands only before * ? [ ] { } \\ or xNN")
        return ord(escaped)

    def _class(self) -> Ranges:
        if _CLASS_ESCAPES.match(self._text, self._at + 1):
            raise self._wrong("classes like [:alpha:] are not read: use ranges such as [a-zA-Z]")
        self._at += 1
        negated = self._text[self._at : self._at + 1] in ("!", "^")
        self._at += negated
        found: list[tuple[int, int]] = []
        first = True
        while first or self._text[self._at : self._at + 1] != "]":
            if self._at >= len(self._text) or self._text[self._at] == "/":
                raise self._wrong("[ has no ]: close the class, or write \\[")
            low = high = self._char()
            rest = self._text[self._at : self._at + 2]
            if len(rest) == 2 and rest[0] == "-" and rest[1] not in "]/":
                self._at += 1
                high = self._char()
            if low > high:
                raise self._wrong(f"the range {chr(low)}-{chr(high)} is the wrong way round")
            found.append((low, high))
            first = False
        self._at += 1
        ranges = _without_slash(_others(found) if negated else _merged(found))
        if not ranges:
            raise self._wrong("a class matches no character")
        return ranges

    def _wrong(self, why: str) -> AgtmuxError:
        return _refused(f"{self._text[:80]!r}: {why}")


def _char(code: int) -> Ranges:
    return ((code, code),)


def _merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    out: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if out and low <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(high, out[-1][1]))
        else:
            out.append((low, high))
    return tuple(out)


def _others(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Return all characters but these."""
    out, start = [], 1
    for low, high in _merged(ranges):
        if low > start:
            out.append((start, low - 1))
        start = high + 1
    return tuple([*out, (start, _LAST)] if start <= _LAST else out)


def _without_slash(ranges: Ranges) -> Ranges:
    out: list[tuple[int, int]] = []
    for low, high in ranges:
        if low <= _SLASH <= high:
            out += [(low, _SLASH - 1)] if low < _SLASH else []
            out += [(_SLASH + 1, high)] if high > _SLASH else []
        else:
            out.append((low, high))
    return tuple(out)


def _folded(name: Name) -> Name:
    return tuple(None if atom is None else _both_cases(atom) for atom in name)


def _both_cases(ranges: Ranges) -> Ranges:
    """Add the other case of each letter: of single characters, and of the letters A to Z in ranges."""
    more: list[tuple[int, int]] = []
    for low, high in ranges:
        if low == high and not 0xD800 <= low <= 0xDFFF:
            more += [(ord(c), ord(c)) for c in (chr(low).lower(), chr(low).upper()) if len(c) == 1]
        for start, end, move in ((65, 90, 32), (97, 122, -32)):
            if max(low, start) <= min(high, end):
                more.append((max(low, start) + move, min(high, end) + move))
    return _merged([*ranges, *more])


_ANY_CHAR: Final = _without_slash(((1, _LAST),))
_ANY: Final[Name] = (None,)


# ---------------------------------------------------------------- comparing


def overlap(one: Glob, other: Glob, budget: Budget) -> bool:
    """Return whether some path matches both. Raises E_INVALID_REQUEST if that costs too much."""
    meets: dict[tuple[Name, Name], bool] = {}

    def names_meet(a: Name, b: Name) -> bool:
        if a == b:
            return True
        if (a, b) not in meets:
            meets[a, b] = _meet(a, b, _chars_meet, budget)
        return meets[a, b]

    return _meet(one.parts, other.parts, names_meet, budget)


def _chars_meet(a: Ranges, b: Ranges) -> bool:
    return any(max(low, other_low) <= min(high, other_high) for low, high in a for other_low, other_high in b)


def _meet(a: Sequence[T | None], b: Sequence[T | None], one: Callable[[T, T], bool], budget: Budget) -> bool:
    """Return whether two sequences accept a common word. None in them stands for any number of elements.

    It walks the product of both automata: a state is a place in each.
    """
    seen, todo = {(0, 0)}, [(0, 0)]
    while todo:
        budget.spend()
        i, j = todo.pop()
        left, right = i < len(a), j < len(b)
        if not left and not right:
            return True
        steps = []
        if left and a[i] is None:
            steps.append((i + 1, j))
            if right:
                steps.append((i, j + 1))
        if right and b[j] is None:
            steps.append((i, j + 1))
            if left:
                steps.append((i + 1, j))
        if left and right and (x := a[i]) is not None and (y := b[j]) is not None and one(x, y):
            steps.append((i + 1, j + 1))
        for step in steps:
            if step not in seen:
                seen.add(step)
                todo.append(step)
    return False


# ---------------------------------------------------------------- matching one path


@lru_cache(maxsize=4096)
def expression(glob: Glob) -> re.Pattern[str]:
    """Return an expression that matches the paths of a pattern, with a slash after each name.

    What stands between two stars is matched at its first place, and atomic groups never go back: so no path takes long.
    """
    runs: list[list[Name]] = [[]]
    for part in glob.parts:
        if part is None:
            runs.append([])
        else:
            runs[-1].append(part)
    first, *middle = ["".join(f"{_name_expression(name)}/" for name in run) for run in runs]
    if not middle:
        return re.compile(rf"{first}\Z", re.DOTALL)
    last = middle.pop()
    between = "".join(rf"(?>(?:[^/]+/)*?{run})" for run in middle)
    end = rf"(?:[^/]+/)*{last}\Z" if last else ".*"
    return re.compile(f"{first}{between}{end}", re.DOTALL)


def text_of(path: Glob) -> str:
    """Return a path as ``expression`` matches it."""
    names = ("".join(chr(atom[0][0]) for atom in name or () if atom is not None) for name in path.parts)
    return "".join(f"{name}/" for name in names)


def _name_expression(name: Name) -> str:
    if name == _ANY:
        return "[^/]+"
    runs = [""]
    for atom in name:
        if atom is None:
            runs.append("")
        else:
            runs[-1] += f"[{''.join(f'{_escape(low)}-{_escape(high)}' for low, high in atom)}]"
    first, *middle = runs
    if not middle:
        return first
    last = middle.pop()
    return f"(?>{first}{''.join(f'(?>[^/]*?{run})' for run in middle)}[^/]*{last}(?=/))"


def _escape(code: int) -> str:
    return f"\\U{code:08x}"
