"""Install, remove and check hooks for the API, in the settings of this machine and of ssh targets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import one_line
from agtmuxd.actions.access import TargetAccess
from agtmuxd.adapters.contract import HookPlan
from agtmuxd.adapters.isolation import IsolatedAdapter
from agtmuxd.adapters.registry import Registry
from agtmuxd.api.requests import HookRequest
from agtmuxd.hooks.health import HookHealth, changed_here
from agtmuxd.hooks.items import (
    BACKUPS,
    TRIES,
    absent_item,
    add_status,
    busy_error,
    hook_item,
    planned_item,
    why_not_ours,
)
from agtmuxd.remote_hooks.place_files import ChangedError, list_backups, place
from agtmuxd.remote_hooks.settings import RemoteSettings
from agtmuxd.repository import Repository
from agtmuxd.target_manager.manager import TargetManager


class Hooks:
    """Implements ``HookService`` of ``api.routes.hooks``."""

    def __init__(
        self,
        *,
        repository: Repository,
        registry: Registry,
        target_manager: TargetManager,
        hook_tests: HookHealth,
        clock: Callable[[], int],
    ) -> None:
        self._repository = repository
        self._registry = registry
        self._target_manager = target_manager
        self._hook_tests = hook_tests
        self._clock = clock
        self._settings_files = asyncio.Lock()

    async def apply(self, request: HookRequest) -> list[dict[str, Any]]:
        adapters = [self._adapter(name) for name in request.agents] if request.agents else list(self._registry)
        if request.target is not None:
            access = self._target_manager.watches.reach(self._target_id(request.target))
            if access.kind == "ssh":
                return await self._apply_remotely(access, adapters, request)
        wrong = why_not_ours(request.command) if request.op == "install" else None
        if wrong is not None:
            raise AgtmuxError("E_INVALID_REQUEST", wrong)
        out: list[dict[str, Any]] = []
        for adapter in adapters:
            home = request.config_homes.get(adapter.agent_type)
            where = Path(home) if home else adapter.config_home({}, Path.home())
            if request.op == "install" and request.agents is None and not await asyncio.to_thread(where.is_dir):
                out.append(absent_item(adapter.agent_type, where))
                continue
            try:
                async with self._settings_files:  # one change at a time; in a thread, because a disk can be slow
                    out += await asyncio.to_thread(_hooks_of, adapter, where, request)
            except (ValueError, OSError) as error:
                out.append({**hook_item(adapter.agent_type, where), "error": str(error)})
        for item in out:
            self._add_deaf(item, await asyncio.to_thread(changed_here, item["path"]))
        return out

    def tests_arrived(self, nonces: Sequence[str]) -> dict[str, str]:
        return self._hook_tests.received_tests(nonces)

    async def _apply_remotely(
        self, access: TargetAccess, adapters: Sequence[IsolatedAdapter], request: HookRequest
    ) -> list[dict[str, Any]]:
        remote = RemoteSettings(access.name, access.executor)
        items = await remote.hooks(adapters, request)
        self._target_manager.watches.check_now(access.target_id)
        changed = await remote.changed([str(item["path"]) for item in items if item["installed"]], self._clock)
        for item in items:
            self._add_deaf(item, changed.get(item["path"]), access.target_id)
        if request.probe and request.op == "status":
            await remote.probe(
                items, self._hook_tests.received_tests, lambda: self._target_manager.watches.check_now(access.target_id)
            )
        return items

    def _add_deaf(self, item: dict[str, Any], changed_at: int | None, target_id: str | None = None) -> None:
        item["deaf_panes"], item["maybe_deaf_panes"] = self._hook_tests.deaf_panes(item, changed_at, target_id)

    def _adapter(self, name: str) -> IsolatedAdapter:
        adapter = self._registry.get(name)
        if adapter is None:
            known = ", ".join(a.agent_type for a in self._registry)
            raise AgtmuxError("E_INVALID_REQUEST", f"agtmux knows no agent {name}: use one of {known}")
        return adapter

    def _target_id(self, name: str) -> str:
        target = self._repository.target_named(name)
        if target is None:
            raise AgtmuxError("E_TARGET_NOT_FOUND", f"there is no target {one_line(name)[:80]}")
        return target.target_id


def _hooks_of(adapter: IsolatedAdapter, home: Path, request: HookRequest) -> list[dict[str, Any]]:
    command = request.command  # each adapter appends its own name
    done: dict[str, dict[str, Any]] = {}
    remove = request.op == "uninstall"
    if request.op != "status":
        for plan in adapter.plan_hooks(home, command, remove=remove):
            placed, backup = (
                (plan, None) if request.dry_run else _place_file(adapter, home, command, plan, remove=remove)
            )
            path = str(plan.path)
            stay = list_backups(path) if placed.changes and remove and not request.dry_run else ()
            done[path] = planned_item(adapter.agent_type, placed, backup, stay)
    for status in adapter.hook_status(home, command):
        add_status(done, adapter.agent_type, status, leaving=remove)
    return list(done.values())


def _place_file(
    adapter: IsolatedAdapter, home: Path, command: str, plan: HookPlan, *, remove: bool
) -> tuple[HookPlan, str | None]:
    """Write one file as planned. Return the plan that was carried out, and the path of the backup.

    Plans again, up to ``TRIES`` times, if an agent changed the file meanwhile. Then raises ValueError.
    """
    for _ in range(TRIES):
        if not plan.changes:
            return plan, None
        try:
            return plan, place(str(plan.path), plan.before, plan.after, BACKUPS, remove)
        except ChangedError:
            again = adapter.plan_hooks(home, command, remove=remove)
            plan = next((one for one in again if one.path == plan.path), replace(plan, after=plan.before))
    raise ValueError(busy_error(plan.path))
