"""Which processes work in a folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agtmux.git.inside import processes_inside

pytestmark = [pytest.mark.tc("TC-825"), pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


def test_a_process_is_inside_its_folder_and_those_above(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "ab").mkdir()
    with subprocess.Popen([sys.executable, "-c", "input()"], cwd=tmp_path / "a" / "b", stdin=subprocess.PIPE) as one:
        assert [pid for pid, _ in processes_inside(str(tmp_path / "a"))] == [one.pid]
        assert processes_inside(str(tmp_path / "ab")) == []
        one.communicate(b"\n")
    assert processes_inside(str(tmp_path / "a")) == []
