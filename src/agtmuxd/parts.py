"""Group the parts of a daemon by purpose. ``daemon`` builds, starts and stops them."""

from __future__ import annotations

from dataclasses import dataclass

from agtmuxd.actions.runner import ActionRunner
from agtmuxd.adapters.registry import Registry
from agtmuxd.hooks.health import HookHealth
from agtmuxd.ingest.app_servers import AppServers
from agtmuxd.ingest.labelling import Labelling
from agtmuxd.ingest.pipeline import Pipeline
from agtmuxd.ingest.redactor import Redactor
from agtmuxd.ingest.transcripts.follower import TranscriptFollower
from agtmuxd.repository import Repository
from agtmuxd.rules.catalog import RuleCatalog
from agtmuxd.services.events import Events
from agtmuxd.services.spool_intake import SpoolIntake
from agtmuxd.store.db import Store
from agtmuxd.store.retention import RetentionTask
from agtmuxd.stream.hub import Hub
from agtmuxd.stream.published import PublishedRows
from agtmuxd.stream.subscription import Subscriptions
from agtmuxd.target_manager.manager import TargetManager


@dataclass(frozen=True, slots=True)
class Engine:
    """All parts that need no socket: they store, watch, publish and act."""

    store: Store
    repository: Repository
    view: PublishedRows
    registry: Registry
    rule_catalog: RuleCatalog
    redact: Redactor
    hub: Hub
    pipeline: Pipeline
    target_manager: TargetManager
    actions: ActionRunner
    retention: RetentionTask
    subscriptions: Subscriptions

    def count(self, what: str) -> None:
        """Increment the health counter ``what``."""
        self.pipeline.counters[what] += 1


@dataclass(frozen=True, slots=True)
class Intake:
    """The parts that take in events from other sources than the targets' rounds."""

    events: Events
    hook_tests: HookHealth
    spool: SpoolIntake
    transcripts: TranscriptFollower
    app_servers: AppServers
    labelling: Labelling
