"""Define the requests and answers of messages, inboxes, channels and deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from agtmuxd.api import requests
from agtmuxd.api.requests import Flag
from agtmuxd.api.responses.base import Answer, ResponseModel, Time
from agtmuxd.features.messages.model import (
    MOST_RECIPIENTS,
    DeliveryRoute,
    DeliveryState,
    Kind,
    NewMessage,
    Priority,
    Reaction,
)
from agtmuxd.features.messages.search import MessageFilter

Moment = Annotated[int, BeforeValidator(requests.moment), Field(ge=0, le=requests.MAX_NS)]
RequestRef = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{8,128}$")]
Name = Annotated[str, Field(min_length=1, max_length=512)]
MessageName = Annotated[str, Field(pattern=r"^[0-9A-Fa-f-]{1,64}$")]
"""The id of a message or its number (``seq``)."""
SentKind = Literal[
    "note", "task", "result", "question", "answer", "blocker", "review_request", "review_result", "status", "plan"
]


class Ref(requests.Model):
    """What a message is about: a place in a file, a commit, an address, or another message."""

    path: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    line: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    commit: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{4,64}$")] | None = None
    url: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    message: MessageName | None = None

    @model_validator(mode="after")
    def _one(self) -> Ref:
        if not (self.path or self.commit or self.url or self.message):
            raise ValueError("name a path, a commit, a url or a message")
        return self


class MessageBody(requests.Model):
    """What a new message and a reply share."""

    request_ref: RequestRef
    body: str
    subject: str = ""
    kind: SentKind | None = None
    priority: Priority | None = None
    refs: Annotated[list[Ref], Field(max_length=50, default_factory=list)]
    depends_on: Annotated[list[MessageName], Field(max_length=50, default_factory=list)]
    reply_by: Moment | None = None

    def new(self, *, to: Sequence[str] = (), channel: str | None = None, parent: str | None = None) -> NewMessage:
        return NewMessage(
            self.request_ref, self.body, self.subject, Kind(self.kind) if self.kind is not None else None,
            self.priority, tuple(to), channel, parent,
            tuple(ref.model_dump(exclude_none=True) for ref in self.refs), tuple(self.depends_on), self.reply_by,
        )  # fmt: skip


class SendBody(MessageBody):
    """A new message: to agents by name or ref (``person``: people), or to one channel."""

    to: Annotated[list[Name], Field(max_length=MOST_RECIPIENTS, default_factory=list)]
    channel: Name | None = None

    @model_validator(mode="after")
    def _recipients(self) -> SendBody:
        if bool(self.to) == (self.channel is not None):
            raise ValueError("give either recipients (to) or one channel: a message is never for everybody")
        return self


class RequestBody(requests.Model):
    request_ref: RequestRef


class ReactBody(RequestBody):
    reaction: Reaction


class ChannelBody(RequestBody):
    name: Name


class MemberBody(RequestBody):
    """``agent``: by name or ref; an agent leaves it out. ``notify``: how it hears of messages."""

    agent: Name | None = None
    notify: Literal["pane", "pull", "none"] | None = None


class LeaveBody(RequestBody):
    agent: Name | None = None


class PageQuery(requests.Model):
    """``since``: a cursor; then only newer messages, oldest first. ``q``: words that must occur."""

    unread: Flag = False
    since: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    q: Annotated[str, Field(max_length=1024)] | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50

    def filter(self) -> MessageFilter:
        return MessageFilter(self.limit, unread=self.unread, text=self.q)


class MessagesQuery(PageQuery):
    to: Name | None = None
    from_: Annotated[Name | None, Field(alias="from")] = None
    channel: Name | None = None
    thread: MessageName | None = None
    body: Flag = False


class InboxQuery(PageQuery):
    channel: Name | None = None


class OutboxQuery(PageQuery):
    undelivered: Flag = False

    def filter(self) -> MessageFilter:
        return MessageFilter(self.limit, unread=self.unread, text=self.q, undelivered=self.undelivered)


class ChannelQuery(PageQuery):
    """Messages of one channel."""


def _states(value: object) -> list[str]:
    """Take a parameter that may be repeated, each time with several values separated by commas."""
    parts = [value] if isinstance(value, str) else value
    return [piece for part in parts for piece in str(part).split(",")] if isinstance(parts, list) else []


class DeliveriesQuery(requests.Model):
    """``state``: one or several. ``agent``: the recipient."""

    state: Annotated[list[DeliveryState], BeforeValidator(_states), Field(default_factory=list)]
    agent: Name | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class DeliveryItem(ResponseModel):
    delivery_id: str
    message_id: str
    agent_id: str | None  # null: people
    agent: str | None
    state: DeliveryState
    hold_reason: str | None
    route: DeliveryRoute
    position: float
    attempts: int
    next_try_at: Time | None
    runtime_id: str | None
    claimed_at: Time | None
    action_ref: str | None
    submitted_at: Time | None
    delivered_at: Time | None
    evidence: str | None
    read_at: Time | None
    acked_at: Time | None
    error_code: str | None
    updated_at: Time


class ReactionItem(ResponseModel):
    agent_id: str | None  # null: a person
    agent: str | None
    reaction: Reaction
    made_at: Time


class MessageItem(ResponseModel):
    message_id: str
    seq: int
    sender: str
    sender_agent_id: str | None  # null: a person
    kind: Kind
    priority: Priority
    subject: str
    preview: str
    body: str | None  # null in lists
    body_bytes: int
    parent_id: str | None
    thread_id: str
    channel: str | None
    refs: list[dict[str, Any]]
    depends_on: list[str]
    ready: bool | None  # of a task: whether it can begin
    reply_by: Time | None
    overdue_at: Time | None
    expires_at: Time | None
    hop: int
    created_at: Time
    cancelled_at: Time | None
    deliveries: list[DeliveryItem]
    reactions: list[ReactionItem]


class MessageAnswer(Answer):
    generated_at: Time
    item: MessageItem


class PageSummary(ResponseModel):
    total: int


class MessagesAnswer(Answer):
    generated_at: Time
    filters: dict[str, Any]
    stream_cursor: str
    as_of_seq: int
    next_cursor: str
    oldest_cursor: str
    truncated: bool
    summary: PageSummary
    items: list[MessageItem]


class MailboxAnswer(MessagesAnswer):
    agent_id: str | None  # null: people
    agent: str | None
    bound_runtime: str | None
    unread: int


class MemberItem(ResponseModel):
    agent_id: str
    agent: str | None
    notify: Literal["pane", "pull", "none"]
    joined_at: Time


class ChannelItem(ResponseModel):
    channel_id: str
    name: str
    team: str | None
    created_at: Time
    members: list[MemberItem]


class ChannelAnswer(Answer):
    generated_at: Time
    item: ChannelItem


class ChannelsAnswer(Answer):
    generated_at: Time
    items: list[ChannelItem]


class DeliveryAnswer(Answer):
    generated_at: Time
    item: DeliveryItem


class DeliveriesAnswer(Answer):
    generated_at: Time
    filters: dict[str, Any]
    truncated: bool
    items: list[DeliveryItem]


class CheckAnswer(Answer):
    generated_at: Time
    dead: int
    unconfirmed: int
    orphans: int
    stuck: list[str]
