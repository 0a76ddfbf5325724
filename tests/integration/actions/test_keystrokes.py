"""What is typed or pasted arrives byte for byte in a program that reads its terminal raw."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.keystrokes import Keystrokes
from agtmuxd.tmux.server import parse_version
from tests.conftest import Tmux
from tests.integration.actions.receiver import Receiver

MARK = b"\x1b[200~", b"\x1b[201~"

# Everything a caller can mean as text: control characters, quotes, what tmux and shells read, any script.
TEXT = st.text(
    st.one_of(
        st.characters(blacklist_categories=["Cs"]), st.sampled_from("\x00\x01\x03\x07\x1b\t\r\n;'\"\\#{}$~%-`&|<> \x7f")
    ),
    min_size=1, max_size=200,
)  # fmt: skip


def framed(data: bytes, on: bool) -> bytes:
    return MARK[0] + data + MARK[1] if on else data


@pytest.mark.tc("TC-106")
def test_any_text_arrives_byte_for_byte_by_keys_and_by_paste(tmux: Tmux, short_dir: Path) -> None:
    there = {on: Receiver(tmux, short_dir, on) for on in (True, False)}

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(text=TEXT, on=st.booleans(), paste=st.booleans())
    def check(text: str, on: bool, paste: bool) -> None:
        data = text.encode()

        async def put() -> None:
            keystrokes = await there[on].keystrokes()
            await (keystrokes.paste(data, bracketed=True) if paste else keystrokes.type(data))

        asyncio.run(put())
        want = framed(data, on and paste)
        assert there[on].take(len(want)) == want

    check()


@pytest.mark.tc("TC-106")
async def test_a_tmux_of_no_known_version_gets_no_paste_that_it_may_change(
    receiver: Receiver,
) -> None:
    plain = "ü 日 \t\r\n 'x' \a\b".encode()
    held = (await receiver.keystrokes())._held
    keystrokes = Keystrokes(receiver.reached, held, parse_version("openbsd-7.9"))
    await keystrokes.paste(plain, bracketed=False)
    assert receiver.take(len(plain)) == plain
    for data in (b"a\x1b[A", b"\x00", b"\x7f", b"\xff"):
        with pytest.raises(AgtmuxError) as caught:
            await keystrokes.paste(data, bracketed=False)
        assert (caught.value.code, caught.value.details["reason"]) == ("E_UNSUPPORTED", "tmux_version")
    assert receiver.take(0) == b""
    assert receiver.tmux.run("list-buffers") == ""
