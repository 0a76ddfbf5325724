"""Where things stand on terminals of any size."""

from __future__ import annotations

import pytest

from agtmux.top.layout import columns, shape


@pytest.mark.tc("TC-302")
def test_the_shape_follows_from_the_width_alone() -> None:
    assert [shape(width) for width in (1, 49, 50, 79, 119, 120, 400)] == ["narrow"] * 2 + ["stacked"] * 3 + ["wide"] * 2


@pytest.mark.tc("TC-302")
def test_the_columns_of_a_row_fit_its_width() -> None:
    """Whatever the width, the age stands where the table says, and nothing is negative."""
    for width in range(20, 250):
        check(width)


def check(width: int) -> None:
    at = columns(width)
    before = 2 + (1 + at.word if at.word else 0) + 1 + at.agent + 1 + at.place + 1
    assert at.age_at == before
    used = before + at.age + (1 + at.folder if at.folder else 0) + (2 + at.what if at.what else 0)
    assert used <= width
    assert min(at.word, at.agent, at.place, at.age, at.folder, at.what) >= 0
    if width >= 50:
        assert used == width
