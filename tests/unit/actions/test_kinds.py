"""What an act makes of what a pane shows while it runs: every look is told beforehand, no clock and no tmux decides.

The context, the guard and the acts are the real ones; in the place of tmux stands a table of answers.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions import kill as killing
from agtmuxd.actions import send as sending
from agtmuxd.actions.access import Failpoints, TargetAccess
from agtmuxd.actions.answer import answer
from agtmuxd.actions.approve import approve
from agtmuxd.actions.audit import load_key
from agtmuxd.actions.context import ActionContext, known_of
from agtmuxd.actions.deny import deny
from agtmuxd.actions.interrupt import interrupt
from agtmuxd.actions.keystrokes import Keystrokes
from agtmuxd.actions.pane_check import PaneReader, PaneReading
from agtmuxd.core.action.guard import CurrentPane, GuardInput, KnownState
from agtmuxd.core.action.request import (
    AnswerParams,
    Guards,
    KillParams,
    Kind,
    NoParams,
    Params,
    Request,
    SendParams,
    Snapshot,
)
from agtmuxd.core.model import NS, Claim, PaneRow, Sample, State, WaitingFor
from agtmuxd.core.screen.controls import Controls, DialogKeys, InputField, KeyOverrides
from agtmuxd.core.state.registers import TURN_START
from agtmuxd.repository import Repository, Runtime, StateRow
from agtmuxd.targets.executor import Completed, ExecutorError
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
        interrupt: tuple[str, ...] = ("Escape",), changed_at: str | None = None, signal: Completed | None = None,
        pids: tuple[int, ...] = (50,), keys: KeyOverrides = KeyOverrides(),  # noqa: B008 frozen
    ) -> None:  # fmt: skip
        self.looks = list(looks)
        self.seen = 0
        self.written: list[str] = []
        self.dialog, self.interrupt = dialog, interrupt
        self.changed_at = changed_at
        self.pids = pids
        self.keys = keys
        self.signal = signal or Completed(0, b"", b"")

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

    async def run(self, argv: Sequence[str], **_: Any) -> Completed:
        if argv[0] == "kill":
            self.written.append(" ".join(argv))
            return self.signal
        if "if-shell" not in argv:
            self.written.append(argv[1])
            return Completed(0, b"", b"")
        act = argv[argv.index("if-shell") + 5]
        word = re.findall(r"[0-9a-f]{12}", act)[-1]
        command = act.partition(" ; ")[0]  # behind it stand random words
        if self.changed_at is not None and self.changed_at in command:
            return Completed(0, f"{word}no\n".encode(), b"")
        self.written.append(command)
        return Completed(0, f"{word}yes\n".encode(), b"")


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
    known = known_of(repository, KEY)
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


def text(value: str | None = "hi", **more: Any) -> SendParams:
    return SendParams(text=value, enter=True, timeout=0.3, **more)


# ------------------------------------------------------------ send


@pytest.mark.tc("TC-107")
async def test_what_opened_behind_copy_mode_is_decided_on_before_anything_is_typed() -> None:
    script = Script([(FREE, ""), (ASKS, "")])
    with pytest.raises(AgtmuxError) as caught:
        await sending.send(context(script, Kind.SEND, text(leave_mode=True), COPYING))
    assert caught.value.details["reason"] == "dialog_open"
    assert len(script.written) == 1, "only the leaving"


@pytest.mark.tc("TC-107")
async def test_a_mode_that_does_not_go_away_gets_no_text() -> None:
    script = Script([(COPYING, "")])
    with pytest.raises(AgtmuxError) as caught:
        await sending.send(context(script, Kind.SEND, text(leave_mode=True), COPYING))
    assert (caught.value.code, caught.value.details["reason"]) == ("E_PRECONDITION_FAILED", "copy_mode")
    assert len(script.written) == 1, "only the leaving"


@pytest.mark.tc("TC-107")
async def test_text_that_showed_for_one_look_only_is_not_submitted() -> None:
    script = Script([(DRAFT, "hi"), (DRAFT, "something else")])
    told = await sending.send(context(script, Kind.SEND, text()))
    assert (told["delivery"], told["entered"]) == ("unconfirmed", False)
    assert len(script.written) == 1


@pytest.mark.tc("TC-106")
@pytest.mark.parametrize(
    ("words", "by", "first"),
    [("plain", "keys", "send-keys"), ("two\nlines", "paste", "load-buffer"), ("a\tb", "paste", "load-buffer"),
     ("bell\x07", "paste", "load-buffer"), ("x" * 5000, "paste", "load-buffer")],
)  # fmt: skip
async def test_a_text_is_typed_where_that_is_the_same_and_pasted_else(words: str, by: str, first: str) -> None:
    script = Script([(DRAFT, words)])
    told = await sending.send(context(script, Kind.SEND, SendParams(text=words)))
    assert (told["by"], told["delivery"], told["bytes"]) == (by, "typed", len(words))
    assert script.written[0].startswith(first)


@pytest.mark.tc("TC-106")
async def test_a_text_that_would_end_its_own_paste_is_not_begun() -> None:
    script = Script([(DRAFT, "")])
    with pytest.raises(AgtmuxError) as caught:
        await sending.send(context(script, Kind.SEND, SendParams(text=f"a\n{sending.PASTE_END}rm -rf ~")))
    assert (caught.value.code, script.written) == ("E_INVALID_REQUEST", [])


@pytest.mark.tc("TC-107")
async def test_a_paste_that_the_pane_does_not_take_any_more_leaves_no_buffer() -> None:
    script = Script([(DRAFT, "")], changed_at="paste-buffer")
    with pytest.raises(AgtmuxError) as caught:
        await sending.send(context(script, Kind.SEND, SendParams(text="two\nlines")))
    assert (caught.value.details["reason"], script.written) == ("changed", ["load-buffer", "delete-buffer"])


@pytest.mark.tc("TC-107")
async def test_a_chip_that_was_there_before_is_not_the_text_that_was_pasted() -> None:
    over = SendParams(text="two\nlines", enter=True, over_draft=True, timeout=0.3)
    old = Script([(DRAFT, "[pasted]")])
    assert (await sending.send(context(old, Kind.SEND, over, DRAFT, shown="[pasted]")))["entered"] is False
    new = Script([(DRAFT, "[pasted][pasted]")])
    assert (await sending.send(context(new, Kind.SEND, over, DRAFT, shown="[pasted]")))["entered"] is True


@pytest.mark.tc("TC-107")
async def test_a_pane_that_changed_between_text_and_submit_keeps_the_text_and_is_told() -> None:
    script = Script([(DRAFT, "hi")], changed_at="0d")
    told = await sending.send(context(script, Kind.SEND, text()))
    assert (told["delivery"], told["entered"]) == ("unconfirmed", False)
    assert "the text stands" in told["note"]
    bare = Script([(FREE, "")], changed_at="0d")
    with pytest.raises(AgtmuxError) as caught:  # an Enter by itself: nothing was done at all
        await sending.send(context(bare, Kind.SEND, text(None)))
    assert (caught.value.code, bare.written) == ("E_PRECONDITION_FAILED", [])


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize(
    ("params", "after", "state", "began", "delivery"),
    [
        (text(), FREE, State.IDLE, 0, "submitted"),  # the field emptied
        (text(), FREE, State.RUNNING, 0, "submitted"),
        (text(None), FREE, State.IDLE, 0, "unconfirmed"),  # it was empty all the time
        (text(), DRAFT, State.IDLE, 0, "unconfirmed"),
        (text(), DRAFT, State.IDLE, NOW, "unconfirmed"),  # that turn had begun before
        (text(), DRAFT, State.IDLE, NOW + 1, "submitted"),  # the agent says that a turn began
        (text(), BUSY, State.IDLE, 0, "submitted"),  # the field is not shown while a turn runs
        (text(), BUSY, State.RUNNING, 0, "unconfirmed"),  # it ran before, too
        (text(), replace(BUSY, alive=False), State.IDLE, 0, "unconfirmed"),
        (text(), replace(BUSY, claim=None), State.IDLE, 0, "unconfirmed"),
    ],
)
async def test_what_counts_as_a_sign_that_a_text_was_submitted(
    params: SendParams, after: CurrentPane, state: State, began: int, delivery: str
) -> None:
    script = Script([*[(DRAFT, "hi")] * 8, (after, "")] if params.text else [(after, "")])
    some = context(script, Kind.SEND, params, state=state)
    real = some.keystrokes.__class__.type

    async def typed(keystrokes: Keystrokes, data: bytes) -> None:
        await real(keystrokes, data)
        if data == b"\r":  # what is looked at from now on comes after it
            script.seen = len(script.looks) - 1
            some.repository.marks[RUNTIME.runtime_id] = {TURN_START: began}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Keystrokes, "type", typed)
        told = await sending.send(some)
    assert (told["delivery"], told["entered"]) == (delivery, True), told
    assert told["queued"] is (delivery == "submitted" and state is State.RUNNING)


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize(("shown", "delivery"), [("as it was", "unconfirmed"), ("another screen", "submitted")])
async def test_enter_into_a_dialog_that_was_named_worked_when_the_screen_is_another(shown: str, delivery: str) -> None:
    """It has no input field to look at."""
    guards = Guards(if_state=("waiting_approval",))
    script = Script([(ASKS, shown)])
    some = context(
        script, Kind.SEND, text(None), ASKS, shown="as it was", state=State.WAITING_APPROVAL, guards=guards
    )  # fmt: skip
    assert ((await sending.send(some))["delivery"], len(script.written)) == (delivery, 1)


# ------------------------------------------------------------ answers


def asked(script: Script, kind: Kind, params: Params | None = None) -> ActionContext:
    return context(script, kind, params or NoParams(), ASKS, state=State.WAITING_APPROVAL)


@pytest.mark.tc("TC-107")
async def test_a_dialog_that_one_redraw_left_out_still_stands() -> None:
    script = Script([(FREE, ""), (ASKS, "")])
    told = await approve(asked(script, Kind.APPROVE))
    assert (told["delivery"], len(script.written)) == ("unconfirmed", 1)
    gone = Script([(ASKS, ""), (FREE, "")])
    assert (await approve(asked(gone, Kind.APPROVE)))["delivery"] == "submitted"
    other = Script([(replace(ASKS, waiting=replace(WAITING, fingerprint="cd" * 8)), "")])
    assert (await approve(asked(other, Kind.APPROVE)))["delivery"] == "submitted", "the next one came"


@pytest.mark.tc("TC-107")
async def test_a_pane_that_went_is_no_sign_that_its_dialog_was_answered() -> None:
    told = await approve(asked(Script([(GONE, "")]), Kind.APPROVE))
    assert told["delivery"] == "unconfirmed"


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize(
    ("act", "kind", "params"),
    [
        (approve, Kind.APPROVE, None),
        (deny, Kind.DENY, None),
        (answer, Kind.ANSWER, AnswerParams(option=1)),
        (answer, Kind.ANSWER, AnswerParams(text="words")),
        (interrupt, Kind.INTERRUPT, None),
    ],
)
async def test_a_key_that_is_not_known_is_never_guessed(act: Any, kind: Kind, params: Params | None) -> None:
    script = Script([(ASKS, "")], dialog=DialogKeys(), interrupt=())
    with pytest.raises(AgtmuxError) as caught:
        await act(asked(script, kind, params))
    assert (caught.value.code, script.written) == ("E_UNSUPPORTED", [])


@pytest.mark.tc("TC-107")
async def test_words_that_two_options_have_choose_neither() -> None:
    script = Script([(FREE, "")])
    told = await answer(asked(script, Kind.ANSWER, AnswerParams(text=" yes ")))
    assert (told["keys"], told["delivery"]) == (["1"], "submitted")
    dialog = replace(DIALOG, write=None)
    script = Script([(FREE, "")], dialog=dialog)
    with pytest.raises(AgtmuxError) as caught:
        await answer(asked(script, Kind.ANSWER, AnswerParams(text="no")))
    assert (caught.value.code, script.written) == ("E_UNSUPPORTED", [])


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize("words", ["two\nlines", "back\rwards", "a\tb", "\x1b", "\x03", "a\x7f"])
async def test_a_line_end_or_another_key_is_never_typed_into_a_dialog(words: str) -> None:
    script = Script([(ASKS, words)])
    with pytest.raises(AgtmuxError) as caught:
        await answer(asked(script, Kind.ANSWER, AnswerParams(text=words)))
    assert (caught.value.code, script.written) == ("E_UNSUPPORTED", [])


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize("number", [0, 5])
async def test_an_option_that_is_not_there_is_not_pressed(number: int) -> None:
    script = Script([(ASKS, "")])
    with pytest.raises(AgtmuxError, match="1 Yes; 2 No") as caught:
        await answer(asked(script, Kind.ANSWER, AnswerParams(option=number)))
    assert (caught.value.code, script.written) == ("E_INVALID_REQUEST", [])


POINTED = DialogKeys(option=("Enter",), pointer=re.compile(r"> (\d)"))
NEXT = replace(ASKS, waiting=replace(WAITING, subject="Write", fingerprint="cd" * 8))


@pytest.mark.tc("TC-107")
async def test_an_option_is_taken_once_the_pointer_is_on_it_and_never_in_the_next_dialog() -> None:
    script = Script([(ASKS, "> 2"), (FREE, "")], dialog=POINTED)
    some = context(script, Kind.ANSWER, AnswerParams(option=2), ASKS, shown="> 1", state=State.WAITING_APPROVAL)
    told = await answer(some)
    assert (told["delivery"], [text.split()[-1] for text in script.written]) == ("submitted", ["Down", "Enter"])
    script = Script([(NEXT, "> 2")], dialog=POINTED)
    some = context(script, Kind.ANSWER, AnswerParams(option=2), ASKS, shown="> 1", state=State.WAITING_APPROVAL)
    told = await answer(some)
    assert (told["delivery"], [text.split()[-1] for text in script.written]) == ("unconfirmed", ["Down"])
    assert "nothing was answered" in told["note"]


@pytest.mark.tc("TC-107")
async def test_words_that_are_not_seen_in_the_dialog_are_not_submitted() -> None:
    script = Script([(ASKS, "the field is open"), (ASKS, "other words")])
    told = await answer(asked(script, Kind.ANSWER, AnswerParams(text="my words")))
    assert (told["delivery"], len(script.written)) == ("unconfirmed", 2), "the option and the words"
    assert "not submitted" in told["note"]


@pytest.mark.tc("TC-031")
async def test_a_secret_of_the_prompt_is_not_in_the_answer() -> None:
    script = Script([(FREE, "")])
    some = asked(script, Kind.APPROVE)
    secret = replace(WAITING, text="curl -H 'Authorization: Bearer abcdefghijklmnopqrstuvwxyz012345'")
    some.case = replace(some.case, fresh=replace(ASKS, waiting=secret))
    told = await approve(some)
    assert "abcdefghijklmnop" not in str(told)
    assert told["prompt"]["fingerprint"] == WAITING.fingerprint


# ------------------------------------------------------------ signals


def signalled(script: Script, name: str) -> ActionContext:
    return context(script, Kind.KILL, KillParams("signal", name))


@pytest.mark.tc("TC-029")
async def test_a_signal_that_ends_is_waited_for_and_one_that_interrupts_is_not() -> None:
    ending = Script([(FREE, ""), (FREE, ""), (replace(FREE, alive=False), "")])
    told = await killing.kill(signalled(ending, "TERM"))
    assert (told["ended"], told["pids"], ending.written) == (True, [50], ["kill -TERM 50"])
    staying = Script([(FREE, "")])
    assert (await killing.kill(signalled(staying, "INT")))["ended"] is False
    assert staying.seen <= 2, "nobody waits for an end that is not to come"


@pytest.mark.tc("TC-029")
async def test_a_number_whose_process_has_just_ended_gets_no_signal() -> None:
    """It may be somebody else's already."""
    script = Script([(FREE, "")], pids=())
    with pytest.raises(AgtmuxError) as caught:
        await killing.kill(signalled(script, "KILL"))
    assert (caught.value.code, script.written) == ("E_RUNTIME_STALE", [])


@pytest.mark.tc("TC-029")
@pytest.mark.parametrize(("pids", "code"), [((50,), "E_RUNTIME_STALE"), ((50, 51), "E_ACTION_INDETERMINATE")])
async def test_a_process_that_takes_no_signal_is_told_as_what_it_is(pids: tuple[int, ...], code: str) -> None:
    script = Script([(FREE, "")], signal=Completed(1, b"", b"kill: (50) - No such process"))
    with pytest.raises(AgtmuxError, match="No such process") as caught:
        await signalled(script, "TERM").keystrokes.signal("TERM", pids)
    assert caught.value.code == code


@pytest.mark.tc("TC-107")
async def test_a_write_of_which_nobody_can_tell_is_called_so() -> None:
    for reason, code in (("lost", "E_ACTION_INDETERMINATE"), ("timeout", "E_ACTION_INDETERMINATE"),
                         ("refused", "E_TARGET_UNREACHABLE"), ("auth", "E_TARGET_UNREACHABLE")):  # fmt: skip
        some = context(Script([(FREE, "")]), Kind.SEND, text())

        async def fails(*_: object, why: str = reason, **__: object) -> Completed:
            raise ExecutorError(why, "gone")

        cast(Any, some.reached.executor).run = fails
        with pytest.raises(AgtmuxError) as caught:
            await some.keystrokes.type(b"x")
        assert caught.value.code == code, reason


# ------------------------------------------------------------ what is known


@pytest.mark.tc("TC-107")
def test_a_crash_that_is_shown_is_an_agent_for_who_looked_at_it_and_for_nobody_else() -> None:
    repository = Repository()
    repository.runtimes[RUNTIME.runtime_id] = replace(RUNTIME, ended_at=5)
    repository.states[KEY] = state_row(State.ERROR, reason="agent_crashed")
    assert known_of(repository, KEY) == KnownState()
    assert known_of(repository, KEY, crashed=True).state is State.ERROR


@pytest.mark.tc("TC-031")
def test_the_key_of_digests_is_made_once_and_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "actions.key"
    key = load_key(str(file))
    assert (len(key), stat.S_IMODE(file.stat().st_mode)) == (32, 0o600)
    assert load_key(str(file)) == key
    file.write_bytes(key[:5])  # a write that was cut off
    assert load_key(str(file)) not in (key, key[:5])
    assert [path.name for path in tmp_path.iterdir()] == ["actions.key"]
