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
    "List Show Watch Explain Attach Send Wait Approve Deny Answer Interrupt Mark Manage Add Connect Remove Install Run "
    "Check Report Start Stop Restart Reload Print"
)
VERBS = frozenset(_VERBS.split())
STOP = re.compile(
    r"\b(what came of|came of it|told|tells|is said|are said|whoever|of its own|of their own|pokes?|glances?|voices?|"
    r"nobody|somebody|at all the same|does it all|in order|mid-answer|the very)\b",
    re.I,
)
PRINTS = frozenset({"AgtmuxError", "UsageError", "BadParameter", "ConnectionLostError", "NoDaemonError"})
"""Calls whose texts a person reads."""
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
