"""The scenes in which signs are taken away, and the command that records them.

What a scene sets comes from the agents' own lists of settings; what is played in it is ``bare``'s.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from tests.agents.bare import Bare, Settings
from tests.agents.kinds import KINDS
from tests.agents.record import CORPUS, record
from tests.agents.world import modules_of

NO_TITLE: Settings = {"dynamicWindowTitle": False, "hideWindowTitle": True}
PLAIN_GEMINI = {"showSpinner": False, "hideFooter": True, "showShortcutsHint": False, "hideBanner": True}
LOOSE: Mapping[str, Mapping[str, str]] = {
    "gemini": {
        "approval_pattern": r"1\. Allow once",
        "question_pattern": r"Question 1 of 1|1\. +Red",
        "error_pattern": "for full details",
    },
    "copilot": {
        "approval_pattern": r"1\. Yes",
        "question_pattern": r"\bRed$",
        "error_pattern": "Authentication failed",
    },
    "opencode": {
        "approval_pattern": r"Permission required|Allow once",
        "question_pattern": r"1\. Red",
        "ready_pattern": "Build · ",
    },
}
"""What boxes have in any layout."""
LIGHT: Mapping[str, str] = {"question_pattern": r"ctrl\+d decline"}
SCENES: tuple[Bare, ...] = (
    Bare(
        name="v10-45x12-plain",
        agent="gemini",
        size=(45, 12),
        colours="none",
        command="TERM=xterm gemini",
        doc="no title, colours, spinner, footer, hints: a turn, commands granted and refused, an interrupt",
        files={
            ".gemini/settings.json": {"ui": {**NO_TITLE, **PLAIN_GEMINI, "hideTips": True, "loadingPhrases": "off"}}
        },
        acts=("turn: slow 4", "allow: bash one", "refuse: bash two", "interrupt: slow 20", "turn: foreign", "rest: 3"),
    ),
    Bare(
        name="v11-180x18-alternate",
        agent="gemini",
        size=(180, 18),
        doc="the alternate screen, a light theme, chosen footer items, no title: questions, imitations, a queue",
        files={
            ".gemini/settings.json": {
                "ui": {
                    **NO_TITLE,
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
        patterns={**LOOSE["gemini"], "ready_pattern": "Press 'Esc' for"},
        size=(80, 24),
        colours="none",
        doc="the layout for screen readers with vim's keys, no title: a turn, a command, a question, an interrupt",
        files={
            ".gemini/settings.json": {
                "ui": {**NO_TITLE, "accessibility": {"screenReader": True}},
                "general": {"vimMode": True},
            }
        },
        keys={"interrupt": ("Escape", "Escape")},  # one leaves vim's INSERT mode only
        pause=0.7,
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
        doc="phrases that read like ends and dialogs, thoughts in the text and title, no spinner: overload, a command",
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
        keys={"refuse": ("C-c",)},  # in 0.61.0 the field takes all other keys
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
        name="v1-60x16-reader",
        agent="copilot",
        patterns=LOOSE["copilot"],
        size=(60, 16),
        colours="none",
        doc="for screen readers, no title, no colours: a turn, commands granted and refused, a question, a failure",
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
        patterns=LOOSE["copilot"],
        size=(45, 12),
        doc="a status line of busy words, no title, tabs, tips and scrollbar: a queue, a question put away, imitations",
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
        command="TERM=xterm copilot",
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
        name="v1-45x12-still",
        agent="opencode",
        patterns=LOOSE["opencode"],
        size=(45, 12),
        colours="none",
        doc="no animations, no title, no colours: a turn, commands granted and refused, a question, an interrupt",
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
        patterns=LOOSE["opencode"],
        size=(150, 20),
        theme="light",
        doc="other keys, a light theme, no sidebar, no title: imitations, a queue, a command, a question put away",
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
        patterns=LOOSE["opencode"],
        size=(72, 16),
        command="TERM=xterm opencode",
        doc="no animations, no details of answers and tools, thoughts and times shown: overload, a refusal, a failure",
        files={
            ".local/state/opencode/kv.json": {
                "animations_enabled": False,
                "assistant_metadata_visibility": False,
                "tool_details_visibility": False,
                "thinking_mode": "show",
                "timestamps": "show",
            }
        },
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
        name="v14-110x28-chosen",
        agent="gemini",
        patterns={"question_pattern": "Enter to select"},
        size=(110, 28),
        colours="256",
        doc="no true colour, no title, no spinner, a footer of chosen items: an edit, a question put away, a queue",
        files={
            ".gemini/settings.json": {
                "ui": {
                    **NO_TITLE,
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
        patterns=LOOSE["gemini"],
        doc="the layout for screen readers in a small pane, no title: imitations, a refusal, a retry, a failure",
        files={".gemini/settings.json": {"ui": {**NO_TITLE, "accessibility": {"screenReader": True}}}},
        acts=("turn: mimic", "refuse: bash two", "allow: bash one", "interrupt: boom", "turn: foreign", "fail: badkey"),
    ),
    Bare(
        name="v4-90x20-light",
        agent="copilot",
        patterns=LIGHT,
        size=(90, 20),
        theme="light",
        doc="a status line of two rows, no title, a light terminal: a question, a queue, two Escapes, a failure",
        files={
            ".copilot/settings.json": {
                "updateTerminalTitle": False,
                "tabs": {"enabled": False},
                "theme": "dim",
                "statusLine": {"type": "command", "command": "printf '3 shells\\n✗ Failed, esc esc interrupt'"},
            }
        },
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
        patterns=LOOSE["copilot"],
        doc="for screen readers in a small pane, whole answers, no title: overload, a new file, a refusal, a question",
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
        name="v4-60x14-still",
        agent="opencode",
        size=(60, 14),
        colours="none",
        patterns=LOOSE["opencode"],
        doc="no animations, another key to interrupt, no title, no colours: a path outside, a retry, a queue",
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


def main() -> None:
    """``python -m tests.agents.scenes AGENT/NAME...``: records these scenes, behind ``tests.agents.isolate``."""
    parser = argparse.ArgumentParser(prog="python -m tests.agents.scenes", description=main.__doc__)
    parser.add_argument("name", nargs="+", help="AGENT/NAME", choices=[f"{s.agent}/{s.name}" for s in SCENES])
    parser.add_argument("--out", type=Path, default=CORPUS)
    asked = parser.parse_args()
    for scene in SCENES:
        if f"{scene.agent}/{scene.name}" in asked.name:
            modules = modules_of(scene.agent)
            if modules is None:
                raise SystemExit("the agent CLIs are not installed: run make test-agents once")
            record(KINDS[scene.agent], scene, modules, asked.out)


if __name__ == "__main__":
    main()
