"""``agtmux hooks status`` proves the whole way: the command in the settings is run, and its event seen to arrive."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.acceptance.stage import PATIENCE, PROGRAMS, Agent, Daemon, Place

PATIENT = {"AGTMUX_HOOK_CAP_MS": "10000"}
AGENTS = ("claude", "codex", "gemini", "copilot", "opencode", "pi", "qwen", "cursor")
EACH = [word for agent in AGENTS for word in ("--agent", agent)]


def status(place: Place, *arguments: str) -> tuple[int, str]:
    done = place.cli("hooks", "status", *arguments, env=PATIENT)
    return done.returncode, done.stdout


@pytest.mark.tc("TC-102")
def test_a_test_event_goes_through_every_installed_command(place: Place, daemon: Daemon) -> None:
    daemon.start()
    assert "test event" not in status(place)[1]
    assert place.cli("hooks", "install", *EACH).returncode == 0
    code, result = status(place)
    assert code == 0, result
    assert result.count("test event: arrived") == len(AGENTS) + 1, "Codex has hooks and notify"
    assert "test event" not in status(place, "--no-test")[1]
    events = place.json("events")["items"]
    assert not [e for e in events if "agtmux_test" in json.dumps(e)], "a test is no agent's word"
    assert place.cli("hooks", "uninstall").returncode == 0
    assert [p for p in place.home.rglob("*") if p.is_file()] == []


@pytest.mark.tc("TC-205")
def test_where_nothing_is_installed_one_line_says_so_and_what_to_type(place: Place, daemon: Daemon) -> None:
    daemon.start()
    code, result = status(place)
    assert (code, result.count("\n")) == (0, 1)
    assert result.startswith("no hooks are installed: ")
    assert result.endswith("Run: agtmux hooks install\n")
    assert status(place, "--agent", "claude")[1].endswith("Run: agtmux hooks install --agent claude\n")
    assert len(place.json("hooks", "status")["items"]) > 1, "JSON says all"
    assert place.cli("hooks", "install", "--agent", "claude").returncode == 0
    assert f"claude: {place.home}/.claude/settings.json: installed\n" in status(place)[1]


@pytest.mark.tc("TC-205")
def test_hooks_that_the_agent_does_not_run_are_told_with_the_file_and_the_key(place: Place, daemon: Daemon) -> None:
    daemon.start()
    named = ("--agent", "claude", "--agent", "codex", "--agent", "gemini", "--agent", "copilot")
    assert place.cli("hooks", "install", *named).returncode == 0
    code, result = status(place, *named)
    assert code == 0, result
    assert "switched off" not in result
    assert result.endswith("in the same way as the agents do.\n"), "a test proves our own half only"
    for name, more in (
        (".claude/settings.json", {"disableAllHooks": True}),
        (".gemini/settings.json", {"hooksConfig": {"enabled": False}}),
        (".copilot/hooks/agtmux.json", {"disableAllHooks": True}),
    ):
        path = place.home / name
        before = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**before, **more}))
    config = place.home / ".codex/config.toml"
    config.write_text(config.read_text() + "\n[features]\nhooks = false\n")
    code, result = status(place, *named)
    assert code == 1
    for key, name in (
        ("disableAllHooks = true", ".claude/settings.json"),
        ("features.hooks = false", ".codex/config.toml"),
        ("hooksConfig.enabled = false", ".gemini/settings.json"),
        ("disableAllHooks = true", ".copilot/hooks/agtmux.json"),
    ):
        assert f"  switched off by {key} in {place.home / name}" in result
    assert result.count(", but switched off: the agent does not run them") == 4
    output = place.cli("hooks", "status", "--json", *named, env=PATIENT)
    assert sum(bool(item["switched_off"]) for item in json.loads(output.stdout)["items"]) == 4


@pytest.mark.tc("TC-102")
def test_nothing_is_written_for_an_agent_that_is_not_there_unless_it_is_named(place: Place, daemon: Daemon) -> None:
    daemon.start()
    (place.home / ".codex").mkdir()
    done = place.cli("hooks", "install")
    assert done.returncode == 0, done.stderr
    assert {p.parent for p in place.home.rglob("*") if p.is_file()} == {place.home / ".codex"}
    assert (
        f"{place.home}/.claude does not exist, so nothing was installed; use --agent claude to install anyway"
        in done.stdout
    )
    assert place.cli("hooks", "install", "--agent", "claude").returncode == 0
    assert (place.home / ".claude/settings.json").exists()


@pytest.mark.tc("TC-102")
def test_hooks_that_call_a_program_which_will_vanish_are_installed_with_a_warning(place: Place, daemon: Daemon) -> None:
    daemon.start()
    program = place.root / "t" / "venv" / "bin" / "agtmux"
    program.parent.mkdir(parents=True)
    shutil.copy(PROGRAMS / "agtmux", program)
    env = {**place.env, "AGTMUX_NO_AUTOSTART": "1", "TMPDIR": str(place.root / "t")}
    install = [str(program), "hooks", "install", "--agent", "claude"]
    done = subprocess.run(install, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    assert f"the hooks call {program}, in the folder for temporary files" in done.stderr
    assert done.stderr.count("\n") == 1
    assert f"{program} hook claude" in (place.home / ".claude/settings.json").read_text()
    assert place.cli("hooks", "install", "--agent", "claude").stderr == "", "that one stays"


@pytest.mark.tc("TC-102")
def test_a_command_that_does_not_reach_the_daemon_is_told(place: Place, daemon: Daemon) -> None:
    daemon.start()
    place.cli("hooks", "install", "--agent", "claude")
    file = place.home / ".claude/settings.json"
    text = file.read_text()
    command = json.loads(text)["hooks"]["Stop"][0]["hooks"][0]["command"]
    file.write_text(text.replace(command, f"/nowhere{command}"))
    code, result = status(place, "--agent", "claude")
    assert (code, "did not arrive" in result) == (1, True)
    assert f"echo '{{}}' | /nowhere{command.partition(' 2>')[0]}; then" in result, "by hand it says what is wrong"


@pytest.mark.tc("TC-102")
def test_a_pane_whose_agent_began_before_the_install_is_named(
    place: Place, daemon: Daemon, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    one = agent().start()
    item = daemon.wait_agent(one.pane)
    place.cli("hooks", "install", "--agent", "claude")
    file = place.home / ".claude/settings.json"
    os.utime(file, (time.time() + 60, time.time() + 60))
    assert item["ref"] in status(place, "--agent", "claude", "--no-test")[1]
    os.utime(file, (time.time() - 60, time.time() - 60))
    assert item["ref"] not in status(place, "--agent", "claude", "--no-test")[1]


@pytest.mark.tc("TC-102")
def test_settings_that_the_agent_writes_itself_make_nobody_deaf(
    place: Place, daemon: Daemon, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    place.cli("hooks", "install", "--agent", "codex")
    for file in (place.home / ".codex").iterdir():
        os.utime(file, (time.time() - 60, time.time() - 60))
    daemon.wait_agent(agent(name="codex").start().pane)
    config = place.home / ".codex/config.toml"
    os.utime(config, (time.time() + 60, time.time() + 60))
    assert "start it again" not in status(place, "--agent", "codex", "--no-test")[1]


def trust(hooks: Path, events: list[str]) -> str:
    """What Codex writes into its settings once somebody trusted these hooks."""
    return "\n".join(f'[hooks.state."{hooks}:{event}:0:0"]\ntrusted_hash = "sha256:00"' for event in events) + "\n"


@pytest.mark.tc("TC-102")
def test_codexs_trust_in_our_hooks_is_told(place: Place, daemon: Daemon) -> None:
    daemon.start()
    place.cli("hooks", "install", "--agent", "codex")
    assert "Not trusted yet, so Codex runs none of them. " in status(place, "--agent", "codex", "--no-test")[1]
    config = place.home / ".codex/config.toml"
    bare = config.read_text()
    every = [
        "session_start", "user_prompt_submit", "pre_tool_use", "permission_request", "post_tool_use", "stop",
        "interrupt", "pre_compact", "post_compact",
    ]  # fmt: skip
    config.write_text(bare + trust(place.home / ".codex/hooks.json", every[1:]))
    result = status(place, "--agent", "codex", "--no-test")[1]
    assert "Not trusted yet, so Codex does not run SessionStart. " in result
    config.write_text(bare + trust(place.home / ".codex/hooks.json", every))
    assert "Codex trusts these hooks." in status(place, "--agent", "codex", "--no-test")[1]
    hooks = place.home / ".codex/hooks.json"
    hooks.unlink()
    again = place.cli("hooks", "install", "--agent", "codex").stdout
    assert "Codex trusts these hooks." in again
    assert "only after you trusted them" not in again


def both_ways(place: Place, file: Path) -> None:
    """Install and uninstall, which has to leave every byte of ``file`` as it was."""
    before, info = file.read_bytes(), file.stat()
    done = place.cli("hooks", "install", "--agent", "claude")
    assert done.returncode == 0, done.stderr
    assert b" hook claude" in file.read_bytes()
    assert (file.stat().st_mode, file.stat().st_uid, file.stat().st_gid) == (info.st_mode, info.st_uid, info.st_gid)
    assert place.cli("hooks", "uninstall", "--agent", "claude").returncode == 0
    assert file.read_bytes() == before
    assert (file.stat().st_mode, file.stat().st_uid, file.stat().st_gid) == (info.st_mode, info.st_uid, info.st_gid)


@pytest.mark.tc("TC-102")
def test_line_ends_mode_owner_and_links_of_settings_stay(place: Place, daemon: Daemon) -> None:
    daemon.start()
    file, dotfiles = place.home / ".claude/settings.json", place.home / "dotfiles"
    file.parent.mkdir()
    dotfiles.mkdir()
    (dotfiles / "claude.json").write_bytes(b'{\r\n\t"model": "opus"\r\n}\r\n')
    (dotfiles / "claude.json").chmod(0o640)
    if os.geteuid() == 0:
        os.chown(dotfiles / "claude.json", 12345, 23456)
    file.symlink_to("../dotfiles/claude.json")
    both_ways(place, file)
    assert file.is_symlink()
    assert [one.name for one in dotfiles.iterdir()] == ["claude.json"], "nothing is left of what left nothing behind"


@pytest.mark.tc("TC-102")
def test_installs_at_the_same_time_leave_what_one_leaves(place: Place, daemon: Daemon) -> None:
    daemon.start()
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: place.cli("hooks", "install", *EACH), range(4)))
    assert [(one.returncode, one.stderr) for one in done] == [(0, "")] * 4
    events = json.loads((place.home / ".claude/settings.json").read_text())["hooks"]
    assert {len(groups) for groups in events.values()} == {1}
    assert place.cli("hooks", "uninstall").returncode == 0
    assert [p for p in place.home.rglob("*") if p.is_file()] == []


@pytest.mark.tc("TC-102")
def test_backups_that_an_uninstall_leaves_are_named(place: Place, daemon: Daemon) -> None:
    daemon.start()
    file = place.home / ".claude/settings.json"
    file.parent.mkdir()
    file.write_text('{"model": "opus"}')
    place.cli("hooks", "install", "--agent", "claude")
    file.write_text(file.read_text().replace("opus", "sonnet"))
    output = place.cli("hooks", "uninstall", "--agent", "claude").stdout
    assert json.loads(file.read_text()) == {"model": "sonnet"}
    kept = sorted(file.parent.glob("*backup*"))
    assert [json.loads(one.read_text())["model"] for one in kept] == ["opus", "sonnet"]
    assert f"  backups were kept; when everything works, remove them: rm {kept[0]} {kept[1]}\n" in output


@pytest.mark.tc("TC-102")
def test_what_to_do_after_an_install_is_said_once(place: Place, daemon: Daemon) -> None:
    daemon.start()
    assert "keep the hooks they started with" in place.cli("hooks", "install", "--agent", "claude").stdout
    assert place.cli("hooks", "install", "--agent", "claude").stdout.endswith("settings.json: nothing to change\n")
    place.cli("hooks", "install", "--agent", "codex")
    assert "trust" not in place.cli("hooks", "uninstall", "--agent", "codex").stdout


def locked(file: Path) -> None:
    file.write_text("{}")
    file.chmod(0o444)


@pytest.mark.tc("TC-102")
def test_settings_that_may_not_be_changed_are_left_alone_and_it_is_said_why(place: Place, daemon: Daemon) -> None:
    daemon.start()
    file = place.home / ".claude/settings.json"
    file.parent.mkdir()
    makes: list[tuple[str, Callable[[Path], object]]] = [
        ("chmod u+w", locked),
        ("Save it as UTF-8", lambda f: f.write_bytes(b"\xff\xfe{")),
        ("Move it away", os.mkfifo),
        ("is longer than 4 MiB", lambda f: f.write_text(f'{{"a": "{"x" * (5 << 20)}"}}')),
        ("cannot be read", lambda f: f.symlink_to(f)),
        ("its top level is not an object", lambda f: f.write_text("null")),
        ("it is empty", lambda f: f.write_text("")),
    ]
    for word, make in makes:
        make(file)
        was = file.read_bytes() if file.is_file() else None
        done = place.cli("hooks", "install", "--agent", "claude")
        assert (done.returncode, word in done.stderr) == (1, True), done.stderr
        assert done.stderr.count(str(file)) == 1, "a file is named once"
        assert was == (file.read_bytes() if file.is_file() else None)
        file.unlink()
    assert list(file.parent.iterdir()) == []
