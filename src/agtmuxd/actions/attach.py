"""Select a pane in its session, and return the command that attaches a terminal to it (``attach``).

Owns those command lines. The daemon itself attaches no client: the caller's program runs them.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import replace

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.actions.context import ActionContext, Result
from agtmuxd.actions.pane_check import unreachable
from agtmuxd.core.action.request import AttachParams
from agtmuxd.core.model import ServerInfo
from agtmuxd.targets.executor import ExecutorError
from agtmuxd.tmux.round import TEXT_MOST


async def attach(context: ActionContext) -> Result:
    """Return the command lines. ``argv`` attaches from outside tmux. ``switch`` switches a client of the same server.
    ``whole`` attaches and selects.
    """
    params = context.case.request.params
    pane = context.reading.pane
    if not isinstance(params, AttachParams) or pane.row is None or pane.server is None:
        raise AgtmuxError(
            "E_REF_NOT_FOUND", f"the pane {context.key[1]} is gone: run agtmux list panes --all to see panes"
        )
    row, server, reached = pane.row, pane.server, context.reached
    session = row.session_id
    if context.session is not None and context.session != row.session_name:
        session = await _session_id(context, context.session) or session
    selects = params.select and not _inside_other_tmux(params, context, server)
    if selects:
        await context.keystrokes.select(session, row.window_id)
    if reached.kind == "local" and "-S" in reached.tmux:  # some tmux versions do not print every path as it is
        server = replace(server, socket_path=reached.tmux[reached.tmux.index("-S") + 1])
    tmux = [reached.tmux[0], "-u", "-S", server.socket_path]
    there = [*tmux, "attach-session", "-t", session]
    select = [";", "select-window", "-t", f"{session}:{row.window_id}", ";", "select-pane", "-t", row.pane_id]
    whole = [*there, *select]
    way = reached.executor.terminal()
    if way:
        there, whole = ([*way, shlex.join(argv)] for argv in (there, whole))
    return {
        "argv": there,
        "switch": [*tmux, "switch-client", "-t", session],
        "whole": whole,
        "kind": reached.kind,
        "socket": server.socket_path,
        "server_pid": server.pid,
        "session": session,
        "window_id": row.window_id,
        "selected": selects,
    }


async def _session_id(context: ActionContext, name: str) -> str | None:
    """Return the id of another session that shows the pane too, by its name. tmux would take a name like ``$1`` for an
    id.

    Raises E_TARGET_UNREACHABLE.
    """
    reached, pane_id = context.reached, context.key[1]
    asked = ["list-panes", "-a", "-F", "#{session_id} #{pane_id} #{session_name}"]
    try:
        done = await reached.executor.run([*reached.tmux, *asked], timeout=reached.timeout)
    except ExecutorError as error:
        raise unreachable(reached, str(error)) from error
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        session_id, _, rest = line.partition(" ")
        if rest.startswith(f"{pane_id} ") and rest[len(pane_id) + 1 :][:TEXT_MOST] == name:
            return session_id
    return None


def _inside_other_tmux(params: AttachParams, context: ActionContext, server: ServerInfo) -> bool:
    """Return whether the caller is inside another tmux server on this machine. Its client cannot be switched to the
    pane.
    """
    if params.inside is None or context.reached.kind == "ssh":
        return False
    socket, pid = params.inside
    return (os.path.realpath(socket), pid) != (os.path.realpath(server.socket_path), server.pid)
