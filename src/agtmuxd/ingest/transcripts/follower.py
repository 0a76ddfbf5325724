"""Follow the transcripts of the agents of this machine, and post their lines as events.

Owns which file belongs to which agent, how often files are read, and the last message of each agent, which is kept in
memory only. The adapter knows what a line means; ``targets.local.file_tail`` opens and reads files; the pipeline
applies the events.
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
from agtmuxd.adapters.shared import first_words
from agtmuxd.adapters.transcripts import join_message
from agtmuxd.clock import coalesced_sleep
from agtmuxd.core.ids import dedupe_key, uuid7
from agtmuxd.core.model import MS, NS, RawEvent, Source
from agtmuxd.core.numbers import is_time
from agtmuxd.ingest.transcripts.by_folder import BEFORE, TranscriptFinder, parse_object, turn_start
from agtmuxd.ingest.transcripts.by_open_file import OpenFileIndex
from agtmuxd.repository import Repository, Runtime
from agtmuxd.targets.agent import Agent
from agtmuxd.targets.local.file_tail import NotAllowedError, Piece, Tail

_LOG = structlog.get_logger("transcripts")

BUSY: Final = 0.1
"""Seconds between two checks while a followed agent works, waits, or wrote a line in the last ``LATELY``."""
QUIET: Final = 0.5
"""The same while followed agents are idle."""
EMPTY: Final = 2.0
"""The same while there is no agent to follow."""
LATELY: Final = 5 * NS
SWITCH: Final = 5 * NS
"""After a switch to another session, its lines count if they are at most so old (ns) when the switch is noticed."""
STATUS_LAG: Final = 500 * MS
HEADLINE_OF: Final = 8192
"""Characters of a message that are searched for secrets before its first line is taken."""
UNPOSTED: Final = 2000
"""Events that are kept while they cannot be stored: the newest ones."""
DAY: Final = 86_400 * NS
"""How far (ns) the time of a line may lie ahead of now. Agents and daemon use the same clock."""
OTHER_SESSION: Final = "other_session"


@dataclass(frozen=True, slots=True)
class LastMessage:
    """The last message of an agent to its user. ``at``: the time in its line (ns)."""

    text: str
    at: int


@dataclass(slots=True)
class TranscriptFile:
    """One agent's transcript, and what is known about it."""

    runtime_id: str
    agent_type: str
    reader: TranscriptAdapter
    tail: Tail
    floor: int  # ns: older lines belong to another process or session
    session_id: str | None = None
    version: str | None = None  # of the agent program
    found: bool = False  # found by its folder and turn: no other source names the path
    last_message: LastMessage | None = None
    headline: tuple[LastMessage, tuple[str, int] | None] | None = None  # of that message, as it was last asked for
    part_of: str | None = None
    last_event_at: int = 0
    mute: bool = False  # its process has several sessions: which one the pane shows is not known
    beside: bool = False  # this is one of several sessions of its process
    trouble: str | None = None
    closed: str | None = None  # the id of the line that ended the last turn


@dataclass(frozen=True, slots=True)
class _FileChoice:
    """What the choice of an agent's file was based on. While these are the same objects, the choice stays valid."""

    runtime: Runtime
    status: Mapping[str, Any] | None
    reader: TranscriptAdapter


class TranscriptAdapters(Protocol):
    """Find the parts of an adapter that read transcripts and open files; None if it has none."""

    def transcript_adapter(self, agent_type: str) -> TranscriptAdapter | None: ...

    def open_file_adapter(self, agent_type: str) -> OpenFileAdapter | None: ...


Post = Callable[[Sequence[RawEvent]], Awaitable[object]]


class TranscriptFollower:
    """Follow transcripts. ``run`` runs until cancelled; call ``last_message`` at any time from the loop's thread."""

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
        """``agents``: (target id, agent) pairs of this machine. ``wanted``: whether to read that adapter's files.

        ``moved``: gives a value that stays equal while agents and runtimes stay the same. ``ahead``: how far (ns) the
        daemon's clock is ahead of the agents' clock.
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
        self.on_message: Callable[[], None] = lambda: None
        """Called when an agent's last message changed."""
        self._settled_at: object = None
        self._works = False
        self._known: dict[str, _FileChoice] = {}
        self._followed: dict[str, TranscriptFile] = {}
        self._beside: dict[str, dict[str, TranscriptFile]] = {}  # by runtime and session, where a process has several
        self._finder = TranscriptFinder(clock)
        self._open_files = OpenFileIndex(clock)
        self._unposted: list[RawEvent] = []  # kept while the disk is full: a line is read only once
        self._has_candidates = False  # an agent runs whose file is to be followed once it is found

    def follows(self, runtime_id: str) -> bool:
        """Whether this agent's transcript is known."""
        return runtime_id in self._followed

    def last_message(self, runtime_id: str) -> LastMessage | None:
        """Give this agent's last message without secrets and control characters; None if none was read."""
        held = self._followed.get(runtime_id)
        if held is None or held.last_message is None or held.mute:
            return None
        return replace(held.last_message, text=block(self._redacted(held.last_message.text)))

    def headline(self, runtime_id: str) -> tuple[str, int] | None:
        """Give the first line of this agent's last message, at most 200 characters, and its time (ns)."""
        held = self._followed.get(runtime_id)
        if held is None or held.last_message is None or held.mute:
            return None
        if held.headline is None or held.headline[0] is not held.last_message:
            line = first_words(self._redacted(held.last_message.text[:HEADLINE_OF]))
            held.headline = held.last_message, None if line is None else (line, held.last_message.at)
        return held.headline[1]

    async def run(self) -> None:
        """Follow until cancelled. A failure is logged and counted; it never ends the daemon."""
        while True:
            try:
                rest = await self.once()
            except Exception:  # noqa: BLE001 the outermost edge of this task
                _LOG.exception("transcripts could not be read; trying again")
                self.counters["transcript_failures"] += 1
                rest = EMPTY
            await (coalesced_sleep(rest) if rest >= QUIET else asyncio.sleep(rest))

    async def once(self) -> float:
        """Check all files once. Return the seconds until the next check."""
        moved = self._moved()
        others = moved != self._settled_at
        if await self._refresh_open_files(others) or self._works or others:
            self._works = await self._update_files()
            self._settled_at = moved
        works = self._works
        if not self._followed and not self._beside:
            return BUSY if works else QUIET if self._has_candidates else EMPTY
        held = [f for f in self._followed.values() if not f.mute]
        held += [f for sessions in self._beside.values() for f in sessions.values()]
        changed = [one for one in held if one.tail.has_changed()]
        read = await asyncio.to_thread(self._read_all, changed) if changed else []
        now = self._clock()
        more = False
        for followed, found, again in read:
            more = more or again
            if self._is_current(followed):
                self._unposted += self._to_events(followed, found, now)
        if self._unposted:
            del self._unposted[:-UNPOSTED]
            await self._post_all()
        lately = any(now - f.last_event_at < LATELY for f in held)
        return 0.0 if more else BUSY if works or lately else QUIET

    async def _post_all(self) -> None:
        """Post the events that were read. An event that fails even alone is left out, so that it blocks no other.

        Raises E_STORE_UNAVAILABLE; then the remaining events are kept and posted later.
        """
        try:
            await self._post(self._unposted)
        except Exception as error:
            if _is_temporary(error):
                raise
            while self._unposted:
                await self._post_one(self._unposted[0])
                del self._unposted[0]
        self._unposted = []

    async def _post_one(self, event: RawEvent) -> None:
        try:
            await self._post([event])
        except Exception as error:
            if _is_temporary(error):
                raise
            self._refuse(event.runtime_id, event.event_type, str(error))

    def _refuse(self, runtime_id: str | None, kind: str, why: str) -> None:
        self.counters["transcript_events_refused"] += 1
        _LOG.error("a transcript line cannot be read and is left out", runtime=runtime_id, kind=kind,
                   error=why[:500])  # fmt: skip

    # ---------------------------------------------------------------- which file belongs to which agent

    async def _refresh_open_files(self, others: bool) -> bool:
        """List the open files of agents for which they name the session. Return whether a list changed.

        ``others``: the agents may have changed since the last call.
        """
        if not others and not self._open_files.is_any_due():
            return False
        readers: dict[int, tuple[Agent, OpenFileAdapter]] = {}
        wanted: dict[str, OpenFileAdapter | None] = {}
        for _, agent in self._agents():
            kind, name = agent.identity.agent_type, agent.adapter.name
            if name not in wanted:
                wanted[name] = self._readers.open_file_adapter(kind) if self._wanted(name) else None
            reader = wanted[name]
            if reader is not None and not agent.identity.headless:
                readers[id(agent)] = (agent, reader)
        due = self._open_files.due(agent for agent, _ in readers.values())
        if not due:
            return False
        return await asyncio.to_thread(self._open_files.ask, [readers[id(agent)] for agent in due])

    async def _update_files(self) -> bool:
        """Update the followed files to match the running agents. Return whether one of the agents works."""
        there: dict[str, _FileChoice] = {}
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
                reader = self._readers.transcript_adapter(agent.identity.agent_type)
                if reader is None:
                    continue
                known = _FileChoice(runtime, agent.status_data, reader)
                path = runtime.transcript_path
                if path is None and agent.status_data is not None:
                    named = reader.transcript_path(agent.status_data, agent.proc, agent.home)
                    path = None if named is None else str(named)
                if path is not None and not self._open_files.known(agent):
                    await self._follow(runtime, agent, reader, path)
            held = self._open_files.known(agent)
            if len(held) == 1:
                await self._follow(runtime, agent, known.reader, str(held[0].path), held[0])
            several = held if len(held) > 1 else ()
            if several or runtime.runtime_id in self._beside:
                await self._follow_several(runtime, agent, known.reader, several)
            there[runtime.runtime_id] = known
            if agent.works:
                works = True
                seek.append((runtime, agent, known.reader))
        self._known = there
        self._has_candidates = bool(there)
        for gone in self._followed.keys() - there.keys():
            del self._followed[gone]
        for gone in self._beside.keys() - there.keys():
            del self._beside[gone]
        for runtime, agent, reader in seek:
            await self._find_by_turn(runtime, agent, reader)
        return works

    def _runtime(self, target_id: str, agent: Agent) -> Runtime | None:
        """Give the runtime of this process. None for a headless run, which is one turn whatever it writes."""
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
            await self._end_session(followed)  # no hook reported the new session

    async def _end_session(self, followed: TranscriptFile) -> None:
        """Post an event that ends whatever the previous session was doing."""
        now = self._clock()
        self._unposted.append(self._event(followed, TranscriptEvent(now - STATUS_LAG, OTHER_SESSION), now, str(now)))
        await self._post_all()

    async def _follow_several(
        self, runtime: Runtime, agent: Agent, reader: TranscriptAdapter, held: Sequence[TranscriptOwner]
    ) -> None:
        """Follow a process that has several sessions at once: read only what each session asks of the user.

        ``held``: its sessions; empty if it has only one now.
        """
        followed, before = self._followed.get(runtime.runtime_id), self._beside.get(runtime.runtime_id, {})
        now = {one.session_id: before.get(one.session_id) or self._file_of(runtime, agent, reader, one) for one in held}
        known = before.keys() | ({followed.session_id} if followed is not None else set())
        come = [session for session in now if session not in known] if known else []
        if now:
            self._beside[runtime.runtime_id] = now
        else:
            self._beside.pop(runtime.runtime_id, None)
        if followed is not None:
            followed.mute = bool(now)
        if come:  # most likely the pane shows the new session
            named = followed or now[come[0]]
            await self._end_session(replace(named, session_id=come[0] if len(come) == 1 else None, beside=False))

    @staticmethod
    def _file_of(runtime: Runtime, agent: Agent, reader: TranscriptAdapter, held: TranscriptOwner) -> TranscriptFile:
        tail = Tail(str(agent.home), str(held.path))
        return TranscriptFile(
            runtime.runtime_id, runtime.agent_type, reader, tail, runtime.started_at, held.session_id, held.version,
            beside=True,
        )  # fmt: skip

    def _is_current(self, followed: TranscriptFile) -> bool:
        """Whether this file still belongs to the agent, or to one of its sessions."""
        if followed.beside:
            return self._beside.get(followed.runtime_id, {}).get(str(followed.session_id)) is followed
        return self._followed.get(followed.runtime_id) is followed

    async def _find_by_turn(self, runtime: Runtime, agent: Agent, reader: TranscriptAdapter) -> None:
        """Find the file in which a turn began when this agent's screen began to show one (see ``by_folder``)."""
        tree, turn = reader.transcript_tree(agent.home), turn_start(agent)
        if tree is None or turn is None:
            return
        held = self._followed.get(runtime.runtime_id)
        if held is not None and held.last_event_at >= turn - BEFORE:
            return  # its file holds this turn
        taken = {f.tail.path for f in self._followed.values()}
        rivals = [a for _, a in self._agents() if a is not agent and a.identity.agent_type == agent.identity.agent_type]
        found = await asyncio.to_thread(self._finder.find, agent, rivals, reader, tree, taken, turn)
        if found is None:
            return
        path, opening = found
        followed = TranscriptFile(
            runtime.runtime_id, runtime.agent_type, reader, Tail(str(agent.home), path),
            opening.at, opening.session_id, found=True,
        )  # fmt: skip
        self._followed[runtime.runtime_id] = followed
        self.counters["transcripts_found"] += 1

    # ---------------------------------------------------------------- lines to events

    def _read_all(
        self, held: list[TranscriptFile]
    ) -> list[tuple[TranscriptFile, list[tuple[str, TranscriptEvent]], bool]]:
        """Read the files that have new lines. Runs in a thread."""
        return [(one, *came) for one in held if (came := self._read(one)) is not None]

    def _read(self, followed: TranscriptFile) -> tuple[list[tuple[str, TranscriptEvent]], bool] | None:
        """Read new lines: their events, each with a unique name, and whether there is more. None: no new lines."""
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
        found = list(_read_events(followed, piece))
        if piece.met:  # the first reading of a file: only its last turn counts
            found = found[max((i for i, (_, t) in enumerate(found) if t.begins), default=0) :]
        return found, piece.more

    def _to_events(
        self, followed: TranscriptFile, found: list[tuple[str, TranscriptEvent]], now: int
    ) -> list[RawEvent]:
        events, ahead = [], self._ahead()
        for name, event in found:
            if not is_time(event.at) or event.at + ahead > now + DAY:
                self._refuse(
                    followed.runtime_id, str(event.event), f"{followed.tail.path}: a line has an impossible time"
                )
                continue
            one = replace(event, at=min(event.at + ahead, now)) if ahead else event
            if one.message is not None:
                text = (
                    join_message(followed.last_message.text if followed.last_message else None, followed.part_of, one)
                    or one.message
                )
                followed.last_message, followed.part_of = LastMessage(text, one.at), one.part_of
                self.on_message()
            if one.event is not None and one.at >= followed.floor and (one.asks or not followed.beside):
                events.append(self._event(followed, one, now, name))
        if found:
            followed.last_event_at = now
        return events

    def _event(self, followed: TranscriptFile, event: TranscriptEvent, now: int, name: str) -> RawEvent:
        # a different id, so that a line of the only session can be posted again
        way = "beside:" if followed.beside else ""
        source_id = f"{followed.runtime_id}:{way}{event.event_id or name}"
        kind = str(event.event)
        payload: dict[str, Any] = {k: v for k, v in event.payload.items() if v is not None}
        if followed.session_id is not None:
            payload["beside" if followed.beside else "session_id"] = followed.session_id
        if followed.version is not None:
            payload["agent_version"] = followed.version
        if followed.found:
            payload["transcript_path"] = followed.tail.path
        return RawEvent(
            event_id=uuid7(now), event_type=kind, source=Source.TRANSCRIPT, agent_type=followed.agent_type,
            event_time=event.at, ingested_at=now, dedupe_key=dedupe_key("transcript", source_id, kind),
            source_event_id=event.event_id, runtime_id=followed.runtime_id,
            spooled=True,  # it waited in a file, so its own time counts
            payload=self._redacted(payload),
        )  # fmt: skip


def _is_temporary(error: Exception) -> bool:
    """Whether the error is not the event's fault, so that it may be taken in later."""
    return isinstance(error, AgtmuxError) and error.code == "E_STORE_UNAVAILABLE"


def _read_events(followed: TranscriptFile, piece: Piece) -> Iterable[tuple[str, TranscriptEvent]]:
    for at, line in piece.lines:
        data = parse_object(line)
        event = followed.reader.read_line(data) if data is not None else None
        if event is None or (event.follows is not None and event.follows == followed.closed):
            continue
        if event.event is not None:
            followed.closed = event.event_id if event.closes else None
        yield f"{followed.tail.path}:{at}", event
