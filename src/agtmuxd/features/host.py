"""Build and run the features that are named. An error in a running feature never ends the daemon.

Knows no feature: the caller passes their names.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

import structlog

from agtmuxd.api.route import RouteTable
from agtmuxd.features.contract import Condition, Context, Feature
from agtmuxd.services.health import HealthPart
from agtmuxd.store.db import Store
from agtmuxd.stream.subscription import Subscriber, Subscription, Subscriptions

_LOG = structlog.get_logger("features")
PURGE_EVERY = 600.0
PURGE_AGAIN = 5.0
"""Seconds between two rounds that delete old rows: after one that found none, and after one that did."""


class FeatureHost:
    """The features of this daemon, by name."""

    def __init__(
        self,
        features: dict[str, Feature],
        subscriptions: Subscriptions,
        *,
        store: Store,
        clock: Callable[[], int],
        followers: Mapping[str, Subscriber] | None = None,
    ) -> None:
        """``store`` and ``clock`` (ns): for deleting old rows.

        ``followers``: other parts of the daemon that follow the published changes, by name.
        """
        self._features = features
        subscribers = dict(followers or {}) | {
            name: feature.subscriber for name, feature in features.items() if feature.subscriber is not None
        }
        self._subscriptions: dict[str, Subscription] = {
            name: subscriptions.add(name, subscriber) for name, subscriber in subscribers.items()
        }
        self._ended: dict[str, str] = {}
        self._purge_failures: dict[str, int] = {}
        self._store = store
        self._clock = clock

    @classmethod
    def build(
        cls,
        names: Iterable[str],
        context: Context,
        subscriptions: Subscriptions,
        followers: Mapping[str, Subscriber] | None = None,
    ) -> FeatureHost:
        """Build the named features of ``agtmuxd.features``. An exception while building one is raised."""
        features = {name: _module_of(name).build(context) for name in names}
        return cls(features, subscriptions, store=context.store, clock=context.clock, followers=followers)

    @property
    def tables(self) -> list[RouteTable[Any]]:
        return [table for feature in self._features.values() for table in feature.tables]

    @property
    def conditions(self) -> dict[str, Condition]:
        """The conditions of all features, by the word before the colon."""
        return {word: one for feature in self._features.values() for word, one in feature.conditions.items()}

    def start(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Start the subscriptions, then the features' own tasks. The caller cancels them."""
        tasks = [
            group.create_task(subscription.run(), name=f"changes for {name}")
            for name, subscription in self._subscriptions.items()
        ]
        if any(feature.purge is not None for feature in self._features.values()):
            tasks.append(group.create_task(self._purge_old(), name="old rows of features"))
        for name, feature in self._features.items():
            if feature.run is not None:
                tasks.append(group.create_task(self._guarded(name, feature.run), name=f"feature {name}"))
        return tasks

    def reloaded(self) -> None:
        """Tell the features that the configuration was loaded again."""
        for name, feature in self._features.items():
            if feature.reloaded is not None:
                try:
                    feature.reloaded()
                except Exception:  # noqa: BLE001 a feature never keeps the daemon from its new settings
                    _LOG.exception("a feature failed on a reload", feature=name)

    def health(self) -> HealthPart:
        """Collect the health of all features. Each line starts with the feature's name."""
        problems = [f"{name}: its task ended: {why}" for name, why in self._ended.items()]
        notes: list[str] = []
        counters: dict[str, int] = {}
        for name, feature in self._features.items():
            part = _health_of(name, feature)
            problems += [f"{name}: {text}" for text in part.problems]
            notes += [f"{name}: {text}" for text in part.notes]
            counters |= {f"{name}_{what}": count for what, count in part.counters.items()}
        counters |= {f"{name}_purge_failures": count for name, count in self._purge_failures.items()}
        for name, subscription in self._subscriptions.items():
            counters[f"{name}_subscriber_failures"] = subscription.failures
            counters[f"{name}_subscriber_overflows"] = subscription.overflows
        return HealthPart(tuple(problems), tuple(notes), counters)

    async def _purge_old(self) -> None:
        """Let each feature delete its old rows, now and from time to time."""
        while True:
            deleted = 0
            for name, feature in self._features.items():
                if feature.purge is not None:
                    deleted += await self._purged(name, feature.purge)
            await asyncio.sleep(PURGE_AGAIN if deleted else PURGE_EVERY)

    async def _purged(self, name: str, purge: Callable[[sqlite3.Connection, int], int]) -> int:
        try:
            return await self._store.run(lambda connection: purge(connection, self._clock()))
        except Exception:  # noqa: BLE001 the outermost edge: the next round tries again, and the other features go on
            _LOG.exception("old rows of a feature could not be deleted", feature=name)
            self._purge_failures[name] = self._purge_failures.get(name, 0) + 1
            return 0

    async def _guarded(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        try:
            await run()
        except Exception as error:  # noqa: BLE001 the outermost edge of a feature's task: the daemon goes on without it
            _LOG.exception("a feature's task ended", feature=name)
            self._ended[name] = f"{type(error).__name__}: {error}"[:200]


def _module_of(name: str) -> Any:
    return import_module(f"{__package__}.{name}.feature")


def _health_of(name: str, feature: Feature) -> HealthPart:
    if feature.health is None:
        return HealthPart()
    try:
        return feature.health()
    except Exception as error:  # noqa: BLE001 health answers whatever a feature does
        _LOG.exception("a feature could not report its health", feature=name)
        return HealthPart(problems=(f"its health is unknown: {type(error).__name__}",))
