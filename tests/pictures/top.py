"""Makes the pictures of ``agtmux top``: the real dashboard before a stub that serves twelve agents in all states.

``python -m tests.pictures.top`` writes ``docs/images/top-80x24.png``, ``top-160x50.png`` and ``top-card.png``. It needs
``rsvg-convert`` (Debian: ``librsvg2-bin``) and a font of fixed width.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from agtmux.client import Client
from agtmux.top.app import Dashboard
from agtmux.top.feed import Feed
from agtmux.top.keys import DEFAULTS
from agtmux.top.panels import Options
from tests.unit.top.rows import item
from tests.unit.top.stage import Stage

IMAGES = Path(__file__).parents[2] / "docs/images"
ZOOM = "0.75"
FONT, ADVANCE = "DejaVu Sans Mono", 0.60205
"""A font, and how wide its letters are for their size."""
CELL = 12.2
"""Width of a cell in the pictures of rich."""


def ago(seconds: float) -> str:
    """An API time that long ago."""
    return datetime.fromtimestamp(time.time() - seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def agents() -> list[dict[str, Any]]:
    """Twelve agents, on this machine and on another, in all seven states."""
    made: list[dict[str, Any]] = []

    def add(agent: str, place: str, state: str, seconds: float, **more: Any) -> None:
        """``place``: target/session/branch."""
        target, project, branch = place.split("/")
        fields = {"reason_code": None, "agent_version": None, "title": "", "cwd": f"/home/you/{project}", **more}
        made.append(item(
            f"%{len(made) + 1}", state, agent_type=agent, target=target, session=project, project=project,
            branch=branch or None, since=ago(seconds), attention_since=ago(seconds), **fields,
        ))  # fmt: skip

    options = ("Yes", "Yes, and don't ask again for npm run", "No, and tell Claude what to do differently")
    text = "npm run build && npm test\nBuild the shop and run its tests"
    add("claude", "host/shop/cart", "waiting_approval", 252, reason_code="dialog",
        waiting_for=asked("approval", "Bash command", text, *options))  # fmt: skip
    question = asked(
        "question", "", "Which database should the staging server use?", "PostgreSQL 17", "SQLite", "Other"
    )
    add("codex", "host/api/main", "waiting_input", 95, waiting_for=question)
    add("gemini", "host/docs/", "error", 410, detail="429 Too Many Requests: daily quota exceeded", task="Translate it")
    add("claude", "host/shop/login", "completed", 40, attention="review",
        message="All 214 tests pass. The login page keeps its redirect.")  # fmt: skip
    add("opencode", "gpu/train/", "running", 5400, task="Sweep the learning rates and report the best three")
    add("claude", "host/api/rate-limit", "running", 75, task="Add a limit of requests per minute")
    add("codex", "gpu/infra/main", "running", 12, task="Write the Terraform module for the queue")
    add("qwen", "host/lab/", "unknown", 600, reason_code="stale_signal")
    add("copilot", "host/docs/", "idle", 3000)
    add("pi", "host/lab/", "idle", 7200)
    add("claude", "gpu/site/", "idle", 90_000)
    add("cline", "host/site/", "completed", 900, message="Done.")
    return made


def asked(kind: str, subject: str, text: str, *options: str) -> dict[str, Any]:
    """A request of an agent."""
    return {"kind": kind, "subject": subject, "text": text, "options": list(options), "fingerprint": subject or "f"}


SCREEN = """\x1b[2m  src/cart.ts\x1b[0m
\x1b[32m+ export function total(cart: Cart): Money {\x1b[0m
\x1b[32m+   return cart.items.reduce(add, zero(cart.currency));\x1b[0m
\x1b[32m+ }\x1b[0m

\x1b[1m●\x1b[0m I changed the total to use the cart's currency. Now I build and test it.

\x1b[34m────────────────────────────────────────────────────────────\x1b[0m
 \x1b[1;34mBash command\x1b[0m

   npm run build && npm test
   \x1b[2mBuild the shop and run its tests\x1b[0m

 Do you want to proceed?
 \x1b[1;36m❯ 1. Yes\x1b[0m
   2. Yes, and don't ask again for npm run
   3. No, and tell Claude what to do differently \x1b[2m(esc)\x1b[0m
"""


def explanation(body: dict[str, Any]) -> dict[str, Any]:
    """Why the first agent is in its state."""
    now = ago(1)
    claim: dict[str, Any] = {
        "source": "poller",
        "claim": "waiting_approval",
        "rule": "permission dialog",
        "subject": "turn",
    }
    claim |= {"used": True, "since": ago(252), "last_seen": now}
    return {**body, "decided_by": [claim], "candidates": [claim]}


async def drawn(app: Dashboard, size: tuple[int, int], *keys: str) -> str:
    """Press keys, wait until all was read, and return the screen as an SVG."""
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.4)
        return app.export_screenshot(title="agtmux top", simplify=True)


def write(svg: str, name: str) -> None:
    """Write the PNG of a screen. rsvg-convert knows no ``textLength`` and drops blanks at the start of a text: so the
    font gets the width that rich reckoned with, and each text begins at its first letter. Fonts of the network go.
    """
    svg = re.sub(r"\s*@font-face \{.*?\}\n", "\n", svg, flags=re.S).replace("Fira Code", FONT)
    svg = svg.replace("font-size: 20px", f"font-size: {CELL / ADVANCE:.3f}px")
    svg = re.sub(r'(<text [^>]*? x=")([\d.]+)("[^>]*>)((?:&#160;)+)', moved, svg)
    command = ["rsvg-convert", "--zoom", ZOOM, "--output", str(IMAGES / f"{name}.png")]
    subprocess.run(command, input=svg.encode(), check=True)
    print(f"wrote docs/images/{name}.png")


def moved(match: re.Match[str]) -> str:
    """A text without its first blanks, at their end."""
    return f"{match[1]}{float(match[2]) + CELL * match[4].count(';'):g}{match[3]}"


async def settle(pilot: Pilot[Any]) -> None:
    """Let the selected pane be read."""
    await pilot.pause(0.6)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="agt", dir="/tmp") as folder:
        stage = Stage(Path(folder), *agents())
        stage.targets = [{"target": name, "health": "ok"} for name in ("host", "gpu")]
        stage.answers["view-output"] = {"output": SCREEN, "truncated": False}
        stage.start()
        first = next(iter(stage.items.values()))
        route = f"GET /v1/panes/{first['ref']}/explain"
        answer = stage.stub.routes[route]
        stage.stub.routes[route] = lambda call: (200, explanation(answer(call)[1]))

        def client(first: bool = False) -> Client:
            return Client([str(stage.stub.socket)])

        for size, name, keys in (
            ((80, 24), "top-80x24", ()),
            ((160, 50), "top-160x50", ()),
            ((100, 30), "top-card", ("a",)),
        ):
            feed = Feed(client)
            feed.start()
            feed.first()
            write(asyncio.run(drawn(Dashboard(feed, client, Options(DEFAULTS)), size, *keys)), name)
            feed.stop()
        stage.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
