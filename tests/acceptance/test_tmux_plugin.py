"""``agtmux tmux load`` and ``unload``, and ``agtmux.tmux``: what changes in a real tmux, and that all goes back."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.stage import PROGRAMS, Place
from tests.attached import Attached
from tests.conftest import Tmux, until

pytestmark = pytest.mark.tc("TC-368")
PLUGIN = Path(__file__).parents[2] / "agtmux.tmux"


@pytest.fixture
def server(place: Place, tmux: Tmux) -> Tmux:
    tmux.env = {**place.env, "AGTMUX_NO_AUTOSTART": "1"}
    tmux.start()
    return tmux


def state(tmux: Tmux) -> list[str]:
    """All that a plugin may change: keys and options."""
    return [
        tmux.run(*words)
        for words in (("list-keys",), ("show-options", "-g"), ("show-options", "-s"), ("show-hooks", "-g"))
    ]


def keys(tmux: Tmux) -> dict[str, str]:
    rows = (
        re.fullmatch(r"bind-key\s+(?:-r\s+)?-T prefix\s+(\S+)\s+(.*)", row)
        for row in tmux.run("list-keys", "-T", "prefix").splitlines()
    )
    return {row[1]: row[2] for row in rows if row}


def cli(tmux: Tmux, *words: str, program: str = str(PROGRAMS / "agtmux")) -> subprocess.CompletedProcess[str]:
    """Run agtmux as in a pane of that server."""
    env = {**tmux.env, "TMUX": f"{tmux.socket},{tmux.run('display-message', '-p', '#{pid}')},0"}
    return subprocess.run([program, *words], env=env, capture_output=True, text=True, timeout=60, check=False)


def load(tmux: Tmux, **more: str) -> None:
    done = cli(tmux, "tmux", "load", **more)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_load_binds_two_free_keys_and_unload_leaves_no_trace(server: Tmux) -> None:
    before = state(server)
    load(server)
    bound = keys(server)
    assert "top --popup" in bound["A"] and bound["A"].startswith("display-popup ")
    assert "jump --next --client #{q:client_name}" in bound["N"]
    assert server.run("show-options", "-gv", "@agtmux") == "on"
    once = state(server)
    load(server)
    assert state(server) == once, "a second load changes nothing"
    assert cli(server, "tmux", "unload").returncode == 0
    assert state(server) == before
    assert cli(server, "tmux", "unload").returncode == 0
    assert state(server) == before


def test_a_bound_key_is_left_alone_and_that_is_told(server: Tmux, new_tmux: Callable[[], Tmux]) -> None:
    terminal = Attached(server, new_tmux(), cols=120)
    server.run("bind-key", "-T", "prefix", "A", "display-message", "mine")
    server.run("bind-key", "-T", "prefix", "C-x", "display-message", "mine too")
    server.run("set-option", "-g", "@agtmux-next-key", "^x")  # another spelling of the same key
    before = state(server)
    load(server)
    terminal.shows(lambda screen: "is already bound (display-message" in screen)
    assert keys(server)["A"] == "display-message mine"
    assert keys(server)["C-x"] == 'display-message "mine too"'
    cli(server, "tmux", "unload")
    assert state(server) == before


def test_options_choose_keys_and_sizes_and_none_binds_nothing(server: Tmux) -> None:
    for name, value in {
        "@agtmux-key": "none", "@agtmux-next-key": "M-b", "@agtmux-menu-key": "\\;", "@agtmux-back-key": "B",
        "@agtmux-popup-width": "100",
    }.items():  # fmt: skip
        server.run("set-option", "-g", name, value)
    server.run("unbind-key", "-T", "prefix", "\\;")
    before, free = state(server), keys(server)
    load(server)
    new = {key: command for key, command in keys(server).items() if key not in free}
    assert set(new) == {"M-b", "\\;", "B"}
    assert " menu --client" in new["\\;"] and " jump --back" in new["B"]
    cli(server, "tmux", "unload")
    assert state(server) == before


def test_a_key_that_the_user_bound_anew_after_load_stays(server: Tmux) -> None:
    load(server)
    server.run("bind-key", "-T", "prefix", "A", "display-message", "mine")
    cli(server, "tmux", "unload")
    assert keys(server)["A"] == "display-message mine"
    assert "N" not in keys(server)


@pytest.mark.parametrize("own", ["on", "off"])
def test_what_the_user_set_before_stays_after_unload(server: Tmux, own: str) -> None:
    server.run("set-option", "-g", "@agtmux", own)
    load(server)
    assert server.run("show-options", "-gv", "@agtmux") == own
    cli(server, "tmux", "unload")
    assert server.run("show-options", "-gv", "@agtmux") == own


@pytest.mark.parametrize(
    "option", [("@agtmux-key", "Foo"), ("@agtmux-popup-width", "wide"), ("@agtmux-popup-width", "90%; kill-server")]
)
def test_a_wrong_option_is_told_with_its_name(
    server: Tmux, option: tuple[str, str], new_tmux: Callable[[], Tmux]
) -> None:
    terminal = Attached(server, new_tmux(), cols=120)
    server.run("set-option", "-g", *option)
    cli(server, "tmux", "load")
    terminal.shows(lambda screen: option[0] in screen)
    assert "A" not in keys(server)


def test_a_program_with_blanks_and_quotes_in_its_path_is_bound_and_runs(
    server: Tmux, short_dir: Path, new_tmux: Callable[[], Tmux]
) -> None:
    folder = short_dir / 'it\'s a "#{pid}" $HOME; #(x)'
    folder.mkdir()
    program = folder / "agtmux"
    program.write_text(
        f'#!/bin/sh\ncase $1 in tmux) exec "{PROGRAMS}/python" -c "'
        "import sys; sys.argv[0] = sys.argv.pop(1); from agtmux.__main__ import main; sys.exit(main())"
        '" "$0" "$@";; esac\n'
        'echo "$TMUX_PANE|$*" >> "${0%/*}/ran"; sleep 600\n'
    )
    program.chmod(0o755)
    load(server, program=str(program))
    terminal = Attached(server, new_tmux())
    ran = folder / "ran"
    terminal.press("C-b", "A")
    until(lambda: ran.exists() and ran.read_text() == "|top --popup\n", what="the popup runs it")
    terminal.shows(lambda screen: "┌" in screen)
    server.run("display-popup", "-C", "-c", terminal.client)
    terminal.shows(lambda screen: "┌" not in screen)
    terminal.press("C-b", "N")
    until(lambda: ran.read_text().endswith(f"|jump --next --client {terminal.client}\n"), what="the key runs it")


def test_the_key_passes_the_client_that_pressed_it(server: Tmux, new_tmux: Callable[[], Tmux], short_dir: Path) -> None:
    program = short_dir / "agtmux"
    program.write_text(f'#!/bin/sh\necho "$*" >> {short_dir}/ran\n')
    program.chmod(0o755)
    load(server)
    server.run("bind-key", "-T", "prefix", "N", "run-shell", "-b", f"{program} --client #{{q:client_name}}")
    terminals = [Attached(server, new_tmux()) for _ in range(3)]
    for terminal in (terminals[1], terminals[0], terminals[2]):
        terminal.press("C-b", "N")
        until(
            lambda terminal=terminal: (
                (short_dir / "ran").exists()  # type: ignore[misc]
                and (short_dir / "ran").read_text().endswith(f"--client {terminal.client}\n")
            )
        )


# ---------------------------------------------------------------- agtmux.tmux


def plugin(tmux: Tmux, path: str, home: Path) -> None:
    """Run the plugin's file as TPM does: without a terminal, and with its output thrown away."""
    env = {**tmux.env, "PATH": path, "HOME": str(home)}
    env["TMUX"] = f"{tmux.socket},{tmux.run('display-message', '-p', '#{pid}')},0"
    subprocess.run([str(PLUGIN)], env=env, capture_output=True, timeout=60, check=True)


@pytest.fixture
def bare(short_dir: Path) -> str:
    """A PATH without agtmux."""
    folder = short_dir / "path"
    folder.mkdir()
    for name in ("sh", "tmux", "env"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return str(folder)


@pytest.mark.parametrize("where", ["PATH", "pipx or uv", "@agtmux-command"])
def test_the_plugin_file_finds_the_program(server: Tmux, short_dir: Path, bare: str, where: str) -> None:
    home = short_dir / "home of mine"
    folder = {"PATH": short_dir / "bin", "pipx or uv": home / ".local/bin", "@agtmux-command": short_dir / "o'dd $x"}[
        where
    ]
    folder.mkdir(parents=True)
    (folder / "agtmux").symlink_to(PROGRAMS / "agtmux")
    if where == "@agtmux-command":
        server.run("set-option", "-g", where, str(folder / "agtmux"))
    plugin(server, f"{folder}:{bare}" if where == "PATH" else bare, home)
    assert "top --popup" in keys(server)["A"]


def test_the_plugin_file_says_how_to_install_what_is_missing(
    server: Tmux, bare: str, short_dir: Path, new_tmux: Callable[[], Tmux]
) -> None:
    if any(os.access(path, os.X_OK) for path in ("/opt/homebrew/bin/agtmux", "/usr/local/bin/agtmux")):
        pytest.skip("agtmux is installed here for everybody")
    terminal = Attached(server, new_tmux())
    before = state(server)
    plugin(server, bare, short_dir)
    terminal.shows(lambda screen: "agtmux is not installed: run pipx install agtmux" in screen)
    assert state(server) == before


def test_the_printed_lines_do_what_load_does(server: Tmux, short_dir: Path) -> None:
    printed = cli(server, "tmux", "print").stdout
    load(server)
    loaded = keys(server)
    cli(server, "tmux", "unload")
    file = short_dir / "lines.conf"
    file.write_text(printed)
    server.run("source-file", str(file))
    assert keys(server) == loaded
    assert server.run("show-options", "-gv", "@agtmux") == "on"
    assert server.run("show-options", "-gv", "status-right").endswith(" #{T:@agtmux_segment}")


def test_outside_tmux_print_works_and_load_says_where_to_run_it(place: Place) -> None:
    assert "bind-key -T prefix" in place.cli("tmux", "print").stdout
    done = place.cli("tmux", "load")
    assert (done.returncode, done.stderr) == (
        2, "agtmux: this command works inside tmux only: run it in a tmux pane (E_INVALID_REQUEST)\n",
    )  # fmt: skip
