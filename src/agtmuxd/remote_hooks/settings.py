"""Install, check and remove hooks in the settings of agents on a machine behind ssh.

Reads the files there, plans the changes here, and writes the files there. Owns the round trips and the file of the hook
program. The adapters decide what changes, as on this machine.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.adapters.contract import HookPlan
from agtmuxd.adapters.isolation import IsolatedAdapter
from agtmuxd.adapters.settings import json_hooks
from agtmuxd.api.requests import HookRequest
from agtmuxd.hooks.items import BACKUPS, TRIES, absent_item, add_status, busy_error, hook_item, planned_item
from agtmuxd.remote_hooks import install_program
from agtmuxd.targets.executor import ExecutorError, TargetExecutor
from agtmuxd.targets.ssh.commands import first_line

T = TypeVar("T")

_FILES_AT_MOST: Final = 32
_SECONDS: Final = 20.0
_PROBE_SECONDS: Final = 5.0
_PROBE_EVERY: Final = 0.05
_VERSION_CHECK: Final = "import sys; sys.stdout.write(sys.executable if sys.version_info >= (3, 8) else '')"
_PYTHON: Final = 'command -v python3 >/dev/null 2>&1 || exit 0; exec python3 -IS -c "$1"'
_FOLDERS: Final = 'for d do if [ -d "$d" ]; then echo yes; else echo no; fi; done'
_AGES: Final = """
import contextlib, json, os, sys, time
ages = {}
for path in json.load(sys.stdin):
    with contextlib.suppress(OSError):
        ages[path] = time.time_ns() - os.stat(path).st_mtime_ns
print(json.dumps(ages))
"""
"""Both times are by the clock there, so its offset does not matter."""
PROGRAM: Final = "agtmux"
"""Used instead of an agent's name in the item of the hook program itself."""


class RemoteSettings:
    """The settings of one machine, for one request. Each file is read once."""

    def __init__(self, name: str, executor: TargetExecutor) -> None:
        self._name = name
        self._executor = executor
        self._files: dict[Path, str | None] = {}

    async def hooks(self, adapters: Sequence[IsolatedAdapter], request: HookRequest) -> list[dict[str, Any]]:
        """Do the request there. Return items as for this machine, after one for the hook program.

        Raises E_TARGET_UNREACHABLE, and E_UNSUPPORTED if no Python 3.8 or newer is found there.
        """
        try:
            return await self._hooks(adapters, request)
        except ExecutorError as error:
            raise AgtmuxError("E_TARGET_UNREACHABLE", f"{self._name}: {error}") from error

    async def _hooks(self, adapters: Sequence[IsolatedAdapter], request: HookRequest) -> list[dict[str, Any]]:
        home = (await self._executor.machine()).home
        command = install_program.command(await self._python(), home)
        item = hook_item(PROGRAM, Path(install_program.path(home)))
        if request.op == "install":  # first: settings must not name a missing program
            await self._program(item, install_program.text(), request)
        out = []
        given = {a.agent_type: request.config_homes.get(a.agent_type) for a in adapters}
        homes = [Path(given[a.agent_type] or a.config_home({}, Path(home))) for a in adapters]
        there = await self._folders(homes) if request.op == "install" and request.agents is None else set(homes)
        for adapter, where in zip(adapters, homes, strict=True):
            if where not in there:
                out.append(absent_item(adapter.agent_type, where))
                continue
            try:
                out += await self._hooks_of(adapter, where, command, request)
            except ValueError as error:
                out.append({**hook_item(adapter.agent_type, where), "error": str(error)})
        if request.op == "uninstall" and request.agents is None and not any(one["error"] for one in out):
            await self._program(item, None, request)  # last: settings must not name a missing program
        text = await self._text(Path(item["path"]))
        item["installed"], item["outdated"] = text is not None, text is not None and text != install_program.text()
        return [item, *out]

    async def _folders(self, paths: Sequence[Path]) -> set[Path]:
        """Return those of the folders that exist there."""
        done = await self._executor.run(["sh", "-c", _FOLDERS, "sh", *map(str, paths)], timeout=_SECONDS)
        answers = done.stdout.decode("utf-8", "replace").split()
        return {path for path, is_there in zip(paths, answers, strict=False) if is_there == "yes"}

    async def changed(self, paths: Sequence[str], clock: Callable[[], int]) -> dict[str, int]:
        """Return when those files were last written, in ns by our ``clock``. A file that cannot be read is left out.

        Raises E_TARGET_UNREACHABLE.
        """
        if not paths:
            return {}
        try:
            done = await self._executor.run(
                ["python3", "-IS", "-c", _AGES], stdin=json.dumps(list(paths)).encode(), timeout=_SECONDS
            )
        except ExecutorError as error:
            raise AgtmuxError("E_TARGET_UNREACHABLE", f"{self._name}: {error}") from error
        if done.returncode != 0:
            return {}
        now = clock()
        return {path: now - age for path, age in json.loads(done.stdout).items()}

    async def probe(
        self,
        items: Sequence[dict[str, Any]],
        arrived: Callable[[Sequence[str]], dict[str, str]],
        hurry: Callable[[], None],
    ) -> None:
        """Send a test event through each installed command there, and note in its item whether it arrived.

        ``arrived(nonces)`` returns how each test event arrived: ``posted`` or ``spooled``. ``hurry()`` has the spool
        there fetched. Raises E_TARGET_UNREACHABLE.
        """
        sent = {uuid.uuid4().hex: item for item in items if item["command"]}
        try:
            for nonce, item in sent.items():
                await self._send(nonce, item)
        except ExecutorError as error:
            raise AgtmuxError("E_TARGET_UNREACHABLE", f"{self._name}: {error}") from error
        hurry()
        for _ in range(int(_PROBE_SECONDS / _PROBE_EVERY)):
            if len(arrived(list(sent))) == len(sent):
                break
            await asyncio.sleep(_PROBE_EVERY)
        arrivals = arrived(list(sent))
        for nonce, item in sent.items():
            if nonce not in arrivals:
                item["error"] = f"the hooks are installed, but a test event did not arrive within {_PROBE_SECONDS:g} s"
                continue
            item["notes"].append("test event: arrived" + (" by the spool" if arrivals[nonce] == "spooled" else ""))

    async def _send(self, nonce: str, item: dict[str, Any]) -> None:
        payload = json.dumps({"hook_event_name": "agtmux-test", "agtmux_test": nonce})
        line, given = (f"{item['command']} '{payload}'", "") if item["as_argument"] else (item["command"], payload)
        await self._executor.run(["sh", "-c", line], stdin=given.encode(), timeout=_SECONDS)

    async def _python(self) -> str:
        done = await self._executor.run(["sh", "-c", _PYTHON, "sh", _VERSION_CHECK], timeout=_SECONDS)
        found = done.stdout.decode("utf-8", "replace").strip()
        if done.returncode != 0 or not found.startswith("/"):
            raise AgtmuxError(
                "E_UNSUPPORTED",
                f"{self._name}: hooks on that machine need Python 3.8 or newer: install it, then try again",
            )
        return found

    async def _program(self, item: dict[str, Any], text: str | None, request: HookRequest) -> None:
        path = Path(item["path"])
        before = await self._text(path)
        item["changed"] = before != text
        if item["changed"] and not request.dry_run:
            (done,) = await self._place([HookPlan(path, before, text)], backups=0)
            item["error"] = done["error"]

    async def _hooks_of(
        self, adapter: IsolatedAdapter, where: Path, command: str, request: HookRequest
    ) -> list[dict[str, Any]]:
        done: dict[str, dict[str, Any]] = {}
        remove = request.op == "uninstall"
        if request.op != "status":
            for attempt in range(TRIES):
                plans = await self._planned(lambda: adapter.plan_hooks(where, command, remove=remove))
                pending = [plan for plan in plans if str(plan.path) not in done]
                changes = [plan for plan in pending if plan.changes and not request.dry_run]
                placed = dict(zip(changes, await self._place(changes, backups=BACKUPS, remove=remove), strict=True))
                for plan in pending:
                    one = placed.get(plan, {})
                    if one.get("changed") and attempt < TRIES - 1:
                        continue  # another program, such as the agent, wrote it at the same time
                    kept = one.get("left", ()) if remove else ()
                    item = planned_item(adapter.agent_type, plan, one.get("backup"), kept)
                    item["error"] = busy_error(plan.path) if one.get("changed") else one.get("error")
                    done[item["path"]] = item
        for status in await self._planned(lambda: adapter.hook_status(where, command)):
            add_status(done, adapter.agent_type, status, leaving=remove)
        return list(done.values())

    async def _planned(self, work: Callable[[], T]) -> T:
        """Run pure work again and again until all files that it needs are read. Raises ValueError, ExecutorError."""
        while True:
            try:
                with json_hooks.reading(self._files):
                    return work()
            except json_hooks.NotReadError as error:
                if len(self._files) >= _FILES_AT_MOST:
                    raise
                await self._text(error.path)

    async def _text(self, path: Path) -> str | None:
        """Return a file's text, None if there is no file. Raises ValueError if it cannot be read."""
        if path not in self._files:
            found = await self._executor.read_files([str(path)], max_bytes=json_hooks.MOST)
            data = found.get(str(path), b"\xff")
            if data is not None and len(data) >= json_hooks.MOST:
                raise ValueError(f"{path}: is longer than {json_hooks.MOST} bytes")
            try:
                self._files[path] = None if data is None else data.decode("utf-8")
            except UnicodeDecodeError as error:
                raise ValueError(f"{path}: cannot be read, or is not text") from error
        return self._files[path]

    async def _place(self, plans: Sequence[HookPlan], *, backups: int, remove: bool = False) -> list[dict[str, Any]]:
        if not plans:
            return []
        files = [{"path": str(plan.path), "before": plan.before, "after": plan.after} for plan in plans]
        done = await self._executor.run(
            ["python3", "-IS", "-c", install_program.file_writer()],
            stdin=json.dumps({"files": files, "backups": backups, "remove": remove}).encode(),
            timeout=_SECONDS,
        )
        if done.returncode != 0:
            raise ExecutorError("refused", f"cannot write files on that machine: {first_line(done)}")
        out: list[dict[str, Any]] = json.loads(done.stdout)
        for plan in plans:
            self._files.pop(plan.path, None)  # read it again next time
        return out
