"""The page about the four surfaces names what each one really offers: commands, operations, routes and menu items."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from agtmux import menubar
from agtmux.cli.root import root
from agtmux.top.operations import OPERATIONS
from agtmuxd.features.web.files import load
from tests.route_tables import ROUTES
from tests.test_docs import commands

pytestmark = pytest.mark.tc("TC-295")
PAGE = (Path(__file__).parents[1] / "docs" / "reference" / "parity.md").read_text("utf-8")
COLUMNS = ("operation", "CLI", "top", "web", "menu bar")


def table() -> list[list[str]]:
    """The rows of both tables of operations."""
    lines = [line for line in PAGE.splitlines() if line.count("|") == 7]
    return [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in lines if not re.match(r"\|(-| operation)", line)
    ]


def named(column: str) -> list[str]:
    """What stands in backquotes in a column."""
    at = COLUMNS.index(column)
    return [name for row in table() for name in re.findall(r"`([^`]*)`", row[at])]


def served() -> dict[str, str]:
    """The routes that the web page's server offers, with the scope that each needs."""
    return {f"{route.method} {route.path}": str(route.web) for route in ROUTES if route.web is not None}


def called(route: str) -> str:
    """How a script writes the end of a route, as a pattern."""
    before, _, last = route.rpartition("/")
    return rf"/{before.rpartition('/')[2]}/\$\{{[^}}]*\}}`" if last.startswith("{") else rf"""["'`/]{last}["'`?/]"""


def test_every_command_stands_in_one_row() -> None:
    real = [name.removeprefix("agtmux ") for name, _ in commands(root, "agtmux")]
    assert sorted(named("CLI")) == sorted(real)
    assert isinstance(root, click.Group)


def test_every_operation_of_the_dashboard_and_of_the_menu_bar_is_named() -> None:
    assert set(named("top")) == {operation.id for operation in OPERATIONS}
    assert set(named("menu bar")) == set(menubar.OPERATIONS)


def test_every_route_that_browsers_reach_is_named_and_the_page_uses_those_of_the_table() -> None:
    others = re.findall(r"`([A-Z]+ /v1/[^`]*)`", PAGE.partition("## Routes for other clients")[2])
    used = set(named("web"))
    assert used | set(others) == set(served())
    assert not used & set(others)
    scripts = "".join(file.body.decode() for path, file in load().items() if path.endswith(".js"))
    assert [route for route in used if not re.search(called(route), scripts)] == []


def test_what_is_missing_somewhere_has_a_reason_and_only_that() -> None:
    for row in table():
        assert len(row) == len(COLUMNS) + 1
        assert bool(row[-1]) == ("–" in row), row[0]
        assert all(row[:-1]), row[0]


@pytest.mark.parametrize("operation", ["approve", "deny", "answer", "prompt", "interrupt", "ack", "kill", "send"])
def test_what_the_command_line_does_to_an_agent_the_web_does_with_a_scope_of_its_own(operation: str) -> None:
    assert served()[f"POST /v1/actions/{operation}"] == ("all" if operation in ("kill", "send") else "act")
