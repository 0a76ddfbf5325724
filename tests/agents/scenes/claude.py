"""Scenes of Claude Code in which signs are taken away. Blind sets were recorded with them."""

from __future__ import annotations

from tests.agents.bare import Bare

SCENES: tuple[Bare, ...] = (
    Bare(
        name="v8-screen-reader",
        agent="claude",
        size=(80, 24),
        theme="dark",
        doc=(
            "the layout for screen readers, no title: turns, an approval given and one refused, questions, an interrupt"
        ),
        files={".claude/settings.json": {"axScreenReader": True}},
        env={"CLAUDE_CODE_DISABLE_TERMINAL_TITLE": "1"},
        patterns={"approval_pattern": r"(?i)\b1[.):]? +Yes", "question_pattern": r"(?i)\b1[.):]? +Green"},
        keys={"allow": ("1", "Enter"), "answer": ("1", "Enter")},
        acts=(
            "turn: hello",
            "allow: bash one",
            "turn: slow 6",
            "refuse: write it",
            "answer: ask me",
            "dismiss: ask again",
            "interrupt: slow 20",
            "turn: think hard",
            "rest: 6",
        ),
    ),
    Bare(
        name="v9-focus-view",
        agent="claude",
        size=(100, 30),
        theme="light",
        doc=(
            "the focus view, own words beside the spinner, no motion, no row that ends a turn, another theme: "
            "turns, a queued prompt, approvals, a question, an interrupt"
        ),
        files={
            ".claude/settings.json": {
                "viewMode": "focus",
                "prefersReducedMotion": True,
                "spinnerTipsEnabled": False,
                "spinnerVerbs": {"mode": "replace", "verbs": ["Done", "Waiting"]},
            },
            ".claude.json": {"theme": "light-ansi", "showTurnDuration": False},
        },
        acts=(
            "turn: hello",
            "queue: slow 5 / hello",
            "refuse: bash one",
            "allow: write it",
            "answer: ask me",
            "interrupt: slow 20",
            "turn: 2 todo",
            "draft: half a thought",
            "rest: 5",
        ),
    ),
    Bare(
        name="v10-status-words",
        agent="claude",
        size=(60, 16),
        colours="none",
        doc=(
            "no colours, a status line of the user's that speaks of waits, errors and ends: turns, a failed call "
            "that is tried again, one for good, approvals, a question, an interrupt"
        ),
        files={
            ".claude/settings.json": {
                "statusLine": {"type": "command", "command": "sh ~/line.sh", "refreshInterval": 1}
            },
            "line.sh": "#!/bin/sh\n"
            "printf '\\342\\240\\213 build running 12s | waiting for approval of PR 7 | error: 2 "
            "tests failed | done 3m ago'\n",
        },
        env={"TERM": "xterm"},
        acts=(
            "turn: hello",
            "turn: 3 flaky",
            "allow: bash one",
            "refuse: bash two",
            "fail: boom 400",
            "turn: slow 5",
            "dismiss: ask me",
            "interrupt: slow 20",
            "rest: 5",
        ),
    ),
    Bare(
        name="v11-verbose-vim",
        agent="claude",
        size=(180, 50),
        theme="dark",
        doc=(
            "a very wide pane, the verbose view, vim's keys without their row, the terminal's own cursor, another"
            " theme; answers in other languages and full of signs"
        ),
        files={
            ".claude/settings.json": {
                "viewMode": "verbose",
                "editorMode": "vim",
                "statusLine": {"type": "command", "command": "echo ready", "hideVimModeIndicator": True},
            },
            ".claude.json": {"theme": "dark-daltonized", "editorMode": "vim", "verbose": True},
        },
        env={"CLAUDE_CODE_NATIVE_CURSOR": "1", "CLAUDE_CODE_ACCESSIBILITY": "1"},
        vim=True,
        patterns={"approval_pattern": r"Esc to cancel · Tab"},
        acts=(
            "turn: abroad",
            "turn: parrot",
            "allow: bash one",
            "refuse: write it",
            "turn: think hard",
            "interrupt: slow 20",
            "answer: ask me",
            "turn: parrot",
            "rest: 5",
        ),
    ),
    Bare(
        name="v12-low-main-screen",
        agent="claude",
        size=(45, 12),
        doc=(
            "a low, narrow pane, the main screen, no title, no motion, no tips, another key that interrupts: "
            "turns, a queued prompt, a failed call that is tried again, approvals, a question, an interrupt"
        ),
        files={
            ".claude/settings.json": {"prefersReducedMotion": True, "spinnerTipsEnabled": False},
            ".claude.json": {"showTurnDuration": False},
            ".claude/keybindings.json": {
                "bindings": [{"context": "Chat", "bindings": {"escape": None, "ctrl+y": "chat:cancel"}}]
            },
        },
        env={"CLAUDE_CODE_DISABLE_TERMINAL_TITLE": "1", "CLAUDE_CODE_DISABLE_ALTERNATE_SCREEN": "1"},
        keys={"interrupt": ("C-y",)},
        acts=(
            "turn: slow 4",
            "allow: bash one",
            "queue: slow 5 / hello",
            "refuse: write it",
            "turn: 3 flaky",
            "answer: ask me",
            "interrupt: slow 20",
            "turn: abroad",
            "rest: 5",
        ),
    ),
    Bare(
        name="v13-reader-edits",
        agent="claude",
        size=(60, 20),
        colours="none",
        doc=(
            "the layout for screen readers in accept-edits mode, a status line of the user's, no colours: a "
            "failure, a failed call that is tried again, a queued prompt, a command refused, a draft, an "
            "interrupt"
        ),
        files={
            ".claude/settings.json": {
                "permissions": {"defaultMode": "acceptEdits"},
                "statusLine": {"type": "command", "command": "sh ~/line.sh", "refreshInterval": 1},
            },
            "line.sh": "#!/bin/sh\n"
            "printf '\\342\\240\\213 build running 12s | waiting for approval of PR 7 | error: 2 "
            "tests failed | done 3m ago'\n",
        },
        env={"CLAUDE_AX_SCREEN_READER": "1"},
        patterns={"approval_pattern": r"(?i)\b1[.):]? +Yes", "question_pattern": r"(?i)\b1[.):]? +Green"},
        keys={"allow": ("1", "Enter"), "answer": ("1", "Enter")},
        acts=(
            "turn: hello",
            "turn: 2 write it",
            "queue: slow 5 / hello",
            "refuse: webfetch",
            "fail: boom 400",
            "turn: 3 flaky",
            "draft: half a thought",
            "interrupt: slow 20",
            "answer: ask me",
            "turn: abroad",
            "rest: 5",
        ),
    ),
    Bare(
        name="v14-words-and-clocks",
        agent="claude",
        size=(120, 12),
        theme="dark",
        doc=(
            "a wide, low pane, the main screen, no title, own words beside the spinner, an own clock, times "
            "beside messages, narrow prose: turns, a long command, a command refused, a question left, an "
            "interrupt"
        ),
        files={
            ".claude/settings.json": {
                "spinnerVerbs": {"mode": "replace", "verbs": ["still at it", "nearly done"]},
                "timeFormat": "%Hh%M",
                "maxProseWidth": 40,
            },
            ".claude.json": {"showMessageTimestamps": True, "theme": "dark-ansi"},
        },
        env={
            "CLAUDE_CODE_DISABLE_TERMINAL_TITLE": "1",
            "TERM": "screen-256color",
            "CLAUDE_CODE_DISABLE_ALTERNATE_SCREEN": "1",
        },
        patterns={"approval_pattern": r"Esc to cancel · Tab"},
        acts=(
            "turn: slow 5",
            "allow: longbash",
            "turn: abroad",
            "refuse: bash two",
            "dismiss: ask me",
            "interrupt: slow 20",
            "turn: parrot",
            "turn: think hard",
            "rest: 5",
        ),
    ),
    Bare(
        name="v15-plan-view",
        agent="claude",
        size=(160, 45),
        theme="dark",
        doc=(
            "plan mode in the focus view, no title, no motion, another theme: a plan granted and one refused, "
            "questions, an interrupt"
        ),
        files={
            ".claude/settings.json": {
                "permissions": {"defaultMode": "plan"},
                "viewMode": "focus",
                "prefersReducedMotion": True,
            },
            ".claude.json": {"theme": "light-daltonized"},
        },
        env={"CLAUDE_CODE_DISABLE_TERMINAL_TITLE": "1"},
        patterns={"approval_pattern": r"Would you like to proceed\?"},
        acts=(
            "turn: hello",
            "refuse: plan it",
            "answer: ask me",
            "interrupt: slow 20",
            "dismiss: ask again",
            "turn: slow 5",
            "allow: plan it",
            "turn: hello",
            "rest: 5",
        ),
    ),
    Bare(
        name="f1-90x24-script",
        agent="claude",
        size=(90, 24),
        hooks=False,
        doc="below script, the full screen, no title, no motion, own words: two commands, a queue, another size",
        files={
            ".claude/settings.json": {
                "tui": "fullscreen",
                "prefersReducedMotion": True,
                "spinnerTipsEnabled": False,
                "spinnerVerbs": {"mode": "replace", "verbs": ["作業中", "Überlegt"]},
                "syntaxHighlightingDisabled": True,
            }
        },
        env={"CLAUDE_CODE_DISABLE_TERMINAL_TITLE": "1", "CLAUDE_CODE_DISABLE_MOUSE": "1"},
        command="script -qec claude /dev/null",
        started_as="script",
        acts=(
            "turn: slow 4",
            "both: twobash",
            "resize: 70x30",
            "queue: slow 5 / hello",
            "interrupt: slow 20",
            "dismiss: ask me",
            "rest: 2",
        ),
    ),
    Bare(
        name="f2-72x22-three-rows",
        agent="claude",
        size=(72, 22),
        colours="none",
        hooks=False,
        doc=(
            "a status line of three rows with a clock that runs, no colours, another theme: a helper, an edit, a draft"
        ),
        files={
            ".claude/settings.json": {
                "statusLine": {"type": "command", "command": "sh ~/line.sh", "refreshInterval": 1, "padding": 2},
                "theme": "light-daltonized",
                "promptSuggestionEnabled": False,
            },
            "line.sh": (
                "#!/bin/sh\nprintf '❯ main +2 -1 │ $0.12 │ %s\\n' \"$(date +%T)\"\n"
                "printf '●●●○○○ 41%% used · ↑ 2 ahead\\n──────── 2 todo, 1 waiting'\n"
            ),
        },
        patterns={"error_pattern": "Request too large"},
        acts=(
            "turn: 3 subagent",
            "allow: write it",
            "draft: half a thought",
            "fail: boom 413",
            "turn: foreign",
            "refuse: bash one",
            "rest: 2",
        ),
    ),
    Bare(
        name="f3-88x30-reader-vim",
        agent="claude",
        size=(88, 30),
        theme="light",
        hooks=False,
        doc=(
            "the layout for screen readers with vim's keys, a console's terminal, no title: commands, questions, "
            "a new start"
        ),
        files={
            ".claude/settings.json": {
                "axScreenReader": True,
                "editorMode": "vim",
                "vimInsertModeRemaps": {"jj": "<Esc>"},
                "spinnerTipsEnabled": False,
            }
        },
        env={"CLAUDE_CODE_DISABLE_TERMINAL_TITLE": "1", "TERM": "linux"},
        vim=True,
        patterns={"approval_pattern": r"(?i)\b1[.):]? +Yes", "question_pattern": r"(?i)\b1[.):]? +Green"},
        keys={"allow": ("1", "Enter"), "answer": ("1", "Enter")},
        acts=(
            "turn: mimic",
            "allow: bash one",
            "answer: ask me",
            "again: ",
            "refuse: bash two",
            "turn: slow 4",
            "rest: 2",
        ),
    ),
    Bare(
        name="f4-38x15-simple",
        agent="claude",
        size=(38, 15),
        hooks=False,
        doc=(
            "the simple mode in a narrow pane, the verbose view, no folder's name, no clock: a command, a new "
            "conversation"
        ),
        files={
            ".claude/settings.json": {"viewMode": "verbose", "timeFormat": "%M min", "maxProseWidth": 30},
            ".claude.json": {"showTurnDuration": False, "theme": "dark-ansi"},
        },
        env={"CLAUDE_CODE_SIMPLE": "1", "CLAUDE_CODE_HIDE_CWD": "1", "CLAUDE_CODE_DISABLE_TERMINAL_TITLE": "1"},
        acts=(
            "turn: hello",
            "allow: bash one",
            "turn: 3 flaky",
            "command: /clear",
            "interrupt: slow 20",
            "turn: abroad",
            "rest: 2",
        ),
    ),
    Bare(
        name="f5-130x14-no-flicker",
        agent="claude",
        size=(130, 14),
        colours="none",
        hooks=False,
        doc=(
            "a wide, low pane, whole frames, the focus view, no colours, an empty status line: a list, a failure,"
            " a queue"
        ),
        files={
            ".claude/settings.json": {
                "viewMode": "focus",
                "statusLine": {"type": "command", "command": "true", "padding": 0},
                "companyAnnouncements": ["Waiting for your approval since Monday"],
                "showThinkingSummaries": True,
                "outputStyle": "Explanatory",
            }
        },
        env={"CLAUDE_CODE_NO_FLICKER": "1", "CLAUDE_CODE_SYNTAX_HIGHLIGHT": "0"},
        acts=(
            "turn: think hard",
            "turn: 2 todo",
            "refuse: webfetch",
            "queue: slow 5 / hello",
            "fail: boom 400",
            "answer: ask me",
            "interrupt: slow 20",
            "rest: 2",
        ),
    ),
    Bare(
        name="f6-44x32-plan-vim",
        agent="claude",
        size=(44, 32),
        theme="light",
        hooks=False,
        doc=(
            "vim's keys and plan mode in a tall, narrow pane below bash, no title, no motion, a right-aligned "
            "status line"
        ),
        files={
            ".claude/settings.json": {
                "permissions": {"defaultMode": "plan"},
                "editorMode": "vim",
                "prefersReducedMotion": True,
                "statusLine": {
                    "type": "command",
                    "command": "printf '%40s' '12:30 esc'",
                    "hideVimModeIndicator": False,
                },
            }
        },
        env={"CLAUDE_CODE_DISABLE_TERMINAL_TITLE": "1", "TERM": "screen"},
        command="bash -c 'claude; true'",
        started_as="bash -c",
        vim=True,
        patterns={"approval_pattern": r"1\. Yes"},
        keys={"interrupt": ("Escape", "Escape")},
        pause=0.6,
        acts=(
            "turn: parrot",
            "allow: plan it",
            "command: /clear",
            "interrupt: slow 20",
            "again: ",
            "dismiss: ask me",
            "turn: slow 4",
            "rest: 2",
        ),
    ),
)
