"""Runs on a machine behind ssh (``python3 -IS -c``, 3.8 or newer): puts files in place as ``hookfiles`` does here.

Standard input: ``{"files": [{"path", "before", "after"}], "backups": N}``, text or null for a file that is not there.
Standard output: ``[{"backup", "error"}]`` in that order. The backup comes first, then one atomic replacement.
"""

from __future__ import annotations

import glob
import json
import os
import stat
import sys
import tempfile
import time


def place(path: str, before: str | None, after: str | None, backups: int) -> str | None:
    """Put one file in place; its backup, or None where there is none. Raises ValueError, OSError.

    A symbolic link is followed: the file it names is replaced, the link stays.
    """
    real = os.path.realpath(path)
    now = None
    if os.path.exists(real):
        with open(real, encoding="utf-8", newline="") as file:
            now = file.read()
    if now != before:
        raise ValueError(path + " changed meanwhile: try again")
    backup = None
    mode = 0o600
    if now is not None:
        mode = stat.S_IMODE(os.stat(real).st_mode)
        if backups:
            backup = real + time.strftime(".agtmux-backup-%Y%m%d-%H%M%S")
            write(backup, now, mode)
            for old in sorted(glob.glob(glob.escape(real) + ".agtmux-backup-*"))[:-backups]:
                os.unlink(old)
    if after is None:
        if now is not None:
            os.unlink(real)
        return backup
    os.makedirs(os.path.dirname(real), mode=0o700, exist_ok=True)
    write(real, after, mode)
    return backup


def write(path: str, text: str, mode: int) -> None:
    """Write beside, then replace."""
    fd, name = tempfile.mkstemp(dir=os.path.dirname(path), prefix="." + os.path.basename(path) + ".")
    try:
        with os.fdopen(fd, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def main() -> None:
    asked = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    out = []
    for one in asked["files"]:
        try:
            out.append({"backup": place(one["path"], one["before"], one["after"], asked["backups"]), "error": None})
        except (ValueError, OSError) as error:
            out.append({"backup": None, "error": str(error)})
    sys.stdout.write(json.dumps(out))


if __name__ == "__main__":
    main()
