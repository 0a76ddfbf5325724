"""Write manual pages from the help of the commands (``agtmux man``). So a page always says what the command does.

Owns the form of a page: sections, and how text is written in roff. Knows no command.
"""

from __future__ import annotations

import os
import re

import click

from agtmux import __version__
from agtmux.cli.context import shared
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADS = {"example": "EXAMPLES", "examples": "EXAMPLES", "exit status": "EXIT STATUS"}
"""Sections that begin with these words in a help text."""


@click.command()
@click.argument("command", nargs=-1)
@click.option("--dir", "folder", metavar="DIR", help="Write the pages of all commands into this folder.")
@shared()
@click.pass_context
def man(ctx: click.Context, command: tuple[str, ...], folder: str | None) -> None:
    """Print a manual page, or write all of them into a folder.

    man finds pages in ~/.local/share/man/man1 if ~/.local/bin is in your PATH. Write them again after an update.

    \b
    Examples:
      agtmux man --dir ~/.local/share/man/man1
      agtmux man daemon start | man -l -
    """
    root = ctx.find_root().command
    found = dict(pages(root))
    if folder is None:
        name = "-".join(["agtmux", *command])
        if name not in found:
            raise click.UsageError(f"there is no command {' '.join(command)}: run agtmux --help")
        click.echo(found[name], nl=False)
        return
    if command:
        raise click.UsageError("--dir writes the pages of all commands: leave out the command")
    try:
        os.makedirs(folder, exist_ok=True)
        for name, text in found.items():
            with open(os.path.join(folder, f"{name}.1"), "w", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise AgtmuxError("E_INVALID_REQUEST", f"cannot write to {folder}: {error.strerror}") from None
    click.echo(f"wrote {len(found)} pages to {one_line(folder)}")


def pages(root: click.Command) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each manual page, the one of ``root`` first."""
    yield from _pages(root, None, "agtmux")


def _pages(command: click.Command, parent: click.Context | None, name: str) -> Iterator[tuple[str, str]]:
    settings = command.context_settings if parent is None else {}
    context = click.Context(command, info_name=name, parent=parent, **settings)
    yield "-".join(context.command_path.split()), _page(command, context)
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            child = command.get_command(context, below)
            if child is not None and not child.hidden:
                yield from _pages(child, context, below)


def _page(command: click.Command, context: click.Context) -> str:
    path = context.command_path
    name = "-".join(path.split())
    summary, *paragraphs = _paragraphs(command.help or "")
    out = [
        f'.TH "{name.upper()}" "1" "" "agtmux {__version__}" "agtmux manual"',
        ".SH NAME",
        f"{_text(name)} \\- {_text(summary.rstrip('.'))}",
        ".SH SYNOPSIS",
        f"\\fB{_text(path)}\\fR {_text(' '.join(command.collect_usage_pieces(context)))}".rstrip(),
        ".SH DESCRIPTION",
        _text(summary),
    ]
    later: list[str] = []
    for paragraph in [*paragraphs, *_paragraphs(command.epilog or "")]:
        lines = _block(paragraph)
        if lines is None:
            out += [".PP", _text(" ".join(paragraph.split()))]
            continue
        head = _HEADS.get(lines[0].rstrip(":").strip().lower())
        body = [".nf", *(_text(line.removeprefix("  ")) for line in lines[head is not None :]), ".fi"]
        if head is None:
            out += [".PP", *body]
        else:
            later += [f".SH {head}", *body]
    out += _options(command, context)
    out += _commands(command, context)
    out += later
    if context.parent is not None:
        above = "-".join(context.parent.command_path.split())
        seen = dict.fromkeys([above, "agtmux"])
        out += [".SH SEE ALSO", ", ".join(f"\\fB{_text(one)}\\fR(1)" for one in seen)]
    return "\n".join(out) + "\n"


def _options(command: click.Command, context: click.Context) -> list[str]:
    records = [record for one in command.get_params(context) if (record := one.get_help_record(context)) is not None]
    out = [".SH OPTIONS"]
    for names, text in records:
        out += [".TP", f"\\fB{_text(names)}\\fR", _text(text)]
    if context.parent is not None:
        out += [".PP", "The global options of \\fBagtmux\\fR(1) may stand here too."]
    return out


def _commands(command: click.Command, context: click.Context) -> list[str]:
    if not isinstance(command, click.Group):
        return []
    out = [".SH COMMANDS"]
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        if child is not None and not child.hidden:
            page = "-".join([*context.command_path.split(), name])
            out += [".TP", f"\\fB{_text(page)}\\fR(1)", _text(_paragraphs(child.help or "")[0])]
    return out


def _paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a help text. The summary is the first."""
    return re.split(r"\n\s*\n", text.strip()) if text.strip() else [""]


def _block(paragraph: str) -> list[str] | None:
    """Return the lines of a paragraph that keeps its lines. None for running text."""
    lines = paragraph.splitlines()
    return lines[1:] if lines and lines[0].strip() == "\b" else None


def _text(text: str) -> str:
    """Return text for roff: signs that mean something to it mean themselves."""
    plain = (
        text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").replace("^", "\\(ha").replace("~", "\\(ti")
    )
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain.replace("'", "\\(aq")
