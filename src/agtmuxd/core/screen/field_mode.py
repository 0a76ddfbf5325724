"""Describe the modes of an input field in which keys are not simply text, such as vim's modes or a shell mode.

Owns what a mode does to text and keys, and how it is recognised. Pure; knows no agent: modes come from a rules file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from agtmuxd.core.screen.regions import Place, View


class TextMethod(StrEnum):
    """How a field in some mode takes text.

    ``PASTE``: typed letters would be commands, so text must be pasted. ``NONE``: the text would not become a prompt.
    """

    KEYS = "keys"
    PASTE = "paste"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class FieldMode:
    """One mode of an input field.

    - ``pattern``: tried on the rows of ``place``.
    - ``enter``: the keys, as tmux names them, that switch to a mode that takes text.
    - ``swallows``: keys that only end this mode, so that the agent does not receive them.
    - ``converts``: when this mode ends, the typed text becomes something else.
    - ``pause``: seconds to wait before pressing such a key again. Two at once may be another command, one that clears
      the field.
    """

    name: str
    place: Place
    pattern: re.Pattern[str]
    text: TextMethod = TextMethod.KEYS
    enter: tuple[str, ...] = ()
    swallows: tuple[str, ...] = ()
    converts: bool = False
    pause: float = 0.0


def shown(modes: Sequence[FieldMode], view: View) -> tuple[FieldMode, ...]:
    """Return those of ``modes`` that the screen shows: a shell mode may be in vim's INSERT.

    Empty if there is no field.
    """
    if not modes or view.composer is None:
        return ()
    regions = [(mode, view.region(mode.place)) for mode in modes]
    return tuple(mode for mode, region in regions if region is not None and mode.pattern.search(region.text))
