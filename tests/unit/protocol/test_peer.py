"""Somebody else listens where the daemon was: they are told nothing, and what a hook had to say waits in the spool."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agtmux import hook
from agtmux.cli import spawn
from agtmux.protocol import peer
from agtmux.protocol.errors import AgtmuxError
from agtmux.transport import Exchange
from agtmuxd.remote_hooks import hook_program as far_hook
from agtmuxd.remote_hooks import install_program
from tests.conftest import until
from tests.unit.daemon_stub import Stub

pytestmark = pytest.mark.tc("TC-144")

SECRET = "the plan that nobody else may read"
STRANGER = 65_533

LISTENER = """
import os, socket, sys
path, heard, uid = sys.argv[1], sys.argv[2], int(sys.argv[3])
os.setgid(uid); os.setuid(uid)
sock = socket.socket(socket.AF_UNIX)
sock.bind(path); os.chmod(path, 0o777); sock.listen(8)
print("listens", flush=True)
while True:
    peer, _ = sock.accept()
    peer.settimeout(0.5)
    try:
        data = peer.recv(65536)
    except OSError:
        data = b""
    with open(heard, "ab") as file:
        file.write(b"[" + data + b"]")
    if data:
        peer.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{}")
    peer.close()
"""
"""Takes whatever it is told, as a daemon would, and keeps it."""


class ForeignListener:
    """A folder of another user with a listener of theirs: ``path`` is its socket."""

    def __init__(self, root: Path, uid: int) -> None:
        self.folder = root / "x"
        self.folder.mkdir()
        self.folder.chmod(0o755)
        os.chown(self.folder, uid, uid)
        root.chmod(0o755)
        self.path, self.heard = self.folder / "agtmuxd.sock", self.folder / "heard"
        self.process = subprocess.Popen(
            [sys.executable, "-c", LISTENER, str(self.path), str(self.heard), str(uid)], stdout=subprocess.PIPE, cwd="/"
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"listens\n"

    def told(self) -> bytes:
        """What anybody said there; waits until somebody was there."""
        return until(
            lambda: self.heard.read_bytes() if self.heard.exists() else b"", within=20, what="somebody connects"
        )


@pytest.fixture
def elsewhere(short_dir: Path) -> Iterator[ForeignListener]:
    if os.geteuid() != 0:
        pytest.skip("only root can run a listener of another user")
    made = ForeignListener(short_dir, STRANGER)
    yield made
    made.process.kill()
    made.process.wait()
    if made.process.stdout is not None:
        made.process.stdout.close()


def test_a_hook_tells_a_stranger_nothing_and_spools(elsewhere: ForeignListener, short_dir: Path) -> None:
    state = short_dir / "s"
    state.mkdir(mode=0o700)
    (state / "socket-path").write_text(f"{elsewhere.path}\n")
    env = {
        "PATH": os.environ["PATH"], "HOME": str(short_dir), "AGTMUX_STATE_DIR": str(state),
        "AGTMUX_RUNTIME_DIR": str(short_dir / "nothing"), "AGTMUX_HOOK_CAP_MS": "10000",
    }  # fmt: skip
    payload = json.dumps({"hook_event_name": "UserPromptSubmit", "prompt": SECRET}).encode()
    command = [sys.executable, "-m", "agtmux", "hook", "claude"]
    done = subprocess.run(command, env=env, input=payload, capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert elsewhere.told() == b"[]"
    assert SECRET in (state / "spool.jsonl").read_text()


def test_a_hook_of_a_machine_behind_ssh_tells_a_stranger_nothing_and_spools(
    elsewhere: ForeignListener, short_dir: Path
) -> None:
    state = short_dir / install_program.STATE
    state.mkdir(parents=True, mode=0o700)
    (state / "laptop.supervisor").write_text(f"{elsewhere.path}\n")
    file = Path(install_program.path(str(short_dir)))
    file.parent.mkdir(parents=True)
    file.write_text(install_program.text())
    payload = json.dumps({"hook_event_name": "UserPromptSubmit", "prompt": SECRET}).encode()
    env = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "AGTMUX_HOOK_CAP_MS": "10000"}
    command = [sys.executable, "-IS", str(file), "hook", "claude"]
    done = subprocess.run(command, env=env, input=payload, capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert elsewhere.told() == b"[]"
    assert SECRET in (state / "laptop.spool.jsonl").read_text()


def test_the_command_line_asks_a_stranger_nothing_and_says_who_it_is(elsewhere: ForeignListener) -> None:
    with pytest.raises(AgtmuxError) as caught:
        Exchange(str(elsewhere.path), "POST", "/v1/actions/send", SECRET.encode())
    assert caught.value.code == "E_FORBIDDEN"
    assert f"uid {STRANGER} listens at {elsewhere.path}" in caught.value.message
    assert elsewhere.told() == b"[]"


def test_a_stranger_is_not_taken_for_the_daemon_that_was_started(elsewhere: ForeignListener) -> None:
    assert not spawn._answers(str(elsewhere.path), 0.0)
    assert elsewhere.told() == b"[]"


def test_who_is_not_named_is_a_stranger_too(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a system, or in a namespace, where the kernel does not say whose a process is."""

    def nameless(_sock: socket.socket) -> tuple[int, int | None]:
        raise OSError("not here")

    stub = Stub(short_dir / "d").start()
    stub.answer("POST /v1/events", {"schema_version": "1.0", "results": []})
    until_ns = 2**62
    try:
        assert hook.post(str(stub.socket), b"{}", until_ns)
        monkeypatch.setattr(peer, "credentials", nameless)
        assert not hook.post(str(stub.socket), b"{}", until_ns)
        with pytest.raises(AgtmuxError) as caught:
            Exchange(str(stub.socket), "GET", "/v1/health")
        assert caught.value.code == "E_FORBIDDEN"
    finally:
        stub.stop()


def test_root_may_listen_since_it_reads_everything_anyway(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket handed over by systemd is root's where the unit is."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for uid, expected in ((os.geteuid(), None), (0, None), (os.geteuid() + 1, f"uid {os.geteuid() + 1}")):
            monkeypatch.setattr(peer, "credentials", lambda _sock, uid=uid: (uid, 1))
            assert peer.other_user(ours) == expected


def test_both_hooks_ask_the_same_of_a_listener(short_dir: Path) -> None:
    """The one here and the one placed behind ssh, which runs alone."""
    stub = Stub(short_dir / "d").start()
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(stub.socket))
            assert far_hook.is_ours(sock)
            assert peer.other_user(sock) is None
            assert peer.credentials(sock)[0] == os.geteuid()
    finally:
        stub.stop()
