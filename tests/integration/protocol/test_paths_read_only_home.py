"""A home that cannot be written to, on a file system that was mounted read-only: what agtmux says of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agtmux.protocol import paths
from agtmux.protocol.errors import AgtmuxError

MOUNTED = 'mount -t tmpfs none "$0" && mkdir -p -m 700 "$0/$1" && mount -o remount,ro "$0" && shift && exec "$@"'
TELL = "to a folder that you own and can write to"
PROGRAMS = {"agtmux": ["-m", "agtmux", "ls"], "agtmuxd": ["-m", "agtmuxd"]}
STATE = "home/.local/state/agtmux"

may_mount = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="a mount of its own needs root and unshare(1)"
)


def run(disk: Path, there: str, program: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A program with its home on a read-only disk, on which only the folder ``there`` is."""
    argv = ["unshare", "-m", "--propagation", "private", "sh", "-c", MOUNTED, str(disk), there]
    return subprocess.run(
        [*argv, sys.executable, *PROGRAMS[program]], capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(disk / "home"), **env},
    )  # fmt: skip


@may_mount
@pytest.mark.tc("TC-190")
@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("there", ["home", STATE])
def test_a_home_on_a_read_only_disk_is_told_with_the_variable_to_set(short_dir: Path, program: str, there: str) -> None:
    done = run(short_dir, there, program)
    did = "written to" if there == STATE else "made"
    result = f"{program}: {short_dir}/{STATE} cannot be {did} (Read-only file system): set AGTMUX_STATE_DIR {TELL}"
    assert done.stderr == f"{result} (E_FORBIDDEN)\n"
    assert done.returncode == (3 if program == "agtmux" else 1)


@may_mount
@pytest.mark.tc("TC-190")
@pytest.mark.parametrize("given", ["XDG_RUNTIME_DIR", "AGTMUX_RUNTIME_DIR"])
def test_a_runtime_folder_on_a_read_only_disk_is_told_with_its_own_variable(
    short_dir: Path, given: str, tmp_path: Path
) -> None:
    where = short_dir / "run/agtmux"
    message = str(where.parent if given == "XDG_RUNTIME_DIR" else where)
    done = run(short_dir, "run", "agtmuxd", AGTMUX_STATE_DIR=str(tmp_path / "state"), **{given: message})
    assert f"{where} cannot be made (Read-only file system): set AGTMUX_RUNTIME_DIR {TELL}" in done.stderr
    assert done.returncode == 1


@pytest.mark.tc("TC-190")
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_home_that_is_no_folder_is_told_with_the_variable_to_set(program: str) -> None:
    done = subprocess.run(
        [sys.executable, *PROGRAMS[program]], capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": "/dev/null"},
    )  # fmt: skip
    wanted = f"/dev/null/.local/state/agtmux cannot be made (Not a directory): set AGTMUX_STATE_DIR {TELL}"
    assert done.stderr == f"{program}: {wanted} (E_FORBIDDEN)\n"


@pytest.mark.tc("TC-190")
def test_a_folder_of_somebody_else_is_refused_with_the_variable_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(AgtmuxError, match="not to you: set AGTMUX_STATE_DIR to a folder"):
        paths.ensure_private_dir(str(tmp_path))
