"""What a caller asks for: an action, the pane it names, and what must be true of it for the action to be done.

Owns the values of a request, its fingerprint and its preview. Knows neither HTTP nor tmux.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from agtmuxd.core.model import NS

SNAPSHOT_TTL: Final = 30 * NS
"""How long a snapshot, and so the right to act on what it showed, is good."""
PREVIEW: Final = 40
"""Characters of a preview."""

_NONCE_MOST: Final = 128
"""Characters of the longest nonce."""


class Kind(StrEnum):
    """The actions. Their names are those of their routes and commands."""

    ATTACH = "attach"
    SEND = "send"
    VIEW = "view-output"
    KILL = "kill"
    APPROVE = "approve"
    DENY = "deny"
    ANSWER = "answer"
    INTERRUPT = "interrupt"
    ACK = "ack"


@dataclass(frozen=True, slots=True)
class Guards:
    """What the caller wants to be true besides. Guards only narrow; ``force_stale`` waives age and version alone."""

    if_runtime: str | None = None
    if_state: tuple[str, ...] = ()
    if_state_version: int | None = None
    if_fingerprint: str | None = None
    if_updated_within: float | None = None  # seconds
    snapshot: str | None = None
    force_stale: bool = False


@dataclass(frozen=True, slots=True)
class SendParams:
    """Text, keys, or neither with ``enter``. ``paste`` None: as the text is (several lines are pasted)."""

    text: str | None = None
    keys: tuple[str, ...] = ()
    enter: bool = False
    paste: bool | None = None
    leave_mode: bool = False
    over_draft: bool = False
    shell: bool = False
    timeout: float = 5.0  # seconds to wait for a sign that it was submitted


@dataclass(frozen=True, slots=True)
class ViewParams:
    lines: int = 200
    ansi: bool = False
    again: str | None = None  # an earlier view-output that this one goes on from: no action of its own


@dataclass(frozen=True, slots=True)
class KillParams:
    mode: str = "key"  # key | signal
    signal: str = "INT"  # INT | TERM | KILL


@dataclass(frozen=True, slots=True)
class AttachParams:
    """``select`` False: only tell how, as for ``--print``.

    ``inside``: socket and server pid of the tmux that the caller's terminal is in; from inside another one of the same
    machine nobody goes anywhere, and nothing is selected.
    """

    select: bool = True
    inside: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class AnswerParams:
    """The number of an option, or text."""

    option: int | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class NoParams:
    pass


Params = SendParams | ViewParams | KillParams | AttachParams | AnswerParams | NoParams


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, by the kernel's word. ``command`` is for the audit: the program and its first words."""

    uid: int | None
    pid: int | None
    command: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    kind: Kind
    request_ref: str
    ref: str
    guards: Guards = field(default_factory=Guards)
    params: Params = field(default_factory=NoParams)

    def digest(self, key: bytes) -> str:
        """Names this very payload; the same for an equal request, and of no use to guess a text without ``key``."""
        told = {"kind": self.kind, "ref": self.ref, "guards": asdict(self.guards), "params": asdict(self.params)}
        text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hmac.new(key, text.encode("ascii"), hashlib.sha256).hexdigest()

    def told(self, key: bytes) -> dict[str, Any]:
        """What the audit keeps of the request: no text, but its length, a keyed digest and its shape."""
        params = asdict(self.params)
        if isinstance(self.params, (SendParams, AnswerParams)) and self.params.text is not None:
            text = self.params.text
            params["text"] = {
                "characters": len(text),
                "digest": hmac.new(key, b"text\0" + text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest(),
                "preview": preview(text),
            }
        guards = {name: value for name, value in asdict(self.guards).items() if value not in (None, (), False)}
        guards.pop("snapshot", None)
        return {"params": params, "guards": guards}


def preview(text: str) -> str:
    """The shape of the first characters: letters as ``x``, digits as ``9``."""
    shape = "".join("x" if c.isalpha() else "9" if c.isdigit() else " " if c.isspace() else "." for c in text[:PREVIEW])
    return shape + ("…" if len(text) > PREVIEW else "")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a caller was shown, in a nonce: which pane and runtime, in which version, and when (ns)."""

    target_id: str
    pane_id: str
    runtime_id: str | None
    state_version: int | None
    observed_at: int

    @property
    def expires_at(self) -> int:
        return self.observed_at + SNAPSHOT_TTL

    def nonce(self, key: bytes) -> str:
        """Text that stands for this snapshot and that nobody else can make."""
        head = f"{self.observed_at}.{'-' if self.state_version is None else self.state_version}"
        return f"{head}.{self._mac(key)}"

    def _mac(self, key: bytes) -> str:
        told = (self.target_id, self.pane_id, self.runtime_id or "-", self.state_version, self.observed_at)
        text = "snapshot\0%s\0%s\0%s\0%s\0%d" % told  # noqa: UP031 a thousand in a listing: half the time of JSON
        return hashlib.blake2b(text.encode(), key=key[:64], digest_size=16).hexdigest()


def read_nonce(nonce: str, key: bytes, target_id: str, pane_id: str, runtime_id: str | None) -> Snapshot | None:
    """The snapshot that ``nonce`` stands for, if it is one of this pane and runtime; None for anything else."""
    parts = nonce.split(".")
    if (
        len(parts) != 3
        or len(nonce) > _NONCE_MOST
        or not parts[0].isdecimal()
        or not (parts[1] == "-" or parts[1].isdecimal())
    ):
        return None
    version = None if parts[1] == "-" else int(parts[1])
    made = Snapshot(target_id, pane_id, runtime_id, version, int(parts[0]))
    return made if hmac.compare_digest(made.nonce(key), nonce) else None
