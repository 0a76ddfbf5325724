"""Scenes of Codex in which signs are taken away. Blind sets were recorded with them."""

from __future__ import annotations

from tests.agents.bare import Bare

SCENES: tuple[Bare, ...] = (
    Bare(
        name="v8-vim-bare",
        agent="codex",
        size=(45, 12),
        theme="dark",
        doc=(
            "a low, narrow pane, vim's keys, no title, no status row, no animations: turns, approvals, questions,"
            " an interrupt"
        ),
        toml=("[tui]", "vim_mode_default = true", "terminal_title = []", "status_line = []", "animations = false"),
        vim=True,
        acts=(
            "turn: hello",
            "allow: bash one",
            "turn: slow 5",
            "refuse: bash two",
            "answer: ask me",
            "interrupt: slow 20",
            "turn: 2 sleepcmd",
            "draft: half",
            "rest: 5",
        ),
    ),
    Bare(
        name="v9-raw-wide",
        agent="codex",
        size=(180, 50),
        theme="light",
        doc=(
            "a very wide pane, answers as they were sent, turns folded, no title, a light theme; answers full of signs"
        ),
        toml=(
            "[tui]",
            "raw_output_mode = true",
            "collapse_turn_details = true",
            "terminal_title = []",
            'theme = "catppuccin-latte"',
            "animations = false",
        ),
        patterns={"approval_pattern": r"Press enter to confirm"},
        acts=(
            "turn: parrot",
            "allow: bash one",
            "turn: think hard",
            "refuse: bash two",
            "turn: 2 run it",
            "turn: parrot",
            "answer: ask me",
            "interrupt: slow 20",
            "turn: 2 patch it",
            "rest: 5",
        ),
    ),
    Bare(
        name="v10-main-screen-mono",
        agent="codex",
        size=(80, 24),
        colours="none",
        doc=(
            "the main screen, no colours, a plain terminal, no animations, other words in the status row; answers"
            " in other languages"
        ),
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
        acts=(
            "turn: abroad",
            "refuse: bash one",
            "turn: slow 6",
            "allow: bash two",
            "answer: ask me",
            "turn: abroad",
            "interrupt: slow 20",
            "fail: bad call",
            "turn: hello",
            "rest: 5",
        ),
    ),
    Bare(
        name="v11-keys-rebound",
        agent="codex",
        size=(70, 18),
        theme="dark",
        doc=(
            "another key that interrupts, the project's name as title, no tips, no animations: turns, a queued "
            "prompt, approvals, a question left, an interrupt"
        ),
        toml=(
            "[tui]",
            "animations = false",
            "show_tooltips = false",
            'terminal_title = ["project-name"]',
            "question_esc_back = true",
            "[tui.keymap.chat]",
            'interrupt_turn = "ctrl-x"',
        ),
        keys={"dismiss": ("C-x",), "interrupt": ("C-x",)},
        acts=(
            "turn: hello",
            "queue: slow 5 / hello",
            "allow: bash one",
            "dismiss: ask me",
            "turn: 2 sleepcmd",
            "refuse: bash two",
            "interrupt: slow 20",
            "turn: slow 4",
            "rest: 5",
        ),
    ),
    Bare(
        name="v12-title-misleads",
        agent="codex",
        size=(100, 30),
        theme="dark",
        doc=(
            "the prompt's own words as title, a status row of the turn's state alone, no animations: a failed "
            "call that is tried again, one for good, approvals, a question, an interrupt"
        ),
        toml=("[tui]", "animations = false", 'terminal_title = ["thread-title"]', 'status_line = ["run-state"]'),
        replaced={"request_max_retries": "4", "stream_max_retries": "4"},
        acts=(
            "turn: slow 4 Working on it",
            "turn: 3 flaky",
            "allow: bash one",
            "refuse: bash two",
            "fail: limit now",
            "answer: ask me",
            "interrupt: slow 20",
            "turn: think hard",
            "rest: 5",
        ),
    ),
    Bare(
        name="v13-raw-narrow",
        agent="codex",
        size=(50, 14),
        theme="dark",
        doc=(
            "a low, narrow pane, answers as they were sent, vim's keys, the main screen, no title: a failure, a "
            "queued prompt, approvals, a question, an interrupt"
        ),
        toml=(
            "[tui]",
            "raw_output_mode = true",
            "vim_mode_default = true",
            "terminal_title = []",
            "animations = false",
        ),
        command="codex --no-alt-screen",
        vim=True,
        patterns={"approval_pattern": r"(?i)enter to confirm"},
        acts=(
            "turn: slow 5",
            "refuse: bash one",
            "queue: slow 5 / hello",
            "fail: bad call",
            "turn: abroad",
            "allow: bash two",
            "answer: ask me",
            "interrupt: slow 20",
            "turn: hello",
            "rest: 5",
        ),
    ),
    Bare(
        name="v14-plain",
        agent="codex",
        size=(90, 20),
        colours="none",
        doc=(
            "a plain terminal without colours, the turn's state as title and status row, turns folded, no "
            "reasoning: approvals, outside, a limit, a terminal in the background, a question left, an interrupt"
        ),
        toml=(
            "[tui]",
            "collapse_turn_details = true",
            'terminal_title = ["run-state"]',
            'status_line = ["run-state", "task-progress"]',
            "animations = false",
        ),
        env={"TERM": "vt100"},
        patterns={"approval_pattern": r"(?i)enter to confirm"},
        acts=(
            "turn: think hard",
            "allow: bash one",
            "turn: abroad",
            "fail: limit now",
            "refuse: bash two",
            "turn: parrot",
            "dismiss: ask me",
            "interrupt: slow 20",
            "turn: 2 run it",
            "rest: 5",
        ),
    ),
    Bare(
        name="f1-66x18-script",
        agent="codex",
        size=(66, 18),
        colours="none",
        hooks=False,
        doc=(
            "below script, a title that stands still, a status row of numbers, no colours, no tips: a queue, questions"
        ),
        toml=(
            "[tui]",
            'terminal_title = ["app-name"]',
            'status_line = ["codex-version", "used-tokens", "context-window-size"]',
            "show_tooltips = false",
            "status_line_use_colors = false",
        ),
        command="script -qec codex /dev/null",
        started_as="script",
        acts=(
            "turn: slow 4",
            "allow: bash one",
            "answer: ask me",
            "queue: slow 5 / hello",
            "interrupt: slow 20",
            "rest: 2",
        ),
    ),
    Bare(
        name="f2-120x32-folded",
        agent="codex",
        size=(120, 32),
        theme="light",
        hooks=False,
        doc=(
            "folded turns, no animations, no title, a theme, the project's name alone below: an edit outside, a helper"
        ),
        toml=(
            "[tui]",
            "animations = false",
            "terminal_title = []",
            'status_line = ["project-name"]',
            "collapse_turn_details = true",
            'theme = "solarized-light"',
            "mouse_scroll_speed = 1",
        ),
        patterns={"approval_pattern": r"(?i)enter to confirm"},
        acts=(
            "turn: think hard",
            "allow: bash one",
            "turn: 3 flaky",
            "turn: 2 sleepcmd",
            "refuse: bash two",
            "turn: parrot",
            "rest: 2",
        ),
        replaced={"request_max_retries": "4", "stream_max_retries": "4"},
    ),
    Bare(
        name="f3-36x14-vim",
        agent="codex",
        size=(36, 14),
        hooks=False,
        doc=(
            "vim's keys in a narrow, low pane that grows, no status row, the title of the turn's state: a "
            "command, a stop"
        ),
        toml=("[tui]", "vim_mode_default = true", "status_line = []", 'terminal_title = ["run-state"]'),
        vim=True,
        patterns={"approval_pattern": r"1\. Yes"},
        keys={"interrupt": ("Escape", "Escape")},
        pause=0.6,
        acts=(
            "turn: hello",
            "allow: bash one",
            "resize: 100x28",
            "interrupt: slow 20",
            "dismiss: ask me",
            "turn: foreign",
            "rest: 2",
        ),
    ),
    Bare(
        name="f4-140x12-again",
        agent="codex",
        size=(140, 12),
        theme="dark",
        hooks=False,
        doc=(
            "a low, wide pane of another terminal, raw answers, a title of two items, no model below: a limit, a "
            "new start"
        ),
        toml=(
            "[tui]",
            "raw_output_mode = true",
            'terminal_title = ["git-branch", "model"]',
            'status_line = ["permissions", "git-branch", "thread-title"]',
            "show_tooltips = false",
        ),
        env={"TERM": "screen"},
        command="codex --no-alt-screen",
        patterns={"approval_pattern": r"(?i)enter to confirm"},
        acts=(
            "turn: abroad",
            "fail: limit now",
            "refuse: bash one",
            "again: ",
            "turn: slow 4",
            "allow: bash two",
            "draft: half a thought",
            "rest: 2",
        ),
    ),
)
