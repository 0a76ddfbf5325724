"""Send C-c as a key, or a signal to the runtime's own process (``kill``)."""

from __future__ import annotations

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.context import ActionContext, Result
from agtmuxd.core.action.request import KillParams

ENDED_WITHIN = 3.0


async def kill(context: ActionContext) -> Result:
    """Send the key or the signal.

    Raises E_PID_UNAVAILABLE if no process is known, E_RUNTIME_STALE if it has just ended.
    """
    params = context.case.request.params
    if not isinstance(params, KillParams):
        raise TypeError("kill takes KillParams")
    if params.mode == "key":
        await context.keystrokes.type(b"\x03")
        return {"mode": "key", "signal": params.signal, "ended": None, "pid": None, "pids": []}
    runtime, row = context.runtime, context.reading.pane.row
    if runtime is None or runtime.pid is None or row is None:
        raise AgtmuxError(
            "E_PID_UNAVAILABLE", f"no agent process is known in {context.key[1]}: use --mode key to send C-c instead"
        )
    # An agent that wraps its own program passes no signal on, and that program would outlive the agent's SIGKILL.
    pids = await context.reader.processes(context.reached, row.pid, runtime)
    if not pids:
        raise AgtmuxError("E_RUNTIME_STALE", f"process {runtime.pid} has already ended", {"reason": "runtime"})
    await context.keystrokes.signal(params.signal, pids)
    patience = ENDED_WITHIN if params.signal != "INT" else 0.0
    ended = await context.until(lambda r: not r.current.alive, patience, processes=True)
    return {"mode": "signal", "signal": params.signal, "ended": ended, "pid": runtime.pid, "pids": list(pids)}
