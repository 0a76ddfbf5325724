"""Speak HTTP/1.1 over the daemon's Unix socket: one request with its answer, or one stream of lines.

Owns the bytes sent and received and the timeouts. Knows no route and no JSON shape. It replaces http.client, whose
import alone takes longer than the whole exchange.
"""

from __future__ import annotations

import os
import select
import socket

from agtmux import __version__
from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.peer import other_user

MAX_HEAD = 65536
MAX_LINE = 64 << 20


class NoDaemonError(AgtmuxError):
    """Nobody listens at that socket (E_DAEMON_UNREACHABLE). Nothing was sent, so it is safe to ask again."""


class ConnectionLostError(AgtmuxError):
    """The daemon was there, but stopped answering or left before its answer was complete (E_DAEMON_UNREACHABLE)."""


class Exchange:
    """One running request. ``status`` and ``headers`` (names in lower case) are set once it is constructed.

    Raises NoDaemonError, ConnectionLostError. ``timeout`` (seconds) limits each wait for the daemon, not the whole.
    """

    def __init__(self, path: str, method: str, target: str, body: bytes | None = None, timeout: float = 10.0) -> None:
        self._path, self._timeout = path, timeout
        self._raw, self._text = bytearray(), bytearray()  # as received; of the body
        self._chunked, self._ended = False, False
        self._left: int | None = (
            0  # bytes of this chunk or body still to come; None: until the daemon closes the connection
        )
        self._sock = _connect(path, timeout)
        try:
            length = "" if body is None else f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            self._send(
                f"{method} {target} HTTP/1.1\r\nHost: agtmux\r\nUser-Agent: agtmux/{__version__}\r\n"
                f"Accept: application/json\r\nConnection: close\r\n{length}\r\n".encode("ascii")
                + (body or b"")
            )
            head = self._until(b"\r\n\r\n", MAX_HEAD).decode("latin-1").split("\r\n")
            self.status = self._status(head[0])
            pairs = (line.partition(":") for line in head[1:])
            self.headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
            self._chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
            size = self.headers.get("content-length", "")
            self._left = 0 if self._chunked else int(size) if size.isdecimal() else None
            self._ended = self._left == 0 and not self._chunked
        except BaseException:
            self.close()
            raise

    def read(self) -> bytes:
        """Read the rest of the body."""
        while self._decode() or self._more():
            pass
        return bytes(self._text)

    def line(self) -> bytes | None:
        """Read the next line of the body with its newline. None at the end. Waits without limit for its first byte."""
        scanned = 0
        while True:
            place = self._text.find(b"\n", scanned)
            if place >= 0:
                out = bytes(self._text[: place + 1])
                del self._text[: place + 1]
                return out
            scanned = len(self._text)
            if self._decode():
                continue
            if scanned > MAX_LINE:
                raise self._lost("sent a line without end")
            if self._ended:
                out = bytes(self._text)
                self._text.clear()
                return out or None
            self._sock.settimeout(None if not scanned and not self._raw else self._timeout)
            self._more()

    def wait(self, seconds: float, reader: int | None = None, wake: int | None = None) -> bool:
        """Return whether ``line`` has data within ``seconds``. Returns earlier if ``wake`` can be read, and empties it.

        Raises BrokenPipeError if the reader of fd ``reader`` is gone.
        """
        while self._decode():
            pass
        if b"\n" in self._text or self._ended:
            return True
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        if reader is not None:
            poll.register(reader, 0)
        if wake is not None:
            poll.register(wake, select.POLLIN)
        ready = dict(poll.poll(seconds * 1000))
        if wake in ready:
            os.read(wake, 4096)
        if reader is not None and ready.get(reader, 0) & select.POLLERR:
            raise BrokenPipeError
        return self._sock.fileno() in ready

    def close(self) -> None:
        """Close the connection. Idempotent."""
        self._sock.close()

    def __enter__(self) -> Exchange:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, data: bytes) -> None:
        try:
            self._sock.sendall(data)
        except TimeoutError:
            raise self._lost(f"did not take the request within {self._timeout:g} s") from None
        except OSError:
            return  # it may have answered (too large, forbidden) before it closed: that answer is read next

    def _more(self) -> bool:
        """Receive once. False if the body is complete. Raises if the daemon ends it early."""
        if self._ended:
            return False
        try:
            piece = self._sock.recv(1 << 18)
        except TimeoutError:
            raise self._lost(f"did not answer within {self._timeout:g} s") from None
        except OSError as error:
            raise self._lost(f"broke the connection ({error.strerror})") from None
        self._raw += piece
        if not piece:
            if self._left is not None:
                raise self._lost("closed the connection in the middle of its answer")
            self._ended = True
        return bool(piece)

    def _until(self, mark: bytes, most: int) -> bytes:
        while (place := self._raw.find(mark)) < 0:
            if len(self._raw) > most:
                raise self._lost("answered with something that is not HTTP")
            self._more()
        out = bytes(self._raw[:place])
        del self._raw[: place + len(mark)]
        return out

    def _decode(self) -> bool:
        """Move complete parts from the receive buffer to the body's. False if there was nothing to move."""
        if self._ended or not self._raw:
            return False
        if self._chunked and self._left == 0:
            return self._chunk_head()
        take = len(self._raw) if self._left is None else min(self._left, len(self._raw))
        self._text += self._raw[:take]
        del self._raw[:take]
        if self._left is not None:
            self._left -= take
            self._ended = self._left == 0 and not self._chunked
        return True

    def _chunk_head(self) -> bool:
        if self._raw[:2] == b"\r\n":  # the end of the chunk before
            del self._raw[:2]
        place = self._raw.find(b"\r\n")
        if place <= 0:
            return False
        try:
            self._left = int(bytes(self._raw[:place]).split(b";")[0], 16)
        except ValueError:
            raise self._lost("sent a broken chunk") from None
        del self._raw[: place + 2]
        self._ended = self._left == 0
        return True

    def _status(self, line: str) -> int:
        words = line.split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdecimal():
            raise self._lost("answered with something that is not HTTP")
        return int(words[1])

    def _lost(self, what: str) -> ConnectionLostError:
        return ConnectionLostError(
            "E_DAEMON_UNREACHABLE", f"the daemon at {self._path} {what}: see agtmux daemon logs", {"socket": self._path}
        )


def _connect(path: str, timeout: float) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    try:
        sock.connect(path)
    except OSError as error:
        sock.close()
        if isinstance(error, PermissionError):
            raise AgtmuxError(
                "E_FORBIDDEN",
                f"you may not open {path}: it belongs to another user's daemon; set AGTMUX_SOCKET to your own",
            ) from None
        if isinstance(error, (TimeoutError, BlockingIOError)):
            raise ConnectionLostError(
                "E_DAEMON_UNREACHABLE",
                f"the daemon at {path} accepts no connections: run agtmux daemon restart",
                {"socket": path},
            ) from None
        if error.errno is None:  # "AF_UNIX path too long"
            raise AgtmuxError(
                "E_DAEMON_UNREACHABLE", f"{path} is too long for a socket: set AGTMUX_RUNTIME_DIR to a shorter one"
            ) from None
        raise NoDaemonError(
            "E_DAEMON_UNREACHABLE", f"no daemon answers at {path}: run agtmux daemon start", {"socket": path}
        ) from None
    who = other_user(sock)
    if who is not None:
        sock.close()
        text = (
            f"{who} listens at {path}, not you: nothing was sent; check who owns that folder, then run "
            "agtmux daemon restart"
        )
        raise AgtmuxError("E_FORBIDDEN", text, {"socket": path})
    return sock
