"""``agtmux inbox`` and ``outbox``: whose they are, and what an empty one says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agtmux.cli.inbox import _is_news
from tests.unit.cli.messages import MESSAGE
from tests.unit.daemon_stub import Stub, agtmux

pytestmark = pytest.mark.tc("TC-684")
EMPTY: dict[str, Any] = {
    "items": [], "agent": None, "agent_id": None, "bound_runtime": None, "as_of_seq": 0, "unread": 0,
    "next_cursor": "0000aaaa:0", "oldest_cursor": "0000aaaa:0", "truncated": False,
}  # fmt: skip


def test_an_inbox_is_ones_own_unless_an_agent_is_named(short_dir: Path, stub: Stub) -> None:
    for owner in ("-", "anna"):
        stub.answer(f"GET /v1/agents/{owner}/inbox", EMPTY | {"agent": "anna" if owner == "anna" else None})
    assert agtmux(short_dir, "inbox").stdout == b"no messages in the inbox of people\n"
    assert agtmux(short_dir, "inbox", "--agent", "anna", "--unread").stdout == b"no messages in the inbox of anna\n"
    assert stub.calls[-1].query["unread"] == ["true"]


def test_a_page_says_how_to_go_on_and_how_much_is_unread(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/agents/-/inbox", EMPTY | {"items": [MESSAGE], "unread": 3, "truncated": True})
    done = agtmux(short_dir, "inbox")
    assert b"agent:anna" in done.stdout
    assert b"--since 0000aaaa:0" in done.stderr and b"3 unread" in done.stderr


def test_showing_a_message_marks_it_as_read(short_dir: Path, stub: Stub) -> None:
    stub.answer("POST /v1/messages/12/read", {"item": MESSAGE})
    assert b"subject:" in agtmux(short_dir, "inbox", "show", "12").stdout
    assert agtmux(short_dir, "inbox", "show").returncode == 2


def test_an_outbox_and_a_thread_are_reads(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/agents/-/outbox", EMPTY)
    stub.answer("GET /v1/messages", {"items": [{**MESSAGE, "body": "later"}, {**MESSAGE, "body": "sooner"}]})
    assert agtmux(short_dir, "outbox", "--undelivered").returncode == 0
    assert stub.calls[-1].query["undelivered"] == ["true"]
    text = agtmux(short_dir, "thread", "12").stdout
    assert text.index(b"sooner") < text.index(b"later")


@pytest.mark.parametrize(
    ("line", "news"),
    [
        (b'{"type": "heartbeat"}', False), (b'{"type": "reset"}', False),
        (b'{"type": "snapshot", "items": []}', True),
        (b'{"type": "delta", "changes": [{"identity": {"kind": "lease"}}]}', False),
        (b'{"type": "delta", "changes": [{"identity": {"kind": "lease"}}, {"identity": {"kind": "delivery"}}]}', True),
    ],
)  # fmt: skip
def test_only_news_of_messages_make_a_follower_look(line: bytes, news: bool) -> None:
    assert _is_news(line) is news
