"""Which processes are agents: every way of starting seen in the recordings, and what only looks like one."""

from __future__ import annotations

import pytest

from agtmuxd.adapters.contract import Identity
from agtmuxd.adapters.discovery import discover
from agtmuxd.core.model import Proc

REGISTRY = discover(points=())


def identify(comm: str, *argv: str) -> tuple[str, Identity] | None:
    found = REGISTRY.identify(Proc(10, 1, 10, 10, 34816, "S", "77", comm, argv))
    return (found[0].agent_type, found[1]) if found else None


STARTED = [
    ("claude", False, "claude", ("claude",)),
    ("claude", False, "claude", ("/home/u/.local/bin/claude", "--resume")),
    ("claude", False, "2.1.329", ("/home/u/.local/share/claude/versions/2.1.329",)),
    ("claude", False, "2.1.329", ("/opt/run/versions/2.1.329", "fix it")),
    ("claude", False, "2.1.329", ("claude", "fix it")),
    ("claude", False, ".claude-unwrapp", ("/nix/store/x/bin/.claude-unwrapped",)),
    ("claude", False, ".claude-unwrapp", ("claude",)),
    ("claude", False, "node", ("node", "/usr/lib/node_modules/@anthropic-ai/claude-code/cli.js")),
    ("claude", False, "MainThread", ("node", "--max-old-space-size=4096", "/usr/bin/claude", "hello")),
    ("claude", False, "claude", ("claude", "what does -p mean")),
    ("claude", True, "claude", ("claude", "-p", "slow 5")),
    ("claude", True, "claude", ("claude", "--model", "opus", "--print", "hello")),
    ("codex", False, "codex", ("/opt/codex/bin/codex",)),
    ("codex", False, "codex", ("codex", "--no-daemon", "-m", "exec")),
    ("codex", False, "codex", ("codex", "resume")),
    ("codex", False, "codex", ("codex", "-c", "model=x", "resume", "--last")),
    ("codex", False, "node", ("node", "/usr/lib/node_modules/@openai/codex/bin/codex.js")),
    ("codex", False, "node", ("node", "/usr/bin/codex")),
    ("codex", True, "codex", ("codex", "exec", "--json", "run something")),
    ("codex", True, "codex", ("codex", "-C", "/tmp/x", "exec", "run something")),
    ("gemini", False, "node", ("node", "/usr/bin/gemini")),
    ("gemini", False, "node", ("/usr/bin/node", "--max-old-space-size=4096", "/x/node_modules/.bin/gemini")),
    ("gemini", False, "node", ("node", "/x/@google/gemini-cli/bundle/gemini.js", "-m", "gemini-2.5-flash")),
    ("gemini", False, "node", ("node", "/usr/bin/gemini", "-i", "start with this")),
    ("gemini", True, "node", ("node", "/usr/bin/gemini", "-p", "hello")),
    ("gemini", True, "node", ("node", "/usr/bin/gemini", "-o", "stream-json", "-p", "hello")),
    ("gemini", True, "node", ("node", "/usr/bin/gemini", "--prompt=hello")),
    ("copilot", False, "node", ("node", "/x/node_modules/.bin/copilot")),
    ("copilot", False, "node", ("node", "/usr/lib/node_modules/@github/copilot/npm-loader.js", "--resume")),
    ("copilot", False, "MainThread", ("/x/node_modules/@github/copilot-linux-x64/copilot",)),
    ("copilot", False, "copilot", ("copilot", "--model", "help", "-i", "start with this")),
    ("copilot", True, "MainThread", ("/x/@github/copilot-linux-x64/copilot", "-p", "hello model")),
    ("copilot", True, "node", ("node", "/usr/bin/copilot", "--allow-all-tools", "--prompt=hello")),
    ("opencode", False, "opencode", ("opencode",)),
    ("opencode", False, "opencode", ("opencode", "--port", "4599")),
    ("opencode", False, "opencode", ("/home/u/.opencode/bin/opencode", "-m", "models", "my-project")),
    ("opencode", False, "opencode", ("opencode", "attach", "http://localhost:4096")),
    ("opencode", True, "opencode", ("opencode", "run", "--format", "json", "bash please")),
    ("pi", False, "pi", ("pi",)),  # it names its process so and drops its arguments
    ("pi", False, "node", ("node", "/x/node_modules/.bin/pi", "--model", "update")),
    ("pi", False, "node", ("node", "/usr/lib/node_modules/@mariozechner/pi-coding-agent/dist/cli.js", "-c")),
    ("pi", True, "node", ("node", "/usr/bin/pi", "-p", "hello")),
    ("pi", True, "node", ("node", "/usr/bin/pi", "--mode", "rpc")),
    ("qwen", False, "node", ("node", "/usr/bin/qwen")),
    ("qwen", False, "node", ("/usr/bin/node", "--max-old-space-size=8192", "/x/@qwen-code/qwen-code/cli.js", "-c")),
    ("qwen", True, "node", ("node", "/usr/bin/qwen", "-p", "hello")),
    ("claude", False, "agtmux", ("python3", "/h/agtmux", "run", "--as", "claude", "--", "docker", "exec", "box")),
    ("codex", False, "agtmux", ("python3", "/h/agtmux", "run", "--as=codex", "ssh", "box")),
    ("generic", False, "agtmux", ("python3", "/h/agtmux", "run", "--as", "nobody", "--", "ssh", "box")),
    ("cline", False, "cline", ("cline", "--auto-approve", "false")),
    ("cline", False, "node", ("node", "/usr/bin/cline", "-m", "auth")),
    ("cline", False, "cline", ("cline", "--tui", "fix it")),
    ("cline", True, "cline", ("cline", "fix it")),
    ("cline", True, "cline", ("cline", "--json")),
    ("cursor", False, "cursor-agent", ("/home/u/.local/bin/cursor-agent",)),
    ("cursor", False, "node", ("node", "--use-system-ca", "/h/.local/share/cursor-agent/versions/2026.1/index.js")),
    ("cursor", True, "cursor-agent", ("cursor-agent", "-p", "--output-format", "stream-json", "go")),
    ("generic", False, "agtmux", ("/usr/bin/python3", "/h/.venv/bin/agtmux", "run", "--", "make", "test")),
    ("generic", False, "python3.11", ("python3.11", "-m", "agtmux", "run", "sleep", "5")),
    ("generic", False, "agtmux", ("/usr/bin/python3", "/h/agtmux", "-q", "--color", "never", "run", "--", "make")),
]
"""Agent, headless, comm, argv."""


@pytest.mark.parametrize(("agent", "headless", "comm", "argv"), STARTED)
def test_an_agent_is_known_however_it_was_started(agent: str, headless: bool, comm: str, argv: tuple[str, ...]) -> None:
    found = identify(comm, *argv)
    assert found is not None
    assert (found[0], found[1].headless) == (agent, headless)


@pytest.mark.parametrize(
    ("comm", "argv"),
    [
        ("bash", ("bash", "-c", "claude; echo done")),
        ("claude", ("/bin/sh", "/home/u/bin/claude")),  # a wrapper script of that name: what it starts is the agent
        ("wrap.sh", ("/bin/sh", "/home/u/wrap.sh", "claude")),
        ("mygem", ("/bin/bash", "/home/u/mygem")),
        ("grep", ("grep", "-r", "claude", ".")),
        ("vim", ("vim", "claude.md")),
        ("nvim", ("nvim", "/src/claude")),
        ("less", ("less", "/usr/bin/codex")),
        ("node", ("node", "claude-server.js")),
        ("node", ("node", "/src/codex-proxy/index.js")),
        ("node", ("node", "gemini-bot.js")),
        ("node", ("node", "-e", "claude")),
        ("node", ("node",)),
        ("python3", ("python3", "/usr/bin/claude")),
        ("tmux: server", ("tmux", "new", "claude")),
        ("ssh", ("ssh", "host", "claude")),
        ("sleep", ("claude", "100")),  # argv[0] alone proves nothing
        ("2.1.329", ("/opt/other/versions/9.9.9",)),
        ("claude", ("claude", "mcp", "serve")),
        ("claude", ("claude", "update")),
        ("claude", ("claude", "--version")),
        ("codex", ("codex", "app-server", "--listen", "unix://", "--managed-daemon")),
        ("codex", ("codex", "app-server", "daemon", "pid-update-loop")),
        ("codex", ("codex", "-c", "a=b", "mcp-server")),
        ("codex", ("codex", "login")),
        ("node", ("node", "/usr/bin/codex", "app-server")),
        ("codex-notify", ("codex-notify",)),
        ("node", ("node", "/usr/bin/gemini", "mcp", "list")),
        ("node", ("node", "/usr/bin/gemini", "--list-sessions")),
        ("gh", ("gh", "copilot", "suggest")),
        ("copilot", ("copilot", "login")),
        ("node", ("node", "/usr/bin/copilot", "--version")),
        ("MainThread", ("/x/@github/copilot-linux-x64/copilot", "--binary-version")),
        ("node", ("node", "/src/copilot-metrics/index.js")),
        ("sleep", ("copilot", "100")),
        ("opencode", ("opencode", "serve", "--port", "4096")),
        ("opencode", ("opencode", "--log-level", "DEBUG", "web")),
        ("opencode", ("opencode", "auth", "login")),
        ("vim", ("vim", "opencode.json")),
        ("pi", ("/usr/bin/pi", "1000")),  # digits of a number, not the agent
        ("node", ("node", "/usr/bin/pi", "install", "npm:x")),
        ("node", ("node", "/usr/bin/pi", "--list-models")),
        ("node", ("node", "/usr/bin/qwen", "mcp", "list")),
        ("node", ("node", "/usr/bin/qwen", "--version")),
        ("vim", ("vim", "qwen.md")),
        ("cline", ("/x/@cline/cli-linux-x64/bin/cline", "--cline-hub-daemon", "--cwd", "/src")),
        ("cline", ("cline", "auth", "-p", "openai-compatible")),
        ("agent", ("agent",)),  # anybody's program may be called so
        ("cursor-agent", ("cursor-agent", "login")),
        ("agtmux", ("python3", "/usr/bin/agtmux", "watch")),
        ("agtmux", ("python3", "/usr/bin/agtmux", "run", "--")),
        ("agtmux", ("python3", "/usr/bin/agtmux", "run", "--", "claude")),  # listed as itself
        ("", ()),
    ],
)
def test_what_only_looks_like_an_agent_is_none(comm: str, argv: tuple[str, ...]) -> None:
    assert identify(comm, *argv) is None


def test_a_version_path_tells_the_version() -> None:
    found = identify("2.1.329", "/home/u/.local/share/claude/versions/2.1.329")
    assert found is not None
    assert found[1].version == "2.1.329"


def test_a_native_program_behind_a_shim_is_the_one_that_counts() -> None:
    inner = {a.agent_type for a in REGISTRY if a.innermost}
    assert inner == {"codex", "copilot", "opencode", "cline", "cursor"}
