"""What the guard decides, without a pane: expiry, force, fingerprints, drafts, and that guards only narrow."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtmuxd.core.action.guard import (
    CurrentPane,
    GuardInput,
    KnownState,
    can_answer,
    decide,
    decide_unread,
    may_be_asked,
)
from agtmuxd.core.action.keys import submits, valid_key
from agtmuxd.core.action.request import (
    Guards,
    KillParams,
    Kind,
    NoParams,
    Params,
    Request,
    SendParams,
    Snapshot,
    ViewParams,
)
from agtmuxd.core.model import NS, Claim, PaneRow, Sample, State, WaitingFor
from agtmuxd.core.screen.controls import Controls, DialogKeys, InputField
from agtmuxd.core.screen.field_mode import FieldMode, TextMethod
from agtmuxd.core.screen.regions import ComposerSpec, Place

NOW = 1_000 * NS
RUNTIME = "rt-0123456789abcdef"
ROW = PaneRow(
    "%1", "$1", "s", "@1", 0, "w", 0, "t", "claude", "/", 42, "", True, 0, False, None, None, False, False, True, 0, 0,
    80, 24,
)  # fmt: skip
FREE = CurrentPane(ROW, alive=True, foreground=True, claim=Claim.NOT_RUNNING, rule="composer", field=InputField.FREE)
ASKS = replace(
    FREE, claim=Claim.WAITING_APPROVAL, rule="approval", field=InputField.ABSENT,
    waiting=WaitingFor("approval", fingerprint="ab" * 8),
)  # fmt: skip
IDLE = KnownState(RUNTIME, State.IDLE, 7, NOW - 5 * NS, "claude")
WAITS = replace(IDLE, state=State.WAITING_APPROVAL)


def case(
    kind: Kind, params: Params, fresh: CurrentPane = FREE, known: KnownState = IDLE, age: int = 0, **guards: Any
) -> GuardInput:
    request = Request(kind, "request-1", "pane:host/s/@1/%1", Guards(**guards), params)
    meant = Snapshot("host", "%1", known.runtime_id, known.state_version, NOW - age)
    return GuardInput(request, meant, known, fresh, NOW)


def reason(some: GuardInput) -> str | None:
    refusal = decide(some)
    return None if refusal is None else refusal.reason


TEXT = SendParams(text="hi", enter=True)
TO_SHELL = SendParams("ls", (), True, None, False, False, True)


@pytest.mark.tc("TC-107")
def test_a_request_that_waited_longer_than_its_snapshot_is_refused_unless_forced() -> None:
    assert reason(case(Kind.SEND, TEXT, age=30 * NS)) is None
    late = case(Kind.SEND, TEXT, age=30 * NS + 1)
    refusal = decide(late)
    assert refusal is not None
    assert (refusal.code, refusal.reason) == ("E_SNAPSHOT_EXPIRED", "expired")
    assert reason(case(Kind.SEND, TEXT, age=60 * NS, force_stale=True)) is None


@pytest.mark.tc("TC-107")
def test_force_waives_age_and_version_and_nothing_else() -> None:
    moved = replace(case(Kind.SEND, TEXT, force_stale=True), known=replace(IDLE, state_version=8))
    assert reason(moved) is None
    assert reason(case(Kind.SEND, TEXT, force_stale=True, if_updated_within=1.0)) is None
    assert reason(case(Kind.SEND, TEXT, force_stale=True, if_state_version=6)) is None
    assert reason(case(Kind.SEND, TEXT, if_state_version=6)) == "state_version"
    assert reason(case(Kind.SEND, TEXT, if_updated_within=1.0)) == "age"
    others: tuple[dict[str, Any], ...] = (
        {"if_runtime": "rt-another-one-here"}, {"if_state": ("running",)}, {"if_fingerprint": "ab" * 8},
    )  # fmt: skip
    for guards in others:
        assert reason(case(Kind.SEND, TEXT, force_stale=True, **guards)) is not None, guards
    for fresh in (ASKS, replace(FREE, field=InputField.DRAFT), replace(FREE, row=replace(ROW, in_mode=True)),
                  replace(FREE, alive=False), replace(FREE, same_server=False), CurrentPane(None)):  # fmt: skip
        assert reason(case(Kind.SEND, TEXT, fresh=fresh, force_stale=True)) is not None, fresh


@pytest.mark.tc("TC-107")
def test_a_named_state_opens_its_own_dialog_and_no_other() -> None:
    key = SendParams(keys=("Enter",))
    assert reason(case(Kind.SEND, key, ASKS, WAITS)) == "dialog_open"
    assert reason(case(Kind.SEND, key, ASKS, WAITS, if_state=("waiting_approval",))) is None
    # the dialog opened after the state was looked at: nobody named it
    assert reason(case(Kind.SEND, key, ASKS, IDLE, if_state=("idle",))) == "dialog_open"
    question = replace(ASKS, claim=Claim.WAITING_INPUT)
    assert reason(case(Kind.SEND, key, question, WAITS, if_state=("waiting_approval",))) == "dialog_open"


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize("kind", [Kind.APPROVE, Kind.DENY, Kind.ANSWER])
def test_what_answers_a_prompt_needs_that_very_prompt(kind: Kind) -> None:
    params = SendParams()
    seen: dict[str, Any] = {"if_state_version": 7, "if_fingerprint": "ab" * 8}
    assert may_be_asked(case(kind, params, ASKS, WAITS, **seen).request) is None
    less: tuple[dict[str, Any], ...] = ({}, {"if_state_version": 7}, {"if_fingerprint": "ab" * 8})
    for wrong in (*less, {**seen, "force_stale": True}):
        refusal = may_be_asked(case(kind, params, ASKS, WAITS, **wrong).request)
        assert refusal is not None
        assert refusal.code == "E_INVALID_REQUEST"
    assert reason(case(kind, params, FREE, WAITS, **seen)) == "no_prompt"
    assert reason(case(kind, params, ASKS, WAITS, **{**seen, "if_fingerprint": "cd" * 8})) == "fingerprint"
    assert reason(case(kind, params, ASKS, WAITS, **{**seen, "if_state_version": 6})) == "state_version"
    assert reason(case(kind, params, replace(ASKS, foreground=False), WAITS, **seen)) == "background"


@pytest.mark.tc("TC-107")
@given(
    st.sampled_from([FREE, ASKS, replace(FREE, field=InputField.DRAFT), replace(FREE, row=replace(ROW, in_mode=True))]),
    st.sampled_from([IDLE, WAITS, replace(IDLE, state=State.RUNNING), KnownState()]),
    st.sampled_from([TEXT, SendParams(enter=True), SendParams(keys=("Down",)), KillParams()]),
    st.fixed_dictionaries(
        {},
        optional={
            "if_runtime": st.just("rt-another-one-here"), "if_state_version": st.integers(0, 9),
            "if_fingerprint": st.sampled_from(["ab" * 8, "cd" * 8]), "if_updated_within": st.floats(0, 10),
        },
    ),
)  # fmt: skip
def test_guards_only_narrow(fresh: CurrentPane, known: KnownState, params: Params, guards: dict[str, Any]) -> None:
    kind = Kind.KILL if isinstance(params, KillParams) else Kind.SEND
    if decide(case(kind, params, fresh, known)) is not None:
        assert decide(case(kind, params, fresh, known, **guards)) is not None


@pytest.mark.tc("TC-107")
def test_what_moved_between_the_asking_and_the_acting_is_refused() -> None:
    moved = replace(case(Kind.SEND, TEXT), known=replace(IDLE, state_version=8))
    assert reason(moved) == "state_version"
    looked = replace(case(Kind.VIEW, ViewParams()), known=replace(IDLE, state_version=8))
    assert reason(looked) is None  # looking is no acting on a state
    shown = Snapshot("host", "%1", RUNTIME, 7, NOW)
    assert (
        reason(replace(looked, snapshot=shown)) == "state_version"
    )  # but a snapshot that was named must still be true
    assert reason(case(Kind.SEND, TEXT, known=replace(IDLE, updated_at=None), if_updated_within=60.0)) == "age"


@pytest.mark.tc("TC-107")
def test_who_reads_what_is_typed_is_the_one_who_was_meant() -> None:
    shell = TO_SHELL
    plain = replace(FREE, alive=False, foreground=False, claim=None, field=InputField.ABSENT)
    assert reason(case(Kind.SEND, shell, plain, KnownState())) is None
    behind = replace(FREE, foreground=False)  # the shell reads what is typed
    assert reason(case(Kind.SEND, TEXT, behind)) == "shell"
    assert reason(case(Kind.SEND, shell, behind)) is None
    assert reason(case(Kind.SEND, shell, FREE)) == "agent_there"
    newcomer = replace(plain, other="codex")
    assert reason(case(Kind.SEND, shell, newcomer, KnownState())) == "agent_there"
    refusal = decide(case(Kind.SEND, TEXT, newcomer, KnownState()))
    assert refusal is not None
    assert (refusal.reason, "codex has just started there" in refusal.message) == ("shell", True)
    refusal = decide(case(Kind.SEND, TEXT, known=replace(IDLE, headless=True)))
    assert refusal is not None
    assert (refusal.code, refusal.reason) == ("E_UNSUPPORTED", "headless")


@pytest.mark.tc("TC-142")
def test_a_stopped_agent_is_refused_for_that_before_anything_else() -> None:
    """Its screen is what it drew before, so neither prompt nor state of it are worth a word."""
    stopped = replace(ASKS, foreground=False, stopped=True, holds=True)
    for kind, params in ((Kind.SEND, TEXT), (Kind.INTERRUPT, NoParams()), (Kind.KILL, KillParams("key", "INT")),
                         (Kind.APPROVE, NoParams()), (Kind.DENY, NoParams()),
                         (Kind.SEND, TO_SHELL)):  # fmt: skip
        assert reason(case(kind, params, stopped, WAITS, if_state_version=1)) == "suspended", kind
    assert reason(case(Kind.KILL, KillParams("signal", "TERM"), stopped, WAITS)) is None
    assert reason(case(Kind.VIEW, ViewParams(200, False), stopped, WAITS)) is None
    given_back = replace(stopped, holds=False)
    assert reason(case(Kind.SEND, TO_SHELL, given_back, WAITS)) is None
    assert reason(case(Kind.SEND, TEXT, given_back, WAITS)) == "suspended"


@pytest.mark.tc("TC-107")
def test_a_dialog_is_open_when_either_the_screen_or_the_agent_says_so() -> None:
    assert reason(case(Kind.SEND, TEXT, replace(FREE, claim=None), WAITS)) == "dialog_open"
    assert reason(case(Kind.SEND, TEXT, ASKS, IDLE)) == "dialog_open"
    hidden = replace(FREE, field=InputField.ABSENT)
    assert reason(case(Kind.SEND, TEXT, hidden)) == "no_composer"
    assert reason(case(Kind.SEND, TEXT, hidden, if_state=("idle",))) == "no_composer"
    assert reason(case(Kind.SEND, TEXT, replace(FREE, field=InputField.UNSURE))) == "draft"
    over = SendParams(text="hi", enter=True, over_draft=True)
    assert reason(case(Kind.SEND, over, replace(FREE, field=InputField.UNSURE))) is None


@pytest.mark.tc("TC-563")
def test_only_a_whole_own_text_is_removed_and_only_where_backspaces_remove_it() -> None:
    clear = SendParams(clear_own_draft=True)
    draft = replace(FREE, field=InputField.DRAFT, at_end=True)

    def says(fresh: CurrentPane, known: KnownState = IDLE, own: int | None = 3, **guards: Any) -> str | None:
        return reason(replace(case(Kind.SEND, clear, fresh, known, **guards), own_draft=own))

    assert says(draft) is None
    assert says(replace(draft, field=InputField.UNSURE)) is None
    assert says(draft, own=None) == "draft"
    assert says(FREE, own=None) == "no_draft"
    assert says(replace(draft, field=InputField.OFFERED), own=None) == "no_draft"
    assert says(replace(draft, at_end=False)) == "draft"
    for method, wanted in ((TextMethod.NONE, "field_mode"), (TextMethod.PASTE, "field_mode"), (TextMethod.KEYS, None)):
        mode = FieldMode("a mode", Place("footer"), re.compile("-"), method)
        assert says(replace(draft, modes=(mode,))) == wanted
    assert says(replace(draft, field=InputField.ABSENT), if_state=("idle",)) == "no_composer"
    either: tuple[dict[str, Any], ...] = ({}, {"if_state": ("waiting_approval",)})
    for named in either:
        assert says(draft, WAITS, **named) == "dialog_open"
        assert says(ASKS, WAITS, **named) == "dialog_open"
    assert says(replace(draft, foreground=False)) == "shell"
    assert says(replace(draft, stopped=True)) == "suspended"
    refusal = decide(replace(case(Kind.SEND, TEXT, draft), own_draft=3))
    assert refusal is not None
    assert (refusal.reason, refusal.details, "agtmux itself typed" in refusal.message) == ("draft", {"own": True}, True)


@pytest.mark.tc("TC-109")
def test_what_reads_nothing_of_a_pane_heeds_its_guards_too() -> None:
    waits = replace(WAITS, fingerprint="ab" * 8)
    fine: dict[str, Any] = {"if_state": ("waiting_approval",), "if_state_version": 7, "if_fingerprint": "ab" * 8}
    assert decide_unread(case(Kind.ACK, NoParams(), CurrentPane(None), waits, **fine)) is None
    wrong: tuple[dict[str, Any], ...] = (
        {"if_state": ("idle",)}, {"if_state_version": 6}, {"if_fingerprint": "cd" * 8}, {"if_updated_within": 1.0},
        {"if_runtime": "rt-another-one-here"},
    )  # fmt: skip
    for guards in wrong:
        assert decide_unread(case(Kind.ACK, NoParams(), CurrentPane(None), waits, **{**fine, **guards})) is not None, (
            guards
        )


@pytest.mark.tc("TC-029")
@pytest.mark.parametrize("kind", [Kind.INTERRUPT, Kind.KILL])
def test_a_turn_is_stopped_only_where_both_its_state_and_its_screen_show_one(kind: Kind) -> None:
    runs = replace(IDLE, state=State.RUNNING)
    works = replace(FREE, claim=Claim.RUNNING)
    assert reason(case(kind, KillParams(), works, runs)) is None
    assert reason(case(kind, KillParams(), replace(works, claim=Claim.IDLE), runs)) == "not_running"
    assert reason(case(kind, KillParams(), works, IDLE)) == "not_running"
    assert reason(case(kind, KillParams(), replace(works, foreground=False), runs)) == "background"


@pytest.mark.tc("TC-950")
def test_what_could_answer_a_dialog_is_known_by_its_kind_its_keys_or_the_state_that_it_names() -> None:
    for kind in Kind:
        answers = kind in (Kind.APPROVE, Kind.DENY, Kind.ANSWER)
        assert can_answer(Request(kind, "r", "x", Guards(), NoParams())) is answers, kind
    for guards, params, answers in (
        (Guards(), SendParams(text="1", enter=True), False),
        (Guards(), SendParams(keys=("1",)), True),
        (Guards(if_state=("waiting_approval",)), SendParams(enter=True), True),
    ):
        assert can_answer(Request(Kind.SEND, "r", "x", guards, params)) is answers, params


@pytest.mark.tc("TC-027")
def test_keys_are_those_of_tmux() -> None:
    for name in ("Enter", "C-c", "M-Left", "F12", "y", "1", "C-M-x", "KPEnter", "é", ";"):
        assert valid_key(name), name
    for name in ("", "Entr", "C-", "ab", "\x1b", "C-Entr", "F13"):
        assert not valid_key(name), name
    assert [name for name in ("Enter", "C-m", "C-j", "KPEnter", "M-Enter", "m", "Down", "C-c") if submits(name)] == [
        "Enter", "C-m", "C-j", "KPEnter", "M-Enter",
    ]  # fmt: skip


def screen(*rows: str, cursor: int = 10) -> Sample:
    top = next(n for n, row in enumerate(rows) if row.startswith("❯"))
    return Sample(tuple(rows), "t", False, True, cursor, top, 80, 24)


@pytest.mark.tc("TC-027")
def test_a_text_is_known_in_the_field_whole_by_its_end_or_by_its_chip() -> None:
    spec = ComposerSpec(re.compile(r"^❯(?: (.*))?$"), re.compile("^─"), re.compile("^─"), re.compile("^Try"))
    controls = Controls(spec, re.compile(r"\[Pasted #\d+\]"))
    line = "─" * 10
    assert controls.holds(screen(line, "❯ hello world", line), "hello  world")
    assert controls.holds(screen(line, "❯ hello", "  world", line), "hello world")
    assert controls.holds(screen(line, "❯ said before hello", line), "hello")
    assert not controls.holds(screen(line, "❯ hello wor", line), "hello world")
    assert not controls.holds(screen(line, "❯ Try this", line, cursor=2), "Try this")
    assert not controls.holds(screen("❯ hello"), "hello")
    long = " ".join(f"word{n}" for n in range(200))
    assert controls.holds(screen(line, "❯ " + long[-60:], line), long)
    assert not controls.holds(screen(line, "❯ " + long[-12:], line), long)
    chip = screen(line, "❯ [Pasted #1]", line)
    assert controls.chips(chip) == 1
    assert controls.holds(chip, long)
    assert not controls.holds(chip, long, chips=1)
    assert controls.holds(screen(line, "❯ ?!", line), "?!")
    assert not controls.holds(screen(line, "❯ ?", line), "?!")


def dialog(*rows: str, x: int, y: int) -> Sample:
    return Sample(tuple(rows), "t", False, False, x, y, 80, 24)


@pytest.mark.tc("TC-107")
def test_a_text_goes_into_the_field_of_its_option_and_only_into_an_empty_one() -> None:
    keys = DialogKeys(option=("{n}",), write=re.compile("^Type"), field=re.compile(r"^\s*❯ (\d+)\. "))
    result = "❯ 3. an older prompt"
    closed = dialog(result, "Which?", "❯ 1. Green", "  3. Type something.", x=0, y=3)
    empty = dialog(result, "Which?", "  1. Green", "❯ 3. Type something.", x=5, y=3)
    half = dialog(result, "Which?", "  1. Green", "❯ 3. half", x=9, y=3)
    assert keys.opening(3) == ("3",)
    assert keys.moves(closed, 3) == ()
    assert [keys.free(some, 3) for some in (empty, half)] == [True, False]
    assert keys.free(dialog(*closed.lines[1:], x=0, y=2), 3) is None
    assert keys.written(half, 3, "half")
    assert not keys.written(half, 3, "al")
    assert not keys.written(half, 3, "half a thought")
    long = " ".join(f"word{n}" for n in range(60))
    wrapped = dialog("❯ 3. " + long[:20], "     " + long[20:40], x=9, y=1)
    assert keys.written(wrapped, 3, long[:40])
    cut = dialog("│ ❯ 3. " + long[-60:] + " │", x=9, y=0)
    assert not DialogKeys(field=keys.field).written(cut, 3, long)
    assert DialogKeys(field=re.compile("^│ ❯ 3. ")).written(cut, None, long)
    assert DialogKeys().written(dialog("any where: half", x=0, y=0), 3, "where")


@pytest.mark.tc("TC-107")
def test_where_a_number_would_answer_at_once_the_pointer_is_moved() -> None:
    keys = DialogKeys(pointer=re.compile(r"^\s*› (\d+)\. "), open=("Tab",), field=re.compile(r"^\s*› (?!\d+\. )"))
    rows = ("› an older prompt", "  Question 1/1", "  › 1. Red", "    2. Blue", "    3. None", "")
    closed = dialog(*rows, x=60, y=5)
    noted = dialog(*rows, "  › half", x=8, y=6)
    assert keys.opening(3) == ("Tab",)
    assert [keys.moves(closed, n) for n in (1, 3)] == [(), ("Down", "Down")]
    assert keys.moves(dialog("  › 3. None", x=0, y=0), 1) == ("Up", "Up")
    assert keys.moves(dialog("no list", x=0, y=0), 1) is None
    assert keys.free(closed, 3) is None  # what was said above is no field
    assert keys.free(noted, 3) is False
    assert keys.free(dialog(*rows, "  › Add notes", x=4, y=6), 3) is True
    assert keys.written(noted, 3, "half")


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize(
    ("fresh", "why"),
    [
        (replace(FREE, row=replace(ROW, dead=True)), "dead"),
        (replace(FREE, row=replace(ROW, in_mode=True)), "copy_mode"),
        (replace(FREE, synchronized=True), "synchronized"),
        (replace(FREE, input_off=True), "input_off"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_pane_that_would_not_take_the_keys_gets_none(fresh: CurrentPane, why: str) -> None:
    """What presses no key there does not mind."""
    busy = replace(IDLE, state=State.RUNNING)
    working = replace(fresh, claim=Claim.RUNNING)
    assert reason(case(Kind.SEND, SendParams(keys=("Down",)), fresh)) == why
    assert reason(case(Kind.INTERRUPT, NoParams(), working, busy)) == why
    assert reason(case(Kind.KILL, KillParams(), working, busy)) == why
    for kind, params in ((Kind.KILL, KillParams("signal")), (Kind.ATTACH, NoParams()), (Kind.VIEW, ViewParams())):
        assert reason(case(kind, params, working, busy)) is None, kind
    left = SendParams(keys=("Down",), leave_mode=True)
    assert reason(case(Kind.SEND, left, fresh)) == (None if why == "copy_mode" else why)


@pytest.mark.tc("TC-107")
def test_only_what_presses_enter_or_puts_text_minds_the_input_field() -> None:
    for field, why in ((InputField.DRAFT, "draft"), (InputField.UNSURE, "draft"), (InputField.ABSENT, "no_composer")):
        fresh = replace(FREE, field=field)
        assert reason(case(Kind.SEND, SendParams(text="x"), fresh)) == why
        assert reason(case(Kind.SEND, SendParams(enter=True), fresh)) == why
        assert reason(case(Kind.SEND, SendParams(keys=("Enter",)), fresh)) == why
        assert reason(case(Kind.SEND, SendParams(keys=("Down", "C-m")), fresh)) == why
        assert reason(case(Kind.SEND, SendParams(keys=("Down",)), fresh)) is None
        over = None if why == "draft" else why
        fresh = replace(fresh, at_end=True)
        assert reason(case(Kind.SEND, SendParams(text="x", over_draft=True), fresh)) == over
    offered = replace(FREE, field=InputField.OFFERED)  # Enter alone may take it for a prompt
    assert reason(case(Kind.SEND, SendParams(enter=True), offered)) == "draft"
    assert reason(case(Kind.SEND, SendParams(text="x", enter=True), offered)) is None
    assert reason(case(Kind.SEND, SendParams(enter=True, over_draft=True), offered)) is None


@pytest.mark.tc("TC-720")
def test_a_question_that_a_text_in_the_input_field_answers_is_no_dialog() -> None:
    """It is checked like an idle prompt: an empty field, no draft. A named state opens it as a dialog, as before."""
    asks = replace(IDLE, state=State.WAITING_INPUT)
    field = replace(FREE, claim=Claim.WAITING_INPUT, rule="asks", takes_text=True)
    assert reason(case(Kind.SEND, TEXT, field, asks)) is None
    assert reason(case(Kind.SEND, TEXT, replace(field, field=InputField.DRAFT), asks)) == "draft"
    assert reason(case(Kind.SEND, TEXT, replace(field, field=InputField.ABSENT), asks)) == "no_composer"
    assert reason(case(Kind.SEND, TEXT, field, asks, if_state=("waiting_input",))) is None
    for fresh, known in (
        (replace(field, takes_text=False), asks),
        (replace(field, claim=Claim.WAITING_APPROVAL), asks),
        (replace(field, claim=None), asks),
        (field, WAITS),
        (field, IDLE),
    ):
        assert reason(case(Kind.SEND, TEXT, fresh, known)) == "dialog_open", (fresh, known)
