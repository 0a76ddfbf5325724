"""The bodies of the queue's routes take what they say, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from agtmuxd.api.route import Access, WebScope
from agtmuxd.features.messages.queue_routes import (
    ROUTES,
    QueueBody,
    QueueDropBody,
    QueueEditBody,
    QueueItem,
    QueueMoveBody,
    QueueQuery,
)
from agtmuxd.features.messages.queue_service import Queue
from agtmuxd.features.messages.service import Messages
from tests.integration.features.messages.delivery.stand import Stand

pytestmark = pytest.mark.tc("TC-714")
NAME = {"request_ref": "request-1"}


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (QueueBody, {**NAME, "ref": "", "text": "x"}), (QueueBody, {**NAME, "ref": "a", "text": ""}),
        (QueueBody, {"ref": "a", "text": "x"}), (QueueBody, {**NAME, "ref": "a", "text": "x", "sender": "me"}),
        (QueueMoveBody, {**NAME, "place": 0}), (QueueMoveBody, {**NAME, "place": 10_001}),
        (QueueEditBody, {**NAME}), (QueueDropBody, {"request_ref": "short"}), (QueueQuery, {"ref": ""}),
    ],
)  # fmt: skip
def test_a_wrong_body_is_refused(model: type[BaseModel], body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(body)


def test_only_people_reach_the_queue_and_a_browser_that_may_act_can_only_add() -> None:
    assert {route.access for route in ROUTES} == {Access.OPERATORS}
    assert {(route.method, route.path, route.web) for route in ROUTES if route.web is not None} == {
        ("POST", "/v1/queue", WebScope.ACT)
    }


async def test_an_item_has_the_fields_of_the_contract(stand: Stand) -> None:
    item = await Queue(stand.context, stand.engine.wake, Messages(stand.context, stand.engine.wake).find).add(
        "request-1", "claude-1", "hello", "person"
    )
    assert set(item) == set(QueueItem.model_fields)
    QueueItem.model_validate(item)
