"""``agtmux install-skill``: one text in each agent's own place, never over what others wrote, gone without a trace."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from agtmux.cli.install_skill import IN_PROJECT, project_root
from agtmux.cli.root import run
from agtmux.installation import HOMES
from tests.test_docs import parses

SKILL = Path(__file__).parents[3] / "src" / "agtmux" / "skill.md"
OWN = {
    "claude": ".claude/skills/agtmux/SKILL.md", "codex": ".codex/skills/agtmux/SKILL.md",
    "gemini": ".gemini/skills/agtmux/SKILL.md", "copilot": ".copilot/skills/agtmux/SKILL.md",
    "opencode": ".config/opencode/skills/agtmux/SKILL.md",
}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with nothing in it, where no agent keeps its settings elsewhere."""
    for variables, _ in HOMES.values():
        for name, _under in variables:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def everything(folder: Path) -> dict[str, str | None]:
    """All files and folders below, each file with its text."""
    return {str(path.relative_to(folder)): path.read_text() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.tc("TC-860")
@pytest.mark.parametrize("agent", list(IN_PROJECT))
def test_the_skill_is_written_checked_and_removed_without_a_trace(home: Path, agent: str) -> None:
    (home / "kept.txt").write_text("mine")
    before = everything(home)
    assert run(["install-skill", agent, "--dry-run"]) == 0
    assert everything(home) == before, "a dry run changes nothing"
    assert run(["install-skill", agent, "--check"]) == 1
    assert run(["install-skill", agent]) == 0
    text = (home / OWN[agent]).read_text()
    assert text.startswith("---\nname: agtmux\ndescription: "), "agents want these fields first"
    lines = text.splitlines(keepends=True)
    assert "".join(line for line in lines if not line.startswith("<!-- Written by agtmux")) == SKILL.read_text()
    assert run(["install-skill", agent, "--check"]) == 0
    assert run(["install-skill", agent]) == 0
    assert (home / OWN[agent]).read_text() == text, "a second time changes nothing"
    assert run(["install-skill", agent, "--uninstall"]) == 0
    assert everything(home) == before
    assert run(["install-skill", agent, "--uninstall"]) == 0, "there is nothing left to remove"


@pytest.mark.tc("TC-860")
def test_folders_that_were_there_or_that_hold_something_else_stay(home: Path) -> None:
    (home / ".claude" / "skills").mkdir(parents=True)
    before = everything(home)
    assert run(["install-skill", "claude"]) == 0
    assert run(["install-skill", "claude", "--uninstall"]) == 0
    assert everything(home) == before
    assert run(["install-skill", "claude"]) == 0
    (home / ".claude" / "skills" / "agtmux" / "notes.md").write_text("mine")
    assert run(["install-skill", "claude", "--uninstall"]) == 0
    assert (home / ".claude" / "skills" / "agtmux" / "notes.md").read_text() == "mine"


@pytest.mark.tc("TC-861")
@pytest.mark.parametrize("how", ["changed", "foreign", "link"])
def test_a_file_that_is_not_as_agtmux_wrote_it_is_left_alone(
    home: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home / OWN["claude"]
    if how == "changed":
        assert run(["install-skill", "claude"]) == 0
        path.write_text(path.read_text() + "\nmine\n")
    elif how == "foreign":
        path.parent.mkdir(parents=True)
        path.write_text("---\nname: agtmux\n---\nmine\n")
    else:
        path.parent.mkdir(parents=True)
        (home / "mine.md").write_text("mine\n")
        path.symlink_to(home / "mine.md")
    before = everything(home)
    for argv in (["install-skill", "claude"], ["install-skill", "claude", "--uninstall"]):
        assert run(argv) == 1
        assert "move it away" in capsys.readouterr().out
    assert run(["install-skill", "claude", "--check"]) == 1
    assert everything(home) == before


@pytest.mark.tc("TC-861")
def test_a_skill_of_an_older_agtmux_is_found_and_updated(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folders are still removed at the end."""
    (home / "old.md").write_text("---\nname: agtmux\ndescription: old\n---\nold\n")
    before = everything(home)
    with monkeypatch.context() as older:
        older.setattr("agtmux.cli.install_skill.SOURCE", str(home / "old.md"))
        assert run(["install-skill", "codex"]) == 0
    assert run(["install-skill", "codex", "--check"]) == 1
    assert run(["install-skill", "codex"]) == 0
    assert run(["install-skill", "codex", "--check"]) == 0
    assert "agtmux agents" in (home / OWN["codex"]).read_text()
    assert run(["install-skill", "codex", "--uninstall"]) == 0
    assert everything(home) == before


@pytest.mark.tc("TC-861")
def test_without_a_name_it_is_for_the_agents_that_are_set_up_here(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["install-skill"]) == 5
    (home / ".gemini").mkdir()
    assert run(["install-skill"]) == 0
    assert {path for path, text in everything(home).items() if text is not None} == {OWN["gemini"]}
    assert "gemini" in capsys.readouterr().out


@pytest.mark.tc("TC-861")
def test_an_agent_whose_settings_are_elsewhere_gets_it_there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_HOME", str(home / "x"))
    assert run(["install-skill", "codex"]) == 0
    assert (home / "x/skills/agtmux/SKILL.md").exists()


@pytest.mark.tc("TC-861")
def test_a_project_gets_it_at_the_top_of_its_repository(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "src" / ".git").mkdir(parents=True)
    (home / "src" / "deep").mkdir()
    monkeypatch.chdir(home / "src" / "deep")
    assert run(["install-skill", "--project"]) == 0
    written = {path for path, text in everything(home).items() if text is not None}
    assert written == {f"src/{folder}/agtmux/SKILL.md" for folder in IN_PROJECT.values()}
    assert project_root(str(home)) == str(home), "without a repository it is the folder itself"


@pytest.mark.tc("TC-862")
def test_every_command_of_the_skill_is_taken_and_none_types_into_a_pane() -> None:
    """The text is short: each agent reads it again in each conversation."""
    text = SKILL.read_text("utf-8")
    lines = re.findall(r"`(agtmux [^`]*)`", text)
    assert len(lines) >= 15
    for line in lines:
        try:
            parses(line)
        except (click.UsageError, click.exceptions.Exit) as error:
            pytest.fail(f"the skill shows {line!r}: {error}")
    assert [line for line in lines if line.split()[1] in ("send", "answer", "approve", "deny", "interrupt")] == []
    assert len(text.split()) < 450
    assert SKILL.stat().st_size < 4000
