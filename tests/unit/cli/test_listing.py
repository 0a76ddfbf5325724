"""``agtmux ls``: which columns a terminal of some width shows, what a pipe gets, and lines by a template."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.daemon_stub import Stub, agtmux, listing, on_terminal, out, pane

ASKED = {"kind": "approval", "subject": "Bash", "text": "make all", "options": [], "fingerprint": "f"}
PANES = (
    pane("%12", state="waiting_approval", attention="needs_action", waiting_for=ASKED, branch="fix/names-of-things",
         agent_name="Mend the shed"),
    pane("%7", agent_type="opencode", state="running", project="webshop"),
    pane("%3", state="completed", attention="review", project="notes", branch=None, message="All tests pass."),
)  # fmt: skip


@pytest.fixture
def served(stub: Stub) -> Iterator[Stub]:
    stub.answer("GET /v1/panes", listing(*PANES))
    yield stub


@pytest.mark.tc("TC-265")
@pytest.mark.parametrize(
    ("cols", "columns", "state"),
    [
        (40, "STATE PROJECT WHAT", "! approval"),
        (60, "STATE FOR PROJECT PANE WHAT", "! approval"),
        (80, "STATE FOR AGENT PROJECT PANE WHAT", "! approval"),
        (120, "STATE FOR AGENT PROJECT NAME PANE PLACE WHAT", "! waiting_approval"),
        (200, "STATE FOR AGENT PROJECT NAME PANE PLACE WHAT", "! waiting_approval"),
    ],
)
def test_a_narrow_terminal_drops_columns_in_a_fixed_order(
    short_dir: Path, served: Stub, cols: int, columns: str, state: str
) -> None:
    for more in ({}, {"NO_COLOR": "1"}):
        drawn = on_terminal(short_dir, "ls", cols=cols, **more)
        rows = re.sub(r"\x1b\[[0-9;]*m", "", drawn).splitlines()
        assert rows[0].split() == columns.split()
        assert max(map(len, rows)) <= cols
        assert rows[1].startswith(f"!  {state}  ")
        assert rows[2].startswith("   ● running  ")
        assert rows[3].startswith("*  ✓ completed  ")
        assert [row[rows[0].index("PROJECT") :].split()[0][:6] for row in rows[1:4]] == ["agtmux", "websho", "notes"]


@pytest.mark.tc("TC-265")
def test_columns_that_say_the_same_in_every_row_are_left_out_on_a_terminal_only(short_dir: Path, stub: Stub) -> None:
    far = pane("%1", identity={"target": "gpu", "session_name": "work", "window_id": "@1", "pane_id": "%1"})
    stub.answer("GET /v1/panes", listing(pane("%1")))
    assert "TARGET" not in on_terminal(short_dir, "ls", cols=120)
    assert "NAME" not in on_terminal(short_dir, "ls", cols=120)
    assert "TARGET" in out(short_dir, "ls")
    stub.answer("GET /v1/panes", listing(pane("%1"), far))
    assert "TARGET" in on_terminal(short_dir, "ls", cols=120)


@pytest.mark.tc("TC-265")
def test_plain_text_has_words_for_states_and_its_first_columns_stay(short_dir: Path, served: Stub) -> None:
    rows = out(short_dir, "ls").splitlines()
    assert rows[0].split() == ["STATE", "FOR", "AGENT", "TARGET", "PANE", "PLACE", "ATTENTION", "PROJECT", "WHAT"]
    first = rows[1].split()
    assert (first[0], first[2:8]) == (
        "waiting_approval", ["claude", "host", "%12", "work:1.0", "needs_action", "agtmux:fix/names-of-things"],
    )  # fmt: skip
    assert out(short_dir, "ls", "--quiet").splitlines() == rows


@pytest.mark.tc("TC-267")
def test_a_template_prints_one_line_for_each_pane(short_dir: Path, served: Stub) -> None:
    text = out(short_dir, "ls", "--format", r"{pane}\t{state}\t{project}:{branch}\t{request}")
    assert text.splitlines() == [
        "%12\twaiting_approval\tagtmux:fix/names-of-things\tBash: make all",
        "%7\trunning\twebshop:main\t",
        "%3\tcompleted\tnotes:\t",
    ]
    drawn = on_terminal(short_dir, "ls", "--format", "fzf")
    assert "\x1b" not in drawn
    assert [row.partition("\t")[0] for row in drawn.splitlines()] == [one["ref"] for one in PANES]


@pytest.mark.tc("TC-267")
def test_a_wrong_template_is_refused_before_anything_is_asked(short_dir: Path, served: Stub) -> None:
    done = agtmux(short_dir, "ls", "--format", "{nope}")
    assert done.returncode == 2
    assert b"there is no field nope. Fields: ref, state, " in b" ".join(done.stderr.split())
    assert served.calls == []


@pytest.mark.tc("TC-265")
@pytest.mark.parametrize("scope", ["windows", "sessions"])
def test_windows_and_sessions_show_a_project_only_if_there_is_one(short_dir: Path, stub: Stub, scope: str) -> None:
    row = {
        "identity": {"target": "host", "session_name": "work", "window_id": "@1"}, "state": "running", "panes": 2,
        "counts": {"running": 2}, "waiting": 0, "running": 2, "attention": "none", "since": None, "windows": 1,
        "window_name": "w", "window_index": 1,
    }  # fmt: skip
    stub.answer(f"GET /v1/{scope}", listing({**row, "project": "agtmux"}, {**row, "project": None}))
    drawn = on_terminal(short_dir, "list", scope, cols=120)
    assert "PROJECT" in drawn
    assert "agtmux" in drawn
    stub.answer(f"GET /v1/{scope}", listing({**row, "project": None}))
    assert "PROJECT" not in on_terminal(short_dir, "list", scope, cols=120)
    assert "PROJECT" in out(short_dir, "list", scope), "plain text has the same columns always"
