"""The adapters in use, by agent type, and why others are not: each one fenced, the user's rules laid over its own.

Owns which adapter answers for a process or an event. Knows no agent by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agtmux.protocol.redact import redact
from agtmuxd.adapters.argv import base_name
from agtmuxd.adapters.contract import Adapter, Identity, OpenFileAdapter, TranscriptAdapter
from agtmuxd.adapters.generic.run_command import wrapper_of
from agtmuxd.adapters.isolation import IsolatedAdapter, IsolatedAppServer
from agtmuxd.adapters.rules_only import RulesOnlyAdapter
from agtmuxd.adapters.shared import RuleAdapter
from agtmuxd.adapters.validation import ContractError, check_contract, lacking
from agtmuxd.core.model import Ancestor, Proc, RawEvent, Signal
from agtmuxd.core.screen.rules import RuleSet
from agtmuxd.core.state.event_sender import ProcessRole

KINDS: Final = 512
"""Command lines of which it is remembered whose they are: the same ones stand above every hook."""


def merged_rules(adapter: RuleAdapter, found: RuleSet) -> RuleSet:
    """The rules of ``adapter`` where the user has ``found``: instead of the shipped ones, or over them."""
    alone = isinstance(adapter, RulesOnlyAdapter) or not found.extends
    return found if alone else found.over(adapter.shipped)


@dataclass(slots=True)
class Registry:
    """The adapters in use, by agent type, and why others are not."""

    adapters: dict[str, IsolatedAdapter] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    redact: Callable[[Any], Any] = redact
    """Takes secrets out of what screens say, before it is handed on."""
    _kinds: dict[tuple[str, tuple[str, ...]], ProcessRole | None] = field(default_factory=dict, repr=False)

    def add(self, adapter: Adapter) -> None:
        """Take ``adapter`` in, or note why not: another contract, a type that is taken, no adapter at all."""
        name = str(getattr(adapter, "name", type(adapter).__name__))
        try:
            check_contract(name, getattr(adapter, "contract_version", None))
        except ContractError as e:
            self.refused[name] = str(e)
            return
        if not isinstance(adapter, Adapter):
            self.refused[name] = f"adapter {name}: lacks parts of the contract: {', '.join(lacking(adapter))}"
        elif adapter.agent_type in self.adapters:
            self.refused[name] = f"adapter {name}: agent type {adapter.agent_type!r} is taken"
        else:
            self.adapters[adapter.agent_type] = IsolatedAdapter(adapter, lambda value: self.redact(value))

    def kind_of(self, link: Ancestor) -> ProcessRole | None:
        """What a link of a hook's chain is; None: no agent.

        The program of an agent counts whatever its command is: an agent may run in a server of its own (``codex
        mcp-server``), and that one's reports are not those of the agent that started it.
        """
        key = (link.comm, link.argv)
        kinds = self._kinds  # two threads ask, and rules may be read anew meanwhile: none takes away what another reads
        if key in kinds:
            return kinds[key]
        found = self._kind(link)
        if len(kinds) >= KINDS:
            self._kinds = kinds = {}
        kinds[key] = found
        return found

    def _kind(self, link: Ancestor) -> ProcessRole | None:
        comm = link.comm or (base_name(link.argv[0])[:15] if link.argv else "")
        for count in range(len(link.argv), 0, -1):
            proc = Proc(link.pid, 0, 0, -1, 0, "S", link.start, comm, link.argv[:count])
            found = self.identify(proc)
            if found is not None:
                identity = found[1]
                whole = count == len(link.argv)
                return ProcessRole(identity.agent_type, whole, identity.headless, identity.gives_way)
        return None

    def use_rules(self, mine: Mapping[str, RuleSet]) -> None:
        """Lay the user's rules, by agent type, over those of the adapters; those that went are taken back.

        An agent that no adapter knows is one by its rules alone, where they name its processes.
        """
        self._kinds = {}
        for agent_type, fenced in list(self.adapters.items()):
            adapter = fenced.adapter
            fenced.reset_failures()
            if not isinstance(adapter, RuleAdapter):
                continue
            found = mine.get(agent_type)
            if found is not None:
                adapter.rules = merged_rules(adapter, found)
            elif isinstance(adapter, RulesOnlyAdapter):
                del self.adapters[agent_type]
            else:
                adapter.rules = adapter.shipped
        for agent_type, found in mine.items():
            if agent_type not in self.adapters and found.programs is not None:
                self.add(RulesOnlyAdapter(found))

    def get(self, agent_type: str) -> IsolatedAdapter | None:
        return self.adapters.get(agent_type)

    def transcribed(self, agent_type: str) -> TranscriptAdapter | None:
        """What reads that agent's transcript; None where nothing does."""
        adapter = self.adapters.get(agent_type)
        return None if adapter is None else adapter.transcribed()

    def holding(self, agent_type: str) -> OpenFileAdapter | None:
        """What understands that agent's open files; None where nothing does."""
        adapter = self.adapters.get(agent_type)
        return None if adapter is None else adapter.holding()

    def serving(self, agent_type: str) -> IsolatedAppServer | None:
        """What talks to that agent's server; None where nothing does."""
        adapter = self.adapters.get(agent_type)
        return None if adapter is None else adapter.serving()

    def normalise(self, event: RawEvent, prior: Mapping[str, Any]) -> Signal:
        """See Adapter, by the event's agent type. Raises ValueError for one that no adapter in use has."""
        adapter = self.adapters.get(event.agent_type)
        if adapter is None:
            raise ValueError(f"no adapter for agent {event.agent_type!r}")
        return adapter.normalise(event, prior)

    def declared(self, agent_type: str) -> tuple[IsolatedAdapter, Identity] | None:
        """What a process is that its user says hides such an agent; None where no adapter in use has that type.

        A process that is itself an agent, below it, counts instead.
        """
        adapter = self.adapters.get(agent_type)
        return None if adapter is None else (adapter, Identity(agent_type, gives_way=True))

    def __iter__(self) -> Iterator[IsolatedAdapter]:
        return iter(self.adapters.values())

    def identify(self, proc: Proc) -> tuple[IsolatedAdapter, Identity] | None:
        """The adapter of the agent that ``proc`` is, and what is known of it; None where it is none.

        The user's word (``agtmux run --as AGENT``) comes first, then the adapters in the order of registration.
        """
        wrapper = wrapper_of(proc.argv)
        if wrapper is not None and wrapper.agent in self.adapters:
            return self.declared(wrapper.agent)
        for adapter in self.adapters.values():
            found = adapter.identify(proc)
            if found is not None:
                return adapter, found
        return None
