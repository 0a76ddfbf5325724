"""The pictures of the web page can be made, and have the size that they are for."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.browser.browsing import started
from tests.pictures.web_page import busy, pictures

pytestmark = [pytest.mark.tc("TC-296"), pytest.mark.xdist_group("browser")]


def test_pictures_are_made_of_the_real_page(tmp_path: Path) -> None:
    with started() as chromium, busy() as scene:
        sizes = [struct.unpack(">II", path.read_bytes()[16:24]) for path in pictures(scene, chromium, tmp_path)]
    assert sizes == [(1280, 760), (750, 1520)]
