"""Read the rules of the configuration, and say which episodes each one is for. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agtmuxd.config import NotifySettings, RuleSettings
from agtmuxd.core.model import NS
from agtmuxd.features.notify.model import Episode, Kind, Subject
from agtmuxd.features.notify.quiet import Quiet, quiet_of

DWELL = 2 * NS
DWELL_COMPLETED = 5 * NS
"""How long an episode must last before somebody is told, unless the rule says otherwise."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``number`` counts from 1; times in ns. Empty sets match everything."""

    number: int
    kinds: frozenset[Kind]
    channels: tuple[str, ...]
    agents: frozenset[str] = frozenset()
    targets: frozenset[str] = frozenset()
    projects: tuple[str, ...] = ()
    dwell: int | None = None
    cooldown: int = 60 * NS
    min_turn: int = 30 * NS
    after: int = 0
    remind: int = 0
    quiet: Quiet | None = None

    def why_not(self, episode: Episode) -> str | None:
        """Say why the rule is not for this episode. None: it is."""
        subject = episode.subject
        if episode.kind not in self.kinds:
            return f"it is not for {episode.kind}"
        if self.agents and subject.agent not in self.agents:
            return f"it is not for {subject.agent}"
        if self.targets and subject.target not in self.targets:
            return f"it is not for the target {subject.target}"
        if self.projects and not any(_is_in(subject, project) for project in self.projects):
            return f"it is not for the project {subject.project or 'of an unknown folder'}"
        return None

    def ready_at(self, episode: Episode) -> int:
        """When the episode has lasted long enough, in ns."""
        usual = DWELL_COMPLETED if episode.kind is Kind.COMPLETED else DWELL
        dwell = usual if self.dwell is None else self.dwell
        return episode.opened_at + max(dwell, self.after)


def _is_in(subject: Subject, project: str) -> bool:
    """Whether an agent works on a project: its name, the name of the folder, or the path of a folder around it."""
    cwd = subject.cwd
    if "/" not in project:
        return project in (subject.project, (cwd or "").rstrip("/").rpartition("/")[2])
    if cwd is None:
        return False
    return Path(cwd).is_relative_to(Path(project).expanduser())


def rules_of(settings: NotifySettings) -> tuple[Rule, ...]:
    """Return the rules. Without any in the configuration, one rule sends everything to all channels."""
    everywhere = tuple(channel.name for channel in settings.channels)
    written = settings.rules or [RuleSettings()]
    return tuple(
        Rule(
            number=number, kinds=frozenset(Kind(word) for word in rule.on), channels=tuple(rule.channels) or everywhere,
            agents=frozenset(rule.agents), targets=frozenset(rule.targets), projects=tuple(rule.projects),
            dwell=None if rule.dwell is None else _ns(rule.dwell), cooldown=_ns(rule.cooldown),
            min_turn=_ns(rule.min_turn), after=_ns(rule.after), remind=_ns(rule.remind),
            quiet=quiet_of(settings.quiet_hours if rule.quiet_hours is None else rule.quiet_hours),
        )
        for number, rule in enumerate(written, 1)
    )  # fmt: skip


def _ns(seconds: float) -> int:
    return round(seconds * NS)
