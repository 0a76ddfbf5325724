"""Decide what is sent now, what waits and why, and when to look again. Pure: the same facts give the same plan.

The facts are the open episodes, what was sent before, the rules, mutes and the time. So a restart decides as the daemon
before it would have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from agtmuxd.core.model import NS
from agtmuxd.features.notify.model import Delivery, Episode, Kind, Part, State
from agtmuxd.features.notify.rules import Rule

BUNDLE: Final = 4
"""So many episodes that began within ``BUNDLE_WITHIN`` become one message."""
BUNDLE_WITHIN: Final = 10 * NS


class Do(StrEnum):
    """What to do about one episode on one channel."""

    SEND = "send"
    WAIT = "wait"  # until it has lasted long enough
    HOLD = "hold"  # until something else is over
    SKIP = "skip"  # never


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision with its reason. ``until``: when it may change by time alone (ns); None: not by time.

    Of what is sent now, ``until`` is when it had lasted long enough.
    """

    do: Do
    rule: int | None
    reason: str
    until: int | None = None


@dataclass(slots=True)
class Facts:
    """The facts. ``last_sent``: when something was last sent about a runtime, by runtime, kind and channel.

    ``looked_at``: pane keys that somebody looks at now. ``unread``: targets that the daemon did not read yet.
    ``muted``: until when a pane is muted, by pane key. ``muted_all``: until when everything is. ``alarms``: on which
    channel the failure of another one is told, by episode id.
    """

    now: int
    rules: tuple[Rule, ...]
    channels: Mapping[str, ChannelFacts]
    episodes: Iterable[Episode]
    deliveries: Mapping[str, Mapping[tuple[str, Part], Delivery]]
    last_sent: Mapping[tuple[str, Kind, str], int] = field(default_factory=dict)
    muted: Mapping[str, int] = field(default_factory=dict)
    muted_all: int | None = None
    looked_at: Set[str] = frozenset()
    unread: Set[str] = frozenset()
    alarms: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """One channel. ``busy``: a message is being sent on it. ``disabled``: why nothing is sent on it."""

    busy: bool = False
    disabled: str | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """One message: these episodes on this channel."""

    channel: str
    parts: tuple[tuple[Episode, Part, Verdict], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now. ``look_again``: when to plan again if nothing else happens (ns)."""

    sends: tuple[Send, ...]
    skips: tuple[Delivery, ...]
    look_again: int | None


def plan(facts: Facts) -> Plan:
    """Decide for all open episodes. At most one message a channel: the next is planned once that one is done."""
    sends: list[Send] = []
    skips: list[Delivery] = []
    times: list[int] = []
    episodes = list(facts.episodes)
    for channel, status in facts.channels.items():
        ready: list[tuple[Episode, Part, Verdict]] = []
        waiting: list[tuple[Episode, Verdict]] = []
        for episode in episodes:
            for part in Part:
                verdict = judge(facts, episode, channel, part)
                if verdict is None:
                    continue
                if verdict.do is Do.SKIP:
                    skips.append(
                        Delivery(
                            episode.episode_id, channel, part, State.SKIPPED, facts.now, verdict.rule, verdict.reason
                        )
                    )
                elif verdict.do is Do.SEND:
                    ready.append((episode, part, verdict))
                else:
                    if verdict.until is not None:
                        times.append(verdict.until)
                    if verdict.do is Do.WAIT:
                        waiting.append((episode, verdict))
        if ready and not status.busy:
            chosen, again = _bundle(facts, channel, ready, waiting)
            if chosen:
                sends.append(Send(channel, chosen))
            if again is not None:
                times.append(again)
    return Plan(tuple(sends), tuple(skips), min(times, default=None))


def judge(facts: Facts, episode: Episode, channel: str, part: Part) -> Verdict | None:
    """Decide for one episode on one channel. None: no rule sends it there, or it is already decided.

    Of several rules for the same channel, one that sends now counts, then the one that sends soonest.
    """
    if (channel, part) in facts.deliveries.get(episode.episode_id, {}):
        return None
    if episode.kind is Kind.CHANNEL and facts.alarms.get(episode.episode_id) != channel:
        return None
    found = [verdict for rule in facts.rules if (verdict := _by_rule(facts, rule, episode, channel, part)) is not None]
    return min(found, key=_rank, default=None)


def unsent_at_end(facts: Facts, episode: Episode) -> list[Delivery]:
    """Say for each channel that has not heard of an episode why not, now that the episode ends."""
    found = []
    for channel in facts.channels:
        verdict = judge(facts, episode, channel, Part.FIRST)
        if verdict is None:
            continue
        why = verdict.reason if verdict.do is Do.SKIP else f"it ended first: {verdict.reason}"
        if verdict.do is Do.SEND:
            why = "it ended first"
        found.append(Delivery(episode.episode_id, channel, Part.FIRST, State.SKIPPED, facts.now, verdict.rule, why))
    return found


def _rank(verdict: Verdict) -> tuple[int, int]:
    order = (Do.SEND, Do.WAIT, Do.HOLD, Do.SKIP)
    open_end = verdict.until if verdict.until is not None else 1 << 62
    return (0 if verdict.do is Do.SEND else 1 if verdict.do is not Do.SKIP else 2, open_end + order.index(verdict.do))


def _by_rule(facts: Facts, rule: Rule, episode: Episode, channel: str, part: Part) -> Verdict | None:
    if channel not in rule.channels or rule.why_not(episode) is not None:
        return None
    number, now = rule.number, facts.now
    if part is Part.REMIND:
        first = facts.deliveries.get(episode.episode_id, {}).get((channel, Part.FIRST))
        if not rule.remind or first is None or not _reminds(first):
            return None
        ready = first.at + rule.remind
    else:
        ready = rule.ready_at(episode)
        never = _never(rule, episode)
        if never is not None:
            return Verdict(Do.SKIP, number, never)
    if now < ready:
        return Verdict(Do.WAIT, number, "it has not lasted long enough yet", ready)
    held = _held(facts, rule, episode, channel, part)
    return held or Verdict(Do.SEND, number, "it is sent now", ready)


def _reminds(first: Delivery) -> bool:
    """Whether a reminder may follow: the first message was sent, or was left out because somebody looked."""
    return first.state in (State.SENT, State.UNKNOWN) or (first.state is State.SKIPPED and first.reason == LOOKED)


LOOKED: Final = "you looked at it"


def _never(rule: Rule, episode: Episode) -> str | None:
    if episode.kind is Kind.COMPLETED and rule.min_turn:
        if episode.turn is None:
            return "the length of the turn is not known"
        if episode.turn < rule.min_turn:
            return f"the turn took only {episode.turn / NS:.0f} s"
    if episode.seen_at is not None:
        return LOOKED
    return None


def _held(facts: Facts, rule: Rule, episode: Episode, channel: str, part: Part) -> Verdict | None:
    """Say what the message has to wait for, though the episode has lasted long enough."""
    number, now, key = rule.number, facts.now, episode.pane_key
    if episode.sign.hidden:
        return Verdict(Do.HOLD, number, "its state cannot be seen now")
    if episode.subject.target in facts.unread:
        return Verdict(Do.HOLD, number, f"{episode.subject.target} was not read yet")
    if key in facts.looked_at:
        return Verdict(Do.HOLD, number, "you look at it now")
    mutes = [until for until in (facts.muted.get(key), facts.muted_all) if until is not None and until > now]
    if mutes:
        return Verdict(Do.HOLD, number, "it is muted", max(mutes))
    until = rule.quiet.until(now) if rule.quiet is not None else None
    if until is not None:
        return Verdict(Do.HOLD, number, "these are quiet hours", until)
    last = facts.last_sent.get((episode.runtime_id, episode.kind, channel))
    if part is Part.FIRST and last is not None and now < last + rule.cooldown:
        return Verdict(
            Do.HOLD, number, "the same agent was reported for the same reason just now", last + rule.cooldown
        )
    status = facts.channels[channel]
    if status.disabled is not None:
        return Verdict(Do.HOLD, number, f"the channel is disabled: {status.disabled}")
    return None


def _bundle(
    facts: Facts,
    channel: str,
    ready: list[tuple[Episode, Part, Verdict]],
    waiting: list[tuple[Episode, Verdict]],
) -> tuple[tuple[tuple[Episode, Part, Verdict], ...], int | None]:
    """Choose what goes into one message, and when to look again if it is better to wait for more.

    Many that began together become one message, which waits a moment for the last of them.
    """
    first = min(ready, key=lambda one: (one[0].opened_at, one[0].episode_id))
    start = first[0].opened_at
    began = [episode.opened_at for episode in _sent_or_soon(facts, channel, ready, waiting)]
    together = max(
        sum(low <= other <= low + BUNDLE_WITHIN for other in began)
        for low in began
        if low <= start <= low + BUNDLE_WITHIN
    )
    if max(together, len(ready)) < BUNDLE:
        return (first,), None
    limit = min(verdict.until or 0 for _, _, verdict in ready) + BUNDLE_WITHIN
    later = [
        verdict.until
        for episode, verdict in waiting
        if verdict.until is not None and verdict.until <= limit and abs(episode.opened_at - start) <= BUNDLE_WITHIN
    ]
    if later and facts.now < limit:
        return (), max(later)
    return tuple(ready), None


def _sent_or_soon(
    facts: Facts,
    channel: str,
    ready: list[tuple[Episode, Part, Verdict]],
    waiting: list[tuple[Episode, Verdict]],
) -> Iterable[Episode]:
    """All episodes of this channel that were just sent, are ready, or will be soon."""
    yield from (episode for episode, _, _ in ready)
    yield from (episode for episode, _ in waiting)
    for episode in facts.episodes:
        sent = facts.deliveries.get(episode.episode_id, {}).get((channel, Part.FIRST))
        if sent is not None and sent.state in (State.SENT, State.SENDING, State.UNKNOWN):
            yield episode
