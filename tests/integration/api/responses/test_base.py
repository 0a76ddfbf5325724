"""Each answer has the fields of its model and no others."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from agtmuxd.api.responses.daemon import Config, Health
from agtmuxd.api.responses.events import Events
from agtmuxd.api.responses.panes import Explanation, LastMessage, Panes, Sessions, Windows
from agtmuxd.api.responses.targets import Targets
from tests.fake_services import Api
from tests.rows import pane


@pytest.mark.tc("TC-017")
@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/panes?all=true", Panes),
        ("/v1/windows", Windows),
        ("/v1/sessions", Sessions),
        ("/v1/sessions?group_by=session-name", Sessions),
        ("/v1/targets", Targets),
        ("/v1/events", Events),
        ("/v1/health", Health),
        ("/v1/daemon/config", Config),
        (f"/v1/panes/{quote(pane()['ref'], safe='')}/explain", Explanation),
        (f"/v1/panes/{quote(pane()['ref'], safe='')}/message", LastMessage),
    ],
)
async def test_an_answer_has_the_fields_of_the_contract_and_no_others(api: Api, path: str, model: Any) -> None:
    body = await api.get(path)
    assert model.model_validate(body).model_dump(mode="json", exclude_unset=True) == body
