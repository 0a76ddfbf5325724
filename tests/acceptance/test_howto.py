"""The guides of docs/how-to do what they say: each of their commands is run, in a world made for its page."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from tests.acceptance.howto import FOLDER, Block, World, add_settings, blocks, run
from tests.acceptance.howto_worlds import *  # noqa: F403 the fixtures of the worlds
from tests.acceptance.howto_worlds import NOT_YET, WORLDS

PAGES = sorted(path.stem for path in FOLDER.glob("*.md"))


@pytest.mark.tc("TC-539")
def test_each_guide_has_a_world_in_which_it_is_run() -> None:
    assert set(PAGES) == set(WORLDS) | set(NOT_YET), "add a fixture to howto_worlds.py, and name it in WORLDS"
    assert not set(WORLDS) & set(NOT_YET)


@pytest.mark.tc("TC-539")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", [page for page in PAGES if page not in NOT_YET])
def test_each_command_of_a_guide_does_what_the_guide_says(page: str, request: pytest.FixtureRequest) -> None:
    found = list(blocks((FOLDER / f"{page}.md").read_text("utf-8")))
    if any("| jq " in block.text for block in found) and shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    world: World = request.getfixturevalue(WORLDS[page])
    ran = [run(block, world) for block in found if block.skipped is None]
    assert ran, "a guide without a command"
    assert len(ran) >= len(found) / 2, "most of a guide is run"


@pytest.mark.tc("TC-539")
def test_a_block_is_run_as_the_comment_before_it_says() -> None:
    page = """
text
```sh
one
```
<!-- run: exit 5 or 7 -->
```sh
two
```

- item
  <!-- run: until 3s -->
  ```sh
  three
  ```
<!-- run: skip, nobody has a phone here -->
```sh
four
```
```toml
[a]
```
```text
five
```
"""
    found = list(blocks(page))
    assert [(block.kind, block.text) for block in found] == [
        ("sh", "one\n"), ("sh", "two\n"), ("sh", "three\n"), ("sh", "four\n"), ("toml", "[a]\n"),
    ]  # fmt: skip
    assert [block.statuses for block in found[:2]] == [(0,), (5, 7)]
    assert found[2].ends_after == 3.0
    assert found[3].skipped == "nobody has a phone here"
    for wrong in ("exit soon", "skip", "skip, no"):
        with pytest.raises(AssertionError, match="is not understood"):
            list(blocks(f"<!-- run: {wrong} -->\n```sh\nx\n```\n"))


@pytest.mark.tc("TC-539")
def test_a_block_that_fails_hangs_or_ends_too_early_is_noticed(tmp_path: Path) -> None:
    world = World(tmp_path, {"PATH": "/usr/bin:/bin"}, tmp_path / "c.toml", {"%12": "%3"})
    assert run(Block("sh", "echo %12; cat", 1), world) == "%3\n"
    with pytest.raises(AssertionError, match="exit 1"):
        run(Block("sh", "false\necho not here", 1), world)
    with pytest.raises(AssertionError, match="exit 0"):
        run(Block("sh", "true", 1, (5,)), world)
    with pytest.raises(AssertionError, match="it ended"):
        run(Block("sh", "true", 1, ends_after=1), world)
    assert run(Block("sh", "echo on; sleep 60", 1, ends_after=0.3), world) == "on\n"


def test_settings_are_added_to_tables_that_are_there(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    add_settings(path, "[web]\nport = 1\n[[notify.channels]]\nname = 'a'\n")
    add_settings(path, "autostart = false\n[web]\nhosts = []\nport = 2\n[[notify.channels]]\nname = 'b'\n")
    assert tomllib.loads(path.read_text()) == {
        "autostart": False, "web": {"port": 2, "hosts": []}, "notify": {"channels": [{"name": "a"}, {"name": "b"}]},
    }  # fmt: skip
