"""Every agent that the suite can drive, by name."""

from __future__ import annotations

from tests.agents.cline import ClineDriver
from tests.agents.copilot import CopilotDriver
from tests.agents.driver import ClaudeDriver, CodexDriver, Driver, GeminiDriver
from tests.agents.opencode import OpenCodeDriver
from tests.agents.pi import PiDriver
from tests.agents.qwen import QwenDriver

DRIVERS: tuple[type[Driver], ...] = (
    ClaudeDriver, CodexDriver, GeminiDriver, CopilotDriver, OpenCodeDriver, PiDriver, QwenDriver, ClineDriver,
)  # fmt: skip
KINDS: dict[str, type[Driver]] = {kind.agent: kind for kind in DRIVERS}
