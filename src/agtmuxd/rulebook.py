"""The rules in use: those that the adapters ship, the user's own laid over them, and trying both on captured screens.

Owns the user's rules folder. What a rule means is ``core.rules``, what its file may say ``core.rulefile``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.adapters import samples
from agtmuxd.adapters.byrules import RulesOnlyAdapter
from agtmuxd.adapters.common import RuleAdapter
from agtmuxd.adapters.patience import LOOK_FOR, TooLongError, slow_rule, within
from agtmuxd.adapters.plainfile import read_text
from agtmuxd.adapters.registry import Registry
from agtmuxd.api.rules import CheckRequest, ReplayRequest
from agtmuxd.core import rulefile
from agtmuxd.core.model import Claim, Sample, WaitingFor
from agtmuxd.core.rules import FIRST, Rule, RuleSet
from agtmuxd.tmux import sgr

MAX_FILE: Final = 1 << 20
TOO_LONG: Final = "a repeat within a repeat, as in (a+)+, tries too many ways"


class Rulebook:
    """The rules of every agent, by where they come from."""

    def __init__(self, registry: Registry, folder: Path) -> None:
        self._registry = registry
        self._folder = folder
        self._files: dict[str, Path] = {}

    def read(self) -> None:
        """Read the user's folder and use what is in it. Raises E_INVALID_REQUEST; then the rules stay as they are."""
        mine, wrong = self._user_rules()
        if wrong:
            raise AgtmuxError("E_INVALID_REQUEST", next(iter(wrong.values())))
        self._use(mine)

    def read_what_can_be(self) -> list[str]:
        """The same, leaving out the files that are wrong; what is wrong with them."""
        mine, wrong = self._user_rules()
        self._use(mine)
        return list(wrong.values())

    def _use(self, mine: dict[Path, RuleSet]) -> None:
        self._registry.use_rules({rules.agent: rules for rules in mine.values()})
        self._files = {rules.agent: path for path, rules in mine.items()}

    def _user_rules(self) -> tuple[dict[Path, RuleSet], dict[Path, str]]:
        """Rules by file, and what is wrong with the files that have none."""
        mine: dict[Path, RuleSet] = {}
        wrong: dict[Path, str] = {}
        for path in sorted(self._folder.glob("*.toml")):
            try:
                rules = rulefile.load(read_text(path, MAX_FILE), str(path), path.stem)
                known = self._registry.get(rules.agent)
                if rules.programs is None and (known is None or isinstance(known.adapter, RulesOnlyAdapter)):
                    raise ValueError(f"{path}: no adapter knows {rules.agent}: [process] with names is missing")
            except (OSError, ValueError) as error:
                wrong[path] = str(error) if str(path) in str(error) else f"{path}: {error}"
            else:
                mine[path] = rules
        return mine, wrong

    # ---------------------------------------------------------------- trying them

    def _rules_of(self, agent: str) -> RuleSet:
        fenced = self._registry.get(agent)
        adapter = fenced.adapter if fenced is not None else None
        if not isinstance(adapter, RuleAdapter):
            known = ", ".join(a.agent_type for a in self._registry if isinstance(a.adapter, RuleAdapter))
            raise AgtmuxError("E_INVALID_REQUEST", f"there are no rules for agent {agent}; known: {known}")
        return adapter.rules

    def replay(self, asked: ReplayRequest) -> dict[str, Any]:
        """What the rules of an agent make of one captured screen, and which of them hold. Raises E_INVALID_REQUEST."""
        rules = self._rules_of(asked.agent)
        sample = _captured(
            asked.screen, title=asked.title, cols=asked.cols or 0, rows=asked.rows or 0,
            cursor=(asked.cursor_x, asked.cursor_y), alternate=asked.alternate_on,
        )  # fmt: skip
        view = rules.view(sample)
        try:
            write = within(LOOK_FOR, lambda: rules.look(sample, asked.before))
            held = within(LOOK_FOR, lambda: [r for r in rules.rules if r.matches(view, asked.before) is not None])
        except TooLongError as error:
            slow = slow_rule(rules, sample, asked.before)
            who = f"a pattern of {asked.agent}" if slow is None else f"rule {slow} of {asked.agent}"
            raise AgtmuxError("E_INVALID_REQUEST", f"{who} takes too long on this screen: {TOO_LONG}") from error
        field = view.composer
        return {
            "agent": asked.agent,
            "rules_file": self._file_of(asked.agent),
            "recorded_on": list(rules.recorded_on),
            "claim": None if write is None or write.claim is None else str(write.claim),
            "rule": None if write is None else write.rule,
            "strength": None if write is None else str(write.strength),
            "accepts_input": None if write is None else write.accepts_input,
            "background_tasks": None if write is None else write.background_tasks,
            "waiting_for": None if write is None else _waiting(write.waiting_for),
            "composer": None if field is None else str(rules.controls().look(sample)),
            "matched": [
                {"rule": r.name, "priority": r.priority, "claim": str(r.claim), "strength": str(r.strength)}
                for r in held
            ],
        }

    def check(self, asked: CheckRequest) -> list[dict[str, Any]]:
        """Every rule tried on the sample that is to prove it: one item per agent. Raises E_INVALID_REQUEST."""
        _, wrong = self._user_rules()
        items: list[dict[str, Any]] = [
            {"agent": path.stem, "rules_file": str(path), "error": message, "recorded_on": [], "rules": []}
            for path, message in wrong.items()
            if not asked.agents or path.stem in asked.agents
        ]
        listed = asked.agents or [a.agent_type for a in self._registry if isinstance(a.adapter, RuleAdapter)]
        for agent in listed:
            rules = self._rules_of(agent)
            items.append(
                {
                    "agent": agent, "rules_file": self._file_of(agent), "error": None,
                    "recorded_on": list(rules.recorded_on),
                    "rules": list(self._tried(agent, rules, asked.corpus)),
                }
            )  # fmt: skip
        return items

    def _file_of(self, agent: str) -> str | None:
        path = self._files.get(agent)
        return None if path is None else str(path)

    def _tried(self, agent: str, rules: RuleSet, corpus: Path | None) -> Iterator[dict[str, Any]]:
        for rule in rules.rules:
            ok, message = self._try(agent, rules, rule, corpus)
            yield {
                "rule": rule.name, "claim": str(rule.claim), "strength": str(rule.strength), "ok": ok,
                "message": message,
            }  # fmt: skip

    def _try(self, agent: str, rules: RuleSet, rule: Rule, corpus: Path | None) -> tuple[bool | None, str]:
        """``ok`` None: there is nothing to try it on."""
        if rule.sample is None:
            return None, f"no sample, refines {rule.refines.name}" if rule.refines else "no sample, a hint"
        sample = self._sample(agent, rule, corpus)
        if isinstance(sample, str):
            return (False if rule.sample.screen else None), sample
        try:
            return within(LOOK_FOR, partial(_holds, rules, rule, sample))
        except TooLongError:
            return False, f"takes too long on its sample: {TOO_LONG}"

    def _sample(self, agent: str, rule: Rule, corpus: Path | None) -> Sample | str:
        """The sample, or why there is none."""
        ref = rule.sample
        assert ref is not None  # noqa: S101 the caller looked
        try:
            if ref.screen:
                folder = self._files[agent].parent if agent in self._files else self._folder
                text = read_text(folder / ref.screen, MAX_FILE)
                return _captured(text, title=ref.title)
            if corpus is None:
                return "its recording is not installed: --corpus names a folder that has it"
            return samples.recorded(corpus / f"{ref.recording}.jsonl", ref.t_ms)
        except (OSError, ValueError, KeyError) as error:
            return f"its sample cannot be read: {error}"


def _holds(rules: RuleSet, rule: Rule, sample: Sample) -> tuple[bool, str]:
    """Whether a rule holds, and is the one that speaks, on the sample that is to prove it."""
    for before in [None if w == FIRST else Claim(w) for w in sorted(rule.after)] if rule.after else [None]:
        if rule.matches(rules.view(sample), before) is None:
            return False, "does not hold on its sample"
        spoke = rules.look(sample, before)
        if spoke is None or spoke.claim is not rule.claim:
            told = "nothing" if spoke is None else f"{spoke.rule} with {spoke.claim}"
            return False, f"another rule speaks on its sample: {told}"
    return True, "holds on its sample"


def _captured(text: str, **more: Any) -> Sample:
    """A sample of what ``tmux capture-pane -p`` gave, with or without ``-e``."""
    text = text.replace("\r\n", "\n")
    if "\x1b" not in text:
        return samples.captured(text, **more)
    plain, styles = sgr.parse(text)
    return samples.captured(plain, **more, styles=styles)


def _waiting(waiting: WaitingFor | None) -> dict[str, Any] | None:
    if waiting is None:
        return None
    return {
        "kind": waiting.kind, "subject": waiting.subject, "text": waiting.text, "options": list(waiting.options),
        "fingerprint": waiting.fingerprint,
    }  # fmt: skip
