"""Structured logs: one line per event, as text or JSON. Secrets are taken out before anything is written.

A log call never raises and never waits: what cannot be rendered or written is counted (``sink.LogCounts``).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from typing import Any

import structlog

from agtmux.protocol.redact import redact
from agtmux.protocol.text import block, one_line
from agtmuxd.log.flood import FloodFilter
from agtmuxd.log.sink import LogCounts

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

Line = Callable[[str], None]


def _clean(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return redact(dict(event))


def _harmless(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """One event is one line but for its traceback, and steers no terminal: names come from panes."""
    return {
        key: value if not isinstance(value, str) else block(value) if key == "exception" else one_line(value)
        for key, value in event.items()
    }


class _Render:
    """The whole way from an event to its line, as one step that cannot raise."""

    def __init__(self, form: str, losses: LogCounts, *, all_lines: bool) -> None:
        renderer: Any = (
            structlog.processors.JSONRenderer(sort_keys=True)
            if form == "json"
            else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
        )
        self._steps: tuple[Any, ...] = (
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _clean,
            *([] if form == "json" else [_harmless]),
            renderer,
        )
        self._losses = losses
        self._flood = None if all_lines else FloodFilter()

    def __call__(self, logger: Any, name: str, event: MutableMapping[str, Any]) -> str:
        """The line. Raises structlog.DropEvent where there is none, which ends the log call in silence."""
        try:
            if self._flood is not None:
                let, left_out = self._flood.allow(str(event.get("event"))[:200])
                if not let:
                    self._losses.left_out += 1
                    raise structlog.DropEvent
                if left_out:
                    event["left_out"] = left_out
            made: Any = event
            for step in self._steps:
                made = step(logger, name, made)
            return str(made)
        except structlog.DropEvent:
            raise
        except Exception as error:
            self._losses.failed(f"a line could not be rendered: {type(error).__name__}")
            raise structlog.DropEvent from error


class _Lines:
    """structlog's last step: the line to its writer, whatever its level."""

    def __init__(self, write: Line) -> None:
        self._write = write

    def msg(self, line: str) -> None:
        self._write(line)

    debug = info = warning = warn = error = err = critical = exception = fatal = failure = log = msg


class _Others(logging.Handler):
    """What libraries tell by the standard library's logging, as events like ours."""

    def __init__(self, write: Line, render: _Render, losses: LogCounts) -> None:
        super().__init__(logging.WARNING)
        self._write = write
        self._render = render
        self._losses = losses

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception as error:  # noqa: BLE001 whatever its arguments do when they are put in
            self._losses.failed(f"a line could not be rendered: {type(error).__name__}")
            return
        event: dict[str, Any] = {"event": text, "logger": record.name}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        with suppress(structlog.DropEvent):
            self._write(self._render(None, record.levelname.lower(), event))


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")


def configure(level: str, form: str, write: Line = _to_stderr, losses: LogCounts | None = None) -> None:
    """Send logs of ``level`` and above to ``write``; ``form`` is text or json. At ``debug`` floods are written too."""
    counted = losses or LogCounts()
    render = _Render(form, counted, all_lines=level == "debug")
    structlog.configure(
        processors=[render],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *_: _Lines(write),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, _Others)]:
        root.removeHandler(handler)
    root.addHandler(_Others(write, render, counted))
