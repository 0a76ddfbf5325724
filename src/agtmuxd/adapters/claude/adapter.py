"""Support Claude Code: its processes, hooks, status file and settings.

Owns every fact about Claude Code except what its screen looks like (``rules.toml``). Measured on 2.1.329 and 2.1.197.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from agtmuxd.adapters.argv import Program, base_name, has_option, program, words
from agtmuxd.adapters.claude import transcript
from agtmuxd.adapters.contract import SESSION, Ending, HookPlan, HookStatus, Identity, SessionHeader, TranscriptEvent
from agtmuxd.adapters.settings import hook_command, hook_switches, json_hooks, key_bindings
from agtmuxd.adapters.shared import (
    RuleAdapter,
    checked_payload,
    event_name,
    exit_status,
    first_line,
    first_words,
    last_rows,
    questions,
    text_of,
    tool_text,
    was_killed,
)
from agtmuxd.adapters.transcripts import last_message
from agtmuxd.core.model import Claim, Phase, Proc, RawEvent, Signal, Source, Strength, WaitingFor, Write
from agtmuxd.core.screen.controls import KeyOverrides

EVENTS: Final = (
    "SessionStart", "UserPromptSubmit", "PreToolUse", "PermissionRequest", "PostToolUse", "PostToolUseFailure",
    "PostToolBatch", "Notification", "Stop", "StopFailure", "SubagentStop", "PreCompact", "PostCompact", "SessionEnd",
)  # fmt: skip
"""The hook events that agtmux installs. 2.1.197 knows them all: an unknown name would stop it with a dialog at start.
"""

TIMEOUT_S: Final = 5

_NAMES: Final = frozenset({"claude", ".claude-unwrapped", ".claude-wrapped", "claude.exe"})
_RUNTIMES: Final = frozenset({"node", "bun", "MainThread", "node-MainThread"})
_VERSION_PATH: Final = re.compile(r"(?:^|/)versions/(\d+\.\d+\.\d+[\w.-]*)$")
_PACKAGE_PATH: Final = re.compile(
    r"(?:claude-(?:code|agent-sdk)[^/]*/(?:cli\.m?js|claude|bin/claude[^/]*)|/bin/claude)$"
)
_SUBCOMMANDS: Final = words(
    "mcp update upgrade install doctor config plugin plugins setup-token auth agents daemon migrate-installer "
    "remote-control gateway api-key help"
)
_ONE_SHOT: Final = frozenset({"-v", "--version", "-h", "--help"})
_PRINT: Final = frozenset({"-p", "--print", "--sdk-url", "--input-format"})
_VALUES: Final = words(
    "--model --append-system-prompt --system-prompt --permission-mode --settings --agents --agent --add-dir "
    "--mcp-config --allowedTools --disallowedTools --session-id --name -n --fallback-model --effort --output-format "
    "--input-format"
)
_TITLES: Final = ("✳", "⠂", "⠐", "◐", "◑")
_UNNAMED: Final = "Claude Code"
"""The title of a session without a name."""
_QUESTION_TOOLS: Final = frozenset({"AskUserQuestion", "ask_user_question"})  # the latter is Qwen Code's
_START_SOURCES: Final = frozenset({"startup", "clear", "resume"})

_STATUS_WAITS: Final[dict[str, tuple[Claim, str, Strength]]] = {
    "permission prompt": (Claim.WAITING_APPROVAL, "approval", Strength.DEFINITIVE),
    "input needed": (Claim.WAITING_INPUT, "question", Strength.DEFINITIVE),
    "dialog open": (Claim.WAITING_INPUT, "dialog", Strength.DEFINITIVE),
    # Values found in the program, never seen in a run.
    "sandbox request": (Claim.WAITING_APPROVAL, "approval", Strength.HINT),
    "worker request": (Claim.WAITING_APPROVAL, "approval", Strength.HINT),
    "goal proposal": (Claim.WAITING_INPUT, "question", Strength.HINT),
}


class ClaudeAdapter(RuleAdapter):
    """Claude Code."""

    name = "claude"
    agent_type = "claude"
    innermost = False
    resume_command = ("claude", "--resume", SESSION)

    def identify(self, proc: Proc) -> Identity | None:
        """Recognise the native binary, a version path, the unwrapped binary, or node running the package's script."""
        found = program(proc)
        if found is None:
            return None
        version = _is_claude(found, proc)
        if version is None or (found.args and found.args[0] in _SUBCOMMANDS) or has_option(found.args, _ONE_SHOT):
            return None
        headless = has_option(found.args, _PRINT, _VALUES)
        return Identity(self.agent_type, headless=headless, version=version or None)

    # ------------------------------------------------------------------ events

    def normalise(self, event: RawEvent, prior: Mapping[str, Any]) -> Signal:
        """Turn one hook event into a signal. Raises ValueError for another agent's event."""
        payload = checked_payload(event, self.agent_type)
        if event.source is Source.TRANSCRIPT:
            return transcript.understand(event, payload)
        name = event_name(event, payload)
        attended = event.env.get("CLAUDE_CODE_SESSION_ATTENDED")
        headless = (
            attended == "0"
            or (attended is None and bool(prior.get("headless")))
            or event.env.get("CLAUDE_CODE_ENTRYPOINT") == "sdk-cli"
        )
        agent = text_of(payload, "agent_id")
        writes = subagent_writes(name, payload, agent, headless) if agent else main_writes(name, payload, headless)
        kind = CANONICAL.get(name, name)
        return Signal(
            event_type=f"subagent_{kind}" if agent and name in CANONICAL else kind,
            writes=tuple(writes),
            session_id=text_of(payload, "session_id"),
            transcript_path=None if agent else text_of(payload, "transcript_path"),
            cwd=text_of(payload, "cwd"),
            task=first_line(payload.get("prompt")) if name == "UserPromptSubmit" and not agent else None,
            message=first_words(payload.get("last_assistant_message")) if name == "Stop" and not agent else None,
            session_ended=name == "SessionEnd" and payload.get("reason") != "clear",
            headless=attended == "0",  # it sets this for its hooks by its own mode, whatever started it (2.1.329)
        )

    # ------------------------------------------------------------------ status file

    def config_home(self, env: Mapping[str, str], home: Path) -> Path:
        """Return ``CLAUDE_CONFIG_DIR``, else ``~/.claude``."""
        return Path(env["CLAUDE_CONFIG_DIR"]) if env.get("CLAUDE_CONFIG_DIR") else home / ".claude"

    def key_files(self, config_home: Path) -> Sequence[Path]:
        """See Rebindable."""
        return tuple(config_home / name for name in ("keybindings.json",))

    def key_overrides(self, texts: Sequence[str], argv: Sequence[str]) -> KeyOverrides:
        """See Rebindable."""
        return key_bindings.claude(texts[-1]) if texts else KeyOverrides()

    def status_path(self, proc: Proc, config_home: Path) -> Path | None:
        """Return ``sessions/<pid>.json``. The CLI itself writes it."""
        return config_home / "sessions" / f"{proc.pid}.json"

    def read_status(self, data: Mapping[str, Any], proc: Proc) -> Sequence[Write]:
        """Return the claims of the status file. Empty if it is of another process (a reused pid) or is not
        understood.
        """
        if not _is_of(data, proc):
            return ()
        version = text_of(data, "version")
        return tuple([replace(write, version=version) for write in self._claims_of(data)])

    def _claims_of(self, data: Mapping[str, Any]) -> Sequence[Write]:
        status = data.get("status")
        headless = data.get("entrypoint") == "sdk-cli"
        if status == "busy":
            return (Write(Claim.RUNNING, "status busy"),)
        if status == "idle":
            return (Write(Claim.NOT_RUNNING, "status idle", background_tasks=0),)
        if status == "shell":
            return (Write(Claim.NOT_RUNNING, "status shell", background_tasks=1),)
        if status == "waiting" and not headless:
            return (_status_wait(data),)
        return ()

    # ------------------------------------------------------------------ transcript

    def transcript_path(self, status: Mapping[str, Any], proc: Proc, config_home: Path) -> Path | None:
        """Return the file of the session that the status file names, in the folder of the directory where it was
        started.
        """
        return transcript.path(status, config_home) if _is_of(status, proc) else None

    def transcript_tree(self, config_home: Path) -> tuple[Path, int] | None:
        """Return None: hooks and the status file name the file."""
        return None

    def read_opening(self, line: Mapping[str, Any]) -> SessionHeader | None:
        """Return None: hooks and the status file name the file."""
        return None

    def read_line(self, line: Mapping[str, Any]) -> TranscriptEvent | None:
        """Read one line of the session's file."""
        return transcript.read(line)

    def last_message(self, lines: Sequence[Mapping[str, Any]]) -> str | None:
        """Return the last message in these lines."""
        return last_message(lines, transcript.read)

    def session_name(self, title: str, folder: str, status: Mapping[str, Any] | None) -> str | None:
        """Return the name that the user gave (status file), else the title that Claude made (title of the pane)."""
        given = None if status is None or status.get("nameSource") in (None, "derived") else text_of(status, "name")
        mark, _, name = title.partition(" ")
        made = name.strip() if mark in _TITLES else ""
        return given or (made if made != _UNNAMED else None) or None

    def ended_in_order(self, ending: Ending) -> bool | None:
        """Judge by the hook, the status file (a crash leaves it behind), the exit text and the title."""
        if ending.session_ended:
            return True
        if ending.status_file_left is not None:
            return not ending.status_file_left
        if was_killed(ending.sample):
            return False
        tail = last_rows(ending.sample, 8)
        if "Resume this session with:" in tail or "Claude Code didn't start" in tail:
            return True
        if ending.title_before.startswith(_TITLES):
            if not ending.sample.title.strip():
                return True
            if ending.sample.title.startswith(_TITLES):
                return False
        status = exit_status(ending)
        untitled = not ending.title_before.startswith(_TITLES)
        if status is None and untitled and not ending.own_pane and self.look(ending.sample, None) is None:
            return True  # it left from a start-up dialog, which has no title, and the shell names no signal
        return status

    # ------------------------------------------------------------------ hooks

    def plan_hooks(self, config_home: Path, command: str, *, remove: bool) -> Sequence[HookPlan]:
        """Plan the change to ``settings.json``. Raises ValueError for a file that is not plain JSON."""
        notes = () if remove else ("Sessions that are open now keep the hooks they started with.",)
        path = config_home / "settings.json"
        ours = hook_command.OwnEntries.of(self.agent_type, command)
        return (json_hooks.plan(path, ours, _groups(command), remove_ours=remove, notes=notes, dialect=_DIALECT),)

    def hook_status(self, config_home: Path, command: str) -> Sequence[HookStatus]:
        """Return whether our hooks are in ``settings.json``."""
        ours = hook_command.OwnEntries.of(self.agent_type, command)
        path = config_home / "settings.json"
        found = json_hooks.status(path, ours, _groups(command), dialect=_DIALECT)
        return (replace(found, switched_off=_switched_off(path) if found.installed else None),)


MANAGED: Final = Path("/Library/Application Support/ClaudeCode" if sys.platform == "darwin" else "/etc/claude-code")
"""The folder of an administrator's settings: ``managed-settings.json`` and the files in ``managed-settings.d``."""


def _switched_off(settings: Path) -> str | None:
    """Return the setting that keeps Claude Code from running the hooks in the user's settings (2.1.332)."""
    managed = [MANAGED / "managed-settings.json", *json_hooks.listed(MANAGED / "managed-settings.d", "*.json")]
    keys = (("disableAllHooks", True), ("allowManagedHooksOnly", True))
    by_admin = hook_switches.any_off([(path, hook_switches.json_settings(path)) for path in managed], keys)
    return by_admin or hook_switches.any_off([(settings, hook_switches.json_settings(settings))], keys[:1])


_DIALECT: Final = json_hooks.Dialect(mark=True)
"""Tried on 2.1.329: with a comment or a trailing comma in the file, it ignores the whole file."""


def _is_of(status: Mapping[str, Any], proc: Proc) -> bool:
    start = status.get("procStart")
    return status.get("pid") == proc.pid and start is not None and str(start) == proc.start


def _groups(command: str) -> dict[str, dict[str, Any]]:
    hook = {"type": "command", "command": hook_command.line(command, "claude"), "timeout": TIMEOUT_S}
    return {event: {"hooks": [hook]} for event in EVENTS}


def _is_claude(found: Program, proc: Proc) -> str | None:
    """Return the version if this is Claude Code ('' if the path does not show it). None if it is not."""
    by_path = _VERSION_PATH.search(found.path)
    comm = base_name(proc.comm)
    if found.node:
        return "" if found.name == "claude" or _PACKAGE_PATH.search(found.path) else None
    if by_path is not None:
        version = by_path.group(1)
        return version if comm in (version[:15], "claude") or "claude" in found.path else None
    # The caller chooses argv[0], so comm has to be the name of the program, of its version or of its runtime.
    own = comm in _NAMES or comm.startswith(".claude-") or re.match(r"\d+\.\d+\.\d+", comm) is not None
    return "" if found.name in _NAMES and (own or comm in _RUNTIMES) else None


CANONICAL: Final = {
    "SessionStart": "session_start",
    "SessionEnd": "session_end",
    "UserPromptSubmit": "turn_start",
    "PreToolUse": "tool_start",
    "PostToolUse": "tool_end",
    "PostToolUseFailure": "tool_end",
    "PermissionRequest": "approval_requested",
    "Stop": "turn_end",
    "StopFailure": "turn_failed",
}


def _approval(agent: str | None) -> str:
    return f"approval:{agent or 'main'}"


def _answered(name: str, agent: str | None) -> Write:
    """Return the write for an event of this agent: it shows that all its earlier requests were answered."""
    return Write(None, name, subject=_approval(agent))


def _asks(name: str, payload: Mapping[str, Any], agent: str | None) -> Write:
    tool = text_of(payload, "tool_name") or "tool"
    if tool in _QUESTION_TOOLS:
        asked = questions(tool, payload.get("tool_input"))
        return Write(Claim.WAITING_INPUT, name, subject=_approval(agent), waiting_for=asked, accepts_input=False)
    wanted = WaitingFor(kind="approval", subject=tool, text=tool_text(payload.get("tool_input")))
    return Write(Claim.WAITING_APPROVAL, name, subject=_approval(agent), waiting_for=wanted, accepts_input=False)


def subagent_writes(name: str, payload: Mapping[str, Any], agent: str, headless: bool) -> list[Write]:
    """Return the writes for a sub-agent's event: about its own approval, never about the main turn."""
    if name == "PermissionRequest":
        return [] if headless else [_asks(name, payload, agent)]
    if name in ("PostToolUse", "PostToolUseFailure", "PostToolBatch", "SubagentStop", "PermissionDenied"):
        return [_answered(name, agent)]
    return []


def main_writes(name: str, payload: Mapping[str, Any], headless: bool) -> list[Write]:
    if name == "UserPromptSubmit":
        return [Write(Claim.RUNNING, name, phase=Phase.START), _answered(name, None)]
    if name == "PreToolUse":
        return [Write(Claim.RUNNING, name, phase=Phase.DURING)]
    if name in ("PostToolUse", "PostToolUseFailure", "PostToolBatch"):
        return [Write(Claim.RUNNING, name, phase=Phase.DURING), _answered(name, None)]
    if name == "PermissionRequest":
        return [] if headless else [_asks(name, payload, None)]
    if name == "Stop":
        return _stop(name, payload)
    if name == "StopFailure":
        detail = text_of(payload, "error")
        return [Write(Claim.ERROR, name, phase=Phase.END, detail=detail), _answered(name, None)]
    if name == "SessionStart" and payload.get("source") in _START_SOURCES:
        return [Write(Claim.IDLE, name, phase=Phase.END), _answered(name, None)]
    if name == "PreCompact":
        return [Write(Claim.RUNNING, name, phase=Phase.DURING)]
    if name == "PostCompact":
        # A manual /compact has no Stop. One in mid-turn goes on with the turn.
        if payload.get("trigger") == "manual":
            return [Write(Claim.IDLE, name, phase=Phase.END)]
        return [Write(Claim.RUNNING, name, phase=Phase.DURING)]
    return []


def _stop(name: str, payload: Mapping[str, Any]) -> list[Write]:
    """End the main turn, unless sub-agents still work on the request. Shells and monitors go on beside it."""
    listed = payload.get("background_tasks")
    tasks = [t for t in listed if isinstance(t, Mapping)] if isinstance(listed, list) else []
    alive = [t for t in tasks if t.get("status") in (None, "running", "pending", "in_progress")]
    count = Write(None, name, subject="background", background_tasks=len(alive))
    if any(t.get("type") == "subagent" for t in alive):
        turn = Write(Claim.RUNNING, name, phase=Phase.DURING, accepts_input=True, background_tasks=len(alive))
    else:
        turn = Write(Claim.COMPLETED, name, phase=Phase.END, background_tasks=len(alive))
    return [turn, _answered(name, None), count]


def _status_wait(data: Mapping[str, Any]) -> Write:
    wanted = data.get("waitingFor")
    word = wanted if isinstance(wanted, str) else ""
    claim, kind, strength = _STATUS_WAITS.get(word, (Claim.WAITING_INPUT, "dialog", Strength.HINT))
    if word == "permission prompt" and "tmux" not in data:
        strength = Strength.HINT  # 2.1.197 reports this for questions too
    return Write(
        claim, f"status waiting: {word or 'unnamed'}"[:80], strength=strength,
        waiting_for=WaitingFor(kind=kind), accepts_input=False,
    )  # fmt: skip
