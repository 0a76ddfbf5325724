"""How soon watchers are told: a hundred of them of one change, and one of a screen that changed without an event."""

from __future__ import annotations

import json
import os
import random
import time

from bench.measure import Figure, median, p95
from bench.stage import Film, Terminal, approval, done, idle, interrupted, running
from bench.watchers import Crowd, Poster, TimedWatcher
from bench.world import World

TOLD = {"done": "completed", "running": "running", "approval": "waiting_approval", "busy": "running"}
NEXT = {"idle": "running", "running": "approval", "approval": "busy", "busy": "done", "done": "running"}
"""What a pane shows after what: ``busy`` is running again, behind an approval."""


def hundred(quick: bool) -> list[Figure]:
    """Case 7: 100 watchers, one change."""
    with World() as world:
        server = world.server()
        panes = world.agents(server, 60, None)
        for _, _, tty in panes:
            Terminal(tty).show(idle().frames[0])
        world.start()
        world.await_agents(60)
        crowd, poster = Crowd(world.socket, 100), Poster(world.socket)
        times = []
        for i in range(20 if quick else 100):
            pane, pid, _ = panes[i % len(panes)]
            mark = f"change {os.urandom(6).hex()}"
            body = _prompt(pane, pid, mark, {"socket": str(server.socket), "server_pid": server.pid})
            began = time.perf_counter()
            poster.request("POST", "/v1/events", body)
            times.append((crowd.all_have(mark.encode(), 10) - began) * 1000)
            time.sleep(0.05)
        crowd.close()
        return [
            Figure("watchers", "100 watchers, one change, last line, p95", p95(times), "ms", 100),
            Figure("watchers", "... median", median(times), "ms"),
            Figure("watchers", "... fastest", min(times), "ms"),
        ]


def _prompt(pane: str, pid: int, text: str, tmux: dict[str, object], name: str = "UserPromptSubmit") -> bytes:
    event_id = f"bench-{os.urandom(8).hex()}"
    message = {"prompt": text} if name == "UserPromptSubmit" else {"tool_name": "Bash", "tool_input": {"command": text}}
    event = {
        "event_id": event_id, "event_type": name, "source": "hook", "agent_type": "claude",
        "event_time": time.time_ns(), "pane_id": pane, "tmux": tmux, "pid": pid,
        "payload": {"hook_event_name": name, "session_id": f"s{pane}", **message},
    }  # fmt: skip
    return json.dumps(event).encode()


def turns(quick: bool) -> list[Figure]:
    """Case 8c: hooks tell of turns and requests; their end is told by Stop, or (Escape) shown by the screen alone."""
    with World() as world:
        server = world.server()
        panes = world.agents(server, 60, None)
        tmux = {"socket": str(server.socket), "server_pid": server.pid}
        terminals = {pane: Terminal(tty) for pane, _, tty in panes}
        for terminal in terminals.values():
            terminal.show(idle().frames[0])
        world.start()
        world.await_agents(60)
        ear, poster, rng = TimedWatcher(world.socket), Poster(world.socket), random.Random(5)
        took: dict[str, list[float]] = {"running": [], "waiting_approval": [], "completed": []}
        for i in range(12 if quick else 60):
            pane, pid, _ = panes[i]
            kind = list(took)[i % len(took)]
            before = "waiting_approval" if kind == "waiting_approval" else "running"
            poster.request("POST", "/v1/events", _prompt(pane, pid, f"turn {i}", tmux))
            if before == "waiting_approval":
                poster.request("POST", "/v1/events", _prompt(pane, pid, f"make {i}", tmux, "PermissionRequest"))
            terminals[pane].show((approval() if before == "waiting_approval" else running()).frames[0])
            began = time.perf_counter()
            ear.first(lambda item, p=pane, w=before: _is(item, f"host/{p}", w), began - 1, 5)  # type: ignore[misc]
            time.sleep(rng.uniform(1.0, 2.0))
            at = time.perf_counter()
            terminals[pane].show((done() if kind == "completed" else interrupted()).frames[0])
            after = "completed" if kind == "completed" else "idle"
            if kind == "completed":
                poster.request("POST", "/v1/events", _prompt(pane, pid, "", tmux, "Stop"))
            heard = ear.first(lambda item, p=pane, w=after: _is(item, f"host/{p}", w), at, 5)  # type: ignore[misc]
            took[kind].append((heard - at) * 1000 if heard is not None else 5000.0)
        names = {
            "running": ("a hook said that it runs, the screen is quiet", 1000),
            "waiting_approval": ("a hook said that it waits, the screen is quiet", 1000),
            "completed": ("Stop and a quiet screen", 700),
        }
        return [
            figure
            for kind, (name, budget) in names.items()
            for figure in (
                Figure("turns", f"{name} -> line, {len(took[kind])} turns, p95", p95(took[kind]), "ms", budget),
                Figure("turns", "... median", median(took[kind]), "ms"),
            )
        ]


def active(quick: bool) -> list[Figure]:
    """Case 8a, TC-044: 60 panes on 3 targets, 10 screens a second change their state."""
    with World() as world:
        terminals: dict[str, Terminal] = {}
        for i in range(3):
            for pane, _, tty in world.agents(world.server(), 20, None):
                terminals[f"{'host' if i == 0 else f't{i}'}/{pane}"] = Terminal(tty)
        shows = dict.fromkeys(terminals, "idle")
        for terminal in terminals.values():
            terminal.show(idle().frames[0])
        world.start()
        world.await_agents(60)
        ear = TimedWatcher(world.socket)
        changes = _play(terminals, shows, 20 if quick else 60)
        time.sleep(3)
        took: dict[str, list[float]] = {}
        for at, name, shown in changes:
            heard = ear.first(lambda item, n=name, w=TOLD[shown]: _is(item, n, w), at, 0)  # type: ignore[misc]
            took.setdefault(shown, []).append((heard - at) * 1000 if heard is not None else 5000.0)
        every = [ms for some in took.values() for ms in some]
        names = {"running": "a turn begins", "approval": "an approval is asked", "busy": "it was answered",
                 "done": "the turn is over"}  # fmt: skip
        return [
            Figure("screens", f"screen changed -> line, {len(every)} changes, 3 targets, p95", p95(every), "ms", 500),
            Figure("screens", "... median", median(every), "ms"),
            *(Figure("screens", f"... {names[k]}, p95", p95(took[k]), "ms", 500) for k in names),
        ]


def _play(terminals: dict[str, Terminal], shows: dict[str, str], seconds: int) -> list[tuple[float, str, str]]:
    """Change ten panes a second, none twice within three seconds: ``(clock, pane, what it shows since)``."""
    films: dict[str, Film] = {"running": running(), "approval": approval(), "busy": running(), "done": done()}
    changed_at = dict.fromkeys(terminals, 0.0)
    out = []
    rng = random.Random(7)
    due = time.perf_counter()
    for _ in range(seconds * 10):
        due += 0.1
        time.sleep(max(0.0, due - time.perf_counter()))
        now = time.perf_counter()
        name = rng.choice([n for n, at in changed_at.items() if now - at > 3.0])
        shows[name] = NEXT[shows[name]]
        changed_at[name] = now
        terminals[name].show(films[shows[name]].frames[0])
        out.append((now, name, shows[name]))
    return out


def _is(item: dict[str, object], name: str, state: str) -> bool:
    identity = item["identity"]
    assert isinstance(identity, dict)
    return f"{identity['target']}/{identity['pane_id']}" == name and item["state"] == state


def from_quiet(quick: bool) -> list[Figure]:
    """Case 8b: the first change on a target whose agents are all quiet."""
    with World() as world:
        panes = world.agents(world.server(), 60, None)
        terminals = {f"host/{pane}": Terminal(tty) for pane, _, tty in panes}
        for terminal in terminals.values():
            terminal.show(idle().frames[0])
        world.start("[observe]\nactive_for = 0.3\n")  # so that it is quiet again soon
        world.await_agents(60)
        time.sleep(2)
        ear, times, rng = TimedWatcher(world.socket), [], random.Random(3)
        for name in list(terminals)[: 12 if quick else 50]:
            time.sleep(rng.uniform(0.0, 2.0))
            at = time.perf_counter()
            terminals[name].show(approval().frames[0])
            heard = ear.first(lambda item, n=name: _is(item, n, "waiting_approval"), at, 5)  # type: ignore[misc]
            times.append((heard - at) * 1000 if heard is not None else 5000.0)
            terminals[name].show(idle().frames[0])
            ear.first(lambda item, n=name: _is(item, n, "idle"), at, 5)  # type: ignore[misc]
            time.sleep(0.5)
        return [
            Figure("quiet-screens", "screen changed -> line, from quiet, p95", p95(times), "ms", 2000),
            Figure("quiet-screens", "... median", median(times), "ms"),
        ]
