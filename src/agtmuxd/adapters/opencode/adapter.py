"""Support OpenCode: its processes, the events of its plugins and our plugin that reports them.

Owns every fact about OpenCode except what its screen looks like (``rules.toml``). Measured on 1.18.33. The plugin runs
inside OpenCode. Its events are those of the bus (``event:NAME``) and of named hooks (``hook:NAME``).
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

from agtmuxd.adapters.argv import base_name, has_option, positional, program, words
from agtmuxd.adapters.contract import SESSION, Ending, HookPlan, HookStatus, Identity
from agtmuxd.adapters.settings import hook_command, json_hooks, key_bindings
from agtmuxd.adapters.shared import (
    RuleAdapter,
    checked_payload,
    exit_status,
    first_line,
    last_rows,
    questions,
    request_subject,
    shorten,
    text_of,
    tool_text,
    was_killed,
)
from agtmuxd.core.model import Claim, Phase, Proc, RawEvent, Signal, Strength, WaitingFor, Write
from agtmuxd.core.screen.controls import KeyOverrides

EVENTS: Final = (
    "event:session.created", "event:session.status", "event:session.idle", "event:session.error",
    "event:permission.asked", "event:permission.replied", "event:question.asked", "event:question.replied",
    "event:question.rejected", "hook:chat.message",
)  # fmt: skip
"""The events that the plugin passes on. Never the parts of a message: there is one per word."""

FILE: Final = "plugin/agtmux.js"

_SCRIPT: Final = re.compile(r"(?:opencode-ai/bin/opencode|/bin/opencode)(?:\.m?js)?$")
_SUBCOMMANDS: Final = words(
    "serve web acp auth providers models upgrade uninstall stats export import github pr mcp agent debug session "
    "plugin plug db completion console account"
)
_SERVERS: Final = words("serve web acp")
_NATIVE: Final = ("opencode", "opencode.exe")
_ONE_SHOT: Final = words("-v --version -h --help")
_VALUES: Final = words(
    "-m --model -s --session --prompt --agent --port --hostname --log-level --mdns-domain --cors -f --file --format "
    "--title --attach --dir --variant --command -p --password -u --username"
)
_EXIT_TEXT: Final = re.compile(r"opencode (?:-s|--session[ =])\s*ses_")
_OPTIONS: Final = ("Allow once", "Allow always", "Reject")
_START_NOTE: Final = (
    "OpenCode downloads @opencode-ai/plugin once, because a plugin is there. Without a network its start then "
    "takes long."
)


class OpenCodeAdapter(RuleAdapter):
    """OpenCode."""

    name = "opencode"
    agent_type = "opencode"
    innermost = True
    resume_command = ("opencode", "--session", SESSION)

    def identify(self, proc: Proc) -> Identity | None:
        """Recognise the native binary, or node running its shim; never its server or another one-shot command."""
        found = program(proc)
        if found is None:
            return None
        if found.node:
            if found.name != "opencode" and not _SCRIPT.search(found.path):
                return None
        elif found.name not in _NATIVE or not base_name(proc.comm).startswith("opencode"):
            return None
        command = positional(found.args, _VALUES)
        if command in _SUBCOMMANDS or has_option(found.args, _ONE_SHOT, _VALUES):
            return None
        return Identity(self.agent_type, headless=command == "run")

    # ------------------------------------------------------------------ events

    def normalise(self, event: RawEvent, prior: Mapping[str, Any]) -> Signal:
        """Turn one event of the plugin into a signal. Raises ValueError for another agent's event."""
        payload = checked_payload(event, self.agent_type)
        name = event.event_type.partition(":")[2] or event.event_type
        data = payload.get("input") if name == "chat.message" else payload
        where: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
        info = payload.get("info")
        child = text_of(where, "parentID") or (text_of(info, "parentID") if isinstance(info, Mapping) else None)
        session = text_of(where, "sessionID")
        agent = session if child else None
        kind = _CANONICAL.get(name, name)
        return Signal(
            event_type=f"subagent_{kind}" if agent and name in _CANONICAL else kind,
            writes=tuple(_writes(name, payload, agent, bool(prior.get("headless")))),
            session_id=None if agent else session,
            task=_task(payload) if name == "chat.message" and not agent else None,
            ambient=_is_elsewhere(event),
        )

    def config_home(self, env: Mapping[str, str], home: Path) -> Path:
        """Return ``OPENCODE_CONFIG_DIR``, else ``opencode`` in ``XDG_CONFIG_HOME`` or ``~/.config``."""
        if env.get("OPENCODE_CONFIG_DIR"):
            return Path(env["OPENCODE_CONFIG_DIR"])
        return (Path(env["XDG_CONFIG_HOME"]) if env.get("XDG_CONFIG_HOME") else home / ".config") / "opencode"

    def key_files(self, config_home: Path) -> Sequence[Path]:
        """See Rebindable."""
        return tuple(config_home / name for name in ("opencode.json", "opencode.jsonc", "tui.json", "tui.jsonc"))

    def key_overrides(self, texts: Sequence[str], argv: Sequence[str]) -> KeyOverrides:
        """See Rebindable."""
        return key_bindings.opencode(texts)

    def session_name(self, title: str, folder: str, status: Mapping[str, Any] | None) -> str | None:
        """Return the session's title from the pane title: ``OC | TITLE``. None while a sub-agent's session is shown."""
        name = title.removeprefix("OC | ").strip() if title.startswith("OC | ") else ""
        return None if name.endswith(" subagent)") else name or None

    def ended_in_order(self, ending: Ending) -> bool | None:
        """Judge by the exit text and the title: an orderly exit clears the title, a kill leaves the screen and title as
        they are.
        """
        if was_killed(ending.sample):
            return False
        if _EXIT_TEXT.search(last_rows(ending.sample, 12)):
            return True
        if ending.title_before.strip() and not ending.sample.title.strip():
            return True
        return exit_status(ending)

    # ------------------------------------------------------------------ the plugin

    def plan_hooks(self, config_home: Path, command: str, *, remove: bool) -> Sequence[HookPlan]:
        """Plan our own plugin file. Raises ValueError if somebody else's file has its name."""
        notes = () if remove else ("If OpenCode runs now, restart it to load the plugin.", _START_NOTE)
        ours = hook_command.OwnEntries.of(self.agent_type, command)
        path = json_hooks.own_file(config_home, FILE, ours)
        return (json_hooks.plan_own(path, ours, _plugin(command), remove_ours=remove, notes=notes),)

    def hook_status(self, config_home: Path, command: str) -> Sequence[HookStatus]:
        """Return whether our plugin is there."""
        ours = hook_command.OwnEntries.of(self.agent_type, command)
        path = json_hooks.own_file(config_home, FILE, ours)
        return (json_hooks.status_own(path, ours, _plugin(command), EVENTS, command=hook_command.of_plugin),)


def _plugin(command: str) -> str:
    text = resources.files("agtmuxd.adapters.opencode").joinpath("plugin.js").read_text(encoding="utf-8")
    argv = json.dumps([*shlex.split(command), "opencode"], ensure_ascii=False)
    return text.replace('["agtmux", "hook", "opencode"]', argv).replace("[/* events */]", json.dumps(EVENTS))


def _is_elsewhere(event: RawEvent) -> bool:
    """Return whether another OpenCode sent the event than the one in its pane.

    It is a server, whose terminals are in other panes, or a run as a command of an OpenCode. The argv of such a run may
    be gone, because the run ends while its last event is sent.
    """
    senders = [link.argv for link in event.chain if link.argv and base_name(link.argv[0]) in _NATIVE]
    if senders and not event.chain[0].argv:
        return True
    command = senders[0][1] if senders and len(senders[0]) > 1 else ""
    return command in _SERVERS or (command == "run" and len(senders) > 1)


_CANONICAL: Final = {
    "session.created": "session_start",
    "chat.message": "turn_start",
    "session.idle": "turn_end",
    "permission.asked": "approval_requested",
    "permission.replied": "approval_answered",
    "question.asked": "question_asked",
}


_OUTCOME: Final = "outcome"
"""How a turn ended that was not completed. The idle event that follows at once does not report this and must not
overwrite it. The next turn ends it.
"""


def _task(payload: Mapping[str, Any]) -> str | None:
    output = payload.get("output")
    parts = output.get("parts") if isinstance(output, Mapping) else None
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, Mapping) and part.get("type") == "text":
            return first_line(part.get("text"))
    return None


def _writes(name: str, payload: Mapping[str, Any], agent: str | None, headless: bool) -> list[Write]:
    if not payload and not name.endswith(".asked"):
        return []  # the session's data did not come in time, so the event's session and meaning are not known
    if name in ("permission.asked", "question.asked"):
        return [] if headless else [_asks(name, payload, request_subject(agent, text_of(payload, "id")))]
    answered = Write(None, name, subject=request_subject(agent, text_of(payload, "requestID")))
    refused = name == "question.rejected" or payload.get("reply") == "reject"
    if name in ("permission.replied", "question.replied", "question.rejected"):
        # A refusal ends the turn in a moment. The end event then does not mean that it was completed.
        end = Write(Claim.IDLE, f"{name} refused", subject=_OUTCOME) if refused else Write(None, name, subject=_OUTCOME)
        return [answered] if agent else [Write(Claim.RUNNING, name, phase=Phase.DURING), answered, end]
    if agent:
        return [answered] if name == "session.idle" else []
    if name == "chat.message":
        return [Write(Claim.RUNNING, name, phase=Phase.START), answered, Write(None, name, subject=_OUTCOME)]
    if name == "session.status":
        return _status(name, payload)
    if name == "session.idle":
        # Comes after an interrupt, a refusal and a failure as well, and does not say which. The screen does.
        return [Write(Claim.COMPLETED, name, phase=Phase.END, strength=Strength.HINT), answered]
    if name == "session.error":
        return _failed(name, payload)
    return []


def _status(name: str, payload: Mapping[str, Any]) -> list[Write]:
    status = payload.get("status")
    kind = status.get("type") if isinstance(status, Mapping) else None
    if kind not in ("busy", "retry"):
        return []
    detail = shorten(status.get("message")) if isinstance(status, Mapping) else None
    # A turn that ends while it waits to retry was given up. A turn that goes on reports busy first.
    trying = Claim.IDLE if kind == "retry" else None
    return [
        Write(Claim.RUNNING, f"{name} {kind}", phase=Phase.DURING, detail=detail),
        Write(trying, f"{name} {kind}", subject=_OUTCOME),
    ]


def _failed(name: str, payload: Mapping[str, Any]) -> list[Write]:
    raw = payload.get("error")
    error: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
    if error.get("name") == "MessageAbortedError":
        ended = Write(Claim.IDLE, f"{name} aborted", subject=_OUTCOME, phase=Phase.END)
        return [ended, Write(None, name, subject="approval:main")]
    data = error.get("data")
    detail = shorten(data.get("message")) if isinstance(data, Mapping) else None
    return [Write(Claim.ERROR, name, subject=_OUTCOME, phase=Phase.END, detail=detail)]


def _asks(name: str, payload: Mapping[str, Any], subject: str) -> Write:
    if name == "question.asked":
        asked = questions("question", payload)
        return Write(Claim.WAITING_INPUT, name, subject=subject, waiting_for=asked, accepts_input=False)
    patterns = payload.get("patterns")
    listed = " ".join(p for p in patterns if isinstance(p, str)) if isinstance(patterns, list) else None
    text = tool_text(payload.get("metadata")) or shorten(listed)
    wanted = WaitingFor("approval", subject=text_of(payload, "permission"), text=text, options=_OPTIONS)
    return Write(Claim.WAITING_APPROVAL, name, subject=subject, waiting_for=wanted, accepts_input=False)
