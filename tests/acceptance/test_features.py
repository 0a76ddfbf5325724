"""A daemon with one more feature: its routes are served, it hears of changes, it acts, and it cannot harm the rest."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agtmux.client import quote
from tests.acceptance.stage import PATIENCE, Agent, Daemon, Place
from tests.acceptance.test_contract import get
from tests.conftest import until
from tests.route_tables import ROUTES

pytestmark = pytest.mark.tc("TC-233")

PROBE = """
from agtmuxd.api.envelopes import answer
from agtmuxd.api.route import Access, Route, RouteTable
from agtmuxd.core.action.request import Caller, Guards, Kind, Request, ViewParams
from agtmuxd.features.contract import Context, Feature


class Probe:
    def __init__(self, context):
        self.context = context
        self.heard = []

    async def on_resync(self, reason):
        self.heard.append(str(reason))

    async def on_changes(self, batch):
        self.heard += [c.item["state"] for c in batch.changes.get("panes", ()) if c.item is not None]

    async def run(self):
        raise RuntimeError("the probe is broken")


async def heard(_request, probe):
    return answer(heard=probe.heard)


async def look(request, probe):
    asked = Request(Kind.VIEW, "request-of-the-probe", request.match_info["ref"], Guards(), ViewParams())
    return answer(**await probe.context.act(asked, Caller()))


def build(context: Context) -> Feature:
    probe = Probe(context)
    routes = (
        Route("GET", "/v1/probe", heard, "Heard", access=Access.EVERYBODY),
        Route("POST", "/v1/probe/{ref}", look, "Look"),
    )
    return Feature(tables=(RouteTable(routes, probe),), subscriber=probe, run=probe.run)
"""


@pytest.fixture
def probed(daemon: Daemon, tmp_path: Path) -> Daemon:
    """A daemon in which the feature ``probe`` is named too."""
    folder = tmp_path / "probe"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "feature.py").write_text(PROBE)
    script = f"""
        import agtmuxd.daemon, agtmuxd.features
        from agtmuxd.__main__ import main
        agtmuxd.features.__path__.append({str(tmp_path)!r})
        agtmuxd.daemon.FEATURES += ("probe",)
        main([])
    """
    process = daemon.launch([sys.executable, "-c", textwrap.dedent(script)])
    until(lambda: daemon.answers() or process.poll() is not None, within=PATIENCE, what="agtmuxd answers")
    return daemon


def served(place: Place) -> set[tuple[str, str]]:
    _, document = get(place, "/v1/openapi.json")
    return {(method.upper(), path) for path, some in document["paths"].items() for method in some}


def test_a_daemon_serves_the_routes_that_the_files_declare_and_no_other(place: Place, daemon: Daemon) -> None:
    """Whatever walks the declared routes, such as the test of who may call each, walks all that a daemon serves."""
    daemon.start()
    assert served(place) == {(route.method, route.path) for route in ROUTES}


def test_a_feature_hears_of_changes_acts_and_is_told_of_in_health(
    place: Place, probed: Daemon, agent: Callable[..., Agent]
) -> None:
    one = agent().start("one")
    ref = probed.wait_agent(one.pane)["ref"]
    one.ask()
    probed.wait_for(one.pane, "waiting_approval")

    def heard() -> list[str]:
        found: list[str] = get(place, "/v1/probe")[1]["heard"]
        return found

    until(lambda: heard()[-1] == "waiting_approval", within=PATIENCE, what="the feature hears of the prompt")
    assert heard()[0] == "started"
    status, body = get(place, f"/v1/probe/{quote(ref)}", "POST", {})
    assert (status, body["action"]) == (200, "view-output")
    health: Any = probed.health()
    assert health["status"] == "degraded"
    assert "probe: its task ended: RuntimeError: the probe is broken" in health["last_errors"]
    assert health["counters"]["probe_subscriber_failures"] == 0
    assert {("GET", "/v1/probe"), ("POST", "/v1/probe/{ref}")} < served(place)
