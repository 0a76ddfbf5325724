"""A caller that hangs up does not undo half a change."""

from __future__ import annotations

import asyncio
import json

from tests.fake_services import EVENT, Api, eventually


async def test_a_caller_that_hangs_up_does_not_undo_half_a_change(api: Api) -> None:
    api.services.gate.clear()
    head = json.dumps(EVENT).encode("ascii")
    _reader, writer = await asyncio.open_unix_connection(str(api.path))
    writer.write(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(head), head))
    await writer.drain()
    await eventually(lambda: api.server.writing)
    writer.close()
    await writer.wait_closed()
    await api.get("/v1/health")  # the server has seen the end of the first connection by now
    api.services.gate.set()
    await eventually(lambda: api.services.ingested)
