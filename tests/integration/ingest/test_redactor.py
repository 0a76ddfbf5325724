"""What is posted is redacted before it is stored: the bytes of the database are searched for what was sent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.requests import WireEvent
from agtmuxd.hooks.health import HookHealth
from agtmuxd.ingest.redactor import Redactor
from agtmuxd.services.events import Events
from tests.rig import SERVER, SOCKET, Agent, Clock, Rig

SECRETS = {
    "bearer": "Bearer abcdef0123456789abcdef0123456789",
    "anthropic": "sk-ant-api03-" + "Ab1" * 30,
    "openai": "sk-proj-" + "Zz9" * 16,
    "github": "ghp_" + "0a1B" * 9,
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "s3cr3tS1gn4tur3" * 3,
    "pair": "password=hunter2-hunter2",
    "url": "https://someone:letmein-letmein@example.org/x",
    "key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAsecretsecret\n-----END RSA PRIVATE KEY-----",
    "ours": "ACME-7777-INTERNAL",
}
NEEDLES = {
    "bearer": "abcdef0123456789abcdef", "anthropic": "Ab1" * 10, "openai": "Zz9" * 8, "github": "0a1B" * 6,
    "aws": "AKIAIOSFODNN7EXAMPLE", "jwt": "s3cr3tS1gn4tur3", "pair": "hunter2-hunter2", "url": "letmein-letmein",
    "key": "MIIEowIBAAKCAQEAsecretsecret", "ours": "ACME-7777-INTERNAL",
}  # fmt: skip


def events_of(rig: Rig, pattern: str = "ACME-[0-9]+-[A-Z]+", ahead: Callable[[], int] = int) -> Events:
    return Events(
        envelope=Envelope(rig.clock, list), view=rig.view, pipeline=rig.pipeline, store=rig.store,
        redact=Redactor(lambda: [pattern]), hook_tests=HookHealth(rig.pipeline), clock=rig.clock, ahead=ahead,
    )  # fmt: skip


def wire(number: int, name: str, payload: dict[str, Any], agent: Agent | None, **more: Any) -> WireEvent:
    body: dict[str, Any] = {
        "event_id": f"event-{number:04d}", "event_type": name, "source": "hook", "agent_type": "claude",
        "event_time": Clock().now, "payload": {"hook_event_name": name, **payload}, **more,
    }  # fmt: skip
    if agent is not None:
        body["pane_id"] = agent.pane
        body["tmux"] = {"socket": SOCKET, "server_pid": SERVER}
        argv = ["claude", "--key", str(more.get("env", {}).get("N", ""))]
        body["chain"] = [{"pid": link.pid, "start": link.start, "argv": argv} for link in agent.chain]
    return WireEvent.model_validate(body)


def bytes_of(path: Path) -> bytes:
    """The database with its write-ahead log."""
    return b"".join(p.read_bytes() for p in sorted(path.parent.glob(path.name + "*")))


def carried(secret: str) -> dict[str, Any]:
    """The same secret in every corner of a payload."""
    return {
        "prompt": f"use {secret} please", "tool_name": "Bash",
        "tool_input": {"command": f"curl -H 'Authorization: {secret}'", "nested": [{"deep": [secret]}]},
        "last_assistant_message": f"I saw {secret}.", "error": f"refused: {secret}",
    }  # fmt: skip


@pytest.mark.tc("TC-011")
async def test_no_secret_reaches_the_rows_that_are_shown(tmp_path: Path) -> None:
    agent = Agent()
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        await rig.round(agent)
        intake = events_of(rig)
        for number, secret in enumerate(SECRETS.values()):
            for at, kind in enumerate(("UserPromptSubmit", "PermissionRequest")):
                await intake.ingest([wire(number * 10 + at, kind, carried(secret), agent)])
                shown = repr(rig.item()) + repr(rig.the_state())
                assert not any(needle in shown for needle in NEEDLES.values()), shown


@pytest.mark.tc("TC-050")
async def test_what_a_pattern_never_comes_to_an_end_on_is_left_out(tmp_path: Path) -> None:
    clock = Clock()
    async with Rig(tmp_path / "a.db", clock) as rig:
        await rig.round(Agent())
        intake = events_of(rig, "^(a+)+$")
        listed = {"prompt": "a" * 60 + "b", "tool_input": {"command": "ls"}}
        (result,) = await intake.ingest([wire(1, "PreToolUse", listed, Agent())])
        assert result["status"] == "bound"
        assert b"aaaaaaaaaa" not in bytes_of(tmp_path / "a.db")
        (result,) = await intake.ingest([wire(2, "PreToolUse", {"prompt": "kept-words"}, Agent())])
        assert b"kept-words" in bytes_of(tmp_path / "a.db")
