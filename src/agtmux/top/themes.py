"""Find the theme that the configuration names: the terminal's own colours, one of textual's, or a file of the user's.

A file is ``themes/NAME.toml`` beside the configuration, with the fields of ``textual.theme.Theme``.
"""

from __future__ import annotations

import os

from agtmux.protocol.errors import AgtmuxError
from agtmux.protocol.regular import read_regular
from agtmux.protocol.text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from textual.theme import Theme

OWN = ("ansi-dark", "ansi-light")
"""The themes that use the terminal's own colours."""
_NAMES = "primary secondary warning error success accent foreground background surface panel"
_COLOURS = tuple(_NAMES.split(" "))
_MOST = 1 << 16


def find_theme(wanted: object, terminal: str, folder: str, *, colours: bool = True) -> tuple[str, Theme | None]:
    """Return the name of a theme, and the theme itself if a file in ``folder`` defines it.

    ``terminal``: COLORFGBG, as ``15;0`` for white on black; "" if it is not set. Without ``colours`` it is always one
    that uses the terminal's own. Raises E_INVALID_REQUEST if there is no theme of that name, or its file is wrong.
    """
    if not colours or wanted is None or wanted == "auto":
        return OWN[terminal.rpartition(";")[2] in ("7", "15")], None
    from textual.theme import BUILTIN_THEMES

    if isinstance(wanted, str) and wanted in BUILTIN_THEMES:
        return wanted, None
    if not isinstance(wanted, str) or os.sep in wanted:
        raise _wrong("is not the name of a theme")
    path = os.path.join(folder, f"{wanted}.toml")
    try:
        text = read_regular(path, _MOST).decode("utf-8")
    except FileNotFoundError:
        names = ", ".join(sorted(BUILTIN_THEMES))
        raise _wrong(f"there is no {path}, and no theme of that name; there are auto, {names}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(f"cannot read {path}: {error}") from None
    return wanted, read_theme(wanted, text, path)


def read_theme(name: str, text: str, path: str) -> Theme:
    """Return the theme that a file defines. Raises E_INVALID_REQUEST, which names the file and the key."""
    import tomllib

    from textual.color import Color, ColorParseError
    from textual.theme import Theme

    try:
        fields = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _wrong(f"{path} is not valid TOML: {error}") from None
    dark = fields.pop("dark", True)
    if not isinstance(dark, bool):
        raise _wrong(f"{path}: dark is true or false")
    for key, value in fields.items():
        if key not in _COLOURS:
            raise _wrong(f"{path} has {one_line(key)}; a theme has dark, {', '.join(_COLOURS)}")
        try:
            Color.parse(value if isinstance(value, str) else "")
        except ColorParseError:
            raise _wrong(f"{path}: {key} is not a colour: write it like #88c0d0 or ansi_blue") from None
    if "primary" not in fields:
        raise _wrong(f"{path} has no primary: give it a colour")
    return Theme(name=name, dark=dark, **fields)


def _wrong(text: str) -> AgtmuxError:
    return AgtmuxError("E_INVALID_REQUEST", f"[top] theme: {one_line(text)}")
