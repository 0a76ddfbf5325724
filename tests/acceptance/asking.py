"""Asking for actions by the API: what came of it, or the code and reason of the refusal. Knows no test."""

from __future__ import annotations

from typing import Any

import pytest

from agtmux.cli.action_options import uuid7
from agtmux.protocol.errors import AgtmuxError
from tests.acceptance.stage import PATIENCE, Daemon, Item


def ask(daemon: Daemon, kind: str, ref: str, **body: Any) -> Item:
    """One action by the API. Raises AgtmuxError."""
    return daemon.client.act(kind, {"request_ref": uuid7(), "ref": ref, **body}, PATIENCE).json()


def refusal(daemon: Daemon, kind: str, ref: str, **body: Any) -> tuple[str, str]:
    """Code and reason of an action that must be refused."""
    with pytest.raises(AgtmuxError) as caught:
        ask(daemon, kind, ref, **body)
    return caught.value.code, str(caught.value.details.get("reason"))
