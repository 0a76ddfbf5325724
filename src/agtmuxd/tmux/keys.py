"""Build the tmux commands that change something (keys, buffers, selections), each as one guarded argument list.

Owns how bytes get into a pane. The command that writes also asks tmux whether the pane is still the right one. Knows no
agent and runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from agtmux.protocol.tmux_quote import line

_UNSAFE: Final = re.compile(rb"[\x00-\x06\x0b\x0c\x0e-\x1f]")
KEY_BYTES: Final = 1024
"""The most bytes that one ``send-keys`` carries. Longer text goes through a buffer."""

_NO_PROCESS: Final = "#{||:#{==:#{pane_pid},},#{==:#{pane_pid},0}}"
"""Tests that a pane has no process. From tmux 3.8 on the pid of a pane whose program has ended is empty.

Before, the pid of a pane that never had a program is 0.
"""


@dataclass(frozen=True, slots=True)
class WriteGuard:
    """What must still be true inside tmux when it writes.

    Checked: the server, the pane's process (0: it has none), that the pane is in no mode unless ``in_mode``, and that
    its input is not shared with other panes.
    """

    pane_id: str
    server_pid: int
    pane_pid: int
    in_mode: bool = False


def send_bytes(pane_id: str, data: bytes) -> list[str]:
    """Send exactly these bytes as keys. At most KEY_BYTES."""
    return ["send-keys", "-H", "-t", pane_id, *(f"{byte:02x}" for byte in data)]


def press_keys(pane_id: str, names: Sequence[str]) -> list[str]:
    """Press named keys, each a ``valid_key``."""
    return ["send-keys", "-t", pane_id, "--", *names]


def load_buffer(buffer: str) -> list[str]:
    """Load standard input into a buffer of that name."""
    return ["load-buffer", "-b", buffer, "-"]


def delete_buffer(buffer: str) -> list[str]:
    """Delete a buffer."""
    return ["delete-buffer", "-b", buffer]


def list_buffers(pattern: str) -> list[str]:
    """List the names of the buffers that match a pattern, one a line."""
    return ["list-buffers", "-F", "#{buffer_name}", "-f", f"#{{m:{pattern},#{{buffer_name}}}}"]


def join(commands: Sequence[Sequence[str]]) -> list[str]:
    """Join several commands into one argument list. A command that fails ends the list."""
    out = list(commands[0])
    for command in commands[1:]:
        out += [";", *command]
    return out


def paste_buffer(pane_id: str, buffer: str, *, bracketed: bool, version: tuple[int, int] | None) -> list[str]:
    """Paste a buffer into the pane, byte for byte, and delete the buffer.

    ``bracketed``: between paste marks, if the program asked for them. From 3.7 on tmux makes control characters
    visible, unless ``-S`` is given.
    """
    raw = ["-S"] if version is not None and version >= (3, 7) else []
    return ["paste-buffer", "-d", "-r", *raw, *(["-p"] if bracketed else []), "-b", buffer, "-t", pane_id]


def paste_changes(data: bytes) -> bool:
    """Return whether ``data`` holds bytes that tmux makes visible from 3.7 on without ``-S``."""
    return _UNSAFE.search(data) is not None or b"\x7f" in data or not _is_utf8(data)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def leave_mode(pane_id: str) -> list[str]:
    """Leave copy mode or any other mode of a pane."""
    return ["copy-mode", "-q", "-t", pane_id]


def select_pane(session_id: str, window_id: str, pane_id: str) -> list[list[str]]:
    """Make the window current in its session, and the pane active in its window."""
    return [["select-window", "-t", f"{session_id}:{window_id}"], ["select-pane", "-t", pane_id]]


def guard_commands(
    guard: WriteGuard, commands: Iterable[Sequence[str]], yes: str, no: str, *, puts: bool = True
) -> list[str]:
    """Return one tmux command that runs ``commands`` only if ``guard`` is true.

    It prints ``yes`` after them, or else ``no``. ``puts``: the commands put something into the pane. ``yes`` and
    ``no``: letters and digits. A command that fails ends the list, so that neither is printed.
    """
    facts = [
        f"#{{==:#{{pid}},{guard.server_pid}}}",
        f"#{{==:#{{pane_pid}},{guard.pane_pid}}}" if guard.pane_pid else _NO_PROCESS,
    ]
    if puts:
        facts += ["#{!=:#{pane_dead},1}", "#{!=:#{pane_synchronized},1}", "#{!=:#{pane_input_off},1}"]
    if puts and not guard.in_mode:
        facts.append("#{?pane_in_mode,0,1}")
    test = facts[0]
    for fact in facts[1:]:
        test = f"#{{&&:{test},{fact}}}"
    act = " ; ".join(line(command).rstrip("\n") for command in [*commands, ["display-message", "-p", yes]])
    return ["if-shell", "-F", "-t", guard.pane_id, test, act, line(["display-message", "-p", no]).rstrip("\n")]
