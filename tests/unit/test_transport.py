"""The wire: any way a server may cut its answer, the same body comes out; half an answer is never taken for a whole."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agtmux.client import is_older, query, quote
from agtmux.protocol.errors import AgtmuxError
from agtmux.transport import ConnectionLostError, Exchange, NoDaemonError


@contextmanager
def answering(folder: Path, *pieces: bytes) -> Iterator[str]:
    """A server that answers one request with these pieces and hangs up."""
    path = folder / "s"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                with suppress(BrokenPipeError, ConnectionResetError):  # a client that has the whole body may leave
                    for piece in pieces:
                        connection.sendall(piece)

        thread = threading.Thread(target=serve)
        thread.start()
        yield str(path)
        thread.join(10)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def framed(body: bytes, sizes: list[int] | None) -> bytes:
    if sizes is None:
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    chunks, at = b"", 0
    for size in [*sizes, len(body)]:
        chunk = body[at : at + size]
        at += len(chunk)
        chunks += b"%x;ext=1\r\n%s\r\n" % (len(chunk), chunk) if chunk else b""
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


ANSWERS = st.tuples(
    st.binary(max_size=300).map(lambda text: text.replace(b"a", b"\n")),
    st.none() | st.lists(st.integers(1, 60), max_size=6),
    st.lists(st.integers(0, 2000), max_size=8),
)


@settings(max_examples=60, deadline=None)
@given(answer=ANSWERS, by_line=st.booleans())
def test_a_body_comes_out_whole_however_it_was_cut(
    tmp_path_factory: pytest.TempPathFactory, answer: tuple[bytes, list[int] | None, list[int]], by_line: bool
) -> None:
    body, sizes, places = answer
    folder = tmp_path_factory.mktemp("w")
    with answering(folder, *cut(framed(body, sizes), places)) as path, Exchange(path, "GET", "/") as exchange:
        if by_line:
            lines = list(iter(exchange.line, None))
            assert b"".join(lines) == body
            assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines[:-1])
        else:
            assert exchange.read() == body


def test_a_body_without_a_length_ends_with_the_connection(tmp_path: Path) -> None:
    with answering(tmp_path, b"HTTP/1.0 200 OK\r\n\r\nab", b"c") as path, Exchange(path, "GET", "/") as exchange:
        assert exchange.read() == b"abc"


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", b"SSH-2.0-OpenSSH\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n"],
)  # fmt: skip
def test_half_an_answer_is_an_error(tmp_path: Path, answer: bytes) -> None:
    with (
        answering(tmp_path, answer) as path,
        pytest.raises(ConnectionLostError),
        Exchange(path, "GET", "/") as exchange,
    ):
        exchange.read()


def test_a_silent_daemon_is_given_up(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with pytest.raises(ConnectionLostError) as result:
            Exchange(path, "GET", "/", timeout=0.05)
    assert result.value.code == "E_DAEMON_UNREACHABLE"


def test_nobody_at_the_socket_and_no_socket_are_the_same(tmp_path: Path) -> None:
    stale = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(stale))
    for path in (stale, tmp_path / "none"):
        with pytest.raises(NoDaemonError):
            Exchange(str(path), "GET", "/")


def test_a_socket_path_too_long_for_the_system_is_told() -> None:
    with pytest.raises(AgtmuxError, match="AGTMUX_RUNTIME_DIR"):
        Exchange("/tmp/" + "x" * 200, "GET", "/")


def test_an_early_refusal_of_a_large_body_is_read(tmp_path: Path) -> None:
    with answering(tmp_path, b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}") as path:  # noqa: SIM117
        with Exchange(path, "POST", "/", b"x" * 100) as exchange:
            assert (exchange.status, exchange.read()) == (413, b"{}")


@given(st.text())
def test_quoting_is_undone_by_any_url_parser(text: str) -> None:
    from urllib.parse import unquote

    assert unquote(quote(text)) == text
    assert quote(text).isascii()
    assert "/" not in quote(text)


def test_queries_leave_out_what_is_not_given() -> None:
    assert query({"a": None, "b": [], "c": "", "d": "x y", "e": ["1", "2"]}) == "?d=x%20y&e=1&e=2"
    assert query({}) == ""


def test_versions_compare_by_their_numbers() -> None:
    from agtmux import __version__

    assert is_older("0.0.99")
    assert not is_older(__version__)
    assert not is_older("10.0")
    assert not is_older("0.10.0.dev1")
