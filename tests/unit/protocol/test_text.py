"""Hostile text from panes reaches no terminal as anything but harmless characters."""

from __future__ import annotations

import json
import time
import unicodedata
from io import StringIO
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from agtmux import render
from agtmux.cli.explain_text import explanation
from agtmux.protocol.text import block, escaped, one_line
from agtmuxd.log import configure
from tests.unit.daemon_stub import Stub, agtmux, error, listing, pane

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egpj.exe\u2066\u200b\x00\r\nnext\u2028line\x7f\ud800"
DANGEROUS = {"\u061c", "\u200e", "\u200f", *map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))}


def is_harmless(text: str) -> bool:
    return not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in DANGEROUS for c in text)


@pytest.mark.tc("TC-105")
@given(st.text(st.characters(exclude_categories=())))
def test_no_control_or_bidi_character_survives_on_one_line(text: str) -> None:
    assert is_harmless(one_line(text))


@pytest.mark.tc("TC-105")
@given(st.text(st.characters(exclude_categories=())))
def test_of_all_control_characters_a_block_keeps_only_its_newlines(text: str) -> None:
    out = block(text)
    assert is_harmless(out.replace("\n", ""))
    assert out.count("\n") == text.count("\n")


@given(st.text(st.characters(categories=("L", "N", "P", "S"))))
def test_ordinary_text_of_any_script_stays_as_it_is(text: str) -> None:
    assert one_line(text) == text


@pytest.mark.tc("TC-105")
@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from([None, 1]))
def test_json_on_a_terminal_means_the_same_and_steers_nothing(text: str, indent: int | None) -> None:
    body = escaped(json.dumps({text: [text]}, ensure_ascii=False, indent=indent))
    assert json.loads(body) == {text: [text]}
    assert is_harmless(body.replace("\n", ""))


def hostile_pane() -> dict[str, object]:
    names = {"target": HOSTILE, "session_name": HOSTILE, "window_id": HOSTILE, "pane_id": HOSTILE}
    fields = dict.fromkeys(
        (
            "title",
            "task",
            "project",
            "branch",
            "worktree",
            "agent_name",
            "message",
            "window_name",
            "cwd",
            "command",
            "reason_code",
            "agent_type",
            "agent_version",
            "state",
        ),
        HOSTILE,
    )
    asked = {"kind": HOSTILE, "subject": HOSTILE, "text": HOSTILE, "options": [HOSTILE], "fingerprint": None}
    return pane(**fields, identity=names, waiting_for=asked)


@pytest.mark.tc("TC-105")
@pytest.mark.parametrize("scope", list(render.COLUMNS))
def test_no_column_of_any_listing_lets_hostile_text_through(scope: str) -> None:
    item = dict.fromkeys(
        ("target", "health", "kind", "reason", "connection_ref", "event_type", "source", "name", "why", "result"),
        HOSTILE,
    )
    rows = [hostile_pane() | item]
    drawn = StringIO()
    body = {"items": rows, "partial": True, "target_errors": [{"target": HOSTILE, "code": HOSTILE, "reason": HOSTILE}]}
    render.console("never", drawn).print(render.ListingView(scope, body, time.time()))
    for text in (render.plain(scope, rows, time.time()), drawn.getvalue()):
        assert "gpj.exe" in text
        assert is_harmless(text.replace("\n", ""))


@pytest.mark.tc("TC-105")
def test_a_log_line_is_one_line_and_lets_no_hostile_text_through(capsys: pytest.CaptureFixture[str]) -> None:
    before = structlog.get_config()
    try:
        for form in ("text", "json"):
            configure("info", form)
            structlog.get_logger("x").info(HOSTILE.replace("\ud800", ""), session=HOSTILE.replace("\ud800", ""))
            output = capsys.readouterr().err
            assert "gpj.exe" in output
            assert is_harmless(output.removesuffix("\n"))
        configure("info", "text")
        try:
            raise ValueError(HOSTILE.replace("\ud800", ""))
        except ValueError:
            structlog.get_logger("x").exception("boom")
        assert is_harmless(capsys.readouterr().err.replace("\n", ""))
    finally:
        structlog.configure(**before)


@pytest.mark.tc("TC-105")
def test_an_explanation_lets_no_hostile_text_through() -> None:
    claim = dict.fromkeys(("source", "subject", "claim", "rule", "detail", "discarded_because", "since"), HOSTILE)
    body = {
        "ref": HOSTILE, "item": hostile_pane(), "decided_by": [claim], "candidates": [claim, claim | {"used": True}],
        "recent_events": [claim | {"event_type": HOSTILE}],
    }  # fmt: skip
    text = "".join(explanation(body, time.time()))
    assert "gpj.exe" in text
    assert is_harmless(text)


@pytest.mark.tc("TC-105")
def test_the_commands_themselves_print_no_hostile_text(short_dir: Path) -> None:
    (short_dir / "run").mkdir(mode=0o700)
    stub = Stub(short_dir / "run" / "agtmuxd.sock").start()
    stub.answer("GET /v1/panes", listing(hostile_pane()))
    stub.answer("GET /v1/windows", error("E_TARGET_UNREACHABLE", HOSTILE), status=503)
    plain, failed = agtmux(short_dir, "ls"), agtmux(short_dir, "list", "windows")
    stub.stop()
    for text in (plain.stdout.decode(), failed.stderr.decode()):
        assert "gpj.exe" in text
        assert is_harmless(text.replace("\n", ""))
