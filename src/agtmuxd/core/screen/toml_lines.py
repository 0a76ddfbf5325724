"""Find the line of a rules file on which a table or key is written, for error messages.

Pure. Needed because the TOML reader reports no lines for what it read. Returns None if the line cannot be found.
Understands what people usually write, not all of TOML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_HEADER = re.compile(r"\s*\[(\[)?\s*([A-Za-z0-9_-]+)\s*(?:\]|\.)")
_KEY = re.compile(r"""\s*["']?([A-Za-z0-9_-]+)["']?\s*[=.]""")


def line_of(text: str, table: str, index: int, key: str) -> int | None:
    """Return the line (from 1) of ``key`` in a table.

    ``table``: the table's name, "" for the top. ``index``: which one of an array of tables (from 0). If the key is
    missing or "", return the line of the table's header; None for the top.
    """
    found: int | None = None
    inside, count = table == "", -1
    for number, line in _plain(text):
        header = _HEADER.match(line)
        if header is not None:
            if header[2] == table and (header[1] or count < 0):
                count += 1
            inside = header[2] == table and count == index
            if inside and found is None:
                found = number
            continue
        named = _KEY.match(line)
        if inside and key and named is not None and named[1] == key:
            return number
    return found


def _plain(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines, with their numbers, that do not begin inside a multi-line string."""
    closing = ""
    for number, line in enumerate(text.splitlines(), 1):
        rest = line
        if not closing:
            yield number, line
        while True:
            if closing:
                _, there, rest = rest.partition(closing)
                if not there:
                    break
                closing = ""
            opens = [(rest.find(q), q) for q in ("'''", '"""') if q in rest]
            if not opens:
                break
            at, closing = min(opens)
            rest = rest[at + 3 :]
