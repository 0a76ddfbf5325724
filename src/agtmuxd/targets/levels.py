"""Update an agent's levels from its screen and its status file.

Owns the decision whether to read them again: what did not change since the last time is not read again.
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
    """Take a claim of ``source`` into the agent's levels. Return when (ns) to read again, None for no hurry."""
    settled = sample(agent.steady.get(source, _NEW), source, write, now)
    agent.steady[source] = settled.steady
    agent.levels.append((source, settled))
    return settled.again_at


def hold(agent: Agent, now: int) -> int | None:
    """Keep the levels of a stopped agent: its pane shows the shell. Return when (ns) to read again."""
    again: int | None = None
    for source, steady in list(agent.steady.items()):
        if steady.current is not None:
            again = sooner(again, take(agent, source, steady.current, now))
    return again


def screen(agent: Agent, row: PaneRow, capture: str, styles: Spans | None, now: int) -> Write | None:
    """Return the claim of the agent's screen, from the last round if nothing changed."""
    last = agent.steady.get(Source.POLLER, _NEW).current
    before = last.claim if last is not None else None
    look = (capture, row.title, row.alternate_on, row.cursor_visible, row.cursor_x, row.cursor_y)
    if look == agent.screen and before is agent.looked_before and (styles is None or styles is agent.styles):
        if styles is not None:
            agent.hint_at, agent.wants_styles = now, agent.asks_style
        return agent.looked
    agent.screen, agent.styles, agent.looked_before = look, styles, before
    agent.sample = _with_hint(agent, to_sample(row, capture, styles), now)
    agent.looked = agent.adapter.look(agent.sample, before)
    _take_version(agent, agent.looked)
    return agent.looked


def _with_hint(agent: Agent, sample: Sample, now: int) -> Sample:
    """Return ``sample`` with what is known about the text in its input field, and set ``agent.wants_styles``.

    Styles are slow to capture and to parse. So they are captured once per text in the input field, and again after
    ``STYLES_HOLD``. Typing or moving the cursor changes the text.
    """
    if agent.controls is None:
        known = agent.adapter.controls() if isinstance(agent.adapter, Operable) else None
        agent.controls = known or Controls()
    controls = agent.controls
    if not controls.styled:
        agent.wants_styles = agent.asks_style = False  # earlier rules may have asked for styles
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
    """Return the claim of the agent's status file, and whether there is one to take: the file may be missing.

    ``read``: by path, the files that were read in this round, None for a missing file.
    """
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
        writes = agent.adapter.read_status(data, agent.proc) if isinstance(data, dict) else ()
        agent.status_write = next((write for write in writes if write.subject == "turn"), None)
        _take_version(agent, agent.status_write)
    return agent.status_write, True


def _take_version(agent: Agent, write: Write | None) -> None:
    """Use the version from the agent's screen or status file if its process does not show one."""
    if write is not None and write.version is not None and agent.identity.version is None:
        agent.identity = replace(agent.identity, version=write.version)


def sooner(a: int | None, b: int | None) -> int | None:
    """Return the earlier of two times, where None means never."""
    return b if a is None else a if b is None else min(a, b)
