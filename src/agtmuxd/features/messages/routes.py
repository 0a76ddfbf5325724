"""The routes of messages, inboxes, channels and deliveries, and what the handlers need from the service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from aiohttp import web

from agtmuxd.api.callers import actor
from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.parsing import given, read_json, read_query
from agtmuxd.api.route import Access, Route, WebScope
from agtmuxd.core.actor import Actor
from agtmuxd.features.messages.model import NewMessage, Reaction
from agtmuxd.features.messages.schemas import (
    ChannelAnswer,
    ChannelBody,
    ChannelQuery,
    ChannelsAnswer,
    CheckAnswer,
    DeliveriesAnswer,
    DeliveriesQuery,
    DeliveryAnswer,
    InboxQuery,
    LeaveBody,
    MailboxAnswer,
    MemberBody,
    MessageAnswer,
    MessageBody,
    MessagesAnswer,
    MessagesQuery,
    OutboxQuery,
    ReactBody,
    RequestBody,
    SendBody,
)
from agtmuxd.features.messages.search import MessageFilter


class ChannelService(Protocol):
    """Changes and lists channels."""

    async def create(self, actor: Actor, name: str, request_ref: str) -> dict[str, Any]:
        """Make a channel."""

    async def join(
        self, actor: Actor, name: str, agent: str | None, notify: str | None, request_ref: str
    ) -> dict[str, Any]:
        """Add an agent to a channel, or change how it hears of its messages."""

    async def leave(self, actor: Actor, name: str, agent: str | None, request_ref: str) -> dict[str, Any]:
        """Remove an agent from a channel."""

    async def listing(self, actor: Actor) -> list[dict[str, Any]]:
        """List channels."""


class MessageService(Protocol):
    """Answers the routes of messages. An agent gets only what it may see, and writes only in its own name."""

    envelope: Envelope

    @property
    def channels(self) -> ChannelService: ...

    async def send(self, actor: Actor, new: NewMessage) -> dict[str, Any]:
        """Send a message or a reply, and return its item."""

    async def receipt(self, actor: Actor, what: str, name: str, request_ref: str | None) -> dict[str, Any]:
        """Note that a message was read (``read``) or is acknowledged (``ack``)."""

    async def react(self, actor: Actor, name: str, reaction: Reaction, request_ref: str) -> dict[str, Any]:
        """Add a reaction."""

    async def cancel(self, actor: Actor, name: str, request_ref: str) -> dict[str, Any]:
        """Cancel a message for those who have not got it."""

    async def failed(self, actor: Actor, what: str, delivery_id: str, request_ref: str) -> dict[str, Any]:
        """Try a failed delivery once more (``retry``), or give it up (``drop``)."""

    async def show(self, actor: Actor, name: str) -> dict[str, Any]:
        """Return a message with its body. It does not count as read."""

    async def listing(
        self, actor: Actor, wanted: MessageFilter, *, to: str | None, sender: str | None, channel: str | None,
        thread: str | None, since: str | None, body: bool,
    ) -> dict[str, Any]:  # fmt: skip
        """List messages, with the cursors to go on from."""

    async def mailbox(
        self, actor: Actor, name: str, wanted: MessageFilter, *, outbox: bool, channel: str | None, since: str | None
    ) -> dict[str, Any]:
        """List an inbox or an outbox. ``name``: an agent, ``person``, or ``-`` for the sender's own."""

    async def deliveries(
        self, actor: Actor, states: Sequence[str], agent: str | None, limit: int
    ) -> tuple[list[dict[str, Any]], bool]:
        """List deliveries, newest first, and whether there are more."""

    async def check(self) -> dict[str, Any]:
        """Count what seems wrong with deliveries."""


async def send(request: web.Request, service: MessageService) -> web.StreamResponse:
    body = SendBody.model_validate(await read_json(request))
    item = await service.send(await actor(request), body.new(to=body.to, channel=body.channel))
    return service.envelope.reply(item=item)


async def reply(request: web.Request, service: MessageService) -> web.StreamResponse:
    body = MessageBody.model_validate(await read_json(request))
    item = await service.send(await actor(request), body.new(parent=_name(request)))
    return service.envelope.reply(item=item)


def _name(request: web.Request) -> str:
    return request.match_info["id"]


async def read(request: web.Request, service: MessageService) -> web.StreamResponse:
    body = RequestBody.model_validate(await read_json(request))
    item = await service.receipt(await actor(request), "read", _name(request), body.request_ref)
    return service.envelope.reply(item=item)


async def ack(request: web.Request, service: MessageService) -> web.StreamResponse:
    body = RequestBody.model_validate(await read_json(request))
    item = await service.receipt(await actor(request), "ack", _name(request), body.request_ref)
    return service.envelope.reply(item=item)


async def react(request: web.Request, service: MessageService) -> web.StreamResponse:
    body = ReactBody.model_validate(await read_json(request))
    item = await service.react(await actor(request), _name(request), body.reaction, body.request_ref)
    return service.envelope.reply(item=item)


async def cancel(request: web.Request, service: MessageService) -> web.StreamResponse:
    body = RequestBody.model_validate(await read_json(request))
    item = await service.cancel(await actor(request), _name(request), body.request_ref)
    return service.envelope.reply(item=item)


async def show(request: web.Request, service: MessageService) -> web.StreamResponse:
    return service.envelope.reply(item=await service.show(await actor(request), _name(request)))


async def listing(request: web.Request, service: MessageService) -> web.StreamResponse:
    query = read_query(MessagesQuery, request.query)
    page = await service.listing(
        await actor(request), query.filter(), to=query.to, sender=query.from_, channel=query.channel,
        thread=query.thread, since=query.since, body=query.body,
    )  # fmt: skip
    filters = given(query, "to", "channel", "thread", "unread", "since", "q", "limit")
    if query.from_ is not None:
        filters["from"] = query.from_
    return service.envelope.reply(filters=filters, **page)


async def inbox(request: web.Request, service: MessageService) -> web.StreamResponse:
    query = read_query(InboxQuery, request.query)
    page = await service.mailbox(
        await actor(request), request.match_info["name"], query.filter(), outbox=False, channel=query.channel,
        since=query.since,
    )  # fmt: skip
    return service.envelope.reply(filters=given(query, "channel", "unread", "since", "q", "limit"), **page)


async def outbox(request: web.Request, service: MessageService) -> web.StreamResponse:
    query = read_query(OutboxQuery, request.query)
    page = await service.mailbox(
        await actor(request), request.match_info["name"], query.filter(), outbox=True, channel=None, since=query.since
    )
    return service.envelope.reply(filters=given(query, "undelivered", "unread", "since", "q", "limit"), **page)


async def create_channel(request: web.Request, service: MessageService) -> web.StreamResponse:
    body = ChannelBody.model_validate(await read_json(request))
    item = await service.channels.create(await actor(request), body.name, body.request_ref)
    return service.envelope.reply(item=item)


async def join_channel(request: web.Request, service: MessageService) -> web.StreamResponse:
    body = MemberBody.model_validate(await read_json(request))
    who, name = await actor(request), request.match_info["name"]
    item = await service.channels.join(who, name, body.agent, body.notify, body.request_ref)
    return service.envelope.reply(item=item)


async def leave_channel(request: web.Request, service: MessageService) -> web.StreamResponse:
    body = LeaveBody.model_validate(await read_json(request))
    who, name = await actor(request), request.match_info["name"]
    item = await service.channels.leave(who, name, body.agent, body.request_ref)
    return service.envelope.reply(item=item)


async def list_channels(request: web.Request, service: MessageService) -> web.StreamResponse:
    return service.envelope.reply(items=await service.channels.listing(await actor(request)))


async def channel_log(request: web.Request, service: MessageService) -> web.StreamResponse:
    query = read_query(ChannelQuery, request.query)
    page = await service.listing(
        await actor(request), query.filter(), to=None, sender=None, channel=request.match_info["name"], thread=None,
        since=query.since, body=True,
    )  # fmt: skip
    return service.envelope.reply(filters=given(query, "unread", "since", "q", "limit"), **page)


async def deliveries(request: web.Request, service: MessageService) -> web.StreamResponse:
    query = read_query(DeliveriesQuery, request.query)
    states = [str(state) for state in query.state]
    items, more = await service.deliveries(await actor(request), states, query.agent, query.limit)
    return service.envelope.reply(filters=given(query, "state", "agent", "limit"), truncated=more, items=items)


async def check(_request: web.Request, service: MessageService) -> web.StreamResponse:
    return service.envelope.reply(**await service.check())


async def retry(request: web.Request, service: MessageService) -> web.StreamResponse:
    body = RequestBody.model_validate(await read_json(request))
    item = await service.failed(await actor(request), "retry", _name(request), body.request_ref)
    return service.envelope.reply(item=item)


async def drop(request: web.Request, service: MessageService) -> web.StreamResponse:
    body = RequestBody.model_validate(await read_json(request))
    item = await service.failed(await actor(request), "drop", _name(request), body.request_ref)
    return service.envelope.reply(item=item)


ROUTES: tuple[Route[MessageService], ...] = (
    Route(
        "POST", "/v1/messages", send, "Send a message",
        body=SendBody, answer=MessageAnswer, access=Access.AGENTS, web=WebScope.ACT,
    ),
    Route(
        "GET", "/v1/messages", listing, "Messages, by filters",
        MessagesQuery, answer=MessagesAnswer, access=Access.AGENTS,
    ),
    Route(
        "GET", "/v1/messages/{id}", show, "One message",
        answer=MessageAnswer, access=Access.AGENTS, web=WebScope.OBSERVE,
    ),
    Route(
        "POST", "/v1/messages/{id}/reply", reply, "Reply to a message",
        body=MessageBody, answer=MessageAnswer, access=Access.AGENTS, web=WebScope.ACT,
    ),
    Route(
        "POST", "/v1/messages/{id}/read", read, "Mark a message as read",
        body=RequestBody, answer=MessageAnswer, access=Access.AGENTS, web=WebScope.ACT,
    ),
    Route(
        "POST", "/v1/messages/{id}/ack", ack, "Acknowledge a message",
        body=RequestBody, answer=MessageAnswer, access=Access.AGENTS, web=WebScope.ACT,
    ),
    Route(
        "POST", "/v1/messages/{id}/react", react, "React to a message",
        body=ReactBody, answer=MessageAnswer, access=Access.AGENTS,
    ),
    Route(
        "POST", "/v1/messages/{id}/cancel", cancel, "Cancel a message that was not delivered",
        body=RequestBody, answer=MessageAnswer, access=Access.AGENTS,
    ),
    Route(
        "GET", "/v1/agents/{name}/inbox", inbox, "What an agent was sent",
        InboxQuery, answer=MailboxAnswer, access=Access.AGENTS, web=WebScope.OBSERVE,
    ),
    Route(
        "GET", "/v1/agents/{name}/outbox", outbox, "What an agent sent",
        OutboxQuery, answer=MailboxAnswer, access=Access.AGENTS,
    ),
    Route("GET", "/v1/channels", list_channels, "Channels", answer=ChannelsAnswer, access=Access.AGENTS),
    Route(
        "POST", "/v1/channels", create_channel, "Make a channel",
        body=ChannelBody, answer=ChannelAnswer, access=Access.AGENTS,
    ),
    Route(
        "POST", "/v1/channels/{name}/join", join_channel, "Join a channel, or change what you hear of it",
        body=MemberBody, answer=ChannelAnswer, access=Access.AGENTS,
    ),
    Route(
        "POST", "/v1/channels/{name}/leave", leave_channel, "Leave a channel",
        body=LeaveBody, answer=ChannelAnswer, access=Access.AGENTS,
    ),
    Route(
        "GET", "/v1/channels/{name}/messages", channel_log, "Messages of a channel",
        ChannelQuery, answer=MessagesAnswer, access=Access.AGENTS,
    ),
    Route(
        "GET", "/v1/deliveries", deliveries, "Deliveries, by state",
        DeliveriesQuery, answer=DeliveriesAnswer, access=Access.AGENTS,
    ),
    Route(
        "GET", "/v1/deliveries/check", check, "What seems wrong with deliveries",
        answer=CheckAnswer, access=Access.EVERYBODY,
    ),
    Route(
        "POST", "/v1/deliveries/{id}/retry", retry, "Try a failed delivery once more",
        body=RequestBody, answer=DeliveryAnswer,
    ),
    Route(
        "POST", "/v1/deliveries/{id}/drop", drop, "Give up a failed delivery",
        body=RequestBody, answer=DeliveryAnswer,
    ),
)  # fmt: skip
