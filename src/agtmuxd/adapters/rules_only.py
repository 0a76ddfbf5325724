"""Support an agent that is known by a rules file alone.

It finds the agent's processes by name and reads the screen by the rules. There are no hooks and no other files. Owns no
facts about any agent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from agtmuxd.adapters.argv import base_name, has_option, positional, program
from agtmuxd.adapters.contract import Capabilities, Ending, Identity
from agtmuxd.adapters.shared import RuleAdapter, checked_payload, exit_status, was_killed
from agtmuxd.core.model import Proc, RawEvent, Signal
from agtmuxd.core.screen.rules import RuleSet

_INTERPRETER: Final = re.compile(r"(?:python|ruby|perl)[\d.]*$")
_COMM: Final = 15
"""Characters of a program's name that Linux keeps in ``comm``."""


class RulesOnlyAdapter(RuleAdapter):
    """The agent of one rules file with a ``[process]`` table."""

    innermost = True
    capabilities = Capabilities(
        event_driven=False,
        polling_required=True,
        supports_waiting_approval=True,
        supports_waiting_input=True,
        supports_completed=True,
    )

    def __init__(self, rules: RuleSet) -> None:
        self.name = self.agent_type = rules.agent
        super().__init__(rules)

    def identify(self, proc: Proc) -> Identity | None:
        """Recognise a program with one of the names, or a script with such a name that an interpreter runs."""
        known = self.rules.programs
        found = program(proc)
        if known is None or found is None:
            return None
        name, args, comm = found.name, found.args, base_name(proc.comm)
        if _INTERPRETER.fullmatch(name):
            rest = [arg for arg in args if not arg.startswith("-")]
            if not rest:
                return None
            name, args = base_name(rest[0]), args[args.index(rest[0]) + 1 :]
        elif not found.node and comm != name[:_COMM]:
            return None  # the caller chooses argv[0], so argv[0] proves nothing
        if name not in known.names or positional(args, frozenset()) in known.other or has_option(args, known.other):
            return None
        headless = has_option(args, known.headless) or positional(args, frozenset()) in known.headless
        return Identity(self.agent_type, headless=headless)

    def normalise(self, event: RawEvent, prior: Mapping[str, Any]) -> Signal:
        """Keep the event in history. A rules file does not define what events mean. Raises ValueError for another
        agent's event.
        """
        checked_payload(event, self.agent_type)
        return Signal(event_type=event.event_type)

    def config_home(self, env: Mapping[str, str], home: Path) -> Path:
        """Return the home folder. Nothing is read from it."""
        return home

    def ended_in_order(self, ending: Ending) -> bool | None:
        """Judge by the shell's message and the exit status."""
        return False if was_killed(ending.sample) else exit_status(ending)
