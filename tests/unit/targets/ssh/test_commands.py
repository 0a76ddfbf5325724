"""Answers of a machine behind ssh that are none: they prove nothing, and end no watch."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtmuxd.targets.executor import ExecutorError, ProgramResult
from agtmuxd.targets.ssh import commands

_PART = st.sampled_from(
    [b"", b"e", b"f", b"fn", b"ff", b"7", b"9" * 5000, b"L", b"/a", b"/a:x", b"7 (sh) S 1 1 1 0 -1"]
)


@pytest.mark.tc("TC-130")
@given(st.lists(_PART | st.binary(max_size=6), max_size=8))
def test_an_answer_of_any_shape_is_read_or_is_a_lost_one(parts: list[bytes]) -> None:
    for shape in (parts, [*parts, b"e"]):
        done = ProgramResult(0, b"m4rk".join(shape), b"")
        with suppress(ExecutorError):
            commands.parse_files(done, "m4rk", ["/a", "/b"])
        with suppress(ExecutorError):
            commands.parse_environ(done, "m4rk", [(7, "1")])
        with suppress(ExecutorError):
            commands.parse_table(done, "m4rk")
