"""The settings files of agents, and how our hooks get into them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from agtmuxd.adapters.claude.adapter import ClaudeAdapter
from agtmuxd.adapters.codex.adapter import CodexAdapter
from agtmuxd.adapters.contract import HookPlan
from agtmuxd.adapters.copilot.adapter import CopilotAdapter
from agtmuxd.adapters.cursor.adapter import CursorAdapter
from agtmuxd.adapters.gemini.adapter import GeminiAdapter
from agtmuxd.adapters.opencode.adapter import OpenCodeAdapter
from agtmuxd.adapters.settings.hook_command import OwnEntries

SCALARS = st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6) | st.text(max_size=8)
USER_HOOK = st.fixed_dictionaries(
    {"type": st.just("command"), "command": st.sampled_from(["a.sh", "my hook claude", "x hook gemini ", "echo '{}'"])},
    optional={"timeout": st.integers(1, 90), "async": st.booleans()},
)
GROUP = st.fixed_dictionaries(
    {"hooks": st.lists(USER_HOOK, max_size=2)}, optional={"matcher": st.sampled_from(["", "*", "Bash|Edit"])}
)
EVENT = st.sampled_from(["Stop", "PreToolUse", "AfterAgent", "Notification", "SessionStart", "Mine", "[odd], {name}"])

JSON = st.recursive(
    SCALARS, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=6), x, max_size=3), max_leaves=8
)
HOOKS = st.dictionaries(EVENT, st.lists(GROUP, max_size=3), max_size=4)

ADAPTERS: dict[str, Any] = {
    "claude": ClaudeAdapter(), "codex": CodexAdapter(), "gemini": GeminiAdapter(), "cursor": CursorAdapter(),
}  # fmt: skip


COMMAND = "/opt/my tools/agtmux hook"


FILES = {"claude": "settings.json", "codex": "hooks.json", "gemini": "settings.json", "cursor": "hooks.json"}


OWN: dict[str, tuple[Any, str]] = {
    "copilot": (CopilotAdapter(), "hooks/agtmux.json"),
    "opencode": (OpenCodeAdapter(), "plugin/agtmux.js"),
}
"""Agents that read every file of a folder: ours is a file of its own."""


def apply(agent: str, home: Path, *, remove: bool = False, command: str = COMMAND) -> list[HookPlan]:
    plans = list(ADAPTERS[agent].plan_hooks(home, command, remove=remove))
    for plan in plans:
        write(plan)
    return plans


def ours(agent: str, settings_: Any) -> dict[str, int]:
    """Event → how many hooks of ours it has."""
    out: dict[str, int] = {}
    for event, groups in settings_.get("hooks", {}).items():
        count = sum(OwnEntries(agent, remote=False).holds(h) for g in groups for h in g.get("hooks", [g]))
        if count:
            out[event] = count
    return out


def write(plan: HookPlan) -> None:
    if plan.after is None:
        plan.path.unlink(missing_ok=True)
    else:
        plan.path.parent.mkdir(parents=True, exist_ok=True)
        plan.path.write_bytes(plan.after.encode())


@st.composite
def layouts(draw: st.DrawFn) -> str:
    """Valid settings as text, in whatever layout somebody's editor left."""
    body: dict[str, Any] = draw(st.dictionaries(st.text(max_size=6).filter(lambda k: k != "hooks"), JSON, max_size=3))
    if draw(st.booleans()):
        items = list(body.items())
        items.insert(draw(st.integers(0, len(items))), ("hooks", draw(HOOKS)))
        body = dict(items)
    indent = draw(st.sampled_from([None, 0, 1, 2, 4, "\t"]))
    separators = draw(st.sampled_from([None, (",", ":"), (" , ", " : ")]))
    text = json.dumps(body, indent=indent, separators=separators, ensure_ascii=draw(st.booleans()))
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    if not body and draw(st.booleans()):
        text = "{ \n }"
    return draw(st.sampled_from(["", "\n", "  "])) + text + draw(st.sampled_from(["", "\n", "\r\n", " \n\n"]))
