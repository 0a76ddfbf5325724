"""What the doctor says of deliveries."""

from __future__ import annotations

from typing import Any

import pytest

from agtmux.client import Client
from agtmux.doctor import messages
from tests.unit.daemon_stub import Stub
from tests.unit.doctor.world import codes, facts, fixes

pytestmark = pytest.mark.tc("TC-687")


@pytest.mark.parametrize(
    ("found", "seen"),
    [
        ({}, [("ok", "delivered")]),
        ({"unconfirmed": 1}, [("note", "unconfirmed"), ("ok", "delivered")]),
        (
            {"stuck": ["d1"], "orphans": 2, "dead": 1},
            [("warning", "stuck"), ("warning", "orphans"), ("warning", "dead")],
        ),
    ],
)
def test_deliveries_that_do_not_arrive_are_warnings(
    stub: Stub, found: dict[str, Any], seen: list[tuple[str, str]]
) -> None:
    stub.answer("GET /v1/deliveries/check", found)
    result = list(messages.delivered(facts(client=Client([str(stub.socket)]))))
    assert codes(result) == seen
    assert all(fix is not None and fix.startswith("agtmux ") for fix in fixes(result))


def test_without_a_daemon_it_is_skipped() -> None:
    assert codes(messages.delivered(facts(health=None))) == [("skipped", "no_daemon")]
