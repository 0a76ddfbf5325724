"""What every agent goes through, told once: the operator's steps and the states that must be streamed for each."""

from __future__ import annotations

import copy

from tests.agents.driver import Driver
from tests.agents.observe import GONE, Watch


class Session:
    """One driver, watched. Each method is one scene; it asserts exactly the states that the scene may show."""

    def __init__(self, driver: Driver, watch: Watch) -> None:
        self.driver = driver
        self.watch = watch

    def beside(self) -> Session:
        """A second pane of the same agent in the same world, under the same daemon."""
        driver = copy.copy(self.driver)
        driver.pane = None
        return Session(driver, self.watch)

    @property
    def pane(self) -> str:
        """tmux id of the pane."""
        return self.driver.at.id

    def expect(self, *states: str, timeout: float = 20, starting: bool = False) -> None:
        """See ``Watch.expect``; of this session's pane."""
        idle_first = self.driver.composer_first if starting else self.driver.draft_says_idle
        self.watch.expect(self.pane, *states, timeout=timeout, starting=starting, idle_first=idle_first)

    def expect_waiting(self, kind: str) -> None:
        """The present row says what is waited for, and that it needs a person."""
        item = self.watch.item(self.pane)
        assert (item.get("waiting_for") or {}).get("kind") == kind, f"waiting_for is {item.get('waiting_for')}"
        assert item["attention"] == "needs_action"
        assert item["agent_type"] == self.driver.agent

    # ------------------------------------------------ scenes
    def start_with_trust(self) -> None:
        """Start-up dialog, answered; then idle."""
        self.driver.launch()
        self.driver.wait_trust()
        self.expect("waiting_input", starting=True)
        self.expect_waiting("dialog")
        self.driver.accept_trust()
        self.expect("idle", starting=True)

    def start_trusted(self, command: str | None = None) -> None:
        """Straight to the prompt: idle. (Codex may first ask about hooks that are new to it.)"""
        self.driver.launch(command)
        self.driver.pass_start_up()
        self.expect("idle", starting=True)

    def plain_turn(self) -> None:
        """A prompt and its answer."""
        self.driver.prompt("hello there")
        self.expect("running", "completed")
        self.driver.wait_ready()

    def approval_given(self) -> None:
        """A command that needs approval, allowed; it runs for two seconds and more."""
        self.driver.prompt("bash one")
        self.driver.wait_approval()
        self.expect("running", "waiting_approval")
        self.expect_waiting("approval")
        self.driver.approve()
        self.expect("running", "completed")
        self.driver.wait_ready()

    def approval_denied(self) -> None:
        """The same, refused by Escape: the turn is over, nothing was completed."""
        self.driver.prompt("bash two")
        self.driver.wait_approval()
        self.expect("running", "waiting_approval")
        self.driver.deny()
        self.expect("idle")
        self.driver.wait_ready()

    def question(self) -> None:
        """The question tool, answered."""
        self.driver.prompt("ask me")
        self.driver.wait_question()
        self.expect("running", "waiting_input")
        self.expect_waiting("question")
        self.driver.answer()
        self.expect("running", "completed")
        self.driver.wait_ready()

    def interrupt(self) -> None:
        """Escape while the answer streams."""
        self.driver.prompt("slow 20")
        self.driver.wait_running()
        self.expect("running")
        self.driver.wait_streaming()
        self.driver.interrupt()
        self.expect("idle")
        self.driver.wait_ready()

    def api_error(self) -> None:
        """The service fails for good."""
        self.driver.prompt(self.driver.error_prompt)
        self.driver.wait_error()
        self.expect("running", "error", timeout=30)

    def turns_of_every_kind(self) -> None:
        """Allowed, refused, asked, interrupted and failed, one after the other."""
        self.approval_given()
        self.approval_denied()
        self.question()
        self.interrupt()
        self.api_error()

    def leave(self) -> None:
        """An orderly end: the row goes."""
        self.driver.quit()
        self.expect(GONE)

    def crash(self) -> None:
        """kill -9 in a running turn: the row stays and says so."""
        self.driver.prompt("slow 20")
        self.driver.wait_running()
        self.expect("running")
        self.driver.kill9()
        self.expect("error")
        assert self.watch.item(self.pane)["reason_code"] == "agent_crashed"
