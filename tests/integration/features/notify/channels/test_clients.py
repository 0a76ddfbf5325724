"""Which terminal somebody sits at: that which was used last, and no program that only looks like one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.model import TmuxClient
from agtmuxd.features.notify.channels.clients import terminals, used_last

pytestmark = pytest.mark.tc("TC-418")


def client(name: str, activity: int = 0, *flags: str) -> TmuxClient:
    return TmuxClient(name, f"/dev/{name}", "$1", "@1", "%1", frozenset(flags), "xterm", "", activity)


class FakeTmux:
    def __init__(self, **clients: Sequence[TmuxClient]) -> None:
        self.found = clients

    def targets(self) -> Sequence[str]:
        return [*self.found, "down"]

    async def clients(self, target_id: str) -> Sequence[TmuxClient]:
        if target_id not in self.found:
            raise AgtmuxError("E_TARGET_UNREACHABLE", "it is down")
        return self.found[target_id]


@dataclass
class Kind:
    kind: str


TARGETS = {"here": Kind("local"), "far": Kind("ssh")}


async def test_all_attached_terminals_are_found_and_programs_are_not() -> None:
    tmux: Any = FakeTmux(here=[client("a", 5), client("c", 9, "attached", "control-mode")], far=[client("b", 7)])
    found = await terminals(tmux, TARGETS)
    assert [(one.client.name, one.local) for one in found] == [("a", True), ("b", False)]
    assert [one.client.name for one in await terminals(tmux, TARGETS, ["far"])] == ["b"]
    last = used_last(found)
    assert last is not None and last.client.name == "b"
    assert used_last([]) is None
