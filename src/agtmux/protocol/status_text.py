"""Write the counts of agents as a short text: for a tmux status line, and plain.

Owns the signs and colours of ``agtmux status`` and of the status line that the daemon writes. Only counts go in, so no
text of a pane gets into a tmux format.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

UNKNOWN = "agtmux?"
"""Shown instead of the counts while they are unknown."""
SIGNS = (("needs_action", "!", "yellow"), ("error", "✗", "red"), ("running", "●", "green"))
"""Name, sign and colour of each count that is shown, in this order. The signs alone tell them apart."""


def plain(counts: Mapping[str, object]) -> str:
    """Return ``2! 1✗ 5●``: how many need you, failed, and run. Counts of 0 are left out."""
    return " ".join([f"{count}{sign}" for count, sign, _ in _nonzero(counts)])


def tmux(counts: Mapping[str, object]) -> str:
    """Return the same with colours, for a tmux status line."""
    return " ".join([f"#[fg={colour}]{count}{sign}#[fg=default]" for count, sign, colour in _nonzero(counts)])


def _nonzero(counts: Mapping[str, object]) -> list[tuple[int, str, str]]:
    found = [(counts.get(name), sign, colour) for name, sign, colour in SIGNS]
    return [(count, sign, colour) for count, sign, colour in found if isinstance(count, int) and count > 0]
