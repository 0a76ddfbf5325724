"""The picture of the rooms in docs/architecture.md, made from the imports. ``python -m tests.rooms`` writes it.

An arrow means "imports". One that follows from others is left out: if a imports b, and b imports c, then a to c is not
drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.unit.test_architecture import CLIENT_FLOORS, FLOORS, imports, modules, room

PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"
FIRST, LAST = "<!-- rooms: written by python -m tests.rooms -->\n", "<!-- end of rooms -->\n"
PURE = ("agtmuxd.core", "agtmuxd.tmux")
SHARED = "agtmux.protocol"
PARTS = (
    ("agtmux", "agtmux: the command line", CLIENT_FLOORS),
    ("agtmuxd", "agtmuxd: the daemon", FLOORS),
)


def arrows(package: str, floors: tuple[tuple[str, ...], ...]) -> dict[str, set[str]]:
    """The rooms that each room of a package imports, by full name."""
    found: dict[str, set[str]] = {}
    for name, tree in modules(package):
        own = room(name, floors)
        if own is None:
            continue
        others = (room(other, floors) for other in imports(tree) if other.startswith("agtmux"))
        found.setdefault(own[1], set()).update(other[1] for other in others if other and other[1] != own[1])
    return found


def below(graph: Mapping[str, set[str]], name: str) -> set[str]:
    """All rooms that a room imports, directly or through others."""
    return graph.get(name, set()).union(*(below(graph, other) for other in graph.get(name, ())))


def reduced(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The same rooms without the arrows that follow from others."""
    return {name: others - set().union(*(below(graph, one) for one in others)) for name, others in graph.items()}


def box(name: str) -> str:
    """A room as Mermaid has it: the pure ones round."""
    label = name.partition(".")[2]
    text = f'(["{label}"])' if name in PURE else f'["{label}"]'
    return f"{name.replace('.', '_')}{text}"


def drawn() -> Iterator[str]:
    """The lines of the picture."""
    yield "flowchart TD"
    lines: list[str] = []
    for package, title, floors in PARTS:
        graph = reduced(arrows(package, floors))
        yield f'  subgraph {package}_rooms["{title}"]'
        for name in (name for floor in reversed(floors) for name in floor if name != SHARED and name in graph):
            yield f"    {box(name)}"
            to = " & ".join(other.replace(".", "_") for other in sorted(graph[name]))
            lines += [f"  {name.replace('.', '_')} --> {to}"] if to else []
        yield "  end"
    yield f"  {box(SHARED)}"
    yield from lines


def page(text: str) -> str:
    """The page with the picture as the code is now. Raises ValueError where its place is gone."""
    if FIRST not in text or LAST not in text:
        raise ValueError(f"{PAGE.name} has lost the lines around the picture: {FIRST.strip()} and {LAST.strip()}")
    head, _, rest = text.partition(FIRST)
    picture = "\n".join(drawn())
    return f"{head}{FIRST}```mermaid\n{picture}\n```\n{LAST}{rest.partition(LAST)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
