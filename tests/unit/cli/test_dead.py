"""``agtmux dead``: failed deliveries, their message, one more try, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.messages import MESSAGE
from tests.unit.daemon_stub import Stub, agtmux

pytestmark = pytest.mark.tc("TC-680")
DEAD = {**MESSAGE["deliveries"][0], "state": "dead", "hold_reason": None, "error_code": "E_TIMEOUT"}


def test_failed_deliveries_are_listed_shown_tried_again_and_dropped(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/deliveries", {"items": [DEAD]})
    stub.answer("GET /v1/messages/m-1", {"item": MESSAGE})
    for verb, state in (("retry", "queued"), ("drop", "cancelled")):
        stub.answer(f"POST /v1/deliveries/d-1/{verb}", {"item": {**DEAD, "state": state}})
    listed = agtmux(short_dir, "dead", "list").stdout
    assert b"E_TIMEOUT" in listed and b"d-1" in listed
    assert stub.calls[-1].query["state"] == ["dead,submitted_unconfirmed"]
    assert b"question from agent:anna" in agtmux(short_dir, "dead", "show", "d-1").stdout
    assert agtmux(short_dir, "dead", "show", "d-9").returncode == 4
    assert agtmux(short_dir, "dead", "retry", "d-1").stdout == b"the delivery is queued now\n"
    assert agtmux(short_dir, "dead", "drop", "d-1").stdout == b"the delivery is cancelled now\n"


def test_without_any_it_says_so(short_dir: Path, stub: Stub) -> None:
    stub.answer("GET /v1/deliveries", {"items": []})
    assert agtmux(short_dir, "dead", "list").stdout == b"no delivery failed\n"
