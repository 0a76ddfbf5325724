"""Find out what people recognise panes by, and report what changed.

Owns how often folders are looked at. Projects are read in threads (this machine) or by a command (ssh); names come from
titles and status files, messages from transcripts. None of it delays a round, and a failure changes nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import structlog

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.text import one_line
from agtmuxd.core.model import Project
from agtmuxd.ingest.labels import labels_of
from agtmuxd.repository import NO_TEXT, AgentText, FolderKey, Repository, Runtime
from agtmuxd.stream.published import Changes
from agtmuxd.targets import projects
from agtmuxd.targets.agent import Agent
from agtmuxd.targets.executor import ExecutorError, TargetExecutor
from agtmuxd.targets.local.patience import Patience
from agtmuxd.targets.local.projects import LocalProjects

_LOG = structlog.get_logger("labels")

EVERY: Final = 2.0
"""Seconds between two looks at the folders of agents on this machine."""
QUIET: Final = 6.0
"""The same while nothing else happens."""
SELDOM: Final = 10.0
"""The same for panes without an agent, and for agents behind ssh."""
AFTER_FAILURE: Final = 60.0
"""Seconds until a target behind ssh is asked again after a failure."""
SOON: Final = 0.1
"""Seconds to gather news before a look that they caused."""
_STALE: Final = 64
"""Folders without a pane that are remembered."""


class Naming(Protocol):
    """What the adapters know about the names that agents give their sessions."""

    def session_name(
        self, agent_type: str, title: str, folder: str, status: Mapping[str, Any] | None
    ) -> str | None: ...


@dataclass(frozen=True, slots=True)
class LabelSources:
    """Where labels come from. ``executor``: of a target, None if it is not watched or cannot be reached."""

    naming: Naming
    agents: Callable[[], Iterable[tuple[str, Agent]]]
    executor: Callable[[str], TargetExecutor | None]
    headline: Callable[[str], tuple[str, int] | None]
    """The first line of an agent's last message and its time (ns), by runtime id. None: its transcript has none."""
    passes: Callable[[], int] = lambda: 0
    """A number that grows with each change of the repository."""


Publish = Callable[[Mapping[FolderKey, Project | None], Mapping[str, AgentText]], Awaitable[object]]


class Labelling:
    """Keeps the labels of all panes up to date. ``run`` runs until cancelled."""

    def __init__(
        self,
        repository: Repository,
        sources: LabelSources,
        publish: Publish,
        redacted: Callable[[Any], Any],
        count: Callable[[str], None],
        trouble: Callable[[str | None], None],
        patience: Patience[Project] | None = None,
    ) -> None:
        """``count``: counts for health. ``trouble``: tells health what is wrong now; None: nothing."""
        self._repository = repository
        self._sources = sources
        self._publish = publish
        self._redacted = redacted
        self._count = count
        self._trouble = trouble
        self._patience = patience or Patience(LocalProjects().look)
        self._news = asyncio.Event()
        self._all_at = 0.0
        self._clean: dict[tuple[str | None, ...], tuple[str | None, ...]] = {}
        self._far_at: dict[str, float] = {}
        self._asking: set[str] = set()

    def on_changes(self, changes: Changes) -> None:
        """Look soon if a pane has another folder, title or agent. Call it after each publication."""
        for change in changes.get("panes", ()):
            if change.item is not None and (
                change.before is None or labels_of(change.before) != labels_of(change.item)
            ):
                self._news.set()
                return

    def look_soon(self) -> None:
        """Look soon: an agent said something."""
        self._news.set()

    async def run(self) -> None:
        """Keep the labels up to date until cancelled. A failure is logged and counted."""
        loop, passes = asyncio.get_running_loop(), -1
        async with asyncio.TaskGroup() as group:
            while True:
                before, passes = passes, self._sources.passes()
                try:
                    await self.once(loop.time(), group)
                except Exception as error:  # noqa: BLE001 the outermost edge of this task
                    known = isinstance(error, AgtmuxError)  # most likely the store; health reports it
                    _LOG.error("labels not updated; trying again", error=str(error), exc_info=not known)
                    self._count("label_failures")
                period = QUIET if passes == before else EVERY
                with suppress(TimeoutError):
                    async with asyncio.timeout(period - loop.time() % period):
                        await self._news.wait()
                    await asyncio.sleep(SOON)
                self._news.clear()

    async def once(self, now: float, group: asyncio.TaskGroup) -> None:
        """Look once. ``now``: seconds by the loop's clock. ``group``: runs the questions to machines behind ssh."""
        here, far = self._wanted(now)
        read = await self._patience.call_all([*dict.fromkeys(folder for _, folder in here)]) if here else {}
        self._report(self._patience.hung)
        found = {key: self._redact(read.get(key[1], Project())) for key in here}
        await self._post(found)
        for target_id, folders in far.items():
            due = self._far_at.get(target_id, 0.0)
            if any((target_id, folder) not in self._repository.projects for folder in folders):
                due -= SELDOM - EVERY  # an agent in a new folder need not wait so long
            if target_id not in self._asking and now >= due:
                self._asking.add(target_id)
                group.create_task(self._ask(target_id, folders, now), name=f"projects of {target_id}")

    def _wanted(self, now: float) -> tuple[list[FolderKey], dict[str, list[str]]]:
        """Return the folders of this machine to look at now, and the folders of agents elsewhere by target."""
        known, every = self._repository.projects, now >= self._all_at + SELDOM
        if every:
            self._all_at = now
        here: dict[FolderKey, None] = {}
        far: dict[str, list[str]] = {}
        for key, pane in self._repository.panes.items():
            target, folder = self._repository.targets.get(key[0]), pane.row.cwd
            if target is None or not folder.startswith("/"):
                continue
            agent = key in self._repository.active
            if target.kind == "local":
                if agent or every or (key[0], folder) not in known:
                    here[(key[0], folder)] = None
            elif agent and target.health != "down" and folder not in far.setdefault(key[0], []):
                far[key[0]].append(folder)
        return list(here), far

    async def _ask(self, target_id: str, folders: Sequence[str], now: float) -> None:
        """Ask a machine behind ssh for the projects of its agents' folders. If it fails, they stay as they are."""
        self._far_at[target_id] = now + SELDOM
        try:
            executor = self._sources.executor(target_id)
            if executor is None:
                return
            read = await projects.look(executor, folders)
            await self._post({(target_id, folder): self._redact(project) for folder, project in read.items()})
        except Exception as error:  # noqa: BLE001 the outermost edge of this task
            self._far_at[target_id] = now + AFTER_FAILURE
            self._count("projects_not_read")
            known = isinstance(error, (ExecutorError, AgtmuxError))
            _LOG.info("projects not read; trying again later", target=target_id, why=str(error), exc_info=not known)
        finally:
            self._asking.discard(target_id)

    def _report(self, hung: Sequence[str]) -> None:
        if not hung:
            self._trouble(None)
            return
        names = ", ".join(one_line(path) for path in hung)
        self._trouble(f"no answer from {names}: projects and branches there are not shown until it answers")

    # ---------------------------------------------------------------- what changed

    async def _post(self, found: Mapping[FolderKey, Project]) -> None:
        """Publish what differs from what is known."""
        known = self._repository.projects
        changed: dict[FolderKey, Project | None] = {k: v for k, v in found.items() if known.get(k) != v}
        texts = self._changed_texts()
        if changed or texts or len(known) > len(self._repository.panes) + _STALE:
            used = {(key[0], pane.row.cwd) for key, pane in self._repository.panes.items()}
            changed |= dict.fromkeys(known.keys() - used - changed.keys())
            await self._publish(changed, texts)

    def _redact(self, project: Project) -> Project:
        name, branch, worktree = self._without_secrets(project.name, project.branch, project.worktree)
        return Project(name, branch, worktree)

    def _without_secrets(self, *names: str | None) -> tuple[str | None, ...]:
        """Remove secrets from names. The same names are searched once."""
        clean = self._clean.get(names)
        if clean is None:
            if len(self._clean) >= 1024:
                self._clean.clear()
            clean = self._clean[names] = tuple(self._redacted(list(names)))
        return clean

    def _changed_texts(self) -> dict[str, AgentText]:
        """Return the names and messages that changed, by runtime id."""
        status = {(target_id, agent.pane_id): agent for target_id, agent in self._sources.agents()}
        out = {}
        for key, runtime_id in self._repository.active.items():
            runtime = self._repository.runtimes.get(runtime_id)
            if runtime is None:
                continue
            before = self._repository.agent_texts.get(runtime_id, NO_TEXT)
            agent = status.get(key)
            now = replace(before, name=self._name(runtime, None if agent is None else agent.status_data))
            headline = self._sources.headline(runtime_id)
            if headline is not None and headline[1] >= before.message_at:
                now = replace(now, message=headline[0], message_at=headline[1])
            if now != before:
                out[runtime_id] = now
        return out

    def _name(self, runtime: Runtime, status: Mapping[str, Any] | None) -> str | None:
        pane = self._repository.panes.get((runtime.target_id, runtime.pane_id))
        if pane is None:
            return None
        name = self._sources.naming.session_name(runtime.agent_type, pane.row.title, pane.row.cwd, status)
        return self._without_secrets(name)[0]
