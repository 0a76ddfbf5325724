"""What the shipped adapters share: screen rules, the shape of a hook's command, small readers of payloads.

Owns no agent's facts.
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
    """The rules file of ``agent`` in this package. Raises RuleFileError."""
    file = resources.files("agtmuxd.adapters") / agent / "rules.toml"
    return load(file.read_text(encoding="utf-8"), f"{agent}.toml", agent)


class RuleAdapter:
    """An adapter whose screen is described by a rules file. Subclasses say the rest."""

    name = ""
    agent_type = ""
    version = "1.0.0"
    contract_version = CONTRACT_VERSION
    capabilities = ALL
    innermost = False
    screens: Path | None = None
    """The folder of the captured screens that its own rules name as their samples, where there are such."""

    def __init__(self, rules: RuleSet | None = None) -> None:
        self.shipped = rules if rules is not None else shipped_rules(self.agent_type)
        self.rules = self.shipped  # until the user's own are laid over them

    def look(self, sample: Sample, before: Claim | None) -> Write | None:
        """Fold one sample into one claim by the rules file."""
        return self.rules.look(sample, before)

    def controls(self) -> Controls:
        """How the agent is operated, by the rules file."""
        return self.rules.controls()

    def status_path(self, proc: Proc, config_home: Path) -> Path | None:
        """None: this agent keeps no status file."""
        return None

    def read_status(self, data: Mapping[str, Any], proc: Proc) -> Sequence[Write]:
        """Nothing: this agent keeps no status file."""
        return ()

    def plan_hooks(self, config_home: Path, command: str, *, remove: bool) -> Sequence[HookPlan]:
        """Nothing: this agent has no hooks."""
        return ()

    def hook_status(self, config_home: Path, command: str) -> Sequence[HookStatus]:
        """Nothing: this agent has no hooks."""
        return ()


def text_of(payload: Mapping[str, Any], key: str) -> str | None:
    """A string of a payload, None for anything else or an empty one."""
    value = payload.get(key)
    return value if isinstance(value, str) and value else None


def first_line(prompt: Any) -> str | None:
    """What was asked, on one line of at most 200 characters. None for blank and for the agent's own notices."""
    if not isinstance(prompt, str):
        return None
    line = next((x for x in prompt.strip().splitlines() if x.strip()), "")
    line = one_line(line).strip()
    if not line or line.startswith("<"):
        return None
    return line if len(line) <= TASK_CHARS else line[: TASK_CHARS - 1] + "…"


def shorten(text: Any) -> str | None:
    """Text of a request on one line, at most 2000 characters."""
    if not isinstance(text, str) or not text.strip():
        return None
    return " ".join(one_line(text).split())[:TEXT_CHARS]


def tool_text(tool_input: Any) -> str | None:
    """What a tool is about to do, as shortly as its input says it."""
    if not isinstance(tool_input, Mapping):
        return None
    for key in ("command", "file_path", "path", "url", "plan", "query", "pattern", "description"):
        found = shorten(tool_input.get(key))
        if found is not None:
            return found
    return None


def questions(tool: str, tool_input: Any) -> WaitingFor:
    """What a question tool asks: the text of its questions, the options of the first."""
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
    """The subject of one request of an agent (None: the main one) with an id, if it has one.

    Several are open at once where the model calls several tools, and the answer to one says nothing of the others.
    Those of the main agent end with its turn, as its tools do.
    """
    if request is None:
        return f"approval:{agent or 'main'}"
    return f"tool:{request}" if agent is None else f"approval:{agent}:{request}"


def checked(event: RawEvent, agent: str) -> Mapping[str, Any]:
    """The payload of ``event``. Raises ValueError if it is another agent's or no object."""
    if event.agent_type != agent:
        raise ValueError(f"an event of {event.agent_type!r} was handed to the adapter {agent!r}")
    if not isinstance(event.payload, Mapping):
        raise ValueError(f"the payload of {event.event_type!r} is no object")  # noqa: TRY004 - one error for the caller
    return event.payload


def event_name(event: RawEvent, payload: Mapping[str, Any]) -> str:
    """The agent's own name of the event: as its payload says, else as the hook program said."""
    return text_of(payload, "hook_event_name") or event.event_type


def last_rows(sample: Sample, count: int) -> str:
    """The last non-blank rows, joined by newlines."""
    return "\n".join([row for row in sample.lines if row.strip()][-count:])


def was_killed(sample: Sample) -> bool:
    """Whether the shell says, in the rows above its prompt, that the program was killed."""
    low = max(0, sample.cursor_y - 2)
    return any(_KILLED.search(row) for row in sample.lines[low : sample.cursor_y + 1])


def exit_status(ending: Ending) -> bool | None:
    """What tmux's own exit status says, where the pane kept it."""
    return None if ending.pane_dead_status is None else ending.pane_dead_status == 0
