"""The tmux commands that change something: keys, buffers, selections, each as one guarded argument list.

Owns how bytes are put into a pane and how tmux itself is asked, in the very command that writes, whether it is still
the pane that was meant. Knows no agent and runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from agtmuxd.tmux.quote import line

_UNSAFE: Final = re.compile(rb"[\x00-\x06\x0b\x0c\x0e-\x1f]")
KEY_BYTES: Final = 1024
"""Bytes that one ``send-keys`` carries at most; longer text goes through a buffer."""

_NO_PROCESS: Final = "#{||:#{==:#{pane_pid},},#{==:#{pane_pid},0}}"
"""From 3.8 on the pid of a pane whose program has ended is empty; that of a pane that never had one was 0 before."""


@dataclass(frozen=True, slots=True)
class WriteGuard:
    """What must still be true inside tmux when it writes: its server, the pane's process (0: it has none), no mode, not
    shared."""

    pane_id: str
    server_pid: int
    pane_pid: int
    in_mode: bool = False


def typed(pane_id: str, data: bytes) -> list[str]:
    """These very bytes as keys. At most KEY_BYTES."""
    return ["send-keys", "-H", "-t", pane_id, *(f"{byte:02x}" for byte in data)]


def pressed(pane_id: str, names: Sequence[str]) -> list[str]:
    """Named keys, which must be ``valid_key``."""
    return ["send-keys", "-t", pane_id, "--", *names]


def loaded(buffer: str) -> list[str]:
    """Standard input into a buffer of that name."""
    return ["load-buffer", "-b", buffer, "-"]


def dropped(buffer: str) -> list[str]:
    """Forget a buffer."""
    return ["delete-buffer", "-b", buffer]


def listed_buffers(pattern: str) -> list[str]:
    """The names of the buffers that a pattern fits, a line each."""
    return ["list-buffers", "-F", "#{buffer_name}", "-f", f"#{{m:{pattern},#{{buffer_name}}}}"]


def all_of(commands: Sequence[Sequence[str]]) -> list[str]:
    """Several commands in one argument list. One that fails ends it."""
    out = list(commands[0])
    for command in commands[1:]:
        out += [";", *command]
    return out


def pasted(pane_id: str, buffer: str, *, bracketed: bool, version: tuple[int, int] | None) -> list[str]:
    """A buffer into the pane, byte for byte, and the buffer forgotten.

    ``bracketed``: between paste marks where the program asked for them. From 3.7 on tmux would make control characters
    visible unless told not to.
    """
    raw = ["-S"] if version is not None and version >= (3, 7) else []
    return ["paste-buffer", "-d", "-r", *raw, *(["-p"] if bracketed else []), "-b", buffer, "-t", pane_id]


def paste_changes(data: bytes) -> bool:
    """Whether there are bytes in it that tmux makes visible from 3.7 on, where it is not told not to."""
    return _UNSAFE.search(data) is not None or b"\x7f" in data or not _is_utf8(data)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def left_mode(pane_id: str) -> list[str]:
    """Leave copy mode or any other mode of a pane."""
    return ["copy-mode", "-q", "-t", pane_id]


def selected(session_id: str, window_id: str, pane_id: str) -> list[list[str]]:
    """Make the window current in its session, and the pane active in its window."""
    return [["select-window", "-t", f"{session_id}:{window_id}"], ["select-pane", "-t", pane_id]]


def guarded(held: WriteGuard, commands: Iterable[Sequence[str]], yes: str, no: str, *, puts: bool = True) -> list[str]:
    """One tmux command that does ``commands`` only where ``held`` is true, and says ``yes`` after them, else ``no``.

    ``puts``: the commands put something into the pane. ``yes`` and ``no``: letters and digits.
    A command that fails ends the list, so that neither word is said.
    """
    facts = [
        f"#{{==:#{{pid}},{held.server_pid}}}",
        f"#{{==:#{{pane_pid}},{held.pane_pid}}}" if held.pane_pid else _NO_PROCESS,
    ]
    if puts:
        facts += ["#{!=:#{pane_dead},1}", "#{!=:#{pane_synchronized},1}", "#{!=:#{pane_input_off},1}"]
    if puts and not held.in_mode:
        facts.append("#{?pane_in_mode,0,1}")
    test = facts[0]
    for fact in facts[1:]:
        test = f"#{{&&:{test},{fact}}}"
    act = " ; ".join(line(command).rstrip("\n") for command in [*commands, ["display-message", "-p", yes]])
    return ["if-shell", "-F", "-t", held.pane_id, test, act, line(["display-message", "-p", no]).rstrip("\n")]
