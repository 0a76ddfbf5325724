"""The pictures of agtmux inside tmux can be made, and show what an attached client shows."""

from __future__ import annotations

import html
import re

import pytest

from tests.pictures.scene import usual
from tests.pictures.tmux import WHAT, picture


@pytest.mark.tc("TC-369")
def test_pictures_are_made_of_an_attached_client() -> None:
    shown = {}
    for what in WHAT:
        with usual() as scene:
            drawn = picture(scene, what)
        assert re.findall(r"url\((?!#)[^)]*\)|\bhref=|<image", drawn) == [], "nothing from the network"
        shown[what] = html.unescape(re.sub(r"<[^>]*>", " ", drawn)).replace("\xa0", " ")
        assert all(text in shown[what] for text in ("2!", "1✗", "1●")), what
    assert "psql -c 'drop table carts'" not in shown["line"]
    assert "psql -c 'drop table carts'" in shown["menu"] and "dashboard" in shown["menu"]
    assert "psql -c 'drop table carts'" in shown["popup"] and "approve" in shown["popup"]
