"""The program by which an agent elsewhere asks: its proof stands below it while it asks, and it prints the answer."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from agtmuxd.remote_hooks.call_program import HEADER, MOST, digest, main

pytestmark = pytest.mark.tc("TC-641")

OK = b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"kind": "agent"}'
NO = b'HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n{"error": {"code": "E_FORBIDDEN"}}'


@contextmanager
def served(path: Path, answer: bytes, seen: Callable[[bytes], None] = lambda _: None) -> Iterator[str]:
    """A daemon that gives one answer. ``seen`` gets the request before it is answered."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def serve() -> None:
        one, _ = server.accept()
        with one:
            request = b""
            while b"\r\n\r\n" not in request:
                request += one.recv(65536)
            seen(request)
            one.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield str(path)
    finally:
        thread.join(5)
        server.close()


def ours(_sock: socket.socket) -> bool:
    return True


def test_the_proof_is_a_process_below_this_one_while_it_asks(
    short_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found: dict[str, object] = {}

    def seen(request: bytes) -> None:
        head = dict(line.split(": ", 1) for line in request.decode().split("\r\n")[1:] if ": " in line)
        pid, nonce = head[HEADER].split()
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        found["proof"] = digest(nonce, "GET", "/v1/whoami?x=1", b"") in words
        found["parent"] = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        found["nonce in argv"] = any(nonce in word for word in words)
        found["pid"] = int(pid)

    with served(short_dir / "s", OK, seen) as path:
        assert main(["get", "/v1/whoami?x=1"], [path], ours) == 0
    assert json.loads(capsys.readouterr().out) == {"kind": "agent"}
    assert (found["proof"], found["parent"], found["nonce in argv"]) == (True, os.getpid(), False)
    assert not Path(f"/proc/{found['pid']}").exists(), "the helper ends with the request"


def test_a_body_is_part_of_the_proof(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[bytes] = []
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b'{"a": 1}')))
    with served(short_dir / "s", OK, requests.append) as path:
        assert main(["POST", "/v1/messages"], [path], ours) == 0
    assert b"Content-Length: 8\r\n" in requests[0]
    assert digest("n", "POST", "/p", b"{}") != digest("n", "POST", "/p", b"{ }")


def test_the_next_daemon_is_asked_if_one_refuses_or_is_gone(
    short_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(short_dir / "a", NO) as first, served(short_dir / "b", OK) as second:
        assert main(["GET", "/v1/whoami"], [str(short_dir / "gone"), first, second], ours) == 0
    assert "agent" in capsys.readouterr().out
    with served(short_dir / "c", NO) as first:
        assert main(["GET", "/v1/whoami"], [first, str(short_dir / "gone")], ours) == 1
    assert "E_FORBIDDEN" in capsys.readouterr().out
    assert main(["GET", "/v1/whoami"], [], ours) == 1
    assert "E_DAEMON_UNREACHABLE" in capsys.readouterr().out


def test_nothing_is_sent_to_a_socket_of_another_user(short_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(short_dir / "s"))
    server.listen()
    assert main(["GET", "/v1/whoami"], [str(short_dir / "s")], lambda _sock: False) == 1
    one, _ = server.accept()
    with one:
        assert one.recv(10) == b""
    assert "E_DAEMON_UNREACHABLE" in capsys.readouterr().out
    server.close()


@pytest.mark.parametrize("argv", [[], ["GET"], ["GET", "/other"], ["G T", "/v1/x"], ["GET", "/v1/x", "more"]])
def test_words_that_are_no_request_print_how_to_use_it(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv, [], ours) == 2
    assert "usage" in capsys.readouterr().err


def test_a_body_that_is_too_long_is_not_sent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"x" * (MOST + 1))))
    assert main(["POST", "/v1/messages"], [], ours) == 2
    assert "more than" in capsys.readouterr().err
