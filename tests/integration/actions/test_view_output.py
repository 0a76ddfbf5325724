"""The text of a pane: its colours end with it, and rows that were left out are named."""

from __future__ import annotations

import asyncio

import pytest

from agtmuxd.core.action.request import Kind, ViewParams
from tests.conftest import Tmux, until
from tests.integration.actions.desk import Desk


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
