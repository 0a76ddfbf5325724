"""Which systemctl commands are given, where no user manager can be had: a stand-in for systemctl records them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmux.service.state import CommandResult
from agtmux.service.systemd import SYSTEMCTL, Systemd


class Manager:
    """A stand-in for systemctl: it records commands, and knows the units in one folder."""

    def __init__(self, folder: Path, *, answers: bool = True, missing: bool = False) -> None:
        self.folder, self.answers, self.missing = folder, answers, missing
        self.calls: list[str] = []
        self.active = False
        self.reads = str(folder)

    def __call__(self, argv: Sequence[str]) -> CommandResult:
        words = list(argv[len(SYSTEMCTL) :])
        if self.missing:
            return CommandResult(127, "", "cannot run systemctl")
        if words == ["show", "--property=Version"]:
            return (
                CommandResult(0, "Version=252\n", "")
                if self.answers
                else CommandResult(1, "", "Failed to connect to bus")
            )
        if words[0] == "show":
            path = Path(self.reads) / words[-1]
            state = "active" if self.active else "inactive"
            return CommandResult(0, f"ActiveState={state}\nUnitFileState=enabled\nFragmentPath={path}\nMainPID=7\n", "")
        self.calls.append(" ".join(words))
        if words[0] == "start":
            self.active = True
        return CommandResult(0, "", "")


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "systemd" / "user"


def service(run: Manager, needed: dict[str, str] | None = None, root: str = "") -> Systemd:
    return Systemd("/x/agtmuxd", {}, needed or {}, run, root)


@pytest.mark.tc("TC-529")
def test_installing_twice_changes_nothing_the_second_time(units: Path) -> None:
    run = Manager(units)
    service(run).install(restart=True)
    both = "agtmuxd.socket agtmuxd.service"
    assert run.calls == ["daemon-reload", f"enable {both}", f"stop {both}", f"start {both}"]
    run.calls.clear()
    before = (units / "agtmuxd.service").stat().st_ino
    service(run).install(restart=True)
    assert run.calls == ["daemon-reload", f"enable {both}", f"start {both}"], "a running service is left alone"
    assert (units / "agtmuxd.service").stat().st_ino == before


@pytest.mark.tc("TC-529")
def test_drop_ins_stay_whatever_happens(units: Path) -> None:
    run = Manager(units)
    own = units / "agtmuxd.service.d" / "override.conf"
    own.parent.mkdir(parents=True)
    own.write_text("[Service]\nNice=5\n")
    service(run).install(restart=True)
    removed, kept = service(run).uninstall()
    assert [Path(path).name for path in removed] == ["agtmuxd.socket", "agtmuxd.service"]
    assert kept == [f"{units}/agtmuxd.service.d"]
    assert own.read_text() == "[Service]\nNice=5\n"
    assert service(run).uninstall() == ([], [f"{units}/agtmuxd.service.d"])


@pytest.mark.tc("TC-529")
@pytest.mark.parametrize("missing", [False, True])
def test_without_a_user_manager_it_refuses_and_says_what_to_do(units: Path, missing: bool) -> None:
    with pytest.raises(AgtmuxError, match="so nothing was installed: log in as this user by ssh") as caught:
        service(Manager(units, answers=False, missing=missing)).install(restart=True)
    assert caught.value.code == "E_PRECONDITION_FAILED"
    assert "loginctl enable-linger" in caught.value.message
    assert not units.exists()


@pytest.mark.tc("TC-529")
def test_a_manager_that_reads_another_folder_is_noticed(units: Path) -> None:
    run = Manager(units)
    run.reads = "/elsewhere"
    with pytest.raises(AgtmuxError, match="reads no units in"):
        service(run).install(restart=True)
    assert not (units / "agtmuxd.service").exists(), "nothing is left behind"


@pytest.mark.tc("TC-529")
def test_without_a_manager_uninstall_removes_the_files_and_their_links(units: Path) -> None:
    run = Manager(units)
    service(run).install(restart=True)
    wants = units / "default.target.wants"
    wants.mkdir()
    (wants / "agtmuxd.service").symlink_to(units / "agtmuxd.service")
    run.answers = False
    assert len(service(run).uninstall()[0]) == 2
    assert list(wants.iterdir()) == []


@pytest.mark.tc("TC-529")
def test_the_state_says_whether_it_runs_and_outlives_the_login(units: Path, tmp_path: Path) -> None:
    run = Manager(units)
    assert not service(run).state().installed
    service(run).install(restart=True)
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    state = service(run, root=str(tmp_path)).state()
    assert (state.installed, state.enabled, state.active, state.pid, state.linger) == (True, True, True, 7, False)
    assert state.program == "/x/agtmuxd"
    assert service(run, root="/nowhere").state().linger is None


@pytest.mark.tc("TC-529")
def test_your_own_folders_go_with_the_service(units: Path) -> None:
    """Otherwise a daemon of the user manager would use others than your shell."""
    run = Manager(units)
    made = service(run, {"AGTMUX_RUNTIME_DIR": "/r", "TMUX_TMPDIR": "/t"})
    made.install(restart=True)
    assert made.serves("/r/agtmuxd.sock")
    assert not made.serves("/other")
    assert "Environment=TMUX_TMPDIR=/t\n" in (units / "agtmuxd.service").read_text()
    assert [command[2] for command in made.commands()] == ["daemon-reload", "enable", "start"]
