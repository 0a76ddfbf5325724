"""The checks that come with agtmux for those who write adapters: ours owe nothing, and what one owes is named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agtmuxd.adapters.conformance import violations
from agtmuxd.adapters.contract import Adapter, HookPlan, HookStatus, Identity
from agtmuxd.adapters.discovery import BUILT_IN
from agtmuxd.adapters.shared import checked_payload
from agtmuxd.core.model import Claim, Proc, RawEvent, Sample, Signal, Write
from tests.unit.adapters.toy import ToyAdapter

ROOT = Path(__file__).parents[3]
GATE = {
    "claude": pytest.mark.tc("TC-015"),
    "codex": pytest.mark.tc("TC-016"),
    "gemini": pytest.mark.tc("TC-033"),
    "copilot": pytest.mark.tc("TC-036"),
    "cursor": pytest.mark.tc("TC-037"),
}


@pytest.mark.parametrize(
    "adapter", [pytest.param(a, id=a.name, marks=GATE.get(a.name, ())) for a in (m() for m in BUILT_IN)]
)
def test_a_shipped_adapter_owes_nothing(adapter: Adapter, tmp_path: Path) -> None:
    assert violations(adapter, tmp_path) == []


class Good(ToyAdapter):
    def normalise(self, event: RawEvent, prior: Mapping[str, Any]) -> Signal:
        checked_payload(event, self.agent_type)
        return Signal(event.event_type)


class Anybody(Good):
    def identify(self, proc: Proc) -> Identity | None:
        return Identity("toy") if any("toy" in word for word in proc.argv) else None


class Careless(Good):
    def normalise(self, event: RawEvent, prior: Mapping[str, Any]) -> Signal:
        checked_payload(event, self.agent_type)
        return Signal(event.payload["hook_event_name"])


class Asking(Good):
    def normalise(self, event: RawEvent, prior: Mapping[str, Any]) -> Signal:
        checked_payload(event, self.agent_type)
        return Signal(event.event_type, (Write(Claim.WAITING_INPUT, "x"),))


class Talkative(Good):
    def look(self, sample: Sample, before: Claim | None) -> Write | None:
        return Write(Claim.IDLE, "always")


class Fragile(Good):
    def look(self, sample: Sample, before: Claim | None) -> Write | None:
        return Write(Claim.RUNNING, "busy") if sample.lines[0] == "busy" else None


class Messy(Good):
    def plan_hooks(self, config_home: Path, command: str, *, remove: bool) -> list[HookPlan]:
        path = config_home / "x.json"
        return [HookPlan(path, path.read_text() if path.exists() else None, "{}" if remove else "{ }")]

    def hook_status(self, config_home: Path, command: str) -> list[HookStatus]:
        return [HookStatus(config_home / "x.json", True, False, ())]


def renamed(name: str) -> Adapter:
    made = Good()
    made.name = made.agent_type = name
    return made


@pytest.mark.tc("TC-046")
@pytest.mark.parametrize(
    ("adapter", "says"),
    [
        (object(), "not a version like"),
        (ToyAdapter(), "normalise: accepts another agent's event"),
        (Anybody(), "identify: ['vim', 'toy.md'] is recognised"),
        (Careless(), "normalise: raises for Stop with {}"),
        (Asking(), "says that a headless run waits"),
        (Talkative(), "look: returns a claim for the screen of a shell"),
        (Fragile(), "look: fails on a screen: look: IndexError"),
        (Messy(), "plan_hooks: leaves x.json after"),
        (Messy(), "hook_status: returns installed after plan_hooks(remove=True)"),
        (renamed("My Agent"), "agent_type: 'My Agent' must be a short word"),
    ],
)
def test_what_an_adapter_owes_is_named(adapter: Any, says: str, tmp_path: Path) -> None:
    assert any(says in line for line in violations(adapter, tmp_path)), violations(adapter, tmp_path)


def test_an_adapter_that_does_what_it_should_owes_nothing(tmp_path: Path) -> None:
    assert violations(Good(), tmp_path) == []


SCREEN = """
format = 1
agent = "toy"
recorded_on = ["1"]
[[rule]]
name = "approval"
claim = "waiting_approval"
all = [{ contains = "May I?" }]
waiting = { kind = "approval" }
sample = { screen = "approval.txt" }
"""


@pytest.mark.tc("TC-046")
@pytest.mark.parametrize("name", ["ToyAdapter", "HookedToyAdapter"])
def test_the_adapter_of_the_documentation_owes_nothing(name: str, tmp_path: Path) -> None:
    pages = "".join((ROOT / f"docs/adapters/{page}.md").read_text("utf-8") for page in ("README", "hooks-in-settings"))
    blocks = re.findall(r"```python\n(.*?)```", pages, re.DOTALL)
    module = tmp_path / "module"
    module.mkdir()
    (module / "toy.toml").write_text(SCREEN)
    message: dict[str, Any] = {"__file__": str(module / "__init__.py"), "__name__": "agtmux_toy"}
    for block in blocks:
        if "ToyAdapter(" in block and "violations(" not in block:
            exec(compile(block, "docs/adapters", "exec"), message)  # noqa: S102 our own words
    folder = tmp_path / "home"
    folder.mkdir()
    assert violations(message[name](), folder) == []


def test_the_parts_that_an_adapter_lacks_are_named(tmp_path: Path) -> None:
    class Half:
        name = agent_type = "half"
        version, contract_version = "1.0.0", "1.0"

    (result,) = violations(Half(), tmp_path)
    assert (
        "lacks parts of the contract: capabilities, config_home, ended_in_order, hook_status, identify, innermost, look"
        in result
    )
