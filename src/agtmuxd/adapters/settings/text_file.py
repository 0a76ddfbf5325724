"""Read a text file that a person edits, within a size limit and without blocking on pipes or devices.

Knows nothing about its content.
"""

from __future__ import annotations

from pathlib import Path


def read_text(path: Path, most: int) -> str:
    """Return the text of ``path`` with its line ends as they are.

    Raises FileNotFoundError. Raises ValueError with the file and what to do if it is not a regular file, is larger than
    ``most`` bytes, is not UTF-8 or cannot be read.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe or a device
            raise ValueError(f"{path}: is not a regular file. Move it away, then run this again.")
        with path.open("rb") as file:
            data = file.read(most + 1)
    except FileNotFoundError:
        raise
    except OSError as e:
        raise ValueError(f"{path}: cannot be read: {e.strerror}") from e
    if len(data) > most:
        raise ValueError(f"{path}: is longer than {most >> 20} MiB. Move it away, then run this again.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as e:
        raise ValueError(f"{path}: is not UTF-8 text (byte {e.start}). Save it as UTF-8, then run this again.") from e
