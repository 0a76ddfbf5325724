"""Targets behind ssh: how soon their changes are told, and whether one that is frozen holds up the others."""

from __future__ import annotations

import time

from tests.ssh.sshd import Keys, Sshd

from bench.latency import TOLD, _is, _play
from bench.measure import Figure, median, p95, rss_mib
from bench.stage import Terminal, idle
from bench.watchers import Ear
from bench.world import World, wait_for


def frozen(quick: bool) -> list[Figure]:
    """60 panes on this machine and two behind sshd, 10 screens a second change; then one sshd is stopped."""
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
    ear = Ear(world.socket)
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


def _lags(ear: Ear, terminals: dict[str, Terminal], shows: dict[str, str], seconds: int) -> list[tuple[str, float]]:
    """Change ten panes a second: (pane, ms until a watcher was told) of each change."""
    changes = _play(terminals, shows, seconds)
    time.sleep(3)
    out = []
    for at, name, shown in changes:
        wanted = TOLD[shown if shown != "busy" else "running"]
        heard = ear.first(lambda item, n=name, w=wanted: _is(item, n, w), at, 0)  # type: ignore[misc]
        out.append((name, (heard - at) * 1000 if heard is not None else 5000.0))
    return out
