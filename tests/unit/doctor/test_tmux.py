"""What the doctor says of tmux."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agtmux.doctor import tmux
from agtmux.doctor.facts import Facts
from agtmux.service.state import CommandResult
from tests.conftest import Tmux
from tests.unit.doctor.world import codes, facts, fixes, target


def with_tmux(folder: Path, version: str, focus: str = "on", **more: Any) -> Facts:
    """Facts of a machine whose tmux has this version."""
    (folder / "tmux").touch(0o755)

    def run(argv: Sequence[str], *_: object) -> CommandResult:
        return CommandResult(0, f"{version}\n" if argv[-1] == "-V" else f"{focus}\n", "")

    return facts(environ={"PATH": str(folder)}, run=run, **more)


@pytest.mark.tc("TC-523")
@pytest.mark.parametrize(
    ("version", "found"),
    [
        ("tmux 3.2a", ("problem", "too_old")),
        ("tmux 3.3a", ("ok", "version")),
        ("tmux 3.8", ("ok", "version")),
        ("tmux next-3.9", ("note", "newer")),
        ("tmux master", ("ok", "version")),
    ],
)
def test_a_tmux_too_old_is_a_problem_and_one_too_new_a_note(
    tmp_path: Path, version: str, found: tuple[str, str]
) -> None:
    assert codes(tmux.program(with_tmux(tmp_path, version, healthy={"targets": []}))) == [found]


@pytest.mark.tc("TC-523")
def test_a_missing_tmux_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tmux, "_USUAL", ())
    seen = list(tmux.program(facts(environ={"PATH": str(tmp_path)})))
    assert codes(seen) == [("problem", "missing")]
    assert fixes(seen)[0] in ("sudo apt-get install tmux", "brew install tmux")


@pytest.mark.tc("TC-523")
def test_focus_events_and_a_server_of_another_version_are_notes(tmp_path: Path) -> None:
    other = with_tmux(tmp_path, "tmux 3.5a", "off", healthy={"targets": [target(tmux_version="3.3a")]})
    assert codes(tmux.program(other)) == [("ok", "version"), ("note", "server_differs"), ("note", "focus_events")]


@pytest.mark.tc("TC-523")
def test_focus_events_are_read_from_the_server_that_is_watched(tmux: Tmux) -> None:
    """And no server is started for that."""
    from agtmux.doctor import tmux as check

    watched = facts(environ=tmux.env, healthy={"targets": [target(connection_ref=str(tmux.socket))]})
    assert [code for _, code in codes(check.program(watched))] == ["version"]
    assert not tmux.socket.exists(), "no server was started"
    tmux.start()
    assert "focus_events" in [code for _, code in codes(check.program(watched))]
    tmux.run("set-option", "-g", "focus-events", "on")
    assert "focus_events" not in [code for _, code in codes(check.program(watched))]


@pytest.mark.tc("TC-523")
@pytest.mark.parametrize(
    ("environ", "healthy", "found", "fix"),
    [
        ({}, {}, ("ok", "outside"), []),
        ({"TMUX": "/t/tmux-{uid}/default,1,0", "TMUX_TMPDIR": "/t"}, {}, ("ok", "watched"), []),
        (
            {"TMUX": "/t/tmux-{uid}/my work,1,0", "TMUX_TMPDIR": "/t"},
            {},
            ("warning", "unwatched"),
            ["agtmux target add my-work --kind local --tmux-socket '/t/tmux-{uid}/my work'"],
        ),
        (
            {"TMUX": "/t/tmux-{uid}/my work,1,0", "TMUX_TMPDIR": "/t"},
            {"targets": [target("w", connection_ref="my work")]},
            ("ok", "watched"),
            [],
        ),
        (
            {"TMUX": "/t/tmux-{uid}/default,1,0", "TMUX_TMPDIR": "/t"},
            {"environment": {"tmux_tmpdir": None}},
            ("warning", "tmux_tmpdir"),
            ["agtmux daemon restart"],
        ),
    ],
)
def test_a_shell_in_a_server_that_nobody_watches_is_a_warning(
    environ: dict[str, str], healthy: dict[str, Any], found: tuple[str, str], fix: list[str]
) -> None:
    import os

    real = {name: value.replace("{uid}", str(os.getuid())) for name, value in environ.items()}
    seen = list(tmux.watched(facts(environ=real, healthy=healthy)))
    assert codes(seen) == [found]
    assert fixes(seen) == [one.replace("{uid}", str(os.getuid())) for one in fix]
