"""What the list of clients says, and what it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agtmuxd.core.model import TmuxClient
from agtmuxd.tmux.clients import list_clients, read_clients
from agtmuxd.tmux.round import RoundFailure

N = "0123456789abcdef"
pytestmark = pytest.mark.tc("TC-361")


def _row(ids: str = "$1 @2 %3 1700000000 1", termtype: str = "kitty(0.35)") -> str:
    texts = ("attached,focused,UTF-8", "/dev/pts/4", "/dev/pts/4", "xterm-kitty", termtype)
    return f"{N}{ids}{N}{N.join(texts)}\n"


def _read(reply: str, stderr: str = "", returncode: int = 0) -> tuple[TmuxClient, ...] | RoundFailure:
    return read_clients(N, "3.3a", reply.encode(), stderr.encode(), returncode)


def test_a_client_is_read_field_by_field() -> None:
    client = TmuxClient(
        "/dev/pts/4", "/dev/pts/4", "$1", "@2", "%3", frozenset({"attached", "focused", "UTF-8"}), "xterm-kitty",
        "kitty(0.35)", 1700000000, True,
    )  # fmt: skip
    assert _read(_row() + _row(termtype="a\nb\t")) == (client, replace(client, termtype="a\nb\t"))
    assert list_clients(N)[:2] == ["list-clients", "-F"]


def test_a_long_text_is_cut_and_a_client_without_a_session_is_left_out() -> None:
    found = _read(_row(termtype="x" * 9000) + _row(ids="   1700000000 0"))
    assert not isinstance(found, RoundFailure)
    assert [len(client.termtype) for client in found] == [256]


def test_no_server_has_no_clients_and_anything_else_proves_nothing() -> None:
    assert _read("", "no server running on /tmp/s", 1) == ()
    assert _read("", "", 0) == ()
    for reply, stderr, code in (("", "server exited unexpectedly", 1), (_row()[:-30].replace(N, "", 1), "", 0)):
        found = _read(reply, stderr, code)
        assert isinstance(found, RoundFailure)
    cut = _read(_row().rpartition(N)[0])
    assert cut == RoundFailure("lost", "tmux did not list its clients: the reply is incomplete")
