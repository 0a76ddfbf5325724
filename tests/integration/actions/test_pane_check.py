"""The second look of an action, on real panes: whose process that is, and what moved while the pane was read."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.access import Failpoints, TargetAccess
from agtmuxd.actions.callers import Callers
from agtmuxd.actions.kinds import action_functions
from agtmuxd.actions.ledger import KEPT_OUTPUTS, Ledger
from agtmuxd.actions.pane_check import PaneReader, PaneReading, one_pane
from agtmuxd.actions.runner import LOOK_AGAIN_AFTER, ActionRunner
from agtmuxd.adapters.discovery import discover
from agtmuxd.core.action.request import Caller, Guards, Kind, NoParams, Params, Request, SendParams, ViewParams
from agtmuxd.core.model import PaneRow, Source, State
from agtmuxd.core.screen.controls import InputField
from agtmuxd.repository import Runtime
from agtmuxd.targets.executor import ExecutorError, ProgramResult
from agtmuxd.targets.local import process_table
from agtmuxd.targets.local.executor import LocalExecutor
from tests.conftest import Tmux, until
from tests.integration.services.test_panes import panes_of
from tests.rig import BUSY, QUIET, TARGET, Agent, Clock, Rig

KEY = b"k" * 32


class Ground:
    """A tmux server, and a program that is called as an agent is and prints what it is told to."""

    def __init__(self, tmux: Tmux, folder: Path) -> None:
        self.tmux = tmux
        self.program = folder / "claude"
        shutil.copy("/bin/dash" if Path("/bin/dash").exists() else "/bin/sh", self.program)
        self.executor = LocalExecutor({"PATH": os.environ["PATH"]})
        argv = (self.executor.find_tmux(), "-u", "-S", str(tmux.socket))
        self.reached = TargetAccess(TARGET, "host", "local", self.executor, argv, 10.0)
        self.reader = PaneReader(discover([]))

    def agent(self, session: str = "main") -> str:
        """A pane in which it runs, with an empty input field on its screen."""
        rule = "─" * 40
        field = f"printf '%s\\n' '{rule}' '❯ ' '{rule}' '  ? for shortcuts'; printf '\\033[2;3H'"
        body = f"{field}; while read -r x; do :; done"
        pane = self.tmux.start(str(self.program), "-c", body, session=session)
        until(lambda: "shortcuts" in self.tmux.run("capture-pane", "-p", "-t", pane))
        return pane

    def life(self, pid: int) -> Runtime:
        proc = process_table.read_one(pid)
        assert proc is not None
        return Runtime(
            "rt-0123456789abcdef", TARGET, "%0", "b", 1, "claude", None, None, None, pid, proc.start, 1, False, None,
            None, 1,
        )  # fmt: skip

    async def read(self, pane: str, runtime: Runtime | None) -> PaneReading:
        return await self.reader.read(self.reached, pane, "b", runtime, None)


@pytest.fixture
async def ground(tmux: Tmux, short_dir: Path) -> AsyncIterator[Ground]:
    made = Ground(tmux, short_dir)
    yield made
    await made.executor.close()


@pytest.mark.tc("TC-107")
async def test_only_the_very_life_of_a_process_counts_as_the_agent(ground: Ground) -> None:
    """A number that came again, or a process of another pane, is somebody else."""
    pane, other = await asyncio.to_thread(ground.agent), await asyncio.to_thread(ground.agent, "other")
    mine, theirs = ground.life(ground.tmux.pid(pane)), ground.life(ground.tmux.pid(other))
    found = (await ground.read(pane, mine)).current
    assert (found.alive, found.foreground, found.other) == (True, True, None)
    again = (await ground.read(pane, replace(mine, process_start="1"))).current
    assert (again.alive, again.foreground) == (False, False)
    elsewhere = (await ground.read(pane, theirs)).current
    assert (elsewhere.alive, elsewhere.foreground) == (False, False)
    assert (await ground.read(pane, None)).current.other == "claude", "one that is no runtime yet"
    own = ground.tmux.pid(pane)
    signalled = [
        await ground.reader.processes(ground.reached, own, life)
        for life in (mine, replace(mine, process_start="1"), theirs, replace(mine, agent_type="codex"))
    ]
    assert signalled == [(own,), (), (), (own,)]


@pytest.mark.tc("TC-221")
async def test_a_screen_that_is_read_in_part_is_no_ground_for_an_action(ground: Ground) -> None:
    """A reading that is over the bound is refused: its end is missing, where the input field stands."""
    pane = ground.agent()

    class Short(LocalExecutor):
        async def run(self, argv: Sequence[str], **how: Any) -> ProgramResult:
            return await super().run(argv, **{**how, "max_output": 400})

    short = Short({"PATH": os.environ["PATH"]})
    with pytest.raises(AgtmuxError, match="too large to be read") as caught:
        await one_pane(replace(ground.reached, executor=short), pane)
    assert caught.value.code == "E_TARGET_UNREACHABLE"
    await short.close()


@pytest.mark.tc("TC-107")
async def test_an_agent_in_the_background_is_not_who_reads_the_keys(ground: Ground) -> None:
    tmux = ground.tmux
    pane = tmux.start("bash", "--norc", "--noprofile", "-i")
    tmux.run("send-keys", "-t", pane, "-l", f"{ground.program} -c 'sleep 600; true' & echo started-$!-")
    tmux.run("send-keys", "-t", pane, "Enter")

    def started() -> list[str]:
        words = [row for row in tmux.run("capture-pane", "-p", "-t", pane).splitlines() if row.startswith("started-")]
        return words[0].split("-")[1:2] if words else []

    (pid,) = await asyncio.to_thread(until, started)
    runtime = ground.life(int(pid))
    found = (await ground.read(pane, runtime)).current
    assert (found.alive, found.foreground, found.other) == (True, False, None)
    assert (await ground.read(pane, None)).current.other is None


class Desk(Ground):
    """All that an action goes through, over a door whose rounds the test tells."""

    def __init__(self, tmux: Tmux, folder: Path) -> None:
        super().__init__(tmux, folder)
        self.at: dict[str, Callable[[], None]] = {}
        self.reached_points: list[str] = []

    async def open(self, rig: Rig) -> None:
        self.rig = rig
        self.pane = await asyncio.to_thread(self.agent)
        row = await self._row()
        runtime = self.life(self.tmux.pid(self.pane))
        self.seen = Agent(
            self.pane, pid=runtime.pid or 0, start=runtime.process_start or "", levels={Source.POLLER: QUIET}
        )
        server = (await one_pane(self.reached, self.pane)).server
        assert server is not None
        self.boot, self.server = server.boot_id, server.pid
        self.row = row
        await self.round()
        self.actions = ActionRunner(
            ledger=Ledger(rig.store, rig.pipeline, KEY, rig.clock, self),  # type: ignore[arg-type]
            store=rig.store, repository=rig.pipeline.repository, view=rig.view,
            reader=self.reader, reach=lambda _: self.reached,
            callers=Callers(rig.pipeline.repository, lambda _: self.reached, rig.pipeline.servers, lambda: False),
            acts=action_functions(rig.pipeline), key=KEY, clock=rig.clock, failpoint=self,  # type: ignore[arg-type]
        )  # fmt: skip

    async def _row(self) -> PaneRow:
        read = await one_pane(self.reached, self.pane)
        assert read.row is not None
        return read.row

    async def round(self, *agents: Agent) -> None:
        for _ in range(2):
            self.rig.clock.forward(1)
            await self.rig.round(*(agents or (self.seen,)), panes=(self.row,), boot=self.boot, server=self.server)

    def __call__(self, point: str) -> None:
        """A failpoint: what the test wants to happen there."""
        if point in self.at:
            self.at.pop(point)()

    async def ask(
        self, kind: Kind, params: Params | None = None, name: str = "request-1", pid: int | None = None,
        ref: str | None = None, **guards: Any,
    ) -> Any:  # fmt: skip
        """``pid``: who asks; the test itself where it is not said. ``ref``: the pane's where it is not said."""
        item = self.rig.item(self.pane)
        assert item is not None
        request = Request(kind, name, ref or item["ref"], Guards(**guards), params or NoParams())
        return await self.actions.perform(request, Caller(os.getuid(), pid or os.getpid()))

    async def refused(self, kind: Kind, params: Params | None = None, **more: Any) -> str:
        with pytest.raises(AgtmuxError) as caught:
            await self.ask(kind, params, **more)
        return str(caught.value.details["reason"])


@pytest.fixture
async def desk(tmux: Tmux, short_dir: Path, tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmux, short_dir)
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        await made.open(rig)
        yield made
    await made.executor.close()


SHELL: dict[str, Any] = {"shell": True}


@pytest.mark.tc("TC-223")
async def test_what_actions_remember_of_panes_and_runtimes_that_have_gone_is_bounded(desk: Desk) -> None:
    """No lock is kept of a pane where no action runs, and of runtimes that have ended only a few are remembered. What
    was answered of one that lives is never forgotten."""
    runtime = desk.rig.pipeline.repository.active[(TARGET, desk.pane)]
    await desk.ask(Kind.SEND, SendParams(keys=("Down",)))
    assert len(desk.actions._locks) == 0
    desk.actions._ledger.mark_answered(runtime, 7)
    for number in range(1000):
        desk.actions._ledger.mark_answered(f"rt-{number:016}", 1)
    assert len(desk.actions._ledger._answered) <= 70
    assert desk.actions._ledger._answered[runtime] == 7


@pytest.mark.tc("TC-107")
async def test_two_actions_at_once_on_one_pane_are_done_one_after_the_other(desk: Desk) -> None:
    """The second waits for the first to end, though nobody else holds the lock."""
    inside: list[int] = []

    async def act(_context: Any) -> dict[str, Any]:
        inside.append(len(inside))
        assert len(inside) == 1
        await asyncio.sleep(0)
        inside.clear()
        return {}

    desk.actions._acts = {Kind.SEND: act}
    keys = SendParams(keys=("Down",))
    await asyncio.gather(*(desk.ask(Kind.SEND, keys, f"request-{n}") for n in range(5)))


@pytest.mark.tc("TC-107")
@pytest.mark.parametrize("point", ["before_read", "after_read"])
async def test_a_state_that_moves_while_the_pane_is_read_is_not_the_one_that_was_meant(desk: Desk, point: str) -> None:
    repository, key = desk.rig.pipeline.repository, (TARGET, desk.pane)

    def moves() -> None:
        repository.states[key] = replace(repository.states[key], state=State.RUNNING, state_version=99)

    desk.at[point] = moves
    assert await desk.refused(Kind.SEND, SendParams(keys=("Down",))) == "state_version"
    assert (await desk.ask(Kind.SEND, SendParams(keys=("Down",)), "request-2"))["result"]["delivery"] == "typed"


@pytest.mark.tc("TC-107")
async def test_an_agent_that_is_replaced_while_the_pane_is_read_is_not_the_one_that_was_meant(desk: Desk) -> None:
    repository, key = desk.rig.pipeline.repository, (TARGET, desk.pane)

    def replaced() -> None:
        old = repository.runtimes[repository.active[key]]
        repository.runtimes["rt-another-one-there"] = replace(old, runtime_id="rt-another-one-there")
        repository.active[key] = "rt-another-one-there"

    desk.at["after_read"] = replaced
    assert await desk.refused(Kind.SEND, SendParams(keys=("Down",)), force_stale=True) == "runtime"


@pytest.mark.tc("TC-107")
async def test_a_field_that_is_being_drawn_anew_is_looked_for_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was done yet, so another look costs nothing; a field that stays away is refused."""
    real, looks = desk.reader.read, 0

    async def blank(*args: Any) -> PaneReading:
        nonlocal looks
        looks += 1
        found = await real(*args)
        if looks > away:
            return found
        return replace(found, current=replace(found.current, field=InputField.ABSENT))

    monkeypatch.setattr(desk.reader, "read", blank)
    for away, reason in ((1, None), (len(LOOK_AGAIN_AFTER), None), (99, "no_composer")):
        looks = 0
        params = SendParams(keys=("Enter",))
        if reason is None:
            answer = await desk.ask(Kind.SEND, params, f"request-{away}")
            assert (answer["result"]["keys"], looks) == (["Enter"], away + 1)
        else:
            assert await desk.refused(Kind.SEND, params, name=f"request-{away}") == reason
            assert looks == 1 + len(LOOK_AGAIN_AFTER)


@pytest.mark.tc("TC-028")
async def test_outputs_are_kept_for_replays_up_to_a_bound(desk: Desk) -> None:
    many = KEPT_OUTPUTS + 1
    for number in range(many):
        assert (await desk.ask(Kind.VIEW, ViewParams(), f"request-{number}"))["result"]["output"]
    newest = await desk.ask(Kind.VIEW, ViewParams(), f"request-{many - 1}")
    oldest = await desk.ask(Kind.VIEW, ViewParams(), "request-0")
    assert (newest["replayed"], oldest["replayed"]) == (True, True)
    assert "shortcuts" in newest["result"]["output"]
    assert "output" not in oldest["result"]


@pytest.mark.tc("TC-028")
async def test_colours_of_an_output_end_with_it(desk: Desk, tmux: Tmux) -> None:
    pane = tmux.start("sh", "-c", "printf '\\033[31mred'; cat", session="red")
    await asyncio.to_thread(until, lambda: "red" in tmux.run("capture-pane", "-p", "-t", pane))
    desk.pane = pane
    desk.row = await desk._row()
    await desk.rig.round(panes=(desk.row,), boot=desk.boot, server=desk.server)
    answer = (await desk.ask(Kind.VIEW, ViewParams(ansi=True)))["result"]
    assert answer["output"].startswith("\x1b[31mred")
    assert answer["output"].endswith("\x1b[0m")
    plain = (await desk.ask(Kind.VIEW, ViewParams(), "request-2"))["result"]
    assert plain["output"] == "red\n"


@pytest.mark.tc("TC-107")
async def test_of_two_requests_for_one_pane_the_second_is_decided_on_what_the_first_left(desk: Desk) -> None:
    order: list[str] = []
    real = desk.reader.read

    async def noted(*args: Any) -> PaneReading:
        order.append("read")
        await asyncio.sleep(0.02)
        return await real(*args)

    desk.reader.read = noted  # type: ignore[method-assign,assignment]
    desk.at["before_act"] = lambda: order.append("act")
    first = asyncio.create_task(desk.ask(Kind.SEND, SendParams(keys=("Down",)), "request-1"))
    second = asyncio.create_task(desk.ask(Kind.SEND, SendParams(keys=("Down",)), "request-2"))
    await asyncio.gather(first, second)
    assert order[:3] == ["read", "act", "read"]


DOWN = SendParams(keys=("Down",))


@pytest.mark.tc("TC-026")
async def test_a_name_that_was_or_is_in_use_is_no_name_for_another_request(desk: Desk) -> None:
    other = SendParams(keys=("Up",))
    first = asyncio.create_task(desk.ask(Kind.SEND, DOWN))
    await asyncio.sleep(0)
    for _ in range(2):  # while it runs, and when it is done
        with pytest.raises(AgtmuxError) as caught:
            await desk.ask(Kind.SEND, other)
        assert caught.value.code == "E_IDEMPOTENCY_CONFLICT"
        await first


@pytest.mark.tc("TC-113")
async def test_an_agent_that_asks_may_look_and_not_act(desk: Desk, tmux: Tmux) -> None:
    itself = tmux.pid(desk.pane)
    with pytest.raises(AgtmuxError) as caught:
        await desk.ask(Kind.SEND, DOWN, pid=itself)
    assert caught.value.code == "E_FORBIDDEN"
    assert "shortcuts" in (await desk.ask(Kind.VIEW, ViewParams(), pid=itself))["result"]["output"]
    assert (await desk.ask(Kind.SEND, DOWN, "request-2"))["result"]["delivery"] == "typed"


@pytest.mark.tc("TC-028")
async def test_a_follow_up_goes_on_from_a_look_at_the_same_agent_only(desk: Desk) -> None:
    looked = (await desk.ask(Kind.VIEW, ViewParams()))["action_id"]
    acted = (await desk.ask(Kind.SEND, DOWN, "request-2"))["action_id"]
    assert "shortcuts" in (await desk.ask(Kind.VIEW, ViewParams(again=looked)))["result"]["output"]
    repository, key = desk.rig.pipeline.repository, (TARGET, desk.pane)
    for action_id, code in ((acted, "E_ACTION_NOT_FOUND"), ("none-of-that-name", "E_ACTION_NOT_FOUND")):
        with pytest.raises(AgtmuxError) as caught:
            await desk.ask(Kind.VIEW, ViewParams(again=action_id))
        assert caught.value.code == code
    old = repository.runtimes[repository.active[key]]
    repository.runtimes["rt-another-one-there"] = replace(old, runtime_id="rt-another-one-there")
    repository.active[key] = "rt-another-one-there"
    assert await desk.refused(Kind.VIEW, ViewParams(again=looked)) == "runtime"


@pytest.mark.tc("TC-107")
async def test_a_nonce_of_something_else_is_refused(desk: Desk) -> None:
    key = (TARGET, desk.pane)
    good = desk.actions.nonce(key)
    other = desk.actions.nonce_of((TARGET, "%99"), desk.rig.runtime_id(desk.pane), 1)
    assert await desk.refused(Kind.SEND, DOWN, snapshot=other) == "snapshot"
    assert await desk.refused(Kind.SEND, DOWN, name="request-2", snapshot="1.1.abc") == "snapshot"
    assert (await desk.ask(Kind.SEND, DOWN, "request-3", snapshot=good))["result"]["delivery"] == "typed"


@pytest.mark.tc("TC-107")
async def test_a_row_of_a_target_that_was_removed_meanwhile_is_listed_with_a_nonce_of_nothing(desk: Desk) -> None:
    panes = panes_of(desk.rig, desk.actions)
    item = desk.rig.item(desk.pane)
    assert item is not None
    assert (await desk.ask(Kind.SEND, DOWN, snapshot=panes.nonce(item)))["result"]["delivery"] == "typed"
    gone = panes.nonce({**item, "identity": {**item["identity"], "target": "gone"}})
    assert await desk.refused(Kind.SEND, DOWN, name="request-2", snapshot=gone) == "snapshot"


@pytest.mark.tc("TC-031")
async def test_the_record_tells_what_failed_from_what_was_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    real = desk.executor.run

    async def away(*_: Any, **__: Any) -> Any:
        raise ExecutorError("lost", "the wire was cut")

    monkeypatch.setattr(desk.executor, "run", away)
    with pytest.raises(AgtmuxError) as caught:
        await desk.ask(Kind.SEND, DOWN)
    assert caught.value.code == "E_TARGET_UNREACHABLE"
    monkeypatch.setattr(desk.executor, "run", real)
    assert await desk.refused(Kind.SEND, DOWN, name="request-2", if_state=("running",)) == "state"
    codes = desk.rig.rows("SELECT result_code, error_code FROM actions ORDER BY request_ref")
    assert codes == [("failed", "E_TARGET_UNREACHABLE"), ("refused", "E_PRECONDITION_FAILED")]


@pytest.mark.tc("TC-107")
async def test_what_was_done_in_part_is_not_called_refused(desk: Desk, tmux: Tmux) -> None:
    def scrolls() -> None:
        tmux.run("copy-mode", "-t", desk.pane)

    desk.at["mid_act"] = scrolls
    with pytest.raises(AgtmuxError) as caught:
        await desk.ask(Kind.SEND, SendParams(text="hi", keys=("Down",)))
    assert (caught.value.code, caught.value.details["reason"]) == ("E_ACTION_INDETERMINATE", "changed")
    assert caught.value.message.startswith(f"keys were sent to {desk.pane}, then it failed: ")
    codes = desk.rig.rows("SELECT result_code, error_code FROM actions")
    assert codes == [("indeterminate", "E_ACTION_INDETERMINATE")]


@pytest.mark.tc("TC-107")
async def test_a_crash_that_is_still_shown_is_nobody_in_the_way(desk: Desk, tmux: Tmux) -> None:
    """The shell that the agent left behind takes a command line as any other."""
    repository, before = desk.rig.pipeline.repository, (TARGET, desk.pane)
    dead = replace(repository.runtimes[repository.active[before]], runtime_id="rt-it-crashed-there", ended_at=1)
    shown = replace(
        repository.states[before], runtime_id=dead.runtime_id, state=State.ERROR, reason_code="agent_crashed"
    )
    desk.pane = tmux.start("cat", session="left")
    desk.row = await desk._row()
    await desk.rig.round(panes=(desk.row,), boot=desk.boot, server=desk.server)
    repository.runtimes[dead.runtime_id] = replace(dead, pane_id=desk.pane)
    repository.states[(TARGET, desk.pane)] = replace(shown, pane_id=desk.pane)
    answer = await desk.ask(Kind.SEND, SendParams(text="ls", **SHELL))
    assert answer["result"]["delivery"] == "typed"


@pytest.mark.tc("TC-005")
async def test_an_agent_that_crashed_is_not_acted_on_by_its_name_but_acknowledged(desk: Desk) -> None:
    """What is in its pane now is not what was meant."""
    desk.seen.levels[Source.POLLER] = BUSY
    await desk.round()
    name = desk.rig.runtime_id(desk.pane)
    await desk.rig.round(panes=(desk.row,), boot=desk.boot, server=desk.server)
    item = desk.rig.item(desk.pane)
    assert item is not None
    assert (item["reason_code"], item["runtime_id"]) == ("agent_crashed", name)
    ref = f"runtime:{name}"
    for kind, params in ((Kind.ATTACH, None), (Kind.SEND, SendParams(text="ls", **SHELL)), (Kind.VIEW, ViewParams())):
        assert await desk.refused(kind, params, ref=ref) == "runtime", kind
    assert (await desk.ask(Kind.ACK, ref=ref))["result"]["attention_before"] == "needs_action"


@pytest.mark.tc("TC-028")
async def test_history_that_was_left_out_is_told_where_the_screen_is_blank(desk: Desk, tmux: Tmux) -> None:
    desk.pane = tmux.start("sh", "-c", "seq 100; printf '\\033[2J\\033[Hend'; printf '\\033[2K'; cat", session="long")
    await asyncio.to_thread(until, lambda: int(tmux.show(desk.pane, "#{history_size}")) > 75)
    await asyncio.to_thread(until, lambda: not tmux.run("capture-pane", "-p", "-t", desk.pane).strip())
    desk.row = await desk._row()
    await desk.rig.round(panes=(desk.row,), boot=desk.boot, server=desk.server)
    some = (await desk.ask(Kind.VIEW, ViewParams(lines=5)))["result"]
    whole = (await desk.ask(Kind.VIEW, ViewParams(lines=500), "request-2"))["result"]
    assert (some["lines"] <= 5, some["truncated"], whole["truncated"]) == (True, True, False)


def test_a_failpoint_that_is_not_named_does_nothing() -> None:
    Failpoints("after_read:wait")("after_read")
    Failpoints(None)("after_read")
