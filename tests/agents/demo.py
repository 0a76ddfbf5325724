"""``make demo``: agents at work in a private tmux server, and what agtmux says of them. Touches nothing of the user's.

Everything lies in one temporary folder that is gone at the end, also after Ctrl-C. The agents are the real CLIs with
fake models on this machine; where those cannot be had, stand-ins play recordings of them.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from tests.agents.driver import ClaudeDriver, CodexDriver, Driver, GeminiDriver
from tests.agents.observe import BIN, Daemon, Watch
from tests.agents.world import REPO, World, installed

WATCH_S = 10.0
CORPUS = REPO / "tests/corpus"
TTY = sys.stdout.isatty() and "NO_COLOR" not in os.environ
COLOURS = {
    "running": "34",
    "waiting_approval": "1;33",
    "waiting_input": "1;35",
    "completed": "32",
    "error": "1;31",
}
MEANING = {
    "running": "at work",
    "waiting_approval": "needs you: may it do this?",
    "waiting_input": "needs you: it asked something",
    "completed": "its turn is over",
    "idle": "at its prompt",
    "error": "failed",
    "unknown": "not known yet",
    "gone": "left",
}


def paint(text: str, code: str) -> str:
    """The text in a colour, on a terminal."""
    return f"\x1b[{code}m{text}\x1b[0m" if TTY else text


def say(text: str = "") -> None:
    """One line of the demo's own."""
    print(text, flush=True)


class Act(ABC):
    """One agent's part in the demo."""

    agent: str
    pane: str

    @abstractmethod
    def raise_curtain(self) -> None:
        """Start it; returns when it sits at its prompt."""

    @abstractmethod
    def play(self) -> None:
        """The scene that is watched."""


class RealAct(Act):
    """A real CLI, with somebody typing into it."""

    def __init__(self, driver: Driver, scene: Callable[[Driver], None]) -> None:
        self.driver = driver
        self.scene = scene
        self.agent = driver.agent

    def raise_curtain(self) -> None:
        self.driver.launch()
        self.pane = self.driver.at.id
        self.driver.pass_start_up()

    def play(self) -> None:
        self.scene(self.driver)


class StandIn(Act):
    """A recording of an agent, played in a pane under the agent's process name."""

    def __init__(self, world: World, agent: str, scenario: str, from_ms: int) -> None:
        self.world, self.agent = world, agent
        self.recording = CORPUS / agent / f"{scenario}.jsonl"
        self.from_ms = from_ms
        self.go = world.root / f"{agent}.go"

    def raise_curtain(self) -> None:
        home = self.world.root / f"{self.agent}-home"
        command = [sys.executable, "-m", "tests.replay.player", str(self.recording), "--config-home", str(home)]
        command += ["--hook-cmd", f"{BIN}/agtmux hook {self.agent}", "--log", str(self.world.root / "replay.jsonl")]
        command += ["--cwd", str(self.world.work), "--pause-at", str(self.from_ms), "--pause-until", str(self.go)]
        env = self.world.env(PYTHONPATH=str(REPO))
        pane = self.world.tmux.open(self.agent, env, self.world.work, "exec " + shlex.join(command))
        self.pane = pane.id
        pane.wait(lambda look: len(look.text.strip()) > 200, f"{self.agent} drawn", 20)

    def play(self) -> None:
        self.go.touch()


def approval(driver: Driver) -> None:
    """A command that somebody has to allow."""
    driver.prompt("bash one")
    driver.wait_approval()
    time.sleep(2.0)
    driver.approve()


def question(driver: Driver) -> None:
    """A question that somebody has to answer."""
    driver.prompt("ask me")
    driver.wait_question()
    time.sleep(2.5)
    driver.answer()


def plain(driver: Driver) -> None:
    """A turn that needs nobody."""
    driver.prompt("slow 3")


REAL: list[tuple[type[Driver], Callable[[Driver], None]]] = [
    (ClaudeDriver, approval),
    (CodexDriver, question),
    (GeminiDriver, plain),
]
STAND_INS = [("claude", "e2-write-approval", 2600), ("codex", "c-hello", 2600), ("gemini", "g-ask-user", 5200)]


def cast(world: World, stack: ExitStack) -> tuple[str, list[Act]]:
    """Who plays, and how to say it in one line."""
    modules = installed()
    if modules is None:
        return "stand-ins that play recordings (the real CLIs could not be installed here)", [
            StandIn(world, *part) for part in STAND_INS
        ]
    acts: list[Act] = []
    for kind, scene in REAL:
        if kind.missing(modules):
            continue
        model = stack.enter_context(kind.model_type(world.work))
        driver = kind(world, model)
        driver.install(modules)
        driver.seed(trusted=True)
        acts.append(RealAct(driver, scene))
    return "the real CLIs, offline: fake models on 127.0.0.1 answer them", acts


def together(jobs: list[Callable[[], None]]) -> list[BaseException]:
    """Runs the jobs side by side; what they raised."""
    failed: list[BaseException] = []

    def run(job: Callable[[], None]) -> None:
        try:
            job()
        except (AssertionError, OSError, RuntimeError) as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def show_command(daemon: Daemon, *args: str) -> None:
    """Prints a command as one would type it, then its own output."""
    say(paint(f"$ agtmux {' '.join(args)}", "1"))
    env = daemon.world.env(**{k: os.environ[k] for k in ("TERM", "COLUMNS", "NO_COLOR") if k in os.environ})
    subprocess.run([str(BIN / "agtmux"), *args], env=env, check=False, timeout=30)
    say()


def show_change(began: float, agent: str, state: str, item: dict[str, object]) -> None:
    """One line per change of a state."""
    waiting = item.get("waiting_for")
    what = MEANING.get(state, "")
    if isinstance(waiting, dict) and waiting.get("text"):
        what = f"{what}  {' '.join(str(waiting['text']).split())[:60]}"
    at = f"{time.monotonic() - began:5.1f} s"
    say(f"  {at}  {agent:<8}{paint(f'{state:<18}', COLOURS.get(state, '2'))}{what}")


def follow(watch: Watch, acts: list[Act], began: float) -> set[str]:
    """Prints each change of state for ten seconds, and what was seen in all."""
    shown = {act.pane: len(watch.states(act.pane)) for act in acts}
    seen: set[str] = set()
    while time.monotonic() - began < WATCH_S:
        for act in acts:
            for state in watch.states(act.pane)[shown[act.pane] :]:
                show_change(began, act.agent, state, watch.item(act.pane))
                shown[act.pane] += 1
                seen.add(state)
        time.sleep(0.02)
    return seen


@contextmanager
def cleaning_up() -> Iterator[ExitStack]:
    """An ExitStack whose unwinding a second Ctrl-C does not cut short."""
    with ExitStack() as stack:
        try:
            yield stack
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)


def main() -> int:
    """The demo; 0 if all states that it promises were shown."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with cleaning_up() as stack:
        world = stack.enter_context(World())
        how, acts = cast(world, stack)
        say(paint("agtmux demo", "1") + ": knows what every coding agent in tmux is doing, and which one needs you")
        say(f"  agents  {', '.join(act.agent for act in acts)}: {how}")
        say(f"  tmux    a private server, {world.tmux.socket}")
        say(f"  daemon  a private agtmuxd; everything is below {world.root} and goes away at the end")
        say("  starting them; a few seconds ...")
        say()
        daemon = stack.enter_context(Daemon(world))
        if isinstance(acts[0], RealAct):
            for act in acts:
                daemon.cli("hooks", "install", "--agent", act.agent)
        failed = together([act.raise_curtain for act in acts])
        if failed:
            say(f"an agent did not start: {failed[0]}")
            return 1
        watch = stack.enter_context(Watch(daemon))
        time.sleep(1.0)
        show_command(daemon, "list", "panes")
        say(paint("$ agtmux watch", "1") + "   (ten seconds of it, one line per change; meanwhile somebody types)")
        began = time.monotonic()
        players = threading.Thread(target=together, args=([act.play for act in acts],), daemon=True)
        players.start()
        seen = follow(watch, acts, began)
        say()
        show_command(daemon, "list", "panes")
        missing = {"running", "waiting_approval", "waiting_input", "completed"} - seen
        if missing:
            say(
                f"not seen within ten seconds: {', '.join(sorted(missing))}; the daemon's last words:\n{daemon.tail(8)}"
            )
            return 1
    say("Everything of the demo is gone again. For your own tmux: .venv/bin/agtmux list panes")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("\nstopped; everything of the demo is gone again")
        sys.exit(130)
