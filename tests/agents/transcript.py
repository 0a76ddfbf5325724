"""``python -m tests.agents.transcript [AGENT...]``: every action on the real CLIs, each command with what it printed.

A record to read, and a check: a command that ends with another status than it should ends the run with 1. Everything
lies in one temporary folder and is gone at the end; nothing leaves the machine.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

from tests.agents.copilot import CopilotDriver
from tests.agents.driver import ClaudeDriver, CodexDriver, Driver, GeminiDriver
from tests.agents.observe import BIN, Daemon
from tests.agents.opencode import OpenCodeDriver
from tests.agents.world import World, installed

KINDS: dict[str, type[Driver]] = {
    "claude": ClaudeDriver,
    "codex": CodexDriver,
    "gemini": GeminiDriver,
    "copilot": CopilotDriver,
    "opencode": OpenCodeDriver,
}
OWN_WORDS = {"claude": "ask me", "codex": "ask me", "gemini": "asktext me", "copilot": "ask me", "opencode": "ask me"}
"""The prompt after which the agent asks a question that takes words of one's own."""


def say(text: str = "") -> None:
    """One line of the record."""
    print(text, flush=True)


class Operator:
    """Somebody at the command line; keeps what did not end as it should."""

    def __init__(self, driver: Driver, wrong: list[str]) -> None:
        self.driver = driver
        self.wrong = wrong

    @property
    def pane(self) -> str:
        return self.driver.at.id

    def does(self, *argv: str, status: int = 0, stdin: str = "") -> str:
        """Prints the command and all that it said."""
        env = self.driver.world.env(COLUMNS="150")
        done = subprocess.run(
            [str(BIN / "agtmux"), *argv], env=env, text=True, input=stdin, capture_output=True, timeout=120, check=False
        )
        result = f"   # exit {done.returncode}" if done.returncode else ""
        say(f"$ {'printf … | ' if stdin else ''}agtmux {shlex.join(argv)}{result}")
        for line in (done.stdout + done.stderr).splitlines():
            say(f"  {re.sub(r'/tmp/agt-[^/ ]+', '/tmp/…', line).replace(chr(27), '^[')}")
        if done.returncode != status:
            self.wrong.append(f"agtmux {shlex.join(argv)}: {done.returncode}, not {status}")
            raise AssertionError(f"it should have ended with {status}; the pane shows:\n{self.driver.at.look().text}")
        return done.stdout

    def appears(self) -> None:
        """Waits until the agent is listed: a target without agents is looked at every few seconds only."""
        env, end = self.driver.world.env(), time.monotonic() + 20
        while f'"pane_id":"{self.pane}"' not in self._listed(env).replace(" ", ""):
            assert time.monotonic() < end, f"{self.pane} is not listed"
            time.sleep(0.2)

    def leaves(self) -> None:
        """Waits until no agent is listed there."""
        env, end = self.driver.world.env(), time.monotonic() + 20
        while f'"pane_id":"{self.pane}"' in self._listed(env).replace(" ", ""):
            assert time.monotonic() < end, f"{self.pane} is still listed"
            time.sleep(0.2)

    def _listed(self, env: dict[str, str]) -> str:
        done = subprocess.run(
            [str(BIN / "agtmux"), "ls", "--json"], env=env, text=True, capture_output=True, check=True
        )
        return done.stdout

    def becomes(self, state: str) -> None:
        """Waits for a state of the agent, by the product itself."""
        self.does("wait", self.pane, "--for", state, "--timeout", "60s")

    def sees(self, what: str, seen: Callable[[], bool]) -> None:
        """Says what the pane or the model shows, and notes where it does not."""
        fine = seen()
        say(f"  # {what}: {'yes' if fine else 'NO'}")
        if not fine:
            self.wrong.append(f"{self.driver.agent}: {what}: no")

    def asked(self, words: str) -> bool:
        """Whether the model was sent these words as a prompt."""
        return any(words in seen.prompt for seen in self.driver.model.seen)


def say_scene(title: str) -> None:
    """The head of a scene."""
    say(f"\n--- {title}")


def prompts(me: Operator) -> None:
    """prompt --wait, and the look at the pane."""
    say_scene("a prompt, its end and the last message; what the pane shows; the way there")
    me.appears()
    me.does("ls")
    me.does("prompt", me.pane, "hello there", "--wait", "--timeout", "60s")
    me.driver.wait_ready()
    me.does("view-output", me.pane, "--lines", "8")
    me.does("attach", me.pane, "--print")
    me.does("attach", me.pane, status=2)


def approvals(me: Operator) -> None:
    """Refused text, an approval, a denial."""
    say_scene("text into an open approval is refused, the box stands as it stood; approve; deny")
    asked = len(me.driver.model.seen)
    me.does("prompt", me.pane, "bash one")
    me.becomes("waiting_approval")
    me.driver.wait_approval()
    shown = me.driver.at.look().text
    me.does("send", me.pane, "--text", "yes please", "--enter", status=5)
    me.does("send", me.pane, "--enter", status=5)
    me.does("send", me.pane, "--key", "y", status=5)
    me.sees("the box stands unanswered and unchanged", lambda: _still(shown) == _still(me.driver.at.look().text))
    me.does("approve", me.pane)
    me.becomes("completed")
    me.sees("the command ran", lambda: len(me.driver.model.seen) > asked + 1)
    me.driver.wait_ready()
    me.does("prompt", me.pane, "bash two")
    me.becomes("waiting_approval")
    me.driver.wait_approval()
    me.does("ack", me.pane)
    me.does("ls")
    me.does("deny", me.pane)
    me.becomes("idle")
    me.driver.wait_ready()


def questions(me: Operator) -> None:
    """An option by its number, and words of one's own."""
    say_scene("a question answered by the number of an option, then by words of one's own")
    me.does("prompt", me.pane, "ask me")
    me.becomes("waiting_input")
    me.driver.wait_question()
    me.does("answer", me.pane, "9", status=2)
    me.does("answer", me.pane, "1")
    me.becomes("completed")
    me.driver.wait_ready()
    me.does("prompt", me.pane, OWN_WORDS[me.driver.agent])
    me.becomes("waiting_input")
    me.does("answer", me.pane, "a colour like sand")
    me.becomes("completed")
    me.sees("the words stand in what was said", lambda: "colour like sand" in me.driver.at.look().text)
    me.driver.wait_ready()


def stops(me: Operator) -> None:
    """Interrupt and kill, and where they are refused."""
    say_scene("interrupt and kill: refused while idle, one key while a turn runs")
    me.does("interrupt", me.pane, status=5)
    me.does("kill", me.pane, "--yes", status=5)
    me.does("prompt", me.pane, "slow 20")
    me.driver.wait_streaming()
    me.does("interrupt", me.pane)
    me.becomes("idle")
    me.driver.wait_ready()


def drafts(me: Operator) -> None:
    """A half-typed text of a person."""
    say_scene("a draft of somebody: refused, and then added to because that was said")
    me.driver.at.type("half a thought")
    me.does("send", me.pane, "--text", "hello there", "--enter", "--force-stale", status=5)
    me.sees("the draft stands", lambda: "half a thought" in me.driver.at.look().text)
    me.does("send", me.pane, "--text", " and hello", "--enter", "--over-draft", "--force-stale")
    me.becomes("completed")
    me.sees("both halves at the model, once", lambda: me.asked("half a thought and hello"))
    me.driver.wait_ready()


def plans(me: Operator) -> None:
    """Claude's plan: no key for a bare yes."""
    if me.driver.agent != "claude":
        return
    say_scene("a plan to approve: a bare yes is refused, with the numbers to choose from")
    for _ in range(4):
        if "plan mode on" in me.driver.at.look().text:
            break
        me.does("send", me.pane, "--key", "BTab")
        me.driver.at.wait_still()
    me.does("prompt", me.pane, "plan a shed")
    me.becomes("waiting_approval")
    me.does("approve", me.pane, status=5)
    me.does("deny", me.pane)
    me.becomes("idle,completed")
    me.driver.wait_ready()


def ends(me: Operator) -> None:
    """A signal, and what is told afterwards."""
    say_scene("the end by a signal; what is refused then; the audit")
    me.does("kill", me.pane, "--mode", "signal", "--signal", "TERM", status=2)
    me.does("kill", me.pane, "--mode", "signal", "--signal", "TERM", "--yes")
    me.driver.wait_shell()
    me.leaves()
    me.does("send", me.pane, "--text", "anybody there", "--enter", status=5)
    me.does("wait", me.pane, status=5)
    me.does("actions", "--limit", "40")


SCENES = (prompts, approvals, questions, stops, drafts, plans, ends)


def _still(screen: str) -> str:
    """A screen without what moves by itself (clocks and spinners)."""
    return re.sub(r"[^A-Za-z\n]+", " ", screen)


def main(names: list[str]) -> int:
    """All scenes of the agents named (all, where none is); 0 if everything ended as it should."""
    modules = installed()
    if modules is None:
        say("the agent CLIs are not installed: run make test-agents")
        return 3
    wrong: list[str] = []
    for name in names or list(KINDS):
        kind = KINDS[name]
        if reason := kind.missing(modules):
            say(f"\n=== {name}: {reason}")
            continue
        with ExitStack() as stack:
            world = stack.enter_context(World())
            driver = kind(world, stack.enter_context(kind.model_type(world.work)))
            driver.install(modules)
            driver.seed(trusted=True)
            daemon = stack.enter_context(Daemon(world))
            daemon.cli("hooks", "install", "--agent", name)
            driver.launch()
            driver.pass_start_up()
            me = Operator(driver, wrong)
            say(f"\n=== {name}")
            try:
                for scene in SCENES:
                    scene(me)
            except AssertionError as error:
                say(f"!! {error}\n{daemon.tail()}")
                wrong.append(f"{name}: a scene broke off")
    say("\n=== " + ("everything ended as it should" if not wrong else "not as it should: " + "; ".join(wrong)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
