"""Look at the file system of the database: how much space is free, and whether it is a network file system."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "ncpfs", "beegfs", "gpfs",
     "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.rclone", "fuse.s3fs", "fuse.gcsfuse", "fuse.davfs2",
     "davfs", "afpfs", "webdav"}
)  # fmt: skip
"""Types of network file systems, as ``/proc/self/mountinfo`` names them."""
_MOUNTS: Final = "/proc/self/mountinfo"
_SPACES: Final = (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\"))


def free_bytes(path: str) -> int | None:
    """Give the free bytes of the file system that holds ``path``; None if it cannot be asked."""
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


def network_type(path: str, mounts: str | None = None) -> str | None:
    """Give the type of the network file system that holds ``path``; None if it is local or cannot be found out.

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
        if inside and len(point) >= len(best):  # a later mount hides an earlier one at the same place
            best, kind = point, kinds[0]
    return kind if kind in NETWORK else None
