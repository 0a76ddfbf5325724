"""Errors of the daemon become errors of the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agtmux.protocol.errors import CODES, AgtmuxError
from tests.unit.daemon_stub import Stub, agtmux, error


@pytest.mark.tc("TC-018")
@pytest.mark.tc("TC-032")
@pytest.mark.parametrize("code", [code for code, row in CODES.items() if row.http])
def test_the_daemons_error_is_the_commands_error(short_dir: Path, stub: Stub, code: str) -> None:
    envelope = AgtmuxError(code, "say what to do", {"a": [1]}).envelope()
    stub.answer("GET /v1/panes", envelope, status=CODES[code].http or 0)
    done = agtmux(short_dir, "ls", "--json")
    assert json.loads(done.stdout) == envelope
    assert done.stderr.decode() == f"agtmux: say what to do ({code})\n"
    assert done.returncode == CODES[code].exit
    assert agtmux(short_dir, "ls").stdout == b""


def test_an_error_code_of_a_newer_daemon_is_told_as_it_is(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/panes", error("E_FROM_THE_FUTURE", "later"), status=418)
    done = agtmux(short_dir, "ls")
    assert b"E_FROM_THE_FUTURE" in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"error": 5}'])
def test_an_answer_that_is_not_the_api_is_an_error_with_a_hint(short_dir: Path, stub: Stub, body: bytes) -> None:
    stub.answer("GET /v1/panes", body, status=500)
    done = agtmux(short_dir, "ls")
    assert done.returncode == 1
    assert b"agtmux daemon logs (E_INTERNAL)" in done.stderr
