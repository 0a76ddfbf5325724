"""Read one pane again right before acting on it: one tmux round, its processes, its screen by the rules.

Owns the reading. ``core.action.guard`` decides what follows from it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.access import TargetAccess
from agtmuxd.adapters.contract import ENV_NAMES
from agtmuxd.adapters.isolation import IsolatedAdapter
from agtmuxd.adapters.registry import Registry
from agtmuxd.core.action.guard import CurrentPane
from agtmuxd.core.model import Claim, Proc, Sample
from agtmuxd.core.process_tree import AgentProcess, Match, ProcessIndex, find_agents
from agtmuxd.core.screen.controls import Controls, KeyOverrides
from agtmuxd.repository import Runtime
from agtmuxd.targets.agent import to_sample
from agtmuxd.targets.executor import ExecutorError
from agtmuxd.tmux import onepane
from agtmuxd.tmux.keys import WriteGuard
from agtmuxd.tmux.round import RoundFailure
from agtmuxd.tmux.server import parse_version
from agtmuxd.tmux.sgr import parse

MOST_SETTINGS: Final = 256 * 1024
"""Bytes of a file of keys that are read."""


@dataclass(frozen=True, slots=True)
class PaneReading:
    """What the pane showed. ``write_guard``: what must still be true when tmux writes, None if the pane
    has gone."""

    current: CurrentPane
    pane: onepane.OnePane
    sample: Sample | None = None
    write_guard: WriteGuard | None = None
    version: tuple[int, int] | None = None


_STOPPED = "Tt"
"""States of a stopped process: by a signal or by a tracer."""


def unreachable(reached: TargetAccess, why: str) -> AgtmuxError:
    return AgtmuxError("E_TARGET_UNREACHABLE", f"{reached.name} could not be read: {why}; nothing was done")


async def one_pane(reached: TargetAccess, pane_id: str, *, styled: bool = False) -> onepane.OnePane:
    """Read one pane in one tmux round. ``styled``: with attributes. Raises E_TARGET_UNREACHABLE."""
    nonce = os.urandom(8).hex()
    try:
        asked = onepane.ask(nonce, pane_id, styled=styled)
        done = await reached.executor.run([*reached.tmux, *asked], timeout=reached.timeout)
    except ExecutorError as error:
        raise unreachable(reached, str(error)) from error
    if done.truncated:
        raise unreachable(reached, f"the screen of {pane_id} is too large to be read: make it smaller")
    pane = onepane.read(nonce, done.stdout, done.stderr, done.returncode)
    if isinstance(pane, RoundFailure):
        raise unreachable(reached, pane.message)
    return pane


class PaneReader:
    """Reads panes with the help of the adapters."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def controls(self, runtime: Runtime | None) -> Controls:
        """Return how to operate the agent. If nothing is known of it, the controls can do nothing."""
        adapter = self._adapter(runtime)
        return (adapter.controls() if adapter is not None else None) or Controls()

    def _adapter(self, runtime: Runtime | None) -> IsolatedAdapter | None:
        return None if runtime is None else self._registry.get(runtime.agent_type)

    async def read(
        self,
        reached: TargetAccess,
        pane_id: str,
        boot_id: str,
        runtime: Runtime | None,
        before: Claim | None,
        last: CurrentPane | None = None,
    ) -> PaneReading:
        """Read the pane. ``before``: its screen's last claim. Raises E_TARGET_UNREACHABLE.

        ``last``: an earlier reading whose processes are used again, for readings that only wait for a sign.
        """
        styled = self.controls(runtime).styled
        pane = await one_pane(reached, pane_id, styled=styled)
        server, row = pane.server, pane.row
        if server is None or row is None:
            return PaneReading(CurrentPane(None), pane)
        fresh = CurrentPane(
            row, same_server=server.boot_id == boot_id, synchronized=pane.synchronized, input_off=pane.input_off
        )
        if last is None:
            fresh = await self._processes(fresh, reached, row.pid, runtime)
        else:
            fresh = replace(
                fresh, alive=last.alive, foreground=last.foreground, stopped=last.stopped, holds=last.holds,
                other=last.other,
            )  # fmt: skip
        sample = to_sample(row, *parse(pane.capture)) if styled else to_sample(row, pane.capture)
        return PaneReading(
            self.seen(fresh, runtime, sample, before), pane, sample,
            WriteGuard(pane_id, server.pid, row.pid, row.in_mode),
            parse_version(server.version),
        )  # fmt: skip

    async def _processes(
        self, fresh: CurrentPane, reached: TargetAccess, pane_pid: int, runtime: Runtime | None
    ) -> CurrentPane:
        """Return ``fresh`` with what the process table shows: whether the runtime's own process lives in this pane."""
        try:
            index = ProcessIndex(await reached.executor.process_table())
        except ExecutorError as error:
            raise unreachable(reached, str(error)) from error
        mine = index.candidates(pane_pid)
        proc = _own_process(mine, runtime)
        holds = proc is not None and proc.pgid == proc.tpgid
        stopped = proc is not None and _is_stopped(index, mine, proc)
        foreground = holds and not stopped
        other = None if foreground else await self._other_agent(reached, index, mine, pane_pid, proc)
        alive = proc is not None
        return replace(fresh, alive=alive, foreground=foreground, stopped=stopped, holds=holds, other=other)

    def seen(self, fresh: CurrentPane, runtime: Runtime | None, sample: Sample, before: Claim | None) -> CurrentPane:
        """Return ``fresh`` with what the rules find in ``sample``."""
        adapter = self._adapter(runtime)
        if adapter is None:
            return fresh
        write = adapter.look(sample, before)
        controls = self.controls(runtime)
        fresh = replace(
            fresh, field=controls.look(sample), modes=controls.in_modes(sample), at_end=controls.at_end(sample),
            has_field_rules=controls.composer is not None
        )  # fmt: skip
        if write is None:
            return fresh
        # While a turn runs, a screen that only lacks the signs of work does not prove its end. One reading cannot show
        # whether it moves.
        claim = None if write.scene is not None and before is Claim.RUNNING else write.claim
        return replace(
            fresh, claim=claim, rule=write.rule, waiting=write.waiting_for, takes_text=write.accepts_input is True
        )

    async def key_overrides(self, reached: TargetAccess, runtime: Runtime | None) -> KeyOverrides:
        """Return the keys that the user's own settings of this agent set. Empty if they cannot be read."""
        adapter = self._adapter(runtime)
        if adapter is None or runtime is None or runtime.pid is None or runtime.process_start is None:
            return KeyOverrides()
        executor, life = reached.executor, (runtime.pid, runtime.process_start)
        try:
            env = (await executor.environs([life], ENV_NAMES)).get(runtime.pid, {})
            home = Path(env.get("HOME") or (await executor.machine()).home)
            paths = [str(path) for path in adapter.key_files(adapter.config_home(env, home))]
            if not paths:
                return KeyOverrides()
            argv = await executor.argv(*life) or ()
            found = await executor.read_files(paths, max_bytes=MOST_SETTINGS)
        except ExecutorError:
            return KeyOverrides()
        texts = [data.decode("utf-8", "replace") for data in map(found.get, paths) if data is not None]
        return adapter.key_overrides(texts, argv)

    async def processes(self, reached: TargetAccess, pane_pid: int, runtime: Runtime) -> tuple[int, ...]:
        """Return the processes of a runtime: its own, then the program that it wraps, if it wraps one.

        Empty if its own process is no longer in the pane: the pid may be another process's now. Raises
        E_TARGET_UNREACHABLE.
        """
        try:
            index = ProcessIndex(await reached.executor.process_table())
        except ExecutorError as error:
            raise unreachable(reached, str(error)) from error
        mine = index.candidates(pane_pid)
        if _own_process(mine, runtime) is None:
            return ()
        for agent in await self._agents(reached, index, mine, pane_pid):
            pids = tuple(proc.pid for proc in agent.chain)
            if agent.proc.pid == runtime.pid and agent.proc.start == runtime.process_start:
                return pids[pids.index(agent.proc.pid) :]
        return () if runtime.pid is None else (runtime.pid,)

    async def _other_agent(
        self, reached: TargetAccess, index: ProcessIndex, mine: Iterable[Proc], pane_pid: int, known: Proc | None
    ) -> str | None:
        """Return the agent in the foreground that is not a runtime yet: it may have started a moment ago."""
        for agent in await self._agents(reached, index, mine, pane_pid):
            if agent.foreground and (known is None or agent.proc.pid != known.pid):
                return agent.match.agent_type
        return None

    async def _agents(
        self, reached: TargetAccess, index: ProcessIndex, mine: Iterable[Proc], pane_pid: int
    ) -> list[AgentProcess[None]]:
        """Return the agents of a pane, found by all words of their command lines."""
        argv: dict[int, Proc] = {}
        for proc in mine:
            try:
                words = proc.argv or await reached.executor.argv(proc.pid, proc.start)
            except ExecutorError as error:
                raise unreachable(reached, str(error)) from error
            argv[proc.pid] = replace(proc, argv=words) if words else proc

        def identify(proc: Proc) -> Match[None] | None:
            found = self._registry.identify(argv.get(proc.pid, proc))
            return None if found is None else found[1].match(found[0].innermost, None)

        return find_agents(index, pane_pid, identify)


def _own_process(processes: Iterable[Proc], runtime: Runtime | None) -> Proc | None:
    """Return the runtime's own process. The pid alone is not enough: it may have been used again."""
    return next((p for p in processes if runtime and p.pid == runtime.pid and p.start == runtime.process_start), None)


def _is_stopped(index: ProcessIndex, mine: Iterable[Proc], proc: Proc) -> bool:
    """Return whether an agent cannot read its input: it is stopped, or a part of it in its process group, or what
    started it.

    A shim may wait for the program that reads. A program in between may own the terminal (``script``, ``sudo``).
    """
    in_pane = list(mine)
    return any(one.state in _STOPPED and (one.pgid == proc.pgid or index.is_below(proc, one)) for one in in_pane)
