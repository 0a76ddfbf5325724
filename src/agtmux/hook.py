"""Report an agent's event to the daemon (``agtmux hook AGENT``), and never slow or break that agent.

Owns the event as a hook sends it, its deadlines and the writing of the spool. Knows no agent by name. Imports only what
costs next to nothing, because every tool call of every agent waits for it.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
import time

from agtmux.protocol import paths
from agtmux.protocol.peer import other_user
from agtmux.protocol.regular import open_regular, read_regular

MS = 1_000_000
CAP = 250
STDIN_BY = 110 * MS
"""Deadlines count from the process's start, in nanoseconds. By this one the payload must be read."""
POST_BY = 190 * MS
POST_FOR = 150 * MS
SPOOL_BY = 220 * MS
EXIT_BY = 235 * MS
"""At this deadline an alarm ends the process, whatever it waits for. With the interpreter's start it stays under 250
ms. ``AGTMUX_HOOK_CAP_MS`` stretches all deadlines, for a machine that is too slow or busy for them.
"""

PS_BY = 90 * MS
"""The deadline of ``ps``, where it replaces ``/proc``."""
PROC = "/proc/self/stat"

MOST_LATE = 9_000 * MS
AHEAD = 1_000 * MS
"""How far ``--at`` may lie before (``MOST_LATE``) and after (``AHEAD``) the start. Both are within the daemon's
``events.skew_budget``.
"""
MAX_STDIN = 16 << 20
MAX_BODY = 1_000_000
LATE_BODY = 100_000
MAX_STRING = 8192
MAX_SPOOL = 64 << 20
KEEP_SPOOL = 16 << 20
"""Bytes to which a full spool is cut. Small enough to be copied before the deadline."""

ENV = ("CLAUDE_CODE_SESSION_ATTENDED", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_SESSION_ID")


def run(argv: list[str], started: int) -> None:
    """Deliver one event. ``argv`` is ``AGENT [--event NAME] [--at NS] [PAYLOAD]``.

    ``started``: the clock at the process's start, in ns. NAME: the event's name, for agents whose payloads do not name
    it. NS: the event's time, if it is reported later.

    Posts the event to the first socket that answers 2xx, else appends it to the spool. May raise anything: the caller
    exits with 0 in any case.
    """
    factor = (_number(os.environ.get("AGTMUX_HOOK_CAP_MS", "")) or CAP) / CAP

    def by(deadline: int) -> int:
        return started + int(deadline * factor)

    signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
    signal.setitimer(signal.ITIMER_REAL, max(0.001, (by(EXIT_BY) - time.time_ns()) / 1e9))
    agent = argv[0] if argv and _is_name(argv[0]) else "unknown"
    name, at, rest = options(argv[1:], started)
    raw = os.fsencode(rest[-1]) if rest else _stdin(by(STDIN_BY))
    if len(raw) > MAX_BODY:
        end_at(by(EXIT_BY))
    event = build_event(agent, "notify" if rest else "hook", parse(raw), at, os.environ, name)
    if not event["chain"] and not os.path.exists(PROC):
        from agtmux.protocol import psline

        event["chain"] = psline.ancestors(os.getppid(), by(PS_BY))
    body = encode(event)
    until = min(time.time_ns() + int(POST_FOR * factor), by(POST_BY))
    if not any(post(path, body, until) for path in paths.socket_candidates()):
        late = time.time_ns() > by(STDIN_BY)  # then there is little time left to redact a long body
        spool(to_spool(json.loads(encode(event, LATE_BODY) if late else body)), paths.spool_path(), by(SPOOL_BY))


def to_spool(event: dict[str, object]) -> bytes:
    """Return the event's line for the spool. Secrets are removed here. For posted events the daemon removes them."""
    from agtmux.protocol.redact import redact_event

    try:
        patterns = json.loads(read_regular(paths.patterns_path(), 1 << 20))
    except (OSError, ValueError):
        patterns = []  # no daemon has run yet
    known = patterns if isinstance(patterns, list) else []
    safe = redact_event(event, [pattern for pattern in known if isinstance(pattern, str)])
    space = {"pid_space": name} if (name := pid_space()) is not None else {}
    return json.dumps({**safe, **space, "spooled": True}, separators=(",", ":")).encode()


def pid_space() -> str | None:
    """Return what tells a container's pids apart from others. After a process has ended, the kernel no
    longer shows it.
    """
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:  # not Linux
        return None


def options(words: list[str], started: int) -> tuple[str | None, int, list[str]]:
    """Return the event's name if it is given, its time in ns, and the remaining words.

    Plugins that send one event after the other use ``--at``. It counts only within ``MOST_LATE`` and ``AHEAD``.
    Otherwise ``started`` counts.
    """
    name, at = None, started
    while len(words) > 1 and words[0] in ("--event", "--at"):
        option, value, words = words[0], words[1], words[2:]
        if option == "--event":
            name = value
        elif value.isascii() and value.isdecimal() and len(value) < 20 and -AHEAD <= started - int(value) <= MOST_LATE:
            at = int(value)
    return name, at, words


def end_at(deadline: int) -> None:
    """End this process with status 1 at the clock ``deadline`` (ns), even in the middle of parsing a long payload."""
    import faulthandler

    left = max(0.001, (deadline - time.time_ns()) / 1e9)
    faulthandler.dump_traceback_later(left, exit=True, file=os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC))


def _stdin(until: int) -> bytes:
    """Read standard input until its end or the deadline, whichever comes first. Never reads a terminal."""
    data = bytearray()
    try:
        while len(data) < MAX_STDIN and not os.isatty(0):
            left = (until - time.time_ns()) / 1e9
            if left <= 0 or not select.select([0], [], [], left)[0]:
                break
            piece = os.read(0, 1 << 20)
            if not piece:
                break
            data += piece
    except OSError:
        return bytes(data)  # it is closed or broken: what arrived counts
    return bytes(data)


def parse(raw: bytes) -> dict[str, object]:
    """Parse the payload as an object and cut long strings. What is not a JSON object is returned under ``_raw``."""
    text = raw.decode("utf-8", "replace")
    try:
        value = json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        return {"_raw": cut(text)} if raw else {}
    return {cut(k): _shrink(v, MAX_STRING, 1000, 48) for k, v in value.items()}


def cut(text: str, most: int = MAX_STRING) -> str:
    """Return ``text`` within ``most`` characters, with a note of how much is missing, and without lone surrogates."""
    if len(text) > most:
        text = f"{text[:most]}…[{len(text) - most} characters cut]"
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _shrink(value: object, most: int, items: int, depth: int) -> object:
    if isinstance(value, str):
        return cut(value, most)
    if not isinstance(value, (dict, list)):
        return str(value) if isinstance(value, float) and value - value else value  # JSON has no number such as 1e999
    if depth == 0:
        return "…[too deep]"
    if isinstance(value, list):
        return [_shrink(v, most, items, depth - 1) for v in value[:items]]
    return {cut(k, most): _shrink(v, most, items, depth - 1) for k, v in list(value.items())[:items]}


def build_event(
    agent: str,
    source: str,
    payload: dict[str, object],
    started: int,
    env: os._Environ[str] | dict[str, str],
    name_option: str | None = None,
) -> dict[str, object]:
    """Build the event as ``POST /v1/events`` takes it. ``started`` is in ns. Unknown fields are left out."""
    name = name_option or payload.get("hook_event_name") or payload.get("type")
    event_id = uuid7(started)
    event: dict[str, object] = {
        "event_id": event_id,
        "source_event_id": event_id,
        "event_type": cut(name, 200) if isinstance(name, str) else "unknown",
        "source": source,
        "agent_type": agent,
        "event_time": started,
        "chain": ancestors(os.getppid()),
        "env": {key: cut(env[key], 1024) for key in ENV if key in env},
        "payload": payload,
    }
    socket_of, _, rest = env.get("TMUX", "").rpartition(",")[0].rpartition(",")
    server = _number(rest)
    if server and 0 < len(socket_of) < 4096:
        event["tmux"] = {"socket": cut(socket_of), "server_pid": server}
    pane = env.get("TMUX_PANE", "")
    if pane[:1] == "%" and _number(pane[1:]) is not None:
        event["pane_id"] = pane
    pid = _number(env.get("CLAUDE_PID", ""))
    if pid:
        event["pid"] = pid
    return event


def _is_name(text: str) -> bool:
    return 0 < len(text) <= 64 and text.isascii() and text.translate({45: None, 46: None, 95: None}).isalnum()


def _number(text: str) -> int | None:
    """Parse a process or pane number. None for any other text."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def uuid7(now: int) -> str:
    """Return a UUID of version 7 (ordered by time) for the clock ``now`` in ns."""
    number = (now // MS & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    number = number & ~(0xF << 76) & ~(0x3 << 62) | 7 << 76 | 2 << 62
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def ancestors(pid: int) -> list[dict[str, object]]:
    """Return the processes from ``pid`` upwards with their start times (Linux clock ticks). [] without ``/proc``."""
    chain: list[dict[str, object]] = []
    while pid > 1 and len(chain) < 32:
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                name, _, rest = file.read(4096).partition(b"(")[2].rpartition(b")")
        except OSError:
            break
        fields = rest.split()
        link: dict[str, object] = {"pid": pid, "start": fields[19].decode(), "argv": first_words(pid)}
        link["comm"] = name[:64].decode("utf-8", "replace")
        if int(fields[2]) > 0:  # 0: its group is of another pid namespace
            link["pgid"] = int(fields[2])
        chain.append(link)
        pid = int(fields[1])
    return chain


def first_words(pid: int) -> list[str]:
    """Return the first words of a process's command line, cut. They show which agent it is and what it was started for.

    These are the first two words, and those of the next two without a blank: with one, they may be a prompt.
    """
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(1024).split(b"\0")[:4]
    except OSError:
        return []
    kept = words[:2] + [word for word in words[2:] if b" " not in word and b"\n" not in word]
    return [word[-200:].decode("utf-8", "replace") for word in kept if word]


def encode(event: dict[str, object], limit: int = MAX_BODY) -> bytes:
    """Return the event as JSON of at most ``limit`` bytes. A payload that is too long is cut in several steps."""
    body = json.dumps(event, separators=(",", ":")).encode()
    payload = event["payload"]
    for most, items, depth in ((2048, 200, 16), (256, 50, 6), (128, 50, 1)):
        if len(body) <= limit:
            break
        body = json.dumps({**event, "payload": _shrink(payload, most, items, depth)}, separators=(",", ":")).encode()
    return body


def post(path: str, body: bytes, until: int) -> bool:
    """Return whether a daemon of this user at ``path`` accepted the event (2xx) before the clock ``until`` (ns).

    The posted body holds what the user typed, unredacted. So it goes to no other user's process.
    """
    head = (
        "POST /v1/events HTTP/1.1\r\nHost: agtmux\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    data = memoryview(head.encode() + body)
    answer = b""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(max(0.001, (until - time.time_ns()) / 1e9))
            sock.connect(path)
            if other_user(sock) is not None:
                return False
            while data:
                sock.settimeout(max(0.001, (until - time.time_ns()) / 1e9))
                data = data[sock.send(data) :]
            while b"\r\n" not in answer and len(answer) < 4096:
                sock.settimeout(max(0.001, (until - time.time_ns()) / 1e9))
                piece = sock.recv(4096)
                if not piece:
                    break
                answer += piece
                if time.time_ns() > until:
                    break
    except OSError:
        return False
    return answer[:9] == b"HTTP/1.1 " and answer[9:10] == b"2"


def spool(line: bytes, path: str, until: int, most: int = MAX_SPOOL, keep: int = KEEP_SPOOL) -> None:
    """Append one event to the spool, whole or not at all, under its lock.

    A spool that would pass ``most`` bytes is first cut to its newest ``keep`` bytes behind a gap line. Raises OSError
    if the disk refuses, TimeoutError if the lock is not free by the clock ``until`` (ns).
    """
    paths.ensure_private_dir(os.path.dirname(path))
    while True:
        fd = open_regular(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW)
        try:
            _lock(fd, until)
            if not _is_at(fd, path):
                continue  # the daemon, or another hook that cut the spool, put a new file in its place
            size = os.fstat(fd).st_size
            if size and size + len(line) + 1 > most:
                _keep_newest(fd, path, size, keep)
                continue
            whole = (b"" if not size or os.pread(fd, 1, size - 1) == b"\n" else b"\n") + line + b"\n"
            try:
                written = os.write(fd, whole)
            except OSError:
                written = 0
            if written != len(whole):
                os.ftruncate(fd, size)
                raise OSError(f"{path} took {written} of {len(whole)} bytes")
            if _is_at(fd, path):
                return  # else the daemon took the file meanwhile: append again, the dedupe key drops doubles
        finally:
            os.close(fd)


def _lock(fd: int, until: int) -> None:
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.time_ns() > until:
                raise TimeoutError("the spool is locked") from None
            time.sleep(0.002)


def _is_at(fd: int, path: str) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(fd), there)


def _keep_newest(fd: int, path: str, size: int, keep: int) -> None:
    """Replace the locked spool by a gap line and its last ``keep`` bytes, from the start of a line."""
    dropped, start, first = 0, max(0, size - keep), True
    place = 0
    while place < start:
        piece = os.pread(fd, min(1 << 20, start - place), place)
        if not piece:
            break
        if first and piece.startswith(b'{"gap"'):
            dropped += int(json.loads(piece.partition(b"\n")[0])["gap"]["dropped"]) - 1
        first = False
        dropped += piece.count(b"\n")
        place += len(piece)
    tail = os.pread(fd, keep, start)
    if start and os.pread(fd, 1, start - 1) != b"\n":
        dropped, tail = dropped + 1, tail.partition(b"\n")[2]  # the rest of a line whose beginning is cut off
    fresh = f"{path}.tmp"  # one fixed name: the next hook overwrites what an ended one left
    out = open_regular(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW)
    try:
        data = memoryview(json.dumps({"gap": {"dropped": dropped}}).encode() + b"\n" + tail)
        while data:
            data = data[os.write(out, data) :]
        if _is_at(fd, path):  # else the daemon took the file meanwhile, and the file at ``path`` is newer
            os.rename(fresh, path)
        else:
            os.unlink(fresh)
    except OSError:
        os.unlink(fresh)
        raise
    finally:
        os.close(out)
