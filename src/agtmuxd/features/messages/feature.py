"""Build the feature messages."""

from __future__ import annotations

from agtmuxd.features.contract import Context, Feature


def build(context: Context) -> Feature:
    """Build the feature."""
    del context
    return Feature()
