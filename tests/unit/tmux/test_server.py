"""How a tmux server is addressed, and which versions are good enough."""

from __future__ import annotations

import pytest

from agtmuxd.tmux.server import parse_version, socket_path, tmux_argv, too_old


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("tmux 3.3a", (3, 3)),
        ("3.5a", (3, 5)),
        ("tmux next-3.7", (3, 7)),
        ("tmux 3.10-rc2", (3, 10)),
        ("tmux master", None),
        ("tmux openbsd-7.4", None),
        ("", None),
    ],
)
def test_a_version_is_read_or_unknown(text: str, version: tuple[int, int] | None) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(
    ("text", "old"), [("3.2a", True), ("2.9", True), ("3.3", False), ("3.10", False), ("4.0", False), ("master", False)]
)
def test_only_a_version_known_to_be_old_is_too_old(text: str, old: bool) -> None:
    assert too_old(text) is old


def test_a_server_is_the_default_one_a_name_or_a_path() -> None:
    assert tmux_argv("/bin/tmux", None) == ["/bin/tmux", "-u"]
    assert tmux_argv("tmux", "work") == ["tmux", "-u", "-L", "work"]
    assert tmux_argv("tmux", "/tmp/s") == ["tmux", "-u", "-S", "/tmp/s"]


def test_its_socket_is_where_tmux_puts_it() -> None:
    assert socket_path(tmux_argv("tmux", None), None, 7) == "/tmp/tmux-7/default"
    assert socket_path(tmux_argv("tmux", "work"), "/run/me", 7) == "/run/me/tmux-7/work"
    assert socket_path(tmux_argv("tmux", "/tmp/s"), "/run/me", 7) == "/tmp/s"
