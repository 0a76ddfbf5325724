"""Serve the daemon's health and configuration, and the commands to reload and to stop."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from agtmux import __version__
from agtmuxd.adapters.registry import Registry
from agtmuxd.api.connections import Connections
from agtmuxd.api.envelopes import Envelope
from agtmuxd.config import Settings
from agtmuxd.core.json_codec import stamp
from agtmuxd.ingest.app_servers import AppServers
from agtmuxd.ingest.pipeline import Pipeline
from agtmuxd.ingest.spool import SpoolReader
from agtmuxd.ingest.transcripts.follower import TranscriptFollower
from agtmuxd.rules.catalog import RuleCatalog
from agtmuxd.services.health import HealthPart, StorageHealth
from agtmuxd.store.db import Store
from agtmuxd.store.migrate import load
from agtmuxd.stream.hub import Hub
from agtmuxd.target_manager.manager import TargetManager


@dataclass(frozen=True, slots=True)
class HealthSources:
    """The parts that health reports on. It only reads them."""

    pipeline: Pipeline
    target_manager: TargetManager
    hub: Hub
    store: Store
    registry: Registry
    rule_catalog: RuleCatalog
    spool: SpoolReader
    transcripts: TranscriptFollower
    app_servers: AppServers
    connections: Connections
    storage_health: StorageHealth
    troubles: Mapping[str, str]
    """Current problems of the daemon itself, by topic."""


class DaemonStatus:
    """Implements ``DaemonService`` of ``api.routes.daemon``."""

    def __init__(
        self,
        *,
        envelope: Envelope,
        sources: HealthSources,
        settings: Callable[[], Settings],
        paths: dict[str, str],
        reload: Callable[[], None],
        stop: Callable[[], None],
        features: Callable[[], HealthPart] = HealthPart,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """``paths``: the paths ``socket``, ``database`` and ``config``. ``features``: gives the features' health.
        ``environ``: the daemon's environment.
        """
        self._environment = _environment(environ or {})
        self.envelope = envelope
        self.reload = reload
        self.stop = stop
        self._sources = sources
        self._features = features
        self._settings = settings
        self._paths = paths
        self._began = time.monotonic()
        self._schema = len(load())

    def listens_at(self, path: str) -> None:
        """Show ``path`` as the socket from now on."""
        self._paths["socket"] = path

    def config(self) -> dict[str, Any]:
        return {"path": self._paths["config"], "config": self._settings().model_dump(mode="json")}

    def health(self) -> dict[str, Any]:
        of, view = self._sources, self._sources.hub.view
        items = of.target_manager.items()
        stuck = [wrong for wrong in (of.spool.wrong, of.spool.why_blocked()) if wrong is not None]
        more = self._features()
        down = any(t["health"] != "ok" for t in items)
        degraded = down or of.storage_health.wrong() or stuck or more.problems or "socket" in of.troubles
        return {
            "status": "degraded" if degraded else "ok",
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": round(time.monotonic() - self._began, 1),
            **self._paths,
            "environment": self._environment,
            "database_schema": self._schema,
            "stream_id": view.stream_id,
            "sequence": view.sequence,
            "adapters": self._adapters(),
            "targets": items,
            "queues": {"ingest": of.pipeline.depth, "store": of.store.depth, "pending_bind": len(of.pipeline.pending),
                       "connections": len(of.connections.open), "connections_most": of.connections.most},
            "counters": {**dict(sorted(of.pipeline.counters.items())), **of.target_manager.counters(),
                         **of.transcripts.counters,
                         **more.counters, "watchers": of.hub.watchers},
            "store": of.storage_health.store(),
            "log": of.storage_health.log(),
            "spool": {"waiting_bytes": of.spool.waiting, **asdict(of.spool.drained)},
            "last_errors": [*self._errors(stuck), *more.problems, *more.notes],
        }  # fmt: skip

    def _errors(self, spool: list[str]) -> list[str]:
        of = self._sources
        errors = [*of.troubles.values(), *of.storage_health.wrong(), *of.storage_health.notes()]
        errors += [f"spool: {wrong}" for wrong in spool]
        errors += of.target_manager.unreadable_panes()
        full = of.connections.refusal_note()
        if full is not None:
            errors.append(full)
        errors += [f"rules not loaded: {why}" for why in of.rule_catalog.wrong.values()]
        errors += [f"adapter {name}: {why}" for name, why in of.registry.refused.items()]
        return errors

    def _adapters(self) -> list[dict[str, Any]]:
        return [
            {
                "name": a.name, "agent_type": a.agent_type, "version": a.version,
                "contract_version": a.contract_version, "oldest_version": a.oldest, "newest_version": a.newest,
                "enabled": True, "errors": a.errors, "last_error": a.last_error,
                "servers": [
                    {**link, "since": stamp(link["since"])} for link in self._sources.app_servers.items(a.name)
                ],
            }
            for a in self._sources.registry
        ]  # fmt: skip


def _environment(environ: Mapping[str, str]) -> dict[str, str | None]:
    """Return what ``agtmux doctor`` compares with the user's shell."""
    started_by = "systemd" if environ.get("LISTEN_PID") == str(os.getpid()) else None  # other variables are inherited
    if environ.get("XPC_SERVICE_NAME") == "io.agtmux.daemon":
        started_by = "launchd"
    return {
        "service": started_by,
        "ssh_auth_sock": environ.get("SSH_AUTH_SOCK") or None,
        "tmux_tmpdir": environ.get("TMUX_TMPDIR") or None,
        "path": environ.get("PATH"),
    }
