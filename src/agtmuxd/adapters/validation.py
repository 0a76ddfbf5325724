"""Check that an adapter can be used: its contract version and the parts of the contract that it has. Pure."""

from __future__ import annotations

import re

from agtmuxd.adapters.contract import CONTRACT_VERSION, Adapter


class ContractError(ValueError):
    """The adapter was written for another contract."""


def check_contract(name: str, version: object) -> None:
    """Accept the same major version with any minor version. Raises ContractError with the reason."""
    found = re.fullmatch(r"(\d+)\.(\d+)(?:\.\d+)?(?:[-+].*)?", version) if isinstance(version, str) else None
    if found is None:
        raise ContractError(f"adapter {name}: contract_version {version!r} is not a version like {CONTRACT_VERSION}")
    major = int(CONTRACT_VERSION.split(".", 1)[0])
    if int(found.group(1)) != major:
        raise ContractError(
            f"adapter {name}: made for contract {version}, this daemon has {CONTRACT_VERSION}; "
            f"only {major}.x can be used"
        )


def missing_parts(adapter: object) -> list[str]:
    """Return the parts of the contract that the adapter lacks."""
    parts = {*Adapter.__annotations__, *(n for n, part in vars(Adapter).items() if callable(part) and n[0] != "_")}
    return sorted(part for part in parts if not hasattr(adapter, part))
