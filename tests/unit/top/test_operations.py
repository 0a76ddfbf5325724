"""What can be done in the dashboard: ids, client methods and keys that exist."""

from __future__ import annotations

import pytest

from agtmux.client import Client
from agtmux.top.keys import BY_ID as KEYS
from agtmux.top.operations import OPERATIONS
from agtmuxd.core.action.request import Kind


@pytest.mark.tc("TC-306")
def test_every_operation_goes_through_a_method_of_the_client() -> None:
    """And through the same actions as the command line: none of them is missing."""
    for one in OPERATIONS:
        assert callable(getattr(Client, one.method)), one
        assert one.key is None or one.key in KEYS, one
        assert (one.kind is not None) is (one.method == "act"), one
    assert {one.kind for one in OPERATIONS} - {None} == {str(kind) for kind in Kind}
