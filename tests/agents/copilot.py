"""How a test plays the operator of GitHub Copilot CLI: no login, a model of one's own, nothing from the network."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from tests.agents import processes
from tests.agents.driver import Driver
from tests.agents.models.copilot import FakeCopilot
from tests.agents.terminal import Look


class CopilotDriver(Driver):
    """Copilot CLI by its npm command, a Node program that starts the native one."""

    agent = "copilot"
    package = "@github/copilot"
    model_type = FakeCopilot
    trust_pattern = r"Do you trust the files in this folder\?[\s\S]*❯ 1\. Yes"
    ready_pattern = r"^ (← open sidebar · )?Interactive · "
    approval_pattern = r"Do you want to [\s\S]*❯ 1\. Yes[\s\S]*enter to select"
    question_pattern = r"Copilot needs information[\s\S]*❯ Red"
    error_pattern = r"^ ✗ "
    error_prompt = "badkey"
    placeholders = False

    @staticmethod
    def missing(modules: Path) -> str | None:
        return None if (modules / ".bin/copilot").exists() else "Copilot CLI is not installed"

    def install(self, modules: Path) -> None:
        self.world.link("copilot", modules / ".bin/copilot")

    def seed(self, *, trusted: bool) -> None:
        home = self.world.home / ".copilot"
        folders = [str(self.world.work)] if trusted else []
        home.mkdir(exist_ok=True, mode=0o700)
        (home / "config.json").write_text(json.dumps({"appTipShown": True, "trustedFolders": folders}) + "\n")
        settings = {"banner": "never", "autoUpdate": False}
        (home / "settings.json").write_text(json.dumps(settings, indent=1) + "\n")
        # the project is its own root: without one, a repository above it would count
        subprocess.run(["git", "init", "-q", str(self.world.work)], env=self.world.env(), check=True)
        (self.world.work / "seed.txt").write_text("alpha\nbeta\n")

    def env(self) -> dict[str, str]:
        return {
            "COPILOT_PROVIDER_BASE_URL": f"{self.model.url}/v1",
            "COPILOT_PROVIDER_API_KEY": "dummy",
            "COPILOT_MODEL": "fake-model",
            "COPILOT_OFFLINE": "true",
            "COPILOT_AUTO_UPDATE": "false",
        }

    def accept_trust(self) -> None:
        self.at.wait_still()
        self.at.keys("Enter")
        self.wait_ready()

    def interrupt(self) -> None:
        """Ctrl-C in a running turn: of Escape it takes two in the right time."""
        self.at.keys("C-c")

    def is_running(self, look: Look) -> bool:
        return look.has(r"^ [●○◉◎] Working\b")

    def processes(self) -> list[processes.Process]:
        tree = processes.below(self.at.pid)
        return [p for p in tree if any(re.search(r"(/|^)copilot$", a) for a in p.argv[:2])]
