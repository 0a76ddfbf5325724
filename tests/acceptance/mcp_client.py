"""Calls tools of ``agtmux mcp`` with the SDK's own client: what an agent does. A stand-in agent runs it as its child.

Standard input: ``{"calls": [[tool, arguments], ...]}``. Standard output: the tools and the answers, as one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.client.stdio import StdioServerParameters

PROGRAM = Path(sys.executable).parent / "agtmux"


async def converse(calls: list[tuple[str, dict[str, Any]]], mode: str) -> dict[str, Any]:
    """Start a server, list its tools, and call them in order."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("AGTMUX_")}
    server = StdioServerParameters(command=str(PROGRAM), args=["mcp"], env=kept)
    async with Client(server, mode=mode) as client:
        tools = await client.list_tools()
        answers = []
        for tool, arguments in calls:
            result = await client.call_tool(tool, arguments)
            (content,) = result.content
            answers.append({"text": getattr(content, "text", ""), "error": result.is_error})
        return {
            "tools": [[tool.name, tool.description, tool.input_schema] for tool in tools.tools], "answers": answers,
        }  # fmt: skip


def main() -> None:
    wanted = json.load(sys.stdin)
    print(json.dumps(asyncio.run(converse(wanted["calls"], wanted.get("mode", "auto")))))


if __name__ == "__main__":
    main()
