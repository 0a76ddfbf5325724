"""Set up keys and options in your tmux server (``agtmux tmux``). ``tmux_plugin`` owns what is set."""

from __future__ import annotations

import sys

import click

from agtmux.cli import tmux_plugin
from agtmux.cli.context import shared
from agtmux.cli.tmux_server import TmuxServer
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import one_line
from agtmux.protocol.tmux_quote import line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


@click.group("tmux")
@shared()
def tmux_group() -> None:
    """Manage agtmux's keys and options in your tmux server.

    \b
    Options, to set before load (defaults in brackets):
      @agtmux-key           key of the dashboard popup [A]
      @agtmux-next-key      key of agtmux jump --next [N]
      @agtmux-back-key      key of agtmux jump --back [none]
      @agtmux-menu-key      key of agtmux menu [none]
      @agtmux-popup-width   [90%]
      @agtmux-popup-height  [85%]
      @agtmux-status        off: write no status line [on]

    The keys come after your prefix. "none" binds no key.

    \b
    Examples:
      tmux set-option -g @agtmux-key a
      agtmux tmux load
    """


@tmux_group.command()
@shared()
def load() -> None:
    """Set keys and options in the tmux server that this runs in.

    A key that is already bound is left alone. Put this into your tmux.conf:

    \b
    Examples:
      run-shell 'agtmux tmux load'
    """
    _run(tmux_plugin.load, "keys and options are set: press your prefix, then ?, to see them")


@tmux_group.command()
@shared()
def unload() -> None:
    """Remove the keys and options that load set.

    \b
    Examples:
      agtmux tmux unload
    """

    def remove(server: TmuxServer) -> list[str]:
        return [f"{one_line(key)} is bound to something else by now: it stays" for key in tmux_plugin.unload(server)]

    _run(remove, "keys and options are removed")


@tmux_group.command("print")
@shared()
def print_lines() -> None:
    """Print the lines that do the same in a tmux.conf.

    Inside tmux, they follow your options there.

    \b
    Examples:
      agtmux tmux print >> ~/.tmux.conf
    """
    try:
        options = tmux_plugin.read_options(TmuxServer.here())
    except AgtmuxError:  # outside tmux
        options = dict(tmux_plugin.OPTIONS)
    click.echo(line(["set-option", "-g", "@agtmux", "on"]), nl=False)
    for _, _, words in tmux_plugin.bindings(options, tmux_plugin.own_argv()):
        click.echo(line(words), nl=False)
    click.echo("# For the counts in the status line:")
    for text in tmux_plugin.STATUS_LINES:
        click.echo(text)


def _run(change: Callable[[TmuxServer], list[str]], done: str) -> None:
    """Make a change and print what it did. In a key binding or a tmux.conf there is no terminal: then only problems are
    shown, in the status line, because tmux would put other output over the pane.
    """
    server, terminal = TmuxServer.here(), sys.stdout.isatty()
    try:
        problems = change(server)
    except AgtmuxError as error:
        if terminal:
            raise
        server.show_error(None, error)
        raise
    for problem in problems:
        if terminal:
            click.echo(f"agtmux: {problem}", err=True)
        else:
            server.show_message(None, problem)
    if terminal:
        click.echo(done)
