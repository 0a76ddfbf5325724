"""How a test plays the operator of one agent CLI: seed its home, start it, type, answer, interrupt, end it.

Each driver says what the agent's screens look like only as far as it must to know when to press the next key; what a
state looks like to agtmux is the adapters' business.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from tests.agents import processes
from tests.agents.models.claude import FakeClaude
from tests.agents.models.codex import FakeCodex
from tests.agents.models.gemini import FakeGemini
from tests.agents.models.server import FakeModel
from tests.agents.terminal import Look, Pane, ScreenTimeoutError
from tests.agents.world import World, claude_binary


class Driver(ABC):
    """One agent in one pane. ``seed`` once per home, then ``launch``."""

    agent: ClassVar[str]
    package: ClassVar[str]  # of npm
    model_type: ClassVar[type[FakeModel]]
    trust_pattern: ClassVar[str]
    ready_pattern: ClassVar[str]
    approval_pattern: ClassVar[str]
    question_pattern: ClassVar[str]
    error_pattern: ClassVar[str]
    error_prompt: ClassVar[str]
    draft_says_idle: ClassVar[bool] = False  # idle again at the first key of a draft
    placeholders: ClassVar[bool] = True  # how its field draws them is known
    denial_ends_turn: ClassVar[bool] = True  # else its model is told and goes on
    interrupt_shows: ClassVar[bool] = True  # else it looks like a turn that ended
    composer_first: ClassVar[bool] = False  # draws its composer for an instant before a start-up dialog

    def __init__(self, world: World, model: FakeModel) -> None:
        self.world = world
        self.model = model
        self.pane: Pane | None = None

    # ------------------------------------------------ what differs per agent
    @staticmethod
    @abstractmethod
    def missing(modules: Path) -> str | None:
        """Why this agent cannot run from ``modules``, or None."""

    @abstractmethod
    def install(self, modules: Path) -> None:
        """Puts the program on the world's PATH."""

    @abstractmethod
    def seed(self, *, trusted: bool) -> None:
        """Writes the settings that keep dialogs other than the folder's trust away."""

    @abstractmethod
    def env(self) -> dict[str, str]:
        """Environment of the pane, beyond the world's."""

    @abstractmethod
    def accept_trust(self) -> None:
        """Answers the trust dialog, and what may follow it, until the composer is there."""

    @abstractmethod
    def is_running(self, look: Look) -> bool:
        """Whether a turn is in progress, by the agent's own words."""

    @abstractmethod
    def processes(self) -> list[processes.Process]:
        """The agent's processes in the pane, outermost first."""

    # ------------------------------------------------ what is the same
    @property
    def at(self) -> Pane:
        """The pane; only after ``launch``."""
        assert self.pane is not None, "launch first"
        return self.pane

    def launch(self, command: str | None = None) -> None:
        """Opens a shell in a pane (once) and types the command that starts the agent."""
        if self.pane is None:
            self.pane = self.world.tmux.open(self.agent, self.world.env(**self.env()), self.world.work)
            self.pane.wait_text(r"[$#] ?$")
        self.at.type(command or self.agent)
        self.at.keys("Enter")

    def is_ready(self, look: Look) -> bool:
        """Whether the composer is there and no turn is in progress."""
        return look.has(self.ready_pattern) and not self.is_running(look)

    def wait_trust(self) -> None:
        """The folder-trust dialog of the start-up is up."""
        self.at.wait_text(self.trust_pattern, 40)

    def pass_start_up(self) -> None:
        """Gets a trusted agent to its prompt."""
        self.wait_ready()

    def wait_ready(self, timeout: float = 90) -> None:
        """At its prompt, twice in a row."""
        self._twice(self.is_ready, f"{self.agent} at its prompt", timeout)

    def prompt(self, text: str) -> None:
        """Types a prompt, submits it and waits until the turn has begun."""
        asked = len(self.model.seen)
        self.at.type(text)
        self.at.keys("Enter")
        self.at.wait(lambda _: len(self.model.seen) > asked, f"{self.agent} asks its model", 15)

    def wait_running(self) -> None:
        """A turn shows on the screen."""
        self.at.wait(self.is_running, f"{self.agent} running", 15)

    def wait_streaming(self) -> None:
        """The first words of a slow answer stand on the screen: Escape before them gives the prompt back."""
        self.at.wait_text("ember stone river")

    def wait_approval(self) -> None:
        """The approval dialog is up."""
        self.at.wait_text(self.approval_pattern)

    def approve(self) -> None:
        """Says yes (the first choice)."""
        self._dialog_key("Enter", self.approval_pattern)

    def deny(self) -> None:
        """Says no by Escape."""
        self._dialog_key("Escape", self.approval_pattern)

    def wait_question(self) -> None:
        """The question tool's dialog is up."""
        self.at.wait_text(self.question_pattern)

    def answer(self) -> None:
        """Takes the first answer."""
        self._dialog_key("Enter", self.question_pattern)

    def interrupt(self) -> None:
        """Escape in a running turn."""
        self.at.keys("Escape")

    def wait_error(self) -> None:
        """The final error of a turn stands on the screen."""
        self.at.wait_text(self.error_pattern, 60)
        self.wait_ready()

    def quit(self) -> None:
        """Leaves the agent in order; returns when the shell is back."""
        self.at.type("/quit" if self.agent != "claude" else "/exit")
        self.at.keys("Enter")
        self.wait_shell()

    def kill9(self) -> None:
        """Kills the innermost process of the agent."""
        victim = self.processes()[-1].pid
        os.kill(victim, signal.SIGKILL)
        self.at.wait(lambda _: not processes.alive(victim), f"{self.agent} dead", 5)

    def wait_shell(self) -> None:
        """No process of the agent is left in the pane."""
        self.at.wait(lambda _: not self.processes(), f"{self.agent} gone", 20)

    def _dialog_key(self, key: str, pattern: str) -> None:
        """A key for a dialog; a dialog that was still being drawn gets it a second time."""
        for attempt in range(3):
            self.at.wait_still(0.2, 1)
            self.at.keys(key)
            try:
                self.at.wait(lambda look: not look.has(pattern), f"{self.agent}: dialog closed by {key}", 4)
                return
            except AssertionError:
                if attempt == 2:
                    raise

    def _twice(self, seen: Callable[[Look], bool], what: str, timeout: float) -> None:
        end = time.monotonic() + timeout
        while True:
            self.at.wait(seen, what, max(1.0, end - time.monotonic()))
            time.sleep(0.2)
            if seen(self.at.look()):
                return


def _write(path: Path, body: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_text(json.dumps(body, indent=1) + "\n")


class ClaudeDriver(Driver):
    """Claude Code, the native program."""

    agent = "claude"
    package = "@anthropic-ai/claude-code"
    model_type = FakeClaude
    trust_pattern = r"Quick safety check"
    ready_pattern = r"^❯[\s\S]*(\? for shortcuts|manual mode on|shift\+tab|/effort)"
    approval_pattern = r"Do you want to proceed\?[\s\S]*❯ 1\. Yes"
    question_pattern = r"❯ 1\. Green[\s\S]*Enter to select"
    error_pattern = r"● API Error"
    error_prompt = "boom 400"

    @staticmethod
    def missing(modules: Path) -> str | None:
        return None if claude_binary(modules) else "no native Claude Code program for this platform"

    def install(self, modules: Path) -> None:
        binary = claude_binary(modules)
        assert binary is not None
        self.world.link("claude", binary)

    def seed(self, *, trusted: bool) -> None:
        project: dict[str, object] = {"projectOnboardingSeenCount": 9, "hasCompletedProjectOnboarding": True}
        seen = {"hasSeenAutoDefaultNudge": True, "hasSeenAutoDefaultNotice": True}
        state = {
            "hasCompletedOnboarding": True,
            "lastOnboardingVersion": "99.0.0",
            "theme": self.world.brightness,
            "numStartups": 5,
            "customApiKeyResponses": {"approved": ["dummy"], "rejected": []},
            "projects": {str(self.world.work): project | ({"hasTrustDialogAccepted": True} if trusted else {})},
        }
        _write(self.world.home / ".claude.json", state | seen)
        # its own default is a mode that asks for nothing
        _write(self.world.home / ".claude/settings.json", {"permissions": {"defaultMode": "default"}})

    def env(self) -> dict[str, str]:
        off = ("DISABLE_TELEMETRY", "DISABLE_AUTOUPDATER", "DISABLE_ERROR_REPORTING")
        return {
            "ANTHROPIC_BASE_URL": self.model.url,
            "ANTHROPIC_API_KEY": "dummy",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_TMPDIR": str(self.world.root / "tmp"),
            **dict.fromkeys(off, "1"),
        }

    def accept_trust(self) -> None:
        self.at.wait_still()
        if not self.at.look().has(r"❯ (\d\. )?Yes"):  # the pointer starts on No, in older versions on Yes
            self.at.keys("Down")
        self.at.wait_text(r"❯ (\d\. )?Yes", 5)
        self.at.keys("Enter")
        self.wait_ready()

    def is_running(self, look: Look) -> bool:
        return look.has(r"esc to interrupt") and look.has(r"^❯")

    def processes(self) -> list[processes.Process]:
        return [p for p in processes.below(self.at.pid) if p.comm == "claude"]


class CodexDriver(Driver):
    """Codex by its npm command; with ``--no-daemon`` in ``launch`` it runs without its shared server."""

    agent = "codex"
    package = "@openai/codex"
    model_type = FakeCodex
    trust_pattern = r"Trust this folder|Trust and continue|Do you trust the contents"
    ready_pattern = r"^ *› [\s\S]*^  (GPT|gpt)-"
    approval_pattern = r"Would you like to run the following command\?[\s\S]*Press enter to confirm"
    question_pattern = r"Question 1/1[\s\S]*enter to submit answer"
    error_pattern = r"^■ "
    error_prompt = "boom"
    draft_says_idle = True

    @staticmethod
    def missing(modules: Path) -> str | None:
        return None if (modules / ".bin/codex").exists() else "Codex is not installed"

    def install(self, modules: Path) -> None:
        self.world.link("codex", modules / ".bin/codex")

    def seed(self, *, trusted: bool) -> None:
        lines = [
            'model = "gpt-5.5"',
            'model_provider = "fake"',
            'approval_policy = "on-request"',
            'sandbox_mode = "workspace-write"',
            "check_for_update_on_startup = false",
            "suppress_unstable_features_warning = true",
            "[model_providers.fake]",
            'name = "Fake local provider"',
            f'base_url = "{self.model.url}/v1"',
            'env_key = "FAKE_API_KEY"',
            'wire_api = "responses"',
            "requires_openai_auth = false",
            "supports_websockets = false",
            "request_max_retries = 1",
            "stream_max_retries = 1",
            "[analytics]",
            "enabled = false",
            "[features]",
            "default_mode_request_user_input = true",
            "[notice.model_migrations]",
            '"gpt-5.5" = "gpt-6-sol"',
            '"gpt-5.4" = "gpt-5.5"',
        ]
        if trusted:
            lines += [f"[projects.{json.dumps(str(self.world.work))}]", 'trust_level = "trusted"']
        path = self.world.home / ".codex/config.toml"
        path.parent.mkdir(exist_ok=True, mode=0o700)
        path.write_text("\n".join(lines) + "\n")
        # only a repository's trust is asked for
        subprocess.run(["git", "init", "-q", str(self.world.work)], env=self.world.env(), check=True)

    def env(self) -> dict[str, str]:
        return {"CODEX_HOME": str(self.world.home / ".codex"), "FAKE_API_KEY": "dummy"}

    def accept_trust(self) -> None:
        self.pass_start_up()

    def pass_start_up(self) -> None:
        """Says yes to the folder's trust and to the review of hooks, as often as they come; ends at the composer."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            look = self.at.look()
            if look.has(self.trust_pattern):
                self._dialog_key("Enter", self.trust_pattern)
            elif look.has(r"Hooks need review"):
                self._choose_second(r"Hooks need review")
            elif self.is_ready(look) and look.title.startswith(self.world.work.name):
                self.wait_ready()
                return
            else:
                time.sleep(0.1)
        raise AssertionError("codex did not get through its start-up:\n" + self.at.look().text)

    def _choose_second(self, pattern: str) -> None:
        self.at.wait_still()
        if not self.at.look().has(r"^\s*› 2\."):
            self.at.keys("Down")
            self.at.wait_text(r"^\s*› 2\.", 5)
        self._dialog_key("Enter", pattern)

    def wait_streaming(self) -> None:
        """Up to 0.151 a paragraph is drawn when all of it is there, so some seconds of the turn do as well."""
        with contextlib.suppress(ScreenTimeoutError):
            self.at.wait_text("ember stone river", 8)

    def is_ready(self, look: Look) -> bool:
        return super().is_ready(look) and "Action Required" not in look.title

    def is_running(self, look: Look) -> bool:
        return "\u2800" <= look.title[:1] <= "\u28ff" or look.has(r"^. Working \(")

    def processes(self) -> list[processes.Process]:
        tree = processes.below(self.at.pid)
        return [p for p in tree if p.comm in ("codex", "node", "node-MainThread") and "app-server" not in p.argv]


class GeminiDriver(Driver):
    """Gemini CLI, a Node program that starts a second one."""

    agent = "gemini"
    package = "@google/gemini-cli"
    model_type = FakeGemini
    trust_pattern = r"Do you trust the files in this folder\?"
    ready_pattern = r"Type your message or @path"
    approval_pattern = r"● 1\. Allow once"
    question_pattern = r"● 1\.  ?Red[\s\S]*Enter to select"
    error_pattern = r"✕ \[API Error"
    error_prompt = "badkey"
    composer_first = True

    @staticmethod
    def missing(modules: Path) -> str | None:
        return None if (modules / ".bin/gemini").exists() else "Gemini CLI is not installed"

    def install(self, modules: Path) -> None:
        self.world.link("gemini", modules / ".bin/gemini")

    def seed(self, *, trusted: bool) -> None:
        home = self.world.home / ".gemini"
        settings = {
            "security": {"auth": {"selectedType": "gemini-api-key"}},
            "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
            "telemetry": {"enabled": False},
            "privacy": {"usageStatisticsEnabled": False},
            "ui": {"theme": "Default" if self.world.brightness == "dark" else "Default Light"},
        }
        _write(home / "settings.json", settings)
        if trusted:
            _write(home / "trustedFolders.json", {str(self.world.work): "TRUST_FOLDER"})

    def env(self) -> dict[str, str]:
        return {"GEMINI_API_KEY": "dummy", "GOOGLE_GEMINI_BASE_URL": self.model.url}

    def accept_trust(self) -> None:
        self.at.wait_still()
        self.at.keys("Enter")
        # it starts itself again; until then the old composer is not there either
        self.wait_ready()

    def is_running(self, look: Look) -> bool:
        return look.title.startswith(("✦", "⏲"))

    def is_ready(self, look: Look) -> bool:
        return look.title.startswith("◇") and look.has(self.ready_pattern)

    def processes(self) -> list[processes.Process]:
        tree = processes.below(self.at.pid)
        return [p for p in tree if any(re.search(r"(/|^)gemini(\.js)?$", a) for a in p.argv[:3])]
