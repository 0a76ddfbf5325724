"""The worlds in which the guides of docs/how-to are run: one fixture for each page, named in ``WORLDS``.

To add a page, write a fixture that gives a ``World`` here, and name it. A world has what its page takes for granted: a
daemon, agents, a machine behind ssh. What a test cannot have, such as another program of the system, is a small script
in the folder ``bin``, which comes first in PATH (``stand_in``).
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.acceptance.howto import Block, World, add_settings
from tests.acceptance.stage import PATIENCE, Actor, Daemon, Place
from tests.conftest import Tmux, until
from tests.ssh.sshd import Keys, Sshd, program

PROGRAMS = Path(sys.executable).parent

WORLDS = {
    "hooks": "hooks_world",
    "notifications": "notifications_world",
    "phone": "phone_world",
    "scripts": "scripts_world",
    "ssh": "ssh_world",
    "tmux": "tmux_world",
}
"""The fixture of each page, by the page's name."""
NOT_YET: dict[str, str] = {}
"""Pages that are not run, each with its reason."""


def stand_in(place: Place, name: str, script: str) -> None:
    """A program that the page calls and that cannot be had here."""
    path = place.root / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def world_of(place: Place, **names: str) -> World:
    """The world of a place: its home is the folder in which the page is run."""
    return World(place.home, place.env, place.config, names)


@pytest.fixture
def stage(place: Place) -> Place:
    """A place whose programs, and those of its daemon, are the stand-ins first. Nothing is installed by a page."""
    for installer in ("pipx", "brew"):
        stand_in(place, installer, "case $1 in install | uninstall | inject) ;; *) exit 2 ;; esac")
    place.env["PATH"] = f"{place.root / 'bin'}:{PROGRAMS}:{place.env['PATH']}"
    return place


@pytest.fixture
def guide(stage: Place, daemon: Daemon) -> Iterator[Place]:
    """A place with a running daemon; one that a page started in its stead ends too."""
    daemon.start()
    yield stage
    stage.cli("daemon", "stop")


def brief(agent: Actor, daemon: Daemon) -> Actor:
    """An agent whose turns end by themselves."""
    agent.start(session=f"s{agent.tmux.try_run('list-sessions').stdout.count(chr(10))}")
    agent.tell(how=["brief"])
    agent.ready(daemon)
    return agent


@pytest.fixture
def hooks_world(guide: Place, daemon: Daemon, actor: Callable[..., Actor]) -> World:
    """Two agents have settings, one of them runs."""
    for name in (".claude", ".codex", "work/claude"):
        (guide.home / name).mkdir(parents=True)
    brief(actor(), daemon)
    return world_of(guide)


class _Ntfy(BaseHTTPRequestHandler):
    """Takes messages as ntfy's server does."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b'{"id": "x"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def notifications_world(stage: Place, guide: Place, daemon: Daemon, actor: Callable[..., Actor]) -> Iterator[World]:
    """One agent, a desktop that takes notifications, and ntfy's server on this machine."""
    stand_in(stage, "notify-send", 'echo "$@" >> ~/notified')
    (stage.home / ".config" / "agtmux").mkdir(parents=True)
    brief(actor(), daemon)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Ntfy)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    topic = "https://ntfy.sh/agtmux-Xh3kQ9vT2mLw"
    here = f"http://127.0.0.1:{server.server_port}/topic"
    yield world_of(guide, **{f'url = "{topic}"': f'url = "{here}"\nallow_private = true'})
    server.shutdown()
    server.server_close()


@pytest.fixture
def phone_world(stage: Place, guide: Place) -> World:
    """A tailnet and another machine, as far as this machine sees them."""
    stand_in(stage, "tailscale", 'test "$1" = serve')
    stand_in(stage, "ssh", "exec sleep 60")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])

    def scan(_block: Block, output: str) -> None:
        """The phone opens the link, and its page exchanges the code."""
        found = re.search(r"(http://127\.0\.0\.1:\d+)/#k=(\S+)", output)
        if found is not None:
            body = json.dumps({"code": found[2]}).encode()
            request = Request(f"{found[1]}/v1/web/devices", body, {"Content-Type": "application/json"})  # noqa: S310 loopback
            with urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
                assert answer.status < 300

    made = world_of(guide, **{"41337": port})
    made.reader = scan
    return made


@pytest.fixture
def scripts_world(guide: Place, daemon: Daemon, actor: Callable[..., Actor]) -> World:
    """One agent takes prompts, another one asks whether it may run a command, and a third asks something else."""
    worker, asking, other = brief(actor(), daemon), brief(actor(), daemon), brief(actor(), daemon)
    asking.asks(daemon, "rm -rf build")
    until(lambda: daemon.panes(state="waiting_approval"), within=PATIENCE)
    other.asks(daemon, "make deploy")
    return world_of(guide, **{"%12": worker.pane, "%5": other.pane})


@pytest.fixture
def keys(short_dir: Path) -> Keys:
    return Keys(short_dir)


@pytest.fixture
def ssh_world(
    short_dir: Path, keys: Keys, stage: Place, daemon: Daemon, actor: Callable[..., Actor],
    new_tmux: Callable[[], Tmux],
) -> Iterator[World]:  # fmt: skip
    """A real sshd as the machine ``build-box``, with its own home, tmux server and agent."""
    if program() is None:
        pytest.skip("sshd is not installed")
    add_settings(stage.config, f'[ssh]\nconfig_file = "{keys.config}"\n[targets]\nconnect_timeout = 10.0\n')
    daemon.start()
    server = Sshd(keys, "build-box", env={"TMUX_TMPDIR": str(short_dir / "far")}, home=short_dir / "far")
    (short_dir / "far" / ".claude").mkdir(parents=True)
    server.start()
    far = Tmux(short_dir / "far" / "tmux")
    far.env = {**stage.env, "HOME": str(server.home), "TMUX_TMPDIR": str(short_dir / "far")}
    default = short_dir / "far" / f"tmux-{os.getuid()}" / "default"
    default.parent.mkdir(mode=0o700)
    far.socket = default
    try:
        actor(far).start()
        stand_in(stage, "ssh", f'exec /usr/bin/ssh -F {keys.config} "$@"')
        stand_in(stage, "systemctl", 'echo "$@" >> ~/systemctl-calls; test "$2" = import-environment')
        yield world_of(stage)
    finally:
        far.stop()
        server.kill()
        stage.cli("daemon", "stop")


@pytest.fixture
def tmux_world(guide: Place, daemon: Daemon, tmux: Tmux, actor: Callable[..., Actor]) -> World:
    """A shell in the tmux server that is watched."""
    tmux.env = dict(guide.env)
    one = brief(actor(), daemon)
    made = world_of(guide)
    made.tmux = tmux
    made.env = {
        **made.env,
        "TMUX": f"{tmux.socket},{tmux.run('display-message', '-p', '#{pid}')},0",
        "TMUX_PANE": one.pane,
    }
    return made
