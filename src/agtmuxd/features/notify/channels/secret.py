"""Read a channel's secret from a file that only its owner can read."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from agtmux.protocol.regular import open_regular

MOST: Final = 16_384
"""Bytes of such a file."""


class SecretError(Exception):
    """The secret cannot be used; the text says why and what to type."""


def read_secret(path: str) -> str:
    """Return the first line of the file. Raises SecretError, also if others may read it."""
    return read_secret_lines(path)[0]


def read_secret_lines(path: str) -> list[str]:
    """Return the lines of the file, without empty ones. Raises SecretError."""
    place = Path(path).expanduser()
    try:
        fd = open_regular(place)
    except OSError as error:
        raise SecretError(f"the secret in {path} cannot be read: {error.strerror}") from None
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(file.fileno())
        if status.st_uid not in (os.getuid(), 0):
            raise SecretError(f"{path} belongs to another user: make a file of your own")
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise SecretError(f"{path} can be read by others: run chmod 600 {path}")
        data = file.read(MOST + 1)
    if len(data) > MOST:
        raise SecretError(f"{path} is longer than {MOST} bytes")
    lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines() if line.strip()]
    if not lines:
        raise SecretError(f"{path} is empty: write the secret into it")
    return lines
