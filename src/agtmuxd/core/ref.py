"""Read and write refs: the texts that name a runtime or a pane.

Owns the grammar ``runtime:<id>`` and ``pane:<target>/<percent-encoded session>/@<digits>/%<digits>``. Does not know
which panes exist: the caller looks those up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote_from_bytes, unquote_to_bytes

from agtmux.protocol.errors import AgtmuxError

TARGET = re.compile(r"[A-Za-z0-9._-]+")
RUNTIME_ID = re.compile(r"[A-Za-z0-9._:-]{16,128}")
WINDOW_ID = re.compile(r"@[0-9]+")
PANE_ID = re.compile(r"%[0-9]+")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ENCODED = re.compile(r"[!-.0-~]*")  # printable ASCII except the slash; everything else must be written as %XX
_LONGEST = 4096  # characters of a ref; a session name is far shorter


@dataclass(frozen=True, slots=True)
class RuntimeRef:
    """One life of one agent, by its id."""

    runtime_id: str


@dataclass(frozen=True, slots=True)
class PaneRef:
    """One pane, by its place. ``session`` is the plain name, ``window_id`` like ``@1``, ``pane_id`` like ``%12``."""

    target: str
    session: str
    window_id: str
    pane_id: str


def encode(name: str) -> str:
    """Percent-encode ``name``. Only letters, digits and ``-._~`` stay as they are.

    Characters that UTF-8 cannot hold become ``?``.
    """
    return quote_from_bytes(name.encode("utf-8", "replace"), safe="")


def decode(text: str) -> str:
    """Return the name that ``text`` encodes.

    Raises E_REF_INVALID_ENCODING for a bad escape, a character that is not escaped, or invalid UTF-8.
    """
    bad = _BAD_ESCAPE.search(text)
    if bad:
        raise AgtmuxError(
            "E_REF_INVALID_ENCODING", f"{_shown(text)}: the % at {bad.start()} is not an escape; write a plain % as %25"
        )
    if not _ENCODED.fullmatch(text):
        raise AgtmuxError(
            "E_REF_INVALID_ENCODING",
            f"{_shown(text)}: blanks, slashes and non-ASCII characters must be percent-encoded",
        )
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise AgtmuxError("E_REF_INVALID_ENCODING", f"{_shown(text)} does not decode to UTF-8") from None


def format_pane(target: str, session: str, window_id: str, pane_id: str) -> str:
    """Return the full ref of a pane. ``parse`` returns the same parts."""
    return f"pane:{target}/{encode(session)}/{window_id}/{pane_id}"


def format_runtime(runtime_id: str) -> str:
    """Return the full ref of a runtime."""
    return f"runtime:{runtime_id}"


def format_session(target: str, session: str) -> str:
    """Return the value of the filter ``target_session``: ``<target>/<percent-encoded session>``."""
    return f"{target}/{encode(session)}"


def parse_session(text: str) -> tuple[str, str]:
    """Return (target, plain session name) of ``<target>/<percent-encoded session>``.

    Raises E_REF_INVALID or E_REF_INVALID_ENCODING.
    """
    if len(text) > _LONGEST:
        raise AgtmuxError("E_REF_INVALID", f"the session has {len(text)} characters, more than {_LONGEST}")
    target, slash, session = text.partition("/")
    if not slash or not session or "/" in session or not TARGET.fullmatch(target):
        raise AgtmuxError("E_REF_INVALID", f"{_shown(text)} is not <target>/<percent-encoded session>")
    return target, decode(session)


def parse(text: str) -> RuntimeRef | PaneRef:
    """Read a full ref.

    Raises E_REF_INVALID if the text does not match the grammar, and E_REF_INVALID_ENCODING for a wrong session part.
    """
    if len(text) > _LONGEST:
        raise AgtmuxError("E_REF_INVALID", f"the ref has {len(text)} characters, more than {_LONGEST}")
    kind, _, rest = text.partition(":")
    if kind == "runtime" and RUNTIME_ID.fullmatch(rest):
        return RuntimeRef(rest)
    if kind == "pane":
        parts = rest.split("/")
        if len(parts) == 4:
            target, session, window_id, pane_id = parts
            fits = TARGET.fullmatch(target) and WINDOW_ID.fullmatch(window_id) and PANE_ID.fullmatch(pane_id)
            if fits and session:
                return PaneRef(target, decode(session), window_id, pane_id)
    raise AgtmuxError(
        "E_REF_INVALID",
        f"{_shown(text)} is not a ref: write runtime:<id> or pane:<target>/<percent-encoded "
        "session>/@<digits>/%<digits>",
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= 120 else text[:117] + "...")
