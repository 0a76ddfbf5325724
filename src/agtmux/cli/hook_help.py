"""The help page of ``agtmux hook``. The hook itself is ``agtmux.hook`` and never comes here but for ``--help``."""

from __future__ import annotations

import click


@click.command(short_help="What agents call on their own events.")
@click.argument("agent")
@click.argument("payload", required=False)
@click.option("--event", metavar="NAME", help="The event's name, for agents whose payload does not say it.")
@click.option("--at", metavar="NS", help="When it happened, in ns since 1970, where it is told later.")
def hook(agent: str, payload: str | None, event: str | None, at: str | None) -> None:
    """What agents call on their own events; agtmux hooks install puts it into their settings.

    It reads the agent's JSON from standard input (Codex notify: from PAYLOAD), adds where it runs, and tells the
    daemon. With no daemon, or none that answers in time, the event waits in a spool file. It takes 250 ms at the very
    most (AGTMUX_HOOK_CAP_MS changes that), prints nothing, and exits with status 0 whatever happens.

    \b
    Example:
      echo '{"hook_event_name": "Stop"}' | agtmux hook claude
    """
    raise click.UsageError("this command is run by agents: see agtmux hooks install")
