"""The contract changes compatibly: the generated documents against their committed snapshots."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.compat import breaks, committed, current

Schema = dict[str, Any]


@pytest.mark.tc("TC-035")
@pytest.mark.tc("TC-045")
@pytest.mark.parametrize("name", ["openapi", "watch-line"])
def test_whoever_relies_on_the_committed_contract_misses_nothing(name: str) -> None:
    assert breaks(committed(name), current()[name]) == []


@pytest.mark.tc("TC-035")
@pytest.mark.tc("TC-045")
@pytest.mark.parametrize("name", ["openapi", "watch-line"])
def test_what_was_added_is_committed_too(name: str) -> None:
    assert breaks(current()[name], committed(name)) == [], "run: python -m tests.compat"


def _pane(document: Schema) -> Schema:
    schema: Schema = document["components"]["schemas"]["Pane"]
    return schema


def _event(document: Schema) -> Schema:
    schema: Schema = document["components"]["schemas"]["WireEvent"]
    return schema


@pytest.mark.tc("TC-035")
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d: d["paths"].pop("/v1/panes"), "GET /v1/panes: gone"),
        (lambda d: d["paths"]["/v1/panes"]["get"]["parameters"].pop(0), "GET /v1/panes: parameter target gone"),
        (lambda d: _pane(d)["properties"].pop("cwd"), "GET /v1/panes 200.items[].cwd: gone"),
        (lambda d: _pane(d)["required"].remove("cwd"), "GET /v1/panes 200.items[].cwd: no longer always there"),
        (lambda d: _pane(d)["properties"].update(resumed={"type": "string"}), "resumed: may now be string"),
        (lambda d: d["components"]["schemas"]["State"]["enum"].append("busy"), "state: may now be 'busy'"),
        (lambda d: _event(d)["required"].append("pid"), "POST /v1/events body.events[].pid: became required"),
        (lambda d: _event(d)["properties"].pop("env"), "POST /v1/events body.events[].env: gone"),
        (lambda d: _event(d)["properties"]["source"]["enum"].remove("hook"), "source: may no longer be 'hook'"),
        (lambda d: _event(d)["properties"].update(pid={"type": "integer"}), "pid: may no longer be null"),
    ],
)
def test_a_breaking_change_is_told(change: Callable[[Schema], object], expected: str) -> None:
    document = copy.deepcopy(current()["openapi"])
    change(document)
    assert any(line.endswith(expected) for line in breaks(current()["openapi"], document))


@pytest.mark.tc("TC-035")
def test_an_addition_breaks_nothing() -> None:
    document = copy.deepcopy(current()["openapi"])
    document["paths"]["/v1/more"] = document["paths"]["/v1/panes"]
    _pane(document)["properties"]["more"] = {"type": "string"}
    _event(document)["properties"]["more"] = {"type": "string"}
    assert breaks(current()["openapi"], document) == []
