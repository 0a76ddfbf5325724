"""The rules in use: those that adapters ship and, laid over them, the user's own, as the files of their folder change.

Owns which of the user's rules count. ``rulefolder`` reads them, ``ruletrial`` tries them on screens.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import structlog

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.adapters.registry import Registry, merged_rules
from agtmuxd.adapters.rules_only import RulesOnlyAdapter
from agtmuxd.adapters.shared import RuleAdapter
from agtmuxd.api.routes.rules import CheckRequest, ReplayRequest
from agtmuxd.clock import coalesced_sleep
from agtmuxd.core.screen.rules import RuleSet
from agtmuxd.rules import trial
from agtmuxd.rules.folder import FolderChanges, FolderState, Marks, RuleFile, RuleFolder

_LOG = structlog.get_logger("rules")
LOOK_EVERY: Final = 0.75
"""Seconds between looks at the folder while nothing moves there."""
LOOK_SOON: Final = 0.1
"""The same while something does."""


class RuleCatalog:
    """The rules of every agent, by where they come from."""

    def __init__(self, registry: Registry, folder: Path) -> None:
        self._registry = registry
        self._folder = RuleFolder(folder)
        self._unrest = FolderChanges()
        self._mine: dict[Path, RuleSet] = {}
        self.wrong: dict[Path, str] = {}
        """What is wrong with files of the folder, as it was last told. The rules that they had before stay in use."""

    def read(self) -> None:
        """Read the user's folder and use what is in it. Raises E_INVALID_REQUEST; then the rules stay as they are."""
        marks, found = self._found()
        mine, wrong = self._judged(found)
        if wrong:
            raise AgtmuxError("E_INVALID_REQUEST", next(iter(wrong.values())))
        self._mine, self.wrong, self._unrest.taken = mine, {}, marks
        self._registry.use_rules(_by_agent(mine))  # also the same ones: what was put aside gets another chance

    def read_what_can_be(self) -> list[str]:
        """The same, leaving out the files that are wrong; what is wrong with them."""
        try:
            marks, found = self._found()
        except AgtmuxError as error:
            self.wrong = {self._folder.path: error.message}
        else:
            self._mine = {}
            self._registry.use_rules({})
            _, self.wrong = self._take(marks, found)
        return list(self.wrong.values())

    def _found(self) -> tuple[Marks, Mapping[Path, RuleFile]]:
        """What is in the folder now. Raises E_INVALID_REQUEST where it cannot be read."""
        try:
            marks = self._folder.marks()
        except ValueError as error:
            raise AgtmuxError("E_INVALID_REQUEST", str(error)) from error
        return marks, self._folder.read(marks)

    def _judged(self, found: Mapping[Path, RuleFile]) -> tuple[dict[Path, RuleSet], dict[Path, str]]:
        """Rules by file, and what is wrong with the files that have none to use."""
        mine: dict[Path, RuleSet] = {}
        wrong: dict[Path, str] = {}
        for path, read in found.items():
            why = read.wrong if read.rules is None else self._unusable(path, read.rules)
            if why is None and read.rules is not None:
                mine[path] = read.rules
            else:
                wrong[path] = str(why)
        return mine, wrong

    def _unusable(self, path: Path, rules: RuleSet) -> str | None:
        """Why good rules are of no use here."""
        known = self._registry.get(rules.agent)
        if known is not None and not isinstance(known.adapter, RuleAdapter):
            return f"{path}: the adapter of {rules.agent} uses no rules, so your own cannot be added"
        if rules.programs is None and (known is None or isinstance(known.adapter, RulesOnlyAdapter)):
            return (
                f"{path}: no adapter knows {rules.agent}: [process] with names is missing, "
                f'as in names = ["{rules.agent}"], the programs that are this agent'
            )
        return None

    def _take(self, marks: Marks, found: Mapping[Path, RuleFile]) -> tuple[bool, dict[Path, str]]:
        """Use what is good of it; a file that is wrong keeps the rules that it had. Whether any rules are others now,
        and what is wrong."""
        mine, wrong = self._judged(found)
        mine.update({path: self._mine[path] for path in wrong if path in self._mine})
        self._unrest.taken = marks
        if mine == self._mine:
            return False, wrong
        self._registry.use_rules(_by_agent(mine))
        self._mine = mine
        return True, wrong

    # ---------------------------------------------------------------- as the folder changes

    async def watch(self, changed: Callable[[], None], clock: Callable[[], int] = time.monotonic_ns) -> None:
        """Take in what changes in the folder, until cancelled. ``changed``: rules are others now."""
        while True:
            try:
                pause = await self.check_for_changes(changed, clock())
            except Exception:  # noqa: BLE001 - the task's outermost edge: no rules file may end the daemon
                _LOG.exception("the rules folder could not be read")
                pause = LOOK_EVERY
            await coalesced_sleep(pause)

    async def check_for_changes(self, changed: Callable[[], None], now: int) -> float:
        """One look at the folder, its files read in another thread; seconds until the next one.

        The look itself is a few calls of the system: to ask a thread for it cost ten times as much.
        """
        try:
            marks = self._folder.marks()
        except ValueError as error:
            self._tell({**self.wrong, self._folder.path: str(error)})
            return LOOK_EVERY
        rest = self._unrest.look(marks, now)
        if rest is FolderState.CALM:
            self._tell({path: why for path, why in self.wrong.items() if path != self._folder.path})
            return LOOK_EVERY
        if rest is FolderState.MOVING:
            return LOOK_SOON
        found = await asyncio.to_thread(self._folder.read, marks)
        if rest is FolderState.STILL and self._is_doubtful(found):
            return LOOK_SOON
        others, wrong = self._take(marks, found)
        self._tell(wrong)
        if others:
            _LOG.info("rules loaded", files=[str(path) for path in sorted(self._mine)])
            changed()
        return LOOK_EVERY

    def _is_doubtful(self, found: Mapping[Path, RuleFile]) -> bool:
        """Whether this may be a save that is not finished: a file is gone, or newly wrong."""
        _, wrong = self._judged(found)
        return any(path not in found for path in self._mine) or any(self.wrong.get(p) != w for p, w in wrong.items())

    def _tell(self, wrong: dict[Path, str]) -> None:
        for path, why in wrong.items():
            if self.wrong.get(path) != why:
                stay = "the previous rules stay in use" if path in self._mine else "the file is not used"
                _LOG.error("rules not loaded", why=why, so=stay)
        self.wrong = wrong

    # ---------------------------------------------------------------- trying them

    def _on_disk(self) -> tuple[dict[Path, RuleSet], dict[Path, str]]:
        """What the files say now, whether it was taken in yet or not: who tries rules has just written them."""
        _, found = self._found()
        return self._judged(found)

    def _rules_of(self, agent: str, mine: Mapping[Path, RuleSet]) -> tuple[RuleSet, Path | None]:
        """The rules of ``agent`` with the user's own, and the file of those. Raises E_INVALID_REQUEST."""
        path = next((path for path, rules in mine.items() if rules.agent == agent), None)
        fenced = self._registry.get(agent)
        adapter = fenced.adapter if fenced is not None else None
        if path is not None:
            return (merged_rules(adapter, mine[path]) if isinstance(adapter, RuleAdapter) else mine[path]), path
        if isinstance(adapter, RuleAdapter) and not isinstance(adapter, RulesOnlyAdapter):
            return adapter.shipped, None
        known = ", ".join(self._known(mine))
        raise AgtmuxError(
            "E_INVALID_REQUEST",
            f"there are no rules for agent {agent}: use one of {known}, or write {self._folder.path}/{agent}.toml",
        )

    def _screens_of(self, agent: str) -> Path | None:
        """Where the samples of an adapter's own rules lie."""
        fenced = self._registry.get(agent)
        adapter = fenced.adapter if fenced is not None else None
        return adapter.screens if isinstance(adapter, RuleAdapter) else None

    def _known(self, mine: Mapping[Path, RuleSet]) -> list[str]:
        """The agents that have rules."""
        shipped = [
            a.agent_type for a in self._registry
            if isinstance(a.adapter, RuleAdapter) and not isinstance(a.adapter, RulesOnlyAdapter)
        ]  # fmt: skip
        return [*shipped, *(rules.agent for rules in mine.values() if rules.agent not in shipped)]

    def replay(self, asked: ReplayRequest) -> dict[str, Any]:
        """What the rules of an agent make of one captured screen, and which of them hold. Raises E_INVALID_REQUEST."""
        mine, wrong = self._on_disk()
        why = next((why for path, why in wrong.items() if path.stem == asked.agent), None)
        if why is not None:
            raise AgtmuxError("E_INVALID_REQUEST", why)
        rules, path = self._rules_of(asked.agent, mine)
        return trial.replayed(rules, path, asked)

    async def check(self, asked: CheckRequest) -> list[dict[str, Any]]:
        """Every rule tried on the sample that is to prove it: one item per agent. Raises E_INVALID_REQUEST."""
        mine, wrong = self._on_disk()
        items: list[dict[str, Any]] = [
            {
                "agent": path.stem, "rules_file": str(path), "recorded_on": [], "rules": [],
                "error": f"{why} (the previous rules stay in use)" if path in self._mine else why,
            }
            for path, why in wrong.items()
            if not asked.agents or path.stem in asked.agents
        ]  # fmt: skip
        broken = {path.stem for path in wrong}
        for agent in asked.agents or self._known(mine):
            if agent in broken:
                continue
            rules, path = self._rules_of(agent, mine)
            screens = dict.fromkeys([rule.name for rule in rules.rules], self._screens_of(agent))
            screens |= {} if path is None else dict.fromkeys([rule.name for rule in mine[path].rules], path.parent)
            items.append(
                {
                    "agent": agent, "rules_file": None if path is None else str(path), "error": None,
                    "recorded_on": list(rules.recorded_on),
                    "rules": [one async for one in trial.tried(rules, screens, asked.corpus)],
                }
            )  # fmt: skip
        return items


def _by_agent(mine: Mapping[Path, RuleSet]) -> dict[str, RuleSet]:
    return {rules.agent: rules for rules in mine.values()}
