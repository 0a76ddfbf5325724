"""The command channel: the program gets the message as JSON, and its exit status says whether it was delivered."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from agtmuxd.features.notify.channels import command
from agtmuxd.features.notify.channels.command import CommandChannel
from tests.integration.features.notify.channels.stubs import message, settings, tools

pytestmark = pytest.mark.tc("TC-409")
ENV = {"PATH": os.environ["PATH"]}


def channel(*argv: str) -> CommandChannel:
    return CommandChannel(settings("command", argv=list(argv)), tools(ENV))


async def test_the_program_gets_the_message_as_one_line_of_json(tmp_path: Path) -> None:
    outcome = await channel("sh", "-c", f"cat > {tmp_path}/got").send(message())
    assert outcome.ok
    text = (tmp_path / "got").read_text()
    assert text.endswith("\n") and text.count("\n") == 1
    assert json.loads(text) == message().public()


async def test_a_program_in_the_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    program = tmp_path / "tell me"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o755)
    assert (await channel("~/tell me").send(message())).ok
    assert (tmp_path / "ran").exists()


async def test_a_status_other_than_0_is_a_failure_with_its_last_words() -> None:
    outcome = await channel("sh", "-c", "echo 'no route' >&2; exit 7").send(message())
    assert (outcome.ok, outcome.detail) == (False, "sh ended with status 7: no route")


async def test_a_program_that_is_not_there_or_too_slow_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "cannot be started" in (await channel("/no/such").send(message())).detail
    monkeypatch.setattr(command, "SECONDS", 0.2)
    assert (await channel("sleep", "60").send(message())).detail == "sleep took longer than 0.2 s and was ended"
    await channel("true").close()
