"""The MCP server in this process: each tool is listed with its schema, and an answer is text, or text of an error."""

from __future__ import annotations

import pytest

pytest.importorskip("mcp")

from mcp import Client

from agtmux.mcp import server
from agtmux.mcp.tools import TOOLS
from tests.unit.test_architecture import imports, modules

pytestmark = pytest.mark.tc("TC-871")


async def test_tools_are_listed_and_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "answer", lambda name, arguments: (f"{name} {arguments}", name == "ack"))
    async with Client(server.build()) as client:
        listed = (await client.list_tools()).tools
        assert [(one.name, one.input_schema) for one in listed] == [(one.name, one.schema()) for one in TOOLS]
        good, bad = await client.call_tool("whoami", {}), await client.call_tool("ack", {"id": "m"})
    assert (getattr(good.content[0], "text", None), good.is_error) == ("whoami {}", False)
    assert (getattr(bad.content[0], "text", None), bad.is_error) == ("ack {'id': 'm'}", True)


async def test_a_call_that_hangs_keeps_no_other_call_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    import anyio

    release = threading.Event()

    def slow(name: str, _arguments: object) -> tuple[str, bool]:
        if name == "wait":
            release.wait(30)
        return name, False

    monkeypatch.setattr(server, "answer", slow)
    async with Client(server.build()) as client, anyio.create_task_group() as group:
        group.start_soon(client.call_tool, "wait", {})
        result = await client.call_tool("whoami", {})
        assert getattr(result.content[0], "text", None) == "whoami"
        release.set()


@pytest.mark.tc("TC-872")
def test_no_other_module_needs_the_sdk() -> None:
    """Neither the daemon nor any other command imports it, or ``agtmux.mcp``."""
    found = {
        name
        for package in ("agtmux", "agtmuxd")
        for name, tree in modules(package)
        for one in imports(tree)
        if one.split(".")[0] in ("mcp", "mcp_types", "anyio") or one.startswith("agtmux.mcp")
    }
    assert found == {"agtmux.cli.mcp", "agtmux.mcp.server"}
