"""The house keeps its shape: imports point one way, the core is pure, the light path stays light."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.unit.daemon_stub import Stub, environment, listing, pane

SRC = Path(__file__).parents[2] / "src"

FLOORS: tuple[tuple[str, ...], ...] = (
    ("agtmux.protocol",),
    ("agtmuxd.core",),
    (
        "agtmuxd.stream.published",
        "agtmuxd.repository",
        "agtmuxd.config",
        "agtmuxd.log",
        "agtmuxd.clock",
        "agtmuxd.process",
    ),
    ("agtmuxd.stream.coordination", "agtmuxd.policy"),
    ("agtmuxd.tmux", "agtmuxd.adapters", "agtmuxd.store", "agtmuxd.stream"),
    (
        "agtmuxd.targets",
        "agtmuxd.store.retention",
        "agtmuxd.ingest.redactor",
        "agtmuxd.hooks.items",
        "agtmuxd.rules.folder",
        "agtmuxd.socket_repair",
    ),
    ("agtmuxd.ingest",),
    ("agtmuxd.actions", "agtmuxd.agents", "agtmuxd.ingest.spool"),
    ("agtmuxd.api",),
    ("agtmuxd.rules.trial",),
    ("agtmuxd.target_manager", "agtmuxd.remote_hooks", "agtmuxd.rules", "agtmuxd.hooks", "agtmuxd.services.health"),
    ("agtmuxd.services",),
    ("agtmuxd.features",),
    tuple(f"agtmuxd.features.{folder.parent.name}" for folder in SRC.glob("agtmuxd/features/*/__init__.py")),
    ("agtmuxd.parts",),
    ("agtmuxd.resources",),
    ("agtmuxd.daemon",),
    ("agtmuxd.__main__",),
)
"""The daemon's rooms from the ground up: a room imports itself and what lies below it. Rooms of one floor are siblings
and do not know each other."""

CLIENT_FLOORS: tuple[tuple[str, ...], ...] = (
    ("agtmux.protocol",),
    ("agtmux.columns",),
    (
        "agtmux.git",
        "agtmux.transport",
        "agtmux.hook",
        "agtmux.render",
        "agtmux.templates",
        "agtmux.terminal",
        "agtmux.installation",
        "agtmux.written_files",
    ),
    ("agtmux.client", "agtmux.service", "agtmux.cli.explain_text"),
    ("agtmux.status", "agtmux.top", "agtmux.doctor", "agtmux.menubar", "agtmux.mcp"),
    ("agtmux.cli",),
    ("agtmux.__main__",),
)

WITH_TEXTUAL = ("agent_commands", "app", "fields", "panels", "screens", "coord_screens", "style", "themes", "widgets")
"""Modules of the dashboard that draw. The others decide what is shown, and are tested without a screen."""

NOT_FOR_FEATURES = ("adapters", "daemon", "ingest", "remote_hooks", "target_manager", "targets", "tmux")
"""Rooms that reach panes or decide states. A feature acts by ``actions.runner`` and reads what is published."""

MOST_LINES = 500
MOST_LINES_OF_A_FUNCTION = 60

IMPURE = {"asyncio", "logging", "random", "select", "socket", "sqlite3", "structlog", "subprocess", "threading", "time"}
HEAVY = {
    "pydantic",
    "asyncio",
    "aiohttp",
    "http.client",
    "importlib.metadata",
    "rich",
    "textual",
    "platformdirs",
    "structlog",
    "tomllib",
}


def modules(package: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((SRC / package).rglob("*.py")):
        name = ".".join(path.relative_to(SRC).with_suffix("").parts)
        yield name.removesuffix(".__init__"), ast.parse(path.read_text(), str(path))


def imports(tree: ast.Module) -> set[str]:
    """Every module named by an import anywhere in the file; ``from a import b`` counts as ``a.b``."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def room(name: str, floors: tuple[tuple[str, ...], ...]) -> tuple[int, str] | None:
    fits = [(n, r) for n, floor in enumerate(floors) for r in floor if name == r or name.startswith(f"{r}.")]
    return max(fits, key=lambda fit: len(fit[1]), default=None)


@pytest.mark.tc("TC-111")
@pytest.mark.parametrize(("package", "floors"), [("agtmuxd", FLOORS), ("agtmux", CLIENT_FLOORS)])
def test_every_import_points_down(package: str, floors: tuple[tuple[str, ...], ...]) -> None:
    wrong = []
    for name, tree in modules(package):
        if name == package:
            assert not any(found.startswith("agtmux") for found in imports(tree)), name
            continue
        own = room(name, floors)
        assert own is not None, f"{name} has no room: give it a place in the table, and in docs/architecture.md"
        for found in imports(tree):
            if not found.startswith("agtmux") or found == "agtmux.__version__":
                continue
            other = room(found, floors)
            if other is None or (other[1] != own[1] and other[0] >= own[0]):
                wrong.append(f"{name} imports {found}")
    assert wrong == []


@pytest.mark.tc("TC-111")
def test_a_feature_reaches_no_pane_itself() -> None:
    wrong = [
        f"{name} imports {found}"
        for name, tree in modules("agtmuxd/features")
        if name.count(".") > 2
        for found in imports(tree)
        if found.startswith(tuple(f"agtmuxd.{other}." for other in NOT_FOR_FEATURES))
    ]
    assert wrong == []


def import_graph(trees: Mapping[str, ast.Module]) -> dict[str, set[str]]:
    """Which of these modules each imports, wherever in its file: under ``TYPE_CHECKING`` and in functions too."""
    graph: dict[str, set[str]] = {}
    for name, tree in trees.items():
        graph[name] = set()
        for found in imports(tree):
            while found and found not in trees:
                found = found.rpartition(".")[0]
            graph[name] |= {found} - {"", name}
    return graph


def circles(graph: Mapping[str, set[str]]) -> list[str]:
    """The modules in circles, and between them. A module that imports none of them, or that none imports, is left out
    until nothing changes."""
    left = {name: set(others) for name, others in graph.items()}
    while True:
        imported = set().union(*left.values()) if left else set()
        loose = {name for name, others in left.items() if not others or name not in imported}
        if not loose:
            break
        left = {name: others - loose for name, others in left.items() if name not in loose}
    return sorted(left)


@pytest.mark.tc("TC-230")
def test_no_modules_import_each_other_in_a_circle() -> None:
    """An import that only a type checker sees counts too: it hides a circle, it does not break one."""
    trees = {name: tree for package in ("agtmuxd", "agtmux") for name, tree in modules(package)}
    assert circles(import_graph(trees)) == []


@pytest.mark.tc("TC-230")
def test_a_circle_is_found_also_where_one_import_is_for_types_only() -> None:
    texts = {
        "p.a": "from p.b import B",
        "p.b": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from p.c import C",
        "p.c": "def late():\n    from p import a",
        "p.d": "import p.a",
        "p": "",
    }
    assert circles(import_graph({name: ast.parse(text) for name, text in texts.items()})) == ["p.a", "p.b", "p.c"]


@pytest.mark.tc("TC-230")
def test_no_module_and_no_function_is_too_long_to_be_read_at_once() -> None:
    long = []
    for package in ("agtmuxd", "agtmux"):
        for path in sorted((SRC / package).rglob("*.py")):
            text = path.read_text("utf-8")
            if text.count("\n") > MOST_LINES:
                long.append(f"{path.relative_to(SRC)}: {text.count(chr(10))} lines")
            for node in ast.walk(ast.parse(text)):
                if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    continue
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MOST_LINES_OF_A_FUNCTION:
                    long.append(f"{path.relative_to(SRC)}:{node.lineno} {node.name}: {lines} lines")
    assert long == []


@pytest.mark.tc("TC-111")
@pytest.mark.parametrize("package", ["agtmuxd/core", "agtmuxd/tmux"])
def test_the_pure_rooms_have_no_clock_wait_or_log(package: str) -> None:
    for name, tree in modules(package):
        assert not {found.split(".")[0] for found in imports(tree)} & IMPURE, name
        waits = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
        assert not any(isinstance(node, waits) for node in ast.walk(tree)), name
        calls = {
            node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not calls & {"open", "print", "input"}, name


@pytest.mark.tc("TC-111")
def test_rich_textual_and_click_are_named_where_they_belong() -> None:
    """rich by tables and the dashboard, textual by the dashboard's widgets alone, click by commands."""
    named = {
        package: {name for name, tree in modules("agtmux") if any(f.split(".")[0] == package for f in imports(tree))}
        for package in ("rich", "textual", "click")
    }
    assert {name for name in named["rich"] if not name.startswith("agtmux.top.")} == {"agtmux.render"}
    assert all(name.startswith("agtmux.cli.") for name in named["click"])
    assert named["textual"] <= {f"agtmux.top.{module}" for module in WITH_TEXTUAL}


def loaded(folder: Path, *argv: str) -> set[str]:
    """The modules that one run of the command line had loaded when it ended."""
    output = (
        "import os, sys\n"
        "end = os._exit\n"
        "def tell(status=0):\n"
        "    os.write(3, '\\n'.join(sys.modules).encode()); end(0)\n"
        "os._exit = tell\n"
        f"sys.argv = {['agtmux', *argv]!r}\n"
        "from agtmux.__main__ import main\n"
        "main(); sys.stdout.flush(); tell()\n"
    )
    out = folder / "modules"
    with out.open("wb") as file:
        subprocess.run(
            ["sh", "-c", f'exec "$@" 3>"{out}"', "sh", sys.executable, "-I", "-c", output], input=b"{}", check=True,
            stdout=subprocess.DEVNULL, env=environment(folder, AGTMUX_HOOK_CAP_MS="5000"), timeout=60,
        )  # fmt: skip
    assert file.closed
    return set(out.read_text().splitlines())


@pytest.fixture
def stub(short_dir: Path) -> Iterator[Stub]:
    (short_dir / "run").mkdir(mode=0o700)
    served = Stub(short_dir / "run" / "agtmuxd.sock").start()
    served.answer("GET /v1/panes", listing(pane()))
    served.answer("POST /v1/events", {})
    yield served
    served.stop()


@pytest.mark.tc("TC-111")
@pytest.mark.parametrize("argv", [["list", "panes", "--json"], ["list", "panes"], ["ls", "--json"], ["-h"]])
def test_a_listing_in_a_pipe_loads_nothing_heavy(short_dir: Path, stub: Stub, argv: list[str]) -> None:
    names = loaded(short_dir, *argv)
    assert names & {"agtmux.cli.root"}
    assert not names & HEAVY
    assert not {name for name in names if name.startswith("agtmuxd")}


@pytest.mark.tc("TC-111")
@pytest.mark.parametrize("name", ["plain", "tmux", "waybar", "json"])
def test_status_loads_next_to_nothing(short_dir: Path, stub: Stub, name: str) -> None:
    names = loaded(short_dir, "status", "--format", name)
    assert "agtmux.status" in names
    assert not names & {*HEAVY, "click", "subprocess"}
    assert not {name for name in names if name.startswith(("agtmuxd", "agtmux.cli."))}


@pytest.mark.tc("TC-111")
@pytest.mark.parametrize(
    ("imported", "absent"),
    [
        ("agtmux.cli.root, agtmux.cli.top", {"textual", "rich", "aiohttp", "pydantic", "asyncio"}),
        ("agtmux.top.feed, agtmux.top.card, agtmux.top.keys", {"textual", "aiohttp", "pydantic", "asyncio"}),
        ("agtmux.top.app, agtmux.top.fields", {"aiohttp", "pydantic", "click", "structlog"}),
    ],
)
def test_only_the_dashboard_loads_textual_and_it_loads_nothing_of_the_daemon(imported: str, absent: set[str]) -> None:
    """The command that starts it is light, so that the stream is opened while textual is loaded."""
    names = set(subprocess.run(
        [sys.executable, "-I", "-c", f"import sys, {imported}; print('\\n'.join(sys.modules))"],
        capture_output=True, text=True, check=True,
    ).stdout.split())  # fmt: skip
    assert not names & absent
    assert not {name for name in names if name.startswith("agtmuxd")}


@pytest.mark.tc("TC-111")
@pytest.mark.parametrize("served", [True, False], ids=["posted", "spooled"])
def test_the_hook_loads_next_to_nothing(short_dir: Path, stub: Stub, served: bool) -> None:
    if not served:
        stub.stop()
    bare = set(subprocess.run(
        [sys.executable, "-I", "-c", "import sys, json, select, signal, socket, fcntl; print('\\n'.join(sys.modules))"],
        capture_output=True, text=True, check=True,
    ).stdout.split())  # fmt: skip
    more = {name for name in loaded(short_dir, "hook", "claude") if not name.startswith("agtmux.")} - bare
    assert more <= {"agtmux", "__future__"}
    assert json.loads((short_dir / "state" / "spool.jsonl").read_text() if not served else "{}") is not None
