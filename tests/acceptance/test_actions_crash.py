"""kill -9 at each step of an action, restart, replay: what reached the pane is counted, and never twice."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from agtmux.cli.action_options import uuid7
from agtmux.protocol.errors import AgtmuxError
from tests.acceptance.stage import PATIENCE, Actor, Daemon, Place, pasted
from tests.conftest import Tmux, until

RUNBOOK = Path(__file__).parents[2] / "runbooks" / "actions.md"
CR = b"\r"
POINTS = (
    # point, keys that reached the pane, code of the replays (None: done)
    ("before_row", pasted("once") + CR, None),
    ("after_row", b"", "E_ACTION_INDETERMINATE"),
    ("before_read", b"", "E_ACTION_INDETERMINATE"),
    ("after_read", b"", "E_ACTION_INDETERMINATE"),
    ("before_act", b"", "E_ACTION_INDETERMINATE"),
    ("mid_paste", b"", "E_ACTION_INDETERMINATE"),
    ("mid_act", pasted("once"), "E_ACTION_INDETERMINATE"),
    ("after_submit", pasted("once") + CR, "E_ACTION_INDETERMINATE"),
    ("after_act", pasted("once") + CR, "E_ACTION_INDETERMINATE"),
    ("before_result", pasted("once") + CR, "E_ACTION_INDETERMINATE"),
    ("after_result", pasted("once") + CR, None),
    ("after_event", pasted("once") + CR, None),
)


@pytest.mark.tc("TC-108")
@pytest.mark.parametrize(("point", "arrived", "code"), POINTS, ids=[point for point, _, _ in POINTS])
def test_an_action_that_a_crash_cut_off_is_never_done_twice(
    place: Place, daemon: Daemon, actor: Callable[..., Actor], point: str, arrived: bytes, code: str | None
) -> None:
    place.env["AGTMUX_FAILPOINT"] = f"{point}:kill"
    daemon.start()
    one = actor().start()
    body = {"request_ref": uuid7(), "ref": one.ready(daemon)["ref"], "text": "once", "enter": True}
    with pytest.raises(AgtmuxError) as caught:
        daemon.client.act("send", body, PATIENCE)
    assert caught.value.code == "E_DAEMON_UNREACHABLE"
    assert daemon.process is not None
    assert daemon.process.wait(PATIENCE) == -signal.SIGKILL
    del place.env["AGTMUX_FAILPOINT"]
    daemon.start()
    daemon.wait_agent(one.pane)
    if point == "before_row":  # nothing was recorded and nothing done: the replay is the first
        until(lambda: (daemon.pane(one.pane) or {}).get("accepts_input"), within=PATIENCE)
    listed = []
    for _ in range(3):
        try:
            listed.append(daemon.client.act("send", body, PATIENCE).json()["result_code"])
        except AgtmuxError as error:
            listed.append(error.code)
    assert listed == [code or "done"] * 3
    assert one.keys() == arrived
    assert one.sent() == (["once"] if arrived.endswith(b"\r") else [])
    (item,) = daemon.client.actions({"limit": "10"}).json()["items"]
    assert item["result_code"] == ("indeterminate" if code else "done")


def buffers(server: Tmux) -> set[str]:
    return set(server.run("list-buffers", "-F", "#{buffer_name}").split())


@pytest.mark.tc("TC-220")
def test_a_buffer_that_a_crash_left_is_removed_and_no_buffer_of_the_user_is(
    place: Place, daemon: Daemon, actor: Callable[..., Actor], tmux: Tmux
) -> None:
    """A daemon that starts removes the buffer of a paste that a crash cut off. Buffers of the user stay, also where
    their names look like one of agtmux."""
    place.env["AGTMUX_FAILPOINT"] = "mid_paste:kill"
    daemon.start()
    one = actor().start()
    body = {"request_ref": uuid7(), "ref": one.ready(daemon)["ref"], "text": "once", "enter": True}
    with pytest.raises(AgtmuxError):
        daemon.client.act("send", body, PATIENCE)
    assert daemon.process is not None
    assert daemon.process.wait(PATIENCE) == -signal.SIGKILL
    (left,) = buffers(tmux)
    of_the_user = {"mine", "agtmux-notes", f"agtmux-{'ab' * 6}", f"{left[:-1]}{'0' if left[-1] != '0' else '1'}"}
    for name in of_the_user:
        tmux.run("set-buffer", "-b", name, "text of the user")
    del place.env["AGTMUX_FAILPOINT"]
    daemon.start()
    until(lambda: buffers(tmux) == of_the_user, within=PATIENCE, what=f"{buffers(tmux)}")


@pytest.mark.tc("TC-117")
def test_the_runbook_shows_these_points() -> None:
    heads = tuple(f"| {point} |" for point, _, _ in POINTS)
    output = [line for line in RUNBOOK.read_text("utf-8").splitlines() if line.startswith(heads)]
    real = [f"| {p} | `{a!r}` | {int(a.endswith(CR))} | {code or 'done'} |" for p, a, code in POINTS]
    assert output == real
