"""Publish a pane's title: on one line, without the glyphs that only animate."""

from __future__ import annotations

import re
from functools import lru_cache

from agtmux.protocol.text import one_line

_GLYPHS = re.compile(
    r"^(?:\[\s*[!.]\s*\]\s*|[\u2800-\u28ff\u25d0-\u25d3\u25cf\u25cb\u25c7\u25c6✳✶✻✽✢·•✦✋⏲⏳✓✔]\ufe0f?\s+)+"
)


@lru_cache(maxsize=1024)  # called for every pane in every round; titles that change all the time fill it
def published(title: str) -> str:
    """Return ``title`` without leading activity glyphs and control characters, at most 200 characters."""
    return _GLYPHS.sub("", one_line(title).strip()).strip()[:200]
