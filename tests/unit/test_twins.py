"""The tests mirror the source, room by room: who changes a file finds its tests by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SRC = TESTS.parent / "src"
MIRRORS = (
    ("unit", ""), ("integration", ""), ("ssh", "targets/ssh/"), ("ssh", "targets/"), ("ssh", ""), ("acceptance", ""),
    ("acceptance", "cli/"),
)  # fmt: skip
"""A folder of ``tests``, and the room that it mirrors. What needs a running sshd is in ``ssh``.

What starts the whole program is in ``acceptance``, named for a command or for a file beside the rooms."""

WITHOUT_TWIN = frozenset(
    {
        "__main__.py",
        "parts.py",
        "resources.py",
        "process.py",
        "repository.py",
        "actions/access.py",
        "actions/ack.py",
        "actions/approve.py",
        "actions/attach.py",
        "actions/deny.py",
        "actions/kinds.py",
        "adapters/generic/adapter.py",
        "adapters/generic/run_command.py",
        "adapters/pi/adapter.py",
        "adapters/qwen/adapter.py",
        "adapters/rules_only.py",
        "adapters/samples.py",
        "adapters/settings/text_file.py",
        "adapters/shared.py",
        "adapters/time_limit.py",
        "api/callers.py",
        "api/responses/actions.py",
        "api/responses/daemon.py",
        "api/responses/events.py",
        "api/responses/hooks.py",
        "api/responses/panes.py",
        "api/responses/targets.py",
        "api/responses/watch.py",
        "api/routes/hooks.py",
        "api/routes/rules.py",
        "cli/action_options.py",
        "cli/hook_help.py",
        "cli/kill.py",
        "cli/send.py",
        "cli/spawn.py",
        "core/action/request.py",
        "core/model.py",
        "core/screen/title.py",
        "core/screen/toml_lines.py",
        "core/state/observation.py",
        "core/state/ordering.py",
        "core/state/unchanged.py",
        "core/versions.py",
        "features/audit/model.py",
        "features/contract.py",
        "hooks/health.py",
        "hooks/items.py",
        "hooks/lookup_files.py",
        "ingest/context.py",
        "ingest/observations.py",
        "ingest/pane_items.py",
        "ingest/refresh_budget.py",
        "ingest/sinks.py",
        "log/flood.py",
        "protocol/errors.py",
        "remote_hooks/install_program.py",
        "services/actions.py",
        "services/daemon.py",
        "services/spool_intake.py",
        "services/targets.py",
        "services/watch.py",
        "store/actions.py",
        "store/clock_repair.py",
        "target_manager/watches.py",
        "targets/levels.py",
        "targets/limits.py",
        "targets/local/agent_server.py",
        "targets/local/new_processes.py",
        "targets/oversize.py",
        "targets/pane_listing.py",
        "targets/recognition.py",
        "targets/unreadable_panes.py",
    }
)
"""Source files that other files' tests prove. Take names out; put none in: a new file gets a test of its name."""


JOINS = ("feature.py", "routes.py")
"""Files of a feature that join its service to the daemon. The tests of the service ask over HTTP."""


def sources() -> list[Path]:
    """Every source file but the packages' own and ``JOINS``, by its place in its program."""
    found = [path.relative_to(top) for top in (SRC / "agtmux", SRC / "agtmuxd") for path in sorted(top.rglob("*.py"))]
    return [path for path in found if path.name not in ("__init__.py", *JOINS)]


def names(room: str) -> set[str]:
    """What the test files of a room are named for: ``hub`` for ``test_hub.py``, ``hub_end`` for ``test_hub_end.py``."""
    folders = [TESTS / top / room[len(under) :] for top, under in MIRRORS if f"{room}/".startswith(under)]
    return {path.stem.removeprefix("test_") for folder in folders for path in folder.glob("test_*.py")}


def without_twin() -> set[str]:
    missing = set()
    for source in sources():
        room = source.parent.as_posix()
        stems = {other.stem for other in sources() if other.parent == source.parent}
        longer = {stem for stem in stems if stem.startswith(f"{source.stem}_")}
        found = {name for name in names(room) if f"{name}_".startswith(f"{source.stem}_")}
        if all(any(f"{name}_".startswith(f"{stem}_") for stem in longer) for name in found):
            missing.add(source.as_posix())
    return missing


@pytest.mark.tc("TC-249")
def test_each_source_file_has_a_test_file_of_its_name() -> None:
    """``ingest/spool.py`` has ``test_spool.py`` in ``tests/unit/ingest`` or in ``tests/integration/ingest``."""
    assert sorted(without_twin() - WITHOUT_TWIN) == [], "name its test file after it, in the folder of its room"


@pytest.mark.tc("TC-249")
def test_the_list_of_files_without_a_test_file_only_shrinks() -> None:
    """A file of the list that has its test file by now, or is no more, is taken out."""
    assert sorted(WITHOUT_TWIN - without_twin()) == [], "take it out of WITHOUT_TWIN"
