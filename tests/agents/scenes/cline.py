"""Scenes of Cline CLI: ordinary work with its usual settings, in panes of several sizes."""

from __future__ import annotations

from collections.abc import Mapping

from tests.agents.bare import Bare

KEYS: Mapping[str, tuple[str, ...]] = {"allow": ("y",), "refuse": ("n",)}


def _scene(name: str, columns: int, rows: int, doc: str, *acts: str, command: str | None = None) -> Bare:
    size = (columns, rows)
    return Bare(
        name=name, agent="cline", size=size, doc=doc, acts=acts, command=command, keys=KEYS, hooks=False
    )  # fmt: skip


SCENES: tuple[Bare, ...] = (
    _scene(
        "work", 100, 30,
        "turns, a command allowed and one refused, a question, an interrupt, and a turn after it",
        "turn: slow 5", "draft: half a thought", "allow: bash one", "answer: ask me", "turn: foreign",
        "refuse: bash two", "interrupt: slow 20", "turn: hello", "rest: 4",
    ),
    _scene(
        "tools", 80, 24,
        "a file written, two commands at once, a file read without a question, imitations of other agents",
        "allow: write it", "turn: hello", "allow: twobash", "turn: 2 outside it", "turn: mimic", "refuse: write more",
        "rest: 4",
    ),
    _scene(
        "long", 140, 45,
        "long answers, thoughts, a pane that is resized, a long wait before the first word",
        "turn: slow 14", "turn: think it over", "resize: 90x30", "turn: slow 8", "resize: 140x45", "turn: hello",
        "allow: bash one", "rest: 4",
    ),
    _scene(
        "plan", 80, 24,
        "plan mode and back: turns, a question and a command",
        "keys: Tab", "turn: slow 4", "answer: ask me", "keys: Tab", "turn: hello", "allow: bash one", "rest: 4",
    ),
    _scene(
        "again", 120, 40,
        "a new session, a failure, a turn after it; left and started again in the same pane",
        "turn: slow 4", "command: /clear", "turn: hello", "fail: badkey", "rest: 3", "turn: slow 3", "again",
        "turn: hello", "allow: bash one", "rest: 3",
    ),
    _scene(
        "auto", 90, 28,
        "every tool approved by itself: commands, a file, a question, an interrupt",
        "turn: 2 bash one", "turn: 2 write it", "answer: ask me", "interrupt: slow 20", "turn: 2 twobash", "rest: 4",
        command="cline --auto-approve true",
    ),
    _scene(
        "narrow", 60, 18,
        "a small pane: answers longer than the screen, a command allowed, one refused, a question",
        "turn: slow 6", "allow: bash one", "turn: parrot", "answer: ask me", "refuse: bash two", "turn: abroad",
        "rest: 4",
    ),
)  # fmt: skip
