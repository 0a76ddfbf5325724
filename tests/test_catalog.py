"""The catalog of promises agrees with the tests, both ways. Reads files only: it runs no test and imports none.

``python -m tests.test_catalog`` brings the catalog's last column up to the tests.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
CATALOG = TESTS.parent / "docs" / "test-catalog.md"
_ROW = re.compile(r"^\| (TC-\d{3}) \|(.*)\|$", re.M)


def catalog() -> dict[str, str]:
    """State (``held`` or ``planned``) by id."""
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


def test_every_id_that_a_test_carries_is_in_the_catalog() -> None:
    known = catalog()
    assert {name: place for name, place in carried().items() if name not in known} == {}


def test_every_promise_is_held_by_a_test_or_said_to_be_planned() -> None:
    states, found = catalog(), carried()
    assert set(states.values()) <= {"held", "planned"}
    assert [name for name, state in states.items() if state == "held" and name not in found] == [], "no test holds it"
    begun = {name: found[name] for name, state in states.items() if state == "planned" and name in found}
    assert begun == {}, "a test holds it: python -m tests.test_catalog"


def main() -> None:
    found = carried()
    lines = CATALOG.read_text("utf-8").splitlines(keepends=True)
    for n, line in enumerate(lines):
        row = _ROW.match(line.rstrip("\n"))
        if row is not None:
            lines[n] = f"{line.rpartition(' | ')[0]} | {'held' if row[1] in found else 'planned'} |\n"
    CATALOG.write_text("".join(lines), "utf-8")


if __name__ == "__main__":
    main()
