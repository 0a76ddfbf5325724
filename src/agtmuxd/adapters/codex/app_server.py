"""Ask Codex's app server about its threads, and turn its answers into claims.

Owns the messages (JSON-RPC, measured on 0.169.0). Pure: it does not know how the server is reached. It sends only
requests that change nothing on the server, except that ``initialize`` gives a client name. It never loads, resumes or
answers a thread.

The server sends every client everything that happens in a sub-agent's thread, and its requests, without being asked.
So such threads are unsubscribed from at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from agtmuxd.core.model import MS, Claim, Strength, WaitingFor, Write

MOST: Final = 256
"""How many threads are tracked. Further threads give no claim."""
AT_ONCE: Final = 64
"""How many requests may be open. More are sent when these are answered."""
ENDED: Final = 300 * MS
"""How long a thread must be idle before its turn counts as ended. The session file, the screen or a hook reports how it
ended, an instant later.
"""
GENERATIONS: Final = 8
"""How many levels of sub-agents below sub-agents are followed."""

_RUNNING: Final = Write(Claim.RUNNING, "app server: active")
AFTER_WAIT: Final = 150 * MS
_RESUMED: Final = replace(_RUNNING, settle=AFTER_WAIT)
"""The same claim after a wait. It must last, because a thread whose request was refused is active for an instant."""
_APPROVAL: Final = Write(
    Claim.WAITING_APPROVAL, "app server: waitingOnApproval", waiting_for=WaitingFor("approval"), accepts_input=False
)
_QUESTION: Final = Write(
    Claim.WAITING_INPUT, "app server: waitingOnUserInput", waiting_for=WaitingFor("question"), accepts_input=False
)
_IDLE: Final = Write(Claim.NOT_RUNNING, "app server: idle", settle=ENDED)
_FAILED: Final = Write(Claim.ERROR, "app server: systemError", strength=Strength.HINT)
"""The screen and the session file report the failure an instant later. This claim stays until the next turn, whatever
the pane shows.
"""
_OTHERS: Final = Write(None, "app server: only a sub-agent is active")

_LEAVE: Final = "thread/unsubscribe"
_INSIDE: Final = ("turn/", "item/", "hook/")
"""Prefixes of the notifications that only a thread's subscribers get."""
_BUSY: Final = (_RUNNING, _RESUMED)
_WAITS: Final = {"waitingOnApproval": _APPROVAL, "waitingOnUserInput": _QUESTION}


@dataclass(frozen=True, slots=True)
class _Thread:
    """A loaded thread. ``parent``: the thread above a sub-agent's. ``says`` None: no status yet, or one
    not understood.
    """

    says: Write | None = None
    parent: str | None = None
    known: bool = False  # whether the server has reported the thread's parent


def socket_path(config_home: Path) -> Path:
    """Return the path of the server's socket: a link into one of the user's folders."""
    return config_home / "app-server-control" / "app-server-control.sock"


class Conversation:
    """A conversation with one server; see ``adapters.contract.Conversation``."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._ids = 0
        self._open: dict[int, tuple[str, str]] = {}  # method and thread, by request id
        self._later: list[str] = []
        self._threads: dict[str, _Thread] = {}
        self._left: set[str] = set()  # sub-agents' threads that were unsubscribed from
        self._ready = False

    @property
    def ready(self) -> bool:
        """Whether the server has listed its threads."""
        return self._ready

    def opening(self) -> Sequence[Mapping[str, Any]]:
        """Return the first message: our client name."""
        info = {"name": "agtmux", "title": "agtmux", "version": self._version}
        return [self._ask("initialize", {"clientInfo": info})]

    def ask_again(self, sessions: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """Return requests for the state of these threads. A status is a level, so asking again makes up for a missed
        message.
        """
        if not self._ready:
            return []
        return [*self._read([s for s in sessions if s in self._threads]), self._list()]

    def receive(self, message: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Read one message and return the messages to send next. Raises ValueError if the server refuses to talk.

        The server's own requests get no answer from us: another client may answer them.
        """
        method = message.get("method")
        if isinstance(method, str):
            params = message.get("params")
            if not isinstance(params, Mapping):
                return []
            if "id" in message or method.startswith(_INSIDE):
                return self._unsubscribe(params.get("threadId"))
            return self._on_notification(method, params)
        number = message.get("id")
        asked = self._open.pop(number, None) if isinstance(number, int) else None
        if asked is None:
            return []
        result = message.get("result")
        return self._on_reply(*asked, result if isinstance(result, Mapping) else None)

    def claim_of(self, session_id: str) -> Write | None:
        """Return the claim about this thread and its sub-agents' threads. None if the server does not know the thread.

        It is the same object for as long as the claim does not change.
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

    # ---------------------------------------------------------------- replies

    def _on_reply(self, method: str, thread: str, result: Mapping[str, Any] | None) -> Sequence[Mapping[str, Any]]:
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
            self._threads.pop(thread, None)  # the thread has gone meanwhile
        return [*more, *self._read([])]

    def _on_notification(self, method: str, params: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
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
        """Unsubscribe from what happens inside this thread. The server sends its statuses to every client anyway."""
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
    """Return the claim of one status. None for a status that is not understood."""
    if not isinstance(status, Mapping):
        return None
    kind, flags = status.get("type"), status.get("activeFlags")
    if kind == "active" and isinstance(flags, list):
        if not flags:
            return _RUNNING
        return next((write for flag, write in _WAITS.items() if flag in flags), None)
    return _IDLE if kind == "idle" else _FAILED if kind == "systemError" else None
