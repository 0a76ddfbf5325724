"""Share code among the shipped adapters: screen rules, the shape of hook commands, small readers of payloads.

Owns no facts about any agent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

from agtmux.protocol.text import one_line
from agtmuxd.adapters.contract import CONTRACT_VERSION, Capabilities, Ending, HookPlan, HookStatus
from agtmuxd.core.model import Claim, Proc, RawEvent, Sample, WaitingFor, Write
from agtmuxd.core.screen.controls import Controls
from agtmuxd.core.screen.rule_file import load
from agtmuxd.core.screen.rules import RuleSet

TASK_CHARS: Final = 200
TEXT_CHARS: Final = 2000

ALL: Final = Capabilities(
    event_driven=True,
    polling_required=True,
    supports_waiting_approval=True,
    supports_waiting_input=True,
    supports_completed=True,
)

_KILLED: Final = re.compile(
    r"\b(?:Killed|Segmentation fault|Aborted|Bus error|terminated by signal SIG\w+)\b|: killed\b"
)


def shipped_rules(agent: str) -> RuleSet:
    """Return the rules file of ``agent`` in this package. Raises RuleFileError."""
    file = resources.files("agtmuxd.adapters") / agent / "rules.toml"
    return load(file.read_text(encoding="utf-8"), f"{agent}.toml", agent)


class RuleAdapter:
    """An adapter that reads its agent's screen by a rules file. Subclasses add the rest."""

    name = ""
    agent_type = ""
    version = "1.0.0"
    contract_version = CONTRACT_VERSION
    capabilities = ALL
    innermost = False
    screens: Path | None = None
    """The folder of captured screens that the adapter's own rules name as samples, if there is one."""

    def __init__(self, rules: RuleSet | None = None) -> None:
        self.shipped = rules if rules is not None else shipped_rules(self.agent_type)
        self.rules = self.shipped  # until the user's rules are added

    def look(self, sample: Sample, before: Claim | None) -> Write | None:
        """Turn one sample into one claim by the rules file."""
        return self.rules.look(sample, before)

    def controls(self) -> Controls:
        """Return how to operate the agent, by the rules file."""
        return self.rules.controls()

    def status_path(self, proc: Proc, config_home: Path) -> Path | None:
        """Return None: this agent keeps no status file."""
        return None

    def read_status(self, data: Mapping[str, Any], proc: Proc) -> Sequence[Write]:
        """Return nothing: this agent keeps no status file."""
        return ()

    def plan_hooks(self, config_home: Path, command: str, *, remove: bool) -> Sequence[HookPlan]:
        """Return nothing: this agent has no hooks."""
        return ()

    def hook_status(self, config_home: Path, command: str) -> Sequence[HookStatus]:
        """Return nothing: this agent has no hooks."""
        return ()


def text_of(payload: Mapping[str, Any], key: str) -> str | None:
    """Return a string of a payload. None for any other type and for an empty string."""
    value = payload.get(key)
    return value if isinstance(value, str) and value else None


def first_words(message: Any) -> str | None:
    """Return the first line of an agent's message that is not blank, at most 200 characters. None for blank text."""
    if not isinstance(message, str):
        return None
    lines = (one_line(x).strip() for x in message.strip()[:TEXT_CHARS].splitlines())
    line = next((x for x in lines if x), "")
    return (line if len(line) <= TASK_CHARS else line[: TASK_CHARS - 1] + "…") or None


def first_line(prompt: Any) -> str | None:
    """Return the prompt on one line of at most 200 characters. None for blank text and for the agent's own notices."""
    if not isinstance(prompt, str):
        return None
    line = next((x for x in prompt.strip().splitlines() if x.strip()), "")
    line = one_line(line).strip()
    if not line or line.startswith("<"):
        return None
    return line if len(line) <= TASK_CHARS else line[: TASK_CHARS - 1] + "…"


def shorten(text: Any) -> str | None:
    """Return the text of a request on one line of at most 2000 characters."""
    if not isinstance(text, str) or not text.strip():
        return None
    return " ".join(one_line(text).split())[:TEXT_CHARS]


def tool_text(tool_input: Any) -> str | None:
    """Return what a tool is about to do, in the shortest form that its input gives."""
    if not isinstance(tool_input, Mapping):
        return None
    for key in ("command", "file_path", "path", "url", "plan", "query", "pattern", "description"):
        found = shorten(tool_input.get(key))
        if found is not None:
            return found
    return None


def questions(tool: str, tool_input: Any) -> WaitingFor:
    """Return what a question tool asks: the text of its questions and the options of the first one."""
    asked = tool_input.get("questions") if isinstance(tool_input, Mapping) else None
    listed = [q for q in asked if isinstance(q, Mapping)] if isinstance(asked, Sequence) else []
    texts = [t for q in listed if (t := shorten(q.get("question"))) is not None]
    options: list[str] = []
    for option in (listed[0].get("options") or ()) if listed else ():
        label = option.get("label") if isinstance(option, Mapping) else option
        if (text := shorten(label)) is not None:
            options.append(text)
    return WaitingFor(kind="question", subject=tool, text=shorten(" ".join(texts)), options=tuple(options))


def request_subject(agent: str | None, request: str | None) -> str:
    """Return the subject of one request. ``agent`` None: of the main agent. ``request``: the request's id, if it has
    one.

    Several requests are open at once if the model calls several tools. The answer to one says nothing about the others.
    Requests of the main agent end with its turn, as its tools do.
    """
    if request is None:
        return f"approval:{agent or 'main'}"
    return f"tool:{request}" if agent is None else f"approval:{agent}:{request}"


def checked_payload(event: RawEvent, agent: str) -> Mapping[str, Any]:
    """Return the payload of ``event``. Raises ValueError if it is of another agent or not an object."""
    if event.agent_type != agent:
        raise ValueError(f"this is an event of {event.agent_type!r}, not of {agent!r}")
    if not isinstance(event.payload, Mapping):
        raise ValueError(f"the payload of {event.event_type!r} is not an object")  # noqa: TRY004 - one error for the caller
    return event.payload


def event_name(event: RawEvent, payload: Mapping[str, Any]) -> str:
    """Return the agent's own name of the event: from its payload, else from the hook program."""
    return text_of(payload, "hook_event_name") or event.event_type


def last_rows(sample: Sample, count: int) -> str:
    """Return the last ``count`` rows that are not blank, joined by newlines."""
    return "\n".join([row for row in sample.lines if row.strip()][-count:])


def was_killed(sample: Sample) -> bool:
    """Return whether the shell reports, in the rows above its prompt, that the program was killed."""
    low = max(0, sample.cursor_y - 2)
    return any(_KILLED.search(row) for row in sample.lines[low : sample.cursor_y + 1])


def exit_status(ending: Ending) -> bool | None:
    """Judge by the exit status that tmux kept for the pane. None if it kept none."""
    return None if ending.pane_dead_status is None else ending.pane_dead_status == 0
