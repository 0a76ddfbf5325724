"""The catalog of promises agrees with the tests, both ways. Reads files only: it runs no test and imports none.

``python -m tests.test_catalog`` brings the catalog's last column up to the tests.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
BENCH = TESTS.parent / "bench"
CATALOG = TESTS.parent / "docs" / "test-catalog.md"
_ROW = re.compile(r"^\| (TC-\d{3}) \|(.*)\|$", re.M)


def catalog() -> dict[str, str]:
    """State (``held``, ``measured`` or ``planned``) by id."""
    rows = [
        (row[1], [cell.strip() for cell in row[2].split(" | ")]) for row in _ROW.finditer(CATALOG.read_text("utf-8"))
    ]
    assert len({name for name, _ in rows}) == len(rows), "an id stands twice"
    assert all(len(cells) == 4 for _, cells in rows), "a row is: id, layer, promise, gate, state"
    return {name: cells[-1] for name, cells in rows}


def marks(path: Path) -> Iterator[tuple[int, str]]:
    """Line and id of every ``pytest.mark.tc(…)`` in a file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr != "tc":
            continue
        for argument in node.args:
            assert isinstance(argument, ast.Constant), f"{path}:{node.lineno}: a mark names its id plainly"
            yield node.lineno, str(argument.value)


def carried() -> dict[str, str]:
    """One place that carries it, by id."""
    found: dict[str, str] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for line, name in marks(path):
            found.setdefault(name, f"{path.relative_to(TESTS.parent)}:{line}")
    return found


def measured() -> dict[str, str]:
    """The file of a case of ``bench/`` that names it, by id."""
    cases = {str(path.relative_to(TESTS.parent)): path.read_text("utf-8") for path in sorted(BENCH.glob("*.py"))}
    return {name: path for path, text in cases.items() for name in re.findall(r"\bTC-\d{3}\b", text)}


def state(name: str, found: dict[str, str]) -> str:
    """What the catalog should say of an id; ``found`` is ``carried()``."""
    if name in found:
        return "held"
    return "measured" if name in measured() else "planned"


def test_every_id_that_a_test_or_a_case_carries_is_in_the_catalog() -> None:
    known = catalog()
    assert {name: place for name, place in {**measured(), **carried()}.items() if name not in known} == {}


def test_every_promise_is_held_measured_or_said_to_be_planned() -> None:
    """Otherwise: ``python -m tests.test_catalog``."""
    found = carried()
    assert {name: one_answer for name, one_answer in catalog().items() if one_answer != state(name, found)} == {}


def main() -> None:
    found = carried()
    lines = CATALOG.read_text("utf-8").splitlines(keepends=True)
    for n, line in enumerate(lines):
        row = _ROW.match(line.rstrip("\n"))
        if row is not None:
            lines[n] = f"{line.rpartition(' | ')[0]} | {state(row[1], found)} |\n"
    CATALOG.write_text("".join(lines), "utf-8")


if __name__ == "__main__":
    main()
