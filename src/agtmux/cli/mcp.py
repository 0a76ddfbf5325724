"""Serve agtmux to an agent as MCP tools (``agtmux mcp``). Owns the message for a missing SDK."""

from __future__ import annotations

import click

from agtmux.cli.context import App, pass_app, shared
from agtmux.protocol.errors import AgtmuxError


@click.command()
@shared()
@pass_app
def mcp(app: App) -> None:
    """Run an MCP server for an agent, on standard input and output.

    An agent starts it, not you. The tools act in that agent's own name, which the daemon knows by its processes. It
    needs the extra agtmux[mcp].

    \b
    Examples:
      claude mcp add agtmux -- agtmux mcp
      codex mcp add agtmux -- agtmux mcp
    """
    del app
    try:
        from agtmux.mcp.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "mcp_types", "anyio"):
            raise
        raise AgtmuxError(
            "E_UNSUPPORTED",
            "agtmux mcp needs the MCP SDK, which is not installed: install agtmux with its extra, as in pip install"
            " 'agtmux[mcp]'",
        ) from None
    serve()
