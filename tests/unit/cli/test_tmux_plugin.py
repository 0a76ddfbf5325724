"""The bindings of the plugin, as words."""

from __future__ import annotations

from pathlib import Path

import pytest

from agtmux.cli.tmux_plugin import OPTIONS, bindings, load, menu_command
from agtmux.cli.tmux_server import TmuxServer
from agtmux.protocol.errors import AgtmuxError

pytestmark = pytest.mark.tc("TC-368")


def test_by_default_two_keys_are_bound() -> None:
    assert [(name, key) for name, key, _ in bindings(OPTIONS, ["agtmux"])] == [
        ("@agtmux-key", "A"), ("@agtmux-next-key", "N"),
    ]  # fmt: skip


def test_the_popup_gets_words_and_the_jump_a_quoted_line() -> None:
    (_, _, popup), (_, _, jump) = bindings(OPTIONS, ["/it's #1/agtmux"])
    assert popup[-4:] == ["--", "/it's #1/agtmux", "top", "--popup"]
    assert jump[-1] == """'/it'"'"'s ##1/agtmux' jump --next --client #{q:client_name}"""


@pytest.mark.parametrize("size", ["", "wide", "90%%", "90%;", "-1", "#(id)"])
def test_a_size_that_tmux_does_not_take_is_refused(size: str) -> None:
    with pytest.raises(AgtmuxError, match=r"@agtmux-popup-height is .*: write it like 90% or 120"):
        list(bindings({**OPTIONS, "@agtmux-popup-height": size}, ["agtmux"]))


def test_a_menu_expands_formats_twice_so_they_are_quoted_twice() -> None:
    assert menu_command(["a#b", "c d"]) == """run-shell -b "'a####b' 'c d'\""""


def test_a_tmux_that_is_too_old_is_told_so_and_nothing_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tmux of that age cannot be had here: a script answers in its place."""
    old = tmp_path / "tmux"
    old.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\necho 3.2a\n')
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    with pytest.raises(AgtmuxError, match=r"tmux 3.2a is older than 3.3: install a newer one") as caught:
        load(TmuxServer("/tmp/s", "1"))
    assert caught.value.code == "E_TMUX_UNSUPPORTED"
    assert len((tmp_path / "calls").read_text().splitlines()) == 1
