"""What is shipped: the wheel and the source archive hold what a running agtmux needs, and an installed one is whole.

Built and installed without a network: dependencies are lent by the environment that the tests run in.
"""

from __future__ import annotations

import ast
import fcntl
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.acceptance.stage import PATIENCE, Place
from tests.conftest import until

ROOT = Path(__file__).parents[2]
COMES_WITH = {"multidict", "pydantic_core", "yarl"}
"""Parts of aiohttp and pydantic, whose own interfaces name them."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def run(*argv: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None, stdin: str = "") -> str:
    """The output of a program that has to succeed."""
    done = subprocess.run(
        [str(word) for word in argv], cwd=cwd, env=env, input=stdin, capture_output=True, text=True, check=False,
        timeout=4 * PATIENCE,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.fail(f"{argv} exits with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive, built once for all workers of this run."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "shipped"
    with (folder.parent / "shipped.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-t", "sdist", "-d", folder, cwd=ROOT)
            (folder / "done").touch()
    return folder


def wheel_of(folder: Path) -> Path:
    return next(folder.glob("*.whl"))


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def sources() -> set[str]:
    """Every file that is kept below src, and the migrations where the program looks for them."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "src", "migrations", cwd=ROOT)
    there = [Path(name) for name in listed.splitlines() if (ROOT / name).is_file()]
    return {str(p.relative_to("src") if p.parts[0] == "src" else Path("agtmuxd") / p) for p in there}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no checkout: what belongs to the project cannot be told")
def test_the_wheel_holds_every_file_of_the_program_and_no_other(shipped: Path) -> None:
    names = names_in(wheel_of(shipped))
    assert names == sources()
    assert names >= {
        "agtmuxd/remote_hooks/hook_program.py", "agtmuxd/remote_hooks/place_files.py",
        "agtmuxd/adapters/opencode/plugin.js", "agtmuxd/adapters/claude/rules.toml",
        "agtmuxd/migrations/0001_core.up.sql", "agtmuxd/py.typed",
    }  # fmt: skip
    with zipfile.ZipFile(wheel_of(shipped)) as archive:
        expected = {name.rpartition("/")[2]: name for name in archive.namelist() if ".dist-info/" in name}
        scripts = archive.read(expected["entry_points.txt"]).decode()
    assert dict(re.findall(r"^(\w+) = (\S+)$", scripts, re.M)) == PROJECT["project"]["scripts"]
    assert {"LICENSE", "METADATA"} <= set(expected)


def test_the_source_archive_makes_the_same_wheel(shipped: Path, tmp_path: Path) -> None:
    run("tar", "-xzf", next(shipped.glob("*.tar.gz")), cwd=tmp_path)
    (unpacked,) = tmp_path.iterdir()
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "again", cwd=unpacked)
    assert names_in(wheel_of(tmp_path / "again")) == names_in(wheel_of(shipped))
    assert {"README.md", "LICENSE", "CHANGELOG.md", "Makefile", "tests", "docs"} <= {p.name for p in unpacked.iterdir()}


def test_what_is_imported_is_declared() -> None:
    project = PROJECT["project"]
    extras = [line for name, lines in project["optional-dependencies"].items() if name != "dev" for line in lines]
    declared = {re.split(r"[<>=\[; ]", line)[0].lower() for line in [*project["dependencies"], *extras]}
    makers = packages_distributions()
    used: dict[str, str] = {}
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            used.update({module.partition(".")[0]: path.name for module in modules})
    others = {top: file for top, file in used.items() if top not in sys.stdlib_module_names and "agtmux" not in top}
    assert {makers[top][0].lower() for top in others} - COMES_WITH == declared, others


class Installed:
    """agtmux as pipx installs it: a virtual environment of its own, and links in a folder on PATH."""

    def __init__(self, place: Place, wheel: Path) -> None:
        self.place, self.wheel = place, wheel
        self.venv = place.root / "venv"
        self.bin = place.home / ".local/bin"
        self.bin.mkdir(parents=True)
        self.env = {**place.env, "PATH": f"{self.bin}:{place.env['PATH']}"}
        self.install()

    def install(self) -> None:
        """Make the environment anew, as ``pipx install --force`` does; the links stay as they are."""
        shutil.rmtree(self.venv, ignore_errors=True)
        run(sys.executable, "-m", "venv", "--without-pip", self.venv)
        python = self.venv / "bin/python"
        quiet = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", "--no-compile")
        run(sys.executable, "-m", "pip", "--python", python, "install", *quiet, self.wheel)
        packages = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
        (Path(packages) / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
        for name in ("agtmux", "agtmuxd"):
            link = self.bin / name
            if not link.is_symlink():
                link.symlink_to(self.venv / "bin" / name)

    def cli(self, *arguments: str) -> str:
        return run("agtmux", *arguments, env=self.env, cwd=self.place.root)

    def say(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [str(self.bin / "agtmux"), *arguments]
        return subprocess.run(
            argv, env=self.env, cwd=self.place.root, capture_output=True, text=True, timeout=PATIENCE, check=False
        )


@pytest.fixture
def installed(place: Place, shipped: Path) -> Iterator[Installed]:
    made = Installed(place, wheel_of(shipped))
    yield made
    if (made.bin / "agtmux").exists():
        made.say("daemon", "stop")


def claude_says(command: str, env: dict[str, str]) -> tuple[int, str]:
    """Run a hook as an agent does."""
    payload = json.dumps({"hook_event_name": "Stop", "session_id": "s"})
    done = subprocess.run(
        ["sh", "-c", command], env=env, input=payload, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_what_is_installed_runs_and_its_hooks_outlive_an_upgrade_and_its_end(installed: Installed) -> None:
    place = installed.place
    where = "import agtmux, agtmuxd; print(agtmux.__file__, agtmuxd.__file__)"
    found = run(installed.venv / "bin/python", "-P", "-c", where, cwd=place.root).split()
    assert all(Path(name).is_relative_to(installed.venv) for name in found), found
    assert json.loads(installed.cli("list", "panes", "--json"))["items"] == [], "the first command starts the daemon"
    output = installed.cli("rules", "check")
    assert all(f"{agent}: " in output for agent in ("claude", "codex", "gemini", "copilot", "opencode", "cursor"))
    (place.home / ".claude").mkdir()
    settings = place.home / ".claude/settings.json"
    shim = shlex.quote(str(installed.bin / "agtmux"))
    planned = installed.cli("hooks", "install", "--dry-run")
    assert f"{shim} hook claude" in planned
    assert not settings.exists()
    installed.cli("hooks", "install")
    assert str(installed.venv) not in settings.read_text(), "the link, which stays where it is"
    hooks = json.loads(settings.read_text())["hooks"]["Stop"]
    command = hooks[0]["hooks"][0]["command"]
    assert command.startswith(f"{shim} hook claude")

    before = json.loads(installed.cli("daemon", "status", "--json"))["pid"]
    installed.install()  # the upgrade
    assert claude_says(command, installed.env) == (0, "")
    installed.cli("daemon", "restart")
    assert json.loads(installed.cli("daemon", "status", "--json"))["pid"] != before
    installed.cli("hooks", "install")
    assert json.loads(settings.read_text())["hooks"]["Stop"] == hooks, "nothing is outdated"
    body = json.loads(installed.cli("hooks", "status", "--agent", "claude", "--json"))["items"][0]
    assert (body["installed"], body["outdated"]) == (True, False)
    assert "test event: arrived" in installed.cli("hooks", "status", "--agent", "claude")

    installed.cli("daemon", "stop")
    until(lambda: not place.socket.exists(), within=PATIENCE, what="the daemon has stopped")
    shutil.rmtree(installed.venv)
    assert claude_says(command, installed.env) == (0, ""), "a hook that was left behind does and says nothing"


@pytest.mark.parametrize("tool", ["pipx", "uv"])
def test_the_tools_that_readme_names_install_it_and_take_it_away(tool: str, shipped: Path, place: Place) -> None:
    program = shutil.which(tool)
    if program is None:
        pytest.skip(f"{tool} is not installed")
    env = {**os.environ, **place.env, "PATH": os.environ["PATH"]}
    for name, folder in (
        ("PIPX_HOME", "pipx"),
        ("PIPX_BIN_DIR", "bin"),
        ("UV_TOOL_DIR", "uv"),
        ("UV_TOOL_BIN_DIR", "bin"),
    ):
        env[name] = str(place.root / folder)
    verbs = ("tool",) if tool == "uv" else ()
    got = subprocess.run(
        [program, *verbs, "install", wheel_of(shipped)], env=env, capture_output=True, text=True, check=False,
        timeout=300,
    )  # fmt: skip
    if got.returncode != 0:
        pytest.skip(f"{tool} cannot install here: {got.stderr[-300:]}")
    shim = place.root / "bin/agtmux"
    assert json.loads(run(shim, "list", "panes", "--json", env=env))["items"] == []
    (place.home / ".claude").mkdir()
    assert f"{shim} hook claude" in run(shim, "hooks", "install", "--dry-run", env=env)
    run(program, *verbs, "install", "--force", wheel_of(shipped), env=env)
    assert shim.is_symlink()
    run(shim, "daemon", "restart", env=env)
    run(shim, "daemon", "stop", env=env)
    run(program, *verbs, "uninstall", "agtmux", env=env)
    assert not shim.is_symlink()
