"""Runs the real-CLI tests over other versions of the agents than the pinned ones: ``make drift``.

Each version is installed from npm once, into a folder of its own (``$AGTMUX_DRIFT_CACHE``, by default
``.cache/drift``). The tests then take the agent from there; the pinned CLIs stay as they are. How a new version is
taken in stands in ``docs/agent-versions.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.agents.kinds import KINDS
from tests.agents.world import REPO

PACKAGES = {agent: kind.package for agent, kind in KINDS.items()}
PINS = REPO / "tests/agents/node"
NODE = f"node-{sys.platform}-{ {'x86_64': 'x64', 'aarch64': 'arm64'}.get(platform.machine(), platform.machine()) }"
"""The npm package that is nothing but Node's program for this platform."""
FAILED, SKIPPED = 1, 3


class DriftError(Exception):
    """Why nothing could be tried, and what to do."""


@dataclass
class Count:
    """What the tests of one agent came to. ``failed``: name of the test, first line of what it said."""

    passed: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)


# ---------------------------------------------------------------- versions
def asked(specs: Iterable[str]) -> dict[str, str]:
    """``["codex@0.145.0", "claude"]`` as version by agent, empty for the newest; of no spec every agent's newest.

    Raises DriftError for an agent that is not known.
    """
    found: dict[str, str] = {}
    for spec in specs or PACKAGES:
        agent, _, version = spec.partition("@")
        if agent not in PACKAGES:
            raise DriftError(
                f"there is no agent {agent!r}; --agent takes {', '.join(PACKAGES)}, or one of them @VERSION"
            )
        found[agent] = version
    return found


def published_before(times: Mapping[str, str], moment: datetime) -> str:
    """The version that was the newest release at ``moment``, by npm's table of times. Raises DriftError for none."""
    releases = {
        version: datetime.fromisoformat(at) for version, at in times.items() if re.fullmatch(r"\d+\.\d+\.\d+", version)
    }
    old = [version for version, at in releases.items() if at <= moment]
    if not old:
        raise DriftError(f"nothing had been published by {moment:%Y-%m-%d}")
    return max(old, key=lambda version: releases[version])


def pinned() -> dict[str, str]:
    """Version by agent of ``node/package.json``."""
    body = json.loads((PINS / "package.json").read_text(encoding="utf-8"))
    versions = body["dependencies"] | body.get("optionalDependencies", {})
    return {agent: versions[package] for agent, package in PACKAGES.items()}


def npm(*argv: str, cwd: Path | None = None) -> str:
    """Standard output of npm. Raises DriftError with its first complaint."""
    if shutil.which("npm") is None:
        raise DriftError("npm is missing: run scripts/setup.sh node")
    done = subprocess.run(
        ["npm", *argv, "--fetch-retries=1"], cwd=cwd or PINS, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        output = [line for line in done.stderr.splitlines() if re.match(r"npm (error|ERR!)(?! code)", line)]
        raise DriftError(f"npm {' '.join(argv[:2])}: {output[0][:160] if output else 'it failed and said nothing'}")
    return done.stdout


def resolve(wanted: Mapping[str, str], days: int) -> dict[str, str]:
    """The versions that are meant: as named, else the newest of ``days`` ago (0: of now)."""
    found: dict[str, str] = {}
    for agent, version in wanted.items():
        package = PACKAGES[agent]
        if version:
            found[agent] = version
        elif days:
            moment = datetime.now(UTC) - timedelta(days=days)
            found[agent] = published_before(json.loads(npm("view", package, "time", "--json")), moment)
        else:
            found[agent] = npm("view", package, "version").strip()
    return found


# ---------------------------------------------------------------- installing
def cache() -> Path:
    """Where versions are kept."""
    return Path(os.environ.get("AGTMUX_DRIFT_CACHE") or REPO / ".cache/drift").resolve()


def install(name: str, package: str, version: str) -> Path:
    """The ``node_modules`` with that version of a package, installed once, without install scripts."""
    folder = cache() / f"{name}@{version}"
    if (folder / "node_modules").is_dir():
        return folder / "node_modules"
    print(f"drift: installing {package}@{version} into {folder}", flush=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=folder.parent))
    try:
        shutil.copy(PINS / ".npmrc", part)
        listed = {"name": "agtmux-drift", "private": True, "dependencies": {package: version}}
        (part / "package.json").write_text(json.dumps(listed))
        npm("install", "--no-progress", cwd=part)
        part.chmod(0o755)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder / "node_modules"


def node_wanted(agent: str, modules: Path) -> str:
    """What the package asks of Node, as its ``engines`` have it; empty for nothing."""
    body: dict[str, Any] = json.loads((modules / PACKAGES[agent] / "package.json").read_text(encoding="utf-8"))
    return str(body.get("engines", {}).get("node", ""))


# ---------------------------------------------------------------- running and telling
def run(modules: Mapping[str, Path], node: Path | None, more: list[str]) -> tuple[int, dict[str, Count]]:
    """Runs the real-CLI tests of these agents; pytest's exit status, and what they came to by agent."""
    env = dict(os.environ)
    env["AGTMUX_TEST_AGENTS"] = ",".join(modules)
    env["AGTMUX_TEST_MODULES"] = ",".join(f"{agent}={path}" for agent, path in modules.items())
    if node is not None:
        env["PATH"] = f"{node}:{env['PATH']}"
    with tempfile.TemporaryDirectory(prefix="drift-") as folder:
        report = Path(folder, "report.xml")
        argv = [sys.executable, "-m", "tests.agents.isolate", sys.executable, "-m", "pytest", "-q", "-m", "agents"]
        argv += ["-n", "2", "-o", "junit_family=xunit1", "tests/agents", f"--junitxml={report}", *more]
        code = subprocess.run(argv, cwd=REPO, env=env, check=False).returncode
        return code, count(report.read_text(encoding="utf-8")) if report.exists() else {}


def count(report: str) -> dict[str, Count]:
    """What a JUnit report says by agent; tests that were skipped do not count. A test of several counts for each."""
    found: dict[str, Count] = {}
    for case in ElementTree.fromstring(report).iter("testcase"):  # noqa: S314 - of our own pytest
        agents = {one.get("value") or "" for one in case.iter("property") if one.get("name") == "agent"}
        wrong = next((one for kind in ("failure", "error") for one in case.iter(kind)), None)
        if case.find("skipped") is not None:
            continue
        for agent in sorted(agents):
            result = found.setdefault(agent, Count())
            if wrong is None:
                result.passed += 1
            else:
                name = f"{(case.get('classname') or '').rpartition('.')[2]}::{case.get('name')}"
                result.failed.append((name, (wrong.get("message") or "").split("\n")[0][:160]))
    return found


def table(versions: Mapping[str, str], pins: Mapping[str, str], counts: Mapping[str, Count]) -> str:
    """One row an agent, below it what failed."""
    rows = [f"{'agent':<10}{'pinned':<12}{'tried':<12}{'passed':>6}  {'failed':>6}"]
    for agent, version in versions.items():
        result = counts.get(agent, Count())
        rows.append(f"{agent:<10}{pins[agent]:<12}{version:<12}{result.passed:>6}  {len(result.failed):>6}")
        rows += [f"  {name}: {one_answer}" for name, one_answer in result.failed]
    return "\n".join(rows)


def pin(versions: Mapping[str, str]) -> None:
    """Writes these versions into ``node/package.json`` and its lock."""
    path = PINS / "package.json"
    body = json.loads(path.read_text(encoding="utf-8"))
    for agent, version in versions.items():
        for part in ("dependencies", "optionalDependencies"):
            if PACKAGES[agent] in body.get(part, {}):
                body[part][PACKAGES[agent]] = version
    path.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
    npm("install", "--package-lock-only")


def drift(options: argparse.Namespace) -> int:
    """All of it; the exit status."""
    versions = resolve(asked(options.agent), options.days)
    pins = pinned()
    modules = {agent: install(agent, PACKAGES[agent], version) for agent, version in versions.items()}
    node = None
    if options.node:
        version = npm("view", f"{NODE}@{options.node}", "version", "--json")
        newest = json.loads(version)
        newest = newest if isinstance(newest, str) else newest[-1]
        node = install("node", NODE, newest) / NODE / "bin"
    for agent, path in modules.items():
        if wanted := node_wanted(agent, path):
            print(f"drift: {agent} {versions[agent]} asks for Node {wanted}", flush=True)
    began = time.monotonic()
    code, counts = run(modules, node, options.pytest)
    print(f"\n== drift, {int(time.monotonic() - began)} s, {datetime.now(UTC):%Y-%m-%d}")
    print(table(versions, pins, counts))
    whole = code == 0 and all(counts.get(agent, Count()).passed for agent in versions)
    if options.pin and whole:
        pin(versions)
        print("drift: pinned; the new lock is in tests/agents/node")
    elif options.pin:
        print("drift: nothing was pinned, since not everything passed")
    return 0 if whole else FAILED


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="make drift DRIFT_ARGS=...", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--agent", action="append", default=[], metavar="AGENT[@VERSION]",
        help="only this agent, its newest version or that one; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--days", type=int, default=0, help="the newest versions of so many days ago instead of today's"
    )
    parser.add_argument("--node", metavar="MAJOR", help="run the CLIs with that Node, from npm, such as 22")
    parser.add_argument("--pin", action="store_true", help="if all tests pass, pin these versions")
    parser.add_argument("pytest", nargs="*", help="behind --: further arguments of pytest, such as -k hooks")
    try:
        return drift(parser.parse_args())
    except DriftError as error:
        print(f"drift: {error}", file=sys.stderr)
        return SKIPPED


if __name__ == "__main__":
    sys.exit(main())
