"""What Codex's app server tells of its threads: the few questions put to it, and what its words claim.

Owns its messages (JSON-RPC, measured on 0.169.0), pure. Asks only what changes nothing there but the name that
``initialize`` gives: nothing here loads, resumes or answers a thread. Of a sub-agent's thread the server tells every
client all that is said in it, and puts its requests to them, unasked: such threads are unsubscribed from at once. How
the server is reached is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from agtmuxd.core.model import MS, Claim, Strength, WaitingFor, Write
from agtmuxd.core.state.debounce import AFTER_WAIT

MOST: Final = 256
"""Threads that are kept in mind; what comes beyond says nothing."""
AT_ONCE: Final = 64
"""Questions that may be open: more are put when these are answered."""
ENDED: Final = 300 * MS
"""How long a thread must be idle: how its turn ended is told an instant later, by session file, screen or hook."""
GENERATIONS: Final = 8
"""How deep a sub-agent's sub-agents are looked for."""

_RUNNING: Final = Write(Claim.RUNNING, "app server: active")
_RESUMED: Final = replace(_RUNNING, settle=AFTER_WAIT)
"""The same after a wait: a thread whose request was refused is active for an instant."""
_APPROVAL: Final = Write(
    Claim.WAITING_APPROVAL, "app server: waitingOnApproval", waiting_for=WaitingFor("approval"), accepts_input=False
)
_QUESTION: Final = Write(
    Claim.WAITING_INPUT, "app server: waitingOnUserInput", waiting_for=WaitingFor("question"), accepts_input=False
)
_IDLE: Final = Write(Claim.NOT_RUNNING, "app server: idle", settle=ENDED)
_FAILED: Final = Write(Claim.ERROR, "app server: systemError", strength=Strength.HINT)
"""Screen and session file tell of the failure, an instant later; this stays until a turn, whatever the pane shows."""
_OTHERS: Final = Write(None, "app server: only a sub-agent is active")

_LEAVE: Final = "thread/unsubscribe"
_INSIDE: Final = ("turn/", "item/", "hook/")
"""How notifications begin that only a thread's subscribers get."""
_BUSY: Final = (_RUNNING, _RESUMED)
_WAITS: Final = {"waitingOnApproval": _APPROVAL, "waitingOnUserInput": _QUESTION}


@dataclass(frozen=True, slots=True)
class _Thread:
    """A loaded thread. ``parent``: of a sub-agent's; ``says`` None: not told yet, or not understood."""

    says: Write | None = None
    parent: str | None = None
    known: bool = False  # whose it is was told


def socket_path(config_home: Path) -> Path:
    """Where the server listens, if one runs: a link into a folder of the user's."""
    return config_home / "app-server-control" / "app-server-control.sock"


class Conversation:
    """What is said to one server and what it said; see ``adapters.base.Conversation``."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._ids = 0
        self._open: dict[int, tuple[str, str]] = {}  # method and thread
        self._later: list[str] = []
        self._threads: dict[str, _Thread] = {}
        self._left: set[str] = set()  # those of them that were unsubscribed from
        self._ready = False

    @property
    def ready(self) -> bool:
        """Whether the server said who is there."""
        return self._ready

    def opening(self) -> Sequence[Mapping[str, Any]]:
        """Who we are, by our own name."""
        info = {"name": "agtmux", "title": "agtmux", "version": self._version}
        return [self._ask("initialize", {"clientInfo": info})]

    def again(self, sessions: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """Ask after these threads anew: a status is a level, and a message that was missed is made good."""
        if not self._ready:
            return []
        return [*self._read([s for s in sessions if s in self._threads]), self._list()]

    def take(self, message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Understand one message; what to say then. Raises ValueError where the server refuses to talk.

        Requests of the server, which somebody else may answer, get no answer from us.
        """
        method = message.get("method")
        if isinstance(method, str):
            params = message.get("params")
            if not isinstance(params, Mapping):
                return []
            if "id" in message or method.startswith(_INSIDE):
                return self._unsubscribe(params.get("threadId"))
            return self._told(method, params)
        number = message.get("id")
        asked = self._open.pop(number, None) if isinstance(number, int) else None
        if asked is None:
            return []
        result = message.get("result")
        return self._answered(*asked, result if isinstance(result, Mapping) else None)

    def said(self, session_id: str) -> Write | None:
        """What it says of this thread and its sub-agents'; None where it does not know the thread.

        The same object as long as it says the same.
        """
        own = self._threads.get(session_id)
        if own is None or own.says is None:
            return None
        helpers = [t.says for name, t in self._threads.items() if t.parent and self._is_below(name, session_id)]
        for wait in (_APPROVAL, _QUESTION):
            if own.says is wait or wait in helpers:
                return wait
        busy = any(says in _BUSY for says in helpers)
        return _OTHERS if busy and own.says not in _BUSY else own.says

    # ---------------------------------------------------------------- asking

    def _ask(self, method: str, params: Mapping[str, Any], thread: str = "") -> Mapping[str, Any]:
        self._ids += 1
        self._open[self._ids] = method, thread
        return {"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params}

    def _list(self) -> Mapping[str, Any]:
        return self._ask("thread/loaded/list", {"limit": MOST})

    def _read(self, threads: Sequence[str]) -> list[Mapping[str, Any]]:
        asked = {thread for method, thread in self._open.values() if method == "thread/read"}
        wanted = [t for t in dict.fromkeys([*self._later, *threads]) if t not in asked]
        free = max(0, AT_ONCE - len(asked))
        self._later = wanted[free:][:MOST]
        return [self._ask("thread/read", {"threadId": thread}, thread) for thread in wanted[:free]]

    # ---------------------------------------------------------------- answers

    def _answered(self, method: str, thread: str, result: Mapping[str, Any] | None) -> Sequence[Mapping[str, Any]]:
        if method == "initialize":
            if result is None:
                raise ValueError("it refused initialize")
            return [{"jsonrpc": "2.0", "method": "initialized"}, self._list()]
        if method == "thread/loaded/list":
            data = result.get("data") if result is not None else None
            if not isinstance(data, list):
                raise ValueError("it does not list its threads")
            self._ready = True
            loaded = [t for t in data if isinstance(t, str)][:MOST]
            self._threads = {t: self._threads.get(t, _Thread()) for t in loaded}
            self._left &= self._threads.keys()
            return self._read([t for t in loaded if not self._threads[t].known])
        found = result.get("thread") if result is not None else None
        if method == _LEAVE:
            return []
        more: Sequence[Mapping[str, Any]] = []
        if isinstance(found, Mapping) and thread in self._threads:
            more = self._learn(found)
        else:
            self._threads.pop(thread, None)  # gone meanwhile
        return [*more, *self._read([])]

    def _told(self, method: str, params: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        thread = params.get("threadId")
        if method == "thread/started":
            found = params.get("thread")
            return self._learn(found) if isinstance(found, Mapping) else []
        if method == "thread/closed" and isinstance(thread, str):
            self._threads.pop(thread, None)
        elif method == "thread/status/changed" and isinstance(thread, str):
            known = self._threads.get(thread, _Thread())
            if self._put(thread, _Thread(_claim(params.get("status")), known.parent, known.known)) and not known.known:
                return self._read([thread])
        return []

    def _learn(self, found: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        name, parent = found.get("id"), found.get("parentThreadId")
        if not isinstance(name, str):
            return []
        self._put(name, _Thread(_claim(found.get("status")), parent if isinstance(parent, str) else None, True))
        return self._unsubscribe(name) if isinstance(parent, str) and name not in self._left else []

    def _unsubscribe(self, thread: object) -> Sequence[Mapping[str, Any]]:
        """Hear no more of what goes on inside this thread; its statuses are told to everybody."""
        if not isinstance(thread, str) or (_LEAVE, thread) in self._open.values() or len(self._open) >= MOST:
            return []
        if thread in self._threads:
            self._left.add(thread)
        return [self._ask(_LEAVE, {"threadId": thread}, thread)]

    def _put(self, name: str, thread: _Thread) -> bool:
        if name not in self._threads and len(self._threads) >= MOST:
            return False
        before = self._threads.get(name, thread).says
        if thread.says is _RUNNING and before in (_APPROVAL, _QUESTION, _RESUMED):
            thread = replace(thread, says=_RESUMED)
        self._threads[name] = thread
        return True

    def _is_below(self, name: str, root: str) -> bool:
        for _ in range(GENERATIONS):
            thread = self._threads.get(name)
            if thread is None or thread.parent is None:
                return False
            if thread.parent == root:
                return True
            name = thread.parent
        return False


def _claim(status: object) -> Write | None:
    """What one status says; None for one that is not understood."""
    if not isinstance(status, Mapping):
        return None
    kind, flags = status.get("type"), status.get("activeFlags")
    if kind == "active" and isinstance(flags, list):
        if not flags:
            return _RUNNING
        return next((write for flag, write in _WAITS.items() if flag in flags), None)
    return _IDLE if kind == "idle" else _FAILED if kind == "systemError" else None
