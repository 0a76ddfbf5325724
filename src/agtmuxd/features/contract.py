"""What a feature is: what it gives the daemon, and what it may use of it.

A feature is a folder ``features/<name>/``, named in ``FEATURES`` in ``daemon.py``. Its module ``feature`` has a
function ``build(context: Context) -> Feature``. Beside that, as far as it needs them:

- ``model.py``: values and decisions, pure.
- ``store.py``: its SQL.
- ``service.py``: what it does.
- ``routes.py``: its routes and their models.
- ``migrations/NNNN_words.up.sql`` and ``.down.sql``: its tables. All migrations of the daemon share one numbering; take
  the next free number. A migration that was released is never deleted: it moves to ``migrations/`` with its number.

A feature imports no other feature, and nothing outside ``features`` imports one. It reaches no pane itself: it acts by
``Context.act``, so that each action is checked, done once and recorded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.route import RouteTable
from agtmuxd.config import Settings
from agtmuxd.core.action.request import Request
from agtmuxd.repository import Repository
from agtmuxd.services.health import HealthPart
from agtmuxd.store.db import Store
from agtmuxd.stream.published import PublishedRows
from agtmuxd.stream.subscription import Subscriber

Act = Callable[[Request, int | None, int | None], Awaitable[dict[str, Any]]]
"""``await act(request, uid, pid)``: ``perform`` of ``actions.runner``. Raises whatever it was refused with."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a feature may use."""

    store: Store
    """Run its SQL here: ``read`` for reads, ``run`` for writes of its own tables."""
    view: PublishedRows
    """The published rows. Read only."""
    repository: Repository
    """The rows in memory. Read only."""
    envelope: Envelope
    """Of answers that list rows."""
    act: Act
    clock: Callable[[], int]
    settings: Callable[[], Settings]


@dataclass(frozen=True, slots=True)
class Feature:
    """What a feature gives the daemon. Everything may be left out."""

    tables: tuple[RouteTable[Any], ...] = ()
    subscriber: Subscriber | None = None
    """Hears of changes after each commit."""
    run: Callable[[], Awaitable[None]] | None = None
    """A task of its own, until the daemon stops. What it raises ends this task alone, and is told in health."""
    health: Callable[[], HealthPart] | None = None
    """Its part of health; counters are shown as ``<feature>_<counter>``."""
