"""The types that all sections use."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from agtmuxd.config.base import Duration, Span, Table

pytestmark = pytest.mark.tc("TC-411")


class Example(Table):
    wait: Duration = 0
    span: Span = 0


def test_a_duration_is_a_number_of_seconds_or_has_a_unit() -> None:
    found = Example.model_validate({"wait": "2h", "span": 1.5})
    assert (found.wait, found.span) == (7200.0, 1.5)


@pytest.mark.parametrize("values", [{"wait": "soon"}, {"wait": -1}, {"span": "8d"}, {"wiat": 1}])
def test_what_is_no_duration_too_long_or_unknown_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Example.model_validate(values)
