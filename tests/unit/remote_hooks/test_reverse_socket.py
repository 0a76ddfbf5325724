"""The patterns that hooks behind ssh are told: those of now, and none of a daemon before this one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from agtmuxd.remote_hooks.reverse_socket import ReverseSocket
from agtmuxd.targets.executor import ProgramResult
from agtmuxd.targets.ssh.executor import SshExecutor

pytestmark = pytest.mark.tc("TC-103")


class Machine:
    """Notes what is run there."""

    alias = "box"

    def __init__(self) -> None:
        self.told: list[str] = []

    async def run(self, argv: Sequence[str], **_: Any) -> ProgramResult:
        if "patterns.json.new" in argv[2] and "supervisor" not in argv[2]:
            self.told.append(argv[5])
        return ProgramResult(0, b"", b"")


async def test_patterns_that_were_taken_out_of_the_configuration_do_not_stay_there() -> None:
    machine = Machine()
    way = ReverseSocket(cast(SshExecutor, machine), "a", "/nowhere", 1.0)
    await way.send_patterns(())
    assert machine.told == [], "nothing of ours is there"
    way.was_open = True
    await way.send_patterns(())
    await way.send_patterns(())
    await way.send_patterns(("x",))
    await way.send_patterns(("x",))
    await way.send_patterns(())
    assert machine.told == ["[]", '["x"]', "[]"]
