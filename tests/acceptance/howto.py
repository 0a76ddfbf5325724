"""Run the guides of docs/how-to as a reader would: their shell blocks, in order, in a world that was prepared for each.

A guide is a Markdown page. Each block ``sh`` is run as one script by bash, which stops at its first failure. The same
folder and home serve all blocks of a page, so that a later block finds what an earlier one wrote. Each ``toml`` block
is added to the configuration, each block ``tmux`` is read by the tmux server of the page's world. A comment before a
block says how to run it:

- ``<!-- run: exit 5 -->``: it ends with this status. ``<!-- run: exit 0 or 1 -->`` allows both.
- ``<!-- run: until 3s -->``: it goes on until it is ended; it has to run for this long.
- ``<!-- run: skip, REASON -->``: it is not run. For what cannot be had in a test, such as another machine's screen.

Which world a page needs stands in ``howto_worlds.py``.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import Tmux

FOLDER = Path(__file__).parents[2] / "docs" / "how-to"
PATIENCE = 60.0
"""Seconds for one block."""
TIMED_OUT, KILLED = 124, 137
"""What ``timeout`` ends with if the block went on, and if it did not heed the signal either."""
_BLOCK = re.compile(
    r"(?:<!-- run: (?P<how>.*?) -->\n+)?^(?P<indent> *)```(?P<kind>\w+)\n(?P<text>.*?)^ *```", re.M | re.S
)


@dataclass(frozen=True)
class Block:
    """One block of a page. ``statuses``: exit statuses that are right. ``ends_after``: s, for one that goes on."""

    kind: str
    text: str
    line: int
    statuses: tuple[int, ...] = (0,)
    ends_after: float | None = None
    skipped: str | None = None


@dataclass
class World:
    """Where a page is run: a folder to be in, an environment, and what stands for the page's example names."""

    folder: Path
    env: Mapping[str, str]
    config: Path
    names: Mapping[str, str] = field(default_factory=dict)
    """What is put in place of a text of the page, such as ``%12``."""
    tmux: Tmux | None = None
    """The server that reads the page's lines for tmux.conf."""
    reader: Callable[[Block, str], None] = lambda _block, _output: None
    """What the reader does after a block, with what it printed: scan a code with a phone, for example."""


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a page that are run or added to the configuration, in order."""
    for found in _BLOCK.finditer(text):
        how, kind = found["how"], found["kind"]
        line = text[: found.start("kind")].count("\n") + 1
        if kind not in ("sh", "toml", "tmux"):
            assert how is None, f"line {line}: {kind} blocks are not run"
            continue
        body = re.sub(rf"^{found['indent']}", "", found["text"], flags=re.M)
        if how is None:
            yield Block(kind, body, line)
        elif (status := re.fullmatch(r"exit (\d+)(?: or (\d+))?", how)) is not None:
            yield Block(kind, body, line, tuple(int(one) for one in status.groups() if one is not None))
        elif (seconds := re.fullmatch(r"until (\d+)s", how)) is not None:
            yield Block(kind, body, line, ends_after=float(seconds[1]))
        elif (reason := re.fullmatch(r"skip, (.{10,})", how)) is not None:
            yield Block(kind, body, line, skipped=reason[1])
        else:
            raise AssertionError(f"line {line}: run: {how} is not understood")


def run(block: Block, world: World) -> str:
    """Run one block; what it printed. Raises AssertionError if it did not do what the page says."""
    text = block.text
    for name, real in world.names.items():
        text = text.replace(name, real)
    if block.kind == "toml":
        add_settings(world.config, text)
        return ""
    if block.kind == "tmux":
        assert world.tmux is not None, f"line {block.line}: this page's world has no tmux server"
        (world.folder / "tmux.conf").write_text(text)
        return world.tmux.run("source-file", str(world.folder / "tmux.conf"))
    limit = block.ends_after or PATIENCE
    done = subprocess.run(
        ["timeout", "-s", "INT", "-k", "10", f"{limit:g}", "bash", "-euo", "pipefail", "-c", text], cwd=world.folder,
        env=dict(world.env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )  # fmt: skip
    where = f"line {block.line}: {text}\n{done.stdout}"
    if done.returncode in (TIMED_OUT, KILLED):
        assert block.ends_after is not None, f"it did not end: {where}"
    else:
        assert block.ends_after is None, f"it ended: {where}"
        assert done.returncode in block.statuses, f"exit {done.returncode}: {where}"
    world.reader(block, done.stdout)
    return done.stdout


def add_settings(config: Path, text: str) -> None:
    """Add settings to the configuration as a reader does. A table that is there gets them; a key gets its new value."""
    before = config.read_text() if config.exists() else ""
    for part in re.split(r"(?m)^(?=\[)", text):
        head, _, body = part.partition("\n")
        if not head.startswith("["):
            before = f"{part}\n{before}"
        elif head.startswith("[[") or f"{head}\n" not in before:
            before += f"\n{part}"
        else:
            above, _, rest = before.partition(f"{head}\n")
            table, mark, below = re.match(r"(?s)(.*?)((?:^\[.*)?)\Z()", rest, re.M).groups()  # type: ignore[union-attr]
            for key in re.findall(r"(?m)^(\w+) *=", body):
                table = re.sub(rf"(?m)^{key} *=.*\n", "", table)
            before = f"{above}{head}\n{body}{table}{mark}{below}"
    config.write_text(before)
