"""Make channels, and let agents join, leave and mute them.

An agent may do so for itself, in the channels of its team and in those of no team. A person may do so for any agent.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.agents.model import checked_name
from agtmuxd.core.actor import Actor
from agtmuxd.core.ids import uuid7
from agtmuxd.features.contract import Context, PublishChange
from agtmuxd.features.messages import channel_store
from agtmuxd.features.messages import store as rows
from agtmuxd.features.messages.items import ItemBuilder
from agtmuxd.features.messages.model import PEOPLE, Channel, digest
from agtmuxd.features.messages.sending import one_channel

Work = Callable[[sqlite3.Connection, PublishChange], Channel]


class Channels:
    """Changes and lists channels."""

    def __init__(self, context: Context, builder: ItemBuilder, find: Callable[[str], str]) -> None:
        """``find``: gives the agent id of a name or ref."""
        self._context = context
        self._builder = builder
        self._find = find

    async def create(self, actor: Actor, name: str, request_ref: str) -> dict[str, Any]:
        """Make a channel ``NAME`` or ``TEAM/NAME``. One that an agent makes belongs to its team; the agent joins it.

        Raises E_INVALID_REQUEST if there is one of that name.
        """
        team_name, _, own = name.rpartition("/")
        checked_name(own)
        self._context.allow(actor, "message", name)
        now = self._context.clock()

        def work(connection: sqlite3.Connection, publish: PublishChange) -> Channel:
            team = self._team(connection, actor, team_name)
            made = Channel(uuid7(now), own, now, team[1], team[0])
            if any(one.team_id == made.team_id for one in channel_store.named(connection, own)):
                raise AgtmuxError(
                    "E_INVALID_REQUEST", f"there is a channel {made.full_name} already: use it, or choose another name"
                )
            channel_store.add_channel(connection, made)
            if actor.agent_id is not None:
                channel_store.set_member(connection, made.channel_id, actor.agent_id, "pull", now)
            return made

        return await self._once(actor, request_ref, digest("channel.create", {"name": name}), work)

    async def join(
        self, actor: Actor, name: str, agent: str | None, notify: str | None, request_ref: str
    ) -> dict[str, Any]:
        """Add an agent to a channel, or change how it hears of its messages.

        ``agent``: which one; an agent joins itself. ``notify``: ``pane``, ``pull`` or ``none``; None: as it is.
        """
        agent_id, now = self._member(actor, agent, name), self._context.clock()

        def work(connection: sqlite3.Connection, publish: PublishChange) -> Channel:
            channel = one_channel(connection, name)
            self._check_open(connection, actor, channel)
            before = next((m["notify"] for m in channel.members if m["agent_id"] == agent_id), "pull")
            channel_store.set_member(connection, channel.channel_id, agent_id, notify or before, now)
            return channel

        seal = digest("channel.join", {"name": name, "agent": agent_id, "notify": notify})
        return await self._once(actor, request_ref, seal, work)

    async def leave(self, actor: Actor, name: str, agent: str | None, request_ref: str) -> dict[str, Any]:
        """Remove an agent from a channel. Raises E_PRECONDITION_FAILED if it is no member."""
        agent_id = self._member(actor, agent, name)

        def work(connection: sqlite3.Connection, publish: PublishChange) -> Channel:
            channel = one_channel(connection, name)
            if not channel_store.remove_member(connection, channel.channel_id, agent_id):
                raise AgtmuxError(
                    "E_PRECONDITION_FAILED",
                    f"{self._builder.recipient(agent_id)} is not a member of {channel.full_name}: nothing was changed",
                )
            return channel

        seal = digest("channel.leave", {"name": name, "agent": agent_id})
        return await self._once(actor, request_ref, seal, work)

    async def listing(self, actor: Actor) -> list[dict[str, Any]]:
        """List channels: for a person all, for an agent those that it may join."""

        def read(connection: sqlite3.Connection) -> list[Channel]:
            team = channel_store.team_of(connection, actor.agent_id)[0] if actor.agent_id is not None else None
            return [
                one
                for one in channel_store.channels(connection)
                if actor.agent_id is None
                or one.team_id in (None, team)
                or any(member["agent_id"] == actor.agent_id for member in one.members)
            ]

        return [self._builder.channel(one) for one in await self._context.store.read(read)]

    def readable(self, connection: sqlite3.Connection, actor: Actor, name: str) -> Channel:
        """Return a channel whose messages the actor may read. Raises E_FORBIDDEN if it is no member."""
        channel = one_channel(connection, name)
        if actor.agent_id is not None and all(m["agent_id"] != actor.agent_id for m in channel.members):
            raise AgtmuxError(
                "E_FORBIDDEN",
                f"you are not a member of {channel.full_name}: run agtmux channel join {channel.full_name}",
            )
        return channel

    # ---------------------------------------------------------------- helpers

    def _member(self, actor: Actor, agent: str | None, name: str) -> str:
        """Return the agent whose membership changes. Raises E_FORBIDDEN if an agent names another one."""
        self._context.allow(actor, "message", name)
        if agent is None and actor.agent_id is None:
            raise AgtmuxError("E_INVALID_REQUEST", "agent: say which agent: people are not members of channels")
        agent_id = self._find(agent) if agent is not None else str(actor.agent_id)
        if actor.agent_id is not None and agent_id != actor.agent_id:
            raise AgtmuxError("E_FORBIDDEN", "an agent joins and leaves channels only for itself: leave out the name")
        return agent_id

    def _team(self, connection: sqlite3.Connection, actor: Actor, name: str) -> tuple[str | None, str | None]:
        """Return id and name of the team that a new channel belongs to."""
        own = channel_store.team_of(connection, actor.agent_id) if actor.agent_id is not None else (None, None)
        if not name:
            return own
        found = channel_store.team_named(connection, name)
        if found is None:
            raise AgtmuxError("E_NOT_FOUND", f"there is no team {name[:80]!r}: a channel without a team needs no team/")
        if actor.agent_id is not None and found[0] != own[0]:
            raise AgtmuxError("E_FORBIDDEN", f"you are not in the team {found[1]}: make a channel of your own team")
        return found

    def _check_open(self, connection: sqlite3.Connection, actor: Actor, channel: Channel) -> None:
        """Raise E_FORBIDDEN if an agent is not in the channel's team."""
        if actor.agent_id is None or channel.team_id is None:
            return
        if channel_store.team_of(connection, actor.agent_id)[0] != channel.team_id:
            raise AgtmuxError(
                "E_FORBIDDEN", f"{channel.full_name} is for the team {channel.team}: a person may add you to it"
            )

    async def _once(self, actor: Actor, request_ref: str, seal: str, work: Work) -> dict[str, Any]:
        who = actor.agent_id or PEOPLE

        def once(connection: sqlite3.Connection, publish: PublishChange) -> Channel:
            done = rows.earlier_result(connection, who, request_ref, seal)
            if done is not None:
                found = channel_store.get_channel(connection, done)
                if found is None:
                    raise AgtmuxError("E_NOT_FOUND", "the channel is gone: agtmux channel list shows those there are")
                return found
            channel = work(connection, publish)
            rows.note_request(connection, who, request_ref, seal, channel.channel_id, self._context.clock())
            after = channel_store.get_channel(connection, channel.channel_id) or channel
            publish("channel", after.channel_id, self._builder.channel(after))
            return after

        return self._builder.channel(await self._context.write(once))
