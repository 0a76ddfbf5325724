"""Every route of the daemon, found where routes are declared: what tests walk."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from agtmuxd.api import routes
from agtmuxd.api.route import Route
from agtmuxd.api.routes import contract


def resources() -> dict[str, tuple[Route[Any], ...]]:
    """The routes of each resource, by the module that declares them. The contract is none: it describes the others."""
    names = sorted(found.name for found in iter_modules(routes.__path__) if found.name != "contract")
    return {name: import_module(f"{routes.__name__}.{name}").ROUTES for name in names}


ROUTES: tuple[Route[Any], ...] = (*(route for some in resources().values() for route in some), *contract.ROUTES)
