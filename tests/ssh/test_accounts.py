"""Real login accounts: their own shell, rc files that talk and meddle, a home folder with a space in its path."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from agtmuxd.adapters.discovery import discover
from agtmuxd.remote_hooks import install_program
from agtmuxd.targets.executor import ExecutorError
from agtmuxd.targets.observer import Observer
from agtmuxd.targets.ssh.executor import SshExecutor
from agtmuxd.tmux.server import tmux_argv
from tests.acceptance.stage import PATIENCE, Daemon, Place
from tests.conftest import until
from tests.ssh.accounts import Account
from tests.ssh.remote_hooks.test_link import daemon, events, place  # noqa: F401 fixtures
from tests.ssh.sshd import Sshd
from tests.ssh.test_rounds import Clock, Sink

Make = Callable[..., Sshd]
Reach = Callable[..., SshExecutor]

_POSIX = """
echo 'Welcome! it is late'; echo trouble >&2; printf 'agt'
stty erase '^H'
alias tmux='echo no' sh='echo no' printf='echo no'
export TMUX=/tmp/other,1,0 TMUX_PANE=%9 LC_ALL=C TMOUT=1 ENV=/nowhere CDPATH=/ PS1='$(echo no)'
[ -t 0 ] && exec tmux
tmux() { echo no; }
"""
RC = {
    "/bin/bash": (".bashrc", _POSIX + "shopt -s expand_aliases; set -o noclobber; set -eu; export -f tmux\n"),
    "/bin/dash": (".profile", _POSIX),
    "/bin/zsh": (".zshenv", _POSIX + "setopt nomatch errexit nounset; alias -g sh=no\n"),
    "/usr/bin/fish": (
        ".config/fish/config.fish",
        "echo 'Welcome! it is late'; echo trouble >&2; printf agt; stty erase '^H'\n"
        "alias tmux 'echo no'; set -gx TMUX /tmp/other,1,0; set -gx LC_ALL C\n"
        "test -t 0; and exec tmux\n",
    ),
    "/bin/tcsh": (
        ".tcshrc",
        "echo 'Welcome\\! it is late'; printf agt; stty erase '^H'\nalias tmux 'echo no'\n"
        "setenv TMUX /tmp/other,1,0\nif ($?prompt) exec tmux\n",
    ),
}


def login(server: Sshd, command: str) -> subprocess.CompletedProcess[str]:
    """What a person gets who types ``ssh vm1 COMMAND``."""
    argv = ["ssh", "-F", str(server.keys.config), server.alias, command]
    return subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL)


def starts_agent(server: Sshd, account: Account) -> str:
    """A tmux server of that person on its usual socket, with a program that is called as an agent is; its pane.

    The program runs what stands in the file ``call`` of the home folder, as an agent runs its hooks.
    """
    agent = account.home / "claude"
    shutil.copy("/bin/dash", agent)
    agent.chmod(0o755)
    body = "while :; do if [ -f ./call ]; then sh ./call; rm ./call; fi; /bin/sleep 0.05; done"
    line = f"/usr/bin/env -u TMUX tmux -f /dev/null new-session -d -s main -P -F '#{{pane_id}}' ./claude -c '{body}'"
    output = login(server, line).stdout
    assert "%" in output, output
    return "%" + output.rpartition("%")[2].strip()


@pytest.mark.tc("TC-040")
@pytest.mark.tc("TC-106")
@pytest.mark.parametrize("shell", RC)
async def test_a_target_is_watched_through_the_login_shell_of_an_account(
    new_account: Callable[..., Account], new_sshd: Make, reach: Reach, shell: str
) -> None:
    account = new_account(shell)
    server = await asyncio.to_thread(new_sshd, "vm1", account=account, max_sessions=4)
    pane = await asyncio.to_thread(starts_agent, server, account)
    account.write(*RC[shell])
    if shell != "/bin/dash":  # which reads nothing that a login without a terminal could stumble over
        result = await asyncio.to_thread(login, server, "true")
        assert "Welcome!" in result.stdout, "else this test shows nothing"
    executor = reach("vm1")
    awkward = ["", " ", "'", "!", "$HOME", "`id`", "~", "a\nb", "é", "{a,b}", "=ls", "[x]", "\\n"]
    for data in (b"in\0", b"y" * 40_000):
        argv = ["sh", "-c", 'printf "%s|" "$@"; cat; echo err >&2; exit 7', "sh", *awkward]
        done = await executor.run(argv, stdin=data, timeout=PATIENCE)
        assert done.stdout == "|".join([*awkward, ""]).encode() + data
        assert (done.stderr, done.returncode) == (b"err\n", 7)
    assert (await executor.machine()).home == str(account.home)
    who = await executor.run(["sh", "-c", 'id -u; pwd; echo "${TMUX-none}"'], timeout=PATIENCE)
    assert who.stdout.decode().split("\n") == [str(account.uid), str(account.home), "none", ""]

    sink, clock = Sink(), Clock()
    argv = tmux_argv("tmux", None)
    observer = Observer("t", executor, lambda: argv, discover([]), sink, clock, local=False)
    await observer.once()
    assert {where: a.agent_type for where, a in sink.seen[-1].agents.items()} == {pane: "claude"}
    assert sink.seen[-1].panes[0].cwd == str(account.home)
    assert observer.health.level == "ok"


@pytest.mark.tc("TC-040")
@pytest.mark.parametrize(
    ("shell", "text", "expected"),
    [
        ("/bin/bash", "exec tmux new-session -A\n", "terminal"),
        ("/bin/zsh", "exec tmux new-session -A\n", "terminal"),
        ("/bin/bash", "set -e\nfalse\n", "does not run commands"),
        ("/bin/bash", "echo closed for the night; exit 3\n", "closed for the night"),
        ("/usr/sbin/nologin", None, "not available"),
    ],
)
async def test_a_login_that_comes_to_nothing_is_told_with_what_it_said(
    new_account: Callable[..., Account], new_sshd: Make, reach: Reach, shell: str, text: str | None, expected: str
) -> None:
    """``ssh vm1 true`` does not work either; it is neither lost nor late, and tried again it is the same."""
    account = new_account(shell)
    if text is not None:
        account.write(RC[shell][0], text)
    server = await asyncio.to_thread(new_sshd, "vm1", account=account)
    assert (await asyncio.to_thread(login, server, "true")).returncode != 0
    executor = reach("vm1")
    for _ in range(2):
        with pytest.raises(ExecutorError, match=expected) as caught:
            await executor.run(["true"], timeout=PATIENCE)
        assert caught.value.reason == "refused"


@pytest.mark.tc("TC-103")
@pytest.mark.tc("TC-106")
@pytest.mark.parametrize("shell", ["/bin/bash", "/usr/bin/fish"])
def test_hooks_of_an_account_reach_the_daemon_from_a_home_with_a_space_in_its_path(
    place: Place,  # noqa: F811
    daemon: Daemon,  # noqa: F811
    new_account: Callable[..., Account],
    new_sshd: Make,
    shell: str,
) -> None:
    account = new_account(shell)
    server = new_sshd("vm1", account=account)
    pane = starts_agent(server, account)
    account.write(*RC[shell])
    place.json("target", "add", "vm1", "--kind", "ssh", "--ssh-target", "vm1")
    ref = daemon.wait_agent(pane, "vm1")["ref"]
    options = ["--agent", "claude", "--target", "vm1"]
    assert [i["error"] for i in place.json("hooks", "install", *options)["items"]] == [None, None]
    assert Path(install_program.path(str(account.home))).is_file()
    settings = account.home / ".claude" / "settings.json"
    assert settings.stat().st_uid == account.uid
    until(lambda: "by the spool" not in (output := place.cli("hooks", "status", *options).stdout)
          and "test event: arrived" in output, within=PATIENCE, what="the way back")  # fmt: skip
    command = json.loads(settings.read_text())["hooks"]["PermissionRequest"][-1]["hooks"][0]["command"]
    payload = {"hook_event_name": "PermissionRequest", "tool_name": "Bash", "tool_input": {"command": "make it"}}
    account.write("payload", json.dumps(payload))
    account.write("call.new", f"export AGTMUX_HOOK_CAP_MS=5000; {{ {command}; }} <payload").rename(
        account.home / "call"
    )
    asked = daemon.wait_for(pane, "waiting_approval", "vm1")
    assert (asked["source"], asked["waiting_for"]["text"]) == ("hook", "make it")
    assert len(events(place, ref)) == 1
    assert place.cli("hooks", "uninstall", "--target", "vm1").returncode == 0
    assert not settings.exists()
