"""What an agent's screen and status file say now, taken into its levels.

Owns when a look is needed at all: what is the same as at the last look is not looked at again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from agtmuxd.adapters.contract import Operable
from agtmuxd.core.json_codec import decode
from agtmuxd.core.model import PaneRow, Sample, Source, Write
from agtmuxd.core.screen.controls import Controls
from agtmuxd.core.screen.style import Spans
from agtmuxd.core.state.debounce import DebounceState, sample
from agtmuxd.targets.agent import Agent, to_sample

_NEW: Final = DebounceState()


def take(agent: Agent, source: Source, write: Write | None, now: int) -> int | None:
    settled = sample(agent.steady.get(source, _NEW), source, write, now)
    agent.steady[source] = settled.steady
    agent.levels.append((source, settled))
    return settled.again_at


def hold(agent: Agent, now: int) -> int | None:
    """A stopped agent draws nothing: the pane shows its shell, so what was last seen of the agent stands."""
    again: int | None = None
    for source, steady in list(agent.steady.items()):
        if steady.told is not None:
            again = sooner(again, take(agent, source, steady.told, now))
    return again


def screen(agent: Agent, row: PaneRow, capture: str, styles: Spans | None, now: int) -> Write | None:
    told = agent.steady.get(Source.POLLER, _NEW).told
    before = told.claim if told is not None else None
    look = (capture, row.title, row.alternate_on, row.cursor_visible, row.cursor_x, row.cursor_y)
    if look == agent.screen and before is agent.looked_before and (styles is None or styles is agent.styles):
        if styles is not None:
            agent.hint_at, agent.wants_styles = now, agent.asks_style
        return agent.looked
    agent.screen, agent.styles, agent.looked_before = look, styles, before
    agent.sample = _with_hint(agent, to_sample(row, capture, styles), now)
    agent.looked = agent.adapter.look(agent.sample, before)
    _known_better(agent, agent.looked)
    return agent.looked


def _with_hint(agent: Agent, sample: Sample, now: int) -> Sample:
    """``sample`` with what is known of the text in its field; whether the next round has to bring styles.

    They are dear to capture and to read, so they are asked for once per text in the field, and again after
    ``STYLES_HOLD``: who types something else, or moves the cursor, makes it another one.
    """
    if agent.controls is None:
        known = agent.adapter.controls() if isinstance(agent.adapter, Operable) else None
        agent.controls = known or Controls()
    controls = agent.controls
    if not controls.styled:
        agent.wants_styles = agent.asks_style = False  # rules of before may have asked for them
        return sample
    text, agent.asks_style = controls.undrawn(sample), controls.asks_style(sample)
    if text is not None and sample.styles is not None:
        agent.undrawn, agent.hint, agent.hint_at = text, controls.hint(sample), now
    elif text is not None and text == agent.undrawn:
        sample = replace(sample, hint=agent.hint)
    else:
        agent.undrawn = None
    agent.wants_styles = agent.asks_style or text != agent.undrawn
    return sample


def status(agent: Agent, read: Mapping[str, bytes | None]) -> tuple[Write | None, bool]:
    """``(write, read)``: not read where the file is not there (it comes late and is optional)."""
    if agent.status_path is None or agent.status_path not in read:
        return agent.status_write, True
    text = read[agent.status_path]
    if text is None:
        had = agent.status_text is not None
        agent.status_text, agent.status_write, agent.status_mark, agent.status_data = None, None, None, None
        return None, had
    if text != agent.status_text:
        agent.status_text = text
        try:
            data = decode(text)
        except ValueError:
            data = {}
        agent.status_data = data if isinstance(data, dict) else None
        said = agent.adapter.read_status(data, agent.proc) if isinstance(data, dict) else ()
        agent.status_write = next((write for write in said if write.subject == "turn"), None)
        _known_better(agent, agent.status_write)
    return agent.status_write, True


def _known_better(agent: Agent, said: Write | None) -> None:
    """Take over the version that its screen or status tells, where its process does not."""
    if said is not None and said.version is not None and agent.identity.version is None:
        agent.identity = replace(agent.identity, version=said.version)


def sooner(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else min(a, b)
