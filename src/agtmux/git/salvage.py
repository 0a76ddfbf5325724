"""Copy what is only in a worktree to where it stays, and prove the copy by reading it back.

A salvage has a ref in the repository, and a folder with ``files.tar`` (all bytes, with modes and links), ``work.patch``
(HEAD to the ref) and ``manifest.json``. It changes nothing in the worktree. Whatever fails leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agtmux.git.capture import Capture, FileFact, capture, digest_of, fact_item
from agtmux.git.obstacles import printable
from agtmux.git.run import Git
from agtmux.git.tree_state import Place, TreeState
from agtmux.protocol.errors import AgtmuxError

REFS: Final = "refs/agtmux/salvage"
_MANY = 100
"""Files for one call of git."""
_HEADS = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge/orig-head", "rebase-merge/onto",
          "rebase-merge/stopped-sha", "rebase-apply/orig-head")  # fmt: skip
_IDENTITY = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
             for what, value in (("NAME", "agtmux"), ("EMAIL", "agtmux@localhost"))}  # fmt: skip


@dataclass(frozen=True)
class Salvage:
    """A verified copy. ``fingerprint``: of the state that it holds."""

    ref: str
    commit: str
    folder: str
    fingerprint: str
    files: int


def salvage(place: Place, state: TreeState, ignored: Iterable[str] | None, folder: str, name: str) -> Salvage:
    """Copy this state into the new folder ``folder`` and the ref ``name``. Raises AgtmuxError; then nothing is left."""
    found = capture(place, state, ignored)
    part = f"{folder}.part"
    ref = f"{REFS}/{name}"
    commit: str | None = None
    try:
        os.makedirs(part, mode=0o700)
        commit = _commit(place, found, state)
        base = found.head or _empty_tree(place.git)
        patch = place.git.run(*_DIFF, base, commit, "--")
        _write(os.path.join(part, "work.patch"), patch)
        _archive(os.path.join(part, "files.tar"), place, found)
        place.git.run("update-ref", "-m", "agtmux salvage", ref, commit, "0" * len(commit))
        _verify(place, found, commit, ref, base, part)
        manifest = {
            "ref": ref, "commit": commit, "fingerprint": found.fingerprint, "worktree": printable(place.folder),
            "repository": printable(place.common), "head": found.head, "branch": found.branch,
            "ignored": list(found.ignored), "stashes": list(found.stashes), "operations": list(found.operations),
            "tar_sha256": digest_of(os.path.join(part, "files.tar")),
            "patch_sha256": hashlib.sha256(patch).hexdigest(), "files": [fact_item(one) for one in found.files],
        }  # fmt: skip
        _write(os.path.join(part, "manifest.json"), json.dumps(manifest, indent=1).encode())
        os.rename(part, folder)
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)
        if commit is not None:
            place.git.attempt("update-ref", "-d", ref, commit)
        if isinstance(error, OSError):
            raise AgtmuxError(
                "E_PRECONDITION_FAILED", f"nothing was salvaged: {folder}: {error.strerror}. The worktree is unchanged"
            ) from None
        raise
    return Salvage(ref, commit, folder, found.fingerprint, len(found.files))


_DIFF: Final = (
    "diff", "--binary", "--full-index", "--no-ext-diff", "--no-textconv", "--no-renames", "--no-color",
    "--src-prefix=a/", "--dst-prefix=b/", "--submodule=short",
)  # fmt: skip


def is_intact(place: Place, known: dict[str, Any], now: Capture) -> bool:
    """Return whether a salvage holds exactly the state ``now``, and is still there whole. ``known``: its manifest."""
    folder = str(known["folder"])
    try:
        whole = (
            digest_of(os.path.join(folder, "files.tar")) == known["tar_sha256"]
            and digest_of(os.path.join(folder, "work.patch")) == known["patch_sha256"]
        )
    except OSError:
        return False
    done = place.git.attempt("rev-parse", "--verify", "--quiet", f"{known['ref']}^{{commit}}")
    same = (known["commit"], known["fingerprint"]) == (done.stdout.decode().strip(), now.fingerprint)
    return whole and same


def read_manifest(folder: str) -> dict[str, Any] | None:
    """Read the manifest of a salvage. None if it is gone or broken."""
    try:
        with open(os.path.join(folder, "manifest.json"), "rb") as file:
            value = json.loads(file.read())
    except (OSError, ValueError):
        return None
    wanted = ("ref", "commit", "fingerprint", "ignored", "tar_sha256", "patch_sha256")
    return {**value, "folder": folder} if isinstance(value, dict) and all(key in value for key in wanted) else None


# ---------------------------------------------------------------- the commit


def _commit(place: Place, found: Capture, state: TreeState) -> str:
    """Write the state as a commit. Its parents keep HEAD, the index, stashes and what an operation works on."""
    git = place.git.with_env(**_IDENTITY)
    with tempfile.TemporaryDirectory(prefix="agtmux-") as scratch:
        tree = _tree(git.with_env(GIT_INDEX_FILE=os.path.join(scratch, "work")), place, found)
        parents = [found.head, _index_commit(git, place, found, os.path.join(scratch, "staged")), *found.stashes]
    for name in _HEADS:
        parents += _ids(os.path.join(place.admin, name))
    there = [one for one in dict.fromkeys(parents) if one and _is_commit(git, one)]
    words = [word for one in there for word in ("-p", one)]
    text = f"agtmux salvage of {printable(state.folder)} ({found.branch or 'detached'})\n"
    return git.run("commit-tree", tree, *words, stdin=text.encode()).decode().strip()


def _is_commit(git: Git, oid: str) -> bool:
    return git.attempt("cat-file", "-e", f"{oid}^{{commit}}").returncode == 0


def _ids(path: str) -> list[str]:
    try:
        with open(path, "rb") as file:
            words = file.read(65536).decode("ascii", "replace").split()
    except OSError:
        return []
    return [word for word in words if len(word) in (40, 64)]


def _index_commit(git: Git, place: Place, found: Capture, copy: str) -> str | None:
    """Write the index as a commit. None if it has conflicts: the archive holds the index itself."""
    source = os.path.join(place.admin, "index")
    if os.path.exists(source):
        shutil.copyfile(source, copy)
    done = git.with_env(GIT_INDEX_FILE=copy).attempt("write-tree")
    if done.returncode:
        return None
    parent = ["-p", found.head] if found.head else []
    return git.run("commit-tree", done.stdout.decode().strip(), *parent, stdin=b"agtmux: the index\n").decode().strip()


def _tree(git: Git, place: Place, found: Capture) -> str:
    """Write HEAD's tree with the files of the capture, as their bytes are on the disk."""
    git.run("read-tree", found.head if found.head else "--empty")
    facts = _plain(found)
    files = [one for one in facts if one.kind == "file"]
    ids: dict[str, str] = {}
    for start in range(0, len(files), _MANY):
        some = files[start : start + _MANY]
        paths = [os.path.join(place.folder, one.path) for one in some]
        listed = git.run("hash-object", "-w", "--no-filters", "--", *paths).decode().split()
        ids |= {one.path: oid for one, oid in zip(some, listed, strict=True)}
    for one in facts:
        if one.kind == "link":
            target = os.fsencode(os.readlink(os.path.join(place.folder, one.path)))
            ids[one.path] = git.run("hash-object", "-w", "--stdin", stdin=target).decode().strip()
    zero = "0" * len(next(iter(ids.values()), "0" * 40))
    gone = [f"0 {zero}\t{one.path}\0" for one in facts if one.kind in ("absent", "folder")]
    there = [f"{_git_mode(one)} {ids[one.path]}\t{one.path}\0" for one in facts if one.path in ids]
    git.run("update-index", "--replace", "-z", "--index-info", stdin=os.fsencode("".join(gone + there)))
    return git.run("write-tree").decode().strip()


def _git_mode(one: FileFact) -> str:
    if one.kind == "link":
        return "120000"
    return "100755" if one.mode & 0o100 else "100644"


def _plain(found: Capture) -> list[FileFact]:
    """Return the files outside repositories inside. Git's trees cannot hold the others: the archive does."""
    facts = [one for one in found.files if one.room == "files"]
    inside = {one.path[: -len("/.git")] for one in facts if one.path.lower().endswith("/.git")}
    return [one for one in facts if not any(above in inside for above in _upwards(one.path))]


def _upwards(path: str) -> Iterator[str]:
    while path:
        yield path
        path = os.path.dirname(path)


def _empty_tree(git: Git) -> str:
    return git.run("hash-object", "-t", "tree", "-w", "--stdin").decode().strip()


# ---------------------------------------------------------------- the archive


def _write(path: str, data: bytes) -> None:
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _archive(path: str, place: Place, found: Capture) -> None:
    """Write all files, and git's own folder of the worktree. Raises E_PRECONDITION_FAILED if a file has changed."""
    facts = list(found.files)
    have = {one.member for one in facts}
    with open(path, "xb") as raw:
        with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as archive:
            for one in facts:
                root = place.folder if one.room == "files" else place.admin
                _member(archive, one, os.path.join(root, one.path))
            for folder, folders, files in os.walk(place.admin):
                if folder == place.admin:
                    folders[:] = [name for name in folders if name != "modules"]
                for name in files:
                    full = os.path.join(folder, name)
                    member = f"git/{os.path.relpath(full, place.admin)}"
                    if member not in have:
                        archive.add(full, member, recursive=False)
        raw.flush()
        os.fsync(raw.fileno())


def _member(archive: tarfile.TarFile, one: FileFact, full: str) -> None:
    info = tarfile.TarInfo(one.member)
    info.mode = one.mode
    if one.kind == "absent":
        return
    info.mtime = int(os.lstat(full).st_mtime)
    if one.kind == "folder":
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
        return
    if one.kind == "link":
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(full)
        archive.addfile(info)
        return
    with open(full, "rb") as file:
        info.size = os.fstat(file.fileno()).st_size
        archive.addfile(info, file)


# ---------------------------------------------------------------- the proof


def _verify(place: Place, found: Capture, commit: str, ref: str, base: str, folder: str) -> None:
    """Read everything back. Raises E_PRECONDITION_FAILED if one byte differs, or the worktree changed meanwhile."""
    wrong = _wrong_members(os.path.join(folder, "files.tar"), found.files)
    if wrong:
        raise AgtmuxError(
            "E_PRECONDITION_FAILED",
            f"the copy of {printable(wrong[0])} differs from the file: stop what writes there, then try again",
        )
    if place.git.line("rev-parse", "--verify", ref) != commit:
        raise AgtmuxError("E_PRECONDITION_FAILED", f"{ref} does not name the copy: try again")
    with tempfile.TemporaryDirectory(prefix="agtmux-") as scratch:
        git = place.git.with_env(GIT_INDEX_FILE=os.path.join(scratch, "index"))
        git.run("read-tree", base)
        with open(os.path.join(folder, "work.patch"), "rb") as file:
            patch = file.read()
        if patch:
            git.run("apply", "--cached", "--whitespace=nowarn", "--binary", stdin=patch)
        if git.run("write-tree") != git.run("rev-parse", f"{commit}^{{tree}}"):
            raise AgtmuxError("E_PRECONDITION_FAILED", "the patch does not lead to the copy: nothing was salvaged")
    _verify_blobs(place, found, commit)


def _verify_blobs(place: Place, found: Capture, commit: str) -> None:
    """Read the files out of the commit, and compare them with their digests."""
    wanted = {one.path: one for one in _plain(found) if one.kind in ("file", "link")}
    listed = place.git.run("ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0")
    ids = {os.fsdecode(path): head.split()[2] for head, _, path in (one.partition(b"\t") for one in listed) if head}
    paths = list(wanted)
    for start in range(0, len(paths), _MANY):
        some = [path for path in paths[start : start + _MANY] if path in ids]
        raw = place.git.run("cat-file", "--batch", stdin=b"".join(ids[path] + b"\n" for path in some))
        at = 0
        for path in some:
            line = raw.index(b"\n", at)
            size = int(raw[at:line].split()[2])
            if hashlib.sha256(raw[line + 1 : line + 1 + size]).hexdigest() == wanted[path].digest:
                del wanted[path]
            at = line + size + 2
    if wanted:
        path = printable(next(iter(wanted)))
        raise AgtmuxError("E_PRECONDITION_FAILED", f"the copy of {path} in git differs from the file: try again")


def _wrong_members(path: str, facts: Sequence[FileFact]) -> list[str]:
    """Return the entries that the archive does not hold as they were captured."""
    wanted = {one.member: one for one in facts if one.kind != "absent"}
    with tarfile.open(path, errors="surrogateescape") as archive:
        for info in archive:
            one = wanted.get(info.name)
            if one is not None and _read_member(archive, info) == (one.kind, one.mode, one.digest):
                del wanted[info.name]
    return [one.path for one in wanted.values()]


def _read_member(archive: tarfile.TarFile, info: tarfile.TarInfo) -> tuple[str, int, str]:
    if info.isdir():
        return "folder", info.mode, ""
    if info.issym():
        return "link", info.mode, hashlib.sha256(os.fsencode(info.linkname)).hexdigest()
    found = hashlib.sha256()
    file: Any = archive.extractfile(info) or io.BytesIO()
    while piece := file.read(1 << 20):
        found.update(piece)
    return "file", info.mode, found.hexdigest()
