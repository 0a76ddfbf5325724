"""Commands that write to a pane: every size arrives whole, and tmux refuses what has changed."""

from __future__ import annotations

import pytest

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.tmux.keys import KEY_BYTES
from tests.conftest import Tmux
from tests.integration.actions.receiver import Receiver
from tests.integration.actions.test_keystrokes import framed


@pytest.mark.tc("TC-106")
@pytest.mark.parametrize("size", [1, 300, KEY_BYTES, 3761, 16_384, 65_537, 262_144])
async def test_every_size_arrives_whole(receiver: Receiver, size: int) -> None:
    data = (("wörd; 'x' #{pane_id} ~\n" * (size // 20 + 1)).encode())[:size]
    keystrokes = await receiver.keystrokes()
    if size <= KEY_BYTES:
        await keystrokes.type(data)
        assert receiver.take(size) == data
    await keystrokes.paste(data, bracketed=True)
    want = framed(data, "True" in receiver.file.name)
    assert receiver.take(len(want)) == want
    await keystrokes.paste(data, bracketed=False)
    assert receiver.take(size) == data
    assert receiver.tmux.run("list-buffers") == ""


@pytest.mark.tc("TC-107")
async def test_tmux_itself_refuses_what_changed_after_the_reading(receiver: Receiver, tmux: Tmux) -> None:
    keystrokes = await receiver.keystrokes()
    change: tuple[tuple[list[str], list[str]], ...] = (
        (["copy-mode", "-t", receiver.pane], ["copy-mode", "-q", "-t", receiver.pane]),
        (["set", "-p", "-t", receiver.pane, "synchronize-panes", "on"],
         ["set", "-p", "-t", receiver.pane, "synchronize-panes", "off"]),
        (["select-pane", "-d", "-t", receiver.pane], ["select-pane", "-e", "-t", receiver.pane]),
    )  # fmt: skip
    for do, undo in change:
        tmux.run(*do)
        for write in (keystrokes.type(b"x"), keystrokes.paste(b"y", bracketed=True), keystrokes.press(["Enter"])):
            with pytest.raises(AgtmuxError) as caught:
                await write
            assert (caught.value.code, caught.value.details["reason"]) == ("E_PRECONDITION_FAILED", "changed"), do
        tmux.run(*undo)
    assert tmux.run("list-buffers") == ""
    tmux.settle(receiver.pane)
    tmux.run("respawn-pane", "-k", "-t", receiver.pane, "cat")
    with pytest.raises(AgtmuxError) as caught:
        await keystrokes.type(b"x")
    assert caught.value.details["reason"] == "changed"
    assert receiver.file.read_bytes() == b""
