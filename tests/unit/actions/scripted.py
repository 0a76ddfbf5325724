"""A pane whose every look is written beforehand, for tests of actions: no clock and no tmux decides.

The context, the guard and the acts are the real ones; in the place of tmux stands a table of answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from agtmuxd.actions import send as sending
from agtmuxd.actions.access import Failpoints, TargetAccess
from agtmuxd.actions.context import ActionContext, known_state
from agtmuxd.actions.pane_check import PaneReader, PaneReading
from agtmuxd.core.action.guard import CurrentPane, GuardInput
from agtmuxd.core.action.request import (
    Guards,
    Kind,
    Params,
    Request,
    SendParams,
    Snapshot,
)
from agtmuxd.core.model import NS, Claim, PaneRow, Sample, State, WaitingFor
from agtmuxd.core.screen.controls import Controls, DialogKeys, InputField, KeyOverrides
from agtmuxd.core.state.registers import TURN_START
from agtmuxd.repository import Repository, Runtime, StateRow
from agtmuxd.targets.executor import ProgramResult
from agtmuxd.tmux.keys import WriteGuard
from agtmuxd.tmux.onepane import OnePane

NOW = 1_000 * NS
KEY = ("t", "%1")
RUNTIME = Runtime(
    "rt-0123456789abcdef", "t", "%1", "b", 1, "claude", None, None, None, 50, "s", 1, False, None, None, 1
)
ROW = PaneRow(
    "%1", "$1", "s", "@1", 0, "w", 0, "t", "claude", "/", 42, "", True, 0, False, None, None, False, False, True, 0, 0,
    80, 24,
)  # fmt: skip
FREE = CurrentPane(ROW, alive=True, foreground=True, claim=Claim.NOT_RUNNING, rule="composer", field=InputField.FREE)
DRAFT = replace(FREE, field=InputField.DRAFT)
BUSY = replace(FREE, field=InputField.ABSENT, claim=Claim.RUNNING)
WAITING = WaitingFor("approval", "Bash", "Do you want to?", ("Yes", "No", "No", "Type something"), "ab" * 8)
ASKS = replace(FREE, claim=Claim.WAITING_APPROVAL, rule="dialog", waiting=WAITING, field=InputField.ABSENT)
COPYING = replace(FREE, row=replace(ROW, in_mode=True))
GONE = CurrentPane(None)
DIALOG = DialogKeys(
    approve=("1",), deny=("Escape",), option=("{n}",), write=re.compile("Type something"), submit=("Enter",)
)  # fmt: skip


class FakeControls:
    """How an agent is operated whose field shows what its screen's one row says."""

    submit = b"\r"

    def __init__(self, dialog: DialogKeys, interrupt: tuple[str, ...]) -> None:
        self.dialogs = {"dialog": dialog}
        self.interrupt = interrupt

    always: tuple[str, ...] = ()
    pastes = False

    def shown_key(self, _sample: Sample) -> str | None:
        return None

    def chips(self, sample: Sample) -> int:
        return sample.lines[0].count("[pasted]")

    def holds(self, sample: Sample, text: str, chips: int) -> bool:
        return sample.lines == (text,) or self.chips(sample) > chips


class Script:
    """A reader: what each look shows, the last of it for good; and the executor that notes what is written."""

    def __init__(
        self, looks: Iterable[tuple[CurrentPane, str]], *, dialog: DialogKeys = DIALOG,
        interrupt: tuple[str, ...] = ("Escape",), changed_at: str | None = None, signal: ProgramResult | None = None,
        pids: tuple[int, ...] = (50,), keys: KeyOverrides = KeyOverrides(),  # noqa: B008 frozen
    ) -> None:  # fmt: skip
        self.looks = list(looks)
        self.seen = 0
        self.written: list[str] = []
        self.dialog, self.interrupt = dialog, interrupt
        self.changed_at = changed_at
        self.pids = pids
        self.keys = keys
        self.signal = signal or ProgramResult(0, b"", b"")

    async def read(self, *_: object) -> PaneReading:
        fresh, shown = self.looks[min(self.seen, len(self.looks) - 1)]
        self.seen += 1
        return reading(fresh, shown)

    async def key_overrides(self, *_: object) -> KeyOverrides:
        return self.keys

    async def processes(self, *_: object) -> tuple[int, ...]:
        return self.pids

    def controls(self, _runtime: Runtime | None) -> Controls:
        return cast(Controls, FakeControls(self.dialog, self.interrupt))

    async def run(self, argv: Sequence[str], **_: Any) -> ProgramResult:
        if argv[0] == "kill":
            self.written.append(" ".join(argv))
            return self.signal
        if "if-shell" not in argv:
            self.written.append(argv[1])
            return ProgramResult(0, b"", b"")
        act = argv[argv.index("if-shell") + 5]
        word = re.findall(r"[0-9a-f]{12}", act)[-1]
        command = act.partition(" ; ")[0]  # behind it stand random words
        if self.changed_at is not None and self.changed_at in command:
            return ProgramResult(0, f"{word}no\n".encode(), b"")
        self.written.append(command)
        return ProgramResult(0, f"{word}yes\n".encode(), b"")


def reading(fresh: CurrentPane, shown: str) -> PaneReading:
    sample = None if fresh.row is None else Sample((shown,), "", False, True, 0, 0, 80, 24)
    held = None if fresh.row is None else WriteGuard("%1", 40, 42, fresh.row.in_mode)
    return PaneReading(fresh, OnePane(None, fresh.row), sample, held, (3, 3))


def context(
    script: Script, kind: Kind, params: Params, fresh: CurrentPane = FREE, *,
    shown: str = "", state: State = State.IDLE,
    guards: Guards = Guards(), began: int = 0,  # noqa: B008 frozen
) -> ActionContext:  # fmt: skip
    """An action that was decided on ``fresh``; every later look is the script's."""
    repository = Repository()
    repository.active[KEY], repository.runtimes[RUNTIME.runtime_id] = RUNTIME.runtime_id, RUNTIME
    repository.states[KEY] = state_row(state)
    repository.marks[RUNTIME.runtime_id] = {TURN_START: began}
    reached = TargetAccess("t", "host", "local", cast(Any, script), ("tmux",), 1.0)
    known = known_state(repository, KEY)
    meant = Snapshot(*KEY, RUNTIME.runtime_id, known.state_version, NOW)
    case = GuardInput(Request(kind, "request-1", "pane:host/s/@1/%1", guards, params), meant, known, fresh, NOW)
    return ActionContext(
        KEY,
        "b",
        RUNTIME,
        case,
        reading(fresh, shown),
        reached,
        cast(PaneReader, script),
        repository,
        lambda: NOW,
        Failpoints(),
    )


def state_row(state: State, runtime_id: str = RUNTIME.runtime_id, reason: str | None = None) -> StateRow:
    return StateRow(
        "t", "%1", runtime_id, state, reason, "high", 7, 1, None, (), None, True, 0, None, False, "none", None, NOW, NOW
    )


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign that does not come is not waited for long."""
    for name in ("dialog.CLOSED_WITHIN", "dialog.OPENED_WITHIN", "answer.OPENED_WITHIN", "deny.CLOSED_WITHIN"):
        monkeypatch.setattr(f"agtmuxd.actions.{name}", 0.3)
    for name in ("interrupt.CLOSED_WITHIN", "interrupt.OPENED_WITHIN"):
        monkeypatch.setattr(f"agtmuxd.actions.{name}", 0.3)
    monkeypatch.setattr(sending, "SEEN_WITHIN", 0.3)
    monkeypatch.setattr(sending, "STEADY", 0.05)
    monkeypatch.setattr(sending, "STEADY_PASTE", 0.05)


def text(value: str | None = "hi", **more: Any) -> SendParams:
    return SendParams(text=value, enter=True, timeout=0.3, **more)
