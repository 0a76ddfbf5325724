"""Write and remove files in folders of other programs, and never touch one that agtmux did not write.

Each file carries a line with the digest of the rest of it. So a file that somebody changed, or that another program
wrote, is known: it is neither overwritten nor removed.
"""

from __future__ import annotations

import hashlib
import os
import re

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.regular import read_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OURS, CHANGED, FOREIGN = "ours", "changed", "foreign"
MOST = 1 << 20
"""Bytes of such a file, at most."""
_MARK = re.compile(
    r"^(?:# |<!-- )Written by agtmux (?:[a-z ]+ install|install-skill)\.[^\n]* sha256:([0-9a-f]{64})(?: -->)?\n", re.M
)


def mark(text: str, by: str, more: str = "", *, after: int = 0, xml: bool = False) -> str:
    """Return ``text`` with the line that says who wrote it, after its first ``after`` lines.

    ``by``: the command, such as ``agtmux daemon install``. ``more``: a hint for who reads the file.
    """
    start, end = ("<!-- ", " -->") if xml else ("# ", "")
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
    line = f"{start}Written by {by}.{f' {more}' if more else ''} sha256:{digest}{end}\n"
    lines = text.split("\n")
    return "\n".join([*lines[:after], line + "\n".join(lines[after:])])


def owner_of(text: str) -> str:
    """Return ``ours`` for a file as agtmux wrote it, ``changed`` if it was edited since, else ``foreign``."""
    found = _MARK.search(text)
    if found is None:
        return FOREIGN
    rest = text[: found.start()] + text[found.end() :]
    return OURS if hashlib.sha256(rest.encode("utf-8", "surrogateescape")).hexdigest() == found[1] else CHANGED


def text_of(path: str) -> str | None:
    """Return the text of a file. None if it is not there; of one that cannot be read, an empty text."""
    if not os.path.lexists(path):
        return None
    try:
        return read_regular(path, MOST).decode("utf-8", "surrogateescape")
    except OSError:
        return ""


def owners(paths: Sequence[str]) -> dict[str, str]:
    """Return the owner of each of these files that is there. A link counts as somebody else's."""
    found = {}
    for path in paths:
        text = text_of(path)
        if text is not None:
            found[path] = FOREIGN if os.path.islink(path) else owner_of(text)
    return found


def check(wanted: Mapping[str, str], again: str) -> list[str]:
    """Return the paths that have to be written, in order. ``again``: the command to type after moving a file away.

    Raises E_PRECONDITION_FAILED if one belongs to somebody.
    """
    for path, owner in owners(list(wanted)).items():
        if owner != OURS:
            how = "was changed by hand" if owner == CHANGED else "was not written by agtmux"
            raise AgtmuxError(
                "E_PRECONDITION_FAILED", f"{path} {how}: move it away, then run {again} again", {"path": path}
            )
    return [path for path, text in wanted.items() if text_of(path) != text]


def write(path: str, text: str, mode: int = 0o644) -> None:
    """Write one file as a whole. Raises OSError."""
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    part = os.path.join(folder, f".{os.path.basename(path)}.{os.getpid()}")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with open(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(part, mode)
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise


def remove(paths: Sequence[str]) -> tuple[list[str], list[str]]:
    """Remove the files that are as agtmux wrote them. Return the removed and the kept paths."""
    removed, kept = [], []
    for path, owner in owners(paths).items():
        if owner == OURS:
            os.unlink(path)
            removed.append(path)
        else:
            kept.append(path)
    return removed, kept
