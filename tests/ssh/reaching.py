"""What tests of connections share: a refused step, and the words of a whole way."""

from __future__ import annotations

import pytest

from agtmuxd.targets.executor import ExecutorError
from agtmuxd.targets.ssh.executor import SshExecutor
from tests.ssh.test_connection import PATIENCE


async def refused(executor: SshExecutor, reason: str, words: str, *, step: str) -> None:
    """A read fails for this reason, and ``connect`` names the step and says the same."""
    with pytest.raises(ExecutorError, match=words) as caught:
        await executor.run(["true"], timeout=PATIENCE)
    assert caught.value.reason == reason
    steps = await executor.dial_steps()
    assert [s["step"] for s in steps] == ALL[: ALL.index(step) + 1]
    assert [s["ok"] for s in steps] == [True] * (len(steps) - 1) + [False]
    assert steps[-1]["message"] == str(caught.value)


ALL = ["resolve", "connect", "host key", "auth"]
