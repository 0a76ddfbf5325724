"""List the clients of a server: which terminals are attached, and what they show.

Owns the argument list of this reading and the parsing of its reply.
"""

from __future__ import annotations

import re
from typing import Final

from agtmuxd.core.model import TmuxClient
from agtmuxd.core.numbers import whole
from agtmuxd.tmux.printed import undo
from agtmuxd.tmux.round import RoundFailure, no_server

_FIELDS: Final = (
    "#{session_id} #{window_id} #{pane_id} #{client_activity} #{focus-events}",
    "#{client_flags}",
    "#{client_name}",
    "#{client_tty}",
    "#{client_termname}",
    "#{client_termtype}",
)
_IDS: Final = re.compile(r"(\$[0-9]{1,10}) (@[0-9]{1,10}) (%[0-9]{1,10}) ([0-9]{1,19}) (on|off|[01])")
TEXT_MOST: Final = 256
"""How many characters of a text are kept. A terminal may call itself anything."""


def list_clients(nonce: str) -> list[str]:
    """Return the arguments of the reading. ``nonce``: letters and digits, fresh and random."""
    return ["list-clients", "-F", nonce + nonce.join(_FIELDS)]


def read_clients(
    nonce: str, version: str, stdout: bytes, stderr: bytes, returncode: int
) -> tuple[TmuxClient, ...] | RoundFailure:
    """Parse the reply to ``list_clients``. ``version``: of the server.

    A server that does not run has no clients. A client that shows no session (it is about to leave) is left out.
    """
    parts = stdout.decode("utf-8", "replace").split(nonce)[1:]
    if returncode or len(parts) % len(_FIELDS):
        if not parts and returncode and no_server(stderr.decode("utf-8", "replace"), returncode) is None:
            return ()
        complaint = stderr.decode("utf-8", "replace").strip().partition("\n")[0]
        return RoundFailure("lost", f"tmux did not list its clients: {complaint or 'the reply is incomplete'}")
    plain, width = undo(version) or str, len(_FIELDS)
    found = [_client([plain(part) for part in parts[at : at + width]]) for at in range(0, len(parts), width)]
    return tuple([client for client in found if client is not None])


def _client(parts: list[str]) -> TmuxClient | None:
    ids = _IDS.fullmatch(parts[0])
    if ids is None:
        return None
    flags, name, tty, termname, termtype = [part.removesuffix("\n")[:TEXT_MOST] for part in parts[1:]]
    return TmuxClient(
        name, tty, ids[1], ids[2], ids[3], frozenset(flags.split(",")), termname, termtype,
        whole(ids[4], "client_activity"), ids[5] in ("on", "1"),
    )  # fmt: skip
