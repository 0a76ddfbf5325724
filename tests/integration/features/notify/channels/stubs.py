"""Programs that stand in for notify-send and others: they keep how they were called."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from agtmuxd.config import ChannelSettings
from agtmuxd.features.notify.channels.contract import Tools
from agtmuxd.features.notify.message import Draft, Message, message_of
from agtmuxd.features.notify.model import Episode, Part
from tests.unit.features.notify.makers import T0, episode


class Stub:
    """A program in a folder of its own. ``calls()``: the arguments of each call. ``fails``: its exit status."""

    def __init__(self, folder: Path, name: str, out: str = "") -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.path = folder / name
        self._kept = folder / f"{name}.calls"
        self._status = folder / f"{name}.status"
        self.path.write_text(
            f"#!{sys.executable}\nimport json, pathlib, sys\n"
            f"with open({str(self._kept)!r}, 'a') as kept: kept.write(json.dumps(sys.argv[1:]) + chr(10))\n"
            f"status = pathlib.Path({str(self._status)!r})\n"
            f"print({out!r})\n"
            "if status.exists(): sys.stderr.write('it failed' + chr(10)); sys.exit(int(status.read_text()))\n"
        )
        self.path.chmod(0o755)

    def fail(self, status: int) -> None:
        self._status.write_text(str(status))

    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in self._kept.read_text().splitlines()] if self._kept.exists() else []


def tools(environ: Mapping[str, str] | None = None) -> Tools:
    async def press(_message_id: str, _verb: str) -> str | None:
        return None

    return Tools(environ or {}, lambda: T0, press)


def settings(kind: str, **more: object) -> ChannelSettings:
    return ChannelSettings.model_validate({"name": "c", "kind": kind, **more})


def message(one: Episode | None = None, *, full: bool = True) -> Message:
    return message_of(Draft("m-1", "c", T0, full, [(one or episode(), Part.FIRST)]))
