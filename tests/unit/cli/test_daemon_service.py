"""Installing the service where no user manager can be had. With a real one: tests/acceptance/test_service.py."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.acceptance.stage import PATIENCE, PROGRAMS, Place


@pytest.fixture
def place(short_dir: Path) -> Place:
    """A home without a user manager; systemctl is a stand-in that finds none, so that no real one is asked."""
    made = Place(short_dir)
    folder = short_dir / "bin"
    folder.mkdir()
    (folder / "systemctl").write_text("#!/bin/sh\necho Failed to connect to bus >&2\nexit 1\n")
    (folder / "systemctl").chmod(0o755)
    made.env["PATH"] = f"{folder}:{made.env['PATH']}"
    return made


@pytest.mark.tc("TC-531")
def test_without_a_user_manager_it_says_what_to_do(place: Place) -> None:
    done = place.cli("daemon", "install")
    assert done.returncode == 5
    assert "so nothing was installed: log in as this user by ssh or on the console" in done.stderr
    assert not (place.home / ".config/systemd").exists()
    assert place.cli("daemon", "uninstall").stdout == "not installed\n"


@pytest.mark.tc("TC-531")
def test_a_program_that_will_be_deleted_is_not_made_a_service(place: Place) -> None:
    folder = place.root / "uv" / "archive-v0" / "x7Qz" / "bin"
    folder.mkdir(parents=True)
    for name in ("agtmux", "agtmuxd"):
        (folder / name).symlink_to(PROGRAMS / name)
    done = subprocess.run(
        [folder / "agtmux", "daemon", "install", "--dry-run"], env=place.env, capture_output=True, text=True,
        check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 5
    assert "install agtmux permanently" in done.stderr


@pytest.mark.tc("TC-531")
def test_a_dry_run_prints_files_and_commands_and_writes_nothing(place: Place) -> None:
    """What it prints is what would be written, with your own folders in it."""
    done = place.cli("daemon", "install", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert f"ListenStream={place.runtime}/agtmuxd.sock" in done.stdout
    assert f"ExecStart={PROGRAMS}/agtmuxd --log-format json" in done.stdout
    assert f"Environment=AGTMUX_STATE_DIR={place.state}" in done.stdout
    assert "# run: systemctl --user enable agtmuxd.socket agtmuxd.service" in done.stdout
    assert not (place.home / ".config").exists()


@pytest.mark.tc("TC-531")
def test_files_without_a_manager_can_be_removed_too(place: Place) -> None:
    units = place.home / ".config/systemd/user"
    units.mkdir(parents=True)
    text = place.cli("daemon", "install", "--dry-run").stdout
    service = text[text.index("# Written by", text.index("agtmuxd.service\n# Written")) : text.index("\n# run:")]
    (units / "agtmuxd.service").write_text(service.rstrip("\n") + "\n")
    (units / "agtmuxd.socket").write_text("[Socket]\nListenStream=/mine\n")
    would = place.cli("daemon", "uninstall", "--dry-run").stdout
    assert f"would remove {units}/agtmuxd.service" in would
    assert f"would keep {units}/agtmuxd.socket" in would
    said = place.cli("daemon", "uninstall").stdout
    assert f"removed {units}/agtmuxd.service" in said
    assert f"kept {units}/agtmuxd.socket: agtmux did not write it" in said
    assert [path.name for path in units.iterdir()] == ["agtmuxd.socket"]
