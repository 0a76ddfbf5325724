"""The hook commands that an agent's own settings name, so that a replay can test an installer."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

_FILES = {
    "claude": ("settings.json", "settings.local.json"),
    "gemini": ("settings.json",),
    "codex": ("hooks.json",),
    "copilot": ("hooks/*.json",),
}


def matches(pattern: str | None, payload: dict[str, Any]) -> bool:
    """Whether a hook group's matcher takes this payload, as the agents themselves decide it."""
    if not pattern or pattern == "*":
        return True
    subject = next((payload[k] for k in ("tool_name", "notification_type", "source", "trigger") if payload.get(k)), "")
    try:
        return re.fullmatch(pattern, str(subject)) is not None
    except re.error:
        return pattern == subject


def hooks(agent: str, config: Path, event: str, payload: dict[str, Any]) -> list[list[str]]:
    """Argument lists for the event; empty where nothing is installed."""
    if agent == "opencode":
        return plugins(config, event)
    out: list[str] = []
    for pattern in _FILES.get(agent, ("settings.json",)):
        for path in sorted(config.glob(pattern)):
            try:
                groups = json.loads(path.read_text(encoding="utf-8")).get("hooks", {}).get(event, [])
            except (OSError, ValueError):
                continue
            for group in groups:
                if matches(group.get("matcher"), payload):
                    named = [hook.get("command") or hook.get("bash") for hook in group.get("hooks", [group])]
                    out += [command for command in named if command]
    return [["/bin/sh", "-c", command] for command in out]


def plugins(config: Path, event: str) -> list[list[str]]:
    """What OpenCode's plugins would run for the event: the list of words that each names, as our plugin calls it."""
    out = []
    for path in sorted(config.glob("plugin/*.js")):
        text = path.read_text(encoding="utf-8")
        command = re.search(r"^const COMMAND = (\[.*\])$", text, re.MULTILINE)
        events = re.search(r"^const EVENTS = new Set\((\[.*\])\)$", text, re.MULTILINE)
        if command and events and event in json.loads(events[1]):
            out.append([*json.loads(command[1]), "--event", event])
    return out


def notify(config: Path) -> list[str] | None:
    """Codex's ``notify`` program, or None."""
    try:
        output = tomllib.loads((config / "config.toml").read_text(encoding="utf-8")).get("notify")
    except (OSError, ValueError):
        return None
    return [str(word) for word in output] if output else None
