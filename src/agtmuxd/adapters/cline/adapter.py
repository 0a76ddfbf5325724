"""Support Cline CLI: its process. Everything else comes from its screen (``rules.toml``).

Measured on 3.0.65. Its hooks are one file per event, and a user may have such files already. So none are installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from agtmuxd.adapters.argv import base_name, has_option, positional, program, words
from agtmuxd.adapters.contract import Capabilities, Ending, Identity
from agtmuxd.adapters.shared import RuleAdapter, checked_payload, exit_status, was_killed
from agtmuxd.core.model import Proc, RawEvent, Signal

_SUBCOMMANDS: Final = words(
    "auth config plugin skill connect mcp doctor history h hook schedule hub dashboard update version kanban help"
)
_ONE_SHOT: Final = words("-V --version -h --help --update --kanban --cline-hub-daemon -z --zen --acp")
_VALUES: Final = words(
    "--auto-approve -c --cwd --thinking --compaction --id -P --provider -k --key -m --model -s --system --retries "
    "-t --timeout --config --data-dir --hooks-dir"
)
_INTERACTIVE: Final = words("-i --tui --id")


class ClineAdapter(RuleAdapter):
    """Cline CLI."""

    name = "cline"
    agent_type = "cline"
    innermost = True
    capabilities = Capabilities(
        event_driven=False,
        polling_required=True,
        supports_waiting_approval=True,
        supports_waiting_input=True,
        supports_completed=True,
    )

    def identify(self, proc: Proc) -> Identity | None:
        """Recognise the native program or node running its shim; never its hub daemon or another one-shot command.

        A prompt as an argument starts a run without the terminal interface, unless ``--tui`` is given.
        """
        found = program(proc)
        if found is None or found.name != "cline" or not (found.node or base_name(proc.comm) == "cline"):
            return None
        first = positional(found.args, _VALUES)
        if first in _SUBCOMMANDS or has_option(found.args, _ONE_SHOT, _VALUES):
            return None
        alone = has_option(found.args, frozenset({"--json"}), _VALUES) or first is not None
        return Identity(self.agent_type, headless=alone and not has_option(found.args, _INTERACTIVE, _VALUES))

    def normalise(self, event: RawEvent, prior: Mapping[str, Any]) -> Signal:
        """Keep the event in history. No event of Cline is understood. Raises ValueError for another agent's event."""
        checked_payload(event, self.agent_type)
        return Signal(event_type=event.event_type)

    def config_home(self, env: Mapping[str, str], home: Path) -> Path:
        """Return ``~/.cline``."""
        return home / ".cline"

    def ended_in_order(self, ending: Ending) -> bool | None:
        """Judge by the shell's message and the exit status."""
        return False if was_killed(ending.sample) else exit_status(ending)
