"""Where agtmux is installed, whether it stays there, and where agents keep their settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmux.installation import config_homes, hook_command, program, temporary_place


def test_a_program_is_found_beside_the_link_that_the_user_calls(tmp_path: Path) -> None:
    """A link in ~/.local/bin stays where it is when agtmux is updated; the environment behind it may not."""
    venv, links = tmp_path / "venv", tmp_path / "bin"
    for folder in (venv, links):
        folder.mkdir()
    for name in ("agtmux", "agtmuxd", "python"):
        (venv / name).touch(0o755)
    (links / "agtmux").symlink_to(venv / "agtmux")
    python = str(venv / "python")
    assert program("agtmux", str(links / "agtmux"), python) == str(links / "agtmux")
    assert program("agtmuxd", str(links / "agtmux"), python) == str(venv / "agtmuxd"), "no link to it"
    (links / "agtmuxd").symlink_to(venv / "agtmuxd")
    assert program("agtmuxd", str(links / "agtmux"), python) == str(links / "agtmuxd")
    assert program("agtmuxd", "/nowhere/agtmux", "/nowhere/python") is None


def test_the_hook_command_survives_blanks_and_other_ways_to_start(tmp_path: Path) -> None:
    there = tmp_path / "my tools" / "agtmux"
    there.parent.mkdir()
    there.touch(0o755)
    assert hook_command(str(there), "/nowhere/python") == f"'{there}' hook"
    assert hook_command("/lib/agtmux/__main__.py", str(there.parent / "python")) == f"'{there}' hook"
    assert hook_command("/lib/agtmux/__main__.py", "/nowhere/python") == "/nowhere/python -m agtmux hook"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/home/u/.cache/uv/archive-v0/x7Qz/bin/agtmux", "uvx"),
        ("/srv/uvcache/builds-v0/.tmpK1/bin/python", "uvx"),
        ("/home/u/.local/pipx/.cache/0123abcd/bin/agtmux", "pipx run"),
        ("/home/u/.local/share/pipx/.cache/0123abcd/bin/agtmux", "pipx run"),
        ("/home/u/.cache/pipx/0123abcd/bin/agtmux", "pipx run"),
        ("/Users/u/Library/Caches/pipx/0123abcd/bin/agtmux", "pipx run"),
        ("/temporary/venv/bin/agtmux", "the folder for temporary files, /temporary"),
        ("/home/u/.local/bin/agtmux", None),
        ("/home/u/.local/share/uv/tools/agtmux/bin/agtmux", None),
        ("/home/u/.local/share/pipx/venvs/agtmux/bin/agtmux", None),
        ("/home/u/.cache/work/agtmux", None),
        ("/temporarily/venv/bin/agtmux", None),
        ("/usr/bin/agtmux", None),
    ],
)
def test_a_program_that_is_not_kept_is_known_by_where_it_lies(path: str, said: str | None) -> None:
    found = temporary_place(path, "/temporary")
    assert (found is None) == (said is None)
    assert (said or "") in (found or "")


def test_a_program_is_kept_no_longer_than_what_its_link_leads_to(tmp_path: Path) -> None:
    venv, link = tmp_path / "t" / "venv" / "bin", tmp_path / "agtmux"
    venv.mkdir(parents=True)
    (venv / "agtmux").touch(0o755)
    (venv / "python").symlink_to("/usr/bin/env")
    link.symlink_to(venv / "agtmux")
    assert temporary_place(str(link), str(tmp_path / "t")) is not None
    assert temporary_place(str(venv / "python"), str(tmp_path / "t")) is not None, "a venv's python leads out of it"
    assert temporary_place(str(link), "/") is None


def test_settings_lie_where_the_agents_own_variables_say() -> None:
    homes = config_homes({"CLAUDE_CONFIG_DIR": "/a/b/", "GEMINI_CLI_HOME": "/g"})
    assert (homes["claude"], homes["gemini"]) == ("/a/b", "/g/.gemini")
    assert homes["codex"].endswith("/.codex")
