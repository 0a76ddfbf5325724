"""Run one program: spawn it, write its input, read its output within a limit, kill it if it is late, and reap it.

Owns the pipes and the process. Knows nothing about tmux. asyncio's own subprocesses need two to three times the CPU
(0.7 to 1.1 ms a spawn instead of 0.3 ms), which matters at four rounds a second.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
from collections.abc import Mapping
from contextlib import ExitStack, suppress

from agtmuxd.targets.executor import ExecutorError, ProgramResult

_CHUNK = 128 * 1024
_PIPE = 1024 * 1024
"""Bytes requested for the output pipe. Output that fits is read once, after the program has ended, instead of in
dozens of turns of the event loop."""
_PATIENCE = 0.05
"""Seconds after which the output is read while the program runs: it may not fit into the pipe."""
_SET_PIPE_SIZE = getattr(fcntl, "F_SETPIPE_SZ", None)


class _Sink:
    """Read one pipe and keep ``limit`` bytes. The rest is read and dropped, so that the program can end."""

    def __init__(self, fd: int, limit: int) -> None:
        self.fd = fd
        self.room = limit
        self.pieces: list[bytes] = []
        self.truncated = False

    def read(self) -> bool:
        """Read once. Return False at the end of the pipe, or if there is nothing to read now."""
        try:
            data = os.read(self.fd, _CHUNK)
        except BlockingIOError:
            return False
        if len(data) > self.room:
            self.truncated = True
        if self.room:
            self.pieces.append(data[: self.room])
            self.room -= len(self.pieces[-1])
        return bool(data)


class Child:
    """A running program. ``done`` resolves to its ProgramResult, or to ExecutorError if ``expire`` was called first."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, argv: list[str], env: Mapping[str, str], stdin: bytes, max_output: int
    ) -> None:
        """Spawn the program. ``argv[0]`` is a path. Raises OSError if it cannot be started."""
        self._loop = loop
        self.done: asyncio.Future[ProgramResult] = loop.create_future()
        self.reaped: asyncio.Future[None] = loop.create_future()
        self._pidfd: int | None = None
        (in_read, self._stdin), (out_read, out_write), (err_read, err_write) = _pipes(3)
        try:
            self.pid = os.posix_spawn(
                argv[0],
                argv,
                env,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, in_read, 0),
                    (os.POSIX_SPAWN_DUP2, out_write, 1),
                    (os.POSIX_SPAWN_DUP2, err_write, 2),
                ],
                setpgroup=0,  # Ctrl-C in the daemon's terminal must not end its children
                setsigmask=[],
                setsigdef=[signal.SIGPIPE, signal.SIGINT],
            )
        except BaseException:
            for fd in (self._stdin, out_read, err_read):
                os.close(fd)
            raise
        finally:
            for fd in (in_read, out_write, err_write):
                os.close(fd)
        self._unsent = memoryview(stdin)
        self._out = _Sink(out_read, max_output)
        self._err = _Sink(err_read, max_output)
        for fd in (self._stdin, out_read, err_read):
            os.set_blocking(fd, False)
        self._feed()
        self._reading: asyncio.TimerHandle | None = None
        if _roomy(out_read):
            self._reading = loop.call_later(_PATIENCE, self._read)
        else:
            self._read()
        self._await_exit()

    def expire(self, message: str) -> None:
        """Kill the program, and set the timeout error at once. It is reaped when the kernel reports its end."""
        if not self.done.done():
            self.done.set_exception(ExecutorError("timeout", message))
        self.kill()

    def kill(self) -> None:
        """Kill the program and its process group. Does nothing if it has ended."""
        if not self.reaped.done():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def _feed(self) -> None:
        try:
            while self._unsent:
                self._unsent = self._unsent[os.write(self._stdin, self._unsent) :]
        except BlockingIOError:
            self._loop.add_writer(self._stdin, self._feed)
            return
        except BrokenPipeError:
            self._unsent = memoryview(b"")  # the program reads no more input
        self._close_stdin()

    def _close_stdin(self) -> None:
        if self._stdin >= 0:
            self._loop.remove_writer(self._stdin)
            os.close(self._stdin)
            self._stdin = -1

    def _read(self) -> None:
        for sink in (self._out, self._err):
            self._loop.add_reader(sink.fd, self._readable, sink)

    def _readable(self, sink: _Sink) -> None:
        if not sink.read():
            self._loop.remove_reader(sink.fd)

    def _await_exit(self) -> None:
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except (AttributeError, OSError):  # no pidfd on this system: wait in a thread
            waiting = self._loop.run_in_executor(None, os.waitpid, self.pid, 0)
            waiting.add_done_callback(lambda ended: self._ended(ended.result()[1]))
        else:
            self._loop.add_reader(self._pidfd, self._exited)

    def _exited(self) -> None:
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
        self._ended(os.waitpid(self.pid, 0)[1])

    def _ended(self, status: int) -> None:
        """Set the result. Reads what is left in the pipes, but not what the program's own children write later."""
        self._close_stdin()
        if self._reading is not None:
            self._reading.cancel()
        for sink in (self._out, self._err):
            while sink.read():
                pass
            self._loop.remove_reader(sink.fd)
            os.close(sink.fd)
        self.reaped.set_result(None)
        if not self.done.done():
            out, err = b"".join(self._out.pieces), b"".join(self._err.pieces)
            truncated = self._out.truncated or self._err.truncated
            self.done.set_result(ProgramResult(os.waitstatus_to_exitcode(status), out, err, truncated))


def _roomy(fd: int) -> bool:
    """Request a large pipe. Return False if the system refuses: then a long output would wait for its reader."""
    if _SET_PIPE_SIZE is None:
        return False
    try:
        return fcntl.fcntl(fd, _SET_PIPE_SIZE, _PIPE) >= _PIPE
    except OSError:
        return False


def _pipes(count: int) -> list[tuple[int, int]]:
    with ExitStack() as undo:
        made = []
        for _ in range(count):
            pair = os.pipe()
            made.append(pair)
            undo.callback(os.close, pair[0])
            undo.callback(os.close, pair[1])
        undo.pop_all()
        return made
