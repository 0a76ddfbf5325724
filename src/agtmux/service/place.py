"""Write and remove service files, and never touch one that agtmux did not write."""

from __future__ import annotations

import os

from agtmux.protocol.errors import AgtmuxError
from agtmux.service.files import CHANGED, OURS
from agtmux.service.state import owners, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def check(wanted: Mapping[str, str]) -> list[str]:
    """Return the paths that have to be written, in order. Raises E_PRECONDITION_FAILED if one belongs to somebody."""
    for path, owner in owners(list(wanted)).items():
        if owner != OURS:
            how = "was changed by hand" if owner == CHANGED else "was not written by agtmux"
            raise AgtmuxError(
                "E_PRECONDITION_FAILED",
                f"{path} {how}: move it away, put changes into a drop-in file, then run agtmux daemon install again",
                {"path": path},
            )
    return [path for path, text in wanted.items() if text_of(path) != text]


def write(path: str, text: str) -> None:
    """Write one file as a whole, with mode 0644. Raises OSError."""
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    part = os.path.join(folder, f".{os.path.basename(path)}.{os.getpid()}")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        with open(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(part, 0o644)
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
