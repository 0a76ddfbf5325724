"""Write to a pane: keys and buffers, each through one guarded tmux command, and signals.

Owns the writes and the meaning of their failures. Nothing here is tried a second time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.access import Failpoints, TargetAccess
from agtmuxd.targets.executor import ExecutorError, ProgramResult
from agtmuxd.tmux import keys
from agtmuxd.tmux.keys import WriteGuard


class Keystrokes:
    """Writes to one pane, as it was read. ``on_put``: called when keys or text arrived there."""

    def __init__(
        self, reached: TargetAccess, held: WriteGuard, version: tuple[int, int] | None,
        on_put: Callable[[], None] = lambda: None,
        failpoint: Failpoints | None = None,
    ) -> None:  # fmt: skip
        self._reached = reached
        self._held = held
        self._version = version
        self._on_put = on_put
        self._failpoint = failpoint or Failpoints()

    async def type(self, data: bytes) -> None:
        """Type these bytes as keys. Raises as ``_write``."""
        await self._write([keys.send_bytes(self._held.pane_id, data)])

    async def press(self, names: Sequence[str]) -> None:
        """Press named keys. Raises as ``_write``."""
        await self._write([keys.press_keys(self._held.pane_id, names)])

    async def paste(self, data: bytes, *, bracketed: bool) -> None:
        """Paste these bytes through a buffer of their own, and remove the buffer. Raises as ``_write``, and
        E_UNSUPPORTED if this tmux may change the bytes.
        """
        if self._version is None and keys.paste_changes(data):
            text = "this tmux's version is unknown, so agtmux cannot tell whether it pastes control characters safely"
            raise AgtmuxError("E_UNSUPPORTED", f"{text}; nothing was done", {"reason": "tmux_version"})
        with self._reached.buffers.one(self._reached.target_id) as buffer:
            await self._paste(buffer, data, bracketed=bracketed)

    async def _paste(self, buffer: str, data: bytes, *, bracketed: bool) -> None:
        done = await self._run(keys.load_buffer(buffer), stdin=data, harmless=True)
        if done.returncode:
            raise AgtmuxError(
                "E_TARGET_UNREACHABLE", f"tmux did not take the text: {_output_of(done)}; nothing was done"
            )
        self._failpoint("mid_paste")
        pasted = keys.paste_buffer(self._held.pane_id, buffer, bracketed=bracketed, version=self._version)
        try:
            await self._write([pasted])
        except AgtmuxError as error:
            if error.code == "E_PRECONDITION_FAILED":
                await self._run(keys.delete_buffer(buffer), harmless=True)
            raise

    async def leave_mode(self) -> None:
        """Leave copy mode. The caller reads the pane again to see that it worked."""
        await self._run(keys.leave_mode(self._held.pane_id), harmless=True)

    async def select(self, session_id: str, window_id: str) -> None:
        """Make the pane the one that its session shows. Raises as ``_write``."""
        await self._write(keys.select_pane(session_id, window_id, self._held.pane_id), puts=False)

    async def signal(self, name: str, pids: Sequence[int]) -> None:
        """Send a signal to processes of the target. Raises E_UNSUPPORTED, E_ACTION_INDETERMINATE, E_RUNTIME_STALE."""
        try:
            done = await self._reached.executor.run(
                ["kill", f"-{name}", *map(str, pids)], timeout=self._reached.timeout
            )
        except ExecutorError as error:
            raise _lost(self._reached, error) from error
        if done.returncode:
            code = (
                "E_RUNTIME_STALE" if len(pids) == 1 else "E_ACTION_INDETERMINATE"
            )  # some of several may have received it
            raise AgtmuxError(code, f"the signal could not be sent to process {pids[0]}: {_output_of(done)}")

    async def _write(self, commands: Sequence[Sequence[str]], *, puts: bool = True) -> None:
        """Run the commands if the pane is still as it was read.

        Raises E_PRECONDITION_FAILED if tmux saw a change: then nothing was written. Raises E_TARGET_UNREACHABLE if
        nothing was started, and E_ACTION_INDETERMINATE if it is unknown.
        """
        nonce = os.urandom(6).hex()
        done = await self._run(keys.guard_commands(self._held, commands, f"{nonce}yes", f"{nonce}no", puts=puts))
        output = done.stdout.decode("utf-8", "replace")
        if f"{nonce}yes" in output:
            if puts:
                self._on_put()
            return
        if f"{nonce}no" in output or "can't find pane" in done.stderr.decode("utf-8", "replace"):
            text = f"{self._held.pane_id} changed just before the keys were sent: nothing was sent; look again"
            raise AgtmuxError("E_PRECONDITION_FAILED", text, {"reason": "changed"})
        raise AgtmuxError(
            "E_ACTION_INDETERMINATE",
            f"tmux did not confirm that it wrote to {self._held.pane_id}: {_output_of(done)}; look at the pane",
        )

    async def _run(self, arguments: Sequence[str], *, stdin: bytes = b"", harmless: bool = False) -> ProgramResult:
        """Run tmux. ``harmless``: a failure leaves the pane as it was."""
        try:
            return await self._reached.executor.run(
                [*self._reached.tmux, *arguments], stdin=stdin, timeout=self._reached.timeout
            )
        except ExecutorError as error:
            if harmless:
                text = f"{self._reached.name} cannot be reached: {error}; nothing was done"
                raise AgtmuxError("E_TARGET_UNREACHABLE", text) from error
            raise _lost(self._reached, error) from error


def _lost(reached: TargetAccess, error: ExecutorError) -> AgtmuxError:
    if error.reason in ("refused", "no_tmux", "auth", "host_key", "channel_limit"):  # tmux did not start
        return AgtmuxError("E_TARGET_UNREACHABLE", f"{reached.name} cannot be reached: {error}; nothing was done")
    return AgtmuxError(
        "E_ACTION_INDETERMINATE", f"{reached.name} did not confirm that it was done: {error}; look at the pane"
    )


def _output_of(done: ProgramResult) -> str:
    return done.stderr.decode("utf-8", "replace").strip().partition("\n")[0] or f"exit status {done.returncode}"
