"""How a test plays the operator of OpenCode: its native program, a provider of one's own, nothing from the network."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.agents import processes
from tests.agents.driver import Driver
from tests.agents.models.opencode import FakeOpenCode
from tests.agents.terminal import Look
from tests.agents.world import version_of

PLUGIN = "@opencode-ai/plugin"
SWITCHED_OFF = (
    "OPENCODE_DISABLE_AUTOUPDATE",
    "OPENCODE_DISABLE_LSP_DOWNLOAD",
    "OPENCODE_DISABLE_MODELS_FETCH",
    "OPENCODE_DISABLE_DEFAULT_PLUGINS",
)


class OpenCodeDriver(Driver):
    """OpenCode, the native program that npm's package would start. It has no folder trust."""

    agent = "opencode"
    package = "opencode-linux-x64"
    model_type = FakeOpenCode
    ready_pattern = r"ctrl\+p commands"
    approval_pattern = r"△ Permission required[\s\S]*Allow once"
    question_pattern = r"1\. Red[\s\S]*enter submit"
    error_pattern = r"^ *┃ +Incorrect API key"
    error_prompt = "badkey"

    @staticmethod
    def missing(modules: Path) -> str | None:
        return None if (modules / "opencode-linux-x64/bin/opencode").exists() else "no OpenCode for this platform"

    def install(self, modules: Path) -> None:
        self.version = version_of(modules, self.package)
        self.world.link("opencode", modules / "opencode-linux-x64/bin/opencode")

    def seed(self, *, trusted: bool) -> None:
        home = self.world.home / ".config/opencode"
        (home / "node_modules").mkdir(parents=True, mode=0o700)
        settings = {
            "$schema": "https://opencode.ai/config.json",
            "autoupdate": False,
            "share": "disabled",
            "snapshot": False,  # the first turn would wait for a shadow repository
            "model": "fake/fake-model",
            "small_model": "fake/fake-model",
            "provider": {
                "fake": {
                    "npm": "@ai-sdk/openai-compatible",
                    "name": "Fake",
                    "options": {"baseURL": f"{self.model.url}/v1", "apiKey": "dummy"},
                    "models": {"fake-model": {"name": "Fake Model", "tool_call": True}},
                }
            },
            "permission": {"bash": "ask", "edit": "ask"},
        }
        (home / "opencode.json").write_text(json.dumps(settings, indent=1) + "\n")
        # it would download this package for any plugin in the folder; none of ours imports it
        wanted = {"dependencies": {PLUGIN: self.version}}
        (home / "package.json").write_text(json.dumps(wanted) + "\n")
        (home / "package-lock.json").write_text(json.dumps({"lockfileVersion": 3, "packages": {"": wanted}}) + "\n")
        # the project is its own root: without one, a repository above it would count
        subprocess.run(["git", "init", "-q", str(self.world.work)], env=self.world.env(), check=True)
        (self.world.work / "seed.txt").write_text("alpha\nbeta\n")

    def env(self) -> dict[str, str]:
        return dict.fromkeys(SWITCHED_OFF, "1")

    def accept_trust(self) -> None:
        raise AssertionError("OpenCode asks for no trust")

    def interrupt(self) -> None:
        """Escape in a running turn, and again within its few seconds."""
        self.at.keys("Escape")
        self.at.wait_text(r"esc again to interrupt", 5)
        self.at.keys("Escape")

    def is_running(self, look: Look) -> bool:
        return look.has(r"[■⬝]{8}")

    def processes(self) -> list[processes.Process]:
        return [p for p in processes.below(self.at.pid) if p.comm.startswith("opencode")]
