"""The scenes of ``signs``: what each takes away from the screen, and what is done in it.

A step is ``method: text`` of ``signs.BareTake``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_MISLEADING = """#!/bin/sh
printf '\\342\\240\\213 build running 12s | waiting for approval of PR 7 | error: 2 tests failed | done 3m ago'
"""


@dataclass(frozen=True, slots=True)
class Signs:
    """One scene: the terminal, the agent's settings over those that every scene has, keys, steps."""

    agent: str
    name: str
    doc: str
    steps: tuple[str, ...]
    size: tuple[int, int] = (80, 24)
    colours: str = "truecolor"
    theme: str = "dark"
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of Claude's ``settings.json``, and of its ``.claude.json`` and ``keybindings.json``:"""
    state: Mapping[str, Any] = field(default_factory=dict)
    bindings: tuple[Mapping[str, Any], ...] = ()
    toml: tuple[str, ...] = ()
    """Of Codex's ``config.toml``, behind the rest; and values of keys that are there:"""
    replaced: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    command: str | None = None
    vim: bool = False
    approval: str = r"1\. Yes"
    question: str = r"1\. (Green|Red)"
    yes: tuple[str, ...] = ("Enter",)
    no: tuple[str, ...] = ("Escape",)
    pick: tuple[str, ...] = ("Enter",)
    leave: tuple[str, ...] = ("Escape",)
    interrupt: tuple[str, ...] = ("Escape",)


_NO_TITLE = {"CLAUDE_CODE_DISABLE_TERMINAL_TITLE": "1"}
_CLAUDE = (
    Signs(
        "claude",
        "v8-screen-reader",
        "the layout for screen readers, no title: turns, an approval given and one refused, questions, an interrupt",
        (
            "plain: hello",
            "allow: bash one",
            "plain: slow 6",
            "refuse: write it",
            "ask: ask me",
            "dismiss: ask again",
            "halt: slow 20",
            "plain: think hard",
            "rest_for: 6",
        ),
        settings={"axScreenReader": True},
        env=_NO_TITLE,
        approval=r"(?i)\b1[.):]? +Yes",
        question=r"(?i)\b1[.):]? +Green",
        yes=("1", "Enter"),
        pick=("1", "Enter"),
    ),
    Signs(
        "claude",
        "v9-focus-view",
        "the focus view, own words beside the spinner, no motion, no row that ends a turn, another theme: "
        "turns, a queued "
        "prompt, approvals, a question, an interrupt",
        (
            "plain: hello",
            "queue: slow 5 then hello",
            "refuse: bash one",
            "allow: write it",
            "ask: ask me",
            "halt: slow 20",
            "plain: todo",
            "draft: half a thought",
            "rest_for: 5",
        ),
        size=(100, 30),
        theme="light",
        settings={
            "viewMode": "focus",
            "prefersReducedMotion": True,
            "spinnerTipsEnabled": False,
            "spinnerVerbs": {"mode": "replace", "verbs": ["Done", "Waiting"]},
        },
        state={"theme": "light-ansi", "showTurnDuration": False},
    ),
    Signs(
        "claude",
        "v10-status-words",
        "no colours, a status line of the user's that speaks of waits, errors and ends: turns, a failed call that is "
        "tried again, one for good, approvals, a question, an interrupt",
        (
            "plain: hello",
            "plain: flaky",
            "allow: bash one",
            "refuse: bash two",
            "broken: boom 400",
            "plain: slow 5",
            "dismiss: ask me",
            "halt: slow 20",
            "rest_for: 5",
        ),
        size=(60, 16),
        colours="none",
        theme="untold",
        settings={"statusLine": {"type": "command", "command": "sh ~/line.sh", "refreshInterval": 1}},
        files={"line.sh": _MISLEADING},
        env={"TERM": "xterm"},
    ),
    Signs(
        "claude",
        "v11-verbose-vim",
        "a very wide pane, the verbose view, vim's keys without their row, the terminal's own cursor, "
        "another theme; answers "
        "in other languages and full of signs",
        (
            "plain: abroad",
            "plain: parrot",
            "allow: bash one",
            "refuse: write it",
            "plain: think hard",
            "halt: slow 20",
            "ask: ask me",
            "plain: parrot",
            "rest_for: 5",
        ),
        size=(180, 50),
        settings={
            "viewMode": "verbose",
            "editorMode": "vim",
            "statusLine": {"type": "command", "command": "echo ready", "hideVimModeIndicator": True},
        },
        state={"theme": "dark-daltonized", "editorMode": "vim", "verbose": True},
        env={"CLAUDE_CODE_NATIVE_CURSOR": "1", "CLAUDE_CODE_ACCESSIBILITY": "1"},
        vim=True,
        approval=r"Esc to cancel · Tab",
    ),
    Signs(
        "claude",
        "v12-low-main-screen",
        "a low, narrow pane, the main screen, no title, no motion, no tips, another key that interrupts: "
        "turns, a queued "
        "prompt, a failed call that is tried again, approvals, a question, an interrupt",
        (
            "plain: slow 4",
            "allow: bash one",
            "queue: slow 5 then hello",
            "refuse: write it",
            "plain: flaky",
            "ask: ask me",
            "halt: slow 20",
            "plain: abroad",
            "rest_for: 5",
        ),
        size=(45, 12),
        theme="untold",
        settings={"prefersReducedMotion": True, "spinnerTipsEnabled": False},
        state={"showTurnDuration": False},
        bindings=({"context": "Chat", "bindings": {"escape": None, "ctrl+y": "chat:cancel"}},),
        env={**_NO_TITLE, "CLAUDE_CODE_DISABLE_ALTERNATE_SCREEN": "1"},
        interrupt=("C-y",),
    ),
)
_CODEX = (
    Signs(
        "codex",
        "v8-vim-bare",
        "a low, narrow pane, vim's keys, no title, no status row, no animations: turns, approvals, "
        "questions, an interrupt",
        (
            "plain: hello",
            "allow: bash one",
            "plain: slow 5",
            "refuse: bash two",
            "ask: ask me",
            "halt: slow 20",
            "plain: sleepcmd",
            "draft: half",
            "rest_for: 5",
        ),
        size=(45, 12),
        toml=("[tui]", "vim_mode_default = true", "terminal_title = []", "status_line = []", "animations = false"),
        vim=True,
    ),
    Signs(
        "codex",
        "v9-raw-wide",
        "a very wide pane, answers as they were sent, turns folded, no title, a light theme; answers full of signs",
        (
            "plain: parrot",
            "allow: bash one",
            "plain: think hard",
            "refuse: bash two",
            "plain: run it",
            "plain: parrot",
            "ask: ask me",
            "halt: slow 20",
            "plain: patch it",
            "rest_for: 5",
        ),
        size=(180, 50),
        approval=r"Press enter to confirm",
        theme="light",
        toml=(
            "[tui]",
            "raw_output_mode = true",
            "collapse_turn_details = true",
            "terminal_title = []",
            'theme = "catppuccin-latte"',
            "animations = false",
        ),
    ),
    Signs(
        "codex",
        "v10-main-screen-mono",
        "the main screen, no colours, a plain terminal, no animations, other words in the status row; answers in other "
        "languages",
        (
            "plain: abroad",
            "refuse: bash one",
            "plain: slow 6",
            "allow: bash two",
            "ask: ask me",
            "plain: abroad",
            "halt: slow 20",
            "broken: bad call",
            "plain: hello",
            "rest_for: 5",
        ),
        colours="none",
        theme="untold",
        toml=(
            "[tui]",
            "animations = false",
            "show_tooltips = false",
            "terminal_title = []",
            'status_line = ["current-dir", "context-used"]',
            "status_line_use_colors = false",
        ),
        env={"TERM": "xterm"},
        command="codex --no-alt-screen",
    ),
    Signs(
        "codex",
        "v11-keys-rebound",
        "another key that interrupts, the project's name as title, no tips, no animations: turns, a queued prompt, "
        "approvals, a question left, an interrupt",
        (
            "plain: hello",
            "queue: slow 5 then hello",
            "allow: bash one",
            "dismiss: ask me",
            "plain: sleepcmd",
            "refuse: bash two",
            "halt: slow 20",
            "plain: slow 4",
            "rest_for: 5",
        ),
        size=(70, 18),
        toml=(
            "[tui]",
            "animations = false",
            "show_tooltips = false",
            'terminal_title = ["project-name"]',
            "question_esc_back = true",
            "[tui.keymap.chat]",
            'interrupt_turn = "ctrl-x"',
        ),
        interrupt=("C-x",),
        leave=("C-x",),
    ),
    Signs(
        "codex",
        "v12-title-misleads",
        "the prompt's own words as title, a status row of the turn's state alone, no animations: a failed call that is "
        "tried again, one for good, approvals, a question, an interrupt",
        (
            "plain: slow 4 Working on it",
            "plain: flaky",
            "allow: bash one",
            "refuse: bash two",
            "broken: limit now",
            "ask: ask me",
            "halt: slow 20",
            "plain: think hard",
            "rest_for: 5",
        ),
        size=(100, 30),
        toml=("[tui]", "animations = false", 'terminal_title = ["thread-title"]', 'status_line = ["run-state"]'),
        replaced={"request_max_retries": "4", "stream_max_retries": "4"},
    ),
)
_SECOND = (
    Signs(
        "claude",
        "v13-reader-edits",
        "the layout for screen readers in accept-edits mode, a status line of the user's, no colours: a "
        "failure, a failed "
        "call that is tried again, a queued prompt, a command refused, a draft, an interrupt",
        (
            "plain: hello",
            "plain: write it",
            "queue: slow 5 then hello",
            "refuse: webfetch",
            "broken: boom 400",
            "plain: flaky",
            "draft: half a thought",
            "halt: slow 20",
            "ask: ask me",
            "plain: abroad",
            "rest_for: 5",
        ),
        size=(60, 20),
        colours="none",
        theme="untold",
        settings={
            "permissions": {"defaultMode": "acceptEdits"},
            "statusLine": {"type": "command", "command": "sh ~/line.sh", "refreshInterval": 1},
        },
        files={"line.sh": _MISLEADING},
        env={"CLAUDE_AX_SCREEN_READER": "1"},
        approval=r"(?i)\b1[.):]? +Yes",
        question=r"(?i)\b1[.):]? +Green",
        yes=("1", "Enter"),
        pick=("1", "Enter"),
    ),
    Signs(
        "claude",
        "v14-words-and-clocks",
        "a wide, low pane, the main screen, no title, own words beside the spinner, an own clock, times "
        "beside messages, "
        "narrow prose: turns, a long command, a command refused, a question left, an interrupt",
        (
            "plain: slow 5",
            "allow: longbash",
            "plain: abroad",
            "refuse: bash two",
            "dismiss: ask me",
            "halt: slow 20",
            "plain: parrot",
            "plain: think hard",
            "rest_for: 5",
        ),
        size=(120, 12),
        settings={
            "spinnerVerbs": {"mode": "replace", "verbs": ["still at it", "nearly done"]},
            "timeFormat": "%Hh%M",
            "maxProseWidth": 40,
        },
        state={"showMessageTimestamps": True, "theme": "dark-ansi"},
        env={**_NO_TITLE, "TERM": "screen-256color", "CLAUDE_CODE_DISABLE_ALTERNATE_SCREEN": "1"},
        approval=r"Esc to cancel · Tab",
    ),
    Signs(
        "claude",
        "v15-plan-view",
        "plan mode in the focus view, no title, no motion, another theme: a plan granted and one refused, questions, "
        "an interrupt",
        (
            "plain: hello",
            "refuse: plan it",
            "ask: ask me",
            "halt: slow 20",
            "dismiss: ask again",
            "plain: slow 5",
            "allow: plan it",
            "plain: hello",
            "rest_for: 5",
        ),
        size=(160, 45),
        settings={"permissions": {"defaultMode": "plan"}, "viewMode": "focus", "prefersReducedMotion": True},
        state={"theme": "light-daltonized"},
        env=_NO_TITLE,
        approval=r"Would you like to proceed\?",
    ),
    Signs(
        "codex",
        "v13-raw-narrow",
        "a low, narrow pane, answers as they were sent, vim's keys, the main screen, no title: a failure, a "
        "queued prompt, "
        "approvals, a question, an interrupt",
        (
            "plain: slow 5",
            "refuse: bash one",
            "queue: slow 5 then hello",
            "broken: bad call",
            "plain: abroad",
            "allow: bash two",
            "ask: ask me",
            "halt: slow 20",
            "plain: hello",
            "rest_for: 5",
        ),
        size=(50, 14),
        toml=(
            "[tui]",
            "raw_output_mode = true",
            "vim_mode_default = true",
            "terminal_title = []",
            "animations = false",
        ),
        command="codex --no-alt-screen",
        vim=True,
        approval=r"(?i)enter to confirm",
    ),
    Signs(
        "codex",
        "v14-plain",
        "a plain terminal without colours, the turn's state as title and status row, turns folded, no "
        "reasoning: approvals, "
        "outside, a limit, a terminal in the background, a question left, an interrupt",
        (
            "plain: think hard",
            "allow: bash one",
            "plain: abroad",
            "broken: limit now",
            "refuse: bash two",
            "plain: parrot",
            "dismiss: ask me",
            "halt: slow 20",
            "plain: run it",
            "rest_for: 5",
        ),
        size=(90, 20),
        colours="none",
        theme="untold",
        toml=(
            "[tui]",
            "collapse_turn_details = true",
            'terminal_title = ["run-state"]',
            'status_line = ["run-state", "task-progress"]',
            "animations = false",
        ),
        env={"TERM": "vt100"},
        approval=r"(?i)enter to confirm",
    ),
)
SCENES = (*_CLAUDE, *_CODEX, *_SECOND)
