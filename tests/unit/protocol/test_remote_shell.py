"""A command for ssh means the same to every login shell, whatever its words are."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agtmux.protocol.remote_shell import encode, program_word, quote_argv, quote_script

pytestmark = pytest.mark.tc("TC-868")
SHELLS = [shell for shell in ("sh", "bash", "dash", "zsh", "fish", "csh", "tcsh") if shutil.which(shell)]
PRINT = "import os, sys; os.write(1, b'\\0'.join(os.fsencode(word) for word in sys.argv[1:]))"
WORDS = st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20), max_size=4)


@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=WORDS)
def test_the_words_arrive_as_they_are(shell: str, words: list[str]) -> None:
    command = quote_argv([sys.executable, "-c", PRINT, *words], "m4rk")
    assert command.isascii() and command.isprintable()
    done = subprocess.run([shell, "-c", command], capture_output=True, check=True)
    assert done.stdout == b"m4rk" + b"\0".join(word.encode() for word in words)


def test_a_program_in_the_home_folder_is_found_there() -> None:
    assert program_word("~/my bin/tmux") == "\"$HOME\"/'my bin/tmux'"
    assert program_word("tmux") == "tmux"


def test_no_word_may_hold_a_nul() -> None:
    with pytest.raises(ValueError, match="NUL"):
        quote_script("a\0b")
    assert encode(b"'\\!\n\xff a") == "\\0047\\0134\\0041\\0012\\0377 a"
