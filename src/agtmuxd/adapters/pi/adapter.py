"""Support pi: its process, and the extension that reports what it does.

Owns every fact about pi except what its screen looks like (``rules.toml``). Measured on 0.73.1. The extension runs
inside pi. It is silent in runs without a terminal interface (``-p``, ``--mode json``, ``--mode rpc``).
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any, Final

from agtmuxd.adapters.argv import base_name, has_option, positional, program, words
from agtmuxd.adapters.contract import SESSION, Ending, HookPlan, HookStatus, Identity
from agtmuxd.adapters.settings import hook_command, json_hooks
from agtmuxd.adapters.shared import RuleAdapter, checked_payload, exit_status, first_line, shorten, text_of, was_killed
from agtmuxd.core.model import Claim, Phase, Proc, RawEvent, Signal, Strength, Write

EVENTS: Final = ("session_start", "session_shutdown", "before_agent_start", "agent_end")
"""The events that the extension passes on."""

FILE: Final = "extensions/agtmux.js"

_SCRIPT: Final = re.compile(r"/pi-coding-agent/dist/cli\.js$|/bin/pi$")
_SUBCOMMANDS: Final = words("install remove uninstall update list config")
_ONE_SHOT: Final = words("-v --version -h --help --export --list-models")
_HEADLESS: Final = words("-p --print")
_VALUES: Final = words(
    "--provider --model --api-key --system-prompt --append-system-prompt --mode --session --fork --session-dir "
    "--models --tools -t --thinking --extension -e --skill --prompt-template --theme --export"
)
_START_NOTE: Final = "If pi runs now, type /reload in it, or restart it, to load the extension."


class PiAdapter(RuleAdapter):
    """pi (``@mariozechner/pi-coding-agent``)."""

    name = "pi"
    agent_type = "pi"
    innermost = False
    resume_command = ("pi", "--session", SESSION)

    def identify(self, proc: Proc) -> Identity | None:
        """Recognise node running pi's script, or pi after it has set its process title: argv is then the single word
        ``pi``.
        """
        if proc.argv == ("pi",) and base_name(proc.comm) == "pi":
            return Identity(self.agent_type)
        found = program(proc)
        if found is None or not found.node or (found.name != "pi" and not _SCRIPT.search(found.path)):
            return None
        command = positional(found.args, _VALUES)
        if command in _SUBCOMMANDS or has_option(found.args, _ONE_SHOT, _VALUES):
            return None
        mode = next((after for word, after in zip(found.args, found.args[1:], strict=False) if word == "--mode"), "")
        return Identity(self.agent_type, headless=bool(mode) or has_option(found.args, _HEADLESS, _VALUES))

    def normalise(self, event: RawEvent, prior: Mapping[str, Any]) -> Signal:
        """Turn one event of the extension into a signal. Raises ValueError for another agent's event."""
        payload = checked_payload(event, self.agent_type)
        name = event.event_type
        return Signal(
            event_type=_CANONICAL.get(name, name),
            writes=tuple(_writes(name, payload)),
            session_id=text_of(payload, "session"),
            task=first_line(payload.get("prompt")) if name == "before_agent_start" else None,
            session_ended=name == "session_shutdown" and payload.get("reason") == "quit",
        )

    def config_home(self, env: Mapping[str, str], home: Path) -> Path:
        """Return ``PI_CODING_AGENT_DIR``, else ``~/.pi/agent``."""
        return Path(env["PI_CODING_AGENT_DIR"]) if env.get("PI_CODING_AGENT_DIR") else home / ".pi" / "agent"

    def session_name(self, title: str, folder: str, status: Mapping[str, Any] | None) -> str | None:
        """Return the session's name from the title: ``π - NAME - FOLDER``. Without a name it is ``π - FOLDER``."""
        start, end = "π - ", f" - {PurePosixPath(folder).name}"
        named = title.startswith(start) and title.endswith(end)
        return title[len(start) : len(title) - len(end)].strip() or None if named else None

    def ended_in_order(self, ending: Ending) -> bool | None:
        """Judge by the extension, the shell's message and the exit status. pi itself prints no exit text."""
        if ending.session_ended:
            return True
        return False if was_killed(ending.sample) else exit_status(ending)

    def plan_hooks(self, config_home: Path, command: str, *, remove: bool) -> Sequence[HookPlan]:
        """Plan our own extension file. Raises ValueError if somebody else's file has its name."""
        ours = hook_command.OwnEntries.of(self.agent_type, command)
        path = json_hooks.own_file(config_home, FILE, ours)
        notes = () if remove else (_START_NOTE,)
        return (json_hooks.plan_own(path, ours, _extension(command), remove_ours=remove, notes=notes),)

    def hook_status(self, config_home: Path, command: str) -> Sequence[HookStatus]:
        """Return whether our extension is there."""
        ours = hook_command.OwnEntries.of(self.agent_type, command)
        path = json_hooks.own_file(config_home, FILE, ours)
        return (json_hooks.status_own(path, ours, _extension(command), EVENTS, command=hook_command.of_plugin),)


def _extension(command: str) -> str:
    text = resources.files("agtmuxd.adapters.pi").joinpath("plugin.js").read_text(encoding="utf-8")
    return text.replace('["agtmux", "hook", "pi"]', json.dumps([*shlex.split(command), "pi"], ensure_ascii=False))


_CANONICAL: Final = {
    "session_start": "session_start",
    "session_shutdown": "session_end",
    "before_agent_start": "turn_start",
    "agent_end": "turn_end",
}


def _writes(name: str, payload: Mapping[str, Any]) -> list[Write]:
    if name == "before_agent_start":
        return [Write(Claim.RUNNING, name, phase=Phase.START)]
    if name != "agent_end":
        return []
    how = text_of(payload, "stopReason")
    if how == "aborted":
        return [Write(Claim.IDLE, f"{name} aborted", phase=Phase.END)]
    if how == "error":  # pi may try again, and then the screen shows it
        detail = shorten(payload.get("errorMessage"))
        return [Write(Claim.ERROR, f"{name} error", phase=Phase.END, strength=Strength.HINT, detail=detail)]
    strength = Strength.DEFINITIVE if how == "stop" else Strength.HINT
    return [Write(Claim.COMPLETED, f"{name} {how or 'of no known kind'}", phase=Phase.END, strength=strength)]
