"""One pane, read alone: it is read, or the reading failed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtmuxd.tmux.onepane import OnePane, read
from agtmuxd.tmux.round import RoundFailure
from tests.unit.tmux.test_round import _ABSURD, _FIELDS, HEAD, N, _spoilt


@pytest.mark.tc("TC-130")
@given(
    st.dictionaries(st.integers(0, _FIELDS - 1), st.sampled_from(_ABSURD) | st.text(max_size=8)),
    st.sampled_from(_ABSURD),
)
def test_a_pane_read_alone_is_read_or_the_reading_failed(fields: dict[int, str], history: str) -> None:
    row = _spoilt("%1", fields).removesuffix("\n")
    reply = HEAD.removesuffix("\n") + row + f"{N}0 0 {history} 0{N}\nhello\n"
    found = read(N, reply.encode("utf-8", "surrogatepass"), b"", 0)
    assert isinstance(found, OnePane | RoundFailure)
    if isinstance(found, OnePane) and found.row is not None:
        assert 0 <= found.history < 2**31 and 0 <= found.row.pid < 2**31
