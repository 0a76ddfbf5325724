"""``agtmux new`` on a machine behind ssh: found, started and prompted there, whatever the login shell is."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.stage import Daemon, Place
from tests.conftest import Tmux
from tests.ssh.sshd import Keys, Sshd
from tests.ssh.test_target_manager import RemoteMachine

ACTOR = Path(__file__).parents[1] / "acceptance" / "actor.py"


@pytest.fixture
def place(short_dir: Path, tmux: Tmux, keys: Keys) -> Place:
    made = Place(short_dir)
    tmux.env = dict(made.env)
    made.configure(tmux, f'[ssh]\nconfig_file = "{keys.config}"\n')
    return made


@pytest.fixture
def daemon(place: Place) -> Iterator[Daemon]:
    made = Daemon(place)
    yield made
    made.close()
    print(made.said())


def install(home: Path, place: Place) -> Path:
    """Put ``claude`` where only the user's own shell looks for programs; the file that notes how it is called."""
    folder, calls, real = home / "own bin", home / "calls", place.root / "claude"
    folder.mkdir(parents=True)
    real.symlink_to(Path(sys.executable).resolve())
    program = folder / "claude"
    program.write_text(
        f'#!/bin/sh\nprintf \'%s\\0\' "$PWD" "$@" >>{calls}\nexec {real} {ACTOR} {place.root}/far$$.sock\n'
    )
    program.chmod(0o755)
    (home / ".profile").write_text(f'PATH="{folder}:$PATH"; export PATH\necho "welcome back"\n')
    (home / ".bashrc").write_text(f'PATH="{folder}:$PATH"; export PATH\necho "welcome back"\n')
    return calls


@pytest.mark.tc("TC-868")
@pytest.mark.parametrize("shell", ["/bin/bash", "/bin/sh"])
def test_an_agent_is_started_and_prompted_behind_ssh(
    place: Place, daemon: Daemon, new_sshd: Callable[..., Sshd], new_tmux: Callable[[], Tmux], shell: str
) -> None:
    """No tmux server runs there before. Odd words arrive as they are. Its program is found as the user's shell does."""
    daemon.start()
    far = RemoteMachine(new_sshd(shell=shell, env={"SHELL": shell}), new_tmux(), place)
    calls = install(far.sshd.home, place)
    (far.sshd.home / "a b'").mkdir()
    far.add()
    odd = ["it's", "$(touch owned)", "#{pid}", ";", "back\\slash", "naïve"]
    done = place.cli(
        "new", "--target", far.name, "--session", "x y", "--cwd", "~/a b'", "--prompt", "run the tests", "--timeout",
        "30s", "--json", "--", *odd,
    )  # fmt: skip
    assert done.returncode == 0, done
    answer = json.loads(done.stdout)
    assert calls.read_text().split("\0")[:-1] == [str(far.sshd.home / "a b'"), *odd]
    assert answer["item"]["identity"]["target"] == far.name
    assert answer["action"]["result"]["delivery"] == "submitted"
    (sent,) = place.root.glob("far*.sent")
    assert [json.loads(line) for line in sent.read_text().splitlines()] == ["run the tests"]
    assert far.tmux.run("list-panes", "-a", "-F", "#{session_name} #{window_name}") == "x y claude"
    assert list(place.root.rglob("owned")) == []


@pytest.mark.tc("TC-868")
def test_what_is_missing_behind_ssh_is_refused_and_starts_no_server(
    place: Place, daemon: Daemon, new_sshd: Callable[..., Sshd], new_tmux: Callable[[], Tmux]
) -> None:
    daemon.start()
    far = RemoteMachine(new_sshd(), new_tmux(), place)
    far.add()
    done = place.cli("new", "--target", far.name, "--agent", "codex")
    assert (done.returncode, f"codex is not on the PATH of {far.name}" in done.stderr) == (5, True), done
    install(far.sshd.home, place)
    done = place.cli("new", "--target", far.name, "--cwd", "/no/such")
    assert done.returncode == 5, done
    far.sshd.kill()
    done = place.cli("new", "--target", far.name)
    assert (done.returncode, "E_TARGET_UNREACHABLE" in done.stderr) == (6, True), done
    assert not far.tmux.socket.exists()
