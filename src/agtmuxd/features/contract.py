"""Define a feature: what it gives the daemon, and what it may use.

A feature is a folder ``features/<name>/``, named in ``FEATURES`` in ``daemon.py``. Its module ``feature`` has a
function ``build(context: Context) -> Feature``. It may also have:

- ``model.py``: values and decisions, pure.
- ``store.py``: its SQL.
- ``service.py``: what it does.
- ``routes.py``: its routes and their models.
- ``migrations/NNNN_words.up.sql`` and ``.down.sql``: its tables. All migrations of the daemon share one numbering; take
  the next free number. Never delete a released migration: move it to ``migrations/`` and keep its number.

A feature imports no other feature, and nothing outside ``features`` imports one. It never touches a pane directly: it
acts through ``Context.act``, so that each action is checked, done once and recorded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from agtmuxd.api.envelopes import Envelope
from agtmuxd.api.route import RouteTable
from agtmuxd.config import Settings
from agtmuxd.core.action.request import Caller, Request
from agtmuxd.repository import Repository
from agtmuxd.services.health import HealthPart
from agtmuxd.store.db import Store
from agtmuxd.stream.published import PublishedRows
from agtmuxd.stream.subscription import Subscriber

Act = Callable[[Request, Caller], Awaitable[dict[str, Any]]]
"""``await act(request, caller)``: ``perform`` of ``actions.runner``. Raises AgtmuxError if the action is refused.

A caller with an ``actor`` is not checked again: set it only for someone whose proof the feature has checked.
"""

Annotate = Callable[[str, str, Any], Awaitable[bool]]
"""``await annotate(runtime_id, name, value)``: the row gets the field ``name`` until the runtime ends.

``value``: JSON, or None to remove it. An object with ``attention`` (``review`` or ``needs_action``) and ``since`` (RFC
3339) gives the row that attention while it has none itself; ``ack`` ends it. Survives a restart. Returns False if the
runtime has ended. Declare the field in ``api.responses.panes.Pane``. Raises E_STORE_UNAVAILABLE.
"""


@dataclass(frozen=True, slots=True)
class Context:
    """What a feature may use. ``clock``: ns since the epoch."""

    store: Store
    """Run its SQL here: ``read`` for reads, ``run`` for writes of its own tables."""
    view: PublishedRows
    """The published rows. Read only."""
    repository: Repository
    """The rows in memory. Read only."""
    envelope: Envelope
    """The common fields of answers that list rows."""
    act: Act
    annotate: Annotate
    """Add a field to the row of a runtime's pane, and publish it."""
    clock: Callable[[], int]
    settings: Callable[[], Settings]


@dataclass(frozen=True, slots=True)
class Feature:
    """What a feature gives the daemon. Every field is optional."""

    tables: tuple[RouteTable[Any], ...] = ()
    subscriber: Subscriber | None = None
    """Receives published changes after each commit."""
    run: Callable[[], Awaitable[None]] | None = None
    """A task that runs until the daemon stops. An exception ends only this task, and health reports it."""
    health: Callable[[], HealthPart] | None = None
    """The feature's part of health. Counters are shown as ``<feature>_<counter>``."""
