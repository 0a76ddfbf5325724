"""How a test plays the operator of pi: its script under Node, a provider of its own, and an extension that asks.

pi asks nobody for permission and has no question tool. Extensions do both; the one here asks before each command and
adds a tool ``question``.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.agents import processes
from tests.agents.driver import Driver
from tests.agents.models.opencode import FakeOpenCode
from tests.agents.models.steps import Call, Pause, Step
from tests.agents.terminal import Look

SCRIPT = "@mariozechner/pi-coding-agent/dist/cli.js"
ASKS = """\
export default function (pi) {
  pi.on("tool_call", async (event, ctx) => {
    if (event.toolName !== "bash" || !ctx.hasUI) return undefined
    const choice = await ctx.ui.select(`Run this command?\\n\\n  ${event.input.command}\\n\\nAllow it?`, ["Yes", "No"])
    if (choice === "Yes") return undefined
    ctx.abort()
    return { block: true, reason: "Blocked by user" }
  })
  pi.registerTool({
    name: "question",
    label: "Question",
    description: "Ask the user a question",
    parameters: { type: "object", properties: { text: { type: "string" }, options: { type: "array" } } },
    async execute(_id, params, _signal, _update, ctx) {
      const choice = await ctx.ui.select(params.text, params.options)
      return { content: [{ type: "text", text: `The user chose ${choice}` }], details: {} }
    },
  })
}
"""


class FakePi(FakeOpenCode):
    """The provider that pi's settings name."""

    def _script(self, word: str, prompt: str) -> list[Step]:
        if word == "ask":
            options = {"text": "Which colour should the lab use?", "options": ["Red", "Blue"]}
            return [Pause(0.8), Call("question", options)]
        return super()._script(word, prompt)


class PiDriver(Driver):
    """pi under Node. It has no folder trust."""

    agent = "pi"
    package = "@mariozechner/pi-coding-agent"
    model_type = FakePi
    ready_pattern = r"^─{20,}\n\n─{20,}$"
    approval_pattern = r"Allow it\?[\s\S]*→ Yes"
    question_pattern = r"Which colour should the lab use\?[\s\S]*→ Red"
    error_pattern = r"^ Error: 401"
    error_prompt = "badkey"

    @staticmethod
    def missing(modules: Path) -> str | None:
        return None if (modules / SCRIPT).exists() else "pi is not installed"

    def install(self, modules: Path) -> None:
        self.world.link("pi", modules / SCRIPT)

    def seed(self, *, trusted: bool) -> None:
        home = self.world.home / ".pi/agent"
        (home / "extensions").mkdir(parents=True, mode=0o700)
        provider = {
            "baseUrl": f"{self.model.url}/v1",
            "api": "openai-completions",
            "apiKey": "dummy",
            "models": [{"id": "fake-model"}],
        }
        (home / "models.json").write_text(json.dumps({"providers": {"fake": provider}}))
        (home / "settings.json").write_text(json.dumps({"defaultProvider": "fake", "defaultModel": "fake-model"}))
        (home / "extensions/asks.js").write_text(ASKS)

    def env(self) -> dict[str, str]:
        return {"PI_OFFLINE": "1", "PI_TELEMETRY": "0"}

    def accept_trust(self) -> None:
        raise AssertionError("pi asks for no trust")

    def is_running(self, look: Look) -> bool:
        return look.has(r"^ [⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] ")

    def processes(self) -> list[processes.Process]:
        return [p for p in processes.below(self.at.pid) if p.comm == "pi" or any(SCRIPT in a for a in p.argv[:2])]

    def quit(self) -> None:
        self.at.keys("C-d")
        self.wait_shell()
