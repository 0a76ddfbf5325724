"""Support Gemini CLI: its processes, hooks and settings.

Owns every fact about Gemini CLI except what its screen looks like (``rules.toml``). Measured on 0.61.0.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from agtmuxd.adapters.argv import base_name, has_option, positional, program, words
from agtmuxd.adapters.contract import SESSION, Ending, HookPlan, HookStatus, Identity, SessionHeader, TranscriptEvent
from agtmuxd.adapters.gemini import transcript
from agtmuxd.adapters.settings import hook_command, hook_switches, json_hooks, key_bindings
from agtmuxd.adapters.shared import (
    RuleAdapter,
    checked_payload,
    event_name,
    exit_status,
    first_line,
    first_words,
    last_rows,
    shorten,
    text_of,
    was_killed,
)
from agtmuxd.adapters.transcripts import last_message
from agtmuxd.core.model import Claim, Phase, Proc, RawEvent, Signal, Source, Strength, WaitingFor, Write
from agtmuxd.core.screen.controls import KeyOverrides

EVENTS: Final = (
    "SessionStart", "BeforeAgent", "BeforeTool", "Notification", "AfterTool", "AfterAgent", "SessionEnd",
)  # fmt: skip
"""The hook events that agtmux installs. Few, because Gemini shows each one on its screen for 3 s. Never AfterModel: it
blocks every chunk of an answer.
"""

TIMEOUT_MS: Final = 5000
HOOK_NAME: Final = "agtmux"

_SCRIPT: Final = re.compile(r"gemini-cli[^/]*/(?:bundle/gemini|dist/(?:index|gemini))\.m?js$")
_SUBCOMMANDS: Final = frozenset({"mcp", "extensions", "extension", "skills", "skill", "hooks", "hook", "gemma"})
_ONE_SHOT: Final = words("-v --version -h --help -l --list-extensions --list-sessions --delete-session")
_HEADLESS: Final = words("-p --prompt -o --output-format --acp --experimental-acp")
_VALUES: Final = words(
    "-m --model -i --prompt-interactive --approval-mode --policy --allowed-tools --allowed-mcp-server-names "
    "-e --extensions -r --resume --include-directories -w --worktree --session-id"
)
_NO_TEXT: Final = "[no response text]"
_EXIT_TEXT: Final = re.compile(r"Agent powering down|To resume this session: gemini")


class GeminiAdapter(RuleAdapter):
    """Gemini CLI."""

    name = "gemini"
    agent_type = "gemini"
    innermost = False
    resume_command = ("gemini", "--resume", SESSION)

    def identify(self, proc: Proc) -> Identity | None:
        """Recognise node running the package's script: the outer process or the inner one."""
        found = program(proc)
        if found is None:
            return None
        if found.node:
            if found.name not in ("gemini", "gemini.js") and not _SCRIPT.search(found.path):
                return None
        elif not (found.name == "gemini" and base_name(proc.comm) == "gemini"):
            return None
        if positional(found.args, _VALUES) in _SUBCOMMANDS or has_option(found.args, _ONE_SHOT, _VALUES):
            return None
        return Identity(self.agent_type, headless=has_option(found.args, _HEADLESS, _VALUES))

    # ------------------------------------------------------------------ events

    def normalise(self, event: RawEvent, prior: Mapping[str, Any]) -> Signal:
        """Turn one hook event into a signal. Raises ValueError for another agent's event."""
        payload = checked_payload(event, self.agent_type)
        if event.source is Source.TRANSCRIPT:
            return transcript.understand(event, payload)
        name = event_name(event, payload)
        return Signal(
            event_type=_CANONICAL.get(name, name),
            writes=tuple(_writes(name, payload, bool(prior.get("headless")))),
            session_id=text_of(payload, "session_id"),
            transcript_path=text_of(payload, "transcript_path"),
            cwd=text_of(payload, "cwd"),
            task=first_line(payload.get("prompt")) if name == "BeforeAgent" else None,
            message=first_words(payload.get("prompt_response")) if name == "AfterAgent" else None,
            session_ended=name == "SessionEnd" and payload.get("reason") != "clear",
        )

    def config_home(self, env: Mapping[str, str], home: Path) -> Path:
        """Return ``~/.gemini``, or ``.gemini`` below ``GEMINI_CLI_HOME`` if that is set."""
        return (Path(env["GEMINI_CLI_HOME"]) if env.get("GEMINI_CLI_HOME") else home) / ".gemini"

    def key_files(self, config_home: Path) -> Sequence[Path]:
        """See Rebindable."""
        return tuple(config_home / name for name in ("keybindings.json",))

    def key_overrides(self, texts: Sequence[str], argv: Sequence[str]) -> KeyOverrides:
        """See Rebindable."""
        return key_bindings.gemini(texts[-1]) if texts else KeyOverrides()

    # ------------------------------------------------------------------ transcript

    def transcript_path(self, status: Mapping[str, Any], proc: Proc, config_home: Path) -> Path | None:
        """Return None: Gemini CLI keeps no status file."""
        return None

    def transcript_tree(self, config_home: Path) -> tuple[Path, int] | None:
        """Return ``tmp``: it has a folder for each project, with ``chats`` in it."""
        return config_home / "tmp", 2

    def read_opening(self, line: Mapping[str, Any]) -> SessionHeader | None:
        """Read the first line of a main session."""
        return transcript.opening(line)

    def read_line(self, line: Mapping[str, Any]) -> TranscriptEvent | None:
        """Read one line of the chat file."""
        return transcript.read(line)

    def last_message(self, lines: Sequence[Mapping[str, Any]]) -> str | None:
        """Return the last message in these lines."""
        return last_message(lines, transcript.read)

    def ended_in_order(self, ending: Ending) -> bool | None:
        """Judge by the hook, the exit text and the title: a clean exit empties it, a kill leaves it as it was."""
        if ending.session_ended:
            return True
        if was_killed(ending.sample):
            return False
        if _EXIT_TEXT.search(last_rows(ending.sample, 40)):
            return True
        if ending.title_before.strip() and not ending.sample.title.strip():
            return True
        if ending.sample.title[:1] in ("✦", "✋", "⏲", "◇"):
            return False
        return exit_status(ending)

    # ------------------------------------------------------------------ hooks

    def plan_hooks(self, config_home: Path, command: str, *, remove: bool) -> Sequence[HookPlan]:
        """Plan the change to ``settings.json``. Raises ValueError for a file that is not plain JSON."""
        notes = () if remove else ("Gemini CLI runs no hooks in folders that you have not trusted.",)
        path = config_home / "settings.json"
        ours = hook_command.OwnEntries.of(self.agent_type, command)
        return (json_hooks.plan(path, ours, _groups(command), remove_ours=remove, notes=notes, dialect=_DIALECT),)

    def hook_status(self, config_home: Path, command: str) -> Sequence[HookStatus]:
        """Return whether our hooks are in ``settings.json``."""
        ours = hook_command.OwnEntries.of(self.agent_type, command)
        path = config_home / "settings.json"
        found = json_hooks.status(path, ours, _groups(command), dialect=_DIALECT)
        return (replace(found, switched_off=_switched_off(path) if found.installed else None),)


SYSTEM: Final = Path("/Library/Application Support/GeminiCli" if sys.platform == "darwin" else "/etc/gemini-cli")
"""The folder of an administrator's ``settings.json``, which overrides the user's, and of ``system-defaults.json``."""


def _switched_off(settings: Path) -> str | None:
    """Return the setting that keeps Gemini CLI from running our hooks (0.61.0)."""
    files = [SYSTEM / "settings.json", settings, SYSTEM / "system-defaults.json"]
    found = [(path, hook_switches.json_settings(path)) for path in files]
    off = hook_switches.first_off(found, (("hooksConfig.enabled", False),))
    if off is not None:
        return off
    for path, values in found:
        names = hook_switches.at(values, "hooksConfig.disabled")
        if isinstance(names, list) and HOOK_NAME in names:
            return f"hooksConfig.disabled names {HOOK_NAME} in {path}"
    return None


_DIALECT: Final = json_hooks.Dialect(comments=True)
"""Tried on 0.61.0: with a byte order mark or a trailing comma in the file it does not start."""


def _groups(command: str) -> dict[str, dict[str, Any]]:
    hook = {
        "type": "command",
        "name": HOOK_NAME,
        "command": hook_command.line(command, "gemini"),
        "timeout": TIMEOUT_MS,
    }
    return {event: {"hooks": [hook]} for event in EVENTS}


_CANONICAL: Final = {
    "SessionStart": "session_start",
    "SessionEnd": "session_end",
    "BeforeAgent": "turn_start",
    "BeforeTool": "tool_start",
    "AfterTool": "tool_end",
    "Notification": "approval_requested",
    "AfterAgent": "turn_end",
}

_ANSWERED: Final = "approval:main"


def _writes(name: str, payload: Mapping[str, Any], headless: bool) -> list[Write]:
    if name == "SessionStart":
        return [Write(Claim.IDLE, name, phase=Phase.END), Write(None, name, subject=_ANSWERED)]
    if name == "BeforeAgent":
        return [Write(Claim.RUNNING, name, phase=Phase.START), Write(None, name, subject=_ANSWERED)]
    if name in ("BeforeTool", "BeforeModel"):
        return [Write(Claim.RUNNING, name, phase=Phase.DURING)]
    if name == "AfterTool":
        return [Write(Claim.RUNNING, name, phase=Phase.DURING), Write(None, name, subject=_ANSWERED)]
    if name == "Notification":
        return [] if headless else _notification(name, payload)
    if name == "AfterAgent":
        # The same event ends a turn that was cancelled or failed, and does not say which. The title and the screen do.
        response = payload.get("prompt_response")
        claim = Claim.NOT_RUNNING if response in (None, "", _NO_TEXT) else Claim.COMPLETED
        strength = Strength.DEFINITIVE if headless else Strength.HINT
        return [Write(claim, name, phase=Phase.END, strength=strength), Write(None, name, subject=_ANSWERED)]
    return []


def _notification(name: str, payload: Mapping[str, Any]) -> list[Write]:
    if payload.get("notification_type") != "ToolPermission":
        return []
    raw = payload.get("details")
    details: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
    asks = details.get("type") == "ask_user"
    text = next(
        (t for k in ("command", "filePath", "fileName", "title") if (t := shorten(details.get(k))) is not None),
        shorten(payload.get("message")),
    )
    wanted = WaitingFor("question" if asks else "approval", subject=shorten(details.get("title")), text=text)
    claim = Claim.WAITING_INPUT if asks else Claim.WAITING_APPROVAL
    return [Write(claim, name, subject=_ANSWERED, waiting_for=wanted, accepts_input=False)]
