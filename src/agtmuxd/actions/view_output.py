"""Return what a pane shows and has shown (``view-output``), bounded and without control sequences for a terminal."""

from __future__ import annotations

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.context import ActionContext, Result
from agtmuxd.actions.pane_check import unreachable
from agtmuxd.core.action.request import ViewParams
from agtmuxd.targets.executor import ExecutorError
from agtmuxd.tmux import onepane

MAX_BYTES = 8 * 1024 * 1024


async def view(context: ActionContext) -> Result:
    """Read the pane's text. Raises E_TARGET_UNREACHABLE, E_REF_NOT_FOUND."""
    params = context.case.request.params
    if not isinstance(params, ViewParams):
        raise TypeError("view-output takes ViewParams")
    reached, pane_id = context.reached, context.key[1]
    argv = [*reached.tmux, *onepane.text_of(pane_id, params.lines, escapes=params.ansi)]
    try:
        done = await reached.executor.run(argv, timeout=reached.timeout, max_output=MAX_BYTES)
    except ExecutorError as error:
        raise unreachable(reached, str(error)) from error
    if done.returncode:
        raise AgtmuxError("E_REF_NOT_FOUND", f"the pane {pane_id} is gone: run agtmux list panes --all to see panes")
    raw = done.stdout.decode("utf-8", "replace")
    rows, more = onepane.last_lines(onepane.coloured(raw) if params.ansi else onepane.plain(raw), params.lines)
    row = context.reading.pane.row
    text = "".join(line.rstrip() + "\n" for line in rows)
    if params.ansi and "\x1b" in text:
        text += "\x1b[0m"
    return {
        "output": text,
        "lines": len(rows),
        "truncated": more or done.truncated or context.reading.pane.history > params.lines,
        "cols": row.cols if row is not None else None,
        "rows": row.rows if row is not None else None,
    }
