"""What the doctor says of folders, configuration, disk, locale and containers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agtmux.doctor import machine
from agtmux.doctor.facts import run
from tests.unit.daemon_stub import environment
from tests.unit.doctor.world import codes, facts, fixes


@pytest.fixture(autouse=True)
def here(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders of a daemon of this test alone."""
    for name, value in environment(short_dir).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AGTMUX_SOCKET", raising=False)
    for name in ("run", "state"):
        (short_dir / name).mkdir(mode=0o700)
    return short_dir


@pytest.mark.tc("TC-522")
def test_folders_and_files_that_others_may_use_are_named_with_the_command_that_closes_them(here: Path) -> None:
    assert codes(machine.folders(facts())) == [("ok", "private")]
    (here / "state").chmod(0o777)
    (here / "state" / "agtmux.db").touch(0o600)
    (here / "state" / "agtmux.db").chmod(0o644)
    (here / "config.toml").touch()
    (here / "config.toml").chmod(0o666)
    seen = list(machine.folders(facts()))
    assert codes(seen) == [("problem", "state_folder"), ("warning", "open"), ("warning", "open")]
    for fix in fixes(seen):
        assert fix is not None
        assert run(["sh", "-c", fix]).status == 0
    assert codes(machine.folders(facts())) == [("ok", "private")], "the commands do what they say"


@pytest.mark.tc("TC-522")
def test_paths_that_cannot_work_are_named(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGTMUX_RUNTIME_DIR", f"{here}/{'x' * 100}")
    assert ("problem", "socket_too_long") in codes(machine.folders(facts()))
    monkeypatch.delenv("AGTMUX_RUNTIME_DIR")
    monkeypatch.setenv("XDG_RUNTIME_DIR", f"{here}/gone")
    assert ("warning", "runtime_gone") in codes(machine.folders(facts()))
    monkeypatch.setenv("AGTMUX_SOCKET", f"{here}/other")
    assert ("note", "agtmux_socket") in codes(machine.folders(facts(environ=dict(os.environ))))


@pytest.mark.tc("TC-522")
def test_the_configuration_is_checked_by_the_daemons_own_reader(here: Path) -> None:
    """With or without a daemon; what a running one refused to load is said too."""
    assert codes(machine.configuration(facts())) == [("ok", "right")]
    (here / "config.toml").write_text("log_level = 'loud'\n")
    (wrong,) = machine.configuration(facts(environ={"EDITOR": "nano -w"}))
    assert (wrong.severity, wrong.code) == ("problem", "wrong")
    assert "line 1: log_level" in wrong.text
    assert wrong.fix == f"nano -w {here}/config.toml"
    (here / "config.toml").write_text("log_level = 'debug'\n")
    told = facts(healthy={"last_errors": ["configuration not loaded: line 1"]})
    assert codes(machine.configuration(told)) == [("warning", "not_loaded")]


@pytest.mark.tc("TC-522")
def test_the_disk_and_the_database_are_measured(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "state" / "agtmux.db").write_bytes(b"x" * 4096)
    (here / "state" / "agtmux.db.corrupt-1").touch()
    seen = list(machine.storage(facts(healthy={"store": {"max_bytes": 10, "used_bytes": 4096}})))
    assert codes(seen) == [("warning", "too_large"), ("note", "set_aside"), ("ok", "room")]
    assert seen[-1].text.startswith("database 4.0 KiB, ")
    real = os.statvfs("/")
    for free, found in ((machine.FREE_LEAST - 1, "full"), (machine.FREE_LOW - 1, "little_room")):
        values = list(real[:10])
        values[1], values[4] = 1, free  # f_frsize, f_bavail
        monkeypatch.setattr(os, "statvfs", lambda _path, values=values: os.statvfs_result(values))
        assert found in [code for _, code in codes(machine.storage(facts()))]


@pytest.mark.tc("TC-522")
@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({"LANG": "de_DE.UTF-8"}, ("ok", "utf8")),
        ({"LANG": "C", "LC_ALL": "C.utf8"}, ("ok", "utf8")),
        ({"LANG": "C"}, ("warning", "not_utf8")),
        ({"LC_ALL": "POSIX", "LANG": "C.UTF-8"}, ("warning", "not_utf8")),
        ({}, ("warning", "not_utf8")),
    ],
)
def test_a_locale_without_utf8_is_a_warning(
    environ: dict[str, str], found: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "first_environ", dict)
    monkeypatch.setattr("sys.platform", "linux")
    assert codes(machine.locale(facts(environ=environ))) == [found]


@pytest.mark.tc("TC-522")
def test_a_shell_in_a_container_beside_the_daemon_is_told(tmp_path: Path) -> None:
    proc = tmp_path / "proc"
    for pid, space in (("self", "pid:[1]"), ("7", "pid:[1]"), ("8", "pid:[2]")):
        (proc / pid / "ns").mkdir(parents=True)
        (proc / pid / "ns" / "pid").symlink_to(space)
    assert [machine.is_apart(pid, str(proc)) for pid in (7, 8, 9)] == [False, True, True]
    assert machine.is_apart(7, str(tmp_path)) is False, "a system without /proc"
    assert machine.container({"container": "lxc"}, f"{tmp_path}/") == "a container (lxc)"
    (tmp_path / ".dockerenv").touch()
    assert machine.container({}, f"{tmp_path}/") == "a docker container"
    assert codes(machine.place(facts(healthy={"pid": os.getpid()})))[-1][0] == "ok"
