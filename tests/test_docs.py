"""What the documents say is what the program does: codes, states, columns, settings, commands, examples, links."""

from __future__ import annotations

import html
import re
import shlex
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_origin

import click
import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from agtmux.cli.root import root
from agtmux.protocol.errors import CODES
from agtmuxd.api import requests
from agtmuxd.api.responses.panes import Pane
from agtmuxd.api.responses.watch import WatchLine
from agtmuxd.api.routes.actions import ActionBody
from agtmuxd.config import Settings
from agtmuxd.core.action.request import Kind
from agtmuxd.core.model import LEVELS, MS, NS, PRECEDENCE, Claim, Source
from agtmuxd.core.screen import motion, rule_file
from agtmuxd.core.state import debounce, registers, resolve
from agtmuxd.ingest.state_rows import CRASH_SHOWN
from agtmuxd.store.migrate import load, migrate
from agtmuxd.targets.observer import LOOKED_AT
from tests import rooms
from tests.route_tables import ROUTES

ROOT = Path(__file__).parents[1]
REFERENCE = {page.stem: page.read_text("utf-8") for page in sorted((ROOT / "docs" / "reference").glob("*.md"))}
ADAPTERS = {page.stem: page.read_text("utf-8") for page in sorted((ROOT / "docs" / "adapters").glob("*.md"))}
SHORT = {
    **{f"reference/{stem}": text for stem, text in REFERENCE.items()},
    **{f"adapters/{stem}": text for stem, text in ADAPTERS.items()},
    "explanation/detection-scenes": (ROOT / "docs" / "explanation" / "detection-scenes.md").read_text("utf-8"),
    "explanation/detection": (ROOT / "docs" / "explanation" / "detection.md").read_text("utf-8"),
}
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text("utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "runbooks").glob("*.md")])


def cells(text: str, first: str) -> Iterator[list[str]]:
    """The rows of the table whose header begins with ``first``, as lists of cells."""
    lines = [line.strip() for line in text.splitlines()]
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {first} |"))
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return
        yield [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


@pytest.mark.tc("TC-117")
def test_the_error_codes_are_those_of_the_reference() -> None:
    """Each code stands there with its HTTP status, its exit status, whether it is retryable, and when it is sent."""
    rows = list(cells(REFERENCE["errors"], "code"))
    listed = {row[0]: (row[1], row[2], row[3]) for row in rows}
    real = {
        code: ("–" if row.http is None else str(row.http), str(row.exit), "yes" if row.retryable else "no")
        for code, row in CODES.items()
    }
    assert listed == real
    assert all(row[4] for row in rows)


@pytest.mark.tc("TC-117")
def test_the_exit_statuses_are_those_of_the_reference() -> None:
    """Each exit status of an error code has a row, and is named by ``agtmux --help``."""
    listed = {int(row[0]) for row in cells(REFERENCE["cli"], "status")}
    assert listed == {0, 130} | {row.exit for row in CODES.values()}
    shown = root.get_help(click.Context(root, info_name="agtmux")).partition("Exit status:")[2]
    assert listed <= {int(number) for number in re.findall(r"\b\d+\b", shown)}


@pytest.mark.tc("TC-117")
def test_the_routes_are_those_of_the_reference() -> None:
    result: set[tuple[str, str]] = set()
    for where, does in cells(REFERENCE["api"], "method, path"):
        method = ""
        for part in where.split(" · "):
            method, _, path = part.rpartition(" ") if " " in part else (method, "", part)
            if not does.startswith("*planned*"):
                result.add((method, path.partition("?")[0]))
    assert result == {(route.method, route.path) for route in ROUTES}


def words(text: str) -> set[str]:
    """What stands in backquotes, names separated by commas taken one by one."""
    return {name.strip() for group in re.findall(r"`([^`]*)`", text) for name in group.split(",")}


def named(page: str, first: str) -> list[str]:
    """The names of the first column of a table, in order."""
    return [name for row in cells(REFERENCE[page], first) for name in re.findall(r"`([^`]*)`", row[0])]


@pytest.mark.tc("TC-117")
def test_the_fields_of_panes_events_actions_and_queries_are_those_of_the_reference() -> None:
    assert sorted(named("api", "pane field")) == sorted(Pane.model_fields)
    assert sorted(named("events", "field")) == sorted(requests.WireEvent.model_fields)
    assert sorted(named("actions", "field")) == sorted(ActionBody.model_fields)
    own = set(requests.WatchQuery.model_fields) - set(requests.FilterQuery.model_fields)
    assert sorted(named("watch", "parameter")) == sorted(own)
    listing = next(row[1] for row in cells(REFERENCE["api"], "method, path") if "/v1/windows" in row[0])
    assert set(requests.SessionQuery.model_fields) == words(listing)
    assert set(get_args(WatchLine.model_fields["type"].annotation)) == set(named("watch", "type"))


@pytest.mark.tc("TC-117")
def test_the_states_and_sources_are_those_of_the_reference() -> None:
    """All states in order of precedence, all sources with their kind, each action; no reason that the code lacks."""
    assert named("states", "state") == [str(state) for state in PRECEDENCE]
    listed = {row[0].strip("`"): row[1] for row in cells(REFERENCE["events"], "source")}
    assert listed == {str(source): "level" if source in LEVELS else "edge" for source in Source}
    code = "".join(path.read_text("utf-8") for path in sorted((ROOT / "src/agtmuxd").rglob("*.py")))
    assert [reason for reason in named("states", "`reason_code`") if f'"{reason}"' not in code] == []
    heads = {
        word for head in re.findall(r"^### (.*)", REFERENCE["actions"], re.M) for word in re.findall(r"`([\w-]+)", head)
    }
    assert {str(kind) for kind in Kind} | {"prompt", "wait"} == heads


@pytest.mark.tc("TC-117")
def test_the_data_model_names_every_table_and_column_there_is() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, load())
    found = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    tables = [name for name in found if not name.startswith(("sqlite_", "messages_fts_"))]  # SQLite's own
    real = {
        table: [row[1] + ("" if row[3] or row[5] else "?") for row in connection.execute(f"PRAGMA table_info({table})")]
        for table in tables
    }
    connection.close()
    pages = ((ROOT / "docs" / name).read_text("utf-8") for name in ("data-model.md", "data-model-coordination.md"))
    output = {row[0]: row[1].split(", ") for text in pages for row in cells(text, "table")}
    assert output == real


def table_of(annotation: object) -> type[BaseModel] | None:
    """The model of each table, if a setting is a list of tables."""
    if get_origin(annotation) is not list:
        return None
    kind = get_args(annotation)[0]
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every setting with its default; a table of tables stands as ``NAME``, each of a list of tables as ``[]``."""
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            yield from settings(type(default), f"{prefix}{name}.")
        elif (rows := table_of(field.annotation)) is not None:
            yield from settings(rows, f"{prefix}{name}[].")
        elif name == "adapters":
            kind = field.annotation.__args__[1]  # type: ignore[union-attr]
            yield from settings(kind, f"{prefix}{name}.NAME.")
        else:
            yield f"{prefix}{name}", default


@pytest.mark.tc("TC-117")
def test_every_setting_stands_in_the_reference_with_its_default() -> None:
    listed = {row[0].strip("`"): row[1] for row in cells(REFERENCE["config"], "key")}
    real = dict(settings(Settings))
    assert list(listed) == list(real)
    for key, default in real.items():
        word = re.sub(r" [sd]$", "", listed[key]).strip("`")
        if default is PydanticUndefined:
            assert word == "required", key
        elif default is None:
            assert word == "unset", key
        elif isinstance(default, bool):
            assert word == str(default).lower(), key
        elif isinstance(default, (int, float)):
            assert float(word) == default, key
        else:
            assert word == str(default).replace("'", '"') or word == f'"{default}"', key


def span(text: str) -> int:
    """``600 ms`` or ``10 s`` in ns."""
    number, unit = text.split()
    return int(number) * {"ms": MS, "s": NS}[unit]


TABLES_OF_RULES = {
    "## Top level": "_TOP",
    "## `[process]`": "_PROCESS",
    "## `[composer]`": "_COMPOSER",
    "## `[[mode]]`": "_MODE",
    "## `[keys]`": "_KEYS",
    "## `[[rule]]`": "_RULE",
    "### `waiting`": "_WAITING",
    "### `keys`": "_DIALOG_KEYS",
}


@pytest.mark.tc("TC-117")
def test_every_key_of_a_rules_file_stands_in_its_reference() -> None:
    """Each table has the keys that the reader takes, no more and no fewer, and the example is a file that it takes."""
    page = ADAPTERS["rules-file"]
    for head, keys in TABLES_OF_RULES.items():
        shown = {name for row in cells(page.split(f"{head}\n")[1], "key") for name in re.findall(r"`(\w+)`", row[0])}
        assert shown == vars(rule_file)[keys], head
    for name in ("rules-file", "own-rules"):
        (example,) = re.findall(r"^```toml\n(.*?)^```", ADAPTERS[name], re.M | re.S)
        assert rule_file.load(example, name, "toy").rules, name


@pytest.mark.tc("TC-117")
def test_the_times_of_the_state_engine_are_those_of_the_reference() -> None:
    """Each time has a row with its value, and each time that the rules name has a row."""
    listed = {row[0]: span(row[1]) for row in cells(REFERENCE["states"], "time")}
    ttl = resolve.TTL
    assert ttl[Claim.WAITING_APPROVAL] == ttl[Claim.WAITING_INPUT] == ttl[Claim.ERROR]
    assert ttl[Claim.COMPLETED] == ttl[Claim.IDLE] == ttl[Claim.NOT_RUNNING]
    assert listed == {
        "screen lag": registers.SCREEN_LAG,
        "status lag": registers.STATUS_LAG,
        "dialog delay": registers.UNDRAWN,
        "blip": registers.BLIP,
        "overrun": registers.OVERRUN,
        "screen settle": debounce.SETTLE[Source.POLLER],
        "status settle": debounce.SETTLE[Source.STATUS],
        "after a wait": debounce.AFTER_WAIT,
        "first running": debounce.FIRST_RUNNING,
        "unmatched": debounce.UNMATCHED,
        "still": motion.STILL,
        "movement": motion.LASTING,
        "pane fresh": resolve.PANE_FRESH,
        "waiting and error": ttl[Claim.ERROR],
        "running": ttl[Claim.RUNNING],
        "completed, idle, not_running": ttl[Claim.COMPLETED],
        "hint": resolve.HINT_TTL,
        "hold back": resolve.HOLD_BACK,
        "demotion": resolve.DEMOTE_AFTER,
        "starting": resolve.STARTING,
        "looked at": LOOKED_AT,
        "crash shown": CRASH_SHOWN,
    }
    rules = REFERENCE["states"].partition("## How a state is decided")[2]
    assert set(re.findall(r"(?<!\*)\*([a-z ]+)\*(?!\*)", rules)) <= set(listed)
    assert f"in at least {motion.CHANGES} samples" in rules
    assert f"less than {resolve.DEMOTE_AFTER // NS} s ago" in REFERENCE["states"]
    assert f"for {LOOKED_AT // NS} s." in REFERENCE["states"]
    assert f"or {CRASH_SHOWN // NS // 60} minutes pass" in REFERENCE["states"]


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
def test_every_command_has_help_with_an_example_and_stands_in_the_reference() -> None:
    listed = {
        " ".join(re.sub(r"\[?[A-Z]+\]?|--kind \w+", "", code).split())
        for row in cells(REFERENCE["cli"], "command")
        for code in re.findall(r"`(agtmux[^`]*)`", row[0])
    }
    real = dict(commands(root, "agtmux"))
    assert listed == set(real)
    for name, command in real.items():
        message = command.get_help(click.Context(command, info_name=name))
        assert re.search(r"Examples?:\n\s+\S", message), name


def blocks() -> Iterator[tuple[str, str]]:
    """Every command line of every code block in the documents, with the file that it stands in."""
    for page in PAGES:
        if page.parent.name == "how-to":
            continue  # whole scripts: tests/acceptance/test_howto.py runs them
        for block in re.findall(r"^```(?:sh|console|bash)\n(.*?)^```", page.read_text("utf-8"), re.M | re.S):
            for line in block.splitlines():
                line = line.strip().removeprefix("$ ")
                for part in re.split(r" (?:\||&&|\|\|) ", line):
                    if part.startswith(("agtmux ", "agtmuxd ", "make ")):
                        yield str(page.relative_to(ROOT)), part


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
    assert {page for page, _ in shown} >= {
        "README.md",
        "runbooks/daemon.md",
        "runbooks/targets.md",
        "docs/reference/targets.md",
    }
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
    """A file that is named is there, and a heading that is named stands in it."""
    for page in PAGES:
        text = page.read_text("utf-8")
        links = re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)]*))?\)", text)
        missing = [name for name, _ in links if not (page.parent / name).exists()]
        for name, anchor in links:
            target = page.parent / name if name else page
            if anchor and target.suffix == ".md" and target.exists() and anchor not in anchors(target):
                missing.append(f"{name}#{anchor}")
        named_in_text = re.findall(r"`((?:docs|runbooks|migrations|tests|src|bench)/[\w./-]+\.\w+)`", text)
        missing += [name for name in named_in_text if not (ROOT / name).exists()]
        assert missing == [], page.name


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    heads = re.findall(r"^#+ (.*)", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.tc("TC-117")
def test_every_document_that_the_code_names_is_there() -> None:
    """Docstrings and comments lead to pages that exist."""
    for path in sorted(
        [*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").rglob("*.py"), *(ROOT / "bench").glob("*.py")]
    ):
        named_here = re.findall(r"(?:docs|runbooks)/[\w/-]+\.md\b", path.read_text("utf-8"))
        assert [name for name in named_here if not (ROOT / name).exists()] == [], path


@pytest.mark.tc("TC-117")
def test_the_tests_that_ci_names_are_there() -> None:
    """A file that was renamed would end the run without a test."""
    named_here = re.findall(r"\btests(?:/[\w.]+)+", (ROOT / ".ci" / "run").read_text("utf-8"))
    assert named_here
    assert [name for name in named_here if not (ROOT / name).exists()] == []


STOP = re.compile(
    r"\b(door|voices?|pokes?|glances?|whoever|of its own|of their own|what came of|reckon(ed|s)?|told|tells?|lest)\b",
    re.I,
)


def sentences(text: str) -> Iterator[str]:
    """The sentences of a page without its code blocks; each cell of a table by itself, code and links as one word."""
    for line in re.sub(r"^```.*?^```", "", text, flags=re.M | re.S).splitlines():
        for part in re.split(r"(?<!\\)\|", line) if line.startswith("|") else [line]:
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"`[^`]*`", "X", part))
            yield from re.split(r"(?<=[.:;!?])(?:\*\*)?\s+", plain.strip(" -*#"))


@pytest.mark.tc("TC-117")
@pytest.mark.parametrize("page", sorted(SHORT))
def test_a_page_is_short_and_plain(page: str) -> None:
    """Under 2 500 words, at most 25 words a sentence, and none of the words that nobody else uses so."""
    text = SHORT[page]
    assert len(text.split()) < 2500
    assert [one_answer for one_answer in sentences(text) if len(one_answer.split()) > 25] == []
    assert [one_answer for one_answer in sentences(text) if STOP.search(one_answer)] == []


PLAIN = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "runbooks").glob("*.md")),
    *sorted((ROOT / "docs" / "how-to").glob("*.md")),
    *(
        ROOT / "docs" / f"{name}.md"
        for name in (
            "agent-versions",
            "architecture",
            "cases",
            "containers",
            "data-model",
            "data-model-coordination",
            "input-fields",
            "performance",
        )
    ),
    ROOT / "tests" / "agents" / "README.md",
    ROOT / "tests" / "corpus" / "FORMAT.md",
]


def unwrapped(text: str) -> str:
    """The text without its code blocks, each paragraph and each item of a list on one line."""
    lines = [""]
    for line in re.sub(r"^ *```.*?^ *```", "", text, flags=re.M | re.S).splitlines():
        begins = not line.strip() or re.match(r"\s*(?:[-|#]|\d+\. )", line)
        if begins or not lines[-1].strip() or lines[-1].startswith(("|", "#")):
            lines.append(line)
        else:
            lines[-1] += f" {line.strip()}"
    return "\n".join(lines)


@pytest.mark.tc("TC-117")
@pytest.mark.parametrize("page", PLAIN, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_guide_is_plain(page: Path) -> None:
    """At most 25 words a sentence, also where a sentence goes over several lines, and no word of the stop-list."""
    output = list(sentences(unwrapped(page.read_text("utf-8"))))
    assert [one for one in output if len(one.split()) > 25] == []
    assert [one for one in output if STOP.search(one)] == []


@pytest.mark.tc("TC-117")
def test_the_changelog_is_short() -> None:
    """One line a change, and at most 40 words in it."""
    lines = (ROOT / "CHANGELOG.md").read_text("utf-8").splitlines()
    hint = "did a merge bring removed lines back? git checkout main -- CHANGELOG.md, and add your line again"
    assert [line for line in lines if len(line.split()) > 40] == [], hint
    assert len([line for line in lines if line.startswith("- ")]) < 120, hint


@pytest.mark.tc("TC-117")
def test_the_glossary_says_each_term_in_one_sentence_and_where_it_lives() -> None:
    """Each term stands once, with one sentence and a file of the program."""
    rows = [row for line in GLOSSARY.split("\n## ")[1:] for row in cells(line, "term")]
    assert len({row[0] for row in rows}) == len(rows) > 50
    for term, meaning, code in rows:
        assert re.fullmatch(r"[A-Z].*\.", meaning), term
        assert (ROOT / code.strip("`")).is_file(), (term, code)


README = (ROOT / "README.md").read_text("utf-8")


@pytest.mark.tc("TC-244")
def test_the_readme_has_at_most_900_words() -> None:
    assert len(README.split()) <= 900


@pytest.mark.tc("TC-244")
def test_the_readme_shows_a_picture_and_how_to_start_in_its_first_screen() -> None:
    """The picture is an SVG with text, and needs nothing from the network."""
    first = README.splitlines()[:30]
    name = next(found[1] for line in first if (found := re.match(r"!\[[^\]]+\]\((\S+)\)", line)))
    assert {"agtmux ls"} <= set(first)
    picture = (ROOT / name).read_text("utf-8")
    assert picture.startswith("<svg")
    assert re.findall(r"url\((?!#)[^)]*\)|\bhref=|<image", picture) == []
    shown = html.unescape(re.sub(r"<[^>]*>", "", picture))
    assert {state for state in ("waiting_approval", "waiting_input", "running", "idle") if state in shown} == {
        "waiting_approval", "waiting_input", "running", "idle",
    }  # fmt: skip


@pytest.mark.tc("TC-244")
def test_the_checks_before_a_commit_are_those_of_make_check() -> None:
    """Each runs the tool of ``.venv`` and downloads nothing."""
    config = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    assert re.findall(r"repo: (.*)", config) == ["local"]
    entries = re.findall(r"entry: \.venv/bin/(.*)", config)
    assert re.findall(r"language: (.*)", config) == ["system"] * len(entries)
    check = (ROOT / "Makefile").read_text("utf-8").partition("\ncheck:")[2].partition("\n\n")[0]
    tools = re.findall(r"\$\(BIN\)/(ruff \w+|mypy)", check)
    assert [entry.removesuffix(" --force-exclude") for entry in entries] == tools


@pytest.mark.tc("TC-245")
def test_the_picture_of_the_rooms_is_that_of_the_code() -> None:
    """Otherwise: ``.venv/bin/python -m tests.rooms``."""
    text = rooms.PAGE.read_text("utf-8")
    assert rooms.page(text) == text


@pytest.mark.tc("TC-245")
def test_a_new_import_between_rooms_changes_the_picture() -> None:
    """An arrow that follows from others is left out; any other is drawn."""
    graph = {"a": {"b", "c"}, "b": {"c"}, "c": set[str]()}
    assert rooms.reduced(graph) == {"a": {"b"}, "b": {"c"}, "c": set()}
    assert rooms.reduced({**graph, "d": {"c"}})["d"] == {"c"}


@pytest.mark.tc("TC-245")
def test_the_walks_of_the_architecture_page_lead_through_the_source() -> None:
    """Four walks, each through at least five files."""
    walks = rooms.PAGE.read_text("utf-8").partition("## Four walks")[2].partition("\n## ")[0].split("\n### ")[1:5]
    assert [walk.partition("\n")[0] for walk in walks] == [
        "An event comes in", "A screen round", "An action", "A watcher",
    ]  # fmt: skip
    assert all(len(set(re.findall(r"`(src/\S+\.py)`", walk))) >= 5 for walk in walks)
