"""The processes below a pane, read from /proc. Only ever used on panes that the tests opened themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """One entry of the process table."""

    pid: int
    comm: str
    argv: tuple[str, ...]


def read(pid: int) -> Process | None:
    """The process, or None once it has gone."""
    try:
        comm = Path(f"/proc/{pid}/comm").read_text().rstrip("\n")
        argv = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return None
    return Process(pid, comm, tuple(argv[:-1]))


def alive(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] not in "ZX"


def below(pid: int) -> list[Process]:
    """All descendants, parents before children."""
    out: list[Process] = []
    todo = [pid]
    while todo:
        parent = todo.pop(0)
        try:
            children = [
                int(child)
                for task in Path(f"/proc/{parent}/task").iterdir()
                for child in (task / "children").read_text().split()
            ]
        except OSError:
            continue
        out += [process for child in children if (process := read(child))]
        todo += children
    return out
