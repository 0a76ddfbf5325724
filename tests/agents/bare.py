"""Scenes in which signs are taken away: by settings, by the terminal, by what the model says. Recorded by ``record``.

The driver knows here as little as it can of what the agent shows: that a turn is over it has from the fake model's last
byte and a screen that stands still, and from hooks where the scene has them.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.agents.driver import Driver
from tests.agents.ears import EventRecorder
from tests.agents.ready import seen, takes_keys, wait_ready
from tests.agents.record import AFTER_SEEN, Scene, Take, Tape

Settings = Mapping[str, Any]
KEYS: Mapping[str, tuple[str, ...]] = {
    "allow": ("Enter",),
    "refuse": ("Escape",),
    "answer": ("Enter",),
    "dismiss": ("Escape",),
    "interrupt": ("Escape",),
    "erase": ("C-u",),
}
"""What is pressed for an act, one after the other."""
PATTERNS: Mapping[str, Mapping[str, str]] = {
    "claude": {
        "approval_pattern": r"1\. Yes",
        "question_pattern": r"1\. Green",
        "error_pattern": r"(?i)error",
    },
    "codex": {
        "approval_pattern": r"1\. Yes",
        "question_pattern": r"1\. Red",
        "error_pattern": r"(?i)error|■",
    },
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
    },
    "cline": {},
}
"""What boxes have in any layout."""
LATEST_END = 5000
"""Milliseconds after a cause within which the agent itself may say that it changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bare(Scene):
    """A scene of an agent: settings over those that every scene has, keys, and ``acts``, which are ``BareTake``'s."""

    colours: str = "truecolor"
    theme: str = "untold"
    agent: str
    doc: str
    acts: tuple[str, ...]
    files: Mapping[str, Settings | str] = field(default_factory=dict)
    """Below its home: settings are merged into the JSON that is there, a text is a whole file."""
    toml: tuple[str, ...] = ()
    """Lines behind Codex's ``config.toml``, and values of keys that stand in it:"""
    replaced: Mapping[str, str] = field(default_factory=dict)
    command: str | None = None
    pause: float = 0.25  # between the keys of one act, in seconds
    patterns: Mapping[str, str] = field(default_factory=dict)  # of the driver, where ``PATTERNS`` are not these
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of an act, where others than ``KEYS``
    vim: bool = False
    hooks: bool = True

    @property
    def told(self) -> str:
        """What it shows, in words."""
        return self.doc

    def take(self, driver: Driver, tape: Tape) -> Take:
        """All of its acts, with the agent's session files, and hooks where it has them, on the tape."""
        with EventRecorder(driver, tape, hooks=self.hooks) as ears:
            take = BareTake(driver, tape, self, ears)
            take.play()
        take.allow_for(ears.changed)
        return take

    def prepare(self, home: Path) -> None:
        """Writes the settings of the scene."""
        for name, more in self.files.items():
            path = home / name
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if isinstance(more, str):
                path.write_text(more, encoding="utf-8")
                continue
            known = json.loads(path.read_text()) if path.exists() else {}
            path.write_text(json.dumps(_merged(known, more), indent=1) + "\n")
        if self.toml or self.replaced:
            path = home / ".codex/config.toml"
            text = path.read_text(encoding="utf-8")
            for key, value in self.replaced.items():
                text = re.sub(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
            path.write_text(text + "\n".join(self.toml) + "\n", encoding="utf-8")


def _merged(one: Settings, more: Settings) -> dict[str, Any]:
    both = dict(one)
    for key, value in more.items():
        both[key] = _merged(both.get(key) or {}, value) if isinstance(value, Mapping) else value
    return both


def _joined(spans: list[dict[str, int]]) -> list[dict[str, int]]:
    out: list[dict[str, int]] = []
    for span in sorted(spans, key=lambda one: one["from"]):
        if out and span["from"] <= out[-1]["to"]:
            out[-1]["to"] = max(out[-1]["to"], span["to"])
        else:
            out.append(dict(span))
    return out


class BareTake(Take):
    """Says what became true by keys and by the model's last byte, whatever the screen looks like."""

    def __init__(self, driver: Driver, tape: Tape, scene: Bare, ears: EventRecorder) -> None:
        super().__init__(driver, tape, {})
        self.scene, self.ears = scene, ears

    def play(self) -> None:
        """All acts of the scene."""
        for name, pattern in {**PATTERNS[self.driver.agent], **self.scene.patterns}.items():
            setattr(self.driver, name, pattern)
        self.begin()
        self.rest()
        for act in self.scene.acts:
            name, _, text = act.partition(": ")
            getattr(self, f"act_{name}")(text)
        self.leave()

    def allow_for(self, changed: list[int]) -> None:
        """Where the agent's own files tell of an end later than its cause, nothing is scored until a little after."""
        for label in self.truth.intervals[1:]:
            last = min(label["from"] + LATEST_END, label["to"])
            near = next((at for at in changed if label["from"] - 50 <= at <= last), None)
            if near is None or label["state"] == "no_agent":
                continue
            for span in self.truth.dont_care:
                if span["from"] <= label["from"] <= span["to"]:
                    span["to"] = max(span["to"], near + AFTER_SEEN)
        if self.driver.agent in ("claude", "codex"):  # between a turn and the next one it is at rest for an instant
            for at in changed:
                if any(x["state"] == "running" and x["from"] + 1500 < at < x["to"] - 500 for x in self.truth.intervals):
                    self.truth.dont_care.append({"from": at, "to": at + 600})
            self.truth.dont_care = _joined(self.truth.dont_care)

    # ------------------------------------------------ what the screen need not tell
    def launch(self) -> None:
        self.driver.launch(self.scene.command)

    def at_prompt(self) -> None:
        if self.scene.hooks and self.driver.agent == "codex":
            self._review_hooks()
        if self.driver.agent == "cline":
            self.driver.pass_start_up()
        wait_ready(self.driver, insert="i" if self.scene.vim else None)

    def _review_hooks(self) -> None:
        """Codex reviews hooks that are new to it."""
        at = self.driver.at
        for _ in range(4):
            look = at.wait_text(r"Hooks need review|Trust this folder|Trust and continue", 30)
            hooks = look.has("Hooks need review")
            if hooks and not look.has(r"^\s*› 2\."):
                at.keys("Down")
                at.wait_text(r"^\s*› 2\.", 5)
            at.wait_still()
            at.keys("Enter")
            if hooks:
                at.wait(lambda look: not look.has("Hooks need review"), "the review is over", 10)
                return

    def settle(self, still: float = 0.5) -> int:
        """Since when the screen stands still; returns after 4 s though it does not."""
        at, end = self.driver.at, self.tape.now() + 4000
        since, last = self.tape.now(), at.look().text
        while (now := self.tape.now()) < end:
            if now - since >= still * 1000:
                return since
            time.sleep(0.03)
            if (text := at.look().text) != last:
                since, last = self.tape.now(), text
        return now

    def write(self, text: str) -> None:
        """Into the field, also where vim's keys want to be told first."""
        at = self.driver.at
        began = self.tape.now()
        if self.scene.vim and not takes_keys(self.driver, 1.5):
            at.keys("i")
            at.wait_still(0.2, 1)
        at.letters(text)
        at.wait_still(0.25, 1)
        if self.driver.draft_says_idle:
            self.truth.blind(began, self.tape.now())

    def prompt(self, text: str) -> None:
        """Types a prompt and sends it: running."""
        self.write(text)
        asked, cause = self.asked, self.tape.now()
        self.driver.at.keys("Enter")
        self._until(lambda: self.asked > asked, "it asks its model", 30)
        self.truth.becomes("running", cause, self.tape.now())

    def over(self, answers: int) -> int:
        """So many answers were sent in all; since when their last words are drawn."""
        self._until(lambda: self.done >= answers, "the model's answer", 60)
        if self.scene.hooks and self.driver.agent in ("claude", "codex"):
            seen(lambda: any(at >= self.answered - 50 for name, at in self.ears.hooked if name in _ENDS), 2)
        # Cline's own files are not read: on a busy machine its screen stood still for 0.7 s within an answer
        return self.settle(1.5 if self.driver.agent == "cline" else 0.5)

    def _until(self, true: Callable[[], bool], what: str, seconds: float) -> None:
        assert seen(true, seconds), f"{what}: not in {seconds:.0f} s\n{self.driver.at.look().text}"

    # ------------------------------------------------ the acts
    def act_rest(self, text: str) -> None:
        """Nothing for so many seconds."""
        time.sleep(float(text))

    def act_keys(self, text: str) -> None:
        """Keys that change nothing."""
        self.driver.at.keys(*text.split())
        self.settle(0.3)

    def act_draft(self, text: str) -> None:
        """Words that are written and taken back."""
        self.write(text)
        time.sleep(1.5)
        self._pressed("erase")
        self.settle(0.3)
        if self.driver.draft_says_idle:
            self.truth.intervals[-1]["either"] = [self.truth.intervals[-1]["state"], "idle"]

    def act_resize(self, text: str) -> None:
        """The pane gets so many columns and rows; what is drawn in between is not looked at."""
        columns, _, rows = text.partition("x")
        at, began = self.driver.at, self.tape.now()
        at.tmux.run("resize-window", "-t", at.id, "-x", columns, "-y", rows)
        self.truth.blind(began, self.settle() + AFTER_SEEN)

    def act_command(self, text: str) -> None:
        """A command that begins a new conversation: idle."""
        began = self.tape.now()
        self.write(text)
        cause = self.tape.now()
        self.driver.at.keys("Enter")
        still = self.settle()
        self.truth.blind(began, cause)
        self.truth.becomes("idle", cause, still)
        self.rest()

    def act_again(self, text: str) -> None:
        """It is left, and started in the same pane."""
        self.leave()
        self._start()
        self.rest()

    def act_turn(self, text: str) -> None:
        """A prompt and its answer, of one call or of as many as the number before it."""
        count, _, rest = text.partition(" ")
        calls, words = (int(count), rest) if count.isdigit() else (1, text)
        wanted = self.done + calls
        self.prompt(words)
        drawn = self.over(wanted)
        self.truth.becomes("completed", self.answered, drawn)
        self.rest()

    def _asked(self, text: str, pattern: str, state: str, kind: str) -> None:
        wanted = self.done + 1
        self.prompt(text)
        self._until(lambda: self.done >= wanted, "its request", 30)
        self.driver.at.wait_text(pattern)
        self.truth.becomes(state, self.answered, self.tape.now(), waiting_kind=kind)
        self.rest()
        self.rest()

    def act_allow(self, text: str) -> None:
        """A command, which is allowed."""
        self._asked(text, self.driver.approval_pattern, "waiting_approval", "approval")
        self._goes_on("allow", self.driver.approval_pattern)

    def act_both(self, text: str) -> None:
        """Two commands of one answer, which are allowed one after the other."""
        self._asked(text, self.driver.approval_pattern, "waiting_approval", "approval")
        cause = self._pressed("allow")
        time.sleep(0.6)
        self.driver.at.wait_text(self.driver.approval_pattern)
        self.truth.blind(cause, self.settle() + AFTER_SEEN)
        self.rest()
        self._goes_on("allow", self.driver.approval_pattern)

    def act_refuse(self, text: str) -> None:
        """A command, which is refused by Escape."""
        self._asked(text, self.driver.approval_pattern, "waiting_approval", "approval")
        self._left("refuse", self.driver.approval_pattern)

    def act_answer(self, text: str) -> None:
        """A question, which is answered."""
        self._asked(text, self.driver.question_pattern, "waiting_input", "question")
        self._goes_on("answer", self.driver.question_pattern)

    def act_dismiss(self, text: str) -> None:
        """A question, which is put away."""
        self._asked(text, self.driver.question_pattern, "waiting_input", "question")
        self._left("dismiss", self.driver.question_pattern)

    def _goes_on(self, act: str, box: str) -> None:
        asked, wanted = self.asked, self.done + 1
        cause, gone = self._pressed(act), self._gone(box)
        if not seen(lambda: self.asked > asked, 8) and self.driver.at.look().has(box):  # it was still being drawn
            cause, gone = self._pressed(act), self._gone(box)
        self.truth.becomes("running", cause, gone)
        drawn = self.over(wanted)
        self.truth.becomes("completed", max(self.answered, cause), drawn)
        self.rest()

    def _pressed(self, act: str) -> int:
        """When the key that does it was pressed: the last one."""
        for number, key in enumerate(self.scene.keys.get(act, KEYS[act])):
            time.sleep(self.scene.pause if number else 0)
            cause = self.tape.now()
            self.driver.at.keys(key)
        return cause

    def _gone(self, box: str) -> int:
        """When the box went; the time of the call where words of it still stand, in what has scrolled up."""
        began = self.tape.now()
        return self.tape.now() if seen(lambda: not self.driver.at.look().has(box), 2) else began

    def _left(self, act: str, box: str) -> None:
        """The turn ends by it, or the model is told of it and goes on."""
        asked, wanted = self.asked, self.done + 1
        cause, gone = self._pressed(act), self._gone(box)
        if seen(lambda: self.asked > asked, 2.5):
            self.truth.becomes("running", cause, gone)
            drawn = self.over(wanted)
            self.truth.becomes("completed", self.answered, drawn)
        else:
            if self.driver.at.look().has(box):  # in what has scrolled up, or it has taken no notice
                assert takes_keys(self.driver), f"{act} did not close:\n{self.driver.at.look().text}"
            self.truth.becomes("idle", cause, gone)
        self.rest()

    def act_interrupt(self, text: str) -> None:
        """A long answer, which is stopped in its midst: its connection closes."""
        self.prompt(text)
        time.sleep(3.5)
        done = self.done
        for _ in range(2):
            cause = self._pressed("interrupt")
            if seen(lambda: self.done > done, 5):
                break
            self.truth.blind(cause, self.tape.now())
        else:
            raise AssertionError("the turn was not interrupted:\n" + self.driver.at.look().text)
        self.truth.becomes("idle", cause, self.settle())
        if not self.driver.interrupt_shows:
            self.truth.intervals[-1]["either"] = ["idle", "completed"]
        time.sleep(2.5)

    def act_queue(self, text: str) -> None:
        """A prompt, and another one while its answer comes: one long turn."""
        first, _, second = text.partition(" / ")
        wanted = self.done + 2
        self.prompt(first)
        time.sleep(1.5)
        self.write(second)
        self.driver.at.keys("Enter")
        self._until(lambda: self.done >= wanted - 1, "the first answer", 60)
        between = self.answered
        self.truth.blind(between, between + 600)
        drawn = self.over(wanted)
        self.truth.becomes("completed", self.answered, drawn)
        self.rest()

    def act_fail(self, text: str) -> None:
        """The service refuses for good."""
        wanted = self.done + 1
        self.prompt(text or self.driver.error_prompt)
        self._until(lambda: self.done >= wanted, "the refusal", 60)
        while True:
            self.driver.at.wait_text(self.driver.error_pattern, 40)
            result = self.settle()
            if not self._asks_again(2.5):
                break
        self.truth.becomes("error", self.answered, result)

    def _asks_again(self, seconds: float) -> bool:
        asked = self.asked
        return seen(lambda: self.asked > asked, seconds)

    def leave(self) -> None:
        """An orderly end."""
        began = self.tape.now()
        self.write("/exit" if self.driver.agent == "claude" else "/quit")
        self.driver.at.keys("Enter")
        if not seen(lambda: not self.driver.processes(), 4):  # the first one took the command from a list
            self.driver.at.keys("Enter")
        self.driver.wait_shell()
        gone = self.tape.now()
        self.tape.write("proc", event="exit", code=0)
        self.truth.blind(began, gone)
        self.truth.becomes("no_agent", gone, gone)
        self.rest()


_ENDS = ("Stop", "StopFailure", "TurnEnd")
