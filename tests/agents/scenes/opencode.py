"""Scenes of OpenCode in which signs are taken away. Blind sets were recorded with them."""

from __future__ import annotations

from tests.agents.bare import Bare

SCENES: tuple[Bare, ...] = (
    Bare(
        name="v1-45x12-still",
        agent="opencode",
        size=(45, 12),
        colours="none",
        doc=("no animations, no title, no colours: a turn, commands granted and refused, a question, an interrupt"),
        files={
            ".local/state/opencode/kv.json": {
                "animations_enabled": False,
                "terminal_title_enabled": False,
                "tips_hidden": True,
            }
        },
        keys={"interrupt": ("Escape", "Escape")},
        acts=("turn: slow 4", "allow: bash one", "refuse: bash two", "answer: ask me", "interrupt: slow 20", "rest: 3"),
    ),
    Bare(
        name="v2-150x20-keys",
        agent="opencode",
        size=(150, 20),
        theme="light",
        doc=("other keys, a light theme, no sidebar, no title: imitations, a queue, a command, a question put away"),
        files={
            ".config/opencode/tui.json": {
                "theme": "github",
                "keybinds": {"session_interrupt": "ctrl+g", "command_list": "ctrl+o", "agent_cycle": "ctrl+t"},
            },
            ".local/state/opencode/kv.json": {
                "terminal_title_enabled": False,
                "sidebar": "hide",
                "theme_mode": "light",
            },
        },
        keys={"interrupt": ("C-g", "C-g")},
        acts=(
            "turn: mimic",
            "queue: slow 6 / hello",
            "allow: bash one",
            "dismiss: ask me",
            "interrupt: slow 20",
            "rest: 3",
        ),
    ),
    Bare(
        name="v3-72x16-bare",
        agent="opencode",
        size=(72, 16),
        doc=(
            "no animations, no details of answers and tools, thoughts and times shown: overload, a refusal, a failure"
        ),
        files={
            ".local/state/opencode/kv.json": {
                "animations_enabled": False,
                "assistant_metadata_visibility": False,
                "tool_details_visibility": False,
                "thinking_mode": "show",
                "timestamps": "show",
            }
        },
        command="TERM=xterm opencode",
        keys={"interrupt": ("Escape", "Escape")},
        acts=(
            "turn: think it over",
            "turn: 3 flaky one",
            "turn: foreign",
            "refuse: bash two",
            "answer: ask me",
            "fail: badkey",
        ),
    ),
    Bare(
        name="v4-60x14-still",
        agent="opencode",
        size=(60, 14),
        colours="none",
        doc=("no animations, another key to interrupt, no title, no colours: a path outside, a retry, a queue"),
        files={
            ".config/opencode/tui.json": {
                "theme": "tokyonight",
                "keybinds": {"session_interrupt": "ctrl+x", "leader": "ctrl+b"},
            },
            ".local/state/opencode/kv.json": {
                "animations_enabled": False,
                "terminal_title_enabled": False,
                "thinking_mode": "hide",
            },
        },
        keys={"interrupt": ("C-x", "C-x")},
        acts=(
            "turn: slow 4",
            "allow: outside it",
            "interrupt: boom",
            "queue: slow 6 / hello",
            "dismiss: ask me",
            "turn: mimic",
        ),
    ),
)
