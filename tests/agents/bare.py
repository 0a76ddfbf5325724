"""Scenes in which signs are taken away: by settings, by the terminal, by what the model says. Recorded by ``record``.

The driver knows here as little as it can of what the agent shows: that a turn is over it has from the fake model's last
byte and a screen that stands still.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.agents.driver import Driver
from tests.agents.ears import Ears
from tests.agents.record import Scene, Take, Tape

Settings = Mapping[str, Any]
KEYS: Mapping[str, tuple[str, ...]] = {
    "allow": ("Enter",),
    "refuse": ("Escape",),
    "answer": ("Enter",),
    "dismiss": ("Escape",),
    "interrupt": ("Escape",),
}
"""What is pressed for an act, one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bare(Scene):
    """A scene of an agent: ``files`` below its home are merged into what is there, ``acts`` are ``BareTake``'s."""

    colours: str = "truecolor"
    theme: str = "untold"
    agent: str
    doc: str
    acts: tuple[str, ...]
    files: Mapping[str, Settings] = field(default_factory=dict)
    command: str | None = None
    pause: float = 0.25  # between the keys of one act, in seconds
    patterns: Mapping[str, str] = field(default_factory=dict)  # of the driver, where the screen is another one
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of an act, where others than ``KEYS``

    @property
    def told(self) -> str:
        """What it shows, in words."""
        return self.doc

    def take(self, driver: Driver, tape: Tape) -> Take:
        """All of its acts, with the agent's hooks and session files on the tape."""
        with Ears(driver, tape):
            take = BareTake(driver, tape, {})
            take.play(self)
        return take

    def prepare(self, home: Path) -> None:
        """Writes the settings of the scene."""
        for name, more in self.files.items():
            path = home / name
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            known = json.loads(path.read_text()) if path.exists() else {}
            path.write_text(json.dumps(_merged(known, more), indent=1) + "\n")


def _merged(one: Settings, more: Settings) -> dict[str, Any]:
    both = dict(one)
    for key, value in more.items():
        both[key] = _merged(both.get(key) or {}, value) if isinstance(value, Mapping) else value
    return both


class BareTake(Take):
    """Says what became true by keys and by the model's last byte, whatever the screen looks like."""

    scene: Bare

    def play(self, scene: Bare) -> None:
        """All acts of a scene."""
        self.scene = scene
        for name, pattern in scene.patterns.items():
            setattr(self.driver, name, pattern)
        self.begin()
        self.rest()
        for act in scene.acts:
            name, _, text = act.partition(": ")
            getattr(self, f"act_{name}")(text)
        self.leave()

    # ------------------------------------------------ what the screen need not tell
    def launch(self) -> None:
        self.driver.launch(self.scene.command)

    def at_prompt(self) -> None:
        self.driver.at.wait_text(self.driver.ready_pattern, 40)
        self.settle(1.0)

    def settle(self, still: float = 0.5) -> None:
        """The screen has stood still; returns after 4 s though it does not."""
        self.driver.at.wait_still(still, 4)

    def prompt(self, text: str) -> None:
        """Types a prompt and sends it: running."""
        self.prompt_unseen(text)

    def over(self, answers: int) -> None:
        """So many answers were sent in all, and their last words are drawn."""
        self._until(lambda: self.done >= answers, "the model's answer", 60)
        self.settle()

    def _until(self, true: Callable[[], bool], what: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, f"{what}: not in {seconds:.0f} s\n{self.driver.at.look().text}"
            time.sleep(0.02)

    # ------------------------------------------------ the acts
    def act_rest(self, text: str) -> None:
        """Nothing for so many seconds."""
        time.sleep(float(text))

    def act_keys(self, text: str) -> None:
        """Keys that change nothing."""
        self.driver.at.keys(*text.split())
        self.settle(0.3)

    def act_turn(self, text: str) -> None:
        """A prompt and its answer, of one call or of as many as the number before it."""
        count, _, rest = text.partition(" ")
        calls, words = (int(count), rest) if count.isdigit() else (1, text)
        wanted = self.done + calls
        self.prompt(words)
        self.over(wanted)
        self.truth.becomes("completed", self.answered, self.tape.now())
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
        wanted, cause = self.done + 1, self._pressed(act)
        self._gone(box)
        self.truth.becomes("running", cause, self.tape.now())
        self.over(wanted)
        self.truth.becomes("completed", max(self.answered, cause), self.tape.now())
        self.rest()

    def _pressed(self, act: str) -> int:
        """When the key that does it was pressed: the last one."""
        for number, key in enumerate(self.scene.keys.get(act, KEYS[act])):
            time.sleep(self.scene.pause if number else 0)
            cause = self.tape.now()
            self.driver.at.keys(key)
        return cause

    def _gone(self, box: str) -> None:
        """The box is no longer drawn; returns after 2 s though words of it still stand, in what has scrolled up."""
        end = time.monotonic() + 2
        while time.monotonic() < end and self.driver.at.look().has(box):
            time.sleep(0.02)

    def _left(self, act: str, box: str) -> None:
        """The turn ends by it, or the model is told of it and goes on."""
        asked, wanted = len(self.driver.model.seen), self.done + 1
        cause = self._pressed(act)
        self._gone(box)
        gone, end = self.tape.now(), time.monotonic() + 2.5
        while time.monotonic() < end and len(self.driver.model.seen) == asked:
            time.sleep(0.02)
        if len(self.driver.model.seen) > asked:
            self.truth.becomes("running", cause, gone)
            self.over(wanted)
            self.truth.becomes("completed", self.answered, self.tape.now())
        else:
            self.truth.becomes("idle", cause, gone)
        self.rest()

    def act_interrupt(self, text: str) -> None:
        """A long answer, which is stopped in its midst; ends when the model has noticed."""
        wanted = self.done + 1
        self.prompt(text)
        time.sleep(3.5)
        cause = self._pressed("interrupt")
        self.settle()
        self.truth.becomes("idle", cause, self.tape.now())
        if not self.driver.interrupt_shows:
            self.truth.intervals[-1]["either"] = ["idle", "completed"]
        time.sleep(2.0)
        self._until(lambda: self.done >= wanted, "the end of the answer", 30)

    def act_queue(self, text: str) -> None:
        """A prompt, and another one while its answer comes: one long turn."""
        first, _, second = text.partition(" / ")
        wanted = self.done + 2
        self.prompt(first)
        self.driver.wait_streaming()
        self.driver.at.type(second)
        self.driver.at.keys("Enter")
        self._until(lambda: self.done >= wanted - 1, "the first answer", 60)
        between = self.answered
        self.truth.blind(between, between + 600)
        self.over(wanted)
        self.truth.becomes("completed", self.answered, self.tape.now())
        self.rest()

    def act_fail(self, text: str) -> None:
        """The service refuses for good."""
        wanted = self.done + 1
        self.prompt(text or self.driver.error_prompt)
        self.over(wanted)
        self.driver.at.wait_text(self.driver.error_pattern, 40)
        self.truth.becomes("error", self.answered, self.tape.now())
        time.sleep(2.0)
