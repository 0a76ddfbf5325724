"""How a daemon comes, goes, and refuses to come."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.stage import PATIENCE, Agent, Daemon, Place
from tests.conftest import until


@pytest.mark.tc("TC-115")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0_and_takes_the_socket_away(
    place: Place, daemon: Daemon, number: signal.Signals
) -> None:
    daemon.start()
    assert daemon.send(number) == 0
    assert not place.socket.exists()
    assert "Traceback" not in daemon.said()


@pytest.mark.tc("TC-115")
def test_reload_takes_a_good_configuration_and_keeps_the_old_one_before_a_bad_one(place: Place, daemon: Daemon) -> None:
    good = place.config.read_text()
    daemon.start()
    place.config.write_text("autostart = false\n" + good)
    assert place.cli("daemon", "reload").returncode == 0
    assert place.json("daemon", "config")["config"]["autostart"] is False
    place.config.write_text("autostart = false\nnot_a_key = 1\n" + good)
    refused = place.cli("daemon", "reload")
    assert refused.returncode == 2
    assert f"{place.config}, line 2: not_a_key: unknown setting" in refused.stderr
    assert place.json("daemon", "config")["config"]["autostart"] is False
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: any("not_a_key" in error for error in daemon.health()["last_errors"]), within=PATIENCE)


@pytest.mark.tc("TC-115")
@pytest.mark.parametrize("cleared_by", ["command", "signal"])
@pytest.mark.parametrize("told_by", ["command", "signal"])
def test_a_configuration_that_was_not_taken_is_told_in_health_until_it_is_right(
    place: Place, daemon: Daemon, told_by: str, cleared_by: str
) -> None:
    good = place.config.read_text()
    daemon.start()

    def reload(how: str) -> None:
        assert daemon.process is not None
        if how == "command":
            place.cli("daemon", "reload")
        else:
            daemon.process.send_signal(signal.SIGHUP)

    def output() -> list[str]:
        return [error for error in daemon.health()["last_errors"] if "configuration not loaded" in error]

    place.config.write_text("not_a_key = 1\n" + good)
    reload(told_by)
    assert "line 1: not_a_key" in until(output, within=PATIENCE)[0]
    reload(told_by)
    place.config.write_text("also_wrong = 1\n" + good)
    reload(told_by)
    until(lambda: "also_wrong" in output()[0], within=PATIENCE)
    assert len(output()) == 1
    place.config.write_text(good)
    reload(cleared_by)
    until(lambda: not output(), within=PATIENCE)


@pytest.mark.tc("TC-115")
def test_a_signal_during_the_start_leaves_nothing_behind(place: Place, daemon: Daemon) -> None:
    process = daemon.launch()
    until(place.socket.exists, within=PATIENCE)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    assert not place.socket.exists()


@pytest.mark.tc("TC-116")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[observe]\nactive_interval = 0.25\nquiet = 3\n", "line 3: observe.quiet: unknown setting"),
        ("autostart = true\nlog_level = 'loud'\n", "line 2: log_level: "),
        ("[retention]\nevents = 14\npayloads = -1\n", "line 3: retention.payloads: "),
        ("[redaction]\npatterns = ['(']\n", "line 2: redaction.patterns: "),
        ("[adapters.claude]\nenabled = 'perhaps'\n", "line 2: adapters.claude.enabled: "),
        ("[host]\ntmux_socket = \n", "line 2"),
    ],
)
def test_a_wrong_setting_is_told_with_its_name_and_line(place: Place, daemon: Daemon, text: str, expected: str) -> None:
    place.config.write_text(text)
    assert daemon.launch().wait(PATIENCE) == 1
    assert str(place.config) in daemon.said()
    assert expected in daemon.said()
    assert "(E_INVALID_REQUEST)" in daemon.said()


@pytest.fixture
def started(place: Place) -> Iterator[None]:
    """Ends the daemon that a command started in the background."""
    yield
    done = place.cli("daemon", "stop")
    assert done.returncode == 0, done.stderr


@pytest.mark.tc("TC-115")
@pytest.mark.usefixtures("started")
def test_the_daemon_is_managed_by_the_command_line(place: Place) -> None:
    assert place.cli("daemon", "status").returncode == 3
    assert place.cli("daemon", "start").stdout.startswith("started (pid ")
    pid = place.json("daemon", "status")["pid"]
    assert place.cli("daemon", "start").stdout == f"already running (pid {pid})\n"
    again = place.cli("daemon", "restart")
    assert again.returncode == 0, again.stderr
    assert place.json("daemon", "status")["pid"] != pid
    logged = place.cli("daemon", "logs", "-n", "5")
    assert "ready" in logged.stdout


@pytest.mark.tc("TC-115")
def test_a_stop_does_not_wait_for_somebody_to_collect_the_daemon(place: Place, daemon: Daemon) -> None:
    daemon.start()  # our child: ended, it is a zombie until we look
    done = place.cli("daemon", "stop")
    assert (done.returncode, done.stderr) == (0, "")
    assert daemon.process is not None
    assert daemon.process.wait(PATIENCE) == 0


@pytest.mark.tc("TC-115")
def test_a_hook_without_the_runtime_directory_finds_the_daemon_by_its_pointer(
    place: Place, daemon: Daemon, agent: Callable[..., Agent]
) -> None:
    daemon.start()
    tmux = agent().tmux
    tmux.env = {name: value for name, value in tmux.env.items() if name != "AGTMUX_RUNTIME_DIR"}
    one = agent().start()
    daemon.wait_agent(one.pane)
    one.hook("UserPromptSubmit", prompt="hello")
    daemon.wait_for(one.pane, "running")
    assert not (place.state / "spool.jsonl").exists()


@pytest.mark.tc("TC-115")
def test_a_corrupt_database_is_set_aside_and_a_fresh_one_started(place: Place, daemon: Daemon) -> None:
    daemon.start().stop()
    (place.state / "agtmux.db").write_bytes(b"this is no database, however long one looks at it" * 100)
    daemon.start()
    kept = list(place.state.glob("agtmux.db.corrupt-*"))
    assert len(kept) == 1
    assert any(str(kept[0]) in error for error in daemon.health()["last_errors"])


@pytest.mark.tc("TC-001")
def test_a_newer_database_is_refused_and_not_touched(place: Place, daemon: Daemon) -> None:
    import sqlite3

    daemon.start().stop()
    path = place.state / "agtmux.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("PRAGMA user_version = 4711")
    connection.close()
    before = path.read_bytes()
    assert daemon.launch().wait(PATIENCE) == 1
    assert "schema 4711" in daemon.said()
    assert path.read_bytes() == before
