"""The settings of who may do what: one rule for each ``[[policies]]``."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Final, Literal

from pydantic import Field, field_validator

from agtmuxd.config.base import Table

VERBS: Final = (
    "*", "read", "message", "signal", "wait", "lease", "worktree", "spawn", "admin", "act", "act.send", "act.approve",
    "act.deny", "act.answer", "act.interrupt", "act.kill", "act.attach", "act.ack",
)  # fmt: skip
_SUBJECT: Final = re.compile(r"\*|(agent|team):[A-Za-z0-9._/*-]{1,130}|uid:[0-9]{1,10}|device:[^\s]{1,128}")
_OBJECT: Final = re.compile(r"\*|(target|agent|topic):[A-Za-z0-9._/*-]{1,256}")


class PolicySettings(Table):
    """One ``[[policies]]``. A rule that refuses wins; otherwise one that allows is enough."""

    effect: Literal["allow", "deny"]
    subject: str
    verb: str
    object: str = Field("*", description="what it is about: target:, agent: or topic:, with * for any text")

    @field_validator("subject")
    @classmethod
    def _subject(cls, value: str) -> str:
        if _SUBJECT.fullmatch(value) is None:
            raise ValueError(f"{value!r}: write agent:NAME, team:NAME, uid:NUMBER, device:NAME or *")
        return value

    @field_validator("verb")
    @classmethod
    def _verb(cls, value: str) -> str:
        if value not in VERBS:
            close = get_close_matches(value, VERBS, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise ValueError(f"{value!r} is not one of {', '.join(VERBS)}{hint}")
        return value

    @field_validator("object")
    @classmethod
    def _object(cls, value: str) -> str:
        if _OBJECT.fullmatch(value) is None:
            raise ValueError(f"{value!r}: write target:NAME, agent:NAME, topic:NAME or *")
        return value
