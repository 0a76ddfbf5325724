"""The end of a growing file: whole lines once, bounded, and only files that may be read."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from agtmuxd.targets.local.file_tail import (
    FIRST,
    FOLDERS,
    LEAP,
    PIECE,
    NotAllowedError,
    Tail,
    files_since,
    first_line,
    open_inside,
)


def lines(tail: Tail) -> list[bytes]:
    """All that can be read now."""
    found: list[bytes] = []
    while (piece := tail.read()) is not None:
        found += [line for _, line in piece.lines]
        if not piece.more:
            break
    return found


def tail_of(tmp_path: Path, text: bytes = b"") -> tuple[Tail, Path]:
    path = tmp_path / "home" / "projects" / "one.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(text)
    return Tail(str(tmp_path / "home"), str(path)), path


def append(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


@pytest.mark.tc("TC-015")
def test_each_line_comes_once_and_only_when_it_is_whole(tmp_path: Path) -> None:
    tail, path = tail_of(tmp_path, b'{"a":1}\n{"b"')
    assert lines(tail) == [b'{"a":1}']
    assert tail.read() is None
    append(path, b":2}\n\n{}\n")
    assert lines(tail) == [b'{"b":2}', b"{}"]


@pytest.mark.tc("TC-015")
def test_a_look_tells_whether_there_is_anything_to_read(tmp_path: Path) -> None:
    tail, path = tail_of(tmp_path, b"{}\n")

    def agree() -> bool:
        result = tail.has_changed()
        assert (tail.read() is not None) is result
        return result

    assert [agree(), agree()] == [True, False]
    append(path, b"[]\n")
    assert [agree(), agree()] == [True, False]
    path.with_suffix(".new").write_bytes(b"{}\n")
    path.with_suffix(".new").replace(path)
    assert [agree(), agree()] == [True, False]
    path.unlink()
    assert tail.has_changed()  # to forget it: its number may be given to the next one
    assert tail.read() is None
    assert [agree(), agree()] == [False, False]
    path.write_bytes(b"{}\n")
    assert [agree(), agree()] == [True, False]
    path.parent.chmod(0)
    assert tail.has_changed() is (os.getuid() != 0)  # what is in the way is told by who reads
    path.parent.chmod(0o700)


@pytest.mark.tc("TC-015")
def test_what_was_not_read_before_is_said_to_be_so(tmp_path: Path) -> None:
    tail, path = tail_of(tmp_path, b"{}\n")
    first = tail.read()
    append(path, b"[]\n")
    second = tail.read()
    assert first is not None and first.met
    assert second is not None and not second.met


@pytest.mark.tc("TC-015")
def test_of_a_long_file_only_the_end_is_read(tmp_path: Path) -> None:
    line = b"x" * 99 + b"\n"
    tail, _ = tail_of(tmp_path, b"old\n" + line * (2 * FIRST // 100) + b"last\n")
    found = lines(tail)
    assert found[-1] == b"last"
    assert found[0] == line.strip()
    assert FIRST - 200 < sum(len(one) + 1 for one in found) <= FIRST


@pytest.mark.tc("TC-015")
def test_a_line_longer_than_a_piece_is_passed_over(tmp_path: Path) -> None:
    tail, path = tail_of(tmp_path, b"first\n")
    assert lines(tail) == [b"first"]
    append(path, b"y" * (2 * PIECE + 7))
    assert lines(tail) == []
    append(path, b"end of it\nnext\n")
    assert lines(tail) == [b"next"]


@pytest.mark.tc("TC-015")
def test_much_that_came_at_once_is_read_piece_by_piece(tmp_path: Path) -> None:
    tail, path = tail_of(tmp_path, b"first\n")
    lines(tail)
    append(path, b"".join(b"%07d\n" % n for n in range(300_000)))
    piece = tail.read()
    assert piece is not None and piece.more and sum(len(line) for _, line in piece.lines) <= PIECE
    assert [int(line) for _, line in piece.lines] + [int(line) for line in lines(tail)] == list(range(300_000))


@pytest.mark.tc("TC-015")
def test_a_file_that_leapt_ahead_is_read_from_its_end(tmp_path: Path) -> None:
    tail, path = tail_of(tmp_path, b"first\n")
    lines(tail)
    with path.open("ab") as file:
        file.truncate(6 + LEAP + 1)  # a hole: nothing is written
    append(path, b"\nlast\n")
    piece = tail.read()
    assert piece is not None and piece.met
    assert [line for _, line in piece.lines] == [b"last"]


@pytest.mark.tc("TC-015")
@pytest.mark.parametrize("how", ["rotated", "cut"])
def test_a_file_that_is_another_one_is_read_anew(tmp_path: Path, how: str) -> None:
    tail, path = tail_of(tmp_path, b"one\ntwo\n")
    lines(tail)
    if how == "rotated":
        path.rename(path.with_suffix(".old"))
    path.write_bytes(b"new\n")
    piece = tail.read()
    assert piece is not None and piece.met
    assert [line for _, line in piece.lines] == [b"new"]


@pytest.mark.tc("TC-015")
def test_a_file_that_is_gone_says_nothing_and_may_come_back(tmp_path: Path) -> None:
    tail, path = tail_of(tmp_path, b"one\n")
    lines(tail)
    path.unlink()
    assert tail.read() is None
    path.write_bytes(b"back\n")
    assert lines(tail) == [b"back"]


@pytest.mark.tc("TC-015")
@pytest.mark.parametrize("where", ["file", "folder", "outside", "above", "folder itself", "fifo"])
def test_no_other_file_is_read(tmp_path: Path, where: str) -> None:
    home, secret = tmp_path / "home", tmp_path / "secret"
    (home / "projects").mkdir(parents=True)
    secret.mkdir()
    (secret / "one.jsonl").write_bytes(b"secret\n")
    path = home / "projects" / "one.jsonl"
    if where == "file":
        path.symlink_to(secret / "one.jsonl")
    elif where == "folder":
        (home / "linked").symlink_to(secret)
        path = home / "linked" / "one.jsonl"
    elif where == "outside":
        path = secret / "one.jsonl"
    elif where == "above":
        path = home / "projects" / ".." / ".." / "secret" / "one.jsonl"
    elif where == "folder itself":
        path = home / "projects"
    else:
        os.mkfifo(path)
    with pytest.raises(NotAllowedError):
        Tail(str(home), str(path)).read()


@pytest.mark.tc("TC-015")
def test_a_file_of_another_user_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tail, _ = tail_of(tmp_path, b"one\n")
    me = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: me + 1)
    with pytest.raises(NotAllowedError):
        tail.read()


@pytest.mark.tc("TC-015")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    tail, path = tail_of(tmp_path, b"one\n")
    path.chmod(0)
    with pytest.raises(PermissionError):
        tail.read()
    path.chmod(stat.S_IRUSR)
    assert lines(tail) == [b"one"]


@pytest.mark.tc("TC-015")
def test_a_home_that_is_named_through_a_link_is_the_same_home(tmp_path: Path) -> None:
    _, path = tail_of(tmp_path, b"one\n")
    linked = tmp_path / "linked"
    linked.symlink_to(tmp_path / "home")
    assert lines(Tail(str(linked), str(path))) == [b"one"]
    assert lines(Tail(str(linked), str(linked / "projects" / "one.jsonl"))) == [b"one"]


@pytest.mark.tc("TC-015")
def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    tail, path = tail_of(tmp_path, b"one\n")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the same on both sides
    for number in range(20):
        append(path, b"%d\n" % number)
        tail.read()
        with pytest.raises(NotAllowedError):
            open_inside(str(tmp_path / "home"), str(tmp_path / "other"))
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@pytest.mark.tc("TC-015")
def test_the_first_line_is_known_once_it_is_whole(tmp_path: Path) -> None:
    _, path = tail_of(tmp_path, b'{"type":')
    assert first_line(str(tmp_path / "home"), str(path)) is None
    append(path, json.dumps("x").encode() + b"}\nmore")
    assert first_line(str(tmp_path / "home"), str(path)) == b'{"type":"x"}'


@pytest.mark.tc("TC-015")
def test_new_files_are_found_in_the_latest_folders_only(tmp_path: Path) -> None:
    for day in ("2025/12/31", "2026/01/01", "2026/01/02", "2026/01/03"):
        folder = tmp_path / day
        folder.mkdir(parents=True)
        (folder / "a.jsonl").write_text("{}\n")
        (folder / "a.txt").write_text("")
    old = tmp_path / "2026/01/03/old.jsonl"
    old.write_text("{}\n")
    os.utime(old, (1, 1))
    found = files_since(str(tmp_path), 3, 2_000_000_000)
    assert {str(Path(path).relative_to(tmp_path)) for path in found} == {
        "2026/01/02/a.jsonl", "2026/01/03/a.jsonl", "2025/12/31/a.jsonl",
    }  # fmt: skip
    assert files_since(str(tmp_path / "none"), 3, 0) == []


@pytest.mark.tc("TC-015")
def test_of_folders_with_names_of_their_own_those_changed_last_are_looked_into(tmp_path: Path) -> None:
    for number in range(FOLDERS + 5):
        chats = tmp_path / f"project-{number:03}" / "chats"
        chats.mkdir(parents=True)
        (chats / "a.jsonl").write_text("{}\n")
        os.utime(chats, (1000 - number, 1000 - number))
    found = {Path(path).parts[-3] for path in files_since(str(tmp_path), 2, 0)}
    assert found == {f"project-{number:03}" for number in range(FOLDERS)}
