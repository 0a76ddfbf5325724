"""The transcripts of the agents of this machine: followed, and told to the door as events of their own.

Owns which file is whose, how often files are looked at, and the last message of each agent, which is kept in memory
only. What a line means is the adapter's; how a file is opened and read is ``targets.tail``; what an event does is the
door's.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import structlog

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import block
from agtmuxd.adapters.contract import OpenFileAdapter, TranscriptAdapter, TranscriptEvent, TranscriptOwner
from agtmuxd.adapters.transcripts import joined
from agtmuxd.clock import coalesced_sleep
from agtmuxd.core.ids import dedupe_key, uuid7
from agtmuxd.core.model import MS, NS, RawEvent, Source
from agtmuxd.core.numbers import is_time
from agtmuxd.ingest.transcripts.by_folder import BEFORE, TranscriptFinder, began_with, parsed
from agtmuxd.ingest.transcripts.by_open_file import OpenFileIndex
from agtmuxd.repository import Repository, Runtime
from agtmuxd.targets.agent import Agent
from agtmuxd.targets.local.file_tail import NotAllowedError, Piece, Tail

_LOG = structlog.get_logger("transcripts")

BUSY: Final = 0.1
"""Seconds between looks while an agent that is followed works, waits or told something lately."""
QUIET: Final = 0.5
EMPTY: Final = 2.0
"""The same where nobody is to be followed."""
LATELY: Final = 5 * NS
SWITCH: Final = 5 * NS
"""How much older than its being noticed a line of another session may be, to be of this process."""
STATUS_LAG: Final = 500 * MS
UNPOSTED: Final = 2000
"""Events that are kept while nobody can take them in, the newest."""
DAY: Final = 86_400 * NS
"""How far ahead of now the time of a line may lie: agents and daemon have one clock."""
OTHER_SESSION: Final = "other_session"


@dataclass(frozen=True, slots=True)
class LastMessage:
    """What an agent said last to its user. ``at``: ns, when the line says so."""

    text: str
    at: int


@dataclass(slots=True)
class TranscriptFile:
    """One agent's file, and what is known of it."""

    runtime_id: str
    agent_type: str
    reader: TranscriptAdapter
    tail: Tail
    floor: int  # ns: what is older is of another process, or of another session
    session_id: str | None = None
    version: str | None = None  # of the program
    found: bool = False  # by its opening: nobody else knows the path
    said: LastMessage | None = None
    part_of: str | None = None
    told_at: int = 0
    mute: bool = False  # its process has other sessions, too: nothing tells which one shows
    beside: bool = False  # one of several sessions of its process
    trouble: str | None = None
    closed: str | None = None  # the line that said how the last turn ended


@dataclass(frozen=True, slots=True)
class _Known:
    """By what it was settled whose file an agent's is: as long as these are the same objects, nothing else names it."""

    runtime: Runtime
    status: Mapping[str, Any] | None
    reader: TranscriptAdapter


class TranscriptAdapters(Protocol):
    """The adapters, as they are asked here."""

    def transcribed(self, agent_type: str) -> TranscriptAdapter | None: ...

    def holding(self, agent_type: str) -> OpenFileAdapter | None: ...


Post = Callable[[Sequence[RawEvent]], Awaitable[object]]


class TranscriptFollower:
    """``run`` until cancelled; ``last_message`` at any time, from the loop's thread."""

    def __init__(
        self,
        repository: Repository,
        readers: TranscriptAdapters,
        agents: Callable[[], Iterable[tuple[str, Agent]]],
        post: Post,
        redacted: Callable[[Any], Any],
        clock: Callable[[], int],
        *,
        wanted: Callable[[str], bool] = lambda _name: True,
        moved: Callable[[], object] = object,
        ahead: Callable[[], int] = lambda: 0,
    ) -> None:
        """``agents``: (target id, agent) of this machine. ``wanted``: whether that adapter's files are to be read.

        ``moved``: equal to what it was before as long as no agent and no runtime can be another. ``ahead``: how
        far (ns) the daemon's clock is before that of the agents.
        """
        self.counters: Counter[str] = Counter()
        self._repository = repository
        self._readers = readers
        self._agents = agents
        self._post = post
        self._redacted = redacted
        self._clock = clock
        self._wanted = wanted
        self._moved = moved
        self._ahead = ahead
        self._settled_at: object = None
        self._works = False
        self._known: dict[str, _Known] = {}
        self._followed: dict[str, TranscriptFile] = {}
        self._beside: dict[str, dict[str, TranscriptFile]] = {}  # by runtime and session, where a process has several
        self._seeker = TranscriptFinder(clock)
        self._holder = OpenFileIndex(clock)
        self._unposted: list[RawEvent] = []  # a disk may be full: what was read once is not read again
        self._somebody = False  # an agent is there whose file is to be followed, once it is known

    def follows(self, runtime_id: str) -> bool:
        """Whether this agent's transcript is known."""
        return runtime_id in self._followed

    def last_message(self, runtime_id: str) -> LastMessage | None:
        """What this agent said last, without secrets and control characters; None where nothing was read."""
        held = self._followed.get(runtime_id)
        if held is None or held.said is None or held.mute:
            return None
        return replace(held.said, text=block(self._redacted(held.said.text)))

    async def run(self) -> None:
        """Follow until cancelled. A failure is told and counted; it never takes the daemon along."""
        while True:
            try:
                rest = await self.once()
            except Exception:  # noqa: BLE001 the outermost edge of this task
                _LOG.exception("transcripts could not be read; trying again")
                self.counters["transcript_failures"] += 1
                rest = EMPTY
            await (coalesced_sleep(rest) if rest >= QUIET else asyncio.sleep(rest))

    async def once(self) -> float:
        """One look at all files; seconds until the next."""
        moved = self._moved()
        others = moved != self._settled_at
        if await self._ask_held(others) or self._works or others:
            self._works = await self._settle_whose()
            self._settled_at = moved
        works = self._works
        if not self._followed and not self._beside:
            return BUSY if works else QUIET if self._somebody else EMPTY
        held = [f for f in self._followed.values() if not f.mute]
        held += [f for sessions in self._beside.values() for f in sessions.values()]
        stirs = [one for one in held if one.tail.stirs()]
        read = await asyncio.to_thread(self._read_all, stirs) if stirs else []
        now = self._clock()
        more = False
        for followed, told, again in read:
            more = more or again
            if self._still(followed):
                self._unposted += self._take(followed, told, now)
        if self._unposted:
            del self._unposted[:-UNPOSTED]
            await self._post_all()
        lately = any(now - f.told_at < LATELY for f in held)
        return 0.0 if more else BUSY if works or lately else QUIET

    async def _post_all(self) -> None:
        """Post what was read. What cannot be taken in even alone is left out, and holds up nothing behind it.

        Raises E_STORE_UNAVAILABLE: then what was not taken in yet is kept and posted later.
        """
        try:
            await self._post(self._unposted)
        except Exception as error:
            if _passes(error):
                raise
            while self._unposted:
                await self._post_one(self._unposted[0])
                del self._unposted[0]
        self._unposted = []

    async def _post_one(self, event: RawEvent) -> None:
        try:
            await self._post([event])
        except Exception as error:
            if _passes(error):
                raise
            self._put_aside(event.runtime_id, event.event_type, str(error))

    def _put_aside(self, runtime_id: str | None, kind: str, why: str) -> None:
        self.counters["transcript_events_refused"] += 1
        _LOG.error("a transcript line cannot be read and is left out", runtime=runtime_id, kind=kind,
                   error=why[:500])  # fmt: skip

    # ---------------------------------------------------------------- whose file

    async def _ask_held(self, others: bool) -> bool:
        """Ask those agents again whose open files tell their session; whether one of them tells something else.

        ``others``: there may be other agents than at the last call.
        """
        if not others and not self._holder.anybody_due():
            return False
        readers: dict[int, tuple[Agent, OpenFileAdapter]] = {}
        wanted: dict[str, OpenFileAdapter | None] = {}
        for _, agent in self._agents():
            kind, name = agent.identity.agent_type, agent.adapter.name
            if name not in wanted:
                wanted[name] = self._readers.holding(kind) if self._wanted(name) else None
            reader = wanted[name]
            if reader is not None and not agent.identity.headless:
                readers[id(agent)] = (agent, reader)
        due = self._holder.due(agent for agent, _ in readers.values())
        if not due:
            return False
        return await asyncio.to_thread(self._holder.ask, [readers[id(agent)] for agent in due])

    async def _settle_whose(self) -> bool:
        """Bring the files that are followed up to the agents that are there; whether one of those works."""
        there: dict[str, _Known] = {}
        works = False
        wanted: dict[str, bool] = {}
        seek: list[tuple[Runtime, Agent, TranscriptAdapter]] = []
        for target_id, agent in self._agents():
            runtime = self._runtime(target_id, agent)
            name = agent.adapter.name
            if name not in wanted:
                wanted[name] = self._wanted(name)
            if runtime is None or not wanted[name]:
                continue
            known = self._known.get(runtime.runtime_id)
            if known is None or known.runtime is not runtime or known.status is not agent.status_data:
                reader = self._readers.transcribed(agent.identity.agent_type)
                if reader is None:
                    continue
                known = _Known(runtime, agent.status_data, reader)
                path = runtime.transcript_path
                if path is None and agent.status_data is not None:
                    named = reader.transcript_path(agent.status_data, agent.proc, agent.home)
                    path = None if named is None else str(named)
                if path is not None and not self._holder.known(agent):
                    await self._follow(runtime, agent, reader, path)
            held = self._holder.known(agent)
            if len(held) == 1:
                await self._follow(runtime, agent, known.reader, str(held[0].path), held[0])
            several = held if len(held) > 1 else ()
            if several or runtime.runtime_id in self._beside:
                await self._several(runtime, agent, known.reader, several)
            there[runtime.runtime_id] = known
            if agent.works:
                works = True
                seek.append((runtime, agent, known.reader))
        self._known = there
        self._somebody = bool(there)
        for gone in self._followed.keys() - there.keys():
            del self._followed[gone]
        for gone in self._beside.keys() - there.keys():
            del self._beside[gone]
        for runtime, agent, reader in seek:
            await self._seek(runtime, agent, reader)
        return works

    def _runtime(self, target_id: str, agent: Agent) -> Runtime | None:
        """The runtime that this process is; none of a run without a screen, which is one turn whatever it writes."""
        runtime_id = self._repository.active.get((target_id, agent.pane_id))
        runtime = self._repository.runtimes.get(runtime_id) if runtime_id is not None else None
        if runtime is None or runtime.headless or agent.gone_at is not None:
            return None
        same = runtime.pid == agent.proc.pid and runtime.process_start == agent.proc.start
        return runtime if same else None

    async def _follow(
        self, runtime: Runtime, agent: Agent, reader: TranscriptAdapter, path: str, by: TranscriptOwner | None = None
    ) -> None:
        held = self._followed.get(runtime.runtime_id)
        if held is not None and held.tail.path == path:
            return
        now = self._clock()
        floor = runtime.started_at if held is None else max(runtime.started_at, now - SWITCH)
        followed = TranscriptFile(runtime.runtime_id, runtime.agent_type, reader, Tail(str(agent.home), path), floor)
        if by is not None:
            followed.session_id, followed.version = by.session_id, by.version
        self._followed[runtime.runtime_id] = followed
        if held is not None and (by is not None or runtime.transcript_path is None):
            await self._leave(followed)  # no hook told it

    async def _leave(self, followed: TranscriptFile) -> None:
        """Whatever the session before was left with is past."""
        now = self._clock()
        self._unposted.append(self._event(followed, TranscriptEvent(now - STATUS_LAG, OTHER_SESSION), now, str(now)))
        await self._post_all()

    async def _several(
        self, runtime: Runtime, agent: Agent, reader: TranscriptAdapter, held: Sequence[TranscriptOwner]
    ) -> None:
        """Of a process that has ``held`` sessions (none: it has one) read only what each of them asks of somebody."""
        followed, before = self._followed.get(runtime.runtime_id), self._beside.get(runtime.runtime_id, {})
        now = {one.session_id: before.get(one.session_id) or self._one_of(runtime, agent, reader, one) for one in held}
        known = before.keys() | ({followed.session_id} if followed is not None else set())
        come = [session for session in now if session not in known] if known else []
        if now:
            self._beside[runtime.runtime_id] = now
        else:
            self._beside.pop(runtime.runtime_id, None)
        if followed is not None:
            followed.mute = bool(now)
        if come:  # it shows, most likely
            named = followed or now[come[0]]
            await self._leave(replace(named, session_id=come[0] if len(come) == 1 else None, beside=False))

    @staticmethod
    def _one_of(runtime: Runtime, agent: Agent, reader: TranscriptAdapter, held: TranscriptOwner) -> TranscriptFile:
        tail = Tail(str(agent.home), str(held.path))
        return TranscriptFile(
            runtime.runtime_id, runtime.agent_type, reader, tail, runtime.started_at, held.session_id, held.version,
            beside=True,
        )  # fmt: skip

    def _still(self, followed: TranscriptFile) -> bool:
        """Whether this file is still the agent's, or one of those of its sessions."""
        if followed.beside:
            return self._beside.get(followed.runtime_id, {}).get(str(followed.session_id)) is followed
        return self._followed.get(followed.runtime_id) is followed

    async def _seek(self, runtime: Runtime, agent: Agent, reader: TranscriptAdapter) -> None:
        """Find a file in which a turn began when this agent's screen began to show one, and that no other wrote."""
        tree, turn = reader.transcript_tree(agent.home), began_with(agent)
        if tree is None or turn is None:
            return
        held = self._followed.get(runtime.runtime_id)
        if held is not None and held.told_at >= turn - BEFORE:
            return  # its file tells of this turn
        taken = {f.tail.path for f in self._followed.values()}
        rivals = [a for _, a in self._agents() if a is not agent and a.identity.agent_type == agent.identity.agent_type]
        found = await asyncio.to_thread(self._seeker.seek, agent, rivals, reader, tree, taken, turn)
        if found is None:
            return
        path, opening = found
        followed = TranscriptFile(
            runtime.runtime_id, runtime.agent_type, reader, Tail(str(agent.home), path),
            opening.at, opening.session_id, found=True,
        )  # fmt: skip
        self._followed[runtime.runtime_id] = followed
        self.counters["transcripts_found"] += 1

    # ---------------------------------------------------------------- what it tells

    def _read_all(
        self, held: list[TranscriptFile]
    ) -> list[tuple[TranscriptFile, list[tuple[str, TranscriptEvent]], bool]]:
        """In a thread: ``_read`` of those in which something came."""
        return [(one, *came) for one in held if (came := self._read(one)) is not None]

    def _read(self, followed: TranscriptFile) -> tuple[list[tuple[str, TranscriptEvent]], bool] | None:
        """The lines that came, understood, each with a name of its own; whether more can be read. None: no lines."""
        try:
            piece = followed.tail.read()
        except (NotAllowedError, OSError) as error:
            if followed.trouble != str(error):
                followed.trouble = str(error)
                self.counters["transcripts_refused"] += 1
                _LOG.warning("transcript not read", runtime=followed.runtime_id, why=str(error))
            return None
        if piece is None:
            return None
        told = list(_understood(followed, piece))
        if piece.met:  # what lies behind: of the turns in it the last counts
            told = told[max((i for i, (_, t) in enumerate(told) if t.begins), default=0) :]
        return told, piece.more

    def _take(self, followed: TranscriptFile, told: list[tuple[str, TranscriptEvent]], now: int) -> list[RawEvent]:
        events, ahead = [], self._ahead()
        for name, said in told:
            if not is_time(said.at) or said.at + ahead > now + DAY:
                self._put_aside(followed.runtime_id, str(said.event), f"{followed.tail.path}: its time cannot be")
                continue
            one = replace(said, at=min(said.at + ahead, now)) if ahead else said
            if one.message is not None:
                text = joined(followed.said.text if followed.said else None, followed.part_of, one) or one.message
                followed.said, followed.part_of = LastMessage(text, one.at), one.part_of
            if one.event is not None and one.at >= followed.floor and (one.asks or not followed.beside):
                events.append(self._event(followed, one, now, name))
        if told:
            followed.told_at = now
        return events

    def _event(self, followed: TranscriptFile, told: TranscriptEvent, now: int, name: str) -> RawEvent:
        way = "beside:" if followed.beside else ""  # a line that was told as the only session's is told anew
        source_id = f"{followed.runtime_id}:{way}{told.event_id or name}"
        kind = str(told.event)
        payload: dict[str, Any] = {k: v for k, v in told.payload.items() if v is not None}
        if followed.session_id is not None:
            payload["beside" if followed.beside else "session_id"] = followed.session_id
        if followed.version is not None:
            payload["agent_version"] = followed.version
        if followed.found:
            payload["transcript_path"] = followed.tail.path
        return RawEvent(
            event_id=uuid7(now), event_type=kind, source=Source.TRANSCRIPT, agent_type=followed.agent_type,
            event_time=told.at, ingested_at=now, dedupe_key=dedupe_key("transcript", source_id, kind),
            source_event_id=told.event_id, runtime_id=followed.runtime_id,
            spooled=True,  # it waited in a file: its own time counts, however old it is
            payload=self._redacted(payload),
        )  # fmt: skip


def _passes(error: Exception) -> bool:
    """Whether it is no fault of an event, so that it may be taken in later."""
    return isinstance(error, AgtmuxError) and error.code == "E_STORE_UNAVAILABLE"


def _understood(followed: TranscriptFile, piece: Piece) -> Iterable[tuple[str, TranscriptEvent]]:
    for at, line in piece.lines:
        data = parsed(line)
        told = followed.reader.read_line(data) if data is not None else None
        if told is None or (told.follows is not None and told.follows == followed.closed):
            continue
        if told.event is not None:
            followed.closed = told.event_id if told.closes else None
        yield f"{followed.tail.path}:{at}", told
