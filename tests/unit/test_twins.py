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
        "actions/access.py",
        "actions/ack.py",
        "actions/approve.py",
        "actions/attach.py",
        "actions/deny.py",
        "actions/kinds.py",
        "adapters/generic/adapter.py",
        "adapters/generic/run_command.py",
        "adapters/qwen/adapter.py",
        "adapters/rules_only.py",
        "adapters/samples.py",
        "adapters/settings/text_file.py",
        "adapters/time_limit.py",
        "api/callers.py",
        "api/responses/actions.py",
        "api/responses/daemon.py",
        "api/responses/events.py",
        "api/responses/hooks.py",
        "api/responses/targets.py",
        "api/responses/watch.py",
        "api/routes/hooks.py",
        "cli/hook_help.py",
        "cli/kill.py",
        "core/screen/title.py",
        "core/screen/toml_lines.py",
        "core/state/observation.py",
        "core/state/ordering.py",
        "core/state/unchanged.py",
        "core/versions.py",
        "features/audit/model.py",
        "hooks/health.py",
        "hooks/lookup_files.py",
        "ingest/pane_items.py",
        "ingest/refresh_budget.py",
        "ingest/sinks.py",
        "log/flood.py",
        "protocol/errors.py",
        "remote_hooks/install_program.py",
        "services/actions.py",
        "services/spool_intake.py",
        "services/targets.py",
        "services/watch.py",
        "store/clock_repair.py",
        "targets/levels.py",
        "targets/limits.py",
        "targets/local/new_processes.py",
        "targets/oversize.py",
        "targets/pane_listing.py",
        "targets/unreadable_panes.py",
    }
)
"""Source files of at most ``MOST_LINES`` lines that other files' tests prove. Take names out; put none in."""

LARGE_WITHOUT_TWIN = {
    "adapters/pi/adapter.py": "its screens are recorded: tests/unit/adapters/test_screens.py and the corpus",
    "adapters/shared.py": "every adapter uses it: the tests of each agent and tests/integration/adapters",
    "api/responses/panes.py": "models only: tests/integration/api/responses/test_base.py compares answers with them",
    "api/routes/rules.py": "the program as a whole: tests/acceptance/test_rules.py",
    "cli/action_options.py": "the program as a whole: tests/acceptance/test_actions.py and its neighbours",
    "core/model.py": "values only: the tests of core/state use all of them",
    "features/contract.py": "types only: tests/integration/features/test_host.py uses them",
    "hooks/items.py": "the program as a whole: tests/acceptance/test_hooks.py",
    "ingest/context.py": "its parts are the pipeline's: tests/integration/ingest/test_pipeline_memory.py",
    "ingest/observations.py": "the pipeline as a whole: tests/integration/ingest/test_pipeline_walkthroughs.py",
    "repository.py": "the rows of every transaction: tests/integration/ingest/test_commit.py",
    "services/daemon.py": "the program as a whole: tests/acceptance/test_lifecycle.py",
    "store/actions.py": "the ledger reads and writes it: tests/integration/actions/test_ledger.py",
}
"""The same for larger files, each with what proves it."""

JOINS = ("feature.py", "routes.py")
"""Files of a feature that join its service to the daemon. The tests of the service ask over HTTP."""

MOST_LINES = 120
MOST_ENTRIES = 65
"""Names in both lists. Lower it with each name that you take out; never raise it."""


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
    missing = without_twin() - WITHOUT_TWIN - LARGE_WITHOUT_TWIN.keys()
    assert sorted(missing) == [], "name its test file after it, in the folder of its room"


@pytest.mark.tc("TC-249")
def test_the_list_of_files_without_a_test_file_only_shrinks() -> None:
    """A file of the list that has its test file by now, or is no more, is taken out."""
    listed = WITHOUT_TWIN | LARGE_WITHOUT_TWIN.keys()
    assert sorted(listed - without_twin()) == [], "take it out of the list"
    assert len(listed) == len(WITHOUT_TWIN) + len(LARGE_WITHOUT_TWIN) == MOST_ENTRIES, "lower MOST_ENTRIES; add no name"


@pytest.mark.tc("TC-249")
def test_a_large_file_has_a_test_file_of_its_name_or_a_reason_for_none() -> None:
    """Above 120 lines a file stands in the list with what proves it: test files that exist."""
    lines = {
        path.relative_to(top).as_posix(): path.read_text("utf-8").count("\n")
        for top in (SRC / "agtmux", SRC / "agtmuxd")
        for path in top.rglob("*.py")
    }
    assert [name for name in sorted(WITHOUT_TWIN) if lines[name] > MOST_LINES] == [], "give it a test file of its name"
    for name, reason in LARGE_WITHOUT_TWIN.items():
        proofs = [word.rstrip(",") for word in reason.split() if word.startswith("tests/")]
        assert all((TESTS.parent / proof).exists() for proof in proofs), (name, reason)
