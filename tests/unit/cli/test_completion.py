"""Tab completion in the real shells: every command, every subcommand, and their options."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from agtmux.cli.root import COMMANDS, root
from tests.unit.daemon_stub import environment, out

BASH = """
source "$1"
COMP_WORDS=($2 "$3"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_agtmux_completion agtmux
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """
compdef() { }
_describe() { print -l -- "${(@P)3}" }
compadd() { print -l -- "${(@P)@[-1]}" }
source "$1"
words=(${=2} "$3"); CURRENT=${#words}
_agtmux_completion agtmux
"""
FISH = 'source $argv[1]; complete -C "$argv[2] $argv[3]"'


def completed(folder: Path, shell: str, before: str, word: str) -> list[str]:
    """What this shell offers for ``word`` after the words ``before``, without descriptions."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    script = folder / f"agtmux.{shell}"
    if not script.exists():
        script.write_text(out(folder, "completion", shell))
    env = environment(folder, AGTMUX_NO_AUTOSTART="1")
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    argv = {
        "bash": [program, "--norc", "-c", BASH, "bash"], "zsh": [program, "-f", "-c", ZSH, "zsh"],
        "fish": [program, "--no-config", "-c", FISH],
    }[shell]  # fmt: skip
    done = subprocess.run(
        [*argv, str(script), before, word], env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == "", done.stderr
    return [line.split(":")[0].split("\t")[0] for line in done.stdout.splitlines() if line]


SHELLS = pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])


@pytest.mark.tc("TC-538")
@SHELLS
def test_every_command_is_completed(short_dir: Path, shell: str) -> None:
    """A new command is there without a change to the script."""
    assert set(completed(short_dir, shell, "agtmux", "")) == set(COMMANDS)
    assert completed(short_dir, shell, "agtmux", "doc") == ["doctor"]


@pytest.mark.tc("TC-538")
@SHELLS
def test_subcommands_and_options_are_completed(short_dir: Path, shell: str) -> None:
    daemon = root.get_command(click.Context(root), "daemon")
    assert isinstance(daemon, click.Group)
    assert set(completed(short_dir, shell, "agtmux daemon", "")) == set(daemon.commands)
    assert completed(short_dir, shell, "agtmux menubar", "unin") == ["uninstall"]
    assert completed(short_dir, shell, "agtmux doctor", "--b") == ["--bundle"]
    assert completed(short_dir, shell, "agtmux daemon install", "--d") == ["--dry-run"]
    assert set(completed(short_dir, shell, "agtmux menubar act", "a")) == {"approve", "answer", "ack"}
