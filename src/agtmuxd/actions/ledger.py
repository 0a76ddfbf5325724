"""Keep the ledger of actions: each request is done once, and its result is kept.

Owns idempotency (also for the same request twice at once, and over restarts and crashes), the rows of actions, the
answers to repeated requests, and the audit event. ``runner`` decides what is done and whether it may be.
"""

from __future__ import annotations

import asyncio
import hmac
import sqlite3
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import structlog

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.access import Failpoints
from agtmuxd.actions.audit import action_item
from agtmuxd.actions.context import Result
from agtmuxd.core.action.request import Caller, Kind, Request, Snapshot, drawn_digest
from agtmuxd.core.ids import dedupe_key, uuid7
from agtmuxd.core.model import RawEvent, Source
from agtmuxd.core.state.registers import TURN_START
from agtmuxd.ingest.pipeline import Pipeline
from agtmuxd.repository import PaneKey
from agtmuxd.store import actions as rows
from agtmuxd.store.actions import ActionRow
from agtmuxd.store.db import Store

_LOG = structlog.get_logger("actions")
_FAILED = frozenset({"E_TARGET_UNREACHABLE", "E_STORE_UNAVAILABLE", "E_INTERNAL"})
KEPT_OUTPUTS = 16
"""Outputs that a repeated request can still get. They are never stored."""
KEPT_ANSWERED = 64
"""Ended runtimes whose answered prompts are remembered."""
_UNSTORED = ("output", "snapshot")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an action ended. ``started`` (ns) None: it did not begin. ``error`` None: it succeeded."""

    started: int | None = None
    result: Result = field(default_factory=dict)
    error: AgtmuxError | None = None


class Ledger:
    """The requests and their results. One request calls, in order: ``once``, ``begin``, ``finish``, ``answer``."""

    def __init__(
        self,
        store: Store,
        pipeline: Pipeline,
        key: bytes,
        clock: Callable[[], int],
        failpoint: Failpoints | None = None,
    ) -> None:
        """``key``: of digests and nonces."""
        self._store = store
        self._pipeline = pipeline
        self._key = key
        self._clock = clock
        self._failpoint = failpoint or Failpoints()
        self._running: dict[tuple[str, str], tuple[str, asyncio.Task[tuple[ActionRow, bool]]]] = {}
        self._answered: dict[str, int] = {}
        self._outputs: OrderedDict[str, Result] = OrderedDict()

    # ---------------------------------------------------------------- once

    async def once(self, request: Request, run: Callable[[str], Awaitable[ActionRow]]) -> tuple[ActionRow, bool]:
        """Return the finished row of this request, and whether it is of an earlier request.

        ``run`` is called at most once, with the request's digest. It goes on even if its caller stops waiting.

        Raises E_IDEMPOTENCY_CONFLICT, and what ``run`` raises before there is a row.
        """
        digest = request.digest(self._key)
        name = (str(request.kind), request.request_ref)
        running = self._running.get(name)
        if running is not None:
            if running[0] != digest:
                raise _conflict(request)
            row, _ = await asyncio.shield(running[1])
            return row, True
        task = asyncio.create_task(
            self._found_or_run(request, digest, run), name=f"{request.kind} {request.request_ref}"
        )
        self._running[name] = digest, task
        task.add_done_callback(lambda _: self._running.pop(name, None))
        return await asyncio.shield(task)

    async def _found_or_run(
        self, request: Request, digest: str, run: Callable[[str], Awaitable[ActionRow]]
    ) -> tuple[ActionRow, bool]:
        found = await self._store.read(lambda c: rows.find(c, request.kind, request.request_ref))
        if found is None:
            return await run(digest), False
        if found.payload_digest != digest:
            raise _conflict(request)
        return found, True

    # ---------------------------------------------------------------- rows

    async def begin(self, request: Request, digest: str, caller: Caller, snapshot: Snapshot) -> ActionRow:
        """Record the request and what is known of its pane, before anything is done. Raises E_INTERNAL."""
        now = self._clock()
        metadata = {
            "caller": asdict(caller),
            "ref": request.ref,
            "request": request.to_record(self._key),
            "state_version": snapshot.state_version,
        }
        row = ActionRow(
            uuid7(now), request.kind, request.request_ref, digest, snapshot.target_id, snapshot.pane_id,
            snapshot.runtime_id, now, None, None, None, None, metadata,
        )  # fmt: skip
        self._failpoint("before_row")
        nonce, snapshot_id = snapshot.nonce(self._key), uuid7(now)
        try:
            await self._store.run(lambda c: rows.begin(c, row, snapshot, snapshot_id, nonce), power_safe=True)
        except sqlite3.IntegrityError as error:
            raise AgtmuxError(
                "E_INTERNAL", "the action could not be recorded, so nothing was done: run agtmux daemon status"
            ) from error
        self._failpoint("after_row")
        return row

    async def finish(self, row: ActionRow, outcome: Outcome) -> ActionRow:
        """Record how it ended, then the audit event. Raises E_ACTION_INDETERMINATE if it cannot be recorded."""
        self._failpoint("before_result")
        done = _finished(row, outcome, self._clock())
        try:
            await self._store.run(lambda c: rows.finish(c, done), power_safe=True)
        except AgtmuxError as caught:
            raise AgtmuxError(
                "E_ACTION_INDETERMINATE", f"the result could not be recorded ({caught.message}): look at the pane"
            ) from caught
        self._failpoint("after_result")
        await self._audit(done)
        self._failpoint("after_event")
        self._keep(done.action_id, {name: outcome.result[name] for name in _UNSTORED if name in outcome.result})
        return done

    async def view_output(self, action_id: str) -> ActionRow:
        """Return a recorded view-output. Raises E_ACTION_NOT_FOUND."""
        row = await self._store.read(lambda c: rows.get(c, action_id))
        if row is None or row.action_type != Kind.VIEW:
            raise AgtmuxError("E_ACTION_NOT_FOUND", f"again: no view-output has the id {action_id}")
        return row

    # ---------------------------------------------------------------- prompts that were answered

    async def answered_version(self, key: PaneKey, runtime_id: str) -> int:
        """Return the newest version of a waiting state of this runtime that got keys, from an earlier daemon too. -1:
        none did.
        """
        if runtime_id not in self._answered:
            found = await self._store.read(lambda c: rows.answered_version(c, *key, runtime_id))
            if runtime_id not in self._answered:
                self.mark_answered(runtime_id, -1 if found is None else found)
        return self._answered[runtime_id]

    def mark_answered(self, runtime_id: str, state_version: int) -> None:
        """Record the version. Now and then, versions of ended runtimes are removed."""
        alive = self._pipeline.repository.runtimes
        if len(self._answered) >= len(alive) + KEPT_ANSWERED:
            self._answered = {one: version for one, version in self._answered.items() if one in alive}
        self._answered[runtime_id] = state_version

    # ---------------------------------------------------------------- texts that were not submitted

    async def own_draft(self, key: PaneKey, runtime_id: str, shown: str) -> int | None:
        """Return how many characters of the text in the input field agtmux typed, if all of it is the text of the
        newest send, which was not seen to be submitted. None: it is anybody else's, or unknown.

        ``shown``: the field's text, as ``cells.drawn`` returns it. An earlier daemon's sends count too.
        """
        if not shown:
            return None
        row = await self._store.read(lambda c: rows.newest_text(c, *key, runtime_id))
        if row is None or (row.metadata.get("result") or {}).get("delivery") == "submitted":
            return None
        began = self._pipeline.repository.marks.get(runtime_id, {}).get(TURN_START, 0)
        if began > row.requested_at:  # it was submitted after all, so this is a text that somebody typed again
            return None
        text = row.metadata["request"]["params"]["text"]
        mine = str(text.get("drawn_digest") or "")
        if not hmac.compare_digest(mine, drawn_digest(shown, self._key)):
            return None
        return int(text["characters"])

    # ---------------------------------------------------------------- answers

    def answer(self, row: ActionRow, *, replayed: bool) -> dict[str, Any]:
        """Return the answer to a request. Raises the error that the action ended with."""
        error = row.metadata.get("error")
        if row.result_code is None or (row.result_code == "indeterminate" and error is None):
            raise AgtmuxError(
                "E_ACTION_INDETERMINATE",
                f"the daemon ended while {row.action_type} ran, so it may or may not be done: look at {row.pane_id}",
                {"action_id": row.action_id, "replayed": replayed},
            )
        if error is not None:
            details = {**error["details"], "action_id": row.action_id, "replayed": replayed}
            raise AgtmuxError(row.error_code or "E_INTERNAL", error["message"], details)
        target = self._pipeline.repository.targets.get(row.target_id or "")
        item = action_item(row, target.name if target is not None else None)
        result = {**row.metadata.get("result", {}), **self._outputs.get(row.action_id, {})}
        return {**item, "replayed": replayed, "result": result}

    def _keep(self, action_id: str, result: Result) -> None:
        if result:
            self._outputs[action_id] = result
            while len(self._outputs) > KEPT_OUTPUTS:
                self._outputs.popitem(last=False)

    async def _audit(self, row: ActionRow) -> None:
        """Record the audit event, through the same pipeline as all events of a runtime."""
        if row.runtime_id is None:
            return
        now = self._clock()
        runtime = self._pipeline.repository.runtimes.get(row.runtime_id)
        kind = f"action:{row.action_type}"
        event = RawEvent(
            event_id=uuid7(now), event_type=kind, source=Source.ACTION,
            agent_type=runtime.agent_type if runtime is not None else "unknown", event_time=row.completed_at or now,
            ingested_at=now, dedupe_key=dedupe_key(Source.ACTION, row.action_id, kind), source_event_id=row.action_id,
            runtime_id=row.runtime_id, target_id=row.target_id, pane_id=row.pane_id, action_id=row.action_id,
            payload={
                "action_id": row.action_id, "result_code": row.result_code, "error_code": row.error_code,
                "uses_up": self._answered.get(row.runtime_id),
            },
        )  # fmt: skip
        try:
            await self._pipeline.submit([event])
        except AgtmuxError as error:  # the action's row is the record; the event only repeats it
            _LOG.warning("audit event not stored", action_id=row.action_id, error=error.message)


def _finished(row: ActionRow, outcome: Outcome, now: int) -> ActionRow:
    """Return the row with its result. ``now``: ns since the epoch."""
    metadata, error = dict(row.metadata), outcome.error
    code = "done"
    if error is None:
        metadata["result"] = {k: v for k, v in outcome.result.items() if k not in _UNSTORED}
    else:
        metadata["error"] = {"message": error.message, "details": error.details}
        code = "failed" if error.code in _FAILED else "refused"
        if error.code == "E_ACTION_INDETERMINATE":
            code = "indeterminate"
    return replace(
        row, started_at=outcome.started, completed_at=now, result_code=code,
        error_code=error.code if error is not None else None, metadata=metadata,
    )  # fmt: skip


def _conflict(request: Request) -> AgtmuxError:
    return AgtmuxError(
        "E_IDEMPOTENCY_CONFLICT",
        f"request_ref {request.request_ref} was already used for another {request.kind}: use a new one",
    )
