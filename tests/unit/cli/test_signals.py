"""agtmux signal: what it sends, and what it prints of what was sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.daemon_stub import STAMP, Stub, agtmux, listing, out

pytestmark = pytest.mark.tc("TC-763")


def signal(seq: int, data: Any = None) -> dict[str, Any]:
    return {
        "signal_id": f"s-{seq}", "seq": seq, "topic": "team/web/a", "sender": "agent:x", "sender_agent_id": "a",
        "payload_bytes": 3, "created_at": STAMP, "data": data,
    }  # fmt: skip


def rows(*items: dict[str, Any], truncated: bool = False) -> dict[str, Any]:
    return listing() | {
        "items": list(items), "summary": {"total": len(items), "next_after": 9, "last_seq": 9, "truncated": truncated}
    }  # fmt: skip


def test_data_is_json_of_an_option_or_of_standard_input(short_dir: Path, stub: Stub) -> None:
    stub.answer("POST /v1/signals", {"schema_version": "1.0", "item": signal(4)})
    assert out(short_dir, "signal", "send", "team/web/a", "--data", '{"a": 1}') == "sent 4 on team/web/a\n"
    agtmux(short_dir, "signal", "send", "a", "--data", "-", "--request-ref", "my-request", stdin=b'"x"')
    out(short_dir, "signal", "send", "a")
    first, second, third = (call.body for call in stub.calls)
    assert (first["topic"], first["data"], len(first["request_ref"])) == ("team/web/a", {"a": 1}, 36)
    assert second == {"topic": "a", "data": "x", "request_ref": "my-request"}
    assert "data" not in third
    wrong = agtmux(short_dir, "signal", "send", "a", "--data", "plain")
    assert (wrong.returncode, b"put a text in double quotes" in wrong.stderr) == (2, True)


def test_reading_prints_a_line_for_each_and_a_consumer_moves_after_it(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/signals", rows(signal(8), signal(9, {"x": "\x1b[31m"})))
    stub.answer("POST /v1/signals/cursors", {"ok": True})
    printed = out(short_dir, "signal", "read", "team/web/", "--after", "0")
    assert printed.startswith("8  team/web/a  agent:x\n9  team/web/a  agent:x  {")
    assert "\x1b" not in printed
    assert stub.calls[-1].query == {"topic": ["team/web/"], "after": ["0"], "limit": ["100"]}
    out(short_dir, "signal", "read", "team/web/", "--consumer", "me")
    assert stub.calls[-1].body == {"consumer": "me", "topic": "team/web/", "seq": 9}
    stub.answer("GET /v1/signals", rows())
    assert out(short_dir, "signal", "read", "team/web/", "--consumer", "me") == ""
    assert stub.calls[-1].path == "/v1/signals", "nothing was read, so nothing moves"
    stub.answer("GET /v1/signals", rows(signal(9), truncated=True))
    assert b"go on with --after 9" in agtmux(short_dir, "signal", "read", "a").stderr


def test_topics_and_one_signal(short_dir: Path, stub: Stub) -> None:
    topic = {"topic": "a", "signals": 3, "oldest_seq": 1, "last_seq": 5, "last_at": STAMP}
    stub.answer("GET /v1/signals/topics", listing() | {"items": [topic]})
    assert out(short_dir, "signal", "list") == f"a  3 kept, last 5 at {STAMP}\n"
    stub.answer("GET /v1/signals/5", {"item": signal(5, [1])})
    assert out(short_dir, "signal", "show", "5") == "5  team/web/a  agent:x  [1]\n"
