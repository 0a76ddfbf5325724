"""Turns the screen lines of a recording into terminal output. Knows no process and no time."""

from __future__ import annotations

from typing import Any


class Screen:
    """What the terminal shows so far, rows from the top."""

    def __init__(self, rows: int) -> None:
        self.height = rows
        self.text = [""] * rows
        self.alternate = 0
        self.cursor = [0, 0, 1]

    def apply(self, line: dict[str, Any]) -> bytes:
        """Bytes that make the terminal show the state after ``line``: rows where they were, nothing wraps."""
        out: list[str] = []
        redraw = False
        self.height = line["size"][1] if "size" in line else self.height
        if line.get("alt", self.alternate) != self.alternate:
            self.alternate = line["alt"]
            out += ["\x1b[?1049h" if self.alternate else "\x1b[?1049l", "\x1b[?7l\x1b[r\x1b[m"]
            redraw = True
        if "full" in line:
            rows = list(line["full"])[: self.height]
            self.text = rows + [""] * (self.height - len(rows))
            redraw = True
        changed = {int(i): text for i, text in line.get("rows", {}).items() if int(i) < self.height}
        for index, text in changed.items():
            self.text[index] = text
        for index in range(self.height) if redraw else sorted(changed):
            out.append(f"\x1b[{index + 1};1H\x1b[2K{self.text[index]}")
        self.cursor = line.get("cur", self.cursor)
        x, y, visible = self.cursor
        out.append(f"\x1b[{y + 1};{x + 1}H\x1b[?25{'h' if visible else 'l'}")
        return "".join(out).encode()
