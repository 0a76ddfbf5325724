"""The hub refuses a batch that does not follow the last one."""

from __future__ import annotations

import pytest

from agtmuxd.stream.history import Batch
from tests.rows import pane
from tests.unit.stream.streams import START, Stream


async def test_a_batch_out_of_order_is_refused() -> None:
    stream = Stream(pane("%1"))
    stream.show(pane("%1", title="x"))
    with pytest.raises(ValueError, match="batch 1 after 1"):
        stream.hub.publish(Batch(1, START, {}))
