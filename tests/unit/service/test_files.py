"""The texts of the service files, and whose a file is."""

from __future__ import annotations

import configparser
import plistlib
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtmux.protocol.errors import AgtmuxError
from agtmux.service.files import launch_agent, listen_in, program_in, service_unit, socket_unit
from agtmux.written_files import CHANGED, FOREIGN, OURS, owner_of

PATHS = st.text(st.characters(min_codepoint=33, blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=30)


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.mark.tc("TC-528")
def test_the_units_are_hardened_without_hiding_what_the_daemon_needs() -> None:
    """A restart of the service kills nothing else, and nothing makes a mount or user namespace."""
    service = lines(service_unit("/opt/bin/agtmuxd", {}))
    assert "ExecStart=/opt/bin/agtmuxd --log-format json" in service
    assert {"KillMode=process", "Restart=on-failure", "UMask=0077", "NoNewPrivileges=yes", "Type=exec"} <= set(service)
    assert {"SystemCallFilter=@system-service", "MemoryHigh=512M", "TasksMax=256"} <= set(service)
    forbidden = r"^(Private|Protect|ReadWrite|ReadOnly|Inaccessible|Bind|Temporary|DynamicUser|MemoryDenyWrite|RootDir)"
    assert [line for line in service if re.match(forbidden, line)] == []
    socket = lines(socket_unit("%t/agtmux/agtmuxd.sock"))
    assert {
        "ListenStream=%t/agtmux/agtmuxd.sock", "SocketMode=0600", "DirectoryMode=0700", "RemoveOnStop=no",
    } <= set(socket)  # fmt: skip


@pytest.mark.tc("TC-528")
def test_systemd_finds_no_mistake_in_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    program = tmp_path / "my tools" / "agtmuxd 100%"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / "agtmuxd.service").write_text(service_unit(str(program), {"TMUX_TMPDIR": "/tmp/a b$c"}))
    (tmp_path / "agtmuxd.socket").write_text(socket_unit("%t/agtmux/agtmuxd.sock"))
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", tmp_path / "agtmuxd.service", tmp_path / "agtmuxd.socket"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    ours = [line for line in done.stderr.splitlines() if "agtmuxd" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


@pytest.mark.tc("TC-528")
def test_the_launch_agent_is_a_property_list_that_starts_again_only_after_a_failure() -> None:
    """Plain ``KeepAlive`` would start it again after ``agtmux daemon stop``; launchd's own PATH lacks Homebrew."""
    text = launch_agent("/opt/bin/agtmuxd", "/h/agtmuxd.log", {"TMUX_TMPDIR": "/t"})
    told = plistlib.loads(text.encode())
    assert told["Label"] == "io.agtmux.daemon"
    assert told["ProgramArguments"] == ["/opt/bin/agtmuxd", "--log-format", "json"]
    assert (told["RunAtLoad"], told["KeepAlive"]) == (True, {"SuccessfulExit": False})
    assert (told["ProcessType"], told["ThrottleInterval"]) == ("Adaptive", 10)
    assert told["LimitLoadToSessionType"] == ["Aqua", "Background"]
    assert told["EnvironmentVariables"]["PATH"].startswith("/opt/homebrew/bin:/usr/local/bin:")
    assert told["EnvironmentVariables"]["LANG"] == "en_US.UTF-8"
    assert told["EnvironmentVariables"]["TMUX_TMPDIR"] == "/t"
    assert "TMUX_TMPDIR" not in plistlib.loads(launch_agent("/x", "/y", {}).encode())["EnvironmentVariables"]


@pytest.mark.tc("TC-528")
@pytest.mark.parametrize(
    "text", [service_unit("/x/agtmuxd", {}), socket_unit("%t/s"), launch_agent("/x/agtmuxd", "/l", {})]
)
def test_a_file_is_ours_only_as_it_was_written(text: str) -> None:
    assert owner_of(text) == OURS
    assert owner_of(text + "\n# mine\n") == CHANGED
    first, _, rest = text.partition("\n")
    assert owner_of(rest if first.startswith("#") else text.replace("Written by", "By")) == FOREIGN
    assert owner_of("") == FOREIGN


@pytest.mark.tc("TC-528")
@given(path=PATHS, value=PATHS)
def test_any_path_is_quoted_so_that_it_is_read_back(path: str, value: str) -> None:
    """Blanks, ``%``, ``$``, quotes and backslashes in a path mean themselves, and add no line."""
    text = service_unit(f"/{path}", {"TMUX_TMPDIR": value})
    assert program_in(text) == f"/{path}"
    assert program_in(launch_agent(f"/{path}", "/log", {})) == f"/{path}"
    assert (
        len(text.splitlines()) == len(service_unit("/x", {"TMUX_TMPDIR": "y"}).splitlines()) or not path.isprintable()
    )
    parsed = configparser.RawConfigParser(strict=False)
    parsed.read_string(text)
    assert set(parsed["Service"]) >= {"execstart", "environment", "killmode"}
    assert listen_in(socket_unit(f"/{path}"), "/run/user/1") == f"/{path}".strip()


@pytest.mark.tc("TC-528")
@pytest.mark.parametrize("path", ["/a\nExecStartPre=/bin/x", "/a\rb", "/a\x00b", "/a\x1bb"])
def test_a_path_that_would_add_a_line_is_refused(path: str) -> None:
    makers: list[Callable[[], str]] = [
        lambda: service_unit(path, {}), lambda: socket_unit(path), lambda: service_unit("/x", {"A": path}),
    ]  # fmt: skip
    for make in makers:
        with pytest.raises(AgtmuxError, match="control character"):
            make()


def test_the_runtime_folder_stands_for_itself() -> None:
    assert listen_in(socket_unit("%t/agtmux/agtmuxd.sock"), "/run/user/7") == "/run/user/7/agtmux/agtmuxd.sock"
    assert listen_in("[Socket]\n", "/r") is None
    assert program_in("[Service]\n") is None
