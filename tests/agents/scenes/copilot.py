"""Scenes of Copilot in which signs are taken away. Blind sets were recorded with them."""

from __future__ import annotations

from tests.agents.bare import Bare

SCENES: tuple[Bare, ...] = (
    Bare(
        name="v1-60x16-reader",
        agent="copilot",
        size=(60, 16),
        colours="none",
        doc=("for screen readers, no title, no colours: a turn, commands granted and refused, a question, a failure"),
        files={
            ".copilot/settings.json": {"screenReader": True, "updateTerminalTitle": False, "terminalProgress": False}
        },
        keys={"interrupt": ("C-c",)},
        acts=(
            "turn: slow 4",
            "allow: bash one",
            "refuse: bash two",
            "answer: ask me",
            "interrupt: slow 20",
            "fail: badkey",
        ),
    ),
    Bare(
        name="v2-45x12-status",
        agent="copilot",
        size=(45, 12),
        doc=(
            "a status line of busy words, no title, tabs, tips and scrollbar: a queue, a question put away, imitations"
        ),
        files={
            ".copilot/settings.json": {
                "statusLine": {"type": "command", "command": "echo '● Working · esc to interrupt'", "padding": 1},
                "updateTerminalTitle": False,
                "terminalProgress": False,
                "tabs": {"enabled": False},
                "showTipsOnStartup": False,
                "scrollbar": False,
                "theme": "high-contrast",
            }
        },
        keys={"interrupt": ("C-c",)},
        acts=("turn: slow 4", "allow: bash one", "queue: slow 6 / hello", "dismiss: ask me", "turn: mimic", "rest: 3"),
    ),
    Bare(
        name="v3-170x16-whole",
        agent="copilot",
        size=(170, 16),
        doc="answers come whole, no markdown, no title: overload, another language, a refusal, a question",
        files={
            ".copilot/settings.json": {
                "stream": False,
                "renderMarkdown": False,
                "updateTerminalTitle": False,
                "terminalProgress": False,
                "theme": "colorblind",
            }
        },
        command="TERM=xterm copilot",
        keys={"interrupt": ("C-c",)},
        acts=(
            "turn: 3 flaky one",
            "turn: foreign",
            "refuse: bash two",
            "interrupt: slow 8",
            "answer: ask me",
            "rest: 3",
        ),
    ),
    Bare(
        name="v4-90x20-light",
        agent="copilot",
        size=(90, 20),
        theme="light",
        doc=("a status line of two rows, no title, a light terminal: a question, a queue, two Escapes, a failure"),
        files={
            ".copilot/settings.json": {
                "updateTerminalTitle": False,
                "tabs": {"enabled": False},
                "theme": "dim",
                "statusLine": {"type": "command", "command": "printf '3 shells\\n✗ Failed, esc esc interrupt'"},
            }
        },
        patterns={"question_pattern": r"ctrl\+d decline"},
        keys={"interrupt": ("Escape", "Escape")},
        acts=(
            "turn: slow 4",
            "answer: askyn",
            "queue: slow 6 / hello",
            "interrupt: slow 20",
            "turn: mimic",
            "fail: badkey",
        ),
    ),
    Bare(
        name="v5-50x14-reader",
        agent="copilot",
        size=(50, 14),
        doc=(
            "for screen readers in a small pane, whole answers, no title: overload, a new file, a refusal, a question"
        ),
        files={".copilot/settings.json": {"screenReader": True, "updateTerminalTitle": False, "stream": False}},
        keys={"interrupt": ("C-c",)},
        acts=(
            "turn: 3 flaky one",
            "allow: write it",
            "refuse: bash two",
            "dismiss: ask me",
            "interrupt: slow 8",
            "turn: mimic",
        ),
    ),
)
