"""Records a life of a real agent for ``tests/corpus``, with its labels: ``python -m tests.agents.record --help``.

What was true comes from the keys that were pressed and from the last byte of the fake model's answer, never from a
screen rule. Where the agent takes its time after such a cause, nothing is scored until the driver has seen it.
Run it behind ``python -m tests.agents.isolate``.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.agents import processes
from tests.agents.driver import Driver
from tests.agents.kinds import KINDS
from tests.agents.models.server import FakeModel
from tests.agents.ready import wait_ready
from tests.agents.terminal import Pane
from tests.agents.world import COLOURS, REPO, THEMES, World, modules_of, version_of

POLL_S = 0.12
AFTER_CAUSE, AFTER_SEEN = 400, 250
"""Milliseconds after a cause, and after the driver saw what it led to, in which nothing is scored."""
_HEAD = "\t".join(f"#{{{x}}}" for x in ("cursor_x", "cursor_y", "cursor_flag", "alternate_on", "pane_title"))
_SIZED = "#{pane_width}\t#{pane_height}\t" + _HEAD
_ASIDE = frozenset({"title", "side request", "suggestion"})
"""What an agent asks its model beside the turn."""
CORPUS = REPO / "tests/corpus"


class Tape:
    """The lines of a recording, with the time since its start; any thread may write."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self.lines: list[dict[str, Any]] = []

    def now(self) -> int:
        """Milliseconds since the start."""
        return int((time.monotonic() - self._began) * 1000)

    def write(self, kind: str, *, at: int | None = None, **what: object) -> None:
        """One line, of this moment or of an earlier one."""
        with self._lock:
            self.lines.append({"t_ms": self.now() if at is None else at, "kind": kind, **what})


class TapedPane(Pane):
    """A pane whose keys are on the tape."""

    def __init__(self, pane: Pane, tape: Tape) -> None:
        super().__init__(pane.tmux, pane.id)
        self.tape = tape

    def keys(self, *names: str) -> None:
        self.tape.write("key", keys=list(names))
        super().keys(*names)

    def type(self, text: str) -> None:
        self.tape.write("key", keys=[f"text:{text}"])
        super().type(text)

    def letters(self, text: str) -> None:
        self.tape.write("key", keys=[f"text:{text}"])
        super().letters(text)


class Camera:
    """Writes each change of a pane's screen and title to a tape, from a thread of its own. A context manager."""

    def __init__(self, pane: Pane, tape: Tape) -> None:
        self.pane, self.tape = pane, tape
        self._rows: list[str] | None = None
        self._size: tuple[int, int] | None = None
        self._told: tuple[object, ...] = ()
        self._title: str | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._look()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(POLL_S):
            self._look()

    def _look(self) -> None:
        to = ("-t", self.pane.id)
        at = self.tape.now()
        head, _, text = self.pane.tmux.run(
            "display-message", "-p", *to, _SIZED, ";", "capture-pane", "-p", *to, check=False
        ).partition("\n")
        if not head:
            return
        columns, height, x, y, visible, alt, title = head.split("\t", 6)
        if title != self._title:
            self._title = title
            self.tape.write("title", at=at, title=title)
        rows = [row.rstrip() for row in text.split("\n")]
        line: dict[str, Any] = {}
        size = (int(columns), int(height))
        if self._rows is None or size != self._size:
            shown = list(rows)
            while shown and not shown[-1]:
                shown.pop()
            line["full"] = shown
            if self._rows is not None:
                line["size"] = list(size)
            self._size = size
        elif rows != self._rows:
            line["rows"] = {str(i): row for i, row in enumerate(rows) if self._rows[i : i + 1] != [row]}
        cursor = [int(x), int(y), int(visible)]
        if (alt, cursor) != self._told:
            line |= {"alt": int(alt), "cur": cursor}
        self._rows, self._told = rows, (alt, cursor)
        if line:
            self.tape.write("screen", at=at, **line)


@dataclass
class Truth:
    """What the agent was doing: intervals, and where nothing is scored."""

    intervals: list[dict[str, Any]] = field(default_factory=list)
    dont_care: list[dict[str, int]] = field(default_factory=list)

    def becomes(self, state: str, cause: int, seen: int, **more: str) -> None:
        """A state from ``cause`` on, which the driver saw at ``seen``."""
        if self.intervals:
            self.intervals[-1]["to"] = cause
        self.intervals.append({"from": cause, "to": cause, "state": state, **more})
        self.blind(cause, max(cause + AFTER_CAUSE, seen + AFTER_SEEN))

    def blind(self, begin: int, end: int) -> None:
        """Nothing is scored from ``begin`` to ``end``."""
        if self.dont_care and begin <= self.dont_care[-1]["to"]:
            self.dont_care[-1]["to"] = max(end, self.dont_care[-1]["to"])
        else:
            self.dont_care.append({"from": begin, "to": end})


class Take:
    """One life of an agent on tape: every scene presses keys and says what became true by them."""

    def __init__(self, driver: Driver, tape: Tape, shots: dict[str, tuple[str, dict[str, Any]]]) -> None:
        self.driver, self.tape, self.truth, self.shots = driver, tape, Truth(), shots
        self.answered = 0  # when the model's last answer had been sent
        self.asked = self.done = 0  # requests of the agent's turns, and those answered
        self._time_answers(driver.model)

    def _time_answers(self, model: FakeModel) -> None:
        post, note, here = model.post, model.note, threading.local()

        def noted(script: str, prompt: str) -> None:
            here.script = script
            self.asked += script not in _ASIDE
            note(script, prompt)

        def timed(path: str, body: dict[str, Any], reply: Any) -> None:
            here.script = "side request"
            try:
                post(path, body, reply)
            finally:
                if here.script not in _ASIDE:
                    self.answered, self.done = self.tape.now(), self.done + 1

        model.note, model.post = noted, timed  # type: ignore[method-assign]

    def begin(self) -> None:
        """Started in a shell; at its prompt."""
        self.truth.intervals.append({"from": 0, "to": 0, "state": "no_agent"})
        self._start()

    def _start(self) -> None:
        driver = self.driver
        began = self.tape.now()
        self.launch()
        driver.at.wait(lambda _: bool(driver.processes()), "its process", 20)
        started = self.tape.now()
        chain = [
            {"comm": p.comm, "argv": [self._path(a) for a in p.argv]} for p in (*self.wrappers(), *driver.processes())
        ]
        self.tape.write("proc", event="start", chain=chain)
        self.at_prompt()
        self.truth.becomes("idle", started, self.tape.now())
        self.truth.blind(began, started)
        self.truth.dont_care[-1]["from"] = min(began, self.truth.dont_care[-1]["from"])

    def wrappers(self) -> list[processes.Process]:
        """The processes between the shell and the agent."""
        tree, own = processes.below(self.driver.at.pid), self.driver.processes()
        return tree[: tree.index(own[0])] if own and own[0] in tree else []

    def launch(self) -> None:
        """Types the command that starts it."""
        self.driver.launch()

    def at_prompt(self) -> None:
        """Waits until the start-up is over: the field takes keys."""
        self.driver.pass_start_up()
        wait_ready(self.driver)

    def _path(self, argument: str) -> str:
        home = str(self.driver.world.home)
        before, found, after = argument.partition("/node_modules/")
        return f"$LAB/node_modules/{after}" if found and before.startswith("/") else argument.replace(home, "$HOME")

    def rest(self) -> None:
        """So that there is something to score."""
        time.sleep(1.2)

    def shot(self, name: str, doc: str, typed: str = "") -> None:
        """The screen with its attributes, once it is still."""
        at = self.driver.at
        at.wait_still()
        head, _, raw = at.tmux.run(
            "display-message", "-p", "-t", at.id, _HEAD, ";", "capture-pane", "-e", "-p", "-t", at.id
        ).partition("\n")
        x, y, visible, alt, title = head.split("\t", 4)
        listed = {"doc": doc, "cursor": [int(x), int(y), int(visible)], "alt": int(alt), "title": title, "typed": typed}
        self.shots[name] = (raw, listed)

    def drafts(self) -> None:
        """A draft, looked at with the cursor behind and before it, and deleted."""
        at = self.driver.at
        self.shot("empty", "right after the start")
        at.type("half a thought")
        self.shot("draft", "cursor behind the draft", "half a thought")
        if self.driver.placeholders:
            at.keys("C-a")
            at.wait_still()
            self.shot("draft-home", "cursor in front of the draft", "half a thought")
            at.keys("C-e")
        at.keys("C-u")
        at.wait(lambda look: "half a thought" not in look.text, "the draft is gone", 5)
        if self.driver.draft_says_idle:
            self.truth.intervals[-1]["either"] = [self.truth.intervals[-1]["state"], "idle"]

    def prompt(self, text: str) -> None:
        """A prompt sent: running."""
        at = self.driver.at
        asked = len(self.driver.model.seen)
        began = self.tape.now()
        at.type(text)
        if self.driver.draft_says_idle:
            self.truth.blind(began, self.tape.now())
        cause = self.tape.now()
        at.keys("Enter")
        at.wait(lambda _: len(self.driver.model.seen) > asked, "it asks its model", 15)
        self.driver.wait_running()
        self.truth.becomes("running", cause, self.tape.now())

    def turn(self) -> None:
        """A prompt and its answer."""
        self.prompt("slow 3")
        self.driver.wait_streaming()
        self.shot("running", "an answer streams")
        self.driver.wait_ready()
        self.truth.becomes("completed", self.answered, self.tape.now())
        self.rest()

    def asks(self, text: str, wait: Callable[[], None], state: str, kind: str) -> None:
        """A prompt whose answer asks something of the user."""
        self.prompt(text)
        wait()
        self.truth.becomes(state, self.answered, self.tape.now(), waiting_kind=kind)
        self.rest()

    def pressed(self, press: Callable[[], None]) -> int:
        """When the key that does it was pressed: the last one. A driver waits until a dialog stands still before."""
        press()
        return next(int(line["t_ms"]) for line in reversed(self.tape.lines) if line["kind"] == "key")

    def answer(self, press: Callable[[], None]) -> None:
        """What it asked is allowed or answered; the turn goes on and ends."""
        asked = len(self.driver.model.seen)
        cause = self.pressed(press)
        self.truth.becomes("running", cause, self.tape.now())
        self.driver.at.wait(lambda _: len(self.driver.model.seen) > asked, "it asks its model", 20)
        self.driver.wait_ready()
        self.truth.becomes("completed", max(self.answered, cause), self.tape.now())
        self.rest()

    def stop(self, press: Callable[[], None]) -> None:
        """A key that ends the turn before it is done."""
        cause = self.pressed(press)
        self.driver.wait_ready()
        self.truth.becomes("idle", cause, self.tape.now())
        self.rest()

    def fail(self) -> None:
        """The service fails for good."""
        self.prompt_unseen(self.driver.error_prompt)
        self.driver.wait_error()
        self.truth.becomes("error", self.answered, self.tape.now())
        self.rest()

    def prompt_unseen(self, text: str) -> None:
        """A prompt whose turn may be over before it shows."""
        at = self.driver.at
        asked = len(self.driver.model.seen)
        began = self.tape.now()
        at.type(text)
        if self.driver.draft_says_idle:
            self.truth.blind(began, self.tape.now())
        cause = self.tape.now()
        at.keys("Enter")
        at.wait(lambda _: len(self.driver.model.seen) > asked, "it asks its model", 15)
        self.truth.becomes("running", cause, self.tape.now())

    def leave(self) -> None:
        """An orderly end."""
        began = self.tape.now()
        self.driver.quit()
        gone = self.tape.now()
        self.tape.write("proc", event="exit", code=0)
        self.truth.blind(began, gone)
        self.truth.becomes("no_agent", gone, gone)
        self.rest()

    def life(self) -> None:
        """All of it."""
        driver = self.driver
        self.begin()
        self.rest()
        self.drafts()
        self.turn()
        self.asks("bash one", driver.wait_approval, "waiting_approval", "approval")
        self.answer(driver.approve)
        self.asks("bash two", driver.wait_approval, "waiting_approval", "approval")
        if driver.denial_ends_turn:
            self.stop(driver.deny)
        else:
            self.answer(driver.deny)
        self.asks("ask me", driver.wait_question, "waiting_input", "question")
        self.answer(driver.answer)
        self.prompt("slow 20")
        driver.wait_streaming()
        self.rest()
        self.stop(driver.interrupt)
        if not driver.interrupt_shows:
            self.truth.intervals[-1]["either"] = ["idle", "completed"]
        self.fail()
        self.leave()

    def interrupts(self) -> None:
        """Turns that are ended before the first word of an answer, and while a tool runs; and one that ends by itself
        after each."""
        driver = self.driver
        self.begin()
        self.rest()
        self.turn()
        self.prompt("slow 20")
        self.stop(driver.interrupt)
        self.turn()
        self.asks("longbash", driver.wait_approval, "waiting_approval", "approval")
        cause = self.pressed(driver.approve)
        driver.wait_running()
        self.truth.becomes("running", cause, self.tape.now())
        self.rest()
        self.stop(driver.interrupt)
        self.turn()
        self.leave()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a recording is called, and what the terminal is like."""

    name: str
    colours: str
    theme: str
    size: tuple[int, int]
    doc: str = ""
    played: str = "life"
    """What is played: a method of ``Take``."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Of the pane, over the driver's."""
    started_as: str = "shell"

    @property
    def told(self) -> str:
        """What it shows, in words."""
        acts = "a life of every kind of turn" if self.played == "life" else "turns that are interrupted early"
        return self.doc or f"{acts}; colours {self.colours}, theme {self.theme}"

    def prepare(self, home: Path) -> None:
        """Writes settings of its own below ``home``, where the agent's are by then."""

    def take(self, driver: Driver, tape: Tape) -> Take:
        """All that happens, played; ears are the scene's own business."""
        take = Take(driver, tape, {})
        getattr(take, self.played)()
        return take


def record(kind: type[Driver], scene: Scene, modules: Path, out: Path) -> None:
    """One recording, its labels and its screens with attributes, below ``out``."""
    with ExitStack() as stack:
        world = stack.enter_context(World(scene.colours, scene.theme, scene.size))
        model: FakeModel = stack.enter_context(kind.model_type(world.work))
        driver = kind(world, model)
        driver.install(modules)
        driver.seed(trusted=True)
        scene.prepare(world.home)
        tape = Tape()
        pane = TapedPane(world.tmux.open(kind.agent, world.env(**{**driver.env(), **scene.env}), world.work), tape)
        pane.wait_text(r"[$#] ?$")
        driver.pane = pane
        tape.write("proc", event="shell", chain=[{"comm": "bash", "argv": ["bash", "--norc", "--noprofile"]}])
        with Camera(pane, tape):
            take = scene.take(driver, tape)
        keep(out / kind.agent, take, scene, version_of(modules, kind.package), world.tmux.run("-V").strip())


def keep(folder: Path, take: Take, scene: Scene, version: str, tmux: str) -> None:
    """Writes it all down, as ``tests/corpus/FORMAT.md`` has it."""
    duration = take.tape.now()
    take.truth.intervals[-1]["to"] = duration
    cols, rows = scene.size
    same = {"agent": take.driver.agent, "version": version, "scenario": scene.name}
    header = {
        "kind": "header", "format": 1, **same, "cols": cols, "rows": rows, "started_as": scene.started_as,
        "doc": scene.told,
        "recorded_with": f"{tmux}, tests/agents/record.py, screen polled every {int(POLL_S * 1000)} ms",
        "chain_root": "shell", "hook_env": {"TMUX": "$TMUX", "TMUX_PANE": "$PANE"}, "duration_ms": duration,
    }  # fmt: skip
    truth_from = "driver's keys, the fake server's last byte, process table"
    labels = {
        **same, "duration_ms": duration, "truth_from": truth_from,
        "intervals": take.truth.intervals, "dont_care": take.truth.dont_care,
    }  # fmt: skip
    (folder / "screens").mkdir(parents=True, exist_ok=True)
    lines = sorted(take.tape.lines, key=lambda line: line["t_ms"])
    text = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in [header, *lines])
    (folder / f"{scene.name}.jsonl").write_text(text, encoding="utf-8")
    (folder / f"{scene.name}.labels.json").write_text(_labels(labels), encoding="utf-8")
    index = folder / "screens/screens.json"
    known = json.loads(index.read_text(encoding="utf-8")) if index.exists() else {}
    if not take.shots:
        return
    for shot, (raw, one_answer) in take.shots.items():
        one = f"{shot}-{scene.name}"
        (folder / f"screens/{one}.txt").write_text(raw, encoding="utf-8")
        known[one] = {"version": version, **one_answer, "cols": cols, "rows": rows, "colours": scene.colours != "none"}
    index.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _labels(labels: dict[str, Any]) -> str:
    """One interval a line."""
    kept = {key: value for key, value in labels.items() if key not in ("intervals", "dont_care")}
    head = json.dumps(kept, indent=1, ensure_ascii=False)[:-2]
    parts = [
        f' "{key}": [\n' + ",\n".join("  " + json.dumps(x) for x in labels[key]) + "\n ]"
        for key in ("intervals", "dont_care")
    ]
    return f"{head},\n" + ",\n".join(parts) + "\n}\n"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.agents.record", description=__doc__)
    parser.add_argument("agent", choices=sorted(KINDS))
    parser.add_argument("name", help="of the recording, as in tests/corpus/AGENT/NAME.jsonl")
    parser.add_argument("--colours", choices=list(COLOURS), default="truecolor")
    parser.add_argument("--theme", choices=list(THEMES), default="untold")
    parser.add_argument("--size", default="80x24", help="of the pane, columns and rows; default %(default)s")
    parser.add_argument("--acts", choices=["life", "interrupts"], default="life", help="default %(default)s")
    parser.add_argument("--out", type=Path, default=CORPUS)
    asked = parser.parse_args()
    modules = modules_of(asked.agent)
    if modules is None:
        raise SystemExit("the agent CLIs are not installed: run make test-agents once")
    columns, _, rows = asked.size.partition("x")
    size = (int(columns), int(rows))
    scene = Scene(name=asked.name, colours=asked.colours, theme=asked.theme, size=size, played=asked.acts)
    record(KINDS[asked.agent], scene, modules, asked.out)


if __name__ == "__main__":
    main()
