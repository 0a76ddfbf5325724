"""Read the global user options that are for agtmux, as a part of each round.

Owns their names and their format. A user sets ``@agtmux on`` to let agtmux write to the server at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

NAMES: Final = ("@agtmux", "@agtmux-status", "@agtmux_at", "@agtmux_by")
"""The options that each round reads. To let a feature see another one, add its name."""
VALUE_MOST: Final = 64
"""How many bytes a value may have. A longer one reads as empty."""


def options_format(nonce: str) -> str:
    """Return the format of the options. ``read_options`` reads the parts of its reply."""
    return nonce.join([f"#{{?#{{e|>:#{{n:{name}}},{VALUE_MOST}}},,#{{{name}}}}}" for name in NAMES])


def read_options(parts: Sequence[str]) -> Mapping[str, str]:
    """Return the values by name, without those that are not set or empty. ``parts``: one for each of ``NAMES``."""
    values = [part.removesuffix("\n") for part in parts]
    return {name: value for name, value in zip(NAMES, values, strict=True) if value}
