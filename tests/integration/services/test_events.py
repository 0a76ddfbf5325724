"""Events that are taken in: redacted, cut, and each once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agtmuxd.core.ids import dedupe_key
from tests.integration.ingest.test_redactor import NEEDLES, SECRETS, bytes_of, carried, events_of, wire
from tests.rig import Agent, Clock, Rig


@pytest.mark.tc("TC-050")
@pytest.mark.tc("TC-011")
@pytest.mark.parametrize("mode", ["bound", "pending", "dropped", "stale", "late", "spooled", "not understood"])
async def test_no_secret_reaches_the_file_in_any_mode(tmp_path: Path, mode: str) -> None:
    path, clock, agent = tmp_path / "a.db", Clock(), Agent()
    async with Rig(path, clock) as rig:
        intake = events_of(rig)
        await rig.round(agent)
        more: dict[str, Any] = {}
        who: Agent | None = agent
        if mode in ("pending", "dropped"):
            who = Agent(pane="%9", pid=77)
        if mode == "stale":
            more["runtime_id"] = rig.runtime_id()
            clock.forward(1)
            await rig.round(Agent(pid=4002, start="9"))
        if mode == "not understood":
            more["agent_type"] = "nobody"
        if mode == "spooled":
            more["spooled"] = True
        events = []
        for number, (name, secret) in enumerate(SECRETS.items()):
            for at, kind in enumerate(("UserPromptSubmit", "PermissionRequest", "StopFailure")):
                late = {"event_time": clock.now - (9 * 10**9 if mode == "late" and number else 0)}
                events.append(wire(number * 10 + at, kind, carried(secret), who, **{**late, **more}))
            events.append(wire(number * 10 + 5, "Stop", {}, who, env={"CODEX_HOME": f"/x/{name}", "N": secret}, **more))
        answer = await intake.ingest(events)
        expected = {"stale": "stale_runtime", "not understood": "dropped_unbound", "pending": "pending_bind",
                    "dropped": "pending_bind"}.get(mode, "bound")  # fmt: skip
        assert expected in {t["status"] for t in answer}, answer
        if mode == "dropped":
            clock.forward(11)
            await rig.tick()
        during = bytes_of(path)
    for found, when in ((during, "while it runs"), (bytes_of(path), "after it stopped")):
        for name, needle in NEEDLES.items():
            assert needle.encode() not in found, f"{name}, {when}"
    if mode != "not understood":
        assert b"tool_input" in during, "the rest is kept"


@pytest.mark.tc("TC-011")
async def test_a_huge_payload_is_cut_after_it_was_redacted(tmp_path: Path) -> None:
    path, agent = tmp_path / "a.db", Agent()
    async with Rig(path, Clock()) as rig:
        await rig.round(agent)
        secret = SECRETS["anthropic"]
        text = "x" * (16 * 1024 - 60) + " " + secret + " " + "y" * 50_000
        await events_of(rig).ingest([wire(1, "Stop", {"last_assistant_message": text}, agent)])
        [(kept,)] = rig.rows("SELECT raw_payload FROM events")
        assert len(kept) < 40 * 1024
        assert b"Ab1Ab1Ab1" not in bytes_of(path)


@pytest.mark.tc("TC-007")
async def test_an_agents_own_event_id_dedupes_and_a_hash_of_words_never_does(tmp_path: Path) -> None:
    agent = Agent()
    async with Rig(tmp_path / "a.db", Clock()) as rig:
        await rig.round(agent)
        intake = events_of(rig)
        first, again = (wire(n, "Stop", {}, agent, source_event_id="stop-7") for n in (1, 2))
        other = wire(3, "Stop", {}, agent)
        answer = await intake.ingest([first, again, other])
        assert [t["status"] for t in answer] == ["bound", "duplicate", "bound"]
        keys = {key for (key,) in rig.rows("SELECT dedupe_key FROM events")}
        assert keys == {dedupe_key("hook", "stop-7", "Stop"), dedupe_key("hook", "event-0003", "Stop")}
