"""A shell gets the completions that fit."""

from __future__ import annotations

from pathlib import Path

from tests.unit.daemon_stub import agtmux


def test_a_shell_is_told_the_completions(short_dir: Path) -> None:
    done = agtmux(short_dir, _AGTMUX_COMPLETE="bash_complete", COMP_WORDS="agtmux target re", COMP_CWORD="2")
    assert done.stdout == b"plain,remove\n"
