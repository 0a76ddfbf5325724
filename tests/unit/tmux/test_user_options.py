"""The user options for agtmux are read with each round."""

from __future__ import annotations

import pytest

from agtmuxd.tmux.user_options import NAMES, read_options


@pytest.mark.tc("TC-360")
def test_an_option_that_is_not_set_is_left_out() -> None:
    assert read_options(["on", *[""] * (len(NAMES) - 2), "\n"]) == {"@agtmux": "on"}
    assert read_options([""] * (len(NAMES) - 1) + ["me\n"]) == {NAMES[-1]: "me"}
