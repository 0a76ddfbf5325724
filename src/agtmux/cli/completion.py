"""Print the tab completion script for a shell (``agtmux completion SHELL``). click writes the script."""

from __future__ import annotations

import click

from agtmux.cli.context import shared


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@shared()
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the tab completion script for your shell.

    \b
    Examples:
      echo 'eval "$(agtmux completion bash)"' >> ~/.bashrc
      agtmux completion fish > ~/.config/fish/completions/agtmux.fish
    """
    from click.shell_completion import BashComplete, get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"there is no completion for {shell}: use bash, zsh or fish")
    complete = found(ctx.find_root().command, {}, "agtmux", "_AGTMUX_COMPLETE")
    if isinstance(complete, BashComplete):
        click.echo(complete.source_template % complete.source_vars())  # source() would start a bash to ask its version
        return
    click.echo(complete.source())
