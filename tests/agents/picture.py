"""Makes README's picture: five real agents in a private tmux, and what ``agtmux`` prints of them, as an SVG.

``python -m tests.agents.isolate python -m tests.agents.picture`` writes ``docs/images/agtmux.svg``. Nothing in it is
drawn by hand: a terminal is given to each command, and what it prints there is copied.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from tests.agents.demo import cleaning_up, together
from tests.agents.driver import Driver
from tests.agents.kinds import KINDS
from tests.agents.observe import BIN, Daemon, Watch
from tests.agents.world import REPO, World, installed

PICTURE = REPO / "docs/images/agtmux.svg"
COLUMNS = 104
CAST = ("claude", "codex", "gemini", "copilot", "opencode")
SCENES: dict[str, tuple[str, str]] = {
    "opencode": ("hello", "completed"),
    "gemini": ("slow 60", "running"),
    "codex": ("ask me", "waiting_input"),
    "claude": ("bash one", "waiting_approval"),
}
"""What is typed to each, and the state that it is to be shown in. Who is not named stays at its prompt."""
SHOWN = (("ls",), ("answer", "codex", "2"), ("ls",))


def on_a_terminal(world: World, *args: str) -> str:
    """What ``agtmux ARGS`` prints on a terminal, with its colours. What it asks is answered with yes."""
    control, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    with subprocess.Popen(
        [str(BIN / "agtmux"), *args], env=world.env(), stdin=terminal, stdout=terminal, stderr=terminal
    ) as process:
        os.close(terminal)
        printed = b""
        while chunk := _read(control):
            printed += chunk
            if chunk.endswith(b"[y/N]: "):
                os.write(control, b"y\n")
    os.close(control)
    assert process.returncode == 0, printed.decode(errors="replace")
    return printed.decode().replace("\r\n", "\n")


def _read(control: int) -> bytes:
    try:
        return os.read(control, 65536)
    except OSError:  # Linux's way to say that nobody has the terminal open any more
        return b""


def cast(world: World, stack: ExitStack) -> dict[str, Driver]:
    """The agents, ready to be started."""
    modules = installed()
    assert modules is not None, "the picture shows the real CLIs: make test-agents installs them"
    drivers = {}
    for kind in (KINDS[name] for name in CAST):
        model = stack.enter_context(kind.model_type(world.work))
        driver = drivers[kind.agent] = kind(world, model)
        driver.install(modules)
        driver.seed(trusted=True)
    return drivers


def started(driver: Driver) -> Callable[[], None]:
    """A job that brings one agent to its prompt."""

    def start() -> None:
        driver.launch()
        driver.pass_start_up()

    return start


def is_in(state: str, item: Mapping[str, object]) -> bool:
    """Whether a row has this state."""
    return item.get("state") == state


def main() -> int:
    console = Console(width=COLUMNS, record=True, file=io.StringIO(), color_system="truecolor", force_terminal=True)
    with cleaning_up() as stack:
        world = stack.enter_context(World())
        drivers = cast(world, stack)
        daemon = stack.enter_context(Daemon(world))
        for name in CAST:
            daemon.cli("hooks", "install", "--agent", name)
        for driver in drivers.values():
            failed = together([started(driver)])
            assert not failed, failed[0]
        watch = stack.enter_context(Watch(daemon))
        for name, (typed, state) in SCENES.items():
            drivers[name].prompt(typed)
            watch.wait_for(drivers[name].at.id, partial(is_in, state), 90)
        for n, words in enumerate(SHOWN):
            if n:
                console.print()
            console.print(Text.assemble(("$ ", "bold green"), (f"agtmux {' '.join(words)}", "bold")))
            console.print(Text.from_ansi(on_a_terminal(world, *words).rstrip("\n")))
    svg = console.export_svg(title="agtmux", theme=MONOKAI, unique_id="agtmux")
    PICTURE.parent.mkdir(exist_ok=True)
    # without fonts that would come from the network
    PICTURE.write_text(re.sub(r"\s*@font-face \{.*?\}\n", "\n", svg, flags=re.S), "utf-8")
    print(f"wrote {PICTURE.relative_to(REPO)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
