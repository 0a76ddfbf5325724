"""Support Cursor's CLI (``cursor-agent``): its processes and hooks, by its public documentation.

Owns every fact about Cursor's CLI except what its screen looks like (``rules.toml``). Not verified: nothing here was
seen on the real program. So all its claims are hints, and its screen never counts as accepting input.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from agtmuxd.adapters.argv import has_option, positional, program, words
from agtmuxd.adapters.contract import SESSION, Capabilities, Ending, HookPlan, HookStatus, Identity
from agtmuxd.adapters.settings import hook_command, json_hooks
from agtmuxd.adapters.shared import (
    RuleAdapter,
    checked_payload,
    event_name,
    exit_status,
    first_line,
    text_of,
    was_killed,
)
from agtmuxd.core.model import Claim, Phase, Proc, RawEvent, Signal, Strength, Write

EVENTS: Final = ("beforeSubmitPrompt", "stop")
"""The two events that report when a turn begins and ends. Few, because one name that a version does not know makes it
ignore the whole file. No event reports that the agent waits for the user.
"""

NOT_VERIFIED: Final = (
    "agtmux was not tested with Cursor's CLI: its states are hints, taken from its public documentation."
)

_SCRIPT: Final = re.compile(r"/cursor-agent/(?:versions/[^/]+/)?(?:index\.js|cursor-agent)$")
_SUBCOMMANDS: Final = words(
    "install-shell-integration uninstall-shell-integration login logout mcp status whoami models about update upgrade "
    "create-chat generate-rule rule worker help ls"
)
_ONE_SHOT: Final = words("-v --version -h --help")
_HEADLESS: Final = words("-p --print")
_VALUES: Final = words(
    "--api-key -H --header --output-format --mode --model --resume --sandbox --workspace -w --worktree"
)


class CursorAdapter(RuleAdapter):
    """Cursor's CLI."""

    name = "cursor"
    agent_type = "cursor"
    innermost = True
    resume_command = ("cursor-agent", "--resume", SESSION)
    capabilities = Capabilities(
        event_driven=True,
        polling_required=True,
        supports_waiting_approval=True,
        supports_waiting_input=True,
        supports_completed=True,
    )

    def identify(self, proc: Proc) -> Identity | None:
        """Recognise ``cursor-agent`` by name, or node running its script; never the bare name ``agent``, which is too
        common.
        """
        found = program(proc)
        if found is None or (found.name != "cursor-agent" and not _SCRIPT.search(found.path)):
            return None
        if positional(found.args, _VALUES) in _SUBCOMMANDS or has_option(found.args, _ONE_SHOT, _VALUES):
            return None
        return Identity(self.agent_type, headless=has_option(found.args, _HEADLESS, _VALUES))

    def normalise(self, event: RawEvent, prior: Mapping[str, Any]) -> Signal:
        """Turn one hook event into a signal. Raises ValueError for another agent's event."""
        payload = checked_payload(event, self.agent_type)
        name = event_name(event, payload)
        return Signal(
            event_type=_CANONICAL.get(name, name),
            writes=tuple(_writes(name, payload)),
            session_id=text_of(payload, "conversation_id"),
            task=first_line(payload.get("prompt")) if name == "beforeSubmitPrompt" else None,
            session_ended=name == "sessionEnd",
        )

    def config_home(self, env: Mapping[str, str], home: Path) -> Path:
        """Return ``~/.cursor``."""
        return home / ".cursor"

    def ended_in_order(self, ending: Ending) -> bool | None:
        """Judge by the hook, the shell's message and the exit status. Its exit text is not known."""
        if ending.session_ended:
            return True
        return False if was_killed(ending.sample) else exit_status(ending)

    def plan_hooks(self, config_home: Path, command: str, *, remove: bool) -> Sequence[HookPlan]:
        """Plan the change to ``hooks.json``. Raises ValueError for a file that is not plain JSON."""
        notes = () if remove else (NOT_VERIFIED,)
        path = config_home / "hooks.json"
        ours = hook_command.OwnEntries.of(self.agent_type, command)
        return (json_hooks.plan(path, ours, _groups(command), remove_ours=remove, notes=notes, top=_TOP),)

    def hook_status(self, config_home: Path, command: str) -> Sequence[HookStatus]:
        """Return whether our hooks are in ``hooks.json``."""
        ours = hook_command.OwnEntries.of(self.agent_type, command)
        return (json_hooks.status(config_home / "hooks.json", ours, _groups(command), (NOT_VERIFIED,)),)


_TOP: Final = {"version": 1}

_CANONICAL: Final = {
    "sessionStart": "session_start",
    "sessionEnd": "session_end",
    "beforeSubmitPrompt": "turn_start",
    "preToolUse": "tool_start",
    "postToolUse": "tool_end",
    "stop": "turn_end",
}
_ENDS: Final = {"completed": Claim.COMPLETED, "aborted": Claim.IDLE, "error": Claim.ERROR}


def _groups(command: str) -> dict[str, dict[str, Any]]:
    return {event: {"command": hook_command.line(command, "cursor")} for event in EVENTS}


def _writes(name: str, payload: Mapping[str, Any]) -> list[Write]:
    if name == "beforeSubmitPrompt":
        return [Write(Claim.RUNNING, name, phase=Phase.START, strength=Strength.HINT)]
    if name in ("preToolUse", "postToolUse", "postToolUseFailure", "beforeShellExecution", "afterShellExecution"):
        return [Write(Claim.RUNNING, name, phase=Phase.DURING, strength=Strength.HINT)]
    if name == "stop":
        status = payload.get("status")
        claim = _ENDS.get(status) if isinstance(status, str) else None
        return [Write(claim or Claim.NOT_RUNNING, name, phase=Phase.END, strength=Strength.HINT)]
    return []
