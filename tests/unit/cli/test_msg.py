"""How the text of a message, its recipients and its refs are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from agtmux.cli.msg import reference
from tests.unit.cli.messages import MESSAGE
from tests.unit.daemon_stub import Stub, agtmux, listing, pane

pytestmark = pytest.mark.tc("TC-674")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a.py", {"path": "a.py"}), ("a.py:12", {"path": "a.py", "line": 12}),
        ("a.py:12@1f2e3d", {"path": "a.py", "line": 12, "commit": "1f2e3d"}), ("@1f2e", {"commit": "1f2e"}),
        ("https://x.example/1", {"url": "https://x.example/1"}),
    ],
)  # fmt: skip
def test_a_ref_is_a_place_a_commit_or_an_address(text: str, found: dict[str, Any]) -> None:
    assert reference(text) == found
    with pytest.raises(click.UsageError):
        reference("")


def test_short_refs_become_full_ones_and_names_stay(short_dir: Path, stub: Stub, tmp_path: Path) -> None:
    stub.answer("GET /v1/panes", listing(pane()))
    stub.answer("POST /v1/messages", {"item": MESSAGE})
    text = tmp_path / "body"
    text.write_text("from a file\n")
    words = ("--to", "anna", "--to", "web/bert", "--to", pane()["identity"]["pane_id"], "--file", str(text))
    done = agtmux(short_dir, "msg", "send", *words, "--kind", "question", "--reply-within", "30m", "--ref", "a.py:1")
    assert done.stdout == b"sent 12 to bert (held: draft), person (read)\n", done.stderr
    body = stub.calls[-1].body
    assert body["to"] == ["anna", "web/bert", pane()["ref"]]
    assert (body["body"], body["refs"]) == ("from a file\n", [{"path": "a.py", "line": 1}])
    assert body["reply_by"] > 1_700_000_000_000_000_000


@pytest.mark.parametrize(
    "words",
    [
        ["-m", "x"], ["--to", "a", "--channel", "c", "-m", "x"], ["--to", "a", "-m", "x", "--file", "y"],
        ["--to", "a", "-m", "x", "--reply-within", "soon"], ["--to", "a", "-m", "x", "--kind", "prompt"],
    ],
)  # fmt: skip
def test_a_wrong_command_line_sends_nothing(short_dir: Path, stub: Stub, words: list[str]) -> None:
    assert agtmux(short_dir, "msg", "send", *words).returncode == 2
    assert stub.calls == []


def test_a_text_comes_from_standard_input(short_dir: Path, stub: Stub) -> None:
    stub.answer("POST /v1/messages/12/reply", {"item": MESSAGE})
    assert agtmux(short_dir, "msg", "reply", "12").returncode == 0
    assert stub.calls[-1].body["body"] == ""


def test_receipts_are_one_request_each(short_dir: Path, stub: Stub) -> None:
    for verb, words in (("ack", ["ack", "12"]), ("react", ["react", "12", "done"]), ("cancel", ["cancel", "12"])):
        stub.answer(f"POST /v1/messages/12/{verb}", {"item": MESSAGE})
        assert agtmux(short_dir, "msg", *words).stdout.startswith(b"message 12: ")
    stub.answer("GET /v1/messages/12", {"item": MESSAGE})
    assert b"draft" in agtmux(short_dir, "msg", "status", "12").stdout
    assert b"subject:" in agtmux(short_dir, "msg", "show", "12").stdout
