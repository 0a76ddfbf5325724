"""Targets behind ssh: how soon their changes are told, and whether one that is frozen holds up the others."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from tests.ssh.sshd import Keys, Sshd

from agtmuxd.remote_hooks import install_program
from bench.commands import prompted
from bench.latency import TOLD, _is, _play
from bench.measure import Figure, median, p95, rss_mib
from bench.stage import Terminal, idle
from bench.watchers import TimedWatcher
from bench.world import World, wait_for

FAR_HOOK = 150
"""ms: what a hook here may take, and as much again for the way."""


def frozen(quick: bool) -> list[Figure]:
    """TC-044: 60 panes on this machine and two behind sshd, 10 screens a second change; then one sshd is stopped."""
    with World() as world:
        folder = world.root / "ssh"
        folder.mkdir()
        keys = Keys(folder)
        machines = [Sshd(keys, name) for name in ("vm1", "vm2")]
        try:
            for machine in machines:
                machine.start()
            return _measured(world, keys, machines, 10 if quick else 40)
        finally:
            for machine in machines:
                machine.kill()


def hook(quick: bool) -> list[Figure]:
    """A hook of an agent behind sshd, run as there, and when a watcher here is told."""
    times = 20 if quick else 100
    with World() as world:
        folder = world.root / "ssh"
        folder.mkdir()
        keys = Keys(folder)
        machine = Sshd(keys, "vm1")
        try:
            (machine.root / "run").mkdir(mode=0o700)
            machine.force = machine.force.replace("SHLVL", f"SHLVL XDG_RUNTIME_DIR={machine.root / 'run'}", 1)
            machine.start()
            return _hooked(world, keys, machine, times)
        finally:
            machine.kill()


def _hooked(world: World, keys: Keys, machine: Sshd, times: int) -> list[Figure]:
    placed = Path(install_program.path(str(machine.home)))
    placed.parent.mkdir(parents=True)
    placed.write_text(install_program.text())
    world.agents(world.server(), 1)
    world.start(f'[ssh]\nconfig_file = "{keys.config}"\n')
    far = world.server()
    agent = world.hooking_agent(far)
    world.post(
        "/v1/targets", {"name": "vm1", "kind": "ssh", "ssh_target": "vm1", "tmux_socket": str(far.socket)}
    )  # fmt: skip
    world.await_agents(2, known=False)
    state = machine.home / install_program.STATE
    wait_for(lambda: any(p.read_text().strip() for p in state.glob("*.supervisor")), 30, "a socket over there")
    ear = TimedWatcher(world.socket)
    command = f"HOME={machine.home} {sys.executable} -IS {placed} hook claude"
    whole, listed = [], []
    for i in range(times + 3):
        mark = f"prompt {i} {os.urandom(4).hex()}"
        began, ended = agent.hook(command, prompted(mark, 12_000 if i % 2 else 200))
        heard = ear.first(lambda item, mark=mark: item.get("task") == mark, began, 5)  # type: ignore[misc]
        if i >= 3:
            whole.append((ended - began) * 1000)
            listed.append((heard - began) * 1000 if heard is not None else 5000.0)
        time.sleep(0.05)
    return [
        Figure("far-hook", "hook behind sshd, whole process, p95", p95(whole), "ms"),
        Figure("far-hook", "... median", median(whole), "ms"),
        Figure("far-hook", "hook start behind sshd -> line at a watcher here, p95", p95(listed), "ms", FAR_HOOK),
        Figure("far-hook", "... median", median(listed), "ms"),
        Figure("far-hook", "... fastest", min(listed), "ms"),
    ]


def _measured(world: World, keys: Keys, machines: list[Sshd], seconds: int) -> list[Figure]:
    terminals = {f"host/{pane}": Terminal(tty) for pane, _, tty in world.agents(world.server(), 20, None)}
    pid = world.start(f'[ssh]\nconfig_file = "{keys.config}"\n')
    for machine in machines:
        server = world.server()
        made = world.agents(server, 20, None)
        terminals |= {f"{machine.alias}/{pane}": Terminal(tty) for pane, _, tty in made}
        world.post(
            "/v1/targets",
            {"name": machine.alias, "kind": "ssh", "ssh_target": machine.alias, "tmux_socket": str(server.socket)},
        )
    for terminal in terminals.values():
        terminal.show(idle().frames[0])
    world.await_agents(60)
    ear = TimedWatcher(world.socket)
    others = {name: terminal for name, terminal in terminals.items() if not name.startswith("vm1/")}
    shows = dict.fromkeys(others, "idle")
    whole = _lags(ear, others, shows, seconds)
    far = [ms for name, ms in whole if not name.startswith("host/")]
    here = [ms for name, ms in whole if name.startswith("host/")]
    trips = {item["target"]: item["rtt_ms"] for item in world.get("/v1/targets")["items"]}
    machines[0].freeze()
    held = _lags(ear, others, shows, seconds)
    local = [ms for name, ms in held if name.startswith("host/")]
    level = {item["target"]: item["health"] for item in world.get("/v1/targets")["items"]}
    if level["host"] != "ok" or level["vm2"] != "ok" or level["vm1"] == "ok":
        raise RuntimeError(f"the targets are not as they should be: {level}")
    machines[0].thaw()
    began = time.perf_counter()
    wait_for(lambda: {i["target"]: i["health"] for i in world.get("/v1/targets")["items"]}["vm1"] == "ok", 60, "vm1")
    back = time.perf_counter() - began
    return [
        Figure("frozen", "round over ssh (20 panes), as the target's RTT", float(trips["vm2"]), "ms"),
        Figure("frozen", "round of this machine (20 panes)", float(trips["host"]), "ms"),
        Figure("frozen", "screen behind ssh -> line, median", median(far), "ms"),
        Figure("frozen", "... p95", p95(far), "ms", 1000),
        Figure("frozen", "screen here -> line, all targets well, median", median(here), "ms"),
        Figure("frozen", "... p95", p95(here), "ms"),
        Figure("frozen", "screen here -> line, one sshd frozen, median", median(local), "ms"),
        Figure("frozen", "... p95", p95(local), "ms"),
        Figure("frozen", "... as a ratio to all well, median", median(local) / median(here), "x", 1.5),
        Figure("frozen", "frozen one is ok again after its thaw", back, "s", 40),
        Figure("frozen", "memory of the daemon with ssh", rss_mib(pid), "MiB"),
    ]


def _lags(
    ear: TimedWatcher, terminals: dict[str, Terminal], shows: dict[str, str], seconds: int
) -> list[tuple[str, float]]:
    """Change ten panes a second: (pane, ms until a watcher was told) of each change."""
    changes = _play(terminals, shows, seconds)
    time.sleep(3)
    out = []
    for at, name, shown in changes:
        wanted = TOLD[shown]
        heard = ear.first(lambda item, n=name, w=wanted: _is(item, n, w), at, 0)  # type: ignore[misc]
        out.append((name, (heard - at) * 1000 if heard is not None else 5000.0))
    return out
