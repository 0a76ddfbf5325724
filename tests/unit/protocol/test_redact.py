"""Redaction: secrets go, what adapters bind and order by stays."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtmux.protocol.redact import MARK, redact, redact_text, sensitive

SECRETS = [
    "sk-ant-api03-" + "Ab1_" * 8,
    "sk-proj-" + "x9" * 15,
    "sk_live_" + "a1B2" * 5,
    "ghp_" + "a1B2c3" * 6,
    "github_pat_" + "a1B2c3" * 6,
    "glpat-" + "a1B2" * 5,
    "xoxb-123456789012-abcdefABCDEF",
    "AKIA" + "ABCD1234" * 2,
    "AIza" + "Sy0aB1c-" * 4 + "abc",
    "ya29." + "a0Ab" * 6,
    "hf_" + "abCD12" * 5,
    "npm_" + "abCD12" * 6,
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
]
AROUND = ["{}", "key {} here", '"{}"', "export X={}\n", "({})", "curl -H 'x-api: {}' https://h/", "a\n{}\nb"]


@pytest.mark.parametrize("secret", SECRETS, ids=[text[:8] for text in SECRETS])
@pytest.mark.parametrize("around", AROUND)
def test_a_token_is_taken_out_wherever_it_stands(secret: str, around: str) -> None:
    out = redact_text(around.format(secret))
    assert secret not in out
    assert MARK in out


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("password=hunter2", "hunter2"),
        ("DB_PASSWORD='two words' x", "two words"),
        ('{"password": "hunter2"}', "hunter2"),
        ('{\\"api_key\\": \\"hunter2\\"}', "hunter2"),
        ("openaiApiKey: hunter2", "hunter2"),
        ("AWS_SECRET_ACCESS_KEY=hunter2/+x", "hunter2"),
        ("mysql --password hunter2 -u me", "hunter2"),
        ("token := hunter2", "hunter2"),
        ("Authorization: Bearer hunter2hunter2", "hunter2"),
        ("authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("Authorization: Digest hunter2hunter2", "hunter2"),
        ("sent 'Bearer abcDEF123456789012'", "abcDEF123456789012"),
        ("Set-Cookie: sid=hunter2; Path=/; other=hunter2", "hunter2"),
        ("postgres://me:hunter2@db.example/x", "hunter2"),
        ("https://hunter2@github.com/a/b.git", "hunter2"),
        ("https://hooks.slack.com/services/T0/B0/hunter2", "hunter2"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----", "hunter2"),
        ("-----BEGIN RSA PRIVATE KEY-----\nhunter2 and then the text was cut", "hunter2"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nhunter2", "hunter2"),
    ],
)
def test_a_secret_named_as_one_is_taken_out(text: str, secret: str) -> None:
    assert secret not in redact_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "the task-force-and-something-longer passed 12 tests",
        "token count: 500, max_tokens=4096, tokens: 12",
        "password=$DB_PASSWORD and token: ${TOKEN} and token=<your token>",
        "PWD=/home/me pwd=~/x",
        "basic functionality-works and bearer of-good-news",
        "compass=5 monkey=7 author: me, keyboard: de",
        "https://example.com/@user/x?y=1 and git@github.com:a/b.git",
        "api_key: null, secret=true",
        "session_id=abc tool_use_id: toolu_01 prompt_id=9 agent_id=3",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert redact_text(text) == text


KEPT = {
    "session_id": "5f2c1a7e-aaaa-bbbb-cccc-123456789012",
    "tool_use_id": "toolu_01ABCdefGHIjklMNOpqrSTU",
    "prompt_id": "b7",
    "agent_id": "a1b2c3",
    "transcript_path": "/home/me/.claude/projects/-home-me/5f2c1a7e.jsonl",
    "hook_event_name": "PreToolUse",
    "input_tokens": 12,
    "max_tokens": 4096,
    "usage": {"total_tokens": {"in": 1, "out": 2}},
    "token_count": "12",
    "author": "me",
    "key": "Enter",
}


def test_what_adapters_go_by_is_kept() -> None:
    assert redact(KEPT) == KEPT


@pytest.mark.parametrize(
    "name",
    ["api_key", "apiKey", "X-Api-Key", "authorization", "Proxy-Authorization", "secret", "clientSecret", "token",
     "accessToken", "refresh_token", "GITHUB_TOKEN", "password", "DB_PASSWD", "cookie", "Set-Cookie", "credentials",
     "private_key", "AWS_SECRET_ACCESS_KEY"],
)  # fmt: skip
def test_whatever_stands_under_a_sensitive_name_is_taken_out(name: str) -> None:
    assert sensitive(name)
    hidden = json.dumps(redact({name: ["hunter2", {"value": "hunter2"}], "b": [{name: "hunter2"}]}))
    assert "hunter2" not in hidden


def test_a_number_is_a_secret_under_password_and_a_count_under_tokens() -> None:
    assert redact({"password": 1234, "tokens": 1234, "token": None, "secret": True}) == {
        "password": MARK, "tokens": 1234, "token": None, "secret": True,
    }  # fmt: skip


def test_further_patterns_are_those_of_the_caller() -> None:
    assert redact({"a": ["ticket ABC-123"]}, [re.compile(r"[A-Z]{3}-\d+")]) == {"a": [f"ticket {MARK}"]}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from(SECRETS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_no_token_survives_in_any_value_and_the_shape_stays(value: Any) -> None:
    out = redact({"payload": value})["payload"]
    text = json.dumps(out)
    assert not any(secret in text for secret in SECRETS)
    assert shape(out) == shape(value)


@pytest.mark.parametrize("text", ["password=hunter22 abc", "token: hunter22, x", '--token "hunter22"', "pwd=a"])
def test_the_mark_that_stands_for_a_secret_is_not_marked_again(text: str) -> None:
    once = redact_text(text)
    assert MARK in once
    assert redact_text(once) == once


@given(JSON)
def test_redacting_twice_changes_nothing_more(value: Any) -> None:
    once = redact(value)
    assert redact(once) == once


@given(st.text(), st.sampled_from(SECRETS), st.text())
def test_a_token_between_blanks_is_found_in_any_text(before: str, secret: str, after: str) -> None:
    assert secret not in redact_text(f"{before} {secret} {after}")


def shape(value: Any) -> Any:
    """A value's structure: keys and lengths, no content."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return [shape(inner) for inner in value] if isinstance(value, list) else None
