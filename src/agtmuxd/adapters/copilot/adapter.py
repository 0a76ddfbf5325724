"""Support GitHub Copilot CLI: its processes, and its hooks with their file.

Owns every fact about Copilot CLI except what its screen looks like (``rules.toml``). Measured on 1.0.102. Its hooks do
not report an interrupt, a refusal, or a failure after its last retry. Its event log does (``transcript``).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from agtmuxd.adapters.argv import base_name, has_option, positional, program, words
from agtmuxd.adapters.contract import (
    SESSION,
    Ending,
    HookPlan,
    HookStatus,
    Identity,
    SessionHeader,
    TranscriptEvent,
    TranscriptOwner,
)
from agtmuxd.adapters.copilot import transcript
from agtmuxd.adapters.settings import hook_command, hook_switches, json_hooks
from agtmuxd.adapters.shared import (
    RuleAdapter,
    checked_payload,
    exit_status,
    first_line,
    last_rows,
    shorten,
    text_of,
    tool_text,
    was_killed,
)
from agtmuxd.adapters.transcripts import last_message
from agtmuxd.core.model import Claim, Phase, Proc, RawEvent, Sample, Signal, Source, WaitingFor, Write
from agtmuxd.core.state.registers import WAITS

EVENTS: Final = (
    "sessionStart", "userPromptSubmitted", "preToolUse", "notification", "postToolUse", "errorOccurred", "agentStop",
    "subagentStop", "sessionEnd",
)  # fmt: skip
"""The hook events that agtmux installs, in this spelling: with PascalCase names, Copilot never reported the prompt and
the end of a turn. Not permissionRequest: it also comes for requests that the user is not asked about.
"""

TIMEOUT_S: Final = 5
FILE: Final = "hooks/agtmux.json"

_SCRIPT: Final = re.compile(r"(?:@github/copilot[^/]*/[\w-]+\.m?js|/bin/copilot)$")
_SUBCOMMANDS: Final = words("help init login logout mcp plugin plugins update version completion")
_ONE_SHOT: Final = words("-v --version --binary-version -h --help")
_HEADLESS: Final = words("-p --prompt --acp")
_VALUES: Final = words(
    "--model --agent --add-dir --allow-tool --deny-tool --allow-url --deny-url --available-tools --excluded-tools "
    "--additional-mcp-config --disable-mcp-server --config-dir --log-dir --log-level --output-format --stream "
    "-i --interactive --banner --resume --connect"
)
_TITLE: Final = "GitHub Copilot"
_WAITS: Final = re.compile(r"(?:^| - )Waiting for background \w+$")
_EXIT_TEXT: Final = re.compile(r"copilot --resume=[0-9a-f]{8}-|explicit model\. Run `copilot help")


class CopilotAdapter(RuleAdapter):
    """GitHub Copilot CLI."""

    name = "copilot"
    agent_type = "copilot"
    innermost = True
    resume_command = ("copilot", "--resume=" + SESSION)

    def identify(self, proc: Proc) -> Identity | None:
        """Recognise the native binary or its npm shim."""
        found = program(proc)
        if found is None:
            return None
        if found.node:
            if found.name != "copilot" and not _SCRIPT.search(found.path):
                return None
        elif found.name != "copilot" or base_name(proc.comm) not in ("copilot", "MainThread"):
            return None
        if positional(found.args, _VALUES) in _SUBCOMMANDS or has_option(found.args, _ONE_SHOT, _VALUES):
            return None
        return Identity(self.agent_type, headless=has_option(found.args, _HEADLESS, _VALUES))

    def look(self, sample: Sample, before: Claim | None) -> Write | None:
        """Read the screen. If the sidebar of sessions is open, read what is beside it. The sidebar's marks are about
        sessions that are not on the screen.
        """
        marks = _sidebar(sample)
        if marks is None:
            return super().look(sample, before)
        found = super().look(_without_sidebar(sample), before)
        if found is not None and found.claim in WAITS:
            return found
        if "!" in marks:
            return Write(Claim.WAITING_APPROVAL, "sidebar", waiting_for=WaitingFor("approval", "another session"))
        if "?" in marks:
            return Write(Claim.WAITING_INPUT, "sidebar", waiting_for=WaitingFor("question", "another session"))
        return found

    # ------------------------------------------------------------------ events

    def normalise(self, event: RawEvent, prior: Mapping[str, Any]) -> Signal:
        """Turn one hook event into a signal. The payload does not name the event. Raises ValueError for another agent's
        event.
        """
        payload = checked_payload(event, self.agent_type)
        if event.source is Source.TRANSCRIPT:
            return transcript.understand(event, payload)
        name = event.event_type
        agent = text_of(payload, "agentId") if text_of(payload, "parentAgentId") else None
        headless = bool(prior.get("headless"))
        kind = _CANONICAL.get(name, name)
        if not agent and name not in _SHOWS and _is_of_hidden_session(payload, prior):
            # The user left this session with /new, and it works on. Its requests count. Its turn is not the visible
            # session's.
            asks = [w for w in _writes(name, payload, agent, headless) if w.subject.startswith("approval:")]
            return Signal(f"behind_{kind}", tuple(w for w in asks if w.subject != "approval:main"))
        return Signal(
            event_type=f"subagent_{kind}" if agent and name in _CANONICAL else kind,
            writes=tuple(_writes(name, payload, agent, headless)),
            session_id=None if agent else text_of(payload, "sessionId"),  # a sub-agent has an id of its own
            transcript_path=None if agent else text_of(payload, "transcriptPath"),
            cwd=text_of(payload, "cwd"),
            task=first_line(payload.get("prompt")) if name == "userPromptSubmitted" and not agent else None,
            session_ended=name == "sessionEnd",
        )

    def config_home(self, env: Mapping[str, str], home: Path) -> Path:
        """Return ``COPILOT_HOME``, else ``~/.copilot``."""
        return Path(env["COPILOT_HOME"]) if env.get("COPILOT_HOME") else home / ".copilot"

    # ------------------------------------------------------------------ transcript

    def transcript_path(self, status: Mapping[str, Any], proc: Proc, config_home: Path) -> Path | None:
        """Return None: Copilot CLI keeps no status file."""
        return None

    def transcript_tree(self, config_home: Path) -> tuple[Path, int] | None:
        """Return None: open files and hooks name the file."""
        return None

    def read_opening(self, line: Mapping[str, Any]) -> SessionHeader | None:
        """Return None: open files and hooks name the file."""
        return None

    def open_transcripts(self, files: Sequence[str], config_home: Path) -> Sequence[TranscriptOwner]:
        """Find ``session-state/<session>/inuse.<pid>.hold``, which is open from the start of a session to its end.

        One process may have several sessions at work (``/new`` and its sidebar). It shows one of them.
        """
        return transcript.open_logs(files, config_home)

    def read_line(self, line: Mapping[str, Any]) -> TranscriptEvent | None:
        """Read one line of the event log."""
        return transcript.read(line)

    def last_message(self, lines: Sequence[Mapping[str, Any]]) -> str | None:
        """Return the last message in these lines."""
        return last_message(lines, transcript.read)

    def session_name(self, title: str, folder: str, status: Mapping[str, Any] | None) -> str | None:
        """Return the session's name from the title: ``NAME - GitHub Copilot``, maybe with what it waits for between."""
        name, mark, _ = title.rpartition(f" - {_TITLE}")
        return _WAITS.sub("", name).strip() or None if mark and title.endswith(_TITLE) else None

    def ended_in_order(self, ending: Ending) -> bool | None:
        """Judge by the hook and the exit text. An orderly exit leaves the alternate screen and restores the
        old title.
        """
        if ending.session_ended:
            return True
        if was_killed(ending.sample):
            return False
        if _EXIT_TEXT.search(last_rows(ending.sample, 12)):
            return True
        if ending.title_before.endswith(_TITLE) and not ending.sample.title.endswith(_TITLE):
            return True
        return exit_status(ending)

    # ------------------------------------------------------------------ hooks

    def plan_hooks(self, config_home: Path, command: str, *, remove: bool) -> Sequence[HookPlan]:
        """Plan our own file among the user's files. Raises ValueError if somebody else's file has its name."""
        notes = () if remove else ("Sessions that are open now keep the hooks they started with.",)
        ours = hook_command.OwnEntries.of(self.agent_type, command)
        path = json_hooks.own_file(config_home, FILE, ours)
        return (json_hooks.plan_own(path, ours, _file(command), remove_ours=remove, notes=notes),)

    def hook_status(self, config_home: Path, command: str) -> Sequence[HookStatus]:
        """Return whether our file is there, and whether its hooks are turned off."""
        ours = hook_command.OwnEntries.of(self.agent_type, command)
        path = json_hooks.own_file(config_home, FILE, ours)
        found = json_hooks.status_own(path, ours, _file(command), EVENTS, command=_command)
        # 1.0.102 runs the hooks of this folder although the user's settings.json says "disableAllHooks"
        off = hook_switches.any_off([(path, hook_switches.json_settings(path))], (("disableAllHooks", True),))
        return (replace(found, switched_off=off if found.installed else None),)


_SIDEBAR: Final = re.compile(r"  ← +\+ +│")
_MARK: Final = re.compile(r"  ([!?])  \S[^│]*│")


def _sidebar(sample: Sample) -> str | None:
    """Return the sidebar's marks of sessions that ask for something. None if the sidebar is not open."""
    if not sample.lines or _SIDEBAR.match(sample.lines[0]) is None:
        return None
    return "".join(found[1] for row in sample.lines if (found := _MARK.match(row)) is not None)


def _without_sidebar(sample: Sample) -> Sample:
    """Return the same screen without the sidebar."""
    edge = sample.lines[0].index("│") + 1
    rows = tuple(row.partition("│")[2] for row in sample.lines)
    cursor = max(0, sample.cursor_x - edge)
    return replace(sample, lines=rows, cols=max(1, sample.cols - edge), cursor_x=cursor, styles=None)


def _file(command: str) -> str:
    def entry(event: str) -> dict[str, Any]:
        return {
            "type": "command",
            "bash": hook_command.line(command, "copilot", "--event", event),
            "timeoutSec": TIMEOUT_S,
        }

    return json.dumps({"version": 1, "hooks": {event: [entry(event)] for event in EVENTS}}, indent=2) + "\n"


def _command(text: str) -> str | None:
    """Return the command line of the first hook in our file."""
    try:
        hooks = json.loads(text)["hooks"]
        return str(next(iter(hooks.values()))[0]["bash"])
    except (ValueError, LookupError, TypeError, AttributeError, StopIteration):
        return None  # somebody changed our file, so there is no command to test


_SHOWS: Final = ("sessionStart", "userPromptSubmitted")
"""Events of a session that the user wrote to: so it is the session on the screen."""


def _is_of_hidden_session(payload: Mapping[str, Any], prior: Mapping[str, Any]) -> bool:
    """Return whether the event is of a session of the process that is not on the screen, as far as that is known."""
    session, shows = text_of(payload, "sessionId"), text_of(prior, "agent_session_id")
    return session is not None and shows is not None and session != shows


_CANONICAL: Final = {
    "sessionStart": "session_start",
    "sessionEnd": "session_end",
    "userPromptSubmitted": "turn_start",
    "preToolUse": "tool_start",
    "postToolUse": "tool_end",
    "agentStop": "turn_end",
}


def _writes(name: str, payload: Mapping[str, Any], agent: str | None, headless: bool) -> list[Write]:
    answered = Write(None, name, subject="approval:main")
    if name == "notification":
        return [] if headless else _notification(name, payload)
    if agent:
        return _answers_request(name, payload) if name == "postToolUse" else []
    if name == "userPromptSubmitted":
        return [Write(Claim.RUNNING, name, phase=Phase.START), answered]
    if name == "preToolUse":
        return [Write(Claim.RUNNING, name, phase=Phase.DURING)]
    if name == "postToolUse":
        return [Write(Claim.RUNNING, name, phase=Phase.DURING), *_answers_request(name, payload)]
    if name == "errorOccurred":
        # The last failure, with no retry after it, looks the same. Only the screen shows that it is the last.
        detail = (
            shorten((payload.get("error") or {}).get("message")) if isinstance(payload.get("error"), dict) else None
        )
        return [Write(Claim.RUNNING, name, phase=Phase.DURING, detail=detail)]
    if name == "agentStop":
        return [Write(Claim.COMPLETED, name, phase=Phase.END), answered]
    return []


def _notification(name: str, payload: Mapping[str, Any]) -> list[Write]:
    kind = payload.get("notification_type")
    if kind == "permission_prompt":
        text = text_of(payload, "message")
        wanted = WaitingFor("approval", text=shorten(text) or tool_text(payload.get("toolInput")))
        # Examples: "Run command: make", "Edit file: /src/a", "Path permission needed: /etc/hosts"
        subject = _request(text.partition(": ")[2] or text) if text else "approval:main"
        return [Write(Claim.WAITING_APPROVAL, name, subject=subject, waiting_for=wanted, accepts_input=False)]
    if kind == "elicitation_dialog":
        wanted = WaitingFor("question", subject="ask_user")
        return [Write(Claim.WAITING_INPUT, name, subject="approval:main", waiting_for=wanted, accepts_input=False)]
    return []


def _answers_request(name: str, payload: Mapping[str, Any]) -> list[Write]:
    """Return the answer to what a tool that ran had asked for, if it had. Requests have no id here, but name what they
    are about.
    """
    if payload.get("toolName") == "ask_user":
        return [Write(None, name, subject="approval:main")]
    given = payload.get("toolArgs")
    args = given if isinstance(given, Mapping) else {}
    cwd = text_of(payload, "cwd")
    about = {text for key in ("command", "path", "url") if (text := text_of(args, key)) is not None}
    if cwd is not None and (path := text_of(args, "path")) is not None:
        about.add(os.path.normpath(os.path.join(cwd, path)))
    return [Write(None, name, subject=_request(text)) for text in sorted(about)]


def _request(about: str) -> str:
    """Return the subject of a request. Several may be open at once.

    It does not say which agent asks: it may be a sub-agent. So it does not end with the main agent's turn.
    """
    name = hashlib.blake2s(about.encode(errors="surrogatepass"), digest_size=6).hexdigest()
    return f"approval:{name}"
