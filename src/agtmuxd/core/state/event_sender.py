"""Find the agent that sent an event: the nearest process of the hook's chain that is an agent.

Pure. An agent may run another agent as its tool. Then both are in the chain, and only the nearest one is the sender.
Source: docs/reference/events.md, binding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agtmuxd.core.model import Ancestor, RawEvent, Source

SERVERS = ("tmux: server", "tmux")
"""Names of a tmux server's process. What runs below one is in that server's panes, not in the pane around it."""


@dataclass(frozen=True, slots=True)
class ProcessRole:
    """What a process is, by its name and the first words of its command line.

    ``session``: it talks to a user or answers one prompt. False: a server, or another command of an agent.
    ``headless``: these words show that it has no screen. ``gives_way``: if another agent runs below it, that one
    counts.
    """

    agent_type: str
    session: bool = True
    headless: bool = False
    gives_way: bool = False


KindOf = Callable[[Ancestor], ProcessRole | None]
"""Returns None for a process that is no agent."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The agent that sent an event.

    - ``links``: the agent's process, then those that started it as a part of the agent (a shim). Empty: unknown.
    - ``above``: the next links, up to the tmux server.
    - ``headless``: it is known to have no screen.
    - ``agent_type``: which agent ``links`` are.
    - ``nested``: another agent is in ``above``.
    """

    links: tuple[Ancestor, ...] = ()
    above: tuple[Ancestor, ...] = ()
    headless: bool = False
    agent_type: str | None = None
    nested: bool = False


def find_sender(event: RawEvent, kind_of: KindOf) -> Sender:
    """Return the agent that sent ``event``."""
    chain = in_terminal(event)
    if event.source is Source.WRAPPER:  # the wrapper reports about itself, and its own process is the first link
        return Sender(tuple(chain[:1]), tuple(chain[1:]))
    for place, link in enumerate(chain):
        kind = kind_of(link)
        if kind is not None:
            end = place + 1
            while end < len(chain) and _is_shim(chain[end - 1], chain[end], kind, kind_of):
                end += 1
            above = tuple(chain[end:])
            nested = any(_is_agent(kind_of(other)) for other in above)
            return Sender(tuple(chain[place:end]), above, kind.headless, kind.agent_type, nested)
    return Sender((), tuple(chain))


def _is_agent(kind: ProcessRole | None) -> bool:
    return kind is not None and not kind.gives_way


def in_terminal(event: RawEvent) -> Sequence[Ancestor]:
    """Return the links below the tmux server that they run under. What started that server did not send the event."""
    for place, link in enumerate(event.chain):
        if link.pid == event.tmux_server_pid or link.comm == SERVERS[0]:
            return event.chain[:place]
    return event.chain


def _is_shim(lower: Ancestor, upper: Ancestor, kind: ProcessRole, kind_of: KindOf) -> bool:
    """Return whether ``upper`` is a part of the agent ``lower``.

    It is if it is the direct parent, the same agent, and in the same process group.
    """
    other = kind_of(upper)
    if other is None or not (kind.session and other.session) or other.agent_type != kind.agent_type:
        return False
    if lower.pgid is not None and upper.pgid is not None:
        return lower.pgid == upper.pgid
    return kind.headless == other.headless
