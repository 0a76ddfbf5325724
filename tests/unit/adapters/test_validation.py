"""Which adapters are accepted: by their contract version, and by what they have."""

from __future__ import annotations

import pytest

from agtmuxd.adapters.contract import CONTRACT_VERSION
from agtmuxd.adapters.registry import Registry
from agtmuxd.adapters.validation import ContractError, check_contract
from tests.unit.adapters.toy import ToyAdapter


@pytest.mark.tc("TC-047")
@pytest.mark.parametrize("version", [CONTRACT_VERSION, "1.0", "1.7", "1.99.3", "1.2.0-rc1"])
def test_a_newer_minor_of_the_contract_is_accepted(version: str) -> None:
    check_contract("x", version)


@pytest.mark.tc("TC-047")
@pytest.mark.parametrize("version", ["0.9", "2.0", "2.0.1", "10.0", "1", "", "one", None, 1.0])
def test_another_major_or_no_version_is_refused_with_a_reason(version: object) -> None:
    with pytest.raises(ContractError) as caught:
        check_contract("x", version)
    assert "adapter x" in str(caught.value)
    assert repr(version) in str(caught.value) or str(version) in str(caught.value)


@pytest.mark.tc("TC-047")
def test_a_refused_adapter_is_not_used_and_the_reason_kept() -> None:
    class Future(ToyAdapter):
        contract_version = "2.0"

    registry = Registry()
    registry.add(Future())
    assert registry.get("toy") is None
    assert "2.0" in registry.refused["toy"]


def test_something_that_is_no_adapter_is_refused() -> None:
    class Half:
        name = "half"
        contract_version = CONTRACT_VERSION

    registry = Registry()
    registry.add(Half())  # type: ignore[arg-type]
    assert "contract" in registry.refused["half"]
