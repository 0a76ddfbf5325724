"""``agtmux menubar``: one menu, a stream of menus over restarts, what a click does, and the plugin."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import until
from tests.unit.cli.test_watch import DELTA, SNAPSHOT, Serve, serve
from tests.unit.daemon_stub import Stub, agtmux, command, environment, error, listing, pane

__all__ = ["serve"]
REF = "pane:host/work/@1/%1"


class Menus:
    """A running ``agtmux menubar --follow``."""

    def __init__(self, folder: Path) -> None:
        self.out = folder / "menus"
        with self.out.open("wb") as file:
            self.process = subprocess.Popen(
                command(["menubar", "--follow"]), stdout=file, stderr=subprocess.DEVNULL,
                env=environment(folder, AGTMUX_NO_AUTOSTART="1"),
            )  # fmt: skip

    def all(self) -> list[str]:
        """The menus so far; the one that is being written too."""
        return self.out.read_text().split("~~~\n")[1:]

    def count(self, number: int) -> list[str]:
        return until(lambda: self.all() if len(self.all()) >= number else [], within=20.0, what=f"{number} menus")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def menus(short_dir: Path) -> Iterator[Menus]:
    made = Menus(short_dir)
    yield made
    made.close()


@pytest.mark.tc("TC-533")
def test_one_menu_is_printed_for_xbar_and_for_swiftbar(short_dir: Path, stub: Stub) -> None:
    lost = {
        "target": "build",
        "code": "E_TARGET_UNREACHABLE",
        "message": "m",
        "reason": "timeout",
        "last_seen_at": None,
    }
    stub.answer("GET /v1/panes", listing(pane(), target_errors=[lost]))
    swiftbar = agtmux(short_dir, "menubar")
    assert (swiftbar.returncode, swiftbar.stderr) == (0, b"")
    assert swiftbar.stdout.decode().splitlines()[0] == "1● | sfimage=bolt.fill"
    assert "⚠ build did not answer" in swiftbar.stdout.decode()
    assert b"~~~" not in swiftbar.stdout
    assert agtmux(short_dir, "menubar", "--xbar").stdout.decode().splitlines()[0] == "1●"


@pytest.mark.tc("TC-533")
def test_without_a_daemon_it_fails_so_that_the_menu_bar_shows_its_own_sign(short_dir: Path) -> None:
    done = agtmux(short_dir, "menubar")
    assert (done.returncode, done.stdout) == (3, b"")


@pytest.mark.tc("TC-533")
def test_each_change_makes_a_menu_and_a_lost_daemon_one_with_a_sign(short_dir: Path, serve: Serve) -> None:
    """After the daemon is back, the menu comes back too, although nothing changed meanwhile."""
    stub, _ = serve([SNAPSHOT, DELTA, None], [SNAPSHOT, ...])
    menus = Menus(short_dir)
    try:
        found = menus.count(4)
        assert stub.calls[0].query == {"scope": ["panes"], "interval": ["500ms"]}
        assert "cursor" not in stub.calls[-1].query, "it asks for all agents again"
    finally:
        menus.close()
    assert [menu.splitlines()[0].partition(" |")[0] for menu in found] == ["1●", "2●", "⚠", "1●"]


@pytest.mark.tc("TC-533")
def test_it_waits_for_a_daemon_that_is_not_there_yet(short_dir: Path) -> None:
    """A menu bar starts at login, before everything else."""
    menus = Menus(short_dir)
    try:
        (first,) = menus.count(1)
        assert first.startswith("⚠ | ")
        (short_dir / "run").mkdir(mode=0o700, exist_ok=True)
        stub = Stub(short_dir / "run" / "agtmuxd.sock")
        stub.routes["GET /v1/watch"] = lambda _: (200, iter([SNAPSHOT]))
        stub.start()
        try:
            assert menus.count(2)[1].startswith("1● | ")
        finally:
            stub.stop()
    finally:
        menus.close()


@pytest.mark.tc("TC-535")
def test_a_click_acts_on_the_prompt_that_the_menu_showed_and_only_once(short_dir: Path, stub: Stub) -> None:
    """The request has the fingerprint, the runtime and the version; the same click again has the same name."""
    stub.answer("POST /v1/actions/approve", {"result": {"delivery": "submitted"}})
    guards = ["--fingerprint=5f2c", "--runtime=rt-1", "--state-version=7"]
    for _ in range(2):
        assert agtmux(short_dir, "menubar", "act", "approve", REF, *guards).returncode == 0
    first, second = (call.body for call in stub.calls)
    assert first == second
    assert {**first, "request_ref": ""} == {
        "request_ref": "", "ref": REF, "if_fingerprint": "5f2c", "if_runtime": "rt-1", "if_state_version": 7,
    }  # fmt: skip
    agtmux(short_dir, "menubar", "act", "approve", REF, guards[0], guards[1], "--state-version=8")
    assert stub.calls[2].body["request_ref"] != first["request_ref"]


@pytest.mark.tc("TC-535")
@pytest.mark.parametrize(
    "words",
    [
        ["approve", REF, "--runtime=r", "--state-version=1"],
        ["answer", REF, "--runtime=r", "--state-version=1", "--fingerprint=f"],
        ["deny", REF, "--runtime=r", "--state-version=1", "--fingerprint=f", "--option=1"],
        ["approve", REF, "--fingerprint=f"],
        ["kill", REF, "--runtime=r", "--state-version=1"],
        ["send", REF, "--runtime=r", "--state-version=1"],
    ],
)
def test_a_click_without_its_guards_or_of_another_kind_does_nothing(
    short_dir: Path, stub: Stub, words: list[str]
) -> None:
    assert agtmux(short_dir, "menubar", "act", *words).returncode == 2
    assert stub.calls == []


@pytest.mark.tc("TC-535")
def test_a_refused_click_says_why(short_dir: Path, stub: Stub) -> None:
    stub.answer("POST /v1/actions/deny", error("E_PRECONDITION_FAILED", "the prompt changed"), 412)
    words = ["deny", REF, "--runtime=r", "--state-version=1", "--fingerprint=f"]
    done = agtmux(short_dir, "menubar", "act", *words)
    assert done.returncode == 5
    assert b"the prompt changed" in done.stderr


@pytest.mark.tc("TC-536")
def test_the_plugin_is_installed_once_and_removed_only_if_it_is_ours(short_dir: Path) -> None:
    folder = short_dir / "Plugins Folder"
    dry = agtmux(short_dir, "menubar", "install", "--dir", str(folder), "--dry-run")
    assert b"<swiftbar.type>streamable</swiftbar.type>" in dry.stdout
    assert not folder.exists()
    path = folder / "agtmux.sh"
    assert agtmux(short_dir, "menubar", "install", "--dir", str(folder)).stdout.decode() == f"wrote {path}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    assert path.read_text().startswith("#!/bin/sh\n# Written by agtmux menubar install.")
    again = agtmux(short_dir, "menubar", "install", "--dir", str(folder)).stdout.decode()
    assert again == f"nothing to change: {path}\n"
    kept = path.read_text() + "# mine\n"
    path.write_text(kept)
    refused = agtmux(short_dir, "menubar", "install", "--dir", str(folder))
    assert refused.returncode == 5
    assert b"was changed by hand: move it away, then run agtmux menubar install again" in refused.stderr
    assert b"kept" in agtmux(short_dir, "menubar", "uninstall", "--dir", str(folder)).stdout
    assert path.read_text() == kept
    path.unlink()
    assert agtmux(short_dir, "menubar", "uninstall", "--dir", str(folder)).stdout == b"not installed\n"
    assert agtmux(short_dir, "menubar", "install", "--dir", str(folder), "--xbar").returncode == 0
    assert (folder / "agtmux.10s.sh").exists()
    assert b"removed" in agtmux(short_dir, "menubar", "uninstall", "--dir", str(folder), "--xbar").stdout


@pytest.mark.tc("TC-536")
def test_the_installed_plugin_prints_menus(short_dir: Path, stub: Stub) -> None:
    """The script itself is run, as the menu bar does."""
    stub.answer("GET /v1/panes", listing(pane()))
    agtmux(short_dir, "menubar", "install", "--dir", str(short_dir / "p"), "--xbar")
    done = subprocess.run(
        [short_dir / "p" / "agtmux.10s.sh"], env=environment(short_dir, AGTMUX_NO_AUTOSTART="1"), capture_output=True,
        check=True, timeout=30,
    )  # fmt: skip
    assert done.stdout.decode().startswith("1●\n---\n")


@pytest.mark.tc("TC-536")
def test_outside_macos_a_folder_has_to_be_named(short_dir: Path) -> None:
    done = agtmux(short_dir, "menubar", "install")
    assert done.returncode == 5
    assert b"name a plugin folder with --dir" in done.stderr
