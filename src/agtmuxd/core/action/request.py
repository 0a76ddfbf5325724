"""Define an action request: the action, the pane that it names, and the conditions under which it may be done.

Owns the values of a request, its digest and its preview. Knows neither HTTP nor tmux.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from agtmuxd.core.model import NS
from agtmuxd.core.screen.cells import drawn

SNAPSHOT_TTL: Final = 30 * NS
"""How long a snapshot is valid, and with it the right to act on what it showed."""
PREVIEW: Final = 40
"""Characters of a preview."""

_NONCE_MOST: Final = 128
"""Characters of the longest nonce."""


class Kind(StrEnum):
    """The actions. Routes and commands have the same names."""

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
    """Additional conditions of the caller. Guards only narrow.

    ``force_stale`` skips only the age and version checks.
    """

    if_runtime: str | None = None
    if_state: tuple[str, ...] = ()
    if_state_version: int | None = None
    if_fingerprint: str | None = None
    if_updated_within: float | None = None  # seconds
    snapshot: str | None = None
    force_stale: bool = False


@dataclass(frozen=True, slots=True)
class SendParams:
    """Text, or keys, or only ``enter``. ``paste`` None: agtmux decides by the text (several lines are pasted).

    ``clear_own_draft``: instead, remove the text that an earlier request typed and did not submit.
    """

    text: str | None = None
    keys: tuple[str, ...] = ()
    enter: bool = False
    paste: bool | None = None
    leave_mode: bool = False
    over_draft: bool = False
    shell: bool = False
    timeout: float = 5.0  # seconds to wait for a sign that it was submitted
    clear_own_draft: bool = False


@dataclass(frozen=True, slots=True)
class ViewParams:
    """``lines``: how many lines to show. ``ansi``: keep colours and styles."""

    lines: int = 200
    ansi: bool = False
    again: str | None = None  # an earlier view-output that this one continues: not counted as a new action


@dataclass(frozen=True, slots=True)
class KillParams:
    """End the agent by a key or by a signal."""

    mode: str = "key"  # key | signal
    signal: str = "INT"  # INT | TERM | KILL


@dataclass(frozen=True, slots=True)
class AttachParams:
    """``select`` False: only report how to attach, as ``--print`` does.

    ``inside``: socket and server pid of the tmux that the caller's terminal is in. If that is another server of the
    same machine, no client is moved and nothing is selected.
    """

    select: bool = True
    inside: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class AnswerParams:
    """The number of an option, or a text."""

    option: int | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class NoParams:
    """For actions without parameters."""


Params = SendParams | ViewParams | KillParams | AttachParams | AnswerParams | NoParams


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the process that sent the request, as the kernel reports it, or an actor that the daemon has checked.

    ``command`` is for the audit: the program and its first words. ``actor`` is set only by a part of the daemon that
    has checked who asks, such as ``device:phone`` for a linked device. Then no process is looked up.
    """

    uid: int | None = None
    pid: int | None = None
    command: str | None = None
    actor: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One action request. ``request_ref`` is the caller's name for it; ``ref`` names the pane or runtime."""

    kind: Kind
    request_ref: str
    ref: str
    guards: Guards = field(default_factory=Guards)
    params: Params = field(default_factory=NoParams)

    def digest(self, key: bytes) -> str:
        """Return a name of this exact payload. Equal requests have the same.

        Without ``key`` nobody can use it to guess a text.
        """
        params = asdict(self.params)
        if not params.get("clear_own_draft"):  # younger than the first stored digests, which must still match
            params.pop("clear_own_draft", None)
        payload = {"kind": self.kind, "ref": self.ref, "guards": asdict(self.guards), "params": params}
        text = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hmac.new(key, text.encode("ascii"), hashlib.sha256).hexdigest()

    def to_record(self, key: bytes) -> dict[str, Any]:
        """Return what the audit keeps of the request. Instead of a text: its length, keyed digests and its shape."""
        params = asdict(self.params)
        if isinstance(self.params, (SendParams, AnswerParams)) and self.params.text is not None:
            text = self.params.text
            params["text"] = {
                "characters": len(text),
                "digest": hmac.new(key, b"text\0" + text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest(),
                "drawn_digest": drawn_digest(drawn(text), key),
                "preview": preview(text),
            }
        guards = {name: value for name, value in asdict(self.guards).items() if value not in (None, (), False)}
        guards.pop("snapshot", None)
        return {"params": params, "guards": guards}


def drawn_digest(text: str, key: bytes) -> str:
    """Return a name of a text that is as ``cells.drawn`` returns it. Without ``key`` nobody can guess from it."""
    return hmac.new(key, b"drawn\0" + text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def preview(text: str) -> str:
    """Return the shape of the first characters: letters as ``x``, digits as ``9``."""
    shape = "".join("x" if c.isalpha() else "9" if c.isdigit() else " " if c.isspace() else "." for c in text[:PREVIEW])
    return shape + ("…" if len(text) > PREVIEW else "")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a caller was shown, packed into a nonce: which pane and runtime, in which version, and when (ns)."""

    target_id: str
    pane_id: str
    runtime_id: str | None
    state_version: int | None
    observed_at: int

    @property
    def expires_at(self) -> int:
        """When this snapshot expires, in ns."""
        return self.observed_at + SNAPSHOT_TTL

    def nonce(self, key: bytes) -> str:
        """Return the text that stands for this snapshot. Nobody else can make it without ``key``."""
        head = f"{self.observed_at}.{'-' if self.state_version is None else self.state_version}"
        return f"{head}.{self._mac(key)}"

    def _mac(self, key: bytes) -> str:
        values = (self.target_id, self.pane_id, self.runtime_id or "-", self.state_version, self.observed_at)
        text = "snapshot\0%s\0%s\0%s\0%s\0%d" % values  # noqa: UP031 a thousand in a listing: half the time of JSON
        return hashlib.blake2b(text.encode(), key=key[:64], digest_size=16).hexdigest()


def read_nonce(nonce: str, key: bytes, target_id: str, pane_id: str, runtime_id: str | None) -> Snapshot | None:
    """Return the snapshot that ``nonce`` stands for, if it is of this pane and runtime. None for anything else."""
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
