"""Define the routes that act on a pane, and turn each request body into a request of the core.

Owns their models. The kernel names the caller, never the body. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal, Protocol

from aiohttp import web
from pydantic import BeforeValidator, Field, StrictBool, StrictInt, field_validator, model_validator

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api import requests
from agtmuxd.api.callers import caller
from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.parsing import read_json
from agtmuxd.api.responses.actions import ActionAnswer
from agtmuxd.api.route import Access, Route, WebScope
from agtmuxd.core.action.keys import submits, valid_key
from agtmuxd.core.action.request import (
    AnswerParams,
    AttachParams,
    Caller,
    Guards,
    KillParams,
    Kind,
    NoParams,
    Params,
    Request,
    SendParams,
    ViewParams,
)
from agtmuxd.core.model import WAITING, State

MAX_TEXT = 256 * 1024
"""Bytes of text that one action may carry."""
MAX_ANSWER = 4000
"""Characters of an answer."""
MAX_KEYS = 64

Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{8,128}$")]
States = Annotated[list[State], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]


class ActionBody(requests.Model):
    """What every action accepts. Guards only add conditions. ``force_stale`` skips the checks of age and
    state version.
    """

    request_ref: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{8,128}$")]
    ref: str  # the core owns its grammar and its error
    if_runtime: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{16,128}$")] | None = None
    if_state: Annotated[States, Field(max_length=7, default_factory=list)]
    if_state_version: Annotated[StrictInt, Field(ge=0, le=requests.MAX_NS)] | None = None
    if_fingerprint: Fingerprint | None = None
    if_updated_within: Annotated[float, Field(ge=0, le=86_400)] | None = None
    snapshot: str | None = None
    force_stale: StrictBool = False

    def params(self) -> Params:
        return NoParams()

    def request(self, kind: Kind) -> Request:
        guards = Guards(
            self.if_runtime, tuple(str(state) for state in self.if_state), self.if_state_version, self.if_fingerprint,
            self.if_updated_within, self.snapshot, self.force_stale,
        )  # fmt: skip
        return Request(kind, self.request_ref, self.ref, guards, self.params())


class TerminalServer(requests.Model):
    """The tmux server that a terminal is in, from its ``TMUX``."""

    socket: Annotated[str, Field(min_length=1, max_length=4096)]
    server_pid: requests.Pid


class AttachBody(ActionBody):
    """``select`` false: select nothing, only return the commands. The same if ``inside`` is another server here."""

    select: StrictBool = True
    inside: TerminalServer | None = None

    def params(self) -> Params:
        return AttachParams(self.select, (self.inside.socket, self.inside.server_pid) if self.inside else None)


def _text(value: str | None) -> str | None:
    if value is not None and len(value.encode("utf-8", "replace")) > MAX_TEXT:
        raise AgtmuxError("E_PAYLOAD_TOO_LARGE", f"text: longer than {MAX_TEXT} bytes; send it in parts")
    return value


class SendBody(ActionBody):
    """Text, then keys, then the submit key. ``paste`` null: decide by the text; several lines are pasted.

    ``clear_own_draft``, alone: remove a text that an earlier send typed and did not submit.
    """

    text: Annotated[str, Field(min_length=1)] | None = None
    keys: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=16)]], Field(max_length=MAX_KEYS, default_factory=list)
    ]
    enter: StrictBool = False
    paste: StrictBool | None = None
    leave_mode: StrictBool = False
    over_draft: StrictBool = False
    shell: StrictBool = False
    timeout: Annotated[float, Field(ge=0, le=60)] = 5.0
    clear_own_draft: StrictBool = False

    @field_validator("keys")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        for name in value:
            if not valid_key(name):
                raise ValueError(f"{name!r} is not a tmux key name: use names like Enter, Escape, C-c, Up, F5")
        return value

    @model_validator(mode="after")
    def _something(self) -> SendBody:
        if self.clear_own_draft:
            others = self.text is not None or self.keys or self.enter or self.paste is not None
            if others or self.leave_mode or self.over_draft or self.shell:
                raise ValueError("clear_own_draft removes a text and does nothing else: give it alone")
            return self
        if self.text is None and not self.keys and not self.enter:
            raise ValueError("nothing to send: give text, keys or enter")
        blind = next((key for key in self.keys if submits(key)), None)
        if self.text is not None and blind is not None and not self.shell:
            raise ValueError(f"keys: {blind} would be pressed before the text shows: use enter, which waits for it")
        return self

    def params(self) -> Params:
        return SendParams(
            _text(self.text), tuple(self.keys), self.enter, self.paste, self.leave_mode, self.over_draft, self.shell,
            self.timeout, self.clear_own_draft,
        )  # fmt: skip


class PromptBody(ActionBody):
    """One prompt for an agent: a text that is submitted. It is never typed into a dialog, a shell or a draft."""

    text: Annotated[str, Field(min_length=1)]
    if_runtime: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{16,128}$")]
    timeout: Annotated[float, Field(ge=0, le=60)] = 5.0

    @field_validator("if_state")
    @classmethod
    def _no_dialog(cls, value: list[State]) -> list[State]:
        if set(value) & WAITING:
            raise ValueError("a prompt is never typed into a dialog: leave the waiting states out, or use answer")
        return value

    def params(self) -> Params:
        return SendParams(_text(self.text), enter=True, timeout=self.timeout)


class ViewBody(ActionBody):
    """``again``: the action that this reading continues, for callers that follow a pane. It is recorded once."""

    lines: Annotated[StrictInt, Field(ge=1, le=10_000)] = 200
    ansi: StrictBool = False
    again: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{8,128}$")] | None = None

    def params(self) -> Params:
        return ViewParams(self.lines, self.ansi, self.again)


class KillBody(ActionBody):
    mode: Literal["key", "signal"] = "key"
    signal: Literal["INT", "TERM", "KILL"] = "INT"

    @model_validator(mode="after")
    def _fits(self) -> KillBody:
        if self.mode == "key" and self.signal != "INT":
            raise ValueError(f"signal {self.signal} needs mode signal: in key mode only INT (C-c) can be sent")
        return self

    def params(self) -> Params:
        return KillParams(self.mode, self.signal)


class AnswerBody(ActionBody):
    """The number of an option as shown, from 1, or a text. A text equal to an option's text chooses that option."""

    option: Annotated[StrictInt, Field(ge=1, le=99)] | None = None
    text: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one(self) -> AnswerBody:
        if (self.option is None) == (self.text is None):
            raise ValueError("give either option or text")
        return self

    def params(self) -> Params:
        if self.text is not None and len(self.text) > MAX_ANSWER:
            raise AgtmuxError("E_PAYLOAD_TOO_LARGE", f"text: an answer has at most {MAX_ANSWER} characters")
        return AnswerParams(self.option, self.text)


BODIES: dict[Kind, type[ActionBody]] = {
    Kind.ATTACH: AttachBody,
    Kind.SEND: SendBody,
    Kind.VIEW: ViewBody,
    Kind.KILL: KillBody,
    Kind.APPROVE: ActionBody,
    Kind.DENY: ActionBody,
    Kind.ANSWER: AnswerBody,
    Kind.INTERRUPT: ActionBody,
    Kind.ACK: ActionBody,
}
"""The request model of each kind."""

SUMMARIES: dict[Kind, str] = {
    Kind.ATTACH: "Select a pane and return how to attach to it",
    Kind.SEND: "Send text or keys to a pane",
    Kind.VIEW: "Show what is on a pane's screen",
    Kind.KILL: "Send C-c or a signal to an agent",
    Kind.APPROVE: "Approve what an agent asks for",
    Kind.DENY: "Deny what an agent asks for",
    Kind.ANSWER: "Answer an agent's question",
    Kind.INTERRUPT: "Interrupt an agent's turn",
    Kind.ACK: "Mark a pane as seen",
}


class ActionService(Protocol):
    """Performs requests, each one once, and records them."""

    envelope: Envelope

    async def act(self, request: Request, caller: Caller) -> dict[str, Any]:
        """Perform the request, once. Raises the reason for a refusal."""


WEB: dict[Kind, WebScope | None] = {
    Kind.ATTACH: None,  # it needs a terminal
    Kind.SEND: WebScope.ALL,
    Kind.VIEW: WebScope.OBSERVE,
    Kind.KILL: WebScope.ALL,
    Kind.APPROVE: WebScope.ACT,
    Kind.DENY: WebScope.ACT,
    Kind.ANSWER: WebScope.ACT,
    Kind.INTERRUPT: WebScope.ACT,
    Kind.ACK: WebScope.ACT,
}
"""The scope that a device of the web page needs for each kind. None: not from there."""


def _act(
    kind: Kind, model: type[ActionBody] | None = None
) -> Callable[[web.Request, ActionService], Awaitable[web.StreamResponse]]:
    """Return the handler of one kind. ``model``: of the body, if it is not the kind's own."""

    async def act(request: web.Request, actions: ActionService) -> web.StreamResponse:
        asked = (model or BODIES[kind]).model_validate(await read_json(request)).request(kind)
        result = await actions.act(asked, caller(request))
        return actions.envelope.reply(**result)

    return act


ROUTES: tuple[Route[ActionService], ...] = (
    *(
        Route(
            "POST", f"/v1/actions/{kind}", _act(kind), SUMMARIES[kind], body=BODIES[kind],
            answer=ActionAnswer, access=Access.CHECKED_BY_ACTION, web=WEB[kind],
        )
        for kind in Kind
    ),
    Route(
        "POST", "/v1/actions/prompt", _act(Kind.SEND, PromptBody), "Send an agent a prompt", body=PromptBody,
        answer=ActionAnswer, access=Access.CHECKED_BY_ACTION, web=WebScope.ACT,
    ),
)  # fmt: skip
