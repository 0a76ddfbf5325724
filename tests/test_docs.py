"""What the documents say is what the program does: codes, columns, settings, commands, examples, links."""

from __future__ import annotations

import re
import shlex
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from agtmux.cli.root import root
from agtmux.protocol.errors import CODES
from agtmuxd.api import requests, responses
from agtmuxd.config import Settings
from agtmuxd.core.model import Claim, Source
from agtmuxd.core.state.debounce import SETTLE
from agtmuxd.core.state.registers import OVERRUN, SCREEN_LAG, STATUS_LAG, UNDRAWN
from agtmuxd.core.state.resolve import DEMOTE_AFTER, HOLD_BACK, PANE_FRESH, TTL
from agtmuxd.store.migrate import load, migrate
from tests.route_tables import ROUTES

ROOT = Path(__file__).parents[1]
SPEC = (ROOT / "docs" / "spec.md").read_text("utf-8")
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "runbooks").glob("*.md")]
)


def cells(text: str, first: str) -> Iterator[list[str]]:
    """The rows of the table whose header begins with ``first``, as lists of cells."""
    lines = [line.strip() for line in text.splitlines()]
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {first} |"))
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return
        yield [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


@pytest.mark.tc("TC-117")
def test_the_error_codes_are_those_of_the_spec() -> None:
    told = {row[0]: (row[1], row[2], row[3]) for row in cells(SPEC, "code")}
    real = {
        code: ("–" if row.http is None else str(row.http), str(row.exit), "yes" if row.retryable else "no")
        for code, row in CODES.items()
    }
    assert told == real


@pytest.mark.tc("TC-117")
def test_the_routes_are_those_of_the_spec() -> None:
    told: set[tuple[str, str]] = set()
    for where, does in cells(SPEC, "method, path"):
        method = ""
        for part in where.split(" · "):
            method, _, path = part.rpartition(" ") if " " in part else (method, "", part)
            if not does.startswith("*planned*"):
                told.add((method, path.partition("?")[0]))
    assert told == {(route.method, route.path) for route in ROUTES}


def words(text: str) -> set[str]:
    """What stands in backquotes, names separated by commas taken one by one."""
    return {name.strip() for group in re.findall(r"`([^`]*)`", text) for name in group.split(",")}


@pytest.mark.tc("TC-117")
def test_the_fields_of_panes_events_and_queries_are_those_of_the_spec() -> None:
    panes = re.search(r"Pane items carry `([^`]*)`", SPEC)
    assert panes is not None
    assert {name.strip() for name in panes[1].split(",")} == set(responses.Pane.model_fields)
    assert set().union(*(words(row[0]) for row in cells(SPEC, "field"))) == set(requests.WireEvent.model_fields)
    watching = re.search(r"^Parameters: (.*) and the filters of listings", SPEC, re.M)
    assert watching is not None
    own = set(requests.WatchQuery.model_fields) - set(requests.FilterQuery.model_fields)
    assert own <= words(watching[1])
    listing = next(row[1] for row in cells(SPEC, "method, path") if "/v1/windows" in row[0])
    assert set(requests.SessionQuery.model_fields) == words(listing)


@pytest.mark.tc("TC-117")
def test_the_data_model_names_every_table_and_column_there_is() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, load())
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    real = {
        table: [row[1] + ("" if row[3] or row[5] else "?") for row in connection.execute(f"PRAGMA table_info({table})")]
        for table in tables
    }
    connection.close()
    told = {row[0]: row[1].split(", ") for row in cells((ROOT / "docs" / "data-model.md").read_text("utf-8"), "table")}
    assert told == real


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every setting with its default; a table of tables stands as ``NAME``."""
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            yield from settings(type(default), f"{prefix}{name}.")
        elif name == "adapters":
            kind = field.annotation.__args__[1]  # type: ignore[union-attr]
            yield from settings(kind, f"{prefix}{name}.NAME.")
        else:
            yield f"{prefix}{name}", default


@pytest.mark.tc("TC-117")
def test_every_setting_stands_in_the_spec_with_its_default() -> None:
    told = {row[0].strip("`"): row[1] for row in cells(SPEC, "key")}
    real = dict(settings(Settings))
    assert list(told) == list(real)
    for key, default in real.items():
        word = re.sub(r" [sd]$", "", told[key]).strip("`")
        if default is None:
            assert word == "unset", key
        elif isinstance(default, bool):
            assert word == str(default).lower(), key
        elif isinstance(default, (int, float)):
            assert float(word) == default, key
        else:
            assert word == str(default).replace("'", '"') or word == f'"{default}"', key


@pytest.mark.tc("TC-117")
def test_the_figures_of_the_evidence_model_are_those_of_the_program() -> None:
    ms, section = 1_000_000, SPEC[SPEC.index("### Evidence model") : SPEC.index("## 8. Adapters")]
    for said in (
        f"up to {SCREEN_LAG // ms} ms before it was read, a status file up to {STATUS_LAG // ms} ms",
        f"only {OVERRUN // ms // 1000} s after the end",
        f"stays so for {UNDRAWN // ms // 1000} s after a wait was declared",
        f"lasted {SETTLE[Source.POLLER] // ms} ms on the screen or {SETTLE[Source.STATUS] // ms} ms in a status file",
        f"was read within {PANE_FRESH // ms // 1000} s",
        f"held back for up to {HOLD_BACK // ms} ms",
        f"`completed → idle` {DEMOTE_AFTER // ms // 1000} s after",
        f"waiting and error {TTL[Claim.ERROR] // ms // 60_000} min, running {TTL[Claim.RUNNING] // ms // 1000} s",
    ):
        assert said in section, said
    assert TTL[Claim.WAITING_APPROVAL] == TTL[Claim.WAITING_INPUT] == TTL[Claim.ERROR]
    assert TTL[Claim.COMPLETED] == TTL[Claim.IDLE] == TTL[Claim.NOT_RUNNING] == 0


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its full name."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command, info_name=path)
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        assert child is not None
        yield from commands(child, f"{path} {name}")


@pytest.mark.tc("TC-112")
def test_every_command_has_help_with_an_example_and_stands_in_the_spec() -> None:
    section = SPEC[SPEC.index("## 13. CLI") : SPEC.index("## 14.")]
    listed = {
        " ".join(re.sub(r"\[?[A-Z]+\]?|--kind \w+", "", code).split())
        for code in re.findall(r"`(agtmux[^`]*)`", section)
    }
    real = dict(commands(root, "agtmux"))
    assert listed == set(real)
    for name, command in real.items():
        said = command.get_help(click.Context(command, info_name=name))
        assert re.search(r"Examples?:\n\s+\S", said), name


def blocks() -> Iterator[tuple[str, str]]:
    """Every command line of every code block in the documents, with the file that it stands in."""
    for page in PAGES:
        for block in re.findall(r"^```(?:sh|console|bash)\n(.*?)^```", page.read_text("utf-8"), re.M | re.S):
            for line in block.splitlines():
                line = line.strip().removeprefix("$ ")
                for part in re.split(r" (?:\||&&|\|\|) ", line):
                    if part.startswith(("agtmux ", "agtmuxd ", "make ")):
                        yield page.name, part


def parses(line: str) -> None:
    """Dry-run a command line: its words must lead to a command that takes them. Raises click.UsageError."""
    words = shlex.split(line, comments=True)
    command: click.Command = root
    context = command.make_context(words[0], words[1:])
    while isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        if not rest:
            return
        _, child, left = command.resolve_command(context, rest)
        assert child is not None
        command, context = child, child.make_context(child.name or "", left, parent=context)


@pytest.mark.tc("TC-112")
def test_every_command_that_the_documents_show_is_taken() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.M))
    shown = list(blocks())
    assert {page for page, _ in shown} >= {"README.md", "daemon.md", "targets.md"}
    for page, line in shown:
        if line.startswith("make "):
            assert line.split()[1] in targets, (page, line)
        elif line.startswith("agtmux "):
            try:
                parses(line)
            except (click.UsageError, click.exceptions.Exit) as error:
                pytest.fail(f"{page} shows {line!r}: {error}")


@pytest.mark.tc("TC-117")
def test_every_link_between_documents_leads_somewhere() -> None:
    for page in PAGES:
        text = page.read_text("utf-8")
        named = re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", text)
        missing = [name for name in named if not (page.parent / name).exists()]
        named_in_text = re.findall(r"`((?:docs|runbooks|migrations|tests|src|bench)/[\w./-]+\.\w+)`", text)
        missing += [name for name in named_in_text if not (ROOT / name).exists()]
        assert missing == [], page.name
