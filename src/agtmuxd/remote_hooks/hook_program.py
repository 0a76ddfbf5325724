"""Report an agent's event to every daemon that watches this machine behind ssh.

Installed as one file (``install_program.py`` fills in ``REDACT``), and run by any python3 from 3.8 on. Uses only the
standard library, prints nothing and always exits with status 0. It differs from ``agtmux hook`` in its receivers: each
``*.supervisor`` file of the state folder is one daemon elsewhere, and holds the path of the socket that leads to it.
The file is empty while the daemon is not connected. An event that a daemon does not accept goes into its spool.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
import stat
import sys
import time

REDACT = ""
CALL = ""
"""Sources of the redaction and of ``call_program``, filled in when installed. Compiled only if they are needed."""

MS = 1_000_000
CAP = 250
STDIN_BY, POST_BY, POST_FOR, SPOOL_BY, EXIT_BY = 110 * MS, 190 * MS, 150 * MS, 220 * MS, 235 * MS
"""Deadlines (ns after the start), the same as in ``agtmux hook``."""
BEFORE = 30 * MS
"""Most CPU time (ns) counted for the interpreter's start: a shell that became it by exec may have used more."""

MOST_LATE, AHEAD = 9_000 * MS, 1_000 * MS
"""Both within the daemon's ``events.skew_budget``."""
MAX_STDIN, MAX_BODY, LATE_BODY, MAX_STRING = 16 << 20, 1_000_000, 100_000, 8192
MAX_SPOOL, KEEP_SPOOL = 64 << 20, 16 << 20

ENV = ("CLAUDE_CODE_SESSION_ATTENDED", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_SESSION_ID")

MOST_SUPERVISORS = 8
HUNG_AFTER, HUNG_FOR = 3, 30.0
"""After ``HUNG_AFTER`` unanswered posts a daemon is not tried for ``HUNG_FOR`` s: its events go into the spool."""
FORGOTTEN = 30 * 86_400
"""Seconds after which no more events are spooled for a daemon that never came back."""


def run(argv: list[str], started: int, folder: str) -> None:
    """Deliver one event to all daemons that watch. May raise anything: the caller always exits with 0.

    ``argv``: ``[hook] AGENT [--event NAME] [--at NS] [PAYLOAD]``; ``folder``: the state folder.
    """
    factor = (_number(os.environ.get("AGTMUX_HOOK_CAP_MS", "")) or CAP) / CAP

    def by(deadline: int) -> int:
        return started + int(deadline * factor)

    signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
    signal.setitimer(signal.ITIMER_REAL, max(0.001, (by(EXIT_BY) - time.time_ns()) / 1e9))
    daemons = supervisors(folder)
    if not daemons:
        return
    argv = argv[1:] if argv[:1] == ["hook"] else argv
    agent = argv[0] if argv and _is_name(argv[0]) else "unknown"
    name, at, rest = options(argv[1:], started)
    raw = os.fsencode(rest[-1]) if rest else _stdin(by(STDIN_BY))
    if len(raw) > MAX_BODY:
        end_at(by(EXIT_BY))
    event = build_event(agent, "notify" if rest else "hook", parse(raw), at, os.environ, name)
    body = encode(event)
    until = min(time.time_ns() + int(POST_FOR * factor), by(POST_BY))
    accepted = post_all([one[0] for one in daemons], body, until)
    for (_, _, hung), good in zip(daemons, accepted):
        count_unanswered(hung, good)
    left = [where for (_, where, _), good in zip(daemons, accepted) if not good and where]
    if left:
        late = time.time_ns() > by(STDIN_BY)  # then there is little time left to redact a long body
        spool_all(json.loads(encode(event, LATE_BODY) if late else body), left, by(SPOOL_BY))


def spool_all(event: dict[str, object], spools: list[str], until: int) -> None:
    """Write an event into these spools. If one cannot be written, the others still get it."""
    made: dict[tuple[str, ...], bytes] = {}  # redacting is slow: daemons with the same patterns share a line
    for where in spools:
        extra = tuple(patterns(where))
        if extra not in made:
            safe = {**_part(REDACT, "redact_event", event, list(extra)), "spooled": True}
            made[extra] = json.dumps(safe, separators=(",", ":")).encode()
        try:
            spool(made[extra], where, until)
        except OSError:
            continue


def supervisors(folder: str) -> list[tuple[str, str, str]]:
    """Return ``(socket path or "", spool path, hang path)`` of each daemon that watches this machine, newest first.

    A daemon that was away for 30 days has no spool path: nothing is spooled for it. A daemon that hangs has no socket
    path for a while, or agents would wait for it at each hook: a sleeping laptop keeps its connection for hours.
    Returns nothing if the folder belongs to another user, or others may write to it.
    """
    info = os.stat(folder)
    if info.st_uid != os.getuid() or stat.S_IMODE(info.st_mode) & 0o022:
        return []
    found = []
    for name in os.listdir(folder):
        base, dot, kind = name.rpartition(".")
        if kind != "supervisor" or not dot:
            continue
        hung = os.path.join(folder, base + ".hung")
        try:
            with open(open_regular(os.path.join(folder, name), os.O_RDONLY), encoding="utf-8") as file:
                target = file.readline(4096).strip()
                at = os.fstat(file.fileno()).st_mtime
            over = is_hung(hung, at)
        except (OSError, ValueError):  # it has just gone, or is no file of agtmux: go on with the others
            continue
        found.append((at, "" if over else target, os.path.join(folder, base + ".spool.jsonl"), hung))
    found.sort(reverse=True)
    since = time.time() - FORGOTTEN
    return [(target, where if at > since else "", hung) for at, target, where, hung in found[:MOST_SUPERVISORS]]


def is_hung(path: str, since: float) -> bool:
    """Return whether the last posts got no answer, within 30 s and after the daemon connected at ``since`` (s)."""
    try:
        info = os.stat(path)
    except FileNotFoundError:
        return False
    return info.st_size >= HUNG_AFTER and info.st_mtime > max(since, time.time() - HUNG_FOR)


def count_unanswered(path: str, good: bool | None) -> None:
    """Add one byte for a post without an answer (``good`` None); remove the file after a good post. Never raises."""
    try:
        if good is None:
            with open(open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW), "ab") as file:
                file.write(b".")
        elif good and os.path.exists(path):
            os.unlink(path)
    except OSError:
        return


def patterns(where: str) -> list[str]:
    """Return the redaction patterns that the daemon of this spool wrote here."""
    path = where[: -len(".spool.jsonl")] + ".patterns.json"
    try:
        with open(open_regular(path, os.O_RDONLY), encoding="utf-8") as file:
            found = json.loads(file.read(1 << 20))
    except (OSError, ValueError):
        return []
    return [pattern for pattern in found if isinstance(pattern, str)] if isinstance(found, list) else []


def _part(source: str, name: str, *given: object):  # type: ignore[no-untyped-def]
    names: dict[str, object] = {"__name__": "part"}
    exec(compile(source, name, "exec"), names)  # noqa: S102 our own text, filled in when this was installed
    return names[name](*given)  # type: ignore[operator]


def is_ours(sock: socket.socket) -> bool:
    """Return whether this user or root listens there: events are not redacted, and the path may now be another user's.

    ``sock`` is a connected Unix stream socket. Raises OSError if the system does not name the listener.
    """
    mac = sys.platform == "darwin"  # LOCAL_PEERCRED: version, uid, groups; SO_PEERCRED: pid, uid, gid
    raw = sock.getsockopt(*((0, 1, 76) if mac else (socket.SOL_SOCKET, socket.SO_PEERCRED, 12)))
    return len(raw) >= 8 and int.from_bytes(raw[4:8], sys.byteorder) in (os.geteuid(), 0)


class Post:
    """One post to one socket, sent and read when the socket is ready. ``good`` is True after an answer 2xx."""

    def __init__(self, path: str, data: bytes) -> None:
        self.data = memoryview(data)
        self.answer = b""
        self.good: bool | None = False
        self.over = not path
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.setblocking(False)
        if path:
            try:
                self.sock.connect(path)
                self.over = not is_ours(self.sock)
            except OSError:
                self.over = True

    def go_on(self) -> None:
        """Send or read what the socket is ready for."""
        try:
            if self.data:
                self.data = self.data[self.sock.send(self.data) :]
                return
            piece = self.sock.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            self.over = True
            return
        self.answer += piece
        if not piece or b"\r\n" in self.answer or len(self.answer) > 4096:
            self.good = self.answer[:9] == b"HTTP/1.1 " and self.answer[9:10] == b"2"
            self.over = True


def post_all(paths: list[str], body: bytes, until: int) -> list[bool | None]:
    """Post the event to each socket until the clock ``until`` (ns). True: accepted, None: no answer, else False."""
    head = (
        "POST /v1/events HTTP/1.1\r\nHost: agtmux\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    posts = [Post(path, head.encode() + body) for path in paths]
    while True:
        writing = [post for post in posts if not post.over and post.data]
        reading = [post for post in posts if not post.over and not post.data]
        left = (until - time.time_ns()) / 1e9
        if left <= 0 or not (writing or reading):
            break
        readable, writable, _ = select.select([t.sock for t in reading], [t.sock for t in writing], [], left)
        for post in posts:
            if post.sock in readable or post.sock in writable:
                post.go_on()
    for post in posts:
        post.sock.close()
    return [post.good if post.over else None for post in posts]


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
        return str(value) if isinstance(value, float) and value - value else value  # no JSON has a number such as 1e999
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


def open_regular(path: str, flags: int) -> int:
    """Open a regular file and return its descriptor. Never waits, not even for a pipe. Raises OSError."""
    fd = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY, 0o600)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(path + ": it is not a regular file")
    return fd


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


def spool(line: bytes, path: str, until: int, most: int = MAX_SPOOL, keep: int = KEEP_SPOOL) -> None:
    """Append one event to the spool, as a whole or not at all, under its lock.

    If the spool would exceed ``most`` bytes, first replaces it by a gap line and its newest ``keep`` bytes. Raises
    OSError if the write fails, TimeoutError if the lock is not free by the clock ``until`` (ns).
    """
    while True:
        fd = open_regular(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW)
        try:
            _lock(fd, until)
            if not _is_at(fd, path):
                continue  # the daemon took it, or another hook replaced it
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
                return  # else the daemon took it, maybe before this line: write again, a repeated id is a duplicate
        finally:
            os.close(fd)


def main() -> None:
    """Report one event, silently. Finds the state folder from the path of this file: an agent may have another HOME."""
    folder = os.path.join(os.path.abspath(__file__).rpartition("/share/")[0], "state", "agtmux-remote")
    if sys.argv[1:2] == ["call"]:
        there = supervisors(folder) if os.path.isdir(folder) else []
        sys.exit(_part(CALL, "main", sys.argv[2:], [one[0] for one in there if one[0]], is_ours))
    try:
        run(sys.argv[1:], time.time_ns() - min(time.process_time_ns(), BEFORE), folder)
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
