"""The way to one host: what the user's ssh config and known_hosts say of it, and why it could not be gone.

Owns the translation of the ssh config to asyncssh's options, and the words for what went wrong. Strict by construction:
known host keys only, public keys only, nothing forwarded, nobody asked. Opens no connection.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncssh

from agtmuxd.targets.executor import ExecutorError

KEEPALIVE: Final = 5.0
KEEPALIVES_MISSED: Final = 2
DEFAULT_CONFIG: Final = "~/.ssh/config"
_SYSTEM_CONFIG: Final = "/etc/ssh/ssh_config"
_SYSTEM_HOSTS: Final = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")


class LinkError(ExecutorError):
    """No connection. ``step`` is one of resolve, connect, host key, auth; the message says what to do."""

    def __init__(self, step: str, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.step = step


@dataclass(slots=True)
class Dialling:
    """How far one attempt has come: ``passed`` steps as (step, what it showed), and the step that is under way."""

    step: str = "resolve"
    passed: list[tuple[str, str]] = field(default_factory=list)

    def done(self, step: str, showed: str, *, then: str) -> None:
        self.passed.append((step, showed))
        self.step = then


@dataclass(frozen=True, slots=True)
class Route:
    """What the ssh config says of one host."""

    alias: str
    host: str
    port: int
    user: str
    jump: str | None
    proxied: bool
    options: dict[str, Any]
    known: bytes
    known_in: str
    key_alias: str | None


class Watcher(asyncssh.SSHClient):
    """Notes how far a connection came, and what was wrong with the host key."""

    def __init__(self, route: Route, dialling: Dialling) -> None:
        self.route = route
        self.dialling = dialling
        self.refused: asyncssh.SSHKey | None = None

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self.dialling.done("connect", f"{self.route.host} port {self.route.port}", then="host key")

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.refused = key
        return False

    def begin_auth(self, username: str) -> None:
        self.trusted()

    def trusted(self) -> None:
        if self.dialling.step == "host key":
            self.dialling.done("host key", f"known in {self.route.known_in}", then="auth")

    def auth_completed(self) -> None:
        self.trusted()
        self.dialling.done("auth", f"user {self.route.user}", then="ready")


def hops(jump: str | None) -> list[tuple[str, str | None, int | None]]:
    """``user@host:port,...`` of ProxyJump as (host, user, port)."""
    out = []
    for hop in (jump or "").split(","):
        user, _, place = hop.strip().rpartition("@")
        host, port = place, None
        if place.startswith("["):
            host, _, after = place[1:].partition("]")
            port = int(after[1:]) if after[1:].isdigit() else None
        elif place.count(":") == 1:
            host, _, digits = place.partition(":")
            port = int(digits) if digits.isdigit() else None
        if host:
            out.append((host, user or None, port))
    return out


def read_route(alias: str, user: str | None, port: int | None, config_file: str) -> Route:
    """What the ssh config says of ``alias``. Blocks. Raises asyncssh.Error, OSError, ValueError."""
    files = [config_file] if os.access(config_file, os.R_OK) else []
    if config_file == str(Path(DEFAULT_CONFIG).expanduser()) and os.access(_SYSTEM_CONFIG, os.R_OK):
        files.append(_SYSTEM_CONFIG)  # as ssh does; not with a file of one's own (ssh -F)
    options: dict[str, Any] = {
        "config": files, "canonicalize_hostname": False, "preferred_auth": "publickey", "password_auth": False,
        "kbdint_auth": False, "host_based_auth": False, "gss_auth": False, "gss_kex": False, "agent_forwarding": False,
        "x11_forwarding": False, "command": None, "env": {}, "send_env": [], "request_pty": False,
        "x509_trusted_certs": None, "x509_trusted_cert_paths": [], "keepalive_interval": KEEPALIVE,
        "keepalive_count_max": KEEPALIVES_MISSED, "connect_timeout": None, "ignore_encrypted": True,
    }  # fmt: skip
    if user is not None:
        options["username"] = user
    read = asyncssh.SSHClientConnectionOptions(
        host=alias, port=() if port is None else port, known_hosts=b"#", client_keys=None, **options
    )
    named = read.config.get("IdentityFile")
    if isinstance(named, list):  # ssh passes over key files that are not there
        options["client_keys"] = [path for path in named if Path(path).expanduser().is_file()]
    known, known_in = _known_hosts(read.config.get("UserKnownHostsFile"), read.config.get("GlobalKnownHostsFile"))
    options["known_hosts"] = known
    jump = read.tunnel if isinstance(read.tunnel, str) else None
    proxied = bool(read.proxy_command) and jump is None
    return Route(
        alias, read.host, read.port, read.username, jump, proxied, options, known, known_in, read.host_key_alias
    )


def _known_hosts(user_files: Any, global_files: Any) -> tuple[bytes, str]:
    """All known host keys (never nothing: asyncssh would take its defaults), and the file where they are looked for."""
    users = user_files if isinstance(user_files, list) and user_files else ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"]
    machine = global_files if isinstance(global_files, list) else list(_SYSTEM_HOSTS)
    text = [b"#"]
    for name in (*users, *machine):
        path = Path(name).expanduser()
        if path.is_file() and os.access(path, os.R_OK):
            text.append(path.read_bytes())
    return b"\n".join(text) + b"\n", str(users[0])


def explained(error: BaseException, route: Route, watcher: Watcher, dialling: Dialling) -> LinkError:
    """What went wrong, at which step, and what to do."""
    where = f"{route.host} port {route.port}"
    step = dialling.step if dialling.step != "ready" else "auth"
    if isinstance(error, asyncssh.HostKeyNotVerifiable) or "host key" in str(error).lower():
        return LinkError("host key", "host_key", _host_key_message(str(error), route, watcher))
    if isinstance(error, asyncssh.PermissionDenied):
        return LinkError(
            "auth", "auth",
            f"{route.user}@{where} accepts no key: this must work without a question: "
            f"ssh -o BatchMode=yes {route.alias} true (is the key in the agent that agtmuxd was started with?)",
        )  # fmt: skip
    if isinstance(error, asyncssh.KeyImportError | asyncssh.KeyEncryptionError):
        return LinkError("auth", "auth", f"a key for {route.alias} cannot be used: {error}")
    if isinstance(error, asyncssh.ChannelOpenError):
        return LinkError("connect", "refused", f"the jump host does not reach {where}: {error.reason}")
    if isinstance(error, asyncssh.ConnectionLost | asyncssh.DisconnectError | ConnectionError):
        return LinkError(step, "lost", f"{where} closed the connection: {error}")
    return LinkError(step, "refused", f"no connection to {where}: {error}")


def _host_key_message(said: str, route: Route, watcher: Watcher) -> str:
    key = watcher.refused
    if key is None:
        return f"the host key of {route.host} is not accepted: {said}"
    shown = f"{key.get_algorithm()} {key.get_fingerprint()}"
    alias = route.key_alias or route.host
    name = alias if route.port == 22 else f"[{alias}]:{route.port}"
    hosts = asyncssh.import_known_hosts(route.known.decode("utf-8", "replace"))
    others = hosts.match(alias, "", None if route.port == 22 else route.port)[0]
    if others:
        return (
            f"the host key of {name} has CHANGED to {shown}: somebody may be in between. If the machine was installed "
            f"anew, type: ssh-keygen -R '{name}', then: ssh {route.alias}"
        )
    return (
        f"the host key of {name} is not known ({shown}): compare it, then accept it once with: ssh {route.alias} "
        f"(looked in {route.known_in})"
    )
