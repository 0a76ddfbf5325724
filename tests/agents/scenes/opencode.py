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
    Bare(
        name="f1-64x18-script",
        agent="opencode",
        size=(64, 18),
        hooks=False,
        doc="below script, no title, no mouse, the terminal's colours: two commands, a queue, another size",
        files={".config/opencode/tui.json": {"theme": "system", "mouse": False}},
        env={"OPENCODE_DISABLE_TERMINAL_TITLE": "1"},
        command="script -qec opencode /dev/null",
        started_as="script",
        keys={"interrupt": ("Escape", "Escape")},
        acts=(
            "turn: slow 4",
            "both: twobash",
            "resize: 90x24",
            "queue: slow 5 / hello",
            "interrupt: slow 20",
            "rest: 2",
        ),
    ),
    Bare(
        name="f2-100x13-names",
        agent="opencode",
        size=(100, 13),
        theme="dark",
        hooks=False,
        doc="an agent and a model with misleading names, no animations, a low pane: an edit, a question, a failure",
        files={
            ".config/opencode/opencode.json": {
                "default_agent": "esc interrupt",
                "agent": {
                    "esc interrupt": {
                        "mode": "primary",
                        "description": "Works",
                        "prompt": "Work.",
                        "permission": {"question": "allow"},
                    }
                },
                "provider": {"fake": {"models": {"fake-model": {"name": "Allow always"}}}},
            },
            ".local/state/opencode/kv.json": {"animations_enabled": False, "tips_hidden": True},
        },
        keys={"interrupt": ("Escape", "Escape")},
        patterns={"approval_pattern": "Permission required"},
        acts=(
            "turn: hello",
            "refuse: write it",
            "answer: ask me",
            "turn: 3 flaky one",
            "interrupt: slow 20",
            "fail: badkey",
        ),
    ),
    Bare(
        name="f3-46x18-thoughts",
        agent="opencode",
        size=(46, 18),
        colours="none",
        theme="light",
        hooks=False,
        doc=(
            "a narrow, light pane without colours, thoughts and times shown, another key to stop, no title: "
            "commands, a draft"
        ),
        files={
            ".config/opencode/tui.json": {"keybinds": {"session_interrupt": "ctrl+y", "leader": "ctrl+g"}},
            ".local/state/opencode/kv.json": {
                "thinking_mode": "show",
                "timestamps": "show",
                "assistant_metadata_visibility": False,
                "terminal_title_enabled": False,
            },
        },
        keys={"interrupt": ("C-y", "C-y")},
        acts=(
            "turn: think it over",
            "allow: bash one",
            "draft: half a thought",
            "dismiss: ask me",
            "interrupt: slow 20",
            "turn: foreign",
            "rest: 2",
        ),
    ),
    Bare(
        name="f4-190x40-again",
        agent="opencode",
        size=(190, 40),
        hooks=False,
        doc="a very wide pane, no animations, no sidebar, all output of tools, a scrollbar: a helper, a new start",
        files={
            ".config/opencode/tui.json": {"diff_style": "stacked", "cursor": {"style": "underline"}},
            ".local/state/opencode/kv.json": {
                "animations_enabled": False,
                "sidebar": "hide",
                "generic_tool_output_visibility": True,
                "scrollbar_visible": True,
            },
        },
        keys={"interrupt": ("Escape", "Escape")},
        acts=(
            "turn: 3 task",
            "allow: edit it",
            "command: /new",
            "turn: slow 4",
            "again: ",
            "refuse: bash two",
            "turn: mimic",
            "rest: 2",
        ),
    ),
    Bare(
        name="f5-84x40-scrollbar",
        agent="opencode",
        size=(84, 40),
        theme="light",
        hooks=False,
        doc=(
            "a scrollbar beside long answers, another key to stop, no title, no thoughts, below bash: a path "
            "outside, overload"
        ),
        files={
            ".config/opencode/tui.json": {"theme": "github", "keybinds": {"session_interrupt": "ctrl+k"}},
            ".local/state/opencode/kv.json": {
                "scrollbar_visible": True,
                "terminal_title_enabled": False,
                "diff_wrap_mode": "none",
                "tool_details_visibility": False,
                "theme_mode": "light",
            },
        },
        command="bash -c 'opencode; true'",
        started_as="bash -c",
        keys={"interrupt": ("C-k", "C-k")},
        acts=(
            "turn: slow 9",
            "allow: outside it",
            "turn: mimic",
            "interrupt: slow 20",
            "turn: 3 flaky one",
            "answer: ask me",
            "fail: badkey",
        ),
    ),
    Bare(
        name="f6-60x12-low",
        agent="opencode",
        size=(60, 12),
        colours="none",
        hooks=False,
        doc=(
            "a low, narrow pane without colours, animations and tips, times and a scrollbar shown: two commands, "
            "a new session"
        ),
        files={
            ".local/state/opencode/kv.json": {
                "animations_enabled": False,
                "tips_hidden": True,
                "timestamps": "show",
                "scrollbar_visible": True,
                "terminal_title_enabled": False,
            }
        },
        keys={"interrupt": ("Escape", "Escape")},
        acts=(
            "turn: think it over",
            "both: twobash",
            "command: /new",
            "queue: slow 5 / hello",
            "dismiss: ask me",
            "again: ",
            "interrupt: slow 20",
            "rest: 2",
        ),
    ),
)
