"""The rooms of the house: what lies in the daemon's root, and what has a module of its own."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import cast

import pytest

import agtmuxd
from agtmuxd.actions.kinds import action_functions
from agtmuxd.core.action.request import Kind
from agtmuxd.ingest.pipeline import Pipeline

ROOT = {
    "__init__", "__main__", "daemon", "process", "socket_repair", "config", "clock", "repository", "parts", "resources",
    "core", "tmux", "adapters", "store", "targets", "target_manager", "ingest", "stream", "actions", "rules", "hooks",
    "remote_hooks", "services", "agents", "policy", "api", "features", "log",
}  # fmt: skip
"""A name that is not here belongs into a room."""
MODULES = {Kind.VIEW: "view_output"}


@pytest.mark.tc("TC-234")
def test_no_loose_module_lies_in_the_root_of_the_daemon() -> None:
    """The root has the composition root, what it stands on, and the rooms."""
    root = Path(agtmuxd.__path__[0])
    found = {path.stem for path in root.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert found <= ROOT


@pytest.mark.tc("TC-235")
def test_each_kind_of_action_has_a_module_of_its_name() -> None:
    """What the runner looks into knows all kinds, and each is defined where its name says."""
    table = action_functions(cast(Pipeline, None))
    assert set(table) == set(Kind)
    for kind, act in table.items():
        module = import_module(f"agtmuxd.actions.{MODULES.get(kind, kind)}")
        assert act.__module__ == module.__name__, kind
