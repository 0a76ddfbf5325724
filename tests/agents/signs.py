"""Scenes of Claude Code and Codex with signs taken away from the screen: ``python -m tests.agents.signs --help``.

The operator of these scenes knows the screen only to know when to press the next key. What was true comes from its
keys, from the last byte of the fake model's answer and from hooks. Run it behind ``python -m tests.agents.isolate``.
"""

from __future__ import annotations

import argparse
import json
import re
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.agents.driver import ClaudeDriver, CodexDriver, Driver
from tests.agents.models.server import FakeModel
from tests.agents.record import AFTER_SEEN, CORPUS, Camera, Scene, Take, Tape, TapedPane, keep
from tests.agents.sign_scenes import SCENES, Signs
from tests.agents.sources import Sources, hooks
from tests.agents.world import World, modules_of, version_of

KINDS: dict[str, type[Driver]] = {"claude": ClaudeDriver, "codex": CodexDriver}
_ASIDE = frozenset({"title", "side request", "suggestion"})
_ENDS = ("Stop", "StopFailure")


class BareTake(Take):
    """A life of an agent that shows less than others, played as its scene says."""

    def __init__(self, driver: Driver, tape: Tape, signs: Signs, sources: Sources) -> None:
        super().__init__(driver, tape, {})
        self.signs, self.sources = signs, sources
        self.asked = self.done = 0  # requests of the agent itself, and those answered
        self._watch(driver.model)

    def _watch(self, model: FakeModel) -> None:
        note, post = model.note, type(model).post
        mine = threading.local()

        def noted(script: str, prompt: str) -> None:
            mine.script = script
            self.asked += script not in _ASIDE
            note(script, prompt)

        def timed(path: str, body: dict[str, Any], reply: Any) -> None:
            mine.script = "title"
            try:
                post(model, path, body, reply)
            finally:
                if mine.script not in _ASIDE:
                    self.answered = self.tape.now()
                    self.done += 1

        model.note = noted  # type: ignore[method-assign]
        model.post = timed  # type: ignore[method-assign]

    def until(self, seen: Any, seconds: float, what: str | None = None) -> bool:
        """Whether it came in time; what must come is named."""
        end = time.monotonic() + seconds
        while not seen():
            if time.monotonic() > end:
                if what is None:
                    return False
                raise AssertionError(f"{what}: not seen; screen:\n{self.driver.at.look().text}")
            time.sleep(0.03)
        return True

    # ------------------------------------------------ what the operator does
    def begin(self) -> None:
        self.truth.intervals.append({"from": 0, "to": 0, "state": "no_agent"})
        driver, at = self.driver, self.driver.at
        began = self.tape.now()
        driver.launch(self.signs.command)
        at.wait(lambda _: bool(driver.processes()), "its process", 20)
        started = self.tape.now()
        chain = [{"comm": p.comm, "argv": [self._path(a) for a in p.argv]} for p in driver.processes()]
        self.tape.write("proc", event="start", chain=chain)
        self._pass_dialogs()
        self.truth.becomes("idle", started, self.tape.now())
        self.truth.dont_care[-1]["from"] = began

    def _pass_dialogs(self) -> None:
        """To the prompt. Codex always reviews its hooks first, for they are new to it."""
        at, still = self.driver.at, 0
        reviewed = self.driver.agent != "codex"
        end = time.monotonic() + 60
        time.sleep(3)
        while still < 2 or not reviewed:
            assert time.monotonic() < end, f"its start-up does not end:\n{at.look().text}"
            look = at.look()
            if look.has(r"Hooks need review|Trust this folder|Trust and continue"):
                still = 0
                hooks_asked = look.has(r"Hooks need review")
                on_it = look.has(r"^\s*› 2\.") or not hooks_asked
                reviewed = reviewed or (on_it and hooks_asked)
                at.keys("Enter" if on_it else "Down")
                time.sleep(1)
            at.wait_still(0.5, 2)
            still = still + 1 if at.look().text == look.text else 0

    def type(self, text: str) -> None:
        """Into the field, also where vim's keys want to be told first."""
        at = self.driver.at
        began = self.tape.now()
        if self.signs.vim and not at.look().has(r"(?i)insert") and not self._takes_words():
            at.keys("i")
        at.tape.write("key", keys=[f"text:{text}"])  # type: ignore[attr-defined]
        at.tmux.run("send-keys", "-t", at.id, "-l", text)
        at.wait_still(0.25, 1)
        if self.driver.draft_says_idle:
            self.truth.blind(began, self.tape.now())

    def _takes_words(self) -> bool:
        at = self.driver.at
        before = at.look().text
        at.keys("z")
        at.wait_still(0.2, 1)
        taken = at.look().text != before
        if taken:
            at.keys("BSpace")
            at.wait_still(0.2, 1)
        return taken

    def send(self, text: str) -> None:
        """A prompt sent: running."""
        self.type(text)
        asked, cause = self.asked, self.tape.now()
        self.driver.at.keys("Enter")
        self.until(lambda: self.asked > asked, 15, "it asks its model")
        self.truth.becomes("running", cause, self.tape.now())

    def _told_end(self) -> int | None:
        """A tool that runs without asking comes before the last answer: only a hook ends the turn."""
        return self.sources.since(self.answered - 50, *_ENDS)

    def end(self, cause: int = 0) -> None:
        """The turn ends by itself."""
        self.until(lambda: self.done >= self.asked and self._told_end() is not None, 60, "the end of the turn")
        self.truth.becomes("completed", max(self.answered, cause), self._told_end() or 0)
        time.sleep(2.5)

    def raises(self, text: str, state: str, kind: str, pattern: str) -> None:
        """A prompt whose answer asks something of the user."""
        self.send(text)
        self.until(lambda: self.done >= self.asked, 20, "the answer")
        self.driver.at.wait_text(pattern, 15)
        self.truth.becomes(state, self.answered, self.tape.now(), waiting_kind=kind)
        time.sleep(3)

    def gone(self, keys: tuple[str, ...], pattern: str) -> int:
        """Keys that close a dialog; when they did."""
        at = self.driver.at
        for _ in range(3):
            cause = self.tape.now()
            for key in keys:
                at.keys(key)
                time.sleep(0.15 if len(keys) > 1 else 0)
            if self.until(lambda: not at.look().has(pattern), 3):
                return cause
        raise AssertionError(f"{keys} did not close:\n{at.look().text}")

    # ------------------------------------------------ the steps of a scene
    def plain(self, text: str) -> None:
        self.send(text)
        self.end()

    def allow(self, text: str) -> None:
        self.raises(text, "waiting_approval", "approval", self.signs.approval)
        asked = self.asked
        cause = self.gone(self.signs.yes, self.signs.approval)
        self.truth.becomes("running", cause, self.tape.now())
        self.until(lambda: self.asked > asked, 20, "it asks its model")
        self.end(cause=cause)

    def refuse(self, text: str) -> None:
        self.raises(text, "waiting_approval", "approval", self.signs.approval)
        self._closed(self.signs.no, self.signs.approval)

    def ask(self, text: str) -> None:
        self.raises(text, "waiting_input", "question", self.signs.question)
        asked = self.asked
        cause = self.gone(self.signs.pick, self.signs.question)
        self.truth.becomes("running", cause, self.tape.now())
        self.until(lambda: self.asked > asked, 20, "it asks its model")
        self.end(cause=cause)

    def dismiss(self, text: str) -> None:
        self.raises(text, "waiting_input", "question", self.signs.question)
        self._closed(self.signs.leave, self.signs.question)

    def _closed(self, keys: tuple[str, ...], pattern: str) -> None:
        asked = self.asked
        cause = self.gone(keys, pattern)
        if self.until(lambda: self.asked > asked, 1.5):  # its model is told, and the turn goes on
            self.truth.becomes("running", cause, cause)
            self.end(cause=cause)
            return
        self.truth.becomes("idle", cause, cause)
        time.sleep(1.5)

    def halt(self, text: str) -> None:
        self.send(text)
        self.until(lambda: self.driver.at.look().has("ember|stone|river"), 4)
        time.sleep(2)
        done = self.done
        for _ in range(4):
            cause = self.tape.now()
            self.driver.at.keys(*self.signs.interrupt)
            if self.until(lambda: self.done > done, 2):
                break
            self.truth.blind(cause, self.tape.now())
        else:
            raise AssertionError("the turn was not interrupted:\n" + self.driver.at.look().text)
        self.truth.becomes("idle", cause, self.answered)
        time.sleep(3)

    def queue(self, text: str) -> None:
        """A second prompt while the first is answered."""
        first, _, second = text.partition(" then ")
        self.send(first)
        time.sleep(1.5)
        asked = self.asked
        self.type(second)
        self.driver.at.keys("Enter")
        self.until(lambda: self.asked > asked, 30, "the second prompt")
        self.truth.blind(self.answered - 100, self.tape.now() + AFTER_SEEN)  # the agent itself is idle for an instant
        self.end()

    def broken(self, text: str) -> None:
        self.send(text)
        if self.driver.agent == "claude":  # Codex has no hook for it
            self.until(lambda: self.sources.since(self.truth.intervals[-1]["from"], *_ENDS) is not None, 10, "its hook")
        self.until(lambda: self.driver.at.look().has(r"(?i)error|■"), 10, "the failure")
        self.truth.becomes("error", self.answered, self.tape.now())
        time.sleep(3)

    def draft(self, text: str) -> None:
        self.type(text)
        time.sleep(1.5)
        self.driver.at.keys("C-u")
        time.sleep(1)
        if self.driver.draft_says_idle:
            self.truth.intervals[-1]["either"] = [self.truth.intervals[-1]["state"], "idle"]

    def press(self, keys: str) -> None:
        """Keys that change nothing of the state."""
        self.driver.at.keys(*keys.split())
        time.sleep(2)

    def rest_for(self, seconds: str) -> None:
        time.sleep(float(seconds))

    def leave(self) -> None:
        began = self.tape.now()
        self.type("/exit" if self.driver.agent == "claude" else "/quit")
        self.driver.at.keys("Enter")
        self.driver.wait_shell()
        gone = self.tape.now()
        self.tape.write("proc", event="exit", code=0)
        self.truth.blind(began, gone)
        self.truth.becomes("no_agent", gone, gone)
        self.rest()

    def settle(self) -> None:
        """Where the agent's own files tell of a change later than its cause, nothing is scored until a little after."""
        for label in self.truth.intervals[1:]:
            last = min(label["from"] + 1200, label["to"])
            near = next((at for at in self.sources.changed if label["from"] - 50 <= at <= last), None)
            if near is None:
                continue
            for span in self.truth.dont_care:
                if span["from"] <= label["from"] <= span["to"]:
                    span["to"] = max(span["to"], near + AFTER_SEEN)

    def life(self) -> None:
        self.begin()
        time.sleep(2)
        for step in self.signs.steps:
            name, _, text = step.partition(": ")
            getattr(self, name)(text)
        self.leave()


def _seed(driver: Driver, signs: Signs) -> None:
    """The agent's settings: what every scene has, the scene's own over it, hooks."""
    driver.seed(trusted=True)
    home, told = driver.world.home, hooks(driver.world, driver.agent)
    if driver.agent == "claude":
        for name, more in ((".claude/settings.json", {**signs.settings, "hooks": told}), (".claude.json", signs.state)):
            path = home / name
            path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | more), encoding="utf-8")
        if signs.bindings:
            (home / ".claude/keybindings.json").write_text(json.dumps({"bindings": signs.bindings}), encoding="utf-8")
        return
    path = home / ".codex/config.toml"
    text = path.read_text(encoding="utf-8")
    for key, value in signs.replaced.items():
        text = re.sub(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
    path.write_text(text + "\n".join(signs.toml) + "\n", encoding="utf-8")
    (home / ".codex/hooks.json").write_text(json.dumps({"hooks": told}), encoding="utf-8")


def record(signs: Signs, modules: Path, out: Path) -> None:
    """One recording and its labels, below ``out``."""
    kind = KINDS[signs.agent]
    with ExitStack() as stack:
        world = stack.enter_context(World(signs.colours, signs.theme, signs.size))
        model: FakeModel = stack.enter_context(kind.model_type(world.work))
        driver = kind(world, model)
        driver.install(modules)
        _seed(driver, signs)
        for name, text in signs.files.items():
            (world.home / name).write_text(text, encoding="utf-8")
        tape = Tape()
        env = {**driver.env(), **signs.env}
        pane = TapedPane(world.tmux.open(kind.agent, world.env(**env), world.work), tape)
        pane.wait_text(r"[$#] ?$")
        driver.pane = pane
        tape.write("proc", event="shell", chain=[{"comm": "bash", "argv": ["bash", "--norc", "--noprofile"]}])
        with Sources(world, kind.agent, pane.pid, tape) as sources, Camera(pane, tape):
            take = BareTake(driver, tape, signs, sources)
            take.life()
        take.truth.intervals[-1]["to"] = tape.now()
        take.settle()
        scene = Scene(name=signs.name, colours=signs.colours, theme=signs.theme, size=signs.size, doc=signs.doc)
        keep(out / kind.agent, take, scene, version_of(modules, kind.package), world.tmux.run("-V").strip())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.agents.signs", description=__doc__)
    parser.add_argument("agent", choices=sorted(KINDS))
    parser.add_argument("name", choices=sorted({s.name for s in SCENES}))
    parser.add_argument("--out", type=Path, default=CORPUS)
    asked = parser.parse_args()
    modules = modules_of(asked.agent)
    if modules is None:
        raise SystemExit("the agent CLIs are not installed: run make test-agents once")
    signs = next(s for s in SCENES if (s.agent, s.name) == (asked.agent, asked.name))
    record(signs, modules, asked.out)


if __name__ == "__main__":
    main()
