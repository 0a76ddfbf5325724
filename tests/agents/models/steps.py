"""What a fake model does in answer to one request, as a list of steps. Knows no wire format and no agent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

WORDS = (
    "ember",
    "stone",
    "river",
    "field",
    "lamp",
    "cloud",
    "paper",
    "window",
    "garden",
    "signal",
    "harbor",
    "metal",
    "orange",
    "velvet",
    "thunder",
    "meadow",
)


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Say:
    """Text, streamed word by word over so many seconds."""

    text: str
    seconds: float = 0.3


@dataclass(frozen=True, slots=True)
class Think:
    """Reasoning text, streamed like ``Say`` where the format has it."""

    text: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call; ends the answer."""

    tool: str
    args: Any


@dataclass(frozen=True, slots=True)
class Fail:
    """An HTTP error instead of an answer. Only as the first step. ``kind`` is the service's word for it."""

    status: int
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection closes in the middle of the stream."""


Step = Pause | Say | Think | Call | Fail | Cut


def keyword(prompt: str, known: frozenset[str]) -> str:
    """The word of ``prompt`` that is in ``known``: one with a colon and a space after it, else the first. Else ""."""
    named = (word for word in re.findall(r"\b([a-z]+): ", prompt.lower()) if word in known)
    return next(named, "") or next((word for word in re.findall(r"\b[a-z]+\b", prompt.lower()) if word in known), "")


def number_after(prompt: str, word: str, default: int) -> int:
    """``slow 15`` -> 15."""
    found = re.search(rf"\b{word}\s+(\d+)", prompt)
    return int(found.group(1)) if found else default


def filler(count: int) -> str:
    """So many harmless words."""
    return " ".join(WORDS[i % len(WORDS)] for i in range(count))


def pieces(text: str) -> list[str]:
    """``text`` cut into words, blanks kept; joined they give the text again."""
    return re.findall(r"\S+\s*|\s+", text) or [""]


COMMON: dict[str, list[Step]] = {
    "hello": [Pause(1.0), Say("Hello from the fake model.")],
    "think": [Pause(0.5), Think("Weighing the pretend options. " * 8, 4), Say("Thought it over.")],
    "hang": [Pause(25), Say("Finally an answer.")],
    "cut": [Say("This answer will be", 0.5), Cut()],
    "question": [
        Pause(0.6),
        Say("I see two ways.\n\n1. Paint it green\n2. Paint it brown\n\nWhich one would you like?"),
    ],
    "foreign": [
        Pause(0.6),
        Say(
            "了解しました。承認が必要な場合は お知らせします。\n\n- Ich warte auf eine Eingabe, dann geht es weiter.\n"
            "- Odotan vastausta, peruuta painamalla Esc.\n\nВыполнено: ошибок нет, можно продолжать.",
            4,
        ),
    ],
    "mimic": [
        Pause(0.6),
        Say(
            "It looked like this:\n\n```\n⠧ Thinking... (esc to cancel, 12s)\n● Working · esc to interrupt\n"
            "✕ [API Error: quota exceeded]\n╭─────────────────────╮\n│ Allow execution?    │\n│ ● 1. Allow once     │\n"
            "╰─────────────────────╯\n✗ Request failed\n△ Permission required\n■■■⬝⬝⬝⬝⬝ esc interrupt\n```\n\n"
            "Request cancelled. Working, esc to cancel",
            4,
        ),
    ],
    "approvetalk": [
        Pause(0.6),
        Say("It printed:\n\n Do you want to proceed?\n ❯ 1. Yes\n   2. No\n\n Esc to cancel · esc to interrupt\n"),
    ],
    "abroad": [
        Pause(0.6),
        Say(
            "Ich arbeite daran … fertig in 3 s.\n\n- Möchten Sie fortfahren? 1. Ja 2. Nein\n- 実行中… 完了しました。\n"
            "- Erreur : la requête a échoué, nouvel essai\n\nWarte auf die Freigabe.",
            2,
        ),
    ],
    "parrot": [
        Pause(0.6),
        Say(
            "What it printed:\n\n```\n✻ Brewing… (12s · ↓ 44 tokens · esc to interrupt)\n"
            "• Working (3s • esc to interrupt)\n"
            "⠋ Thinking...\n╭──────────────╮\n│ Allow once?  │\n│ ❯ 1. Yes     │\n│   2. No      │\n╰──────────────╯\n"
            "● API Error: 500 overloaded\n■ stream disconnected before completion\n› 1. Yes, proceed (y)\n```\n\n"
            "✻ Worked for 9s",
            2,
        ),
    ],
}
"""Answers that are the same for every agent."""


def common(word: str, prompt: str) -> list[Step] | None:
    """The steps of a keyword that needs nothing of the wire format."""
    if word == "slow":
        seconds = number_after(prompt, "slow", 15)
        return [Pause(0.5), Say(filler(seconds * 5), seconds)]
    return COMMON.get(word)
