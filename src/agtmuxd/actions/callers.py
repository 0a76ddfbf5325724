"""Find out whether an agent asks: one that is supervised here could approve its own requests.

Owns the walk from a caller's process to its ancestors. It keeps agents out, but not programs that mean harm. A process
of the same user can always reach tmux itself. A process that leaves the process tree and clears its environment is not
recognised as part of an agent (docs/reference/api.md).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.access import Reach
from agtmuxd.core.action.request import Caller
from agtmuxd.core.model import Ancestor, Proc
from agtmuxd.core.state.event_sender import KindOf
from agtmuxd.repository import Repository, Runtime, Target
from agtmuxd.targets.executor import ExecutorError

SHOWN = 4
"""Ancestors that the audit names."""
WORDS = 16
"""Words of a command line in which an agent is looked for. Some have a hundred thousand words, and each one
is tried.
"""


@dataclass(frozen=True, slots=True)
class FoundCaller:
    """A caller. ``why``: why it may not do what people may; None: it is a person's program.

    ``runtime``: the agent that it belongs to. None with a reason: it belongs to an agent without a runtime here.
    """

    caller: Caller
    why: str | None = None
    runtime: Runtime | None = None


class Callers:
    """Judges callers by the process table of this machine."""

    def __init__(
        self,
        repository: Repository,
        reach: Reach,
        servers: Mapping[tuple[str, int], str],
        kind_of: KindOf = lambda _link: None,
        apart: Callable[[int | None], bool] = lambda _pid: False,
    ) -> None:
        """``servers``: target ids by tmux socket and server pid.

        ``kind_of``: which agent a process is, by the adapters. ``apart``: whether a process runs in a container.
        """
        self._repository = repository
        self._reach = reach
        self._servers = servers
        self._kind_of = kind_of
        self._apart = apart

    async def identify_agent(self, uid: int | None, pid: int | None, *, name_only: bool = False) -> FoundCaller:
        """Find out which agent sends a request. Raises E_FORBIDDEN if that cannot be found out.

        ``name_only``: only name the caller, because agents may do what people may.
        """
        local = next((t for t in self._repository.targets.values() if t.kind == "local"), None)
        if local is None:
            return FoundCaller(Caller(uid, pid))
        try:
            executor = self._reach(local.target_id).executor
        except AgtmuxError:  # no tmux on this machine, so no agent is supervised here
            return FoundCaller(Caller(uid, pid), "the caller is unknown" if any(self._living()) else None)
        try:
            table = {proc.pid: proc for proc in await executor.process_table()}
        except ExecutorError as error:
            raise AgtmuxError("E_FORBIDDEN", f"the caller is unknown: {error}") from error
        chain = list(_chain(table, pid))
        caller = Caller(uid, pid, " < ".join(proc.comm for proc in chain[:SHOWN]) or None)
        if name_only:
            return FoundCaller(caller)
        if self._apart(pid):
            return FoundCaller(caller, "the caller runs in a container")
        if not chain:
            return FoundCaller(caller, "the caller's process cannot be seen from here")
        living = list(self._living())
        lives = {(r.pid, r.process_start): r for r in living}
        for proc in chain:
            runtime = lives.get((proc.pid, proc.start))
            if runtime is not None:
                return FoundCaller(caller, f"the caller is {runtime.agent_type} in {runtime.pane_id}", runtime)
        agent = await self._agent_above(chain, frozenset(r.agent_type for r in living))
        if agent is not None:
            return FoundCaller(caller, f"the caller belongs to {agent}")
        runtime = await self._agent_by_environment(chain)
        if runtime is None:
            return FoundCaller(caller)
        return FoundCaller(caller, f"the caller was started by {runtime.agent_type} in {runtime.pane_id}", runtime)

    def _living(self) -> Iterator[Runtime]:
        kinds = {t.target_id: t.kind for t in self._repository.targets.values()}
        for runtime_id in self._repository.active.values():
            runtime = self._repository.runtimes.get(runtime_id)
            if runtime is not None and kinds.get(runtime.target_id) == "local":
                yield runtime

    async def _agent_above(self, chain: list[Proc], supervised: frozenset[str]) -> str | None:
        """Return an agent above the caller that is not a known runtime.

        It is a helper that does not descend from the agent in the pane, or an agent that has just begun in a watched
        pane.
        """
        watched = {pid for _, pid in self._servers}
        below = any(proc.pid in watched for proc in chain)
        executor = self._reach(self._local().target_id).executor
        for proc in chain[1:]:
            if proc.comm in supervised:
                return proc.comm
            try:
                argv = proc.argv or await executor.argv(proc.pid, proc.start) or ()
            except ExecutorError:
                continue  # it has just ended
            kind = self._kind_of(Ancestor(proc.pid, proc.start, argv[:WORDS], proc.comm, proc.pgid))
            if kind is not None and not kind.gives_way and (kind.agent_type in supervised or below):
                return kind.agent_type
        return None

    def _local(self) -> Target:
        return next(t for t in self._repository.targets.values() if t.kind == "local")

    async def _agent_by_environment(self, chain: list[Proc]) -> Runtime | None:
        """Return the agent in whose pane the caller, or a process above it, was started, if that pane is no longer
        above them.

        A process that leaves the process tree (``setsid``, ``nohup``, a parent that ended) still has the pane's
        variables.
        """
        executor = self._reach(self._local().target_id).executor
        lives = [(proc.pid, proc.start) for proc in chain]
        found = await executor.environs(lives, ("TMUX", "TMUX_PANE"))
        above = {proc.pid for proc in chain}
        for proc in chain:
            env = found.get(proc.pid, {})
            socket, _, server = env.get("TMUX", "").rpartition(",")[0].rpartition(",")  # a path may hold commas
            if not socket or not server.isdecimal() or not env.get("TMUX_PANE"):
                continue
            if int(server) in above:
                continue  # it is still below that server, so the chain already shows everything
            target_id = self._servers.get((os.path.realpath(socket), int(server)))
            runtime_id = self._repository.active.get((target_id or "", env["TMUX_PANE"]))
            if runtime_id:
                return self._repository.runtimes.get(runtime_id)
        return None


def _chain(table: Mapping[int, Proc], pid: int | None) -> Iterator[Proc]:
    """Return a process and its ancestors, nearest first."""
    seen: set[int] = set()
    while pid is not None and pid not in seen and pid in table:
        seen.add(pid)
        yield table[pid]
        pid = table[pid].ppid
