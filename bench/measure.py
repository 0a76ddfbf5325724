"""Numbers: what was measured, its budget, and how to read clocks, CPU and memory of processes.

Knows neither tmux nor agtmux.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. ``budget`` None: shown for comparison only. ``at_least``: the budget is a floor."""

    case: str
    name: str
    value: float
    unit: str
    budget: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def kept(self) -> bool | None:
        """Whether the budget was kept; None without one."""
        if self.budget is None:
            return None
        return self.value >= self.budget if self.at_least else self.value <= self.budget

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "kept": self.kept}

    def line(self) -> str:
        listed = {True: "ok", False: "OVER", None: ""}[self.kept]
        bound = "" if self.budget is None else f"{'>=' if self.at_least else '<='} {self.budget:g} {self.unit}"
        return f"  {self.name:<58} {self.value:>9.4g} {self.unit:<6} {bound:<16} {listed:<5} {self.note}"


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def p95(values: Sequence[float]) -> float:
    """Nearest rank: at least 95 of 100 values are not above it."""
    ranked = sorted(values)
    return ranked[max(0, -(-len(ranked) * 95 // 100) - 1)]


def spawn_ms(argv: list[str], env: Mapping[str, str], stdin: str = os.devnull) -> tuple[float, float]:
    """``(wall, CPU)`` in ms of one whole process with its output thrown away. Raises RuntimeError when it fails."""
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, stdin, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    ]
    began = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, env, file_actions=actions)
    _, status, used = os.wait4(pid, 0)
    took = (time.perf_counter() - began) * 1000
    if status:
        raise RuntimeError(f"{' '.join(argv[:4])} ended with status {os.waitstatus_to_exitcode(status)}")
    return took, (used.ru_utime + used.ru_stime) * 1000


def cpu_s(pid: int, *, children: bool = True) -> float:
    """CPU seconds of a process so far, with those of its children that were waited for."""
    rest = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    used = int(rest[11]) + int(rest[12])
    if children:
        used += int(rest[13]) + int(rest[14])
    return used / TICKS


def rss_mib(pid: int) -> float:
    """Resident memory in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no VmRSS of {pid}")


def steal_and_busy() -> tuple[float, float]:
    """``(stolen, busy)`` CPU seconds of the whole machine since its boot: how noisy a run was."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _wait, irq, soft, steal = (int(w) / TICKS for w in words[:8])
    return steal, user + nice + system + irq + soft


class Span:
    """CPU over a stretch of wall time: the daemon with its children, and the tmux servers beside it, in % of a core."""

    def __init__(self, daemon: int, servers: Sequence[int]) -> None:
        self._daemon, self._servers = daemon, servers
        self._began = time.monotonic()
        self._cpu, self._tmux, self._noise = self._read()

    def _read(self) -> tuple[float, float, float]:
        servers = sum(cpu_s(pid, children=False) for pid in self._servers)
        return cpu_s(self._daemon), servers, steal_and_busy()[1]

    def percent(self) -> tuple[float, float, float]:
        """``(daemon and its children, tmux servers, whole machine)``."""
        wall = time.monotonic() - self._began
        cpu, tmux, noise = self._read()
        return (
            (cpu - self._cpu) / wall * 100,
            (tmux - self._tmux) / wall * 100,
            (noise - self._noise) / wall * 100,
        )
