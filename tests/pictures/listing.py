"""Makes a picture of ``agtmux ls``.

``python -m tests.pictures.listing -o ls.png`` (or ``.svg``); ``--columns 60`` for a narrow terminal.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.pictures.scene import Scene, usual
from tests.pictures.terminal import svg, write_png


def picture(scene: Scene, *, columns: int) -> str:
    """Return an SVG of what ``agtmux ls`` prints there."""
    return svg([("agtmux ls", scene.agtmux("ls", columns=columns))], columns=columns)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("ls.png"))
    parser.add_argument("--columns", type=int, default=104)
    options = parser.parse_args()
    with usual() as scene:
        drawn = picture(scene, columns=options.columns)
    if options.output.suffix == ".svg":
        options.output.write_text(drawn, "utf-8")
    else:
        write_png(drawn, options.output)
    print(f"wrote {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
