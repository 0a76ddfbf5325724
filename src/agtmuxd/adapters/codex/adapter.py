"""Support Codex CLI: its processes, hooks, notify and settings.

Owns every fact about Codex except what its screen looks like (``rules.toml``). Measured on 0.169.0. Its hooks come from
an app server that all its panes share. So the pane and the chain of such an event prove nothing: the event is ambient.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

from agtmuxd.adapters.argv import base_name, has_option, positional, program, words
from agtmuxd.adapters.codex import app_server, transcript
from agtmuxd.adapters.codex import notify as codex_notify
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
from agtmuxd.core.screen.title import published

EVENTS: Final = (
    "SessionStart", "UserPromptSubmit", "PreToolUse", "PermissionRequest", "PostToolUse", "Stop", "Interrupt",
    "PreCompact", "PostCompact",
)  # fmt: skip
TIMEOUT_S: Final = 5
INTERRUPT_TIMEOUT_S: Final = 3  # the longest time that Codex allows

TRUST_NOTE: Final = (
    "Codex runs new hooks only after you trusted them: it asks at its next start ('Hooks need review'); choose "
    "'Trust all and continue', or look at them by /hooks first."
)

TRUSTED: Final = "Codex trusts these hooks."

_SCRIPT: Final = re.compile(r"(?:@openai/codex[^/]*/bin/codex(?:\.m?js)?|/bin/codex)$")
_BINARY: Final = re.compile(r"codex(?:-(?:x86_64|aarch64)[\w-]*)?")
_VALUES: Final = words(
    "-c --config -m --model -p --profile -s --sandbox -a --ask-for-approval -C --cd -i --image --add-dir --enable "
    "--disable --local-provider --remote --remote-auth-token-env"
)
_HEADLESS: Final = frozenset({"exec", "e", "review"})
_SUBCOMMANDS: Final = words(
    "app-server mcp-server mcp login logout completion sandbox debug apply a cloud features doctor update app plugin "
    "exec-server responses-api-proxy stdio-to-uds remote-control execpolicy agents archive unarchive delete "
    "help"
)
_ONE_SHOT: Final = frozenset({"-V", "--version", "-h", "--help"})
_QUESTION_TOOLS: Final = frozenset({"request_user_input"})
_NO_NAME: Final = re.compile(
    r"(?:Ready|Working|Thinking|Waiting|Starting|Undoing|Action Required|codex|[0-9a-f]{8}-[0-9a-f-]+.*|gpt-\S+)$", re.I
)
"""What else Codex's settings may show before the folder: its state, its own name, the id of the thread, the model."""
_TITLE_PROMPT: Final = "Generate a concise, single-line task title"
_SPINNER: Final = re.compile(r"^[⠁-⣿] |^\[ [!.] \] ")
_EXIT_TEXT: Final = re.compile(r"Disconnected from this task|To continue this session, run|codex resume [0-9a-f]{8}-")


class CodexAdapter(RuleAdapter):
    """Codex CLI."""

    name = "codex"
    agent_type = "codex"
    innermost = True
    resume_command = ("codex", "resume", SESSION)

    def identify(self, proc: Proc) -> Identity | None:
        """Recognise the native binary or its npm shim; never the app server or another one-shot command."""
        found = program(proc)
        if found is None:
            return None
        if found.node:
            if found.name != "codex" and not _SCRIPT.search(found.path):
                return None
        elif not _BINARY.fullmatch(found.name) or not base_name(proc.comm).startswith("codex"):
            return None
        command = positional(found.args, _VALUES)
        if command in _SUBCOMMANDS or has_option(found.args, _ONE_SHOT, _VALUES):
            return None
        return Identity(self.agent_type, headless=command in _HEADLESS)

    # ------------------------------------------------------------------ events

    def normalise(self, event: RawEvent, prior: Mapping[str, Any]) -> Signal:
        """Turn one hook or notify event into a signal. Raises ValueError for another agent's event."""
        payload = checked_payload(event, self.agent_type)
        if event.source is Source.TRANSCRIPT:
            return transcript.understand(event, payload)
        if event.source is Source.NOTIFY or "thread-id" in payload:
            return _notify(payload, prior, by_shared_server(event))
        name = event_name(event, payload)
        agent = text_of(payload, "agent_id")
        headless = bool(prior.get("headless"))
        writes = _of_subagent(name, payload, agent, headless) if agent else _of_main(name, payload, headless)
        kind = _CANONICAL.get(name, name)
        return Signal(
            event_type=f"subagent_{kind}" if agent and name in _CANONICAL else kind,
            writes=tuple(writes),
            session_id=text_of(payload, "session_id"),
            transcript_path=None if agent else text_of(payload, "transcript_path"),
            cwd=text_of(payload, "cwd"),
            task=first_line(payload.get("prompt")) if name == "UserPromptSubmit" and not agent else None,
            message=first_words(payload.get("last_assistant_message")) if name == "Stop" and not agent else None,
            # SessionEnd is no sign of an exit. It comes 60 s after the TUI left, or for a thread that another TUI took
            # over.
            session_ended=False,
            ambient=by_shared_server(event),
        )

    def config_home(self, env: Mapping[str, str], home: Path) -> Path:
        """Return ``CODEX_HOME``, else ``~/.codex``."""
        return Path(env["CODEX_HOME"]) if env.get("CODEX_HOME") else home / ".codex"

    def key_files(self, config_home: Path) -> Sequence[Path]:
        """See Rebindable."""
        return tuple(config_home / name for name in ("config.toml",))

    def key_overrides(self, texts: Sequence[str], argv: Sequence[str]) -> KeyOverrides:
        """See Rebindable."""
        return key_bindings.codex(texts[-1] if texts else "", argv)

    # ------------------------------------------------------------------ transcript

    def transcript_path(self, status: Mapping[str, Any], proc: Proc, config_home: Path) -> Path | None:
        """Return None: Codex keeps no status file."""
        return None

    def transcript_tree(self, config_home: Path) -> tuple[Path, int] | None:
        """Return ``sessions/YYYY/MM/DD``. The date is the local date of the process that writes the file."""
        return config_home / "sessions", 3

    def read_opening(self, line: Mapping[str, Any]) -> SessionHeader | None:
        """Read the first line of a thread that a terminal began."""
        return transcript.opening(line)

    def read_line(self, line: Mapping[str, Any]) -> TranscriptEvent | None:
        """Read one line of the rollout file."""
        return transcript.read(line)

    def last_message(self, lines: Sequence[Mapping[str, Any]]) -> str | None:
        """Return the last message in these lines."""
        return last_message(lines, transcript.read)

    # ------------------------------------------------------------------ app server

    def server_socket(self, config_home: Path) -> Path:
        """Return the link that the app server leaves."""
        return app_server.socket_path(config_home)

    def converse(self, version: str) -> app_server.Conversation:
        """Start a conversation with the app server."""
        return app_server.Conversation(version)

    def session_name(self, title: str, folder: str, status: Mapping[str, Any] | None) -> str | None:
        """Return the thread's title from a pane title in Codex's own form: ``TITLE | FOLDER``. Other forms may hold
        anything in its place.
        """
        text = published(title).removeprefix("Action Required | ")
        name, bar, place = text.rpartition(" | ")
        if not bar or place != PurePosixPath(folder).name or " | " in name or _NO_NAME.match(name):
            return None
        return name or None

    def ended_in_order(self, ending: Ending) -> bool | None:
        """Judge by the exit text and by the title: an orderly exit clears it, a kill leaves it as it was."""
        if was_killed(ending.sample):
            return False
        if _EXIT_TEXT.search(last_rows(ending.sample, 12)):
            return True
        if ending.title_before.strip() and not ending.sample.title.strip():
            return True
        if _SPINNER.match(ending.sample.title):
            return False
        status = exit_status(ending)
        if status is None and not ending.sample.alternate_on and self.look(ending.sample, None) is None:
            return True  # it left from a start-up dialog, which has no title: the terminal was restored
        return status

    # ------------------------------------------------------------------ hooks

    def plan_hooks(self, config_home: Path, command: str, *, remove: bool) -> Sequence[HookPlan]:
        """Plan the changes: our hooks in ``hooks.json``, and ``notify`` in ``config.toml`` if it is free. Raises
        ValueError.
        """
        notes = () if remove else (TRUST_NOTE, "Threads that are open now keep the hooks they started with.")
        ours = hook_command.OwnEntries.of(self.agent_type, command)
        hooks = json_hooks.plan(config_home / "hooks.json", ours, _groups(command), remove_ours=remove, notes=notes)
        return (hooks, codex_notify.plan(config_home / "config.toml", ours, command, remove=remove))

    def hook_status(self, config_home: Path, command: str) -> Sequence[HookStatus]:
        """Return whether our hooks are in ``hooks.json`` and our notify in ``config.toml``."""
        config, file = config_home / "config.toml", config_home / "hooks.json"
        ours = hook_command.OwnEntries.of(self.agent_type, command)
        notify = codex_notify.status(config, ours, command)
        hooks = json_hooks.status(file, ours, _groups(command))
        if hooks.installed:
            note = _trust(file, config, ours)
            void = (TRUST_NOTE,) if note == TRUSTED else ()
            hooks = replace(hooks, notes=(note,), void=void, switched_off=_switched_off(config))
        return (hooks, notify)


SYSTEM: Final = Path("/etc/codex")
"""The folder of an administrator's ``requirements.toml``, ``managed_config.toml`` and ``config.toml``."""


def _switched_off(config: Path) -> str | None:
    """Return the setting that keeps Codex from running the hooks in ``hooks.json`` (0.171.0). It does not affect
    ``notify``.
    """
    keys = (("features.hooks", False), ("features.codex_hooks", False))
    required = SYSTEM / "requirements.toml"
    wanted = (*keys, ("allow_managed_hooks_only", True))
    by_admin = hook_switches.any_off([(required, hook_switches.toml_settings(required))], wanted)
    if by_admin is not None:
        return by_admin
    own = hook_switches.toml_settings(config)
    profile = hook_switches.at(own, "profile")
    files = [(SYSTEM / "managed_config.toml", hook_switches.toml_settings(SYSTEM / "managed_config.toml"))]
    if isinstance(profile, str) and isinstance(chosen := hook_switches.at(own, f"profiles.{profile}"), Mapping):
        files.append((config, chosen))
    files += [(config, own), (SYSTEM / "config.toml", hook_switches.toml_settings(SYSTEM / "config.toml"))]
    return hook_switches.first_off(files, keys)


def _groups(command: str) -> dict[str, dict[str, Any]]:
    def group(event: str) -> dict[str, Any]:
        limit = INTERRUPT_TIMEOUT_S if event == "Interrupt" else TIMEOUT_S
        return {"hooks": [{"type": "command", "command": hook_command.line(command, "codex"), "timeout": limit}]}

    return {event: group(event) for event in EVENTS}


def _trust(file: Path, config: Path, ours: hook_command.OwnEntries) -> str:
    """Return what Codex's own settings say about trust in our hooks. Only Codex can tell whether its hash
    still fits.
    """
    hooks = codex_notify.settings(config, json_hooks.read(config) or "").get("hooks")
    state = hooks.get("state") if isinstance(hooks, Mapping) else None
    known = state if isinstance(state, Mapping) else {}
    waiting, placed = [], list(json_hooks.places(file, ours))
    for event, group, index in placed:
        snake = re.sub(r"(?<!^)(?=[A-Z])", "_", event).lower()
        entry = known.get(f"{file}:{snake}:{group}:{index}")
        if not isinstance(entry, Mapping) or not entry.get("trusted_hash"):
            waiting.append(event)
    if not waiting:
        return TRUSTED
    which = "runs none of them" if len(waiting) == len(placed) else f"does not run {', '.join(waiting)}"
    return f"Not trusted yet, so Codex {which}. {TRUST_NOTE}"


_CANONICAL: Final = {
    "SessionStart": "session_start",
    "SessionEnd": "session_end",
    "UserPromptSubmit": "turn_start",
    "PreToolUse": "tool_start",
    "PostToolUse": "tool_end",
    "PermissionRequest": "approval_requested",
    "Stop": "turn_end",
    "Interrupt": "turn_interrupted",
}


def _answered(name: str, agent: str | None) -> Write:
    return Write(None, name, subject=f"approval:{agent or 'main'}")


def _asks(name: str, payload: Mapping[str, Any], agent: str | None) -> Write:
    tool = text_of(payload, "tool_name") or "tool"
    wanted = WaitingFor(kind="approval", subject=tool, text=tool_text(payload.get("tool_input")))
    return Write(
        Claim.WAITING_APPROVAL, name, subject=f"approval:{agent or 'main'}", waiting_for=wanted, accepts_input=False
    )


def _of_subagent(name: str, payload: Mapping[str, Any], agent: str, headless: bool) -> list[Write]:
    if name == "PermissionRequest":
        return [] if headless else [_asks(name, payload, agent)]
    if name in ("PostToolUse", "SubagentStop"):
        return [_answered(name, agent)]
    return []


def _of_main(name: str, payload: Mapping[str, Any], headless: bool) -> list[Write]:
    if name == "UserPromptSubmit":
        return [Write(Claim.RUNNING, name, phase=Phase.START), _answered(name, None)]
    if name == "PreModelRequest":
        return [Write(Claim.RUNNING, name, phase=Phase.DURING)]
    if name == "PreToolUse":
        writes = [Write(Claim.RUNNING, name, phase=Phase.DURING)]
        tool = text_of(payload, "tool_name") or ""
        if tool in _QUESTION_TOOLS and not headless:
            asked = questions(tool, payload.get("tool_input"))
            writes.append(
                Write(Claim.WAITING_INPUT, name, subject="approval:main", waiting_for=asked, accepts_input=False)
            )
        return writes
    if name == "PermissionRequest":
        return [] if headless else [_asks(name, payload, None)]
    if name == "PostToolUse":
        return [Write(Claim.RUNNING, name, phase=Phase.DURING), _answered(name, None)]
    if name == "Stop":
        return [Write(Claim.COMPLETED, name, phase=Phase.END), _answered(name, None)]
    if name == "Interrupt":
        return [Write(Claim.IDLE, name, phase=Phase.END), _answered(name, None)]
    if name == "PreCompact":
        return [Write(Claim.RUNNING, name, phase=Phase.DURING)]
    if name == "PostCompact":
        # /compact has neither Stop nor notify, so Codex itself reports its end. One in mid-turn goes on with the turn.
        if payload.get("trigger") == "manual":
            return [Write(Claim.COMPLETED, name, phase=Phase.END)]
        return [Write(Claim.RUNNING, name, phase=Phase.DURING)]
    return []


def by_shared_server(event: RawEvent) -> bool:
    """Return whether the app server sent the event. True too if nothing shows otherwise: no link of the chain is a
    Codex.

    The nearest Codex in the chain sent it. A Codex that runs as a tool stands below the app server, which runs the
    tools.
    """
    for link in event.chain:
        if any(_names_codex(word) for word in link.argv[:2]):
            return "app-server" in link.argv
    return True


def _names_codex(word: str) -> bool:
    """Return whether this first or second word of a command line is the program or the script of its shim."""
    return _BINARY.fullmatch(base_name(word)) is not None or _SCRIPT.search(word) is not None


def _notify(payload: Mapping[str, Any], prior: Mapping[str, Any], ambient: bool) -> Signal:
    """Handle ``agent-turn-complete``, unless it is of the thread that makes a title, of a sub-agent, or of another
    thread.
    """
    thread = text_of(payload, "thread-id")
    known = prior.get("agent_session_id")
    given = payload.get("input-messages")
    messages = given if isinstance(given, list) else []
    title = any(isinstance(m, str) and m.startswith(_TITLE_PROMPT) for m in messages[:1])
    foreign = not messages or title or (known is not None and thread != known)
    if payload.get("type") != "agent-turn-complete" or foreign:
        return Signal("notify_ignored", session_id=None if title or not messages else thread, ambient=ambient)
    strength = Strength.DEFINITIVE if known is not None else Strength.HINT
    write = Write(Claim.COMPLETED, "notify agent-turn-complete", phase=Phase.END, strength=strength)
    message = first_words(payload.get("last-assistant-message"))
    return Signal(
        "turn_end", (write,), session_id=thread, cwd=text_of(payload, "cwd"), message=message, ambient=ambient
    )
