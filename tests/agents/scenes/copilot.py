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
    Bare(
        name="f1-96x18-script",
        agent="copilot",
        size=(96, 18),
        hooks=False,
        doc="below script, a status line whose clock runs, no title, no tabs: two commands, a queue, another size",
        files={
            ".copilot/settings.json": {
                "statusLine": {"type": "command", "command": "date '+%T · 2 jobs running'", "refreshInterval": 1},
                "updateTerminalTitle": False,
                "terminalProgress": False,
                "tabs": {"enabled": False},
                "mouse": False,
            }
        },
        command="script -qec copilot /dev/null",
        started_as="script",
        keys={"interrupt": ("C-c",)},
        acts=(
            "turn: slow 4",
            "both: twobash",
            "resize: 70x24",
            "queue: slow 5 / hello",
            "interrupt: slow 20",
            "rest: 2",
        ),
    ),
    Bare(
        name="f2-38x20-whole",
        agent="copilot",
        size=(38, 20),
        colours="none",
        hooks=False,
        doc="a narrow pane, no colours, whole answers, no scrollbar, no title: a path outside, questions, a failure",
        files={
            ".copilot/settings.json": {
                "stream": False,
                "scrollbar": False,
                "updateTerminalTitle": False,
                "terminalProgress": False,
                "showTipsOnStartup": False,
                "renderMarkdown": False,
            }
        },
        command="copilot --plain-diff",
        keys={"interrupt": ("C-c",)},
        acts=(
            "turn: slow 4",
            "allow: outside it",
            "answer: ask me",
            "refuse: write it",
            "turn: foreign",
            "fail: badkey",
        ),
    ),
    Bare(
        name="f3-150x36-reader",
        agent="copilot",
        size=(150, 36),
        theme="light",
        hooks=False,
        doc=(
            "for screen readers in a wide, light terminal, no title, no tips: a queue, a new conversation, a new start"
        ),
        files={
            ".copilot/settings.json": {
                "screenReader": True,
                "updateTerminalTitle": False,
                "terminalProgress": False,
                "showTipsOnStartup": False,
                "theme": "colorblind",
            }
        },
        keys={"interrupt": ("C-c",)},
        acts=(
            "turn: mimic",
            "allow: bash one",
            "command: /clear",
            "queue: slow 5 / hello",
            "again: ",
            "interrupt: slow 20",
            "dismiss: ask me",
            "rest: 2",
        ),
    ),
    Bare(
        name="f4-80x13-edits",
        agent="copilot",
        size=(80, 13),
        theme="dark",
        hooks=False,
        doc=(
            "a low pane, a status line of two rows, another theme, tabs in another order, no title: edits, a "
            "helper, overload"
        ),
        files={
            ".copilot/settings.json": {
                "statusLine": {"type": "command", "command": "printf '~/proj on main\\n0 errors, idle'", "padding": 3},
                "updateTerminalTitle": False,
                "terminalProgress": False,
                "theme": "dim",
                "tabs": {"sort": ["gists", "issues"], "hide": ["agents"]},
                "companyAnnouncements": ["Working hours: 9 to 5"],
            }
        },
        keys={"interrupt": ("C-c",)},
        acts=(
            "turn: think it over",
            "allow: edit it",
            "turn: 3 task",
            "turn: 3 flaky one",
            "refuse: bash two",
            "interrupt: slow 20",
            "rest: 2",
        ),
    ),
    Bare(
        name="f5-62x30-experimental",
        agent="copilot",
        size=(62, 30),
        colours="none",
        hooks=False,
        doc=(
            "experimental features, no colours, no mouse, no title, a status line of marks, below bash: a helper,"
            " a page"
        ),
        files={
            ".copilot/settings.json": {
                "experimental": True,
                "mouse": False,
                "theme": "high-contrast",
                "updateTerminalTitle": False,
                "terminalProgress": False,
                "statusLine": {"type": "command", "command": "printf '◉ main ● 3 ✗ 0'"},
            }
        },
        command="bash -c 'copilot; true'",
        started_as="bash -c",
        keys={"interrupt": ("C-c",)},
        acts=(
            "turn: 3 task",
            "refuse: bash two",
            "allow: write it",
            "interrupt: slow 20",
            "answer: ask me",
            "turn: parrot",
            "rest: 2",
        ),
    ),
    Bare(
        name="f6-128x13-reader-clock",
        agent="copilot",
        size=(128, 13),
        theme="dark",
        hooks=False,
        doc=(
            "for screen readers in a low, wide pane, a status line whose clock runs, no title: two commands, a failure"
        ),
        files={
            ".copilot/settings.json": {
                "screenReader": True,
                "updateTerminalTitle": False,
                "terminalProgress": False,
                "tabs": {"enabled": False},
                "scrollbar": False,
                "statusLine": {"type": "command", "command": "date '+%T Working'", "refreshInterval": 1, "padding": 2},
            }
        },
        keys={"interrupt": ("C-c",)},
        acts=(
            "turn: foreign",
            "both: twobash",
            "command: /clear",
            "dismiss: ask me",
            "interrupt: slow 20",
            "fail: badkey",
        ),
    ),
)
