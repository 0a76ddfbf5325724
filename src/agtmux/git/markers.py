"""Find conflict markers in a file's bytes, and put one side in their place. Pure.

A marker is seven characters at the start of a line, then a space or the end of the line. A conflict is a whole block:
``<<<<<<<``, perhaps ``|||||||`` (the base, in the styles diff3 and zdiff3), ``=======``, ``>>>>>>>``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

_MARKER = re.compile(rb"^(<{7}|\|{7}|={7}|>{7})(?: [^\n]*)?\r?$")


@dataclass(frozen=True)
class Conflict:
    """One block. ``start`` and ``end``: of its bytes. ``line``: of its first marker, from 1. ``base`` None: 2-way."""

    conflict_id: str
    path: str
    start: int
    end: int
    line: int
    ours: bytes
    base: bytes | None
    theirs: bytes
    ours_label: str
    theirs_label: str

    def side(self, name: str) -> bytes | None:
        """Return what ``ours``, ``theirs``, ``base`` or ``both`` puts in place of the block. None: it has no base."""
        return {"ours": self.ours, "theirs": self.theirs, "both": self.ours + self.theirs}.get(name, self.base)


def find_conflicts(path: str, data: bytes, known: Sequence[Conflict] = ()) -> list[Conflict]:
    """List the conflicts of a file. ``known``: of an earlier scan, whose ids are kept for equal blocks, in order."""
    left = list(known)
    used: set[str] = {one.conflict_id for one in known}
    out = []
    for block in _blocks(path, data):
        text = data[block.start : block.end]
        same = next((one for one in left if _text_of(one) == _text_of(block)), None)
        if same is not None:
            left.remove(same)
            out.append(replace(block, conflict_id=same.conflict_id))
            continue
        name = _new_id(path, text, used)
        used.add(name)
        out.append(replace(block, conflict_id=name))
    return out


def _text_of(one: Conflict) -> tuple[bytes, bytes | None, bytes, str, str]:
    return one.ours, one.base, one.theirs, one.ours_label, one.theirs_label


def _new_id(path: str, text: bytes, used: set[str]) -> str:
    number = 0
    while True:
        digest = hashlib.sha256(b"\0".join((path.encode("utf-8", "surrogateescape"), text, b"%d" % number)))
        name = f"c{digest.hexdigest()[:8]}"
        if name not in used:
            return name
        number += 1


def resolved(data: bytes, one: Conflict, content: bytes) -> bytes:
    """Return the file with ``content`` in place of the block.

    If the block ends the file without a line break, so does the result.
    """
    if one.end == len(data) and not data.endswith(b"\n"):
        content = content.removesuffix(b"\n").removesuffix(b"\r")
    return data[: one.start] + content + data[one.end :]


def has_marker(data: bytes) -> bool:
    """Return whether any line looks like the first or the last marker of a block."""
    return any(word in (b"<", b">") for word, _, _ in _markers(data))


def _markers(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield (character, start, end with the line break) of each line that is a marker."""
    at = 0
    while at < len(data):
        end = data.find(b"\n", at)
        stop = len(data) if end < 0 else end
        if data[at : at + 7] in (b"<<<<<<<", b"|||||||", b"=======", b">>>>>>>"):
            found = _MARKER.match(data[at:stop])
            if found is not None:
                yield found[1][:1], at, min(stop + 1, len(data))
        at = stop + 1


def _blocks(path: str, data: bytes) -> Iterator[Conflict]:
    """Yield each whole block, in order. A new first marker gives up a block that has not ended."""
    first: tuple[int, int] | None = None
    base: tuple[int, int] | None = None
    middle: tuple[int, int] | None = None
    for kind, start, end in _markers(data):
        if kind == b"<":
            first, base, middle = (start, end), None, None
        elif first is None:
            continue
        elif kind == b"|" and base is None and middle is None:
            base = (start, end)
        elif kind == b"=" and middle is None:
            middle = (start, end)
        elif kind == b">" and middle is not None:
            ours_end = base[0] if base is not None else middle[0]
            yield Conflict(
                "", path, first[0], end, data.count(b"\n", 0, first[0]) + 1, data[first[1] : ours_end],
                None if base is None else data[base[1] : middle[0]], data[middle[1] : start],
                _label(data[first[0] : first[1]]), _label(data[start:end]),
            )  # fmt: skip
            first = base = middle = None


def _label(line: bytes) -> str:
    return line[7:].strip().decode("utf-8", "replace")
