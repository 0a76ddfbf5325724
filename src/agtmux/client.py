"""Call the daemon's API: one method per route.

Owns routes, query strings and the meaning of error answers. Knows neither click nor what a command prints.
"""

from __future__ import annotations

import json
import os
import time

from agtmux import __version__
from agtmux.protocol.errors import CODES, AgtmuxError
from agtmux.protocol.paths import socket_candidates
from agtmux.transport import Exchange, NoDaemonError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    Params = Mapping[str, str | Sequence[str] | None]

_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class Reply:
    """A successful answer: ``body`` as it came, ``json()`` for its object."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def json(self) -> dict[str, Any]:
        value = _load(self.body)
        if not isinstance(value, dict):
            raise AgtmuxError("E_INTERNAL", "the answer is not from agtmux's API: run agtmux daemon restart")
        return value


class Client:
    """Talks to the first socket of ``sockets`` where a daemon answers.

    ``start`` is called once if none answers. If it returns, the request is made again. ``on_version`` gets the daemon's
    version from the first answer that names it. Every method raises AgtmuxError: the daemon's own error, or
    E_DAEMON_UNREACHABLE.
    """

    def __init__(
        self,
        sockets: Sequence[str] = (),
        *,
        start: Callable[[], None] | None = None,
        on_version: Callable[[str], None] | None = None,
        timeout: float = 10.0,
    ) -> None:
        self._sockets = list(sockets) or socket_candidates()
        self._start, self._on_version, self._timeout = start, on_version, timeout

    def health(self) -> Reply:
        return self._ask("GET", "/v1/health")

    def status(self) -> Reply:
        """Return the counts of agents."""
        return self._ask("GET", "/v1/status")

    def targets(self) -> Reply:
        return self._ask("GET", "/v1/targets")

    def add_target(self, target: Mapping[str, object]) -> Reply:
        return self._ask("POST", "/v1/targets", target)

    def connect_target(self, name: str) -> Reply:
        return self._ask("POST", f"/v1/targets/{quote(name)}/connect", {}, timeout=60.0)

    def remove_target(self, name: str) -> Reply:
        return self._ask("DELETE", f"/v1/targets/{quote(name)}")

    def listing(self, scope: str, params: Params | None = None) -> Reply:
        """List ``scope``: panes, windows or sessions."""
        return self._ask("GET", f"/v1/{scope}{query(params or {})}")

    def message(self, ref: str) -> Reply:
        """Return the agent's last message in a pane, from its transcript."""
        return self._ask("GET", f"/v1/panes/{quote(ref)}/message")

    def explain(self, ref: str) -> Reply:
        return self._ask("GET", f"/v1/panes/{quote(ref)}/explain")

    def events(self, params: Params | None = None) -> Reply:
        return self._ask("GET", f"/v1/events{query(params or {})}")

    def actions(self, params: Params | None = None) -> Reply:
        return self._ask("GET", f"/v1/actions{query(params or {})}")

    def recap(self, params: Params) -> Reply:
        return self._ask("GET", f"/v1/recap{query(params)}")

    def restore_plan(self, *, again: bool = False) -> Reply:
        return self._ask("GET", f"/v1/restore{query({'again': 'true' if again else None})}")

    def restore_claim(self, request: Mapping[str, object]) -> Reply:
        """Claim one lost agent before it is started, or give the claim back."""
        return self._ask("POST", "/v1/restore/claims", request)

    def check_spawn(self, request: Mapping[str, object]) -> Reply:
        """Check whether a new agent may be started on a target, and return how. Nothing is started."""
        return self._ask("POST", "/v1/spawn/check", request)

    def worktrees(self, *, removed: bool = False) -> Reply:
        """List the worktrees of agents. ``removed``: also those that are gone."""
        return self._ask("GET", f"/v1/worktrees{query({'removed': 'true' if removed else None})}")

    def add_worktree(self, request: Mapping[str, object]) -> Reply:
        """Record a worktree before git adds it. The answer has its path and its branch."""
        return self._ask("POST", "/v1/worktrees", request)

    def report_worktree(self, worktree_id: str, request: Mapping[str, object]) -> Reply:
        """Report what was done to a worktree."""
        return self._ask("POST", f"/v1/worktrees/{quote(worktree_id)}/report", request)

    def collisions(self) -> Reply:
        """List the files that two agents changed."""
        return self._ask("GET", "/v1/collisions")

    def act(self, kind: str, request: Mapping[str, object], timeout: float = 30.0) -> Reply:
        """Perform an action. ``request_ref`` names the request: the same name never acts twice."""
        return self._ask("POST", f"/v1/actions/{kind}", request, timeout)

    def queue(self, params: Params) -> Reply:
        """List the prompts that wait."""
        return self._ask("GET", f"/v1/queue{query(params)}")

    def queue_add(self, request: Mapping[str, object]) -> Reply:
        """Queue a prompt. ``request_ref`` names the request: the same name never queues twice."""
        return self._ask("POST", "/v1/queue", request)

    def queue_change(self, prompt: str, verb: str, request: Mapping[str, object]) -> Reply:
        """Edit, move or drop a queued prompt, by its id."""
        return self._ask("POST", f"/v1/queue/{quote(prompt)}/{verb}", request)

    def hooks(self, request: Mapping[str, object]) -> Reply:
        return self._ask("POST", "/v1/hooks", request)

    def replay(self, request: Mapping[str, object]) -> Reply:
        """Try the rules of an agent on one captured screen."""
        return self._ask("POST", "/v1/rules/replay", request)

    def check_rules(self, request: Mapping[str, object]) -> Reply:
        return self._ask("POST", "/v1/rules/check", request)

    def notify_status(self) -> Reply:
        return self._ask("GET", "/v1/notify")

    def notify_why(self, params: Params) -> Reply:
        """Explain what was sent about a pane, and why not."""
        return self._ask("GET", f"/v1/notify/why{query(params)}")

    def test_channels(self, channel: str | None) -> Reply:
        """Send a test message on one channel, or on all."""
        return self._ask("POST", "/v1/notify/test", {"channel": channel})

    def mute(self, request: Mapping[str, object]) -> Reply:
        return self._ask("POST", "/v1/notify/mute", request)

    def unmute(self, request: Mapping[str, object]) -> Reply:
        return self._ask("POST", "/v1/notify/unmute", request)

    def look(self, panes: Sequence[str], surface: str) -> Reply:
        """Report panes that a person sees on a surface (``top``)."""
        return self._ask("POST", "/v1/notify/look", {"panes": list(panes), "surface": surface})

    def retry_messages(self, message: str | None) -> Reply:
        """Send one message that failed again, or all."""
        return self._ask("POST", "/v1/notify/retry", {"message": message})

    def send_message(self, request: Mapping[str, object]) -> Reply:
        return self._ask("POST", "/v1/messages", request)

    def messages(self, params: Params | None = None) -> Reply:
        return self._ask("GET", f"/v1/messages{query(params or {})}")

    def show_message(self, name: str) -> Reply:
        """Return one message by its id or number. It does not count as read."""
        return self._ask("GET", f"/v1/messages/{quote(name)}")

    def change_message(self, name: str, verb: str, request: Mapping[str, object]) -> Reply:
        """Do something with one message. ``verb``: reply, read, ack, react or cancel."""
        return self._ask("POST", f"/v1/messages/{quote(name)}/{verb}", request)

    def mailbox(self, agent: str, box: str, params: Params | None = None) -> Reply:
        """List an agent's ``inbox`` or ``outbox``. ``agent``: ``-`` for your own."""
        return self._ask("GET", f"/v1/agents/{quote(agent)}/{box}{query(params or {})}")

    def channels(self) -> Reply:
        return self._ask("GET", "/v1/channels")

    def create_channel(self, request: Mapping[str, object]) -> Reply:
        return self._ask("POST", "/v1/channels", request)

    def change_channel(self, name: str, verb: str, request: Mapping[str, object]) -> Reply:
        """Join or leave a channel."""
        return self._ask("POST", f"/v1/channels/{quote(name)}/{verb}", request)

    def channel_log(self, name: str, params: Params | None = None) -> Reply:
        return self._ask("GET", f"/v1/channels/{quote(name)}/messages{query(params or {})}")

    def deliveries(self, params: Params | None = None) -> Reply:
        return self._ask("GET", f"/v1/deliveries{query(params or {})}")

    def check_deliveries(self) -> Reply:
        return self._ask("GET", "/v1/deliveries/check")

    def change_delivery(self, name: str, verb: str, request: Mapping[str, object]) -> Reply:
        """Try a failed delivery once more (``retry``), or give it up (``drop``)."""
        return self._ask("POST", f"/v1/deliveries/{quote(name)}/{verb}", request)

    def reload(self) -> Reply:
        return self._ask("POST", "/v1/daemon/reload", {})

    def stop(self) -> Reply:
        return self._ask("POST", "/v1/daemon/stop", {})

    def config(self) -> Reply:
        return self._ask("GET", "/v1/daemon/config")

    def web_status(self) -> Reply:
        return self._ask("GET", "/v1/web")

    def web_on(self) -> Reply:
        return self._ask("POST", "/v1/web/on", {})

    def web_off(self) -> Reply:
        return self._ask("POST", "/v1/web/off", {})

    def web_link(self, request: Mapping[str, object]) -> Reply:
        """Make a single-use link for one device."""
        return self._ask("POST", "/v1/web/links", request)

    def web_devices(self) -> Reply:
        return self._ask("GET", "/v1/web/devices")

    def revoke_device(self, name: str) -> Reply:
        return self._ask("DELETE", f"/v1/web/devices/{quote(name)}")

    def agents(self, params: Params | None = None) -> Reply:
        """List agents by name."""
        return self._ask("GET", f"/v1/agents{query(params or {})}")

    def agent(self, name: str) -> Reply:
        """Return one agent, by its name, id or ref."""
        return self._ask("GET", f"/v1/agents/{quote(name)}")

    def agent_card(self, name: str) -> Reply:
        return self._ask("GET", f"/v1/agents/{quote(name)}/card")

    def whoami(self) -> Reply:
        return self._ask("GET", "/v1/whoami")

    def add_agent(self, request: Mapping[str, object]) -> Reply:
        return self._ask("POST", "/v1/agents", request)

    def change_agent(self, name: str, change: str, request: Mapping[str, object]) -> Reply:
        """Make one change of an agent: ``rename``, ``retire`` or ``bind``."""
        return self._ask("POST", f"/v1/agents/{quote(name)}/{change}", request)

    def teams(self) -> Reply:
        return self._ask("GET", "/v1/teams")

    def team(self, name: str) -> Reply:
        return self._ask("GET", f"/v1/teams/{quote(name)}")

    def apply_team(self, request: Mapping[str, object]) -> Reply:
        """Make a team as its file wants it, or with ``plan`` only say what would change."""
        return self._ask("POST", "/v1/teams", request)

    def remove_team(self, name: str, request: Mapping[str, object]) -> Reply:
        return self._ask("POST", f"/v1/teams/{quote(name)}/remove", request)

    def leases(self, params: Params | None = None) -> Reply:
        return self._ask("GET", f"/v1/leases{query(params or {})}")

    def acquire_lease(self, request: Mapping[str, object]) -> Reply:
        """Hold paths and names: all of them, or none."""
        return self._ask("POST", "/v1/leases", request)

    def check_lease(self, request: Mapping[str, object]) -> Reply:
        return self._ask("POST", "/v1/leases/check", request)

    def renew_lease(self, lease_id: str, request: Mapping[str, object]) -> Reply:
        return self._ask("POST", f"/v1/leases/{quote(lease_id)}/renew", request)

    def release_lease(self, lease_id: str, request: Mapping[str, object]) -> Reply:
        return self._ask("POST", f"/v1/leases/{quote(lease_id)}/release", request)

    def take_lease(self, lease_id: str, request: Mapping[str, object]) -> Reply:
        return self._ask("POST", f"/v1/leases/{quote(lease_id)}/take", request)

    def guard_check(self, request: Mapping[str, object]) -> Reply:
        """Ask whether paths may be changed or committed."""
        return self._ask("POST", "/v1/guard/check", request)

    def send_signal(self, request: Mapping[str, object]) -> Reply:
        """Send a signal. The same ``request_ref`` never sends twice."""
        return self._ask("POST", "/v1/signals", request)

    def signals(self, params: Params) -> Reply:
        return self._ask("GET", f"/v1/signals{query(params)}")

    def signal_topics(self, params: Params) -> Reply:
        return self._ask("GET", f"/v1/signals/topics{query(params)}")

    def signal(self, name: str) -> Reply:
        return self._ask("GET", f"/v1/signals/{quote(name)}")

    def move_signal_cursor(self, request: Mapping[str, object]) -> Reply:
        """Store how far a consumer has read."""
        return self._ask("POST", "/v1/signals/cursors", request)

    def create_wait(self, request: Mapping[str, object]) -> Reply:
        """Make a wait. The same ``request_ref`` gives the same wait."""
        return self._ask("POST", "/v1/waits", request, 30.0)

    def get_wait(self, wait_id: str, block: float) -> Reply:
        """Return a wait once it is over, or after ``block`` seconds."""
        return self._ask("GET", f"/v1/waits/{quote(wait_id)}{query({'block_s': f'{block:g}'})}", timeout=block + 10.0)

    def waits(self, params: Params) -> Reply:
        return self._ask("GET", f"/v1/waits{query(params)}")

    def cancel_wait(self, wait_id: str) -> Reply:
        return self._ask("POST", f"/v1/waits/{quote(wait_id)}/cancel", {})

    def policies(self) -> Reply:
        return self._ask("GET", "/v1/policies")

    def test_policy(self, params: Params) -> Reply:
        """Tell what the rules decide."""
        return self._ask("GET", f"/v1/policies/test{query(params)}")

    def watch(self, params: Params) -> Exchange:
        """Open the stream of lines. The caller closes it."""
        exchange = self._open("GET", f"/v1/watch{query(params)}", None, self._timeout)
        if exchange.status >= 400:
            with exchange:
                raise _error(exchange.status, exchange.read())
        return exchange

    def _ask(
        self, method: str, target: str, request: Mapping[str, object] | None = None, timeout: float | None = None
    ) -> Reply:
        body = None if request is None else json.dumps(request).encode()
        with self._open(method, target, body, timeout or self._timeout) as exchange:
            answer = exchange.read()
        if exchange.status >= 400:
            raise _error(exchange.status, answer)
        return Reply(answer)

    def _open(self, method: str, target: str, body: bytes | None, timeout: float) -> Exchange:
        try:
            exchange = self._first(method, target, body, timeout)
        except NoDaemonError:
            if self._start is None:
                raise
            start, self._start = self._start, None
            start()
            self._sockets = socket_candidates()
            exchange = self._first(method, target, body, timeout)
        version = exchange.headers.get("server", "").partition("agtmuxd/")[2].partition(" ")[0]
        if version and self._on_version is not None:
            self._on_version(version)
            self._on_version = None
        return exchange

    def _first(self, method: str, target: str, body: bytes | None, timeout: float) -> Exchange:
        for path in self._sockets[1:]:
            try:
                return Exchange(self._sockets[0], method, target, body, timeout)
            except NoDaemonError:
                self._sockets = [path, *(p for p in self._sockets if p != path)]
        return Exchange(self._sockets[0], method, target, body, timeout)


def uuid7() -> str:
    """Return a new name for one action (``request_ref``)."""
    stamp = (time.time_ns() // 1_000_000) & ((1 << 48) - 1)
    raw = int.from_bytes(os.urandom(10), "big")
    value = (stamp << 80) | (0x7 << 76) | ((raw >> 68 & 0xFFF) << 64) | (0b10 << 62) | (raw & ((1 << 62) - 1))
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def quote(text: str) -> str:
    """Percent-encode everything that is not unreserved in a URL, as in refs."""
    return "".join(chr(b) if b in _SAFE else f"%{b:02X}" for b in text.encode("utf-8", "surrogateescape"))


def query(params: Params) -> str:
    """Build ``?a=b&…``. Lists are repeated; None and empty values are left out. "" for nothing."""
    pairs = [
        f"{key}={quote(item)}"
        for key, value in params.items()
        if value
        for item in ([value] if isinstance(value, str) else value)
    ]
    return "?" + "&".join(pairs) if pairs else ""


def is_older(version: str) -> bool:
    """Return whether a daemon of this version is older than this program."""
    return _numbers(version) < _numbers(__version__)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else 0 for part in version.split(".")[:3])


def _load(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _error(status: int, body: bytes) -> AgtmuxError:
    """Turn the daemon's error into the same error here."""
    value = _load(body)
    error = value.get("error") if isinstance(value, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("code"), str):
        return AgtmuxError("E_INTERNAL", f"the daemon answered {status} without a reason: see agtmux daemon logs")
    code, message, details = error["code"], str(error.get("message", "")), error.get("details")
    if code not in CODES:
        message = f"{message} ({code} is new to this agtmux: update it)"
    return AgtmuxError(code, message, details if isinstance(details, dict) else None)
