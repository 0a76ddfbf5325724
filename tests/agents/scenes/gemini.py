"""Scenes of Gemini in which signs are taken away. Blind sets were recorded with them."""

from __future__ import annotations

from tests.agents.bare import Bare

NO_TITLE = {"dynamicWindowTitle": False, "hideWindowTitle": True}

SCENES: tuple[Bare, ...] = (
    Bare(
        name="v10-45x12-plain",
        agent="gemini",
        size=(45, 12),
        colours="none",
        doc="no title, colours, spinner, footer, hints: a turn, commands granted and refused, an interrupt",
        files={
            ".gemini/settings.json": {
                "ui": {
                    "dynamicWindowTitle": False,
                    "hideWindowTitle": True,
                    "showSpinner": False,
                    "hideFooter": True,
                    "showShortcutsHint": False,
                    "hideBanner": True,
                    "hideTips": True,
                    "loadingPhrases": "off",
                }
            }
        },
        command="TERM=xterm gemini",
        acts=("turn: slow 4", "allow: bash one", "refuse: bash two", "interrupt: slow 20", "turn: foreign", "rest: 3"),
    ),
    Bare(
        name="v11-180x18-alternate",
        agent="gemini",
        size=(180, 18),
        doc=("the alternate screen, a light theme, chosen footer items, no title: questions, imitations, a queue"),
        files={
            ".gemini/settings.json": {
                "ui": {
                    "dynamicWindowTitle": False,
                    "hideWindowTitle": True,
                    "useAlternateBuffer": True,
                    "theme": "ANSI Light",
                    "useBackgroundColor": False,
                    "showLineNumbers": False,
                    "footer": {"items": ["git-branch", "session-id"], "showLabels": False},
                }
            }
        },
        acts=(
            "answer: ask me",
            "dismiss: ask again",
            "turn: mimic",
            "queue: slow 6 / hello",
            "refuse: bash two",
            "rest: 3",
        ),
    ),
    Bare(
        name="v12-80x24-vim-reader",
        agent="gemini",
        size=(80, 24),
        colours="none",
        doc=("the layout for screen readers with vim's keys, no title: a turn, a command, a question, an interrupt"),
        files={
            ".gemini/settings.json": {
                "ui": {"dynamicWindowTitle": False, "hideWindowTitle": True, "accessibility": {"screenReader": True}},
                "general": {"vimMode": True},
            }
        },
        pause=0.7,
        keys={"interrupt": ("Escape", "Escape")},
        acts=(
            "turn: slow 4",
            "allow: bash one",
            "dismiss: ask me",
            "keys: i C-u",
            "interrupt: slow 20",
            "keys: i C-u",
            "fail: badkey",
            "rest: 3",
        ),
    ),
    Bare(
        name="v13-100x30-phrases",
        agent="gemini",
        size=(100, 30),
        doc=(
            "phrases that read like ends and dialogs, thoughts in the text and title, no spinner: overload, a command"
        ),
        files={
            ".gemini/settings.json": {
                "ui": {
                    "showStatusInTitle": True,
                    "inlineThinkingMode": "full",
                    "showSpinner": False,
                    "errorVerbosity": "full",
                    "loadingPhrases": "witty",
                    "collapseDrawerDuringApproval": False,
                    "customWittyPhrases": [
                        "Request cancelled.",
                        "Allow execution? (y/n)",
                        "Valmis, paina Enter",
                        "Ready",
                    ],
                }
            }
        },
        keys={"refuse": ("C-c",)},
        acts=(
            "turn: think it over",
            "turn: 3 flaky one",
            "refuse: bash one",
            "interrupt: slow 20",
            "turn: mimic",
            "rest: 3",
        ),
    ),
    Bare(
        name="v14-110x28-chosen",
        agent="gemini",
        size=(110, 28),
        colours="256",
        doc=("no true colour, no title, no spinner, a footer of chosen items: an edit, a question put away, a queue"),
        files={
            ".gemini/settings.json": {
                "ui": {
                    "dynamicWindowTitle": False,
                    "hideWindowTitle": True,
                    "showSpinner": False,
                    "theme": "Ayu Light",
                    "compactToolOutput": False,
                    "loadingPhrases": "tips",
                    "footer": {"items": ["token-count", "workspace"], "showLabels": False},
                    "hideTips": True,
                    "hideBanner": True,
                }
            }
        },
        patterns={"question_pattern": r"Enter to select"},
        acts=(
            "turn: foreign",
            "allow: write it",
            "dismiss: askyn",
            "queue: slow 6 / hello",
            "interrupt: slow 20",
            "rest: 3",
        ),
    ),
    Bare(
        name="v15-50x14-reader",
        agent="gemini",
        size=(50, 14),
        doc=("the layout for screen readers in a small pane, no title: imitations, a refusal, a retry, a failure"),
        files={
            ".gemini/settings.json": {
                "ui": {"dynamicWindowTitle": False, "hideWindowTitle": True, "accessibility": {"screenReader": True}}
            }
        },
        acts=("turn: mimic", "refuse: bash two", "allow: bash one", "interrupt: boom", "turn: foreign", "fail: badkey"),
    ),
    Bare(
        name="f1-84x22-script",
        agent="gemini",
        size=(84, 22),
        hooks=False,
        doc=(
            "below script, the other buffer, no title, a footer without its usual items: commands, a queue, "
            "another size"
        ),
        files={
            ".gemini/settings.json": {
                "ui": {
                    **NO_TITLE,
                    "terminalBuffer": True,
                    "footer": {"hideCWD": True, "hideModelInfo": True, "hideSandboxStatus": True},
                    "hideContextSummary": True,
                    "showShortcutsHint": False,
                }
            }
        },
        command="script -qec gemini /dev/null",
        started_as="script",
        acts=(
            "turn: slow 4",
            "allow: bash one",
            "resize: 60x26",
            "queue: slow 5 / hello",
            "dismiss: ask me",
            "interrupt: slow 20",
            "rest: 2",
        ),
    ),
    Bare(
        name="f2-132x15-keys",
        agent="gemini",
        size=(132, 15),
        colours="none",
        hooks=False,
        doc=(
            "other keys to cancel, no colours, no tips, a low pane, tool output in full: an edit, a yes or no, a "
            "failure"
        ),
        files={
            ".gemini/settings.json": {
                "ui": {
                    **NO_TITLE,
                    "hideTips": True,
                    "hideBanner": True,
                    "compactToolOutput": False,
                    "showMemoryUsage": True,
                    "showModelInfoInChat": True,
                }
            },
            ".gemini/keybindings.json": '[{"command": "basic.cancel", "key": "ctrl+q"}]\n',
        },
        keys={"refuse": ("C-q",), "interrupt": ("C-c",)},
        patterns={"question_pattern": "Enter to select"},
        acts=(
            "turn: think it over",
            "refuse: write it",
            "answer: askyn",
            "interrupt: slow 20",
            "turn: mimic",
            "fail: badkey",
        ),
    ),
    Bare(
        name="f3-36x20-vim",
        agent="gemini",
        size=(36, 20),
        theme="light",
        hooks=False,
        doc=(
            "vim's keys in a narrow pane, no title, all drawn anew each time, no background: commands, a new "
            "conversation"
        ),
        files={
            ".gemini/settings.json": {
                "general": {"vimMode": True},
                "ui": {
                    **NO_TITLE,
                    "incrementalRendering": False,
                    "useBackgroundColor": False,
                    "theme": "GitHub Light",
                    "loadingPhrases": "tips",
                },
            }
        },
        vim=True,
        keys={"interrupt": ("Escape", "Escape")},
        pause=0.7,
        acts=(
            "turn: hello",
            "allow: bash one",
            "command: /clear",
            "turn: foreign",
            "answer: ask me",
            "interrupt: slow 20",
            "rest: 2",
        ),
    ),
    Bare(
        name="f4-100x36-reader",
        agent="gemini",
        size=(100, 36),
        colours="none",
        hooks=False,
        doc="the layout for screen readers with thoughts and model names, no title: an edit, overload, a new start",
        files={
            ".gemini/settings.json": {
                "ui": {
                    **NO_TITLE,
                    "accessibility": {"screenReader": True},
                    "inlineThinkingMode": "full",
                    "showModelInfoInChat": True,
                    "showCitations": True,
                    "errorVerbosity": "full",
                }
            }
        },
        acts=(
            "turn: think it over",
            "allow: write it",
            "turn: 3 flaky one",
            "again: ",
            "refuse: bash two",
            "turn: slow 4",
            "rest: 2",
        ),
    ),
    Bare(
        name="f5-72x17-witty",
        agent="gemini",
        size=(72, 17),
        colours="none",
        hooks=False,
        doc=(
            "the alternate screen in one process, own phrases in place of the clock, no title, no tips: an edit, "
            "a queue"
        ),
        files={
            ".gemini/settings.json": {
                "ui": {
                    **NO_TITLE,
                    "useAlternateBuffer": True,
                    "renderProcess": False,
                    "hideTips": True,
                    "loadingPhrases": "witty",
                    "customWittyPhrases": ["All done.", "Type your message", "1. Allow once"],
                    "footer": {"hideContextPercentage": False},
                }
            }
        },
        patterns={"approval_pattern": r"● 1\. Allow once"},
        acts=(
            "turn: slow 4",
            "allow: write it",
            "queue: slow 5 / hello",
            "refuse: bash two",
            "answer: ask me",
            "interrupt: slow 20",
            "rest: 2",
        ),
    ),
    Bare(
        name="f6-112x44-hidden",
        agent="gemini",
        size=(112, 44),
        theme="light",
        hooks=False,
        doc=(
            "no footer, no hints, no spinner, no title, another terminal, below bash: a yes or no, overload, a "
            "new start"
        ),
        files={
            ".gemini/settings.json": {
                "ui": {
                    **NO_TITLE,
                    "hideFooter": True,
                    "showShortcutsHint": False,
                    "showSpinner": False,
                    "hideContextSummary": True,
                    "theme": "Google Code",
                    "inlineThinkingMode": "full",
                }
            }
        },
        env={"TERM": "screen"},
        command="bash -c 'gemini; true'",
        started_as="bash -c",
        patterns={"question_pattern": "Enter to select", "error_pattern": "✕ .API Error"},
        acts=(
            "turn: mimic",
            "dismiss: askyn",
            "turn: 3 flaky one",
            "allow: bash one",
            "again: ",
            "interrupt: slow 20",
            "fail: badkey",
        ),
    ),
)
