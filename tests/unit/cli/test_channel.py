"""``agtmux channel``: what it asks for and prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.messages import MESSAGE
from tests.unit.daemon_stub import STAMP, Stub, agtmux

pytestmark = pytest.mark.tc("TC-688")
ITEM = {"channel_id": "c1", "name": "build", "team": "web", "created_at": STAMP, "members": []}


@pytest.mark.parametrize(
    ("words", "route", "request_"),
    [
        (["create", "build"], "POST /v1/channels", {"name": "build"}),
        (["join", "build"], "POST /v1/channels/build/join", {"notify": "pull"}),
        (["join", "web/build", "--pane"], "POST /v1/channels/web/build/join", {"notify": "pane"}),
        (["mute", "build", "--agent", "anna"], "POST /v1/channels/build/join", {"notify": "none", "agent": "anna"}),
        (["mute", "build", "--off"], "POST /v1/channels/build/join", {"notify": "pull"}),
        (["leave", "build"], "POST /v1/channels/build/leave", {}),
    ],
)
def test_each_command_is_one_request(
    short_dir: Path, stub: Stub, words: list[str], route: str, request_: dict[str, Any]
) -> None:
    stub.answer(route, {"item": ITEM})
    done = agtmux(short_dir, "channel", *words)
    assert done.returncode == 0, done.stderr
    body = stub.calls[-1].body
    assert len(body.pop("request_ref")) == 36
    assert body == request_
    assert done.stdout.startswith(b"channel web/build ")


def test_the_log_is_oldest_first_and_an_empty_list_says_what_to_type(short_dir: Path, stub: Stub) -> None:
    items = [{**MESSAGE, "seq": 13, "body": "newer"}, {**MESSAGE, "body": "older"}]
    stub.answer("GET /v1/channels/build/messages", {"items": items, "truncated": True})
    stub.answer("GET /v1/channels", {"items": []})
    done = agtmux(short_dir, "channel", "log", "build")
    assert done.stdout.index(b"older") < done.stdout.index(b"newer")
    assert b"add --limit" in done.stderr
    assert b"agtmux channel create NAME" in agtmux(short_dir, "channel", "list").stdout
