"""GET /v1/openapi.json names every route."""

from __future__ import annotations

import json

from tests.fake_services import Api
from tests.route_tables import resources


async def test_the_contract_is_served_and_names_every_route(api: Api) -> None:
    document = await api.get("/v1/openapi.json")
    listed = {(method.upper(), path) for path, some in document["paths"].items() for method in some}
    served = {(route.method, route.path) for routes in resources().values() for route in routes}
    assert listed == served | {("GET", "/v1/openapi.json")}
    text = json.dumps(document)
    for name in {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}:
        assert name in document["components"]["schemas"]
    parameters = {one["name"] for one in document["paths"]["/v1/panes"]["get"]["parameters"]}
    assert parameters == {"target", "target_session", "session", "state", "agent", "needs_action", "all", "sort"}
