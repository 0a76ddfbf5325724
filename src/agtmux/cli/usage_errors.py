"""Describe a wrong command line: what is wrong, what was probably meant, and where to look.

Owns that wording only. It is imported only if something is wrong.
"""

from __future__ import annotations

from difflib import get_close_matches

import click

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def usage_message(error: click.UsageError) -> str:
    """Return a usage error in one line."""
    where = f"; see {error.ctx.command_path} --help" if error.ctx else ""
    option, command = getattr(error, "option_name", None), getattr(error, "command_name", None)
    similar = getattr(error, "possibilities", None) or ()
    if option and error.ctx is not None and error.ctx.parent is None:
        return f"No such option {option!r} before a command: put a command's options after its name{where}"
    if option and isinstance(error, click.NoSuchOption):
        return f"No such option {option!r}{_suggestion(similar)}{where}"
    if command:
        return f"{no_such_command(command, similar)}{where}"
    return f"{error.format_message().rstrip('.')}{where}"


def no_command(name: str, root: click.Group, ctx: click.Context) -> str:
    """Return the error for an unknown command, with similar names and with commands of that name one level down."""
    known = root.list_commands(ctx)
    similar = get_close_matches(name, known)
    for group in known:
        command = root.get_command(ctx, group)
        if isinstance(command, click.Group):
            similar += [f"{group} {below}" for below in command.list_commands(ctx) if below == name]
    return no_such_command(name, (f"agtmux {one}" for one in similar))


def no_such_command(name: str, similar: Iterable[str]) -> str:
    return f"No such command {name!r}{_suggestion(similar)}"


def _suggestion(names: Iterable[str]) -> str:
    listed = list(names)
    return f" (did you mean {' or '.join(listed)}?)" if listed else ""
