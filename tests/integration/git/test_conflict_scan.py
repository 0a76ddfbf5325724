"""Conflicts of a real merge: found, shown, resolved one by one, and never in a file that changed meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agtmux.git import conflict_scan
from agtmux.git.conflict_scan import Scan, resolve, scan, show
from agtmux.git.repository import find_repository
from agtmux.protocol.errors import AgtmuxError
from tests.git_repo import git, repository

pytestmark = pytest.mark.tc("TC-828")
LINES = [b"%d" % number for number in range(40)]


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A repository in a merge: two blocks in ``a``, a binary file, a file that one side deleted."""
    top = repository(tmp_path / "r")
    for name, data in (("a", b"\n".join(LINES)), ("b.bin", b"\0base"), ("gone", b"base\n")):
        (top / name).write_bytes(data)
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "base")
    git(top, "checkout", "-q", "-b", "other")
    for branch in (b"other", b"main"):
        git(top, "checkout", "-q", branch.decode())
        lines = [*LINES]
        lines[3], lines[30] = branch + b" 3", branch + b" 30"
        (top / "a").write_bytes(b"\n".join(lines))
        (top / "b.bin").write_bytes(b"\0" + branch)
        (top / "gone").write_bytes(branch) if branch == b"main" else (top / "gone").unlink()
        git(top, "commit", "-q", "-a", "-m", "x")
    git(top, "-c", "merge.conflictStyle=diff3", "merge", "other", check=False)
    return top


def scanned(top: Path) -> Scan:
    return scan(find_repository(str(top)).git.at(str(top)), str(top))


def settle(top: Path, name: str, choice: str, content: bytes | None = None) -> tuple[str, int]:
    return resolve(find_repository(str(top)).git.at(str(top)), str(top), name, choice, content)


def test_blocks_are_resolved_one_by_one_under_their_ids(top: Path) -> None:
    found = scanned(top)
    first, second = found.conflicts
    assert [(one.path, one.base) for one in found.conflicts] == [("a", b"3\n"), ("a", b"30\n")]
    (top / "a").chmod(0o755)
    assert settle(top, first.conflict_id, "theirs") == ("a", 1)
    assert [one.conflict_id for one in scanned(top).conflicts] == [second.conflict_id]
    path, block = show(str(top), second.conflict_id)
    assert block is not None
    assert (path, block.ours) == ("a", b"main 30\n")
    assert settle(top, second.conflict_id, "file", b"mine\n") == ("a", 0)
    wanted = [*LINES]
    wanted[3], wanted[30] = b"other 3", b"mine"
    assert (top / "a").read_bytes() == b"\n".join(wanted)
    assert (top / "a").stat().st_mode & 0o777 == 0o755
    with pytest.raises(AgtmuxError, match="there is no conflict"):
        settle(top, first.conflict_id, "ours")


def test_a_file_that_changed_since_the_scan_is_not_written_to(top: Path) -> None:
    one = scanned(top).conflicts[0]
    changed = b"edited\n" + (top / "a").read_bytes()
    (top / "a").write_bytes(changed)
    with pytest.raises(AgtmuxError, match="changed since the scan"):
        settle(top, one.conflict_id, "ours")
    assert (top / "a").read_bytes() == changed
    assert scanned(top).conflicts[0].conflict_id == one.conflict_id
    settle(top, one.conflict_id, "ours")


def test_a_binary_file_takes_one_side_whole(top: Path) -> None:
    whole = {one.path: one for one in scanned(top).whole}
    assert whole["b.bin"].sides == ("base", "ours", "theirs")
    settle(top, whole["b.bin"].conflict_id, "theirs")
    assert (top / "b.bin").read_bytes() == b"\0other"
    assert whole["gone"].sides == ("base", "ours")
    with pytest.raises(AgtmuxError, match="has no side theirs"):
        settle(top, whole["gone"].conflict_id, "theirs")


def test_markers_that_were_committed_or_are_untracked_are_found(tmp_path: Path) -> None:
    top = repository(tmp_path / "r")
    block = b"<<<<<<< a\r\nx\r\n=======\r\ny\r\n>>>>>>> b\r\n"
    (top / "done.txt").write_bytes(block)
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "with markers")
    with open(os.path.join(os.fsencode(top), b"odd \xff\n"), "wb") as file:
        file.write(block)
    found = scanned(top)
    assert len(found.files) == 2
    assert found.conflicts[0].ours == b"x\r\n"


def test_a_large_file_is_reported_and_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conflict_scan, "MOST", 100)
    top = repository(tmp_path / "r")
    (top / "big").write_bytes(b"<<<<<<< a\nx\n=======\ny\n>>>>>>> b\n" + b"x" * 100)
    found = scanned(top)
    assert (found.truncated, found.conflicts) == (["big"], [])


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"<<<<<<< a\nx\n=======\ny\n>>>>>>> b\n")
    top = repository(tmp_path / "r")
    (top / "link").symlink_to(outside)
    git(top, "add", "-A")
    assert scanned(top).files == []


def test_a_block_without_base_has_none_to_take(tmp_path: Path) -> None:
    top = repository(tmp_path / "r")
    text = b"<<<<<<< a\nx\n=======\ny\n>>>>>>> b\n"
    (top / "f").write_bytes(text)
    (one,) = scanned(top).conflicts
    with pytest.raises(AgtmuxError, match="shows no base"):
        settle(top, one.conflict_id, "base")
    assert (top / "f").read_bytes() == text
