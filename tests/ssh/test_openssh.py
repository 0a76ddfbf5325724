"""An ssh config means to agtmux what it means to OpenSSH: both go each way; the servers' logs tell where they came."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agtmuxd.targets.executor import ExecutorError
from agtmuxd.targets.ssh.executor import SshExecutor
from tests.conftest import until
from tests.ssh.sshd import USER, Keys, Sshd
from tests.ssh.ways import ALL, IN, OUT, Way

PATIENCE = 30.0
ACCEPTED = re.compile(r"Accepted publickey for (?P<user>.*) from \S+ port \d+ ssh2: .*?(?P<key>SHA256:\S+)")
NOBODY = re.compile(r"Invalid user (?P<user>.*) from \S+ port \d+")


@dataclass(frozen=True)
class LoginRecord:
    """What the servers saw of one go: whether it came in, which server, as whom, with which key."""

    came: str
    where: frozenset[tuple[str, str, str]]


class Stage:
    """Two servers and a jump host, keys of many kinds, an agent. Made once for the whole table."""

    def __init__(self, root: Path) -> None:
        self.root = root
        keys = Keys(root)
        self.fingerprints: dict[str, str] = {}
        for name in ("id2", "held", "signed", "agent-signed", "locked", "open", "other"):
            self.keygen("-t", "ed25519", "-N", "secret" if name == "locked" else "", "-f", str(root / name))
        self.keygen("-t", "rsa", "-b", "2048", "-N", "", "-f", str(root / "rsa"))
        self.keygen("-t", "ed25519", "-N", "", "-f", str(root / "ca"))
        (root / "open").chmod(0o644)
        self._certify()
        self.servers = {"one": self._server(keys, "one"), "gate": self._server(keys, "gate")}
        self.servers["two"] = self._certified(keys)
        self._accept()
        self._krls()
        self.agent = self._agent()
        self.jump = root / "jump_config"
        self.jump.write_text("Host gate\n" + self.gate())

    def keygen(self, *words: str) -> None:
        subprocess.run(["ssh-keygen", "-q", "-C", "test", *words], check=True, stdin=subprocess.DEVNULL)

    def _certify(self) -> None:
        """User certificates that lie elsewhere than beside their keys."""
        for name, file in (("signed", "signed-elsewhere.pub"), ("agent-signed", "agent-cert.pub")):
            self.keygen("-s", str(self.root / "ca"), "-I", name, "-n", USER, str(self.root / f"{name}.pub"))
            (self.root / f"{name}-cert.pub").rename(self.root / file)

    def _server(self, keys: Keys, alias: str, more: tuple[str, ...] = ()) -> Sshd:
        lines = [f"TrustedUserCAKeys {self.root}/ca.pub", *more]
        if has_ipv6():
            lines.append("ListenAddress ::1")
        return Sshd(keys, alias, more=lines)

    def _certified(self, keys: Keys) -> Sshd:
        server = self._server(keys, "two")
        # of the name 127.0.0.1, so not of any alias
        public = f"{server.host_key}.pub"
        self.keygen("-s", str(self.root / "ca"), "-I", "two", "-h", "-n", "127.0.0.1", public)
        server.more.append(f"HostCertificate {server.host_key}-cert.pub")
        return server

    def _accept(self) -> None:
        accepted = [(self.root / f"{name}.pub").read_text() for name in ("id", "id2", "held", "open", "locked", "rsa")]
        for server in self.servers.values():
            server.authorized.write_text("".join(accepted))
            server.start()
        for public in self.root.glob("*.pub"):
            if "cert" in public.read_text():
                continue
            done = subprocess.run(["ssh-keygen", "-l", "-f", str(public)], capture_output=True, text=True, check=True)
            self.fingerprints[public.stem] = done.stdout.split()[1]

    def _krls(self) -> None:
        for name, key in (("krl", f"{self.servers['one'].host_key}.pub"), ("krl-others", f"{self.root}/other.pub")):
            self.keygen("-k", "-f", str(self.root / name), key)

    def _agent(self) -> subprocess.Popen[bytes]:
        socket_path = self.root / "agent"
        process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket_path)], stdout=subprocess.DEVNULL)
        until(socket_path.exists, what="the agent listens")
        env = {**os.environ, "SSH_AUTH_SOCK": str(socket_path)}
        for name in ("held", "agent-signed"):
            subprocess.run(["ssh-add", "-q", str(self.root / name)], env=env, check=True, capture_output=True)
        # the same key, locked, without its public half beside it
        shutil.copy(self.root / "held", self.root / "held-locked")
        self.keygen("-p", "-P", "", "-N", "secret", "-f", str(self.root / "held-locked"))
        for name in ("held", "agent-signed"):
            (self.root / name).unlink()
        return process

    def gate(self) -> str:
        return (
            f"  HostName 127.0.0.1\n  Port {self.servers['gate'].port}\n  IdentityFile {self.root}/id\n"
            f"  UserKnownHostsFile {self.root}/known_gate\n  IdentityAgent none\n"
        )

    def words(self, way: Way) -> dict[str, str]:
        server = self.servers[way.server]
        host_key = server.public_key
        hashed = self.root / "hashed"
        hashed.write_text(f"[127.0.0.1]:{server.port} {host_key}\n")
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(hashed)], check=True, capture_output=True)
        return {
            "root": str(self.root), "port": str(server.port), "user": USER, "host_key": host_key,
            "other_key": self.public("other"), "rsa_key": self.public("rsa"), "ca_key": self.public("ca"),
            "hashed": hashed.read_text(), "jump_config": str(self.jump), "gate_lines": self.gate(),
            "gate": "Host gate\n" + self.gate(), "gate_port": str(self.servers["gate"].port),
            "free": str(free_port()), "free2": str(free_port()),
        }  # fmt: skip

    def public(self, name: str) -> str:
        return " ".join((self.root / f"{name}.pub").read_text().split()[:2])

    def write(self, way: Way) -> Path:
        """The files of one way. The config ends with where its known hosts are and, unless it says so, no agent."""
        words = self.words(way)
        for name, text in way.files.items():
            path = self.root / name.removeprefix("!").format(**words)
            copied = re.fullmatch(r"\{=(.*)\}", text)
            path.write_text((self.root / copied[1]).read_text() if copied else text.format(**words))
            path.chmod(0o700 if name.startswith("!") else 0o600)
        gate = f"[127.0.0.1]:{words['gate_port']} {self.servers['gate'].public_key}\n"
        (self.root / "known_gate").write_text(gate)
        known = way.known.format(**words) + "\n"
        (self.root / "known").write_text(known + (gate if "spelled_out" in way.name else ""))
        config = self.root / "config"
        end = f"\nHost *\n  UserKnownHostsFile {self.root}/known\n  GlobalKnownHostsFile none\n  IdentityAgent none\n"
        config.write_bytes((way.config.format(**words) + end).encode())
        return config

    def marks(self) -> dict[str, int]:
        return {name: server.log.stat().st_size for name, server in self.servers.items()}

    def seen(self, came: bool, marks: dict[str, int]) -> LoginRecord:
        """What the servers logged since; the jump host is on the way and not the aim."""
        names = {print_: name for name, print_ in self.fingerprints.items()}
        where: set[tuple[str, str, str]] = set()
        for name, server in self.servers.items():
            text = server.log.read_bytes()[marks[name] :].decode("utf-8", "replace")
            if name == "gate":
                continue
            for found in ACCEPTED.finditer(text):
                where.add((name, found["user"], names.get(found["key"], str(found["key"]))))
            for found in NOBODY.finditer(text):
                where.add((name, found["user"], "unknown user"))
        return LoginRecord(IN if came else OUT, frozenset(where))

    def close(self) -> None:
        self.agent.terminate()
        self.agent.wait(PATIENCE)
        for server in self.servers.values():
            server.kill()


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture(scope="module")
def stage(an_sshd: None) -> Iterator[Stage]:
    root = Path(subprocess.run(["mktemp", "-d", "/tmp/agt-ssh-XXXXXX"], capture_output=True, text=True).stdout.strip())
    made = Stage(root)
    yield made
    made.close()
    shutil.rmtree(root)


def ssh_goes(config: Path, alias: str, words: tuple[str, ...]) -> bool:
    done = subprocess.run(
        ["ssh", "-F", str(config), "-o", "BatchMode=yes", *words, alias, "echo here"],
        capture_output=True, timeout=PATIENCE, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    return b"here" in done.stdout


async def gone_by_both(stage: Stage, way: Way) -> tuple[LoginRecord, LoginRecord, str]:
    """What the servers saw of ssh, what of agtmux, and what ``target connect`` says."""
    config = stage.write(way)
    alias = way.alias.format(**stage.words(way))
    marks = stage.marks()
    by_ssh = stage.seen(ssh_goes(config, alias, way.words), marks)
    stage.write(way)  # ssh may have added what it accepted
    marks = stage.marks()
    executor = SshExecutor(alias, config_file=str(config), connect_timeout=20.0, command_timeout=20.0)
    try:
        steps = await executor.dial_steps()
        came = all(step["ok"] for step in steps)
        if came and way.name == "plain":
            assert (await executor.run(["echo", "here"], timeout=PATIENCE)).stdout == b"here\n"
    finally:
        await executor.close()
    message = " | ".join(f"{step['step']}: {step['message']}" for step in steps)
    return by_ssh, stage.seen(came, marks), message


@pytest.mark.tc("TC-160")
@pytest.mark.parametrize("way", ALL, ids=[way.name for way in ALL])
async def test_a_config_leads_where_ssh_goes(stage: Stage, way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """A config leads agtmux to the same server, as the same user, with the same key, or is refused by both."""
    if way.name == "ipv6" and not has_ipv6():
        pytest.skip("no IPv6 loopback here")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    words = stage.words(way)
    for name, value in way.environ.items():
        monkeypatch.setenv(name, value.format(**words))
    by_ssh, by_us, result = await gone_by_both(stage, way)
    user = way.user or USER
    if way.as_ssh == IN:
        assert by_ssh == LoginRecord(IN, frozenset({(way.server, user, way.key)})), "the table is wrong about ssh"
    else:
        assert by_ssh.came == OUT, "the table is wrong about ssh"
    if way.but:
        assert by_us == LoginRecord(OUT, frozenset()), result
    else:
        assert by_us == by_ssh, result
    assert re.search(way.says, result), result


def no_ssh(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on there is no ssh on PATH."""
    (folder / "bin").mkdir()
    monkeypatch.setenv("PATH", str(folder / "bin"))


@pytest.mark.tc("TC-161")
async def test_where_no_ssh_is_installed_the_config_is_read_here_and_this_is_told(
    new_sshd: Callable[..., Sshd], reach: Callable[..., SshExecutor], short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_sshd("vm1")
    no_ssh(short_dir, monkeypatch)
    executor = reach("vm1")
    steps = await executor.dial_steps()
    assert [(s["step"], s["ok"]) for s in steps] == [(n, True) for n in ("resolve", "connect", "host key", "auth")]
    assert "no ssh is installed here" in steps[0]["message"]
    assert (await executor.run(["echo", "here"], timeout=PATIENCE)).stdout == b"here\n"


@pytest.mark.tc("TC-161")
async def test_without_ssh_an_unknown_host_key_is_refused_all_the_same(
    new_sshd: Callable[..., Sshd],
    reach: Callable[..., SshExecutor],
    keys: Keys,
    short_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = new_sshd("vm1")
    keys.forget(server.port)
    no_ssh(short_dir, monkeypatch)
    with pytest.raises(ExecutorError, match="not known") as caught:
        await reach("vm1").run(["true"], timeout=PATIENCE)
    assert caught.value.reason == "host_key"


@pytest.mark.tc("TC-160")
async def test_the_step_resolve_shows_where_to_and_as_whom_and_what_to_type_to_see_the_rest(
    new_sshd: Callable[..., Sshd], reach: Callable[..., SshExecutor], keys: Keys
) -> None:
    server = new_sshd("vm1")
    steps = await reach("vm1").dial_steps()
    shown = f"127.0.0.1 port {server.port}, user {USER} (ssh -G -F {keys.config} vm1)"
    assert steps[0]["message"] == shown


@pytest.mark.tc("TC-161")
@pytest.mark.parametrize("alias", ["-oProxyCommand=touch {mark}", "", " ", "a\nb", "-v", "\x1b[2J"])
async def test_what_ssh_would_take_for_an_option_is_no_host(
    reach: Callable[..., SshExecutor], short_dir: Path, alias: str
) -> None:
    mark = short_dir / "ran"
    with pytest.raises(ExecutorError, match=r"not a |empty") as caught:
        await reach(alias.format(mark=mark)).run(["true"], timeout=PATIENCE)
    assert caught.value.reason == "refused"
    assert not mark.exists()


@pytest.mark.tc("TC-161")
async def test_a_jump_host_that_ssh_would_take_for_an_option_is_no_host(
    reach: Callable[..., SshExecutor], keys: Keys, short_dir: Path
) -> None:
    keys.config.write_text(f"Host pc\n  ProxyJump -oProxyCommand=touch${{IFS}}{short_dir}/ran\n")
    with pytest.raises(ExecutorError):
        await reach("pc").run(["true"], timeout=PATIENCE)
    assert not (short_dir / "ran").exists()


@pytest.mark.tc("TC-161")
async def test_a_match_exec_that_waits_ends_with_the_time_and_is_told(
    reach: Callable[..., SshExecutor], keys: Keys, short_dir: Path
) -> None:
    mark = short_dir / "pid"
    keys.config.write_text(f'Match exec "echo $$ >{mark}; exec sleep 1000"\n  Port 1\n')
    steps = await reach("pc", connect_timeout=2.0).dial_steps()
    assert (steps[-1]["step"], steps[-1]["ok"]) == ("resolve", False)
    assert "Match exec" in steps[-1]["message"]
    pid = int(mark.read_text())
    await asyncio.to_thread(
        until, lambda: not Path(f"/proc/{pid}/cmdline").exists() or not cmdline(pid), what="it ends"
    )


def cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.tc("TC-160")
async def test_the_config_is_asked_anew_for_each_connection(
    new_sshd: Callable[..., Sshd], reach: Callable[..., SshExecutor], keys: Keys, short_dir: Path
) -> None:
    new_sshd("vm1")
    gate = short_dir / "moved"
    keys.config.write_text(f'Match host vm1 exec "test -e {gate}"\n  Port 1\n' + keys.config.read_text())
    executor = reach("vm1")
    assert all(step["ok"] for step in await executor.dial_steps())
    gate.touch()
    steps = await executor.dial_steps()
    assert "port 1" in steps[-1]["message"], "what Match exec says now"


@pytest.mark.tc("TC-160")
async def test_a_proxy_jump_that_comes_back_to_itself_ends(reach: Callable[..., SshExecutor], keys: Keys) -> None:
    keys.config.write_text("Host pc\n  HostName 127.0.0.1\n  ProxyJump gate\nHost gate\n  ProxyJump pc\n")
    with pytest.raises(ExecutorError, match="look for a loop in ProxyJump"):
        await reach("pc").run(["true"], timeout=PATIENCE)
