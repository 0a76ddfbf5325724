"""Decide whether an actor may do something. Pure. Deny wins; without a rule the default of the verb counts.

People may do everything. Agents may read, message, wait and hold in their own name; they may not act on panes.
"""

from __future__ import annotations

from typing import Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.actor import Actor

VERBS: Final = ("read", "message", "signal", "wait", "lease", "worktree", "spawn", "act", "admin")
"""What a rule can be about."""
OPEN_TO_AGENTS: Final = frozenset({"read", "message", "signal", "wait", "lease", "worktree"})
"""Verbs that agents may use in their own name without a rule."""


def allow(actor: Actor, verb: str, object_: str) -> None:
    """Raise E_POLICY_DENIED, naming the rule and the allowed form, if the actor may not do this."""
    if not actor.is_agent or verb.partition(".")[0] in OPEN_TO_AGENTS:
        return
    raise AgtmuxError(
        "E_POLICY_DENIED",
        f"agents may not {verb} ({object_}): only people may, unless a rule in [[policies]] allows it",
        {"verb": verb, "object": object_, "rule": "default"},
    )
