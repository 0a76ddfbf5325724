"""A buffer is left over only if no action holds it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.buffers import Buffers
from agtmuxd.targets.executor import ProgramResult
from tests.integration.actions.receiver import Receiver


@pytest.mark.tc("TC-220")
async def test_a_buffer_is_left_over_only_when_no_action_holds_it(receiver: Receiver) -> None:
    """A buffer of an action in flight stays. When that action fails, its target is due to be tidied, and the buffer is
    removed then. Another daemon's buffers stay."""
    reached, buffers, other = receiver.reached, receiver.reached.buffers, Buffers(b"another key")

    async def tmux(command: Sequence[str]) -> ProgramResult:
        return await reached.executor.run([*reached.tmux, *command], timeout=10)

    with other.one("t") as foreign, pytest.raises(AgtmuxError), buffers.one("t") as mine:
        for name in (mine, foreign, "agtmux-notes"):
            receiver.tmux.run("set-buffer", "-b", name, "text")
        assert await buffers.remove_leftovers(tmux) == 0
        assert buffers.due == set()
        raise AgtmuxError("E_ACTION_INDETERMINATE", "the paste got no answer")
    assert buffers.due == {"t"}
    assert await buffers.remove_leftovers(tmux) == 1
    assert set(receiver.tmux.run("list-buffers", "-F", "#{buffer_name}").split()) == {foreign, "agtmux-notes"}
