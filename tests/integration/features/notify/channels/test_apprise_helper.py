"""The helper of Apprise: its exit status says what happened."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agtmuxd.features.notify.channels.apprise import HELPER

pytestmark = pytest.mark.tc("TC-419")


def run(given: str, *, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {"PYTHONPATH": str(path)} if path is not None else {}
    return subprocess.run(
        [sys.executable, "-m", HELPER], input=given, capture_output=True, text=True, timeout=60, env=env, check=False
    )


@pytest.mark.parametrize("given", ["", "[]", "{}", '{"urls": 3, "title": "x", "body": "y"}'])
def test_what_is_no_message_is_refused(given: str) -> None:
    done = run(given)
    assert (done.returncode, done.stderr) == (2, "the input is not a message\n")


def test_without_apprise_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "apprise.py").write_text("raise ImportError('not here')\n")
    done = run(json.dumps({"urls": ["json://127.0.0.1:1"], "title": "x", "body": "y"}), path=tmp_path)
    assert done.returncode == 3
    assert "agtmux[apprise]" in done.stderr
