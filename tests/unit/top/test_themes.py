"""Themes: the terminal's own colours, textual's, and files of the user's."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmux.top.themes import find_theme, read_theme


@pytest.mark.tc("TC-302")
def test_the_theme_is_the_terminals_own_unless_one_is_named(tmp_path: Path) -> None:
    """Light or dark as the terminal tells. Without colours no other one counts."""
    found = [find_theme("auto", terminal, str(tmp_path))[0] for terminal in ("", "15;0", "0;15", "0;default;7")]
    assert found == ["ansi-dark", "ansi-dark", "ansi-light", "ansi-light"]
    assert find_theme("nord", "0;15", str(tmp_path)) == ("nord", None)
    assert find_theme("nord", "", str(tmp_path), colours=False) == ("ansi-dark", None)


@pytest.mark.tc("TC-302")
def test_a_file_beside_the_configuration_is_a_theme(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('primary = "#88c0d0"\nbackground = "ansi_black"\ndark = false\n')
    name, theme = find_theme("mine", "", str(tmp_path))
    assert theme is not None
    assert (name, theme.name, theme.primary, theme.dark) == ("mine", "mine", "#88c0d0", False)


@pytest.mark.tc("TC-304")
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("primary = ", "f.toml is not valid TOML"),
        ('primary = "reddish"', "f.toml: primary is not a colour: write it like #88c0d0"),
        ("primary = 5", "f.toml: primary is not a colour"),
        ('primary = "red"\npink = "red"', "f.toml has pink; a theme has dark, primary"),
        ('background = "red"', "f.toml has no primary"),
        ('primary = "red"\ndark = "yes"', "f.toml: dark is true or false"),
    ],
)
def test_a_theme_file_that_is_wrong_is_refused_by_its_key(text: str, says: str) -> None:
    with pytest.raises(AgtmuxError) as caught:
        read_theme("f", text, "f.toml")
    assert says in caught.value.message


@pytest.mark.tc("TC-304")
@pytest.mark.parametrize("wanted", ["pink", "../../etc/passwd", 5, ["nord"]])
def test_a_theme_that_is_not_there_is_refused(tmp_path: Path, wanted: object) -> None:
    with pytest.raises(AgtmuxError) as caught:
        find_theme(wanted, "", str(tmp_path))
    message = caught.value.message
    assert "no theme of that name; there are auto, ansi-dark" in message or "is not the name of a theme" in message
