"""Banners by notify-send: arguments, urgency, and what is said when it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmuxd.features.notify.channels.notify_send import markup, show
from agtmuxd.features.notify.model import Kind
from tests.integration.features.notify.channels.stubs import Stub, message
from tests.unit.features.notify.makers import episode, subject

pytestmark = pytest.mark.tc("TC-412")


async def test_title_and_text_are_arguments_and_the_text_is_no_markup(tmp_path: Path) -> None:
    stub = Stub(tmp_path / "bin", "notify-send")
    evil = episode(subject=subject(asks="--help <b>&amp; $(id)"))
    assert (await show(str(stub.path), message(evil), {})).ok
    (argv,) = stub.calls()
    assert argv[:3] == ["--app-name=agtmux", "--urgency=critical", "--"]
    assert argv[3] == "claude needs your approval"
    assert argv[4].startswith("--help &lt;b&gt;&amp;amp; $(id)\n")


async def test_a_completion_is_not_urgent(tmp_path: Path) -> None:
    stub = Stub(tmp_path / "bin", "notify-send")
    await show(str(stub.path), message(episode(kind=Kind.COMPLETED)), {})
    assert "--urgency=normal" in stub.calls()[0]


async def test_a_failure_says_what_notify_send_said(tmp_path: Path) -> None:
    stub = Stub(tmp_path / "bin", "notify-send")
    stub.fail(1)
    outcome = await show(str(stub.path), message(), {})
    assert (outcome.ok, outcome.detail) == (False, "notify-send ended with status 1: it failed")
    assert "cannot be started" in (await show("/no/such", message(), {})).detail


def test_markup_is_escaped() -> None:
    assert markup("a<b>&c") == "a&lt;b&gt;&amp;c"
