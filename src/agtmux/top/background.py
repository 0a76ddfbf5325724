"""Run requests to the daemon on threads of their own, so that no key waits for an answer. Knows no screen.

Threads are not waited for: a daemon that hangs never keeps the dashboard from ending.
"""

from __future__ import annotations

import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")
    Deliver = Callable[[Callable[[], None]], object]


class Background:
    """``deliver`` brings a call to the thread of the screen. There ``report`` gets what a job raised."""

    def __init__(self, deliver: Deliver, report: Callable[[Exception], None]) -> None:
        self._deliver, self._report = deliver, report
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        self._next: dict[str, Callable[[], None]] = {}

    def run(self, job: Callable[[], T], then: Callable[[T], None]) -> None:
        """Run ``job`` once on a thread. ``then`` gets what it returns."""
        threading.Thread(target=lambda: self._bring(job, then), name="errand", daemon=True).start()

    def latest(self, name: str, job: Callable[[], T], then: Callable[[T], None]) -> None:
        """Run ``job``, unless one of this name is running: then only the newest one that waits is run after it."""
        whole = self._whole(name, job, then)
        with self._lock:
            if name in self._busy:
                self._next[name] = whole
                return
            self._busy.add(name)
        threading.Thread(target=whole, name=f"errand {name}", daemon=True).start()

    def _whole(self, name: str, job: Callable[[], T], then: Callable[[T], None]) -> Callable[[], None]:
        def whole() -> None:
            self._bring(job, then)
            with self._lock:
                waiting = self._next.pop(name, None)
                if waiting is None:
                    self._busy.discard(name)
            if waiting is not None:
                waiting()

        return whole

    def _bring(self, job: Callable[[], T], then: Callable[[T], None]) -> None:
        try:
            value = job()
        except Exception as caught:  # noqa: BLE001 - the edge of this thread
            error = caught
            self._deliver(lambda: self._report(error))
        else:
            self._deliver(lambda: then(value))
