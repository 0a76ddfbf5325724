"""The modes of an input field: what keys mean there where they are not simply text.

Vim's modes and a shell mode are such. Owns what a mode does to text and to keys, and how it is seen. Pure; knows no
agent: modes come out of a rules file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from agtmuxd.core.screen.regions import Place, View


class TextMethod(StrEnum):
    """How a field in some mode takes text. ``PASTE``: keys would be commands. ``NONE``: what is put there would be
    something else than a prompt."""

    KEYS = "keys"
    PASTE = "paste"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class FieldMode:
    """One mode. ``pattern`` is tried on the rows of ``place``. ``enter``: the keys, as tmux names them, that bring it
    into a mode that takes text; ``swallows``: keys that only end this mode, so that the agent does not get them;
    ``converts``: with its end, what is typed there becomes something else. ``pause``: seconds before such a key may be
    pressed once more: two at once may be another command, that clears the field."""

    name: str
    place: Place
    pattern: re.Pattern[str]
    text: TextMethod = TextMethod.KEYS
    enter: tuple[str, ...] = ()
    swallows: tuple[str, ...] = ()
    converts: bool = False
    pause: float = 0.0


def shown(modes: Sequence[FieldMode], view: View) -> tuple[FieldMode, ...]:
    """Those of ``modes`` that the screen shows: a shell mode may be in vim's INSERT. None where there is no field."""
    if not modes or view.composer is None:
        return ()
    regions = [(mode, view.region(mode.place)) for mode in modes]
    return tuple(mode for mode, region in regions if region is not None and mode.pattern.search(region.text))
