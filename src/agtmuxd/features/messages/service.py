"""Answer the routes of messages: who may read what, and what each answer holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.actor import Actor
from agtmuxd.features.contract import Context
from agtmuxd.features.messages import search, upkeep_store
from agtmuxd.features.messages import store as rows
from agtmuxd.features.messages.channels import Channels
from agtmuxd.features.messages.items import ItemBuilder
from agtmuxd.features.messages.mailbox import Mailbox
from agtmuxd.features.messages.model import PEOPLE, TO_PEOPLE, Message, NewMessage, Reaction
from agtmuxd.features.messages.search import MessageFilter
from agtmuxd.features.messages.sending import Sender
from agtmuxd.features.messages.upkeep import Upkeep
from agtmuxd.services.health import HealthPart

OWN: Final = "-"
"""The name of the sender's own mailbox in a path. No agent can have it."""
_REFS: Final = ("pane:", "runtime:")


class Messages:
    """Implements ``MessageService`` of ``routes``."""

    def __init__(self, context: Context, wake: Callable[[str], None]) -> None:
        """``wake``: wakes the delivery engine for an agent."""
        self.envelope = context.envelope
        self._context = context
        self._wake = wake
        self._builder = ItemBuilder(context.agents)
        self._sender = Sender(context, self._builder, find=self.recipient, sent=self._sent)
        self._mailbox = Mailbox(context, self._builder, self._changed)
        self.channels = Channels(context, self._builder, self.find)
        self.upkeep = Upkeep(context, self._builder, self._sender, wake)
        self._count = 0

    # ---------------------------------------------------------------- writes

    async def send(self, actor: Actor, new: NewMessage) -> dict[str, Any]:
        return await self._shown(actor, await self._sender.send(actor, new))

    async def receipt(self, actor: Actor, what: str, name: str, request_ref: str | None) -> dict[str, Any]:
        return await self._shown(actor, await self._mailbox.receipt(actor, what, name, request_ref))

    async def react(self, actor: Actor, name: str, reaction: Reaction, request_ref: str) -> dict[str, Any]:
        return await self._shown(actor, await self._mailbox.react(actor, name, reaction, request_ref))

    async def cancel(self, actor: Actor, name: str, request_ref: str) -> dict[str, Any]:
        return await self._shown(actor, await self._mailbox.cancel(actor, name, request_ref))

    async def failed(self, actor: Actor, what: str, delivery_id: str, request_ref: str) -> dict[str, Any]:
        done = await self._mailbox.failed(actor, what, delivery_id, request_ref)
        return self._builder.delivery(await self._context.store.read(lambda c: rows.get_delivery(c, done)))

    # ---------------------------------------------------------------- reads

    async def show(self, actor: Actor, name: str) -> dict[str, Any]:
        def read(connection: sqlite3.Connection) -> dict[str, Any]:
            message = search.visible(connection, actor.agent_id, name)
            return self._builder.messages(connection, [message], actor.agent_id, body=True)[0]

        return await self._context.store.read(read)

    async def listing(
        self, actor: Actor, wanted: MessageFilter, *, to: str | None, sender: str | None, channel: str | None,
        thread: str | None, since: str | None, body: bool,
    ) -> dict[str, Any]:  # fmt: skip
        """List messages that the actor may see, with the cursors to go on from."""
        stream = self._stream_cursor()
        wanted = replace(wanted, viewer=actor.agent_id, to=self._agent_id(to), sender=self._agent_id(sender))

        def read(connection: sqlite3.Connection) -> dict[str, Any]:
            chosen = wanted
            if thread is not None:
                first = search.visible(connection, actor.agent_id, thread)
                chosen = replace(chosen, thread_id=first.thread_id)
            if channel is not None:
                chosen = replace(chosen, channel_id=self.channels.readable(connection, actor, channel).channel_id)
            return self._page(connection, chosen, since, stream, body=body)

        return await self._context.store.read(read)

    async def mailbox(
        self, actor: Actor, name: str, wanted: MessageFilter, *, outbox: bool, channel: str | None, since: str | None
    ) -> dict[str, Any]:
        """List what an agent, or people, were sent (or sent). An agent reads only its own."""
        agent_id, stream = self._owner(actor, name), self._stream_cursor()
        chosen = replace(wanted, sender=agent_id) if outbox else replace(wanted, to=agent_id)
        agent = self._context.agents.get(agent_id) if agent_id else None

        def read(connection: sqlite3.Connection) -> dict[str, Any]:
            own = chosen
            if channel is not None:
                own = replace(own, channel_id=self.channels.readable(connection, actor, channel).channel_id)
            page = self._page(connection, replace(own, viewer=actor.agent_id), since, stream, body=False)
            unread = search.unread_count(connection, agent_id)
            return {
                "agent_id": agent_id or None, "agent": self._builder.name(agent_id),
                "bound_runtime": agent.runtime_id if agent is not None else None, "unread": unread, **page,
            }  # fmt: skip

        return await self._context.store.read(read)

    async def deliveries(
        self, actor: Actor, states: Sequence[str], agent: str | None, limit: int
    ) -> tuple[list[dict[str, Any]], bool]:
        agent_id = self._agent_id(agent)
        found, more = await self._context.store.read(
            lambda connection: search.find_deliveries(
                connection, viewer=actor.agent_id, agent_id=agent_id, states=states, limit=limit
            )
        )
        return [self._builder.delivery(one) for one in found], more

    async def check(self) -> dict[str, Any]:
        """Count what seems wrong with deliveries."""
        now = self._context.clock()
        found = await self._context.store.read(lambda connection: upkeep_store.trouble(connection, now))
        recipients: dict[str, int] = found.pop("recipients")
        agents = self._context.agents
        gone = [one for one in recipients if (agent := agents.get(one)) is None or agent.retired_at is not None]
        return {**found, "orphans": sum(recipients[one] for one in gone)}

    # ---------------------------------------------------------------- helpers

    def find(self, text: str) -> str:
        """Return the agent id of a name, an id or a full ref. Raises E_AGENT_NOT_FOUND, E_AGENT_AMBIGUOUS, E_REF_*."""
        if not text.startswith(_REFS):
            return self._context.agents.find(text).agent_id
        item = self._context.view.panes.get(self._context.view.resolve(text)) or {}
        agent = self._context.agents.of_runtime(item["runtime_id"]) if item.get("runtime_id") else None
        if agent is None:
            raise AgtmuxError("E_AGENT_NOT_FOUND", f"no agent runs in {text[:120]}: agtmux ls lists panes with agents")
        return agent.agent_id

    def recipient(self, text: str) -> str:
        """Return the agent id of a recipient: ``PEOPLE``, or that of an agent as ``find`` finds it."""
        return PEOPLE if text.casefold() == TO_PEOPLE else self.find(text)

    def _agent_id(self, name: str | None) -> str | None:
        return None if name is None else self.recipient(name)

    def _owner(self, actor: Actor, name: str) -> str:
        """Return whose mailbox this is. Raises E_FORBIDDEN if an agent asks for that of somebody else."""
        own = actor.agent_id or PEOPLE
        if name == OWN:
            return own
        wanted = self.recipient(name)
        if actor.agent_id is not None and wanted != own:
            raise AgtmuxError(
                "E_FORBIDDEN", "an agent reads only its own inbox and outbox: leave out the name to read yours"
            )
        return wanted

    def _stream_cursor(self) -> str:
        """Return where the stream is now. Read it before the rows: whoever watches from there misses nothing."""
        return f"{self._context.view.stream_id}:{self._context.view.sequence}"

    def _page(
        self, connection: sqlite3.Connection, wanted: MessageFilter, since: str | None, stream: str, *, body: bool
    ) -> dict[str, Any]:
        at = search.cursor(connection)
        if since is not None:
            wanted = replace(wanted, after=at.after(since))
        found, more = search.find(connection, wanted)
        last = found[-1].seq if more and wanted.after is not None else at.newest
        return {
            "stream_cursor": stream, "as_of_seq": at.newest, "next_cursor": at.at(last),
            "oldest_cursor": at.at(at.purged), "truncated": more, "summary": {"total": len(found)},
            "items": self._builder.messages(connection, found, wanted.viewer, body=body),
        }  # fmt: skip

    async def _shown(self, actor: Actor, message_id: str) -> dict[str, Any]:
        return await self.show(actor, message_id)

    async def _sent(self, message: Message, recipients: Sequence[str]) -> None:
        """Let the others know of a new message: the engine, the timer, and the rows of panes."""
        self._count += 1
        self.upkeep.wake()
        await self._changed(message, recipients)
        if message.parent_id is not None:
            parent = await self._context.store.read(lambda c: rows.get_message(c, str(message.parent_id)))
            await self._changed(parent, [message.sender_agent_id or PEOPLE])

    async def _changed(self, message: Message, recipients: Sequence[str]) -> None:
        for agent_id in recipients:
            if agent_id != PEOPLE:
                self._wake(agent_id)
        await self.upkeep.show_asks(message.sender_agent_id)

    def health(self) -> HealthPart:
        return HealthPart(counters={"sent": self._count})
