"""How a test plays the operator of Qwen Code: a Node program that starts itself again, and an OpenAI-like API."""

from __future__ import annotations

import json
from pathlib import Path

from tests.agents import processes
from tests.agents.driver import Driver
from tests.agents.models.opencode import FakeOpenCode
from tests.agents.models.steps import Call, Pause, Step
from tests.agents.terminal import Look

SCRIPT = "@qwen-code/qwen-code/cli.js"
_TOOLS = {
    "bash": Call(
        "run_shell_command",
        {"command": "touch made-by-shell.txt && sleep 2 && echo shell-ok", "description": "Create a marker file"},
    ),
    "longbash": Call("run_shell_command", {"command": "echo first-line && sleep 40 && echo last-line"}),
    "ask": Call(
        "ask_user_question",
        {
            "questions": [
                {
                    "question": "Which colour should the lab use?",
                    "header": "Colour",
                    "options": [{"label": "Red", "description": "warm"}, {"label": "Blue", "description": "cold"}],
                }
            ]
        },
    ),
}


class FakeQwen(FakeOpenCode):
    """The service behind ``OPENAI_BASE_URL``."""

    def _script(self, word: str, prompt: str) -> list[Step]:
        return [Pause(0.8), _TOOLS[word]] if word in _TOOLS else super()._script(word, prompt)


class QwenDriver(Driver):
    """Qwen Code under Node. It has no folder trust unless that is switched on."""

    agent = "qwen"
    package = "@qwen-code/qwen-code"
    model_type = FakeQwen
    ready_pattern = r"^ ?> +Type your message or @path/to/file"
    approval_pattern = r"› 1\. Yes, allow once"
    question_pattern = r"❯ 1\. Red"
    error_pattern = r"✕ \[API Error"
    error_prompt = "badkey"

    @staticmethod
    def missing(modules: Path) -> str | None:
        return None if (modules / SCRIPT).exists() else "Qwen Code is not installed"

    def install(self, modules: Path) -> None:
        self.world.link("qwen", modules / SCRIPT)

    def seed(self, *, trusted: bool) -> None:
        settings = {
            "$version": 3,
            "security": {"auth": {"selectedType": "openai"}},
            "general": {"enableAutoUpdate": False},
            "memory": {"enableManagedAutoMemory": False, "enableManagedAutoDream": False},
            "privacy": {"usageStatisticsEnabled": False},
            "telemetry": {"enabled": False},
        }
        path = self.world.home / ".qwen/settings.json"
        path.parent.mkdir(mode=0o700)
        path.write_text(json.dumps(settings, indent=1) + "\n")

    def env(self) -> dict[str, str]:
        service = {"OPENAI_BASE_URL": f"{self.model.url}/v1", "OPENAI_API_KEY": "dummy", "OPENAI_MODEL": "fake-model"}
        return {**service, "HTTPS_PROXY": ""}  # it would send what goes to 127.0.0.1 there too

    def accept_trust(self) -> None:
        raise AssertionError("Qwen Code asks for no trust")

    def is_running(self, look: Look) -> bool:
        return look.has(r"esc to\s+cancel\)")

    def processes(self) -> list[processes.Process]:
        tree = processes.below(self.at.pid)
        return [p for p in tree if any(a.endswith(("/qwen", SCRIPT)) for a in p.argv[:3])]
