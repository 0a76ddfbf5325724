"""What a person may type for a ref, however odd."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.daemon_stub import Stub, agtmux, listing, pane


@pytest.fixture
def stub(short_dir: Path) -> Iterator[Stub]:
    (short_dir / "run").mkdir(mode=0o700)
    served = Stub(short_dir / "run" / "agtmuxd.sock").start()
    served.answer("GET /v1/panes", listing(pane()))
    yield served
    served.stop()


@pytest.mark.tc("TC-204")
@pytest.mark.usefixtures("stub")
@pytest.mark.parametrize(
    "text", ["", "x" * 5000, "%", "%x", "%" + "9" * 5000, "work:" + "9" * 5000, "work:1." + "9" * 900]
)
def test_a_ref_that_cannot_be_one_is_told_as_such(short_dir: Path, text: str) -> None:
    done = agtmux(short_dir, "explain", text, "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "E_REF_INVALID"
    assert done.stderr.count(b"\n") == 1
    assert len(done.stderr) < 1500
