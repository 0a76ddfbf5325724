"""Recorded transcript lines as the daemon would come to know of them: whose file, and what each line tells.

Owns the following of one recording. What a line means is the adapter's, whose file it is ``ingest.threads`` has judged
by the same two moments.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agtmuxd.adapters.contract import Adapter, OpenFileAdapter, TranscriptAdapter
from agtmuxd.adapters.isolation import IsolatedAdapter
from agtmuxd.core.model import MS, Proc, RawEvent, Source
from agtmuxd.ingest.transcripts.by_folder import AFTER, BEFORE
from tests.corpus import events
from tests.corpus.recording import Recording

HOME = Path(str(events.fill("$CONFIG")))


class Follower:
    """Takes lines in as they were recorded; gives the events of the file that is the agent's."""

    def __init__(self, recording: Recording, adapter: Adapter, proc: Proc) -> None:
        self._agent = recording.agent
        self._reader: TranscriptAdapter | None
        self._holding: OpenFileAdapter | None
        if isinstance(adapter, IsolatedAdapter):
            self._reader, self._holding = adapter.transcript_adapter(), adapter.open_file_adapter()
        else:
            self._reader = adapter if isinstance(adapter, TranscriptAdapter) else None
            self._holding = adapter if isinstance(adapter, OpenFileAdapter) else None
        self._proc = proc
        self._lines: dict[str, list[dict[str, Any]]] = {}
        self._began: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self._closed: dict[str, str | None] = {}  # the line that said how the last turn ended
        self._held: str | None = None
        self._sessions: list[str] | None = None  # that the process has, where that was recorded
        self._come: list[str] = []  # of those, one that is there since the last look
        self._named: str | None = None
        self._found: str | None = None
        self._session: str | None = None

    def line(self, line: dict[str, Any]) -> None:
        """One recorded line."""
        path = str(HOME / events.fill(line["file"]))
        filled = events.fill(line["line"])
        if path not in self._lines and self._reader is not None:
            opening = self._reader.read_opening(filled)
            if opening is not None:
                self._began[path] = opening.at
        result = self._reader.read_line(filled) if self._reader is not None and path in self._began else None
        if result is not None and result.begins:
            self._began[path] = result.at
        self._lines.setdefault(path, []).append(filled)
        if self._holding is not None and self._sessions is None:  # not recorded: the folder that is written to
            for held in self._holding.open_transcripts([str(Path(path).with_name("inuse.1.hold"))], HOME):
                self._held = str(held.path)

    def holds(self, sessions: list[str]) -> None:
        """The process holds the files of these sessions open from now on."""
        if self._sessions is not None:
            self._come = [s for s in sessions if s not in self._sessions]
        self._sessions = sessions
        self._held = None if len(sessions) != 1 else self._log(sessions[0])

    def _log(self, session: str) -> str:
        return str(HOME / "session-state" / session / "events.jsonl")

    def named(self, path: str | None) -> None:
        """A hook named the file."""
        self._named = path or self._named

    def told(self, status: Any, turn: int | None, since: int, now: int) -> list[RawEvent]:
        """The events of the lines that came. ``turn``: when the screen began to show a turn; ``since``: the process."""
        if self._reader is None:
            return []
        left = [self._left(session, now) for session in self._come]
        self._come = []
        if self._sessions is not None and len(self._sessions) > 1:
            return [*left, *(e for s in self._sessions for e in self._new(self._log(s), since, now, s))]
        return [*left, *self._told(status, turn, since, now)]

    def _left(self, session: str, now: int) -> RawEvent:
        at, name = now - 500 * MS, f"other:{session}"
        return RawEvent(
            event_id=name, event_type="other_session", source=Source.TRANSCRIPT, agent_type=self._agent,
            event_time=at, ingested_at=now, dedupe_key=name, payload={"session_id": session},
        )  # fmt: skip

    def _told(self, status: Any, turn: int | None, since: int, now: int) -> list[RawEvent]:
        assert self._reader is not None
        path = self._held or self._named
        if path is None and isinstance(status, dict):
            named = self._reader.transcript_path(status, self._proc, HOME)
            path = None if named is None else str(named)
        if turn is not None:
            fitting = [p for p, at in self._began.items() if turn - BEFORE <= at <= turn + AFTER and at >= since]
            self._found = fitting[0] if len(fitting) == 1 and fitting[0] != self._named else self._found
        path = self._found or path
        return [] if path is None else self._new(path, since, now)

    def _new(self, path: str, since: int, now: int, beside: str | None = None) -> list[RawEvent]:
        """The events of the lines of one file that came. ``beside``: its session, where there are others."""
        lines = self._lines.get(path, [])
        first, self._done[path] = self._done.get(path, 0), len(lines)
        found = (self._event(path, n, line, since, now, beside) for n, line in enumerate(lines[first:], first))
        return [event for event in found if event is not None]

    def _event(
        self, path: str, number: int, line: dict[str, Any], since: int, now: int, beside: str | None
    ) -> RawEvent | None:
        assert self._reader is not None
        opening = self._reader.read_opening(line)
        if opening is not None:
            self._session = opening.session_id
        result = self._reader.read_line(line)
        if result is not None and result.event is not None:
            part = result.follows is not None and result.follows == self._closed.get(path)
            self._closed[path] = result.event_id if result.closes else None
            result = None if part else result
        if result is None or result.event is None or result.at < since or (beside is not None and not result.asks):
            return None
        payload = dict(result.payload)
        if beside is not None:
            payload["beside"] = beside
        elif self._session is not None:
            payload["session_id"] = self._session
        name = f"{path}:{number}"
        return RawEvent(
            event_id=name, event_type=result.event, source=Source.TRANSCRIPT, agent_type=self._agent,
            event_time=min(result.at, now), ingested_at=now, dedupe_key=name, payload=payload,
        )  # fmt: skip
