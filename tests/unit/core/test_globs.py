"""Two patterns overlap exactly if some path matches both: compared with an oracle that tries every path of a world."""

from __future__ import annotations

import itertools
import random
import re
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.globs import Budget, compile_path, compile_pattern, expression, overlap, text_of

LONG_NAMES = [
    "/".join(names)
    for depth in (1, 2)
    for names in itertools.product(
        ["".join(s) for n in (1, 2, 3, 4) for s in itertools.product("abc", repeat=n)], repeat=depth
    )
]
"""Names of up to four characters, two deep. Patterns whose names have two atoms besides * need no longer ones."""
_SHORT = ["".join(s) for n in (1, 2) for s in itertools.product("ab", repeat=n)]
DEEP = ["/".join(names) for depth in range(1, 6) for names in itertools.product(_SHORT, repeat=depth)]
"""Up to five deep. Patterns of two names besides **, with one atom of a and b besides *, need no more."""


def overlaps(one: str, other: str, **more: bool) -> bool:
    return overlap(compile_pattern(one, **more), compile_pattern(other, **more), Budget())


def regex(pattern: str) -> re.Pattern[str]:
    """The oracle's own reading of a pattern, by regular expressions."""
    names = pattern.split("/")
    below = not re.search(r"[*?\[]", names[-1])
    out = ""
    for n, name in enumerate(names):
        last = n == len(names) - 1
        if name == "**":
            out += r"(?:[^/]+/)*[^/]+" if last else r"(?:[^/]+/)*"
            continue
        piece = re.sub(r"\*+", "[^/]*", name.replace("?", "[^/]")) if "[" not in name else _with_class(name)
        out += piece + ("" if last else "/")
    return re.compile(f"(?:{out}){'(?:/.*)?' if below else ''}")


def _with_class(name: str) -> str:
    out = ""
    for part in re.findall(r"\[[^]]*\]|.", name):
        out += {"*": "[^/]*", "?": "[^/]"}.get(part, part.replace("[!", "[^/"))
    return out


@lru_cache(maxsize=4096)
def matches(pattern: str, deep: bool) -> int:
    """The paths of the world that match, as the bits of a number."""
    expression = regex(pattern)
    bits = "".join("1" if expression.fullmatch(path) else "0" for path in (DEEP if deep else LONG_NAMES))
    return int(bits, 2)


def name(pick: random.Random, most: int) -> str:
    choice = ["a", "b", "?", "[ab]", "[!a]", *(["c", "[b-c]"] if most > 1 else [])]
    atoms = [pick.choice(choice) for _ in range(pick.randint(0, most))]
    for _ in range(pick.randint(0 if atoms else 1, 2)):
        atoms.insert(pick.randint(0, len(atoms)), "*")
    return "".join(atoms).replace("**", "*")


def pattern(pick: random.Random, deep: bool) -> str:
    names = [name(pick, 1 if deep else 2) for _ in range(pick.randint(1, 2))]
    for _ in range(pick.randint(0, 2) if deep else 0):
        names.insert(pick.randint(0, len(names)), "**")
    return "/".join(names)


@pytest.mark.tc("TC-780")
@pytest.mark.parametrize("deep", [False, True])
def test_ten_thousand_random_pairs_agree_with_every_path_of_a_world(deep: bool) -> None:
    pick = random.Random(20261130 + deep)
    pool = [pattern(pick, deep) for _ in range(260)]
    seen = {True: 0, False: 0}
    for _ in range(5000):
        one, other = pick.choice(pool), pick.choice(pool)
        expected = bool(matches(one, deep) & matches(other, deep))
        assert overlaps(one, other) == overlaps(other, one) == expected, (one, other)
        seen[expected] += 1
    assert min(seen.values()) > 500, "both answers come often"


@pytest.mark.tc("TC-780")
@settings(max_examples=300, deadline=None)
@given(st.randoms(use_true_random=False), st.booleans())
def test_any_pair_agrees_with_every_path_of_a_world(pick: random.Random, deep: bool) -> None:
    one, other = pattern(pick, deep), pattern(pick, deep)
    assert overlaps(one, other) == bool(matches(one, deep) & matches(other, deep)), (one, other)


@pytest.mark.tc("TC-780")
@pytest.mark.parametrize("deep", [False, True])
def test_the_expression_of_a_pattern_matches_the_same_paths(deep: bool) -> None:
    pick = random.Random(7 + deep)
    world = DEEP if deep else LONG_NAMES
    for text in {pattern(pick, deep) for _ in range(60)}:
        match = expression(compile_pattern(text)).match
        expected = regex(text).fullmatch
        for path in pick.sample(world, 2000):
            assert bool(match(path + "/")) == bool(expected(path)), (text, path)


@pytest.mark.tc("TC-780")
def test_no_path_takes_long_to_match() -> None:
    """Expressions with as many stars that went back would take longer than the universe has been there."""
    path = text_of(compile_path("a" * 250 + "/" + "a" * 250))
    assert not expression(compile_pattern("*a" * 100 + "b/**/" + "*a*" * 60 + "b")).match(path)
    assert not expression(compile_pattern("**/a*/" * 30 + "b")).match("a/" * 250)
    assert expression(compile_pattern("*a" * 100 + "/" + "*a*" * 60)).match(path)


@pytest.mark.tc("TC-780")
def test_an_expression_knows_odd_bytes_newlines_and_both_cases() -> None:
    for text, path, same in ((r"a\xff*", r"a\xff\x0a", True), (r"a\xff", r"a\xfe", False), ("[!a]", r"\x0a", True)):
        assert bool(expression(compile_pattern(text)).match(text_of(compile_path(path)))) is same
    assert expression(compile_pattern("SRC/[a-c]*", ignore_case=True)).match(text_of(compile_path("src/Bx")))


@pytest.mark.tc("TC-781")
@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("src/*.py", "src/a*", True),
        ("**/test_*.py", "src/api/**", True),
        ("src/*/views.py", "src/app/*", True),
        ("src/*.py", "src/*.ts", False),
        ("src/api", "src/api/deep/x.py", True),
        ("src/api", "src/apis", False),
        ("src/api/", "src/api", True),
        ("src/*", "src/a/b", False),
        ("src/**", "src", True),
        ("**", "x", True),
        (".", "any/thing", True),
        ("./src//a.py", "src/./a.py", True),
        ("[ab].py", "[!a].py", True),
        ("[a].py", "[!a].py", False),
        ("a[0-9]", "a[5-7]", True),
        ("a[0-4]", "a[5-9]", False),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("Makefile", "makefile", False),
        (r"\*", "*", True),
        (r"\*", "a", False),
        (r"a\xff", "a*", True),
        (r"a\xff", r"a\xfe", False),
        (r"x\x0ay", "x?y", True),
        ("**/**/a", "a", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("é*", "ecole*", False),
        ("é*", "école", True),
    ],
)
def test_known_pairs(one: str, other: str, expected: bool) -> None:
    assert overlaps(one, other) == overlaps(other, one) == expected


@pytest.mark.tc("TC-782")
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"), ("/etc/passwd", "absolute"), ("../x", "leaves its folder"), ("a/../b", "leaves its folder"),
        ("src\\api", "use / between folders"), ("a{b,c}", "one pattern for each"), ("a[b", "no ]"), ("a[b/c]", "no ]"),
        ("[z-a]", "wrong way round"), ("[[:alpha:]]", "are not read"), ("a\nb", "control character"),
        ("a\x00", "control"),
        (r"\x00", "no name holds"), (r"\x2f", "no name holds"), ("x\udcff", "odd byte"), ("a" * 513, "513 characters"),
        ("a/" * 65 + "b", "66 names"), (r"[!\x01-" + "\U0010ffff]", "matches no character"), ("a\\", "stands only"),
    ],
)  # fmt: skip
def test_what_is_no_pattern_of_a_repository_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(AgtmuxError, match=re.escape(why)) as caught:
        compile_pattern(text)
    assert caught.value.code == "E_INVALID_REQUEST"


@pytest.mark.tc("TC-782")
@pytest.mark.parametrize(
    ("text", "normal"),
    [("./src//api/", "src/api/**"), (".", "**"), ("**/**/a", "**/a"), ("src/api", "src/api"), ("a/./b/*", "a/b/*")],
)
def test_a_pattern_has_one_normal_form_and_the_normal_form_is_its_own(text: str, normal: str) -> None:
    assert compile_pattern(text).text == normal
    assert compile_pattern(normal).text == normal


@pytest.mark.tc("TC-782")
def test_in_a_repository_that_ignores_case_so_do_patterns() -> None:
    assert overlaps("Makefile", "makefile", ignore_case=True)
    assert overlaps("[a-c]X", "Bx", ignore_case=True)
    assert overlaps("É", "é", ignore_case=True)
    assert not overlaps("[a-c]X", "dx", ignore_case=True)


@pytest.mark.tc("TC-782")
def test_a_pair_that_would_cost_too_much_is_refused_and_long_stars_are_not() -> None:
    one, other = "*a" * 250, "*b" * 250
    with pytest.raises(AgtmuxError, match="too complex"):
        overlap(compile_pattern(one), compile_pattern(other), Budget(1000))
    assert overlap(compile_pattern("*a*a*a*a*"), compile_pattern("a" * 200), Budget())


@pytest.mark.tc("TC-782")
def test_a_path_is_one_file_and_a_pattern_is_no_path() -> None:
    assert not overlap(compile_path("src/api"), compile_pattern("src/api/x"), Budget())
    assert overlap(compile_path("src/api"), compile_pattern("src/api"), Budget())
    assert overlap(compile_path(r"a\*b"), compile_pattern("a?b"), Budget())
    with pytest.raises(AgtmuxError, match="not a path"):
        compile_path("src/*")
