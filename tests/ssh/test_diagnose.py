"""A single read on somebody's behalf is tried again, and only where that may help."""

from __future__ import annotations

import pytest

from agtmuxd.targets.diagnose import AGAIN, read_again
from agtmuxd.targets.executor import ExecutorError

pytestmark = pytest.mark.tc("TC-040")


class Read:
    """Fails for these reasons, one after the other, then answers."""

    def __init__(self, *reasons: str) -> None:
        self.reasons = list(reasons)
        self.asked = 0

    async def __call__(self) -> str:
        self.asked += 1
        if self.reasons:
            raise ExecutorError(self.reasons.pop(0), "no")
        return "answer"


async def test_two_retries_after_a_quarter_and_a_whole_second() -> None:
    assert AGAIN == (0.25, 1.0)
    read = Read("timeout", "lost")
    assert await read_again(read, (0.0, 0.0)) == "answer"
    assert read.asked == 3
    read = Read("timeout", "channel_limit", "timeout")
    with pytest.raises(ExecutorError):
        await read_again(read, (0.0, 0.0))
    assert read.asked == 3


@pytest.mark.parametrize("reason", ["auth", "host_key", "no_tmux", "refused"])
async def test_what_will_not_pass_is_told_at_once(reason: str) -> None:
    read = Read(reason)
    with pytest.raises(ExecutorError):
        await read_again(read, (0.0, 0.0))
    assert read.asked == 1
