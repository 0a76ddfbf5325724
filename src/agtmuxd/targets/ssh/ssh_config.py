"""Turn the user's ssh config and known_hosts into asyncssh's options for one host, and explain a failed connection.

Owns the translation of the effective settings, and the error messages. Always strict: accepts only known host keys,
signs in only with public keys, forwards nothing and asks no question. Opens no connection.

The settings come from ``ssh -G`` (``effective_settings``). If no usable ``ssh`` is installed, asyncssh reads the config
file; it knows fewer options.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncssh
from asyncssh.encryption import get_encryption_algs
from asyncssh.kex import get_kex_algs
from asyncssh.mac import get_mac_algs
from asyncssh.public_key import get_certificate_algs, get_public_key_algs

from agtmuxd.targets.executor import ExecutorError
from agtmuxd.targets.ssh import client_keys, host_keys, known_hosts
from agtmuxd.targets.ssh.client_keys import KeyOptions
from agtmuxd.targets.ssh.effective_settings import DEFAULT_CONFIG, ConfigError, Destination, EffectiveSettings, home
from agtmuxd.targets.ssh.known_hosts import Trust

KEEPALIVE: Final = 5.0
KEEPALIVES_MISSED: Final = 2
_SYSTEM_CONFIG: Final = "/etc/ssh/ssh_config"
_USER_HOSTS: Final = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
_SYSTEM_HOSTS: Final = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_FAMILIES: Final = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}


class LinkError(ExecutorError):
    """The connection failed. ``step`` is one of resolve, connect, host key, auth. The message says what to do."""

    def __init__(self, step: str, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.step = step


@dataclass(slots=True)
class ConnectProgress:
    """The progress of one attempt: the ``passed`` steps as (step, message), and the current step."""

    step: str = "resolve"
    passed: list[tuple[str, str]] = field(default_factory=list)

    def done(self, step: str, showed: str, *, then: str) -> None:
        self.passed.append((step, showed))
        self.step = then

    def back(self, step: str) -> None:
        """Go back to this step, because a second connection is made."""
        names = [name for name, _ in self.passed]
        del self.passed[names.index(step) if step in names else len(names) :]
        self.step = step


@dataclass(frozen=True, slots=True)
class Route:
    """What the ssh config says about one host.

    ``names``: names under which its key is looked up. ``known``: the known_hosts lines. ``proxy``: the ProxyCommand,
    with tokens filled in. ``asked``: the source of these settings, for messages. ``settings``: None without ``ssh -G``.
    """

    alias: str
    host: str
    port: int
    user: str
    jump: str | None
    proxy: str | None
    options: dict[str, Any]
    wanted: KeyOptions
    trust: Trust
    names: tuple[str, ...]
    known: str
    known_in: str
    asked: str
    family: int = socket.AF_UNSPEC
    bind: str | None = None
    address_too: bool = False
    krls: Sequence[str] = ()
    host_algorithms: Sequence[str] = ()
    ca_algorithms: Sequence[str] | None = None
    stricter: Sequence[str] = ()
    settings: EffectiveSettings | None = None

    def connect_options(
        self, trust: Trust, pairs: Sequence[asyncssh.SSHKeyPair], *, certificates: bool, hint: Sequence[asyncssh.SSHKey]
    ) -> dict[str, Any]:
        """Return asyncssh's options for one connection with this trust.

        ``certificates``: accept host certificates. ``hint``: keys that are not trusted; only their types are preferred.
        """
        small = self.wanted.smallest_rsa
        keys = [key for key in trust.keys if not client_keys.too_small(key, small)]
        signers = [key for key in trust.authorities if certificates and self._may_sign(key, small)]
        algorithms = self._host_algorithms([*keys, *hint], signers)
        more = {"server_host_key_algs": algorithms} if algorithms else {}
        return {
            **self.options, **more, "config": [], "client_keys": list(pairs) or None, "agent_path": None,
            "host_key_alias": self.names[-1],
            "known_hosts": lambda *_: (keys, signers, trust.revoked),
        }  # fmt: skip

    def _may_sign(self, key: asyncssh.SSHKey, small: int) -> bool:
        named = {algorithm.decode() for algorithm in key.sig_algorithms}
        allowed = self.ca_algorithms is None or bool(named & set(self.ca_algorithms))
        return allowed and not client_keys.too_small(key, small)

    def _host_algorithms(self, keys: Sequence[asyncssh.SSHKey], signers: Sequence[asyncssh.SSHKey]) -> list[str]:
        """Return the host key algorithms that ssh would offer, those of known keys first: the server then uses one."""
        known = {algorithm.decode() for key in keys for algorithm in key.sig_algorithms}
        signed = {algorithm.decode() for algorithm in get_certificate_algs()}
        certified = [name for name in self.host_algorithms if name in signed and signers]
        plain = [name for name in self.host_algorithms if name not in signed]
        return [*certified, *(n for n in plain if n in known), *(n for n in plain if n not in known)]


class Watcher(asyncssh.SSHClient):
    """Note the progress of a connection, and the host key that was refused."""

    def __init__(self, route: Route, dialling: ConnectProgress, known_in: str) -> None:
        self.route = route
        self.dialling = dialling
        self.known_in = known_in
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
            self.dialling.done("host key", f"known in {self.known_in}", then="auth")

    def auth_completed(self) -> None:
        self.trusted()
        self.dialling.done("auth", f"user {self.route.user}", then="ready")


def hops(jump: str | None) -> list[tuple[str, str | None, int | None]]:
    """Split ``user@host:port,...`` of ProxyJump into (host, user, port)."""
    out = []
    for hop in (jump or "").split(","):
        user, _, place = hop.strip().removeprefix("ssh://").rpartition("@")
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


def _strict() -> dict[str, Any]:
    """Return the options that no ssh config changes: no questions, no forwarding, keys only."""
    return {
        "canonicalize_hostname": False, "preferred_auth": "publickey", "password_auth": False,
        "kbdint_auth": False, "host_based_auth": False, "gss_auth": False, "gss_kex": False, "agent_forwarding": False,
        "x11_forwarding": False, "command": None, "env": {}, "send_env": [], "request_pty": False,
        "x509_trusted_certs": None, "x509_trusted_cert_paths": [], "keepalive_interval": KEEPALIVE,
        "keepalive_count_max": KEEPALIVES_MISSED, "connect_timeout": None, "proxy_command": None,
    }  # fmt: skip


# ---------------------------------------------------------------- by ssh -G


def route_of(place: Destination, settings: EffectiveSettings, words: Sequence[str]) -> Route:
    """Make the route from the settings of ``ssh -G``. Reads files with host keys, so it blocks. Raises ConfigError."""
    _unsupported(settings)
    alias = settings.first("hostkeyalias") or None
    names = known_hosts.searched(settings.host, settings.port, alias)
    files = _known_files(settings)
    known = host_keys.read_known(files)
    trust = known_hosts.read(known, names)
    krls = []
    for written in _files(settings, "revokedhostkeys"):
        # OpenSSH before 10 prints the path as written, later ones fill it in: use the path that exists
        file = written if Path(written).exists() else settings.path(written, "RevokedHostKeys")
        revoked, binary = host_keys.read_revoked(file)
        trust = trust.without(revoked)
        krls += [file] if binary else []
    jump = settings.first("proxyjump") or None
    command = None if jump else next(iter(settings.every("proxycommand")), None)
    options = {
        **_strict(), "username": settings.user, "tcp_keepalive": settings.yes("tcpkeepalive"),
        "encryption_algs": _common(settings, "ciphers", "Ciphers", get_encryption_algs()),
        "mac_algs": _common(settings, "macs", "MACs", get_mac_algs()),
        "kex_algs": _common(settings, "kexalgorithms", "KexAlgorithms", get_kex_algs()),
        "signature_algs": _common(settings, "pubkeyacceptedalgorithms", "PubkeyAcceptedAlgorithms",
                                  get_public_key_algs()),
        "compression_algs": ["zlib@openssh.com", "zlib", "none"] if settings.yes("compression") else ["none"],
    }  # fmt: skip
    every = [*get_certificate_algs(), *get_public_key_algs()]
    return Route(
        place.alias, settings.host, settings.port, settings.user,
        None if jump in (None, "none") else settings.expand(str(jump), "ProxyJump"),
        None if command is None else settings.expand(command, "ProxyCommand"),
        options, _wanted(settings), trust, names, known, files[0] if files else "no file",
        " ".join(["ssh", "-G", *words, place.alias]),
        family=_FAMILIES.get(settings.first("addressfamily"), socket.AF_UNSPEC),
        bind=next(iter(settings.every("bindaddress")), None), address_too=settings.yes("checkhostip"), krls=krls,
        host_algorithms=_common(settings, "hostkeyalgorithms", "HostKeyAlgorithms", every),
        ca_algorithms=settings.names("casignaturealgorithms") or None, stricter=_stricter(settings), settings=settings,
    )  # fmt: skip


def _unsupported(settings: EffectiveSettings) -> None:
    """Raise ConfigError for unsupported options that would change where the connection leads."""
    if settings.yes("proxyusefdpass"):
        raise ConfigError("ProxyUseFdpass yes is not supported: use a ProxyCommand that carries the data itself")
    if settings.every("bindinterface"):
        raise ConfigError("BindInterface is not supported: use BindAddress")


def _stricter(settings: EffectiveSettings) -> list[str]:
    """Return the options that let ssh accept a host key, and that agtmux ignores."""
    out = []
    if settings.first("stricthostkeychecking") in {"no", "off", "false", "accept-new"}:
        out.append("StrictHostKeyChecking")
    if settings.yes("nohostauthenticationforlocalhost"):
        out.append("NoHostAuthenticationForLocalhost")
    if settings.yes("verifyhostkeydns"):
        out.append("VerifyHostKeyDNS")
    return out


def _wanted(settings: EffectiveSettings) -> KeyOptions:
    """Return the keys that the settings name, and the sources of keys that agtmux does not use."""
    skipped = []
    if settings.every("pkcs11provider"):
        skipped.append("PKCS11Provider is not supported: add its keys to the ssh agent (ssh-add -s)")
    methods = settings.names("preferredauthentications")
    if settings.first("pubkeyauthentication") in {"no", "false"}:
        return KeyOptions(skipped=["PubkeyAuthentication is off, but agtmux logs in with keys only: switch it on"])
    if methods and "publickey" not in methods:
        return KeyOptions(
            skipped=["PreferredAuthentications has no publickey, but agtmux logs in with keys only: add it"]
        )
    named = settings.first("identityagent", "SSH_AUTH_SOCK")
    if named == "SSH_AUTH_SOCK":
        agent = settings.environ.get("SSH_AUTH_SOCK")
    elif named.startswith("$") and not named.startswith("${"):
        agent = settings.environ.get(named[1:])
    else:
        agent = None if named == "none" else settings.path(named, "IdentityAgent")
    return KeyOptions(
        settings.paths("identityfile", "IdentityFile"),
        settings.paths("certificatefile", "CertificateFile"),
        agent or None,
        settings.yes("identitiesonly"),
        int(settings.first("requiredrsasize", "0") or 0),
        skipped,
    )


def _known_files(settings: EffectiveSettings) -> list[str]:
    """Return the known_hosts files in the order in which ssh reads them."""
    return [*_files(settings, "userknownhostsfile"), *_files(settings, "globalknownhostsfile")]


def _files(settings: EffectiveSettings, option: str) -> list[str]:
    """Return the files of an option. ``ssh -G`` prints them with spaces and no quotes; each path begins with ``/``."""
    pieces = [piece for line in settings.every(option) for piece in line.replace(" /", "\0/").split("\0")]
    return [piece for piece in pieces if piece != "none"]


def _common(settings: EffectiveSettings, option: str, shown: str, known: Sequence[bytes]) -> list[str]:
    """Return the algorithms of an option that asyncssh also knows. Raises ConfigError if there are none."""
    here = {name.decode() for name in known}
    wanted = settings.names(option)
    found = [name for name in wanted if name in here]
    if wanted and not found:
        raise ConfigError(f"{shown}: agtmux supports none of {', '.join(wanted[:8])}")
    return found or sorted(here)


# ---------------------------------------------------------------- without ssh


def read_route(place: Destination, config_file: str, environ: Mapping[str, str]) -> Route:
    """Make the route as asyncssh reads the config, without ssh. Blocks. Raises asyncssh.Error, OSError, ValueError."""
    place.words()  # raises for an invalid name
    files = [config_file] if os.access(config_file, os.R_OK) else []
    if config_file == str(Path(DEFAULT_CONFIG).expanduser()) and os.access(_SYSTEM_CONFIG, os.R_OK):
        files.append(_SYSTEM_CONFIG)  # as ssh does, but not with another config file (ssh -F)
    user, _, alias = place.alias.removeprefix("ssh://").rpartition("@")
    name = place.user or user
    options = _strict()
    if name:
        options["username"] = name
    read = asyncssh.SSHClientConnectionOptions(
        host=alias, port=() if place.port is None else place.port, known_hosts=b"#", client_keys=None, config=files,
        ignore_encrypted=True, **{**options, "proxy_command": ()},
    )  # fmt: skip
    known_files = [
        *_listed(read, "UserKnownHostsFile", _USER_HOSTS),
        *_listed(read, "GlobalKnownHostsFile", _SYSTEM_HOSTS),
    ]
    known = host_keys.read_known(known_files)
    names = known_hosts.searched(read.host, read.port, read.host_key_alias)
    agent = read.config.get("IdentityAgent", environ.get("SSH_AUTH_SOCK"))
    wanted = KeyOptions(
        _listed(read, "IdentityFile", client_keys.default_identities(Path(home()))),
        _listed(read, "CertificateFile", ()),
        str(Path(str(agent)).expanduser()) if agent else None, bool(read.config.get("IdentitiesOnly")),
    )  # fmt: skip
    proxy = read.config.get("ProxyCommand") if not isinstance(read.tunnel, str) else None
    return Route(
        alias, read.host, read.port, read.username, read.tunnel if isinstance(read.tunnel, str) else None,
        str(proxy) if proxy else None,
        {**options, "username": read.username, "encryption_algs": _words(read.encryption_algs),
         "mac_algs": _words(read.mac_algs), "kex_algs": _words(read.kex_algs),
         "compression_algs": _words(read.compression_algs)},
        wanted, known_hosts.read(known, names), names, known, known_files[0] if known_files else "no file",
        "agtmux itself: no ssh is installed here", family=read.family,
        bind=read.local_addr[0] if read.local_addr else None,
    )  # fmt: skip


def _words(names: Sequence[bytes]) -> list[str]:
    return [name.decode() for name in names]


def _listed(read: asyncssh.SSHClientConnectionOptions, option: str, otherwise: Sequence[str]) -> list[str]:
    """Return the files that an option names, with ``~`` filled in."""
    found = read.config.get(option)
    names = found if isinstance(found, list) and found else otherwise
    return [str(Path(str(name)).expanduser()) for name in names]


# ---------------------------------------------------------------- what went wrong


def explained(
    error: BaseException,
    route: Route,
    watcher: Watcher,
    dialling: ConnectProgress,
    skipped: Sequence[str] = (),
    message: str = "",
) -> LinkError:
    """Return the error with its step and a remedy. ``skipped``: keys not offered. ``message``: the ProxyCommand's."""
    where = f"{route.host} port {route.port}"
    step = dialling.step if dialling.step != "ready" else "auth"
    if isinstance(error, asyncssh.HostKeyNotVerifiable) or "host key" in str(error).lower():
        return LinkError("host key", "host_key", _host_key_message(str(error), route, watcher))
    if isinstance(error, asyncssh.PermissionDenied):
        why = f"; not offered: {'; '.join(skipped)[:400]}" if skipped else ""
        return LinkError(
            "auth", "auth",
            f"{route.user}@{where} accepts none of your keys: make this command work without a question: "
            f"ssh -o BatchMode=yes {route.alias} true (is the key in the agent that agtmuxd was started with?){why}",
        )  # fmt: skip
    if isinstance(error, asyncssh.ChannelOpenError):
        return LinkError("connect", "refused", f"the jump host does not reach {where}: {error.reason}")
    if message:
        return LinkError("connect", "refused", f"the ProxyCommand of {route.alias} failed: {message}")
    if isinstance(error, asyncssh.ConnectionLost | asyncssh.DisconnectError | ConnectionError):
        return LinkError(step, "lost", f"{where} closed the connection: {error}")
    return LinkError(step, "refused", f"no connection to {where}: {error}")


def _host_key_message(message: str, route: Route, watcher: Watcher) -> str:
    key = watcher.refused
    if key is None:
        return f"the host key of {route.host} is not accepted: {message}"
    shown = f"{key.get_algorithm()} {key.get_fingerprint()}"
    name = route.names[0]
    if any(key.get_algorithm() == other.get_algorithm() for other in route.trust.keys):
        return (
            f"the host key of {name} has CHANGED to {shown}: somebody may be intercepting the connection. If the "
            f"machine was reinstalled, run: ssh-keygen -R '{name}', then: ssh {route.alias}"
        )
    asks = f". {' and '.join(route.stricter)} in the ssh config is ignored" if route.stricter else ""
    return (
        f"the host key of {name} is not known ({shown}): compare it, then accept it once with: ssh {route.alias} "
        f"(searched: {route.known_in}){asks}"
    )
