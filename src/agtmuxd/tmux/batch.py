"""Build a batch of commands that runs only in one life of one server, and read whether it ran.

Owns its form. Each command stands alone: one that fails does not keep the others from running. The reply holds nothing
but the server's identity: what the commands print is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from agtmux.protocol.tmux_quote import encode, line
from agtmuxd.core.model import ServerInfo

_WHO: Final = "#{pid}.#{start_time}"


def build_batch(nonce: str, server: ServerInfo, commands: Iterable[Sequence[str]]) -> bytes:
    """Return the standard input of ``source-file -``. ``nonce``: letters and digits, fresh and random.

    Raises ValueError for an empty command or a NUL.
    """
    lines = []
    for command in commands:
        if not command:
            raise ValueError("a tmux command has at least one word")
        lines.append(line(["if-shell", "-F", f"#{{==:{_WHO},{server.boot_id}}}", line(command).removesuffix("\n")]))
    return encode("".join(lines) + line(["display-message", "-p", f"{nonce}{_WHO}{nonce}"]))


def read_boot_id(nonce: str, stdout: bytes) -> str | None:
    """Return the boot id of the server that took the batch, None if it did not say."""
    found = re.search(rf"{nonce}([0-9]+\.[0-9]+){nonce}", stdout.decode("utf-8", "replace"))
    return found[1] if found else None
