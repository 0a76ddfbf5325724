"""Spans and captured screens as strips."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from agtmux.top.lines import Spans
from agtmux.top.style import STYLES, screen_strips, strip

CONSOLE = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=80)


@pytest.mark.tc("TC-302")
def test_a_strip_has_exactly_its_width() -> None:
    spans: Spans = (("ab界", "head"), ("c", "dim"))
    for width in (0, 1, 3, 4, 10):
        assert strip(spans, width).cell_length == width
        assert strip(spans, width, selected=True).cell_length == width


@pytest.mark.tc("TC-302")
def test_states_and_the_selection_do_not_need_colours() -> None:
    """What needs you is bold, the selection is reversed in its whole width."""
    for name in ("state.error", "state.waiting_approval", "state.waiting_input", "warn", "banner"):
        assert STYLES[name].bold
    made = strip((("x", "state.error"),), 5, selected=True)
    assert all(part.style is not None and part.style.reverse and part.style.color is None for part in made)


@pytest.mark.tc("TC-303")
def test_of_a_captured_screen_only_colours_and_attributes_are_kept() -> None:
    """No links, no other sequences; backgrounds only where the theme is dark. Empty rows at the end go."""
    output = "\x1b[1;41mred\x1b[0m plain\n\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\x1b[5mblink\n\n  \n"
    light = screen_strips(output, CONSOLE, backgrounds=False)
    dark = screen_strips(output, CONSOLE, backgrounds=True)
    assert [one.text for one in light] == ["red plain", "linkblink"]
    assert not [part for one in light for part in one if part.style and (part.style.bgcolor or part.style.link)]
    assert [part.style is not None and part.style.bgcolor is not None for part in dark[0]] == [True, False]
    assert not [part for one in dark for part in one if part.style and part.style.blink]
