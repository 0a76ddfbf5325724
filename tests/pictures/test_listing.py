"""The picture of ``agtmux ls`` can be made, and shows what the program prints."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from tests.pictures.listing import picture
from tests.pictures.scene import usual
from tests.pictures.terminal import can_convert, write_png


@pytest.mark.tc("TC-268")
def test_a_picture_of_ls_is_made_from_the_real_program(tmp_path: Path) -> None:
    with usual() as scene:
        wide, narrow = picture(scene, columns=104), picture(scene, columns=40)
    for drawn in (wide, narrow):
        assert re.findall(r"url\((?!#)[^)]*\)|\bhref=|<image", drawn) == [], "nothing from the network"
        shown = html.unescape(re.sub(r"<[^>]*>", " ", drawn)).replace("\xa0", " ")
        for text in ("PROJECT", "agtmux:main", "notes", "webshop:ma", "● running", "3 need you"):
            assert text in shown, text
    assert "! waiting_approval" in html.unescape(wide).replace("\xa0", " ")
    assert "! approval" in html.unescape(narrow).replace("\xa0", " ")
    assert "I sorted 14 notes" in html.unescape(wide).replace("\xa0", " ")
    if can_convert():
        write_png(wide, tmp_path / "ls.png")
        assert (tmp_path / "ls.png").read_bytes().startswith(b"\x89PNG")
