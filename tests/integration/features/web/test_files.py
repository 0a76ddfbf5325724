"""The files of the page: what the wheel holds, how large it is, and that it asks nobody else for anything."""

from __future__ import annotations

import re
import struct

import pytest
from aiohttp.test_utils import make_mocked_request

from agtmuxd.features.web.files import TYPES, load

pytestmark = pytest.mark.tc("TC-294")
MOST = 68 * 1024


def test_the_page_is_small() -> None:
    """What a phone loads over a slow line, all files together."""
    assert sum(len(file.body) for file in load().values()) <= MOST


def test_only_files_of_known_kinds_are_served_and_the_first_is_the_page() -> None:
    found = load()
    assert found["/"].body.startswith(b"<!doctype html>")
    assert {file.content_type for file in found.values()} <= set(TYPES.values())


def texts() -> dict[str, str]:
    return {path: file.body.decode() for path, file in load().items() if not file.content_type.startswith("image/")}


def test_no_file_names_another_server() -> None:
    for path, text in texts().items():
        assert not re.search(r"https?:|//[a-z]", text, re.I), path


@pytest.mark.parametrize("word", [
    "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "DOMParser", "srcdoc",
    "javascript:", 'setAttribute("on', "cookie",
])  # fmt: skip
def test_no_script_makes_markup_or_code_of_text(word: str) -> None:
    assert [path for path, text in texts().items() if word in text] == []


def test_the_page_has_no_inline_script_and_no_inline_style() -> None:
    page = texts()["/"]
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", page)


def test_each_file_that_a_file_names_is_there() -> None:
    found = load()
    for path, text in texts().items():
        names = re.findall(r"""(?:src|href)="(/?[\w.-]+)"|from "\./([\w.-]+)"|"src": "(/?[\w.-]+)\"""", text)
        for name in (f"/{next(filter(None, some)).lstrip('/')}" for some in names):
            assert name in found, (path, name)


def test_icons_have_the_sizes_that_the_manifest_says() -> None:
    found = load()
    for size in (180, 192, 512):
        body = found[f"/icon-{size}.png"].body
        assert struct.unpack(">II", body[16:24]) == (size, size)


def test_a_browser_that_has_a_file_gets_no_second_copy() -> None:
    file = load()["/"]
    fresh = file.answer(make_mocked_request("GET", "/"))
    again = file.answer(make_mocked_request("GET", "/", headers={"If-None-Match": f'"x", {file.etag}'}))
    assert (fresh.status, again.status, again.body) == (200, 304, None)
    assert fresh.headers["Cache-Control"] == again.headers["Cache-Control"] == "no-cache"
