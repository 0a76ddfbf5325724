"""Run programs on one channel: a shell that runs one program after the other, or a single program.

Owns the exchange on the channel. ``commands`` builds the commands. ``connection`` opens the channel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import asyncssh

from agtmuxd.targets.executor import ExecutorError, ProgramResult
from agtmuxd.targets.ssh import commands


class Shell(asyncssh.SSHClientSession[bytes]):
    """One channel. ``usable`` until it is closed or a program on it is given up."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._out: commands.Answer | None = None
        self._err: commands.Answer | None = None
        self._done: asyncio.Future[None] | None = None
        self.usable = True
        self.closed = False
        """Whether the other side closed the channel too."""

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan

    def data_received(self, data: bytes, datatype: int | None) -> None:
        answer = self._out if datatype is None else self._err
        if answer is not None:
            answer.feed(data)
            if answer.endless:
                self.give_up()  # do not wait for the end of that output
            self._check_done()

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable, self.closed = False, True
        if self._done is not None and not self._done.done():
            self._done.set_result(None)

    def _check_done(self) -> None:
        if self._out is None or self._err is None or self._done is None or self._done.done():
            return
        if self._out.complete and self._err.complete:
            self._done.set_result(None)

    async def call(self, argv: Sequence[str], nonce: str, stdin: bytes, most: int, seconds: float) -> ProgramResult:
        """Run one program on a shell that stays, with small input only. Raises ExecutorError (lost, refused)."""
        line = commands.call(argv, stdin, nonce, seconds)
        self.expect(nonce, most)
        return await self._exchange(argv[0], line, eof=False)

    def expect(self, nonce: str, most: int) -> None:
        """Expect an answer with this nonce. Call it before the channel for a single program is opened."""
        self._out = commands.Answer(nonce, most, main=True)
        self._err = commands.Answer(nonce, most, main=False)
        self._done = asyncio.get_running_loop().create_future()

    async def feed(self, program: str, stdin: bytes) -> ProgramResult:
        """Send the input of this channel's single program. Raises ExecutorError (lost, refused)."""
        return await self._exchange(program, stdin, eof=True)

    async def _exchange(self, program: str, data: bytes, *, eof: bool) -> ProgramResult:
        channel, out, err, done = self._channel, self._out, self._err, self._done
        if channel is None or out is None or err is None or done is None:
            raise ExecutorError("lost", f"the connection to {self._alias} was lost")
        finished = False
        try:
            with suppress(OSError):  # the channel was closed: reported below
                channel.write(data)
                if eof:
                    channel.write_eof()
            if self.usable:
                await done
            finished = out.complete and err.complete
            return self._result(program, out, err, finished)
        finally:
            self._out = self._err = None
            if not finished:
                self.give_up()

    def _result(self, program: str, out: commands.Answer, err: commands.Answer, finished: bool) -> ProgramResult:
        if out.endless or err.endless:
            raise ExecutorError("too_large", f"{program} on {self._alias} does not stop printing")
        if not finished:
            text = commands.first_line(ProgramResult(0, b"", err.noise or out.noise)) if out.noise or err.noise else ""
            if self._channel is not None and self._channel.get_exit_status() is not None:
                raise ExecutorError("refused", f"the login shell of {self._alias} does not run commands: {text}")
            raise ExecutorError("lost", f"the connection to {self._alias} was lost while {program} ran")
        status = out.status or ""
        if status == commands.NOT_FOUND:
            raise FileNotFoundError(program)
        if not status.isascii() or not status.isdigit() or len(status) > 3:
            raise ExecutorError("lost", f"{self._alias} sent {status[:16]!r} instead of the exit status of {program}")
        number = int(status)
        # a shell reports a signal as 128 + its number
        code = 128 - number if 128 < number < 193 else number
        return ProgramResult(code, out.output, err.output, out.truncated or err.truncated)

    def give_up(self) -> None:
        """Close the channel. The program on it ends by its own time limit. Idempotent."""
        self.usable = False
        if self._channel is not None and not self._channel.is_closing():
            self._channel.abort()
