"""Define the routes that try screen rules on captured screens and on samples.

Owns their models. The core owns what a rule makes of a screen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Protocol

from aiohttp import web
from pydantic import Field, StrictBool, StrictInt, field_validator

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.api.callers import require_operator
from agtmuxd.api.envelopes import answer
from agtmuxd.api.parsing import read_json
from agtmuxd.api.requests import Model
from agtmuxd.api.responses.base import Answer, ResponseModel, WaitingFor
from agtmuxd.api.route import Access, Route
from agtmuxd.core.model import Claim

MAX_SCREEN = 256 * 1024
"""Characters of a captured screen."""

Cells = Annotated[StrictInt, Field(ge=0, le=10_000)]
Agent = Annotated[str, Field(min_length=1, max_length=64)]


class ReplayRequest(Model):
    """One captured screen. ``before``: the claim of the previous sample. Omitted sizes are those of the text."""

    agent: Agent
    screen: str
    title: Annotated[str, Field(max_length=4096)] = ""
    cols: Cells | None = None
    rows: Cells | None = None
    cursor_x: Cells = 0
    cursor_y: Cells = 0
    cursor_visible: StrictBool = True
    alternate_on: StrictBool = True
    before: Claim | None = None

    @field_validator("screen")
    @classmethod
    def _bounded(cls, value: str) -> str:
        if len(value) > MAX_SCREEN:
            raise AgtmuxError("E_PAYLOAD_TOO_LARGE", f"screen: at most {MAX_SCREEN} characters")
        return value


class CheckRequest(Model):
    """Rules to try on their samples. ``corpus``: a folder of recordings. They are not installed with agtmux."""

    agents: list[Agent] | None = None
    corpus: Path | None = None


class RuleMatch(ResponseModel):
    rule: str
    priority: int
    claim: str
    strength: str


class RuleMiss(RuleMatch):
    why: str


class ReplayAnswer(Answer):
    """``version``: the agent's version, if the screen shows it. ``older``: it is older than all with known screens."""

    agent: str
    version: str | None = None
    oldest_version: str | None = None
    older: bool = False
    rules_file: str | None
    recorded_on: list[str]
    claim: str | None
    rule: str | None
    strength: str | None
    accepts_input: bool | None
    background_tasks: int | None
    waiting_for: WaitingFor | None
    composer: str | None
    matched: list[RuleMatch]
    missed: list[RuleMiss]


class RuleTrial(ResponseModel):
    rule: str
    claim: str
    strength: str
    ok: bool | None
    message: str


class RuleFileTrial(ResponseModel):
    agent: str
    rules_file: str | None
    error: str | None
    recorded_on: list[str]
    rules: list[RuleTrial]


class CheckAnswer(Answer):
    items: list[RuleFileTrial]


class RuleService(Protocol):
    """Tries rules. Changes nothing."""

    def replay(self, asked: ReplayRequest) -> dict[str, Any]:
        """Try the rules on a captured screen and return the body of the answer. Raises E_INVALID_REQUEST."""

    async def check(self, asked: CheckRequest) -> list[dict[str, Any]]:
        """Try every rule on its sample and return one item per agent. Raises E_INVALID_REQUEST."""


async def replay(request: web.Request, rules: RuleService) -> web.StreamResponse:
    asked = ReplayRequest.model_validate(await read_json(request))
    return answer(**rules.replay(asked))


async def check(request: web.Request, rules: RuleService) -> web.StreamResponse:
    asked = CheckRequest.model_validate(await read_json(request))
    if asked.corpus is not None:  # a folder that the daemon reads for the caller
        await require_operator(request)
    return answer(items=await rules.check(asked))


ROUTES: tuple[Route[RuleService], ...] = (
    Route(
        "POST", "/v1/rules/replay", replay, "Try the rules on a captured screen", body=ReplayRequest,
        answer=ReplayAnswer, access=Access.EVERYBODY,
    ),
    Route(
        "POST", "/v1/rules/check", check, "Check the rules against their samples", body=CheckRequest,
        answer=CheckAnswer, access=Access.EVERYBODY,
    ),
)  # fmt: skip
