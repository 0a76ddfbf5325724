"""Describe ``agtmux status``, and run it where its own short path did not (see ``agtmux.status``)."""

from __future__ import annotations

import click

from agtmux import status as counts
from agtmux.cli.context import shared


@click.command()
@click.option(
    "--format", "name", type=click.Choice(list(counts.FORMATS)), default="plain", show_default=True,
    help="Choose how to print the counts.",
)  # fmt: skip
@shared()
def status(name: str) -> None:
    """Print counts of agents for a status bar.

    "2! 1✗ 5●" means: 2 agents need you, 1 failed, 5 are running. Nothing is printed for 0. "agtmux?" means that no
    daemon answers. This command starts no daemon and always exits with 0.

    \b
    Examples:
      agtmux status                    for a shell prompt
      agtmux status --format waybar    for waybar: text, tooltip and class

    In tmux, use the option that the daemon writes instead: see agtmux tmux --help.
    """
    counts.show(name)
