"""What is quoted for tmux arrives in tmux byte for byte."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agtmux.protocol.tmux_quote import encode, format_literal, line, literal, message, quote
from agtmuxd.tmux.server import parse_version
from tests.conftest import Tmux

pytestmark = pytest.mark.tmux

_NASTY = [
    *(
        "'",
        '"',
        ";",
        "\\",
        "#{pid}",
        "##",
        "#[",
        "#(id)",
        "~",
        "~root",
        "$HOME",
        "${HOME}",
        "\n",
        "\n  x",
        "\r\n",
        "\t",
    ),
    *(
        "%if",
        "%endif",
        "%1",
        "{",
        "}",
        "-",
        "--",
        "=",
        "A=b",
        "é",
        "日本",
        "🦀",
        "\x1b[31m",
        "\x7f",
        "\\n",
        "\\101",
        " ",
        "#",
    ),
]
_CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
_TEXT = st.lists(st.one_of(st.sampled_from(_NASTY), st.text(_CHARACTERS, max_size=8)), max_size=6).map("".join)


@pytest.fixture(scope="module")
def server() -> Iterator[Tmux]:
    with tempfile.TemporaryDirectory(prefix="agt", dir="/tmp") as directory:
        tmux = Tmux(Path(directory) / "s")
        tmux.start()
        yield tmux
        tmux.stop()


def printable(server: Tmux, text: str) -> str:
    """``text`` without what a tmux of this version does not print as it is: see ``tmux/printed.py``."""
    version = parse_version(server.run("display-message", "-p", "#{version}"))
    if version not in ((3, 4), (3, 5)):
        return text
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", text.replace("$", "") if version == (3, 4) else text)


def _source(server: Tmux, commands: str) -> bytes:
    done = subprocess.run(
        [*server.argv, "source-file", "-"], input=encode(commands), capture_output=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(_TEXT, min_size=1, max_size=8))
@example(texts=_NASTY)
@example(texts=["".join(_NASTY), "", "a;", "\\;", ";"])
def test_any_text_reaches_tmux_as_it_was(server: Tmux, texts: list[str]) -> None:
    filled = "".join(line(["set-buffer", "-b", f"b{i}", "--", f"x{text}"]) for i, text in enumerate(texts))
    for i, text in enumerate(texts):
        shown = _source(server, filled + line(["show-buffer", "-b", f"b{i}"]))
        assert shown == encode(f"x{text}")
        filled = ""


@settings(max_examples=60, deadline=None)
@given(text=_TEXT)
@example(text="")
@example(text="~")
@example(text="%if")
@example(text="A=b")
def test_a_word_keeps_its_first_character(server: Tmux, text: str) -> None:
    text = printable(server, text)
    commands = line(["set-option", "-g", "--", "@x", text]) + line(["show-options", "-gv", "@x"])
    assert _source(server, commands) == encode(f"{text}\n")


@settings(max_examples=60, deadline=None)
@given(text=_TEXT)
@example(text="a;")
@example(text="a\\;")
@example(text=";")
def test_an_argument_list_keeps_a_final_semicolon(server: Tmux, text: str) -> None:
    shown = server.run("set-buffer", "-b", "argv", "--", literal(f"x{text}"), ";", "show-buffer", "-b", "argv")
    done = subprocess.run([*server.argv, "show-buffer", "-b", "argv"], capture_output=True, timeout=30, check=True)
    assert done.stdout == encode(f"x{text}")
    assert shown.startswith("x")


@settings(max_examples=60, deadline=None)
@given(text=_TEXT)
@example(text="-")
@example(text="###[x] ##{pid} #[fg=red] # ## ### #")
def test_a_format_shows_literal_text(server: Tmux, text: str) -> None:
    text = printable(server, text.replace("%", "").replace("\n", " "))  # dates and lines are display-message's own
    shown = _source(server, line(["display-message", "-p", "--", f"{format_literal(text)}|"]))
    assert shown == encode(f"{text}|\n")


@pytest.mark.tc("TC-362")
@settings(max_examples=60, deadline=None)
@given(text=_TEXT)
@example(text="%H:%M %% 100% #{pid} #(id) ##[x] #[fg=red]%")
def test_a_message_shows_literal_text(server: Tmux, text: str) -> None:
    text = printable(server, text.replace("\n", " "))
    shown = _source(server, line(["display-message", "-p", "--", f"{message(text)}|"]))
    assert shown == encode(f"{text.replace('#[', '# [')}|\n")


def test_a_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        quote("a\0b")
    with pytest.raises(ValueError, match="NUL"):
        literal("a\0b")


def test_bytes_that_are_no_text_stay_bytes() -> None:
    assert encode(line(["x", "a\udcff"])) == b'x "a\xff"\n'
