"""Scenes of Gemini in which signs are taken away. Blind sets were recorded with them."""

from __future__ import annotations

from tests.agents.bare import Bare

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
)
