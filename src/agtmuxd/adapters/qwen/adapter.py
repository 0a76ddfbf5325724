"""Support Qwen Code: its processes, hooks and settings.

Owns every fact about Qwen Code except what its screen looks like (``rules.toml``). Measured on 0.15.10. Its hooks have
the names and payloads of Claude Code's hooks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from agtmuxd.adapters.argv import base_name, has_option, positional, program, words
from agtmuxd.adapters.claude.adapter import CANONICAL, main_writes, subagent_writes
from agtmuxd.adapters.contract import SESSION, Ending, HookPlan, HookStatus, Identity
from agtmuxd.adapters.settings import hook_command, json_hooks
from agtmuxd.adapters.shared import (
    RuleAdapter,
    checked_payload,
    event_name,
    exit_status,
    first_line,
    first_words,
    last_rows,
    text_of,
    was_killed,
)
from agtmuxd.core.model import Proc, RawEvent, Signal

EVENTS: Final = (
    "SessionStart", "UserPromptSubmit", "PreToolUse", "PermissionRequest", "PostToolUse", "PostToolUseFailure", "Stop",
    "StopFailure", "SubagentStop", "SessionEnd",
)  # fmt: skip
"""The hook events that agtmux installs."""

TIMEOUT_MS: Final = 5000

_SCRIPT: Final = re.compile(r"/@qwen-code/qwen-code/(?:cli|dist/(?:index|cli))\.m?js$|/bin/qwen$")
_SUBCOMMANDS: Final = words("mcp extensions auth hooks hook channel review")
_ONE_SHOT: Final = words("-v --version -h --help -l --list-extensions")
_HEADLESS: Final = words("-p --prompt -o --output-format --acp --experimental-acp --input-format")
_VALUES: Final = words(
    "-m --model -i --prompt-interactive --approval-mode --allowed-tools --allowed-mcp-server-names -e --extensions "
    "-r --resume --include-directories --session-id --openai-api-key --openai-base-url --auth-type"
)
_EXIT_TEXT: Final = re.compile(r"Agent powering down|To continue this session, run qwen|Goodbye")


class QwenAdapter(RuleAdapter):
    """Qwen Code."""

    name = "qwen"
    agent_type = "qwen"
    innermost = False
    resume_command = ("qwen", "--resume", SESSION)

    def identify(self, proc: Proc) -> Identity | None:
        """Recognise node running the package's script. It starts itself a second time with other options."""
        found = program(proc)
        if found is None:
            return None
        if found.node:
            if found.name != "qwen" and not _SCRIPT.search(found.path):
                return None
        elif not (found.name == "qwen" and base_name(proc.comm) == "qwen"):
            return None
        if positional(found.args, _VALUES) in _SUBCOMMANDS or has_option(found.args, _ONE_SHOT, _VALUES):
            return None
        return Identity(self.agent_type, headless=has_option(found.args, _HEADLESS, _VALUES))

    def normalise(self, event: RawEvent, prior: Mapping[str, Any]) -> Signal:
        """Turn one hook event into a signal. Raises ValueError for another agent's event."""
        payload = checked_payload(event, self.agent_type)
        name, headless, agent = event_name(event, payload), bool(prior.get("headless")), text_of(payload, "agent_id")
        writes = subagent_writes(name, payload, agent, headless) if agent else main_writes(name, payload, headless)
        kind = CANONICAL.get(name, name)
        return Signal(
            event_type=f"subagent_{kind}" if agent and name in CANONICAL else kind,
            writes=tuple(writes),
            session_id=text_of(payload, "session_id"),
            cwd=text_of(payload, "cwd"),
            task=first_line(payload.get("prompt")) if name == "UserPromptSubmit" and not agent else None,
            message=first_words(payload.get("last_assistant_message")) if name == "Stop" and not agent else None,
            session_ended=name == "SessionEnd" and payload.get("reason") != "clear",
        )

    def config_home(self, env: Mapping[str, str], home: Path) -> Path:
        """Return ``QWEN_HOME``, else ``~/.qwen``."""
        return Path(env["QWEN_HOME"]) if env.get("QWEN_HOME") else home / ".qwen"

    def ended_in_order(self, ending: Ending) -> bool | None:
        """Judge by the hook, the exit text, the shell's message and the exit status."""
        if ending.session_ended:
            return True
        if was_killed(ending.sample):
            return False
        return True if _EXIT_TEXT.search(last_rows(ending.sample, 16)) else exit_status(ending)

    def plan_hooks(self, config_home: Path, command: str, *, remove: bool) -> Sequence[HookPlan]:
        """Plan the change to ``settings.json``. Raises ValueError for a file that cannot be read."""
        notes = () if remove else ("Sessions that are open now keep the hooks they started with.",)
        path = config_home / "settings.json"
        ours = hook_command.OwnEntries.of(self.agent_type, command)
        return (json_hooks.plan(path, ours, _groups(command), remove_ours=remove, notes=notes),)

    def hook_status(self, config_home: Path, command: str) -> Sequence[HookStatus]:
        """Return whether our hooks are in ``settings.json``."""
        ours = hook_command.OwnEntries.of(self.agent_type, command)
        return (json_hooks.status(config_home / "settings.json", ours, _groups(command)),)


def _groups(command: str) -> dict[str, dict[str, Any]]:
    hook = {"type": "command", "command": hook_command.line(command, "qwen"), "timeout": TIMEOUT_MS}
    return {event: {"hooks": [hook]} for event in EVENTS}
