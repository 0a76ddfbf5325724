"""The bindings of the plugin, as words."""

from __future__ import annotations

import pytest

from agtmux.cli.tmux_plugin import OPTIONS, bindings, menu_command
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
