"""The scenes in which signs are taken away, by agent, and ordinary ones of Cline. What a scene sets comes from the
agents' own lists of settings;
what is played in it is ``bare``'s.
"""

from __future__ import annotations

from tests.agents.bare import Bare
from tests.agents.scenes import claude, cline, codex, copilot, gemini, opencode

SCENES: tuple[Bare, ...] = (
    *claude.SCENES, *codex.SCENES, *gemini.SCENES, *copilot.SCENES, *opencode.SCENES, *cline.SCENES,
)  # fmt: skip
