"""Makes a picture of ``agtmux ls``, or of another command that lists.

``python -m tests.pictures.listing -o ls.png`` (or ``.svg``); ``--columns 60`` for a narrow terminal;
``--command recap`` for another command.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.pictures.scene import Scene, usual
from tests.pictures.terminal import svg, write_png


def picture(scene: Scene, *, columns: int, command: str = "ls") -> str:
    """Return an SVG of what ``agtmux COMMAND`` prints there."""
    return svg([(f"agtmux {command}", scene.agtmux(*command.split(), columns=columns))], columns=columns)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("ls.png"))
    parser.add_argument("--columns", type=int, default=104)
    parser.add_argument("--command", default="ls")
    options = parser.parse_args()
    with usual() as scene:
        drawn = picture(scene, columns=options.columns, command=options.command)
    if options.output.suffix == ".svg":
        options.output.write_text(drawn, "utf-8")
    else:
        write_png(drawn, options.output)
    print(f"wrote {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
