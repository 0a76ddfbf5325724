"""Serve the tools over standard input and output, with the MCP SDK (the extra ``agtmux[mcp]``).

Owns the protocol side only: ``tools`` says what there is and calls the daemon. This process is a child of the agent, so
the daemon finds the agent by its processes. Nothing is kept between two calls.
"""

from __future__ import annotations

from typing import Any

import anyio
import anyio.to_thread
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from agtmux import __version__
from agtmux.mcp.tools import INSTRUCTIONS, TOOLS, answer


async def _list_tools(_context: Any, _params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    tools = [types.Tool(name=one.name, description=one.description, input_schema=one.schema()) for one in TOOLS]
    return types.ListToolsResult(tools=tools)


async def _call_tool(_context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
    """Call one tool on a thread: the others, and pings, are answered meanwhile. A cancelled call is left alone."""
    body, failed = await anyio.to_thread.run_sync(
        answer, params.name, dict(params.arguments or {}), abandon_on_cancel=True
    )
    return types.CallToolResult(content=[types.TextContent(type="text", text=body)], is_error=failed)


def build() -> Server[Any]:
    """Build the server, not yet connected."""
    return Server(
        "agtmux", version=__version__, instructions=INSTRUCTIONS, on_list_tools=_list_tools, on_call_tool=_call_tool
    )


async def _serve() -> None:
    server = build()
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


def serve() -> None:
    """Serve until standard input ends."""
    anyio.run(_serve)
