"""Write structured logs: one line for each event, as text or JSON, with secrets removed first.

A log call never raises and never waits. Lines that cannot be rendered or written are counted (``sink.LogCounts``).
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


def _without_secrets(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return redact(dict(event))


def _without_control_characters(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep an event on one line, except its traceback, and remove terminal control characters.

    Needed because names come from panes.
    """
    return {
        key: value if not isinstance(value, str) else block(value) if key == "exception" else one_line(value)
        for key, value in event.items()
    }


class _Render:
    """All steps from an event to its line, as one step that cannot raise."""

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
            _without_secrets,
            *([] if form == "json" else [_without_control_characters]),
            renderer,
        )
        self._losses = losses
        self._flood = None if all_lines else FloodFilter()

    def __call__(self, logger: Any, name: str, event: MutableMapping[str, Any]) -> str:
        """Return the line. Raises structlog.DropEvent if there is none, which ends the log call silently."""
        try:
            if self._flood is not None:
                allowed, left_out = self._flood.allow(str(event.get("event"))[:200])
                if not allowed:
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
    """The last step of structlog: pass the line to its writer, whatever its level."""

    def __init__(self, write: Line) -> None:
        self._write = write

    def msg(self, line: str) -> None:
        self._write(line)

    debug = info = warning = warn = error = err = critical = exception = fatal = failure = log = msg


class _LibraryLogs(logging.Handler):
    """Turns the log records of libraries (standard library logging) into events like ours."""

    def __init__(self, write: Line, render: _Render, losses: LogCounts) -> None:
        super().__init__(logging.WARNING)
        self._write = write
        self._render = render
        self._losses = losses

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception as error:  # noqa: BLE001 formatting foreign arguments may raise anything
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
    """Send logs of ``level`` and above to ``write``. ``form``: text or json. At ``debug`` floods are written too."""
    counted = losses or LogCounts()
    render = _Render(form, counted, all_lines=level == "debug")
    structlog.configure(
        processors=[render],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *_: _Lines(write),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, _LibraryLogs)]:
        root.removeHandler(handler)
    root.addHandler(_LibraryLogs(write, render, counted))
