"""A stand-in for an agent with an input field: run by an interpreter that is called ``claude``, it takes real keys.

It looks as Claude Code does where it matters: an input field between two rules, a spinner and ``esc to interrupt`` in a
turn, an approval or question in the field's place. Every byte that arrives is kept in a file, and so is every prompt
that was submitted. Commands come over a Unix socket, one JSON object per line, each answered by one. Standard library
only.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import termios
import time
import tty

RULE = "─" * 60
APPROVAL = [
    RULE, " Bash command", "", "   {command}", "   Do it", "", " Do you want to proceed?", " ❯ 1. Yes",
    "   2. Yes, and don't ask again", "   3. No", "", " Esc to cancel · Tab to amend",
]  # fmt: skip
QUESTION = [
    RULE, " ☐ Colour", "", "Which colour should the shed be?", "", "❯ 1. Green", "  2. Brown", "  3. Type something.",
    RULE, "  4. Chat about this", "", "Enter to select · ↑/↓ to navigate · Esc to cancel",
]  # fmt: skip
"""A question as Claude Code asks it; behind its third option a text is typed."""
BRIEF = 1.0
"""Seconds of a turn, if the agent is brief."""


def _fits(first: int, size: int, low: int) -> bool:
    """Whether a UTF-8 sequence of ``size`` bytes begins with ``first``; a stray byte stands for itself."""
    if low == 256:
        return True
    return first < 0x80 if size == 1 else low <= first < {2: 0xE0, 3: 0xF0, 4: 0xF8}[size]


def _wrapped(text: str, width: int) -> list[str]:
    """The rows of a text in a field that is ``width`` columns wide."""
    return [row[at : at + width] for row in text.split("\n") for at in range(0, max(len(row), 1), width)]


class Actor:
    """``how`` words: ``deaf`` never submits, ``chip`` shows pastes as chips, ``quiet`` shows nothing of what it takes,
    ``mumbles`` shows another text than was typed into a question, ``wary`` takes an Enter within 0.1 s of text for a
    line of it, as programs do that cannot tell a paste from typing, ``brief`` ends each turn after a moment.
    """

    def __init__(self, path: str) -> None:
        self.keys = open(path + ".keys", "ab", buffering=0)  # noqa: SIM115 open until the end
        self.sent = open(path + ".sent", "ab", buffering=0)  # noqa: SIM115
        self.field = ""
        self.dialog: list[str] | None = None
        self.own: str | None = None  # what is typed behind the third option of a question, once that is open
        self.then: list[str] = []  # the commands that are asked about next, one after the other
        self.running = False
        self.how: set[str] = set()
        self.heard = 0.0  # when text came last
        self.said: list[str] = []
        self.pasting: bytearray | None = None
        self.pending = b""
        tty.setraw(0)
        os.write(1, b"\x1b[?2004h")
        self.draw()

    def draw(self) -> None:
        rows = ["", *self.said[-6:]]
        if self.dialog is not None:
            rows += self.dialog
        else:
            if self.running:
                rows += ["✻ Working… (2s · ↓ 5 tokens)", ""]
            lines = _wrapped(self.field, (os.get_terminal_size(0).columns or 80) - 2)  # 0: behind a wrapper
            shown = lines if len(lines) <= 5 else lines[-5:]
            rows += [RULE, "❯ " + shown[0], *("  " + row for row in shown[1:]), RULE]
            rows += ["  esc to interrupt" if self.running else "  ? for shortcuts"]
        text = "\r\n".join(rows)
        place = ""
        if self.own is not None:
            row = next(n for n, text_row in enumerate(rows) if text_row.startswith("❯ 3. "))
            place = f"\x1b[{row + 1};{6 + len(self.own)}H"
        if self.dialog is None:
            top = len(rows) - 2 - len(shown) + len(shown)
            place = f"\x1b[{top};{3 + len(shown[-1])}H"
        os.write(1, ("\x1b[2J\x1b[H" + text + place).encode())

    def take(self, data: bytes) -> None:
        self.keys.write(data)
        if "quiet" in self.how:
            return
        data = self.pending + data
        self.pending = b""
        while data:
            if self.pasting is not None:
                end = data.find(b"\x1b[201~")
                if end < 0:
                    self.pasting += data
                    break
                self.pasting += data[:end]
                self.put(self.pasting.decode("utf-8", "replace"), pasted=True)
                self.pasting, data = None, data[end + 6 :]
            elif data.startswith(b"\x1b[200~"):
                self.pasting, data = bytearray(), data[6:]
            elif data[:1] == b"\r":
                self.enter()
                data = data[1:]
            elif data.startswith(b"\x1b[") and len(data) > 2:
                data = data[3:]  # an arrow
            elif data[:1] in (b"\x1b", b"\x03"):
                self.escape()
                data = data[1:]
            else:
                size = next(
                    n for n, low in ((1, 0), (2, 0xC0), (3, 0xE0), (4, 0xF0), (1, 256)) if _fits(data[0], n, low)
                )
                if len(data) < size:
                    self.pending = data
                    break
                self.put(data[:size].decode("utf-8", "replace"), pasted=False)
                data = data[size:]
        self.draw()

    def put(self, text: str, *, pasted: bool) -> None:
        self.heard = time.monotonic()
        if text == "\x7f" and not pasted and self.dialog is None:
            self.field = self.field[:-1]
            return
        if self.own is not None:
            self.write(self.own + (text.upper() if "mumbles" in self.how else text))
            return
        if self.dialog is not None:
            if text == "3" and self.dialog[1:2] == QUESTION[1:2]:
                self.write("")
            elif text in "123":
                self.close(f"chose {text}")
            return
        if pasted and "chip" in self.how and len(text) > 400:
            text = "[Pasted text #1 +9 lines]"
        self.field += text

    def write(self, text: str) -> None:
        """The question with its third option open, and what is typed there."""
        self.own = text
        self.dialog = [row.replace("❯ 1.", "  1.") for row in QUESTION]
        self.dialog[7] = "❯ 3. " + (text or "Type something.")

    def enter(self) -> None:
        if "wary" in self.how and time.monotonic() - self.heard < 0.1:
            self.put("\n", pasted=False)
        elif self.own is not None:
            self.close(f"wrote {self.own}")
        elif self.dialog is not None:
            self.close("chose by Enter")
        elif self.field and "deaf" not in self.how:
            self.sent.write(json.dumps(self.field).encode() + b"\n")
            self.field = ""
            self.running = True

    def escape(self) -> None:
        if self.dialog is not None:
            self.close("cancelled")
        elif self.running:
            self.running = False
            self.said.append("  ⎿  Interrupted · What should Claude do instead?")

    def close(self, how: str) -> None:
        self.dialog, self.own = None, None
        self.sent.write(json.dumps(how).encode() + b"\n")
        if self.then:
            command = self.then.pop(0)
            self.dialog = [row.replace("{command}", command) for row in APPROVAL]
            return
        self.running = "Interrupt" not in how and how != "cancelled"

    def obey(self, command: dict[str, object]) -> dict[str, object]:
        if "settle" in command:  # ``main`` reads what has arrived before it listens
            return {"pid": os.getpid()}
        if "ask" in command:
            self.dialog = [row.replace("{command}", str(command["ask"])) for row in APPROVAL]
            self.running, self.then = False, list(command.get("then", []))  # type: ignore[call-overload]
        if "question" in command:
            self.dialog, self.own, self.running = list(QUESTION), None, False
            if command["question"]:  # somebody has typed behind the third option already
                self.write(str(command["question"]))
        if "rows" in command:
            self.dialog = list(command["rows"])  # type: ignore[call-overload]
        if "draft" in command:
            self.field = str(command["draft"])
        hook = command.get("hook")
        if isinstance(hook, dict):
            body, env = json.dumps(hook["payload"]).encode(), {**os.environ, **hook["env"]}
            done = subprocess.run(hook["argv"], input=body, capture_output=True, check=False, env=env)
            return {"status": done.returncode, "out": (done.stdout + done.stderr).decode("utf-8", "replace")}
        if "say" in command:
            self.said.append(str(command["say"]))
        if "title" in command:
            os.write(1, f"\x1b]2;{command['title']}\x1b\\".encode())
        if "run" in command:
            self.running, self.dialog, self.own = bool(command["run"]), None, None
        if "how" in command:
            self.how = set(command["how"])  # type: ignore[call-overload]
        self.draw()
        if "exit" in command:
            os._exit(0)
        return {"pid": os.getpid(), "field": self.field}


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    actor = Actor(sys.argv[1])
    for command in sys.argv[2:]:  # it begins with an approval
        actor.obey({"ask": command})
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(sys.argv[1])
    server.listen()
    while True:
        ends = BRIEF if "brief" in actor.how and actor.running else None
        ready, _, _ = select.select([0, server.fileno()], [], [], ends)
        if not ready:
            actor.running = False
            actor.said.append("● Done.")
            actor.draw()
        if 0 in ready:
            try:
                data = os.read(0, 65536)
            except (OSError, termios.error):
                return
            if not data:
                return
            actor.take(data)
        if server.fileno() in ready:
            peer, _ = server.accept()
            with peer, peer.makefile("rwb") as line:
                for raw in line:
                    line.write(json.dumps(actor.obey(json.loads(raw))).encode() + b"\n")
                    line.flush()


if __name__ == "__main__":
    main()
