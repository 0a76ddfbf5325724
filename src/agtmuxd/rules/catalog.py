"""Keep the screen rules in use: the shipped rules of adapters, plus the rules files of the user.

Owns which of the user's rules are in use, and reloads them when a file in the rules folder changes.
``rules.folder`` reads the files. ``rules.trial`` tries rules on screens.
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
"""Seconds between two checks of the folder while no file changes."""
LOOK_SOON: Final = 0.1
"""Seconds between two checks while a file is being changed."""


class RuleCatalog:
    """Hold the user's rules by file, and give them to the adapter registry."""

    def __init__(self, registry: Registry, folder: Path) -> None:
        self._registry = registry
        self._folder = RuleFolder(folder)
        self._changes = FolderChanges()
        self._own_rules: dict[Path, RuleSet] = {}
        self.wrong: dict[Path, str] = {}
        """The last reported error of each bad file. Such a file keeps the rules that were last loaded from it."""

    def read(self) -> None:
        """Read the user's folder and use all its rules.

        Raises E_INVALID_REQUEST if any file is wrong. Then the rules in use outcome as they are.
        """
        marks, found = self._read_files()
        own, wrong = self._validate(found)
        if wrong:
            raise AgtmuxError("E_INVALID_REQUEST", next(iter(wrong.values())))
        self._own_rules, self.wrong, self._changes.taken = own, {}, marks
        self._registry.use_rules(_by_agent(own))  # even if unchanged: rules that were put aside are tried again

    def read_good_files(self) -> list[str]:
        """Read the user's folder and use the rules of its good files. Return the errors of the others."""
        try:
            marks, found = self._read_files()
        except AgtmuxError as error:
            self.wrong = {self._folder.path: error.message}
        else:
            self._own_rules = {}
            self._registry.use_rules({})
            _, self.wrong = self._use(marks, found)
        return list(self.wrong.values())

    def _read_files(self) -> tuple[Marks, Mapping[Path, RuleFile]]:
        """Read the folder now. Raises E_INVALID_REQUEST if it cannot be read."""
        try:
            marks = self._folder.marks()
        except ValueError as error:
            raise AgtmuxError("E_INVALID_REQUEST", str(error)) from error
        return marks, self._folder.read(marks)

    def _validate(self, found: Mapping[Path, RuleFile]) -> tuple[dict[Path, RuleSet], dict[Path, str]]:
        """Return the usable rules by file, and the error of each other file."""
        own: dict[Path, RuleSet] = {}
        wrong: dict[Path, str] = {}
        for path, file in found.items():
            why = file.wrong if file.rules is None else self._unusable(path, file.rules)
            if why is None and file.rules is not None:
                own[path] = file.rules
            else:
                wrong[path] = str(why)
        return own, wrong

    def _unusable(self, path: Path, rules: RuleSet) -> str | None:
        """Return why no adapter can use these valid rules, or None if one can."""
        known = self._registry.get(rules.agent)
        if known is not None and not isinstance(known.adapter, RuleAdapter):
            return f"{path}: the adapter of {rules.agent} uses no rules, so your own cannot be added"
        if rules.programs is None and (known is None or isinstance(known.adapter, RulesOnlyAdapter)):
            return (
                f"{path}: agtmux knows no agent {rules.agent}: add [process] with the names of its programs, "
                f'like names = ["{rules.agent}"]'
            )
        return None

    def _use(self, marks: Marks, found: Mapping[Path, RuleFile]) -> tuple[bool, dict[Path, str]]:
        """Use the good files. A wrong file keeps the rules that it had.

        Return whether any rules changed, and the errors by file.
        """
        own, wrong = self._validate(found)
        own.update({path: self._own_rules[path] for path in wrong if path in self._own_rules})
        self._changes.taken = marks
        if own == self._own_rules:
            return False, wrong
        self._registry.use_rules(_by_agent(own))
        self._own_rules = own
        return True, wrong

    # ---------------------------------------------------------------- as the folder changes

    async def watch(self, changed: Callable[[], None], clock: Callable[[], int] = time.monotonic_ns) -> None:
        """Reload the rules when the folder changes, until cancelled. ``changed`` is called after each reload."""
        while True:
            try:
                pause = await self.check_for_changes(changed, clock())
            except Exception:  # noqa: BLE001 - the task's outermost edge: no rules file may end the daemon
                _LOG.exception("the rules folder could not be read")
                pause = LOOK_EVERY
            await coalesced_sleep(pause)

    async def check_for_changes(self, changed: Callable[[], None], now: int) -> float:
        """Check the folder once, and reload the rules if it changed. Return the seconds until the next check.

        Changed files are read in another thread. The check itself is a few system calls in this thread: a thread
        for them would cost ten times as much.
        """
        try:
            marks = self._folder.marks()
        except ValueError as error:
            self._report({**self.wrong, self._folder.path: str(error)})
            return LOOK_EVERY
        state = self._changes.look(marks, now)
        if state is FolderState.UNCHANGED:
            self._report({path: why for path, why in self.wrong.items() if path != self._folder.path})
            return LOOK_EVERY
        if state is FolderState.CHANGING:
            return LOOK_SOON
        found = await asyncio.to_thread(self._folder.read, marks)
        if state is FolderState.SETTLED and self._may_be_unfinished(found):
            return LOOK_SOON
        rules_changed, wrong = self._use(marks, found)
        self._report(wrong)
        if rules_changed:
            _LOG.info("rules loaded", files=[str(path) for path in sorted(self._own_rules)])
            changed()
        return LOOK_EVERY

    def _may_be_unfinished(self, found: Mapping[Path, RuleFile]) -> bool:
        """Return whether a save may still be going on: a file is gone, or has a new error."""
        _, wrong = self._validate(found)
        return any(path not in found for path in self._own_rules) or any(
            self.wrong.get(p) != w for p, w in wrong.items()
        )

    def _report(self, wrong: dict[Path, str]) -> None:
        for path, why in wrong.items():
            if self.wrong.get(path) != why:
                outcome = "the previous rules stay in use" if path in self._own_rules else "the file is not used"
                _LOG.error("rules not loaded", why=why, so=outcome)
        self.wrong = wrong

    # ---------------------------------------------------------------- trying rules

    def _on_disk(self) -> tuple[dict[Path, RuleSet], dict[Path, str]]:
        """Read the files as they are now, loaded or not: a user tries rules right after writing them."""
        _, found = self._read_files()
        return self._validate(found)

    def _rules_of(self, agent: str, own: Mapping[Path, RuleSet]) -> tuple[RuleSet, Path | None]:
        """Return the rules of ``agent``, the user's included, and the user's file if there is one.

        Raises E_INVALID_REQUEST if the agent has no rules.
        """
        path = next((path for path, rules in own.items() if rules.agent == agent), None)
        isolated = self._registry.get(agent)
        adapter = isolated.adapter if isolated is not None else None
        if path is not None:
            return (merged_rules(adapter, own[path]) if isinstance(adapter, RuleAdapter) else own[path]), path
        if isinstance(adapter, RuleAdapter) and not isinstance(adapter, RulesOnlyAdapter):
            return adapter.shipped, None
        known = ", ".join(self._known(own))
        raise AgtmuxError(
            "E_INVALID_REQUEST",
            f"there are no rules for agent {agent}: use one of {known}, or write {self._folder.path}/{agent}.toml",
        )

    def _screens_of(self, agent: str) -> Path | None:
        """Return the folder with the samples of an adapter's shipped rules."""
        isolated = self._registry.get(agent)
        adapter = isolated.adapter if isolated is not None else None
        return adapter.screens if isinstance(adapter, RuleAdapter) else None

    def _known(self, own: Mapping[Path, RuleSet]) -> list[str]:
        """Return the agents that have rules."""
        shipped = [
            a.agent_type for a in self._registry
            if isinstance(a.adapter, RuleAdapter) and not isinstance(a.adapter, RulesOnlyAdapter)
        ]  # fmt: skip
        return [*shipped, *(rules.agent for rules in own.values() if rules.agent not in shipped)]

    def replay(self, asked: ReplayRequest) -> dict[str, Any]:
        """Try an agent's rules on one captured screen. Return the result, and which rules match.

        Raises E_INVALID_REQUEST if the agent has no rules, its file is wrong, or a pattern takes too long.
        """
        own, wrong = self._on_disk()
        why = next((why for path, why in wrong.items() if path.stem == asked.agent), None)
        if why is not None:
            raise AgtmuxError("E_INVALID_REQUEST", why)
        rules, path = self._rules_of(asked.agent, own)
        return trial.replay(rules, path, asked)

    async def check(self, asked: CheckRequest) -> list[dict[str, Any]]:
        """Try every rule on its own sample. Return one item per agent. Raises E_INVALID_REQUEST."""
        own, wrong = self._on_disk()
        items: list[dict[str, Any]] = [
            {
                "agent": path.stem, "rules_file": str(path), "recorded_on": [], "rules": [],
                "error": f"{why} (the previous rules stay in use)" if path in self._own_rules else why,
            }
            for path, why in wrong.items()
            if not asked.agents or path.stem in asked.agents
        ]  # fmt: skip
        broken = {path.stem for path in wrong}
        for agent in asked.agents or self._known(own):
            if agent in broken:
                continue
            rules, path = self._rules_of(agent, own)
            screens = dict.fromkeys([rule.name for rule in rules.rules], self._screens_of(agent))
            screens |= {} if path is None else dict.fromkeys([rule.name for rule in own[path].rules], path.parent)
            items.append(
                {
                    "agent": agent, "rules_file": None if path is None else str(path), "error": None,
                    "recorded_on": list(rules.recorded_on),
                    "rules": [one async for one in trial.try_rules(rules, screens, asked.corpus)],
                }
            )  # fmt: skip
        return items


def _by_agent(own: Mapping[Path, RuleSet]) -> dict[str, RuleSet]:
    return {rules.agent: rules for rules in own.values()}
