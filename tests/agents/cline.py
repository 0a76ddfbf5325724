"""How a test plays the operator of Cline CLI: its native program, any OpenAI-like API, every tool asked for."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from tests.agents import processes
from tests.agents.driver import Driver
from tests.agents.models.opencode import FakeOpenCode
from tests.agents.models.steps import Call, Pause, Step
from tests.agents.terminal import Look

BINARY = "@cline/cli-linux-x64/bin/cline"
_TOOLS = {
    "twobash": Call("run_commands", {"commands": ["touch first-of-two", "touch second-of-two"]}),
    "outside": Call("read_files", {"files": [{"path": "/etc/hostname"}]}),
    "bash": Call("run_commands", {"commands": ["touch made-by-shell.txt && sleep 2 && echo shell-ok"]}),
    "longbash": Call("run_commands", {"commands": ["echo first-line && sleep 40 && echo last-line"]}),
    "ask": Call("ask_question", {"question": "Which colour should the lab use?", "options": ["Red", "Blue"]}),
}


class FakeCline(FakeOpenCode):
    """The service that Cline's settings name."""

    def _script(self, word: str, prompt: str) -> list[Step]:
        if word == "write":
            return [Pause(0.8), Call("editor", {"path": str(self.work / "note.txt"), "new_text": "one\ntwo\n"})]
        return [Pause(0.8), _TOOLS[word]] if word in _TOOLS else super()._script(word, prompt)


class ClineDriver(Driver):
    """Cline CLI. A refused tool does not end its turn, and a turn that is interrupted within an answer
    looks like one that ended."""

    agent = "cline"
    package = "@cline/cli-linux-x64"
    model_type = FakeCline
    ready_pattern = r"^ *❯ (Ask anything|What can I do)"
    approval_pattern = r"\[y\] Approve"
    question_pattern = r"^ +> Red"
    error_pattern = r"^ \* Error: Incorrect API key"
    error_prompt = "badkey"
    denial_ends_turn = False
    interrupt_shows = False

    @staticmethod
    def missing(modules: Path) -> str | None:
        return None if (modules / BINARY).exists() else "no Cline for this platform"

    def install(self, modules: Path) -> None:
        self.world.link("cline", modules / BINARY)

    def seed(self, *, trusted: bool) -> None:
        argv = ["cline", "auth", "-p", "openai-compatible", "-k", "dummy", "-b", f"{self.model.url}/v1", "-m", "fake"]
        env = self.world.env(**self.env())
        subprocess.run(argv, env=env, cwd=self.world.work, check=True, capture_output=True, timeout=60)

    def env(self) -> dict[str, str]:
        return {"HTTPS_PROXY": "", "DO_NOT_TRACK": "1"}

    def launch(self, command: str | None = None) -> None:
        super().launch(command or "cline --auto-approve false")

    def pass_start_up(self) -> None:
        """Closes the offer of a first start."""
        self.at.wait(lambda look: self.is_ready(look) or look.has(r"any other key to close"), "its start page", 40)
        time.sleep(1)
        if self.at.look().has(r"any other key to close"):
            self.at.keys("Escape")
        self.wait_ready()

    def accept_trust(self) -> None:
        raise AssertionError("Cline asks for no trust")

    def approve(self) -> None:
        self._dialog_key("y", self.approval_pattern)

    def deny(self) -> None:
        self._dialog_key("n", self.approval_pattern)

    def is_running(self, look: Look) -> bool:
        return look.has(r"^ [⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] ")

    def quit(self) -> None:
        self.at.keys("C-c")
        time.sleep(0.5)
        if self.processes():
            self.at.keys("C-c")
        self.wait_shell()

    def processes(self) -> list[processes.Process]:
        tree = processes.below(self.at.pid)
        return [p for p in tree if p.comm == "cline" and "--cline-hub-daemon" not in p.argv]
