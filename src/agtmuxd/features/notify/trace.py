"""Explain what became of an episode: rule by rule and channel by channel. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from agtmuxd.core.json_codec import stamp, stamp_or_none
from agtmuxd.features.notify.message_store import Sending
from agtmuxd.features.notify.model import Delivery, Episode, Part
from agtmuxd.features.notify.plan import Facts, judge


def episode_item(episode: Episode) -> dict[str, Any]:
    """Describe an episode for the API."""
    subject = episode.subject
    return {
        "episode": episode.episode_id,
        "kind": str(episode.kind),
        "pane": subject.ref or None,
        "agent": subject.agent,
        "target": subject.target or None,
        "place": subject.place or None,
        "opened_at": stamp(episode.opened_at),
        "closed_at": stamp_or_none(episode.closed_at),
        "close_reason": episode.close_reason,
        "turn_s": None if episode.turn is None else round(episode.turn / 1e9, 1),
        "seen_at": stamp_or_none(episode.seen_at),
    }


def delivery_item(delivery: Delivery, sendings: Mapping[str, Sending]) -> dict[str, Any]:
    """Describe what was decided for one channel. ``sendings``: messages that are not delivered yet, by id."""
    sending = sendings.get(delivery.message_id or "")
    again = sending is not None and sending.state == "retry"
    return {
        "channel": delivery.channel,
        "part": str(delivery.part),
        "state": "retry" if again else str(delivery.state),
        "at": stamp_or_none(sending.next_at) if sending is not None and again else stamp(delivery.at),
        "rule": delivery.rule,
        "reason": sending.last_error if sending is not None and again else delivery.reason,
        "message": delivery.message_id,
    }


def explain_episode(
    facts: Facts, episode: Episode, made: Iterable[Delivery], sendings: Mapping[str, Sending]
) -> dict[str, Any]:
    """Describe an episode with what was decided, what is still open, and which rules are not for it."""
    decided = list(made)
    open_items: list[dict[str, Any]] = []
    if episode.closed_at is None:
        for channel in facts.channels:
            for part in Part:
                verdict = judge(facts, episode, channel, part)
                if verdict is not None:
                    open_items.append(
                        {
                            "channel": channel,
                            "part": str(part),
                            "state": str(verdict.do),
                            "at": stamp_or_none(verdict.until),
                            "rule": verdict.rule,
                            "reason": verdict.reason,
                            "message": None,
                        }
                    )
    passed = [
        {"rule": rule.number, "reason": why}
        for rule in facts.rules
        if rule.number and (why := rule.why_not(episode)) is not None
    ]
    return {
        **episode_item(episode),
        "deliveries": [*(delivery_item(one, sendings) for one in decided), *open_items],
        "rules_not_for_it": passed,
    }
