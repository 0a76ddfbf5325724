"""Every route of the daemon, found where routes are declared: what tests walk."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from agtmuxd import features
from agtmuxd.api import routes
from agtmuxd.api.route import Route
from agtmuxd.api.routes import contract


def resources() -> dict[str, tuple[Route[Any], ...]]:
    """The routes of each resource, by the module that declares them. The contract is none: it describes the others."""
    names = sorted(found.name for found in iter_modules(routes.__path__) if found.name != "contract")
    return {name: import_module(f"{routes.__name__}.{name}").ROUTES for name in names}


def of_features() -> dict[str, tuple[Route[Any], ...]]:
    """The routes of each feature that has a folder and serves any: ``web``, or ``messages.queue`` for
    ``queue_routes``.
    """
    found: dict[str, tuple[Route[Any], ...]] = {}
    for name in sorted(f"{features.__name__}.{one.name}" for one in iter_modules(features.__path__) if one.ispkg):
        files = [one.name for one in iter_modules(import_module(name).__path__)]
        for file in files:
            if file == "routes" or file.endswith("_routes"):
                feature = name.rpartition(".")[2]
                key = feature if file == "routes" else f"{feature}.{file.removesuffix('_routes')}"
                found[key] = import_module(f"{name}.{file}").ROUTES
    return found


ROUTES: tuple[Route[Any], ...] = (
    *(route for some in [*resources().values(), *of_features().values()] for route in some),
    *contract.ROUTES,
)
