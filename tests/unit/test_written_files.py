"""Service files are written whole, and only those that agtmux wrote are ever changed or removed."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from agtmux import written_files
from agtmux.protocol.errors import AgtmuxError
from agtmux.service.files import service_unit, socket_unit


@pytest.mark.tc("TC-529")
def test_only_what_differs_is_written_and_only_ours_is_removed(tmp_path: Path) -> None:
    one, two = str(tmp_path / "u" / "agtmuxd.socket"), str(tmp_path / "u" / "agtmuxd.service")
    wanted = {one: socket_unit("/s"), two: service_unit("/x/agtmuxd", {})}
    assert written_files.check(wanted, "agtmux x install") == [one, two]
    for path in written_files.check(wanted, "agtmux x install"):
        written_files.write(path, wanted[path])
    assert written_files.check(wanted, "agtmux x install") == []
    assert stat.S_IMODE(Path(two).stat().st_mode) == 0o644
    newer = {**wanted, two: service_unit("/y/agtmuxd", {})}
    assert written_files.check(newer, "agtmux x install") == [two]
    Path(two).write_text(wanted[two] + "Nice=5\n")
    with pytest.raises(AgtmuxError, match=r"agtmuxd\.service was changed by hand: move it away") as caught:
        written_files.check(newer, "agtmux x install")
    assert caught.value.code == "E_PRECONDITION_FAILED"
    assert written_files.remove([one, two]) == ([one], [two])
    assert "Nice=5" in Path(two).read_text()
    assert sorted(path.name for path in (tmp_path / "u").iterdir()) == ["agtmuxd.service"], "no partial file is left"


@pytest.mark.tc("TC-529")
def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "agtmuxd.service"
    path.write_text("[Service]\nExecStart=/mine\n")
    with pytest.raises(AgtmuxError, match="was not written by agtmux"):
        written_files.check({str(path): service_unit("/x", {})}, "agtmux x install")
