"""The file system below the database: how much room it has, and whether it is one of another machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "ncpfs", "beegfs", "gpfs",
     "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.rclone", "fuse.s3fs", "fuse.gcsfuse", "fuse.davfs2",
     "davfs", "afpfs", "webdav"}
)  # fmt: skip
"""Kinds of file systems, as the system names them, whose files other machines write too."""
_MOUNTS: Final = "/proc/self/mountinfo"
_SPACES: Final = (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\"))


def room(path: str) -> int | None:
    """Bytes that are free where ``path`` lies; None where nobody can tell."""
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


def network(path: str, mounts: str | None = None) -> str | None:
    """The kind of the network file system that ``path`` lies on; None for a local one, or where nobody can tell.

    ``mounts``: the text of ``/proc/self/mountinfo``, read when it is not given.
    """
    if mounts is None:
        try:
            mounts = Path(_MOUNTS).read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return None
    wanted = os.path.realpath(path)
    best, kind = "", None
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields, kinds = before.split(" "), after.split(" ")
        if len(fields) < 5:
            continue
        point = fields[4]
        for coded, plain in _SPACES:
            point = point.replace(coded, plain)
        inside = wanted == point or wanted.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):  # a later mount lies over an earlier one of the same place
            best, kind = point, kinds[0]
    return kind if kind in NETWORK else None
