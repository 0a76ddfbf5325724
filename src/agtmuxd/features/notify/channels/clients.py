"""Find the terminal at which somebody sits: the tmux client that was used last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.model import TmuxClient
from agtmuxd.features.contract import Tmux


class HasKind(Protocol):
    """A target: ``local`` or ``ssh``."""

    @property
    def kind(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Terminal:
    """One attached terminal. ``local``: its tty is a file of this machine."""

    target_id: str
    local: bool
    client: TmuxClient


async def terminals(tmux: Tmux, targets: Mapping[str, HasKind], wanted: Iterable[str] | None = None) -> list[Terminal]:
    """List the terminals that are attached to the targets' servers. ``wanted``: only these targets.

    Control clients are programs, and left out. A server that does not answer has none.
    """
    found = []
    connected = tmux.targets()
    for target_id in connected if wanted is None else [one for one in wanted if one in connected]:
        try:
            clients = await tmux.clients(target_id)
        except AgtmuxError:
            continue
        target = targets.get(target_id)
        local = target is not None and target.kind == "local"
        found += [Terminal(target_id, local, one) for one in clients if "control-mode" not in one.flags]
    return found


def used_last(some: Iterable[Terminal]) -> Terminal | None:
    """Return the terminal that was used last."""
    return max(some, key=lambda one: (one.client.activity, one.client.name), default=None)
