"""What the programs print is plain: short summaries that begin with a verb, and usual words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from agtmux.cli.root import COMMANDS, root
from agtmuxd.__main__ import main

SRC = Path(__file__).parents[2] / "src"
MOST = 72
_VERBS = (
    "List Show Watch Explain Attach Go Send Wait Approve Deny Answer Interrupt Mark Manage Add Connect Remove "
    "Install Set Run Check Report Start Stop Restart Reload Print Acquire Release Renew Take"
)
VERBS = frozenset(_VERBS.split())
STOP = re.compile(
    r"\b(what came of|came of it|told|tells|is said|are said|whoever|of its own|of their own|pokes?|glances?|voices?|"
    r"nobody|somebody|at all the same|does it all|in order|mid-answer|the very)\b",
    re.I,
)
PRINTS = frozenset({"AgtmuxError", "UsageError", "BadParameter", "ConnectionLostError", "NoDaemonError"})
"""Calls whose texts a person reads."""
PARTICIPLE = re.compile(
    r"[a-z]ed$|^(told|said|sent|seen|done|gone|known|shown|drawn|taken|written|given|meant|held|kept|lost|met|found|put|"
    r"read|begun|broken|chosen|hidden|driven|spoken|heard|bound|built|caught|inside|fresh)$"
)
NOUNS = frozenset({"need", "feed", "seed", "speed"})
_NO_NAMES = (
    "told said poke pokes poked stir stirs glance peek voice voices companion accompany speak spoken calm hear heard "
    "door world hand hands ear ears eye eyes mouth outpost backway"
)
NO_NAMES = frozenset(_NO_NAMES.split())
"""Words of no type, function, parameter or variable: they say nothing to somebody who is new here."""
WIRE_NAMES = frozenset({"said_at"})
REFUSES = frozenset({"Refusal", "_unmet", "_stale"})


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for below in command.list_commands(ctx):
            found = command.get_command(ctx, below)
            assert found is not None
            yield from commands(found, f"{name} {below}")


ALL = [*commands(root, "agtmux"), ("agtmuxd", main)]


@pytest.mark.tc("TC-246")
@pytest.mark.parametrize(("name", "command"), ALL, ids=[name for name, _ in ALL])
def test_a_help_page_begins_with_a_short_line_that_begins_with_a_verb(name: str, command: click.Command) -> None:
    """The summary of every command has at most 72 characters, and its first word is a verb of the list."""
    top = name.removeprefix("agtmux ")
    lines = [(command.help or "").splitlines()[0], command.short_help, COMMANDS.get(top, ("", None))[1]]
    for line in filter(None, lines):
        assert len(line) <= MOST, line
        assert line.split()[0].strip(".,") in VERBS, line


@pytest.mark.tc("TC-247")
@pytest.mark.parametrize(("name", "command"), ALL, ids=[name for name, _ in ALL])
def test_a_help_page_has_no_word_of_the_stop_list(name: str, command: click.Command) -> None:
    """Neither the text of a command nor the help of an option; and every option has a help."""
    assert STOP.search(command.help or "") is None
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, (name, option.name)
            assert STOP.search(option.help) is None, option.help


def texts(tree: ast.AST, calls: frozenset[str]) -> Iterator[tuple[int, str]]:
    """The texts handed to these calls, pieces of f-strings one by one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in calls:
            for argument in node.args:
                for part in ast.walk(argument):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str) and " " in part.value:
                        yield part.lineno, part.value


@pytest.mark.tc("TC-248")
def test_an_error_has_no_word_of_the_stop_list() -> None:
    """Errors of both programs, and the sentences of refused actions."""
    seen, found = 0, []
    for path in sorted(SRC.rglob("*.py")):
        for line, text in texts(ast.parse(path.read_text("utf-8")), PRINTS | REFUSES):
            seen += 1
            if STOP.search(text):
                found.append(f"{path.relative_to(SRC)}:{line}: {text}")
    assert seen > 150
    assert found == []


def parts(name: str) -> list[str]:
    """The words of a name: ``LastMessage`` and ``last_message`` are ``last message``."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The names that a module gives: to classes, functions, parameters, variables and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id if isinstance(node, ast.Name) else node.attr


@pytest.mark.tc("TC-580")
def test_no_class_is_named_by_a_participle() -> None:
    """A type is a thing: ``RoundFailure``, not ``RoundFailed``; ``ProgramResult``, not ``Completed``.

    Only Textual's messages are named as Textual names its own, such as ``Button.Pressed``.
    """
    found = []
    for path in sorted(SRC.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                last = parts(node.name)[-1]
                bases = {getattr(base, "attr", getattr(base, "id", "")) for base in node.bases}
                if PARTICIPLE.search(last) and last not in NOUNS and "Message" not in bases:
                    found.append(f"{path.relative_to(SRC)}:{node.lineno}: {node.name}")
    assert found == [], "name it by what it is; see docs/glossary.md"


@pytest.mark.tc("TC-581")
def test_no_name_has_a_word_of_the_stop_list() -> None:
    """Names use the words of ``docs/glossary.md`` and of the trade, not words that only insiders know."""
    found = []
    for path in sorted(SRC.rglob("*.py")):
        for line, name in names(ast.parse(path.read_text("utf-8"))):
            if name not in WIRE_NAMES and NO_NAMES & set(parts(name)):
                found.append(f"{path.relative_to(SRC)}:{line}: {name}")
    assert found == [], "say what it is; see docs/glossary.md"
