"""Define the help page of ``agtmux hook``. The hook itself is ``agtmux.hook``; it comes here only for ``--help``."""

from __future__ import annotations

import click


@click.command(short_help="Report an agent's event (run by agents, not by you).")
@click.argument("agent")
@click.argument("payload", required=False)
@click.option("--event", metavar="NAME", help="Set the event's name, for agents whose payload does not have it.")
@click.option("--at", metavar="NS", help="Set when it happened, in ns since 1970, for events that are reported later.")
def hook(agent: str, payload: str | None, event: str | None, at: str | None) -> None:
    """Report an agent's event (run by agents, not by you).

    agtmux hooks install adds this command to the agents' settings. It reads the agent's JSON from standard input
    (Codex notify: from PAYLOAD), adds where it runs, and sends the event to the daemon. If no daemon answers in time,
    it saves the event in a spool file. It takes at most 250 ms (AGTMUX_HOOK_CAP_MS changes that), prints nothing, and
    always exits with status 0.

    \b
    Example:
      echo '{"hook_event_name": "Stop"}' | agtmux hook claude
    """
    raise click.UsageError("agents run this command, not you: run agtmux hooks install to add it to their settings")
