"""Say how long to wait before each further try: longer each time, and never the same for two programs."""

from __future__ import annotations

import random

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIRST, LONGEST, JITTER = 0.5, 5.0, 0.3


def delays(
    first: float = FIRST, longest: float = LONGEST, jitter: float = JITTER, chance: Callable[[], float] = random.random
) -> Iterator[float]:
    """Yield seconds without end: doubled from ``first`` to ``longest``, each longer by a random part up to ``jitter``.

    ``chance``: a random number from 0 to 1.
    """
    seconds = first
    while True:
        yield seconds * (1 + jitter * chance())
        seconds = min(seconds * 2, longest)
