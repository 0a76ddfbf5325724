"""CPU and memory of a daemon that watches: sixty agents, quiet and all at work; a thousand panes."""

from __future__ import annotations

import os
import time

from agtmuxd.tmux.round import build
from bench.asker import ask
from bench.measure import Figure, Span, cpu_s, median, p95, rss_mib
from bench.stage import Film, Stage, Terminal, idle, resting_copilot, running
from bench.world import Server, World

SETTLE_S = 14.0
"""Beyond ``observe.active_for``: what the start changed keeps a target active so long."""


def quiet(quick: bool) -> list[Figure]:
    """Case 5a: 60 agents that wait for a prompt."""
    with World() as world:
        pid, terminals = _sixty(world, "idle")
        time.sleep(SETTLE_S)
        figures = _measured(world, pid, "quiet", "60 quiet agents", 0.5, 20 if quick else 60)
        figures.append(Figure("quiet", "daemon RSS, 60 quiet agents", rss_mib(pid), "MiB", 80))
        figures += _bare_round(world.servers[0], len(terminals))
        return figures


def quiet_copilot(quick: bool) -> list[Figure]:
    """The same of agents whose session is known by the files that their processes hold open."""
    with World() as world:
        pid, _ = _shown(world, world.copilots(world.server(), 60), resting_copilot())
        time.sleep(SETTLE_S)
        return _measured(world, pid, "quiet-copilot", "60 quiet Copilot agents", 0.5, 20 if quick else 60)


def start(quick: bool) -> list[Figure]:
    """A daemon started before 60 agents, with nothing known of them: when all are listed with their states."""
    walls, cpus = [], []
    for _ in range(3 if quick else 7):
        with World() as world:
            for _, _, tty in world.agents(world.server(), 60):
                Terminal(tty).show(idle().frames[0])
            began = time.perf_counter()
            pid = world.start()
            answers = time.perf_counter()
            world.await_agents(60)
            walls.append((time.perf_counter() - began, answers - began))
            cpus.append(cpu_s(pid))
    return [
        Figure("start", "daemon started -> 60 agents with their states, median", median([w for w, _ in walls]), "s"),
        Figure("start", "... until it answers, median", median([a for _, a in walls]), "s"),
        Figure("start", "... CPU of the daemon and its children, median", median(cpus), "s"),
    ]


def changing(quick: bool) -> list[Figure]:
    """Case 5b: 60 agents in a turn, each screen drawn anew five times a second."""
    with World() as world:
        pid, terminals = _sixty(world, "busy")
        with Stage(terminals, running()):
            time.sleep(4)
            figures = _measured(world, pid, "changing", "60 changing agents", 5.0, 20 if quick else 60)
        figures.append(Figure("changing", "daemon RSS, 60 changing agents", rss_mib(pid), "MiB", 80))
        return figures


def _sixty(world: World, status: str) -> tuple[int, list[Terminal]]:
    return _shown(world, world.agents(world.server(), 60, status), idle() if status == "idle" else running())


def _shown(world: World, panes: list[tuple[str, int, str]], reel: Film) -> tuple[int, list[Terminal]]:
    """A daemon that knows these agents, each of which shows the first frame; its pid, and their terminals."""
    terminals = [Terminal(tty) for _, _, tty in panes]
    for terminal in terminals:
        terminal.show(reel.frames[0])
    pid = world.start()
    world.await_agents(len(panes))
    return pid, terminals


def _measured(world: World, pid: int, case: str, what: str, budget: float, seconds: float) -> list[Figure]:
    servers = [server.pid for server in world.servers]
    before = _counters(world)
    span = Span(pid, servers)
    time.sleep(seconds)
    daemon, tmux, machine = span.percent()
    after = _counters(world)
    rounds = after["rounds"] - before["rounds"]
    note = f"{rounds / seconds:.2f} rounds/s, {after['tables'] - before['tables']} process tables"
    return [
        Figure(case, f"daemon and children, {what}, {seconds:g} s", daemon, "%", budget, note=note),
        Figure(case, "... per round", daemon * seconds * 10 / max(1, rounds), "ms"),
        Figure(case, "... tmux server beside it", tmux, "%"),
        Figure(case, "... whole machine meanwhile", machine, "%", note="of 100 % per core"),
    ]


def _counters(world: World) -> dict[str, int]:
    result = world.get("/v1/health")["counters"]
    return {
        "rounds": sum(n for name, n in result.items() if name.startswith("rounds_")),
        "tables": sum(n for name, n in result.items() if name.startswith("process_tables_")),
    }


def _bare_round(server: Server, captures: int) -> list[Figure]:
    """What tmux alone takes for such a round: the client's CPU is part of the daemon's figure, the server's is not."""
    panes = [pane for pane, _, _ in server.panes[:captures]]
    text = build(os.urandom(6).hex(), panes).decode()
    times, began = 40, os.times()
    start = cpu_s(server.pid, children=False)
    walls = []
    for _ in range(times):
        at = time.perf_counter()
        server.source(text)
        walls.append((time.perf_counter() - at) * 1000)
    used = os.times()
    client = (used.children_user + used.children_system - began.children_user - began.children_system) / times
    return [
        Figure("quiet", f"one bare source-file round, {captures} captures, wall median", median(walls), "ms"),
        Figure("quiet", "... CPU of the client", client * 1000, "ms"),
        Figure("quiet", "... CPU of the server", (cpu_s(server.pid, children=False) - start) / times * 1000, "ms"),
    ]


def thousand(quick: bool) -> list[Figure]:
    """Case 6: 1 000 panes on one server, 100 of them agents at work."""
    with World() as world:
        server = world.server()
        agents = world.agents(server, 100, "busy")
        server.fill("sleep 86400", 900, "p")
        terminals = [Terminal(tty) for _, _, tty in agents]
        for terminal in terminals:
            terminal.show(running().frames[0])
        pid = world.start()
        world.await_agents(100)
        with Stage(terminals, running()):
            time.sleep(4)
            figures = _measured(world, pid, "thousand", "1 000 panes, 100 changing agents", 20.0, 15 if quick else 40)
            for name, target in (("100 agents", "/v1/panes"), ("all panes", "/v1/panes?all=true")):
                times = ask(world.socket, target, 30 if quick else 100)
                figures.append(Figure("thousand", f"GET {target}, {name}, p95", p95(times), "ms", 60))
                figures.append(Figure("thousand", "... median", median(times), "ms"))
                figures.append(Figure("thousand", "... fastest", min(times), "ms"))
        figures.append(Figure("thousand", "daemon RSS", rss_mib(pid), "MiB", 80))
        return figures
