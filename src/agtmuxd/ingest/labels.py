"""Keep what people recognise panes by: the project of its folder, and its agent's own name and last message.

Runs on the store's thread, except ``restore``. ``ingest.labelling`` finds out what they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agtmuxd.core.json_codec import nanoseconds
from agtmuxd.core.listing import Item
from agtmuxd.core.model import Project
from agtmuxd.ingest.context import IngestContext
from agtmuxd.repository import AgentText, FolderKey, Repository


def label(run: IngestContext, projects: Mapping[FolderKey, Project | None], texts: Mapping[str, AgentText]) -> None:
    """Set the projects of folders (None: forget one) and the texts of runtimes, and publish the panes that change."""
    unit = run.unit
    for folder, project in projects.items():
        if project is None:
            unit.projects.drop(folder)
        else:
            unit.projects.put(folder, project)
    if projects:
        unit.shown.update(key for key, pane in unit.panes.items() if (key[0], pane.row.cwd) in projects)
    for runtime_id, text in texts.items():
        runtime = unit.runtimes.get(runtime_id)
        if runtime is not None and runtime.ended_at is None:
            unit.agent_texts.put(runtime_id, text)
            unit.shown.add((runtime.target_id, runtime.pane_id))


def forget_ended(run: IngestContext) -> None:
    """Forget the texts of the runtimes that are gone since this transaction."""
    for runtime_id, runtime in run.unit.runtimes.over.items():
        if runtime is None and run.unit.agent_texts.get(runtime_id) is not None:
            run.unit.agent_texts.drop(runtime_id)


def restore(repository: Repository, published: Mapping[str, Mapping[str, Any]]) -> None:
    """Take over what the last daemon published, so that a start changes no row. ``published``: rows by pane key."""
    names = {target.name: target.target_id for target in repository.targets.values()}
    for item in published.values():
        target_id, folder = names.get(item["identity"]["target"]), item.get("cwd")
        if target_id is not None and folder and item.get("project"):
            found = Project(item["project"], item.get("branch"), item.get("worktree"))
            repository.projects[(target_id, folder)] = found
        runtime_id = item.get("runtime_id")
        if runtime_id in repository.runtimes and (item.get("agent_name") or item.get("message")):
            at = item.get("message_at")
            repository.agent_texts[runtime_id] = AgentText(
                item.get("agent_name"), item.get("message"), 0 if at is None else nanoseconds(at)
            )


def labels_of(item: Item) -> tuple[object, ...]:
    """Return the fields of a row from which its labels follow."""
    return item.get("cwd"), item.get("title"), item.get("runtime_id")
