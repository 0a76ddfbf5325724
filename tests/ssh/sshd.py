"""A real OpenSSH server on loopback: its own keys, configuration and port, and an ssh config that leads to it.

Owns the process and all that it forked. Runs as whoever runs the tests; nothing of that user's ssh is read or written.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from agtmuxd.targets.local import process_table
from tests.conftest import until
from tests.ssh.accounts import NAME, Account
from tests.ssh.wire import Wire

USER = (
    os.environ.get("USER") or subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
)


def program() -> str | None:
    """Where sshd is; it wants to be called by its whole path."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class Keys:
    """The user's key, the ssh config and known_hosts of one test; servers add themselves."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = root / "ssh_config"
        self.known_hosts = root / "known_hosts"
        self.key = _keygen(root / "id")
        self.config.write_text("")
        self.known_hosts.write_text("")

    def host(self, alias: str, port: int, *more: str, address: str = "127.0.0.1", user: str = USER) -> None:
        """Add (another) way to a port to the config; of two for one alias the first counts."""
        lines = [
            f"Host {alias}", f"HostName {address}", f"Port {port}", f"User {user}", f"IdentityFile {self.key}",
            "IdentitiesOnly yes", "IdentityAgent none", f"UserKnownHostsFile {self.known_hosts}", *more,
        ]  # fmt: skip
        with self.config.open("a") as file:
            file.write("\n  ".join(lines) + "\n")

    def know(self, port: int, public_key: str, *, address: str = "127.0.0.1") -> None:
        with self.known_hosts.open("a") as file:
            file.write(f"[{address}]:{port} {public_key}\n")

    def forget(self, port: int) -> None:
        kept = [line for line in self.known_hosts.read_text().splitlines() if f":{port} " not in line]
        self.known_hosts.write_text("".join(line + "\n" for line in kept))


_SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _tmux_first() -> dict[str, str]:
    """A PATH with the tmux that the tests run on, where that is none of the system's (``make tmux-matrix``)."""
    folder = str(Path(shutil.which("tmux") or "/usr/bin/tmux").parent)
    return {} if folder in _SYSTEM.split(":") else {"PATH": f"{folder}:{_SYSTEM}"}


class Sshd:
    """One server. ``home``: HOME of what it runs; ``shell``: the login shell that reads what a client wants to run.

    ``wire``: what leads to it, if not loopback. ``env``: set for all that it runs. ``account``: whose home and login
    shell it is, as its user database has it; then nothing is forced. ``more``: lines of its configuration.
    """

    def __init__(
        self, keys: Keys, alias: str, *, shell: str = "/bin/sh", max_sessions: int = 10, wire: Wire | None = None,
        env: Mapping[str, str] | None = None, home: Path | None = None, account: Account | None = None,
        more: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.keys = keys
        self.alias = alias
        self.root = keys.root / f"d-{alias}"
        self.home = account.home if account is not None else home or self.root / "home"
        for folder in (self.root, self.home):
            folder.mkdir(parents=True, exist_ok=True)
        self.log = self.root / "log"
        self.port = _free_port()
        public = keys.key.with_suffix(".pub").read_text()
        if account is None:
            self.authorized = self.root / "authorized_keys"
            self.authorized.write_text(public)
        else:
            self.authorized = account.write(".ssh/authorized_keys", public)
        self.host_key = _keygen(self.root / "host_key")
        self.max_sessions = max_sessions
        self.address = "127.0.0.1" if wire is None else wire.address
        self.within = [*(wire.within if wire is not None else []), *(account.within if account is not None else [])]
        # of an account only what PAM would add: without it fish finds nothing in a home whose name is not ASCII
        self.env = {
            **_tmux_first(),
            **({"LANG": "C.UTF-8"} if account is not None else {"HOME": str(self.home)}),
            **(env or {}),
        }
        self.passwords = False
        self.more = list(more)
        # As sshd calls a login shell: by -c, with the client's words in one argument, and as the outermost shell.
        self.force = f'env -u SHLVL HOME={self.home} SHELL={shell} {shell} -c "$SSH_ORIGINAL_COMMAND"'
        if account is not None:
            self.force = ""
        self._process: subprocess.Popen[bytes] | None = None
        keys.host(alias, self.port, address=self.address, user=USER if account is None else NAME)
        keys.know(self.port, self.public_key, address=self.address)

    @property
    def public_key(self) -> str:
        return " ".join(self.host_key.with_suffix(".pub").read_text().split()[:2])

    def start(self) -> Sshd:
        """Start and wait until it listens."""
        config = self.root / "sshd_config"
        lines = (
            f"Port {self.port}", f"ListenAddress {self.address}", f"HostKey {self.host_key}", "PidFile none",
            "UsePAM no",
            f'AuthorizedKeysFile "{self.authorized}"', "StrictModes no", "LogLevel VERBOSE",
            f"PasswordAuthentication {'yes' if self.passwords else 'no'}", "KbdInteractiveAuthentication no",
            "PermitRootLogin yes", "PrintMotd no", "UseDNS no",
            f"MaxSessions {self.max_sessions}", "MaxStartups 100",
            # the rc files of whoever runs the tests are not for them to run
            *(["SetEnv " + " ".join(f'"{name}={value}"' for name, value in self.env.items())] if self.env else []),
            *([f"ForceCommand {self.force}"] if self.force else []), *self.more,
        )  # fmt: skip
        config.write_text("\n".join(lines) + "\n")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.within, str(program()), "-D", "-e", "-f", str(config)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        until(lambda: self._listens() or self._process is None, what=f"sshd listens: {self.log.read_text()}")
        return self

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        with socket.socket() as sock:
            return sock.connect_ex((self.address, self.port)) == 0

    def tree(self) -> list[int]:
        """The server and all that descends from it, parents first; not what went its own way (a tmux server)."""
        assert self._process is not None
        children: dict[int, list[int]] = {}
        for proc in process_table.read_table():
            children.setdefault(proc.ppid, []).append(proc.pid)
        found = [self._process.pid]
        for pid in found:
            found += children.get(pid, [])
        return found

    def sessions(self) -> list[int]:
        """The processes of its connections, without the server itself."""
        return self.tree()[1:]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server and all that it forked."""
        for pid in self.tree():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def hang_up(self) -> None:
        """Drop the connections; the server goes on."""
        for pid in self.sessions():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill(self) -> None:
        """As by ``kill -9`` of all of it. Idempotent."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self.signal(signal.SIGKILL)
        self._process.wait(20)
        self._process = None

    def renew_host_key(self) -> None:
        """Another host key from the next start on."""
        self.host_key = _keygen(self.root / f"host_key{len(list(self.root.glob('host_key*')))}")


def _keygen(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)], check=True)
    return path


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
