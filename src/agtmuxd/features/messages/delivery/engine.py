"""Deliver waiting messages: when one comes in, when its recipient changes, and at the latest with the next sweep.

Owns when each agent's queue is looked at. ``gate`` decides whether something may be typed, ``typist`` types it and
writes what became of it. While nothing waits, nothing is done but one short query every ``SWEEP_EVERY`` seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import structlog

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.json_codec import nanoseconds, stamp
from agtmuxd.core.model import NS
from agtmuxd.core.state.registers import TURN_START
from agtmuxd.features.contract import Context
from agtmuxd.features.messages.delivery import store as rows
from agtmuxd.features.messages.delivery.backoff import pause
from agtmuxd.features.messages.delivery.evidence import PROOF_WITHIN, Attempt, proof
from agtmuxd.features.messages.delivery.gate import Hold, Recipient, settled_at, typed_until, why_held
from agtmuxd.features.messages.delivery.typist import Typist
from agtmuxd.features.messages.model import Delivery, DeliveryState
from agtmuxd.services.health import HealthPart
from agtmuxd.stream.history import Batch
from agtmuxd.stream.published import pane_key
from agtmuxd.stream.subscription import Resync

_LOG = structlog.get_logger("delivery")
S = DeliveryState
FIELD: Final = "mail"
"""The field of a pane's row that says what waits for its agent."""
SWEEP_EVERY: Final = 30 * NS
CLAIM: Final = 120 * NS
"""How long a message may be claimed before the ledger is asked what became of it."""
AGAIN_AFTER: Final = 5 * NS
"""When to look again at what no event reports, and after the database failed."""
_SILENT: Final = frozenset({Hold.STALE, Hold.COPY_MODE, Hold.TARGET_DOWN})
"""Reasons that end without an event."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An action for this delivery was refused at a state version. ``until``: when to ask again at the same one."""

    count: int
    state_version: int | None
    until: int


class DeliveryEngine:
    """Delivers messages to panes, and shows on their rows what waits to be read. ``run`` runs until cancelled."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._typist = Typist(
            write=context.write, store=context.store, act=context.act, name_of=self._name_of, clock=context.clock,
            failpoint=context.failpoint,
        )  # fmt: skip
        self._began = context.clock()
        self._open: set[str] = set()
        self._due: dict[str, int] = {}
        self._versions: dict[str, object] = {}
        self._refused: dict[str, _Refusal] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._concerned: dict[str, set[str]] = {}
        self._swept_at: int | None = None
        self._changed = asyncio.Event()
        self.delivered = 0

    # ---------------------------------------------------------------- what happens

    def wake(self, agent_id: str) -> None:
        """Look at an agent's messages now: one was added, read or dropped. Call it after the commit. Never waits."""
        self._due[agent_id] = 0
        self._changed.set()

    async def on_changes(self, batch: Batch) -> None:
        """Look at the agents whose binding or state has changed."""
        for change in batch.changes.get("coord", ()):
            if change.identity["kind"] == "agent":
                self.wake(change.identity["id"])
        if not self._open:
            return
        for change in batch.changes.get("panes", ()):
            runtime_id = (change.item or {}).get("runtime_id")
            agent = self._context.agents.of_runtime(runtime_id) if runtime_id is not None else None
            if change.item is None or agent is None or agent.agent_id not in self._open:
                continue
            version = (runtime_id, change.item["state_version"])
            if self._versions.get(agent.agent_id) != version:
                self._versions[agent.agent_id] = version
                self.wake(agent.agent_id)

    async def on_resync(self, reason: Resync) -> None:
        """Sweep: changes were lost."""
        del reason
        self._swept_at = None
        self._changed.set()

    # ---------------------------------------------------------------- when

    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            while True:
                self._changed.clear()
                seconds = await self.step()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), seconds)
        finally:
            for task in self._tasks.values():
                task.cancel()

    async def step(self) -> float:
        """Start what is due. Return in how many seconds the next thing is, unless ``wake`` comes before."""
        now = self._context.clock()
        if self._swept_at is None or not self._swept_at <= now < self._swept_at + SWEEP_EVERY:
            await self._sweep(now)
        for agent_id in [one for one, at in self._due.items() if at <= now and one not in self._tasks]:
            del self._due[agent_id]
            task = asyncio.create_task(self._serve(agent_id), name=f"messages for {agent_id}")
            self._tasks[agent_id] = task
            task.add_done_callback(partial(self._ended, agent_id))
        following = [at for one, at in self._due.items() if one not in self._tasks]
        at = min([*following, (self._swept_at or now) + SWEEP_EVERY])
        return max(0.0, (at - now) / NS)

    async def settle(self) -> None:
        """Wait until what was started has ended."""
        while self._tasks:
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            await asyncio.sleep(0)

    def _ended(self, agent_id: str, task: asyncio.Task[None]) -> None:
        del task
        self._tasks.pop(agent_id, None)
        self._changed.set()

    async def _sweep(self, now: int) -> None:
        """Look at all agents for which something waits, whatever the events said."""
        first = self._swept_at is None
        self._swept_at = now
        try:
            found = await self._context.store.read(rows.agents_waiting)
            mailed = await self._context.store.read(rows.agents_with_mail) if first else set()
        except AgtmuxError as error:
            _LOG.warning("messages could not be read", error=error.message)
            self._swept_at = now - SWEEP_EVERY + AGAIN_AFTER
            return
        if found:
            self._context.failpoint("delivery_sweep")
        self._open = found
        for agent_id in found | mailed:
            self._due[agent_id] = 0

    async def _serve(self, agent_id: str) -> None:
        """Do for one agent what can be done now, and note when to look again."""
        try:
            again = await self._advance(agent_id)
            await self._show_mails(agent_id)
        except AgtmuxError as error:
            _LOG.warning("messages wait", agent=agent_id, error=error.message)
            again = self._context.clock() + AGAIN_AFTER
        except Exception:  # noqa: BLE001 one agent's messages never stop those of the others
            _LOG.exception("messages of an agent failed", agent=agent_id)
            again = self._context.clock() + SWEEP_EVERY
        if again is not None:
            self._due[agent_id] = min(again, self._due.get(agent_id, again))

    # ---------------------------------------------------------------- one agent

    async def _advance(self, agent_id: str) -> int | None:
        """Prove what was typed, then type what waits. Return when (ns) to look again; None: at an event."""
        now = self._context.clock()
        queue = await self._context.store.read(lambda connection: rows.queue(connection, agent_id))
        if not queue:
            self._open.discard(agent_id)
            self._versions.pop(agent_id, None)
            return None
        self._open.add(agent_id)
        if any(one.expires_at is not None and one.expires_at <= now for one in queue) and await self._typist.expire(
            agent_id
        ):
            return now
        due = [await self._follow(one.delivery, now) for one in queue if one.delivery.state in (S.CLAIMED, S.SUBMITTED)]
        if now in due:
            return now  # the queue has changed
        first = next((one for one in queue if one.delivery.state in (S.QUEUED, S.HELD)), None)
        to = self._recipient(agent_id, proof_due=bool(due))
        again = None if first is None else await self._try(first.delivery, to, now)
        return min([*due, *([] if again is None else [again])], default=None)

    async def _follow(self, delivery: Delivery, now: int) -> int:
        """Find out what became of a message that was claimed or typed. Return when to look again, ``now``: it has
        changed.
        """
        if delivery.state is S.CLAIMED:
            claimed_at = delivery.claimed_at or 0
            if self._began <= claimed_at and now < claimed_at + CLAIM:
                return claimed_at + CLAIM
            await self._typist.recover(delivery)
            return now
        found = self._proof(delivery)
        due = (delivery.submitted_at or 0) + PROOF_WITHIN
        if found is not None:
            await self._typist.delivered(delivery, found)
            self.delivered += 1
        elif now < due:
            return due
        else:
            await self._typist.unconfirmed(delivery)
        return now

    async def _try(self, delivery: Delivery, to: Recipient, now: int) -> int | None:
        """Type a message if the gate is open. Return when to look again; None: at an event."""
        if delivery.next_try_at is not None and now < delivery.next_try_at:
            return delivery.next_try_at
        reason = why_held(to, now)
        if reason is not None:
            await self._typist.hold(delivery, reason)
            if reason is Hold.LOW_CONFIDENCE:
                return settled_at(to)
            return now + AGAIN_AFTER if reason in _SILENT else None
        refused = self._refused.get(delivery.delivery_id)
        if refused is not None and refused.state_version == to.state_version and now < refused.until:
            return refused.until
        held = await self._held_by_typing(to, now)
        if held is not None:
            await self._typist.hold(delivery, held[0])
            return held[1]
        done = await self._typist.type(delivery, to)
        if done is None:
            return now
        return self._after(*done, to)

    def _after(self, delivery: Delivery, attempt: Attempt, to: Recipient) -> int:
        """Return when to look again after an attempt."""
        now = self._context.clock()
        if delivery.state is not S.HELD or delivery.hold_reason == "failed":
            self._refused.pop(delivery.delivery_id, None)
            return now
        before = self._refused.get(delivery.delivery_id)
        count = 1 if before is None else before.count + 1
        self._refused[delivery.delivery_id] = _Refusal(count, to.state_version, now + pause(count))
        return now + pause(count)

    # ---------------------------------------------------------------- facts

    def _recipient(self, agent_id: str, *, proof_due: bool) -> Recipient:
        """Return what is known of an agent now."""
        repository, agent = self._context.repository, self._context.agents.get(agent_id)
        runtime = repository.runtimes.get(agent.runtime_id or "") if agent is not None else None
        if runtime is None or repository.active.get((runtime.target_id, runtime.pane_id)) != runtime.runtime_id:
            return Recipient(proof_due=proof_due)
        key = (runtime.target_id, runtime.pane_id)
        state, pane, target = repository.states.get(key), repository.panes.get(key), repository.targets.get(key[0])
        if state is None or state.runtime_id != runtime.runtime_id or target is None or pane is None:
            return Recipient(runtime.runtime_id, target_ok=True, proof_due=proof_due)
        item = self._context.view.panes.get(pane_key(target.name, runtime.pane_id))
        seen = None if item is None else self._context.view.with_age(item).get("last_seen_at")
        return Recipient(
            runtime.runtime_id, runtime.headless, target.health == "ok", state.state, state.state_version,
            state.confidence, state.since, state.accepts_input,
            state.waiting_for.kind if state.waiting_for is not None else None,
            nanoseconds(seen) if seen else 0, pane.row.in_mode, proof_due,
        )  # fmt: skip

    async def _held_by_typing(self, to: Recipient, now: int) -> tuple[Hold, int] | None:
        """Return why and until when somebody's typing in the pane holds a message; None: nobody types there."""
        runtime = self._context.repository.runtimes.get(to.runtime_id or "")
        if runtime is None:
            return Hold.NO_RUNTIME, now + AGAIN_AFTER
        try:
            clients = await self._context.tmux.clients(runtime.target_id)
        except AgtmuxError:  # nobody knows who types there
            return Hold.TARGET_DOWN, now + AGAIN_AFTER
        until = typed_until(clients, runtime.pane_id, now)
        return None if until is None else (Hold.TYPING, until)

    def _proof(self, delivery: Delivery) -> str | None:
        runtime = self._context.repository.runtimes.get(delivery.runtime_id or "")
        if runtime is None:
            return None
        state = self._context.repository.states.get((runtime.target_id, runtime.pane_id))
        mine = state if state is not None and state.runtime_id == runtime.runtime_id else None
        return proof(
            since=delivery.claimed_at or 0, state=None if mine is None else mine.state,
            state_since=0 if mine is None else mine.since,
            turn_start=self._context.repository.marks.get(runtime.runtime_id, {}).get(TURN_START, 0),
        )  # fmt: skip

    def _name_of(self, agent_id: str) -> str | None:
        agent = self._context.agents.get(agent_id)
        return None if agent is None else agent.name

    # ---------------------------------------------------------------- what is shown

    async def _show_mails(self, agent_id: str) -> None:
        """Show an agent's mail on its row, and on the rows of senders what could not be delivered to it."""
        failed = await self._context.store.read(lambda connection: rows.concerned(connection, agent_id))
        before = self._concerned.pop(agent_id, set())
        if failed:
            self._concerned[agent_id] = failed
        for name in {agent_id} | failed | before:
            await self._show_mail(name)

    async def _show_mail(self, agent_id: str) -> None:
        """Show on the agent's row what it has not read, and what could not be delivered. Draws attention once a
        message: a row whose attention was acknowledged gets it again only for a newer one.
        """
        agent = self._context.agents.get(agent_id)
        runtime = self._context.repository.runtimes.get(agent.runtime_id or "") if agent is not None else None
        target = self._context.repository.targets.get(runtime.target_id) if runtime is not None else None
        if runtime is None or target is None:
            return
        mail = await self._context.store.read(lambda connection: rows.mail(connection, agent_id))
        row = self._context.view.panes.get(pane_key(target.name, runtime.pane_id))
        wanted = None if row is None else mail_value(mail, row.get(FIELD))
        if row is not None and row.get(FIELD) != wanted:
            await self._context.annotate(runtime.runtime_id, FIELD, wanted)

    def health(self) -> HealthPart:
        """Report how many agents have messages that wait, and how many messages arrived."""
        return HealthPart(counters={"agents_waiting": len(self._open), "delivered": self.delivered})


def mail_value(mail: rows.Mail, before: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the field ``mail`` of a row. What somebody acknowledged stays so until something newer comes."""
    if not (mail.unread or mail.dead or mail.unconfirmed):
        return None
    value: dict[str, Any] = {
        "unread": mail.unread, "dead": mail.dead, "since": stamp(mail.newest), "attention": "review",
    }  # fmt: skip
    if mail.failed_at is not None:
        value |= {"unconfirmed": mail.unconfirmed, "failed_at": stamp(mail.failed_at)}
    if before is None:
        return value
    if before.get("seen") and value["since"] <= str(before.get("since")):
        value["seen"] = True
    seen = before.get("seen") or before.get("failed_seen")
    if seen and mail.failed_at is not None and value["failed_at"] <= str(before.get("failed_at") or ""):
        value["failed_seen"] = True
    return value
