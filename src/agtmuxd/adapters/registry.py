"""Hold the adapters in use, by agent type, and the reasons why others are not in use.

Owns which adapter answers for a process or an event. Isolates each adapter, and adds the user's rules to the adapter's
own. Knows no agent by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agtmux.protocol.redact import redact
from agtmuxd.adapters.argv import base_name
from agtmuxd.adapters.contract import SESSION, Adapter, Identity, OpenFileAdapter, Resumable, TranscriptAdapter
from agtmuxd.adapters.generic.run_command import wrapper_of
from agtmuxd.adapters.isolation import IsolatedAdapter, IsolatedAppServer
from agtmuxd.adapters.rules_only import RulesOnlyAdapter
from agtmuxd.adapters.shared import RuleAdapter
from agtmuxd.adapters.validation import ContractError, check_contract, missing_parts
from agtmuxd.core.model import Ancestor, Proc, RawEvent, Signal
from agtmuxd.core.screen.rules import RuleSet
from agtmuxd.core.state.event_sender import ProcessRole

GENERIC: Final = "generic"
"""The agent type of a program that ``agtmux run`` runs."""
KINDS: Final = 512
"""How many command lines to remember with their agent. The same ones stand above every hook."""
_SESSION_ID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:-]{0,127}", re.ASCII)
"""Ids come from the agents' reports. Nothing else may become a word of a command line."""


def merged_rules(adapter: RuleAdapter, found: RuleSet) -> RuleSet:
    """Return the rules of ``adapter`` with the user's rules ``found``: in place of the shipped rules, or
    on top of them.
    """
    alone = isinstance(adapter, RulesOnlyAdapter) or not found.extends
    return found if alone else found.over(adapter.shipped)


@dataclass(slots=True)
class Registry:
    """The adapters in use, by agent type, and the reasons why others are not."""

    adapters: dict[str, IsolatedAdapter] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    redact: Callable[[Any], Any] = redact
    """Removes secrets from what screens show, before it is handed on."""
    _kinds: dict[tuple[str, tuple[str, ...]], ProcessRole | None] = field(default_factory=dict, repr=False)

    def add(self, adapter: Adapter) -> None:
        """Add ``adapter``, or record why not: other contract, agent type already in use, or not an adapter."""
        name = str(getattr(adapter, "name", type(adapter).__name__))
        try:
            check_contract(name, getattr(adapter, "contract_version", None))
        except ContractError as e:
            self.refused[name] = str(e)
            return
        if not isinstance(adapter, Adapter):
            self.refused[name] = f"adapter {name}: lacks parts of the contract: {', '.join(missing_parts(adapter))}"
        elif adapter.agent_type in self.adapters:
            self.refused[name] = f"adapter {name}: agent type {adapter.agent_type!r} already has an adapter"
        else:
            self.adapters[adapter.agent_type] = IsolatedAdapter(adapter, lambda value: self.redact(value))

    def resume_command(self, agent_type: str, session_id: str) -> tuple[str, ...] | None:
        """Return the command line that continues a session of an agent. None: the agent cannot, or the id is odd."""
        fenced = self.adapters.get(agent_type)
        adapter = fenced.adapter if fenced is not None else None
        if not isinstance(adapter, Resumable) or not _SESSION_ID.fullmatch(session_id):
            return None
        return tuple(word.replace(SESSION, session_id) for word in adapter.resume_command)

    def program(self, agent_type: str) -> str | None:
        """Return the program that starts an agent. None: no adapter in use has that type, or it is any program."""
        fenced = self.adapters.get(agent_type)
        if fenced is None or agent_type == GENERIC:
            return None
        adapter = fenced.adapter
        if isinstance(adapter, Resumable):
            return adapter.resume_command[0]
        known = adapter.rules.programs if isinstance(adapter, RulesOnlyAdapter) else None
        return agent_type if known is None or agent_type in known.names else min(known.names)

    def kind_of(self, link: Ancestor) -> ProcessRole | None:
        """Return the agent that a process in a hook's chain belongs to. None: no agent.

        The agent's program counts, whatever its subcommand. An agent may run in a server of its own (``codex
        mcp-server``), and that server's events are not events of the agent that started it.
        """
        key = (link.comm, link.argv)
        kinds = (
            self._kinds
        )  # two threads call this while rules may be read anew: keep the dict that this call started with
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
        """Use the user's rules, by agent type, together with those of the adapters. Rules that were removed no longer
        apply.

        If no adapter knows an agent, its rules file alone makes it one, provided that it names the agent's processes.
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

    def transcript_adapter(self, agent_type: str) -> TranscriptAdapter | None:
        """Return the reader of that agent's transcript, or None."""
        adapter = self.adapters.get(agent_type)
        return None if adapter is None else adapter.transcript_adapter()

    def open_file_adapter(self, agent_type: str) -> OpenFileAdapter | None:
        """Return the reader of that agent's open files, or None."""
        adapter = self.adapters.get(agent_type)
        return None if adapter is None else adapter.open_file_adapter()

    def app_server_adapter(self, agent_type: str) -> IsolatedAppServer | None:
        """Return the part that talks to that agent's server, or None."""
        adapter = self.adapters.get(agent_type)
        return None if adapter is None else adapter.app_server_adapter()

    def session_name(self, agent_type: str, title: str, folder: str, status: Mapping[str, Any] | None) -> str | None:
        """Return the name of that agent's session, by its title and status file; see ``NamingAdapter``."""
        adapter = self.adapters.get(agent_type)
        return None if adapter is None else adapter.session_name(title, folder, status)

    def normalise(self, event: RawEvent, prior: Mapping[str, Any]) -> Signal:
        """See Adapter; the event's agent type selects the adapter. Raises ValueError if no adapter in use has that
        type.
        """
        adapter = self.adapters.get(event.agent_type)
        if adapter is None:
            raise ValueError(f"no adapter for agent {event.agent_type!r}")
        return adapter.normalise(event, prior)

    def declared_identity(self, agent_type: str) -> tuple[IsolatedAdapter, Identity] | None:
        """Return the identity of a process that, the user says, hides such an agent. None if no adapter in use has that
        type.

        If an agent process runs below it, that one counts instead.
        """
        adapter = self.adapters.get(agent_type)
        return None if adapter is None else (adapter, Identity(agent_type, gives_way=True))

    def __iter__(self) -> Iterator[IsolatedAdapter]:
        return iter(self.adapters.values())

    def identify(self, proc: Proc) -> tuple[IsolatedAdapter, Identity] | None:
        """Return the adapter of the agent that ``proc`` is, and its identity. None if it is not an agent.

        The user's choice (``agtmux run --as AGENT``) comes first, then the adapters in the order of registration.
        """
        wrapper = wrapper_of(proc.argv)
        if wrapper is not None and wrapper.agent in self.adapters:
            return self.declared_identity(wrapper.agent)
        for adapter in self.adapters.values():
            found = adapter.identify(proc)
            if found is not None:
                return adapter, found
        return None
