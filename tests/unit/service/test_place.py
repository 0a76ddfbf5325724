"""Service files are written whole, and only those that agtmux wrote are ever changed or removed."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmux.service import place
from agtmux.service.files import service_unit, socket_unit


@pytest.mark.tc("TC-529")
def test_only_what_differs_is_written_and_only_ours_is_removed(tmp_path: Path) -> None:
    one, two = str(tmp_path / "u" / "agtmuxd.socket"), str(tmp_path / "u" / "agtmuxd.service")
    wanted = {one: socket_unit("/s"), two: service_unit("/x/agtmuxd", {})}
    assert place.check(wanted) == [one, two]
    for path in place.check(wanted):
        place.write(path, wanted[path])
    assert place.check(wanted) == []
    assert stat.S_IMODE(Path(two).stat().st_mode) == 0o644
    newer = {**wanted, two: service_unit("/y/agtmuxd", {})}
    assert place.check(newer) == [two]
    Path(two).write_text(wanted[two] + "Nice=5\n")
    with pytest.raises(AgtmuxError, match=r"agtmuxd\.service was changed by hand: move it away") as caught:
        place.check(newer)
    assert caught.value.code == "E_PRECONDITION_FAILED"
    assert place.remove([one, two]) == ([one], [two])
    assert "Nice=5" in Path(two).read_text()
    assert sorted(path.name for path in (tmp_path / "u").iterdir()) == ["agtmuxd.service"], "no partial file is left"


@pytest.mark.tc("TC-529")
def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "agtmuxd.service"
    path.write_text("[Service]\nExecStart=/mine\n")
    with pytest.raises(AgtmuxError, match="was not written by agtmux"):
        place.check({str(path): service_unit("/x", {})})
