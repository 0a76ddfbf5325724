"""What the doctor says of agents and their hooks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agtmux.client import Client
from agtmux.doctor import agents
from tests.unit.daemon_stub import Stub, error, listing, pane
from tests.unit.doctor.world import codes, facts, fixes

KNOWN = [{"agent_type": "claude", "oldest_version": "2.1.100", "newest_version": "2.1.332"}]


@pytest.fixture
def stub(short_dir: Path) -> Iterator[Stub]:
    served = Stub(short_dir / "sock").start()
    yield served
    served.stop()


def item(agent: str = "claude", **fields: Any) -> dict[str, Any]:
    return {
        "agent": agent, "path": f"/home/u/.{agent}/settings.json", "installed": True, "outdated": False, "error": None,
        "command": None, "switched_off": None, "deaf_panes": [], "maybe_deaf_panes": [], **fields,
    }  # fmt: skip


@pytest.mark.tc("TC-525")
@pytest.mark.parametrize(
    ("version", "found"),
    [
        ("2.1.200", []),
        ("2.0.9", [("warning", "older")]),
        ("2.1.400", [("note", "newer")]),
        (None, []),
    ],
)
def test_agents_older_or_newer_than_the_recorded_ones_are_named(
    stub: Stub, version: str | None, found: list[tuple[str, str]]
) -> None:
    stub.answer("GET /v1/panes", listing(pane("%1", agent_version=version), pane("%2", agent_version=version)))
    told = facts(healthy={"adapters": KNOWN}, client=Client([str(stub.socket)]))
    seen = list(agents.versions(told))
    assert codes(seen) == [*found, ("ok", "agents")]
    assert seen[-1].text.startswith("2 running: claude")


@pytest.mark.tc("TC-525")
@pytest.mark.parametrize(
    ("fields", "found", "fix"),
    [
        ({}, [("ok", "installed")], []),
        ({"outdated": True}, [("warning", "outdated")], ["agtmux hooks install --agent claude"]),
        ({"switched_off": "disableAllHooks in /x"}, [("warning", "switched_off")], [None]),
        ({"deaf_panes": ["pane:host/w/@1/%1"]}, [("warning", "deaf")], [None]),
        ({"maybe_deaf_panes": ["pane:host/w/@1/%1"]}, [("note", "maybe_deaf")], [None]),
        ({"installed": False, "error": "cannot read it"}, [("warning", "unreadable")], ["agtmux hooks status"]),
        (
            {"command": "/nowhere/agtmux hook claude 2>/dev/null || true"},
            [("problem", "program_gone"), ("ok", "installed")],
            ["agtmux hooks install"],
        ),
    ],
)
def test_hooks_that_do_not_report_are_named(
    stub: Stub, tmp_path: Path, fields: dict[str, Any], found: list[tuple[str, str]], fix: list[str | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("HOME", str(tmp_path))
    stub.answer("POST /v1/hooks", {"items": [item(**fields)]})
    seen = [one for one in agents.hooks(facts(client=Client([str(stub.socket)]))) if one.code != "no_agents"]
    assert codes(seen) == found
    assert fixes(seen) == fix


@pytest.mark.tc("TC-525")
def test_hooks_that_call_another_agtmux_are_named(stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/nowhere")
    old = tmp_path / "agtmux"
    old.write_text("#!/bin/sh\necho agtmux 0.0.1\n")
    old.chmod(0o755)
    stub.answer("POST /v1/hooks", {"items": [item(command=f"'{old}' hook claude 2>/dev/null || true")]})
    seen = list(agents.hooks(facts(client=Client([str(stub.socket)]))))
    assert ("warning", "program_differs") in codes(seen)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path.parent))
    monkeypatch.setenv("HOME", "/nowhere")
    assert ("warning", "program_temporary") in codes(agents.hooks(facts(client=Client([str(stub.socket)]))))


@pytest.mark.tc("TC-525")
def test_an_agent_with_settings_and_without_hooks_is_a_note(
    stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".codex").mkdir()
    stub.answer("POST /v1/hooks", {"items": [item("codex", installed=False)]})
    seen = list(agents.hooks(facts(client=Client([str(stub.socket)]))))
    assert codes(seen) == [("note", "not_installed")]
    assert fixes(seen) == ["agtmux hooks install --agent codex"]


@pytest.mark.tc("TC-525")
def test_inside_an_agent_the_check_of_hooks_is_skipped(stub: Stub) -> None:
    stub.answer("POST /v1/hooks", error("E_FORBIDDEN", "a supervised agent may not"), 403)
    assert codes(agents.hooks(facts(client=Client([str(stub.socket)])))) == [("skipped", "forbidden")]
