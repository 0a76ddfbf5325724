"""Send one request of an agent on this machine to the daemon elsewhere that watches it.

Part of the hook program: ``hook.py call METHOD PATH``, with the body on standard input. Uses only the standard library
of any python3 from 3.8 on. Prints the answer. The exit status is 0 for an answer 2xx, else 1.

The proof of who asks: a helper process below this one has the digest of this very request on its command line. The
daemon reads the process table of this machine by itself, and looks which agent stands above the helper. The digest is
made with a nonce that is only in the request, so that who sees the digest cannot send a request of his own with it.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HEADER = "Agtmux-Caller"
MOST = 1 << 20
"""Bytes of a body."""
TIMEOUT = 60.0
"""Seconds to wait for the daemon. It holds a wait open for up to 45 s."""
HELPER = ("/bin/sh", "-c", "read x", "agtmux-call")
"""A process that lives until its input ends. The digest follows on its command line."""


def main(argv: Sequence[str], sockets: Sequence[str], is_ours: Callable[[socket.socket], bool]) -> int:
    """Send the request to one daemon after the other until one accepts it. Return the exit status."""
    if len(argv) != 2 or not argv[0].isalpha() or not argv[1].startswith("/v1/"):
        sys.stderr.write("usage: hook.py call METHOD PATH, with the body on standard input\n")
        return 2
    method, path = argv[0].upper(), argv[1]
    body = b"" if method == "GET" else sys.stdin.buffer.read(MOST + 1)
    if len(body) > MOST:
        sys.stderr.write(f"agtmux: the body has more than {MOST} bytes\n")
        return 2
    answer = b""
    for one in sockets:
        status, found = ask(one, method, path, body, is_ours)
        answer = answer if answer and status == 0 else found
        if 200 <= status < 300:
            sys.stdout.write(found.decode("utf-8", "replace") + "\n")
            return 0
    if not answer:
        text = "no agtmux daemon that watches this machine answers: try again in a moment"
        answer = json.dumps({"error": {"code": "E_DAEMON_UNREACHABLE", "message": text}}).encode()
    sys.stdout.write(answer.decode("utf-8", "replace") + "\n")
    return 1


def ask(where: str, method: str, path: str, body: bytes, is_ours: Callable[[socket.socket], bool]) -> tuple[int, bytes]:
    """Send the request to one socket. Return status and body of the answer; status 0: there was none."""
    nonce = os.urandom(16).hex()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(TIMEOUT)
        try:
            sock.connect(where)
            if not is_ours(sock):
                return 0, b""
            words = [*HELPER, digest(nonce, method, path, body)]
            with subprocess.Popen(words, stdin=subprocess.PIPE) as helper:
                sock.sendall(request(method, path, f"{helper.pid} {nonce}", body))
                answer = b""
                while piece := sock.recv(65536):
                    answer += piece
        except OSError:
            return 0, b""
    head, _, rest = answer.partition(b"\r\n\r\n")
    words_of_status = head.split(b" ", 2)
    if len(words_of_status) < 2 or not words_of_status[1].isdigit():
        return 0, b""
    return int(words_of_status[1]), rest


def digest(nonce: str, method: str, path: str, body: bytes) -> str:
    """Return what stands on the helper's command line. Nobody can make a request that fits without the nonce."""
    return hashlib.sha256(f"{nonce}\n{method}\n{path}\n".encode() + body).hexdigest()


def request(method: str, path: str, caller: str, body: bytes) -> bytes:
    """Return the request as HTTP/1.1."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: agtmux\r\nConnection: close\r\n{HEADER}: {caller}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii", "replace") + body
