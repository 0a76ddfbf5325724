"""Structured logs on stderr: one line per event, as text or JSON. Secrets are taken out before anything is written."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from agtmux.protocol.redact import redact
from agtmux.protocol.text import block, one_line

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def _clean(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return redact(dict(event))


def _harmless(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """One event is one line but for its traceback, and steers no terminal: names come from panes."""
    return {
        key: value if not isinstance(value, str) else block(value) if key == "exception" else one_line(value)
        for key, value in event.items()
    }


def configure(level: str, form: str) -> None:
    """Send logs of ``level`` and above to stderr; ``form`` is text or json."""
    renderer: Any = (
        structlog.processors.JSONRenderer(sort_keys=True)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _clean,
            *([] if form == "json" else [_harmless]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
