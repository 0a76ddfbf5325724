"""What the fake chat-completions API calls when OpenCode asks: OpenCode's own tools under the shared keywords.

Keywords: those of ``steps.COMMON``, slow N, bash, twobash, longbash, write, edit, outside, ask, askmany, task (a
sub-agent; task bash: one that asks), boom, rate, badkey, flaky, empty. Two requests at once: twobash, samebash (the
same one twice), askbash (a question and a command), bashask, helperbash (a sub-agent that asks beside the command),
helperask, twohelpers. nested: OpenCode as a command of OpenCode.
"""

from __future__ import annotations

import time

from tests.agents.models.copilot import FakeCopilot
from tests.agents.models.steps import Call, Fail, Pause, Say, Step, common


def _bash(command: str, description: str) -> Call:
    return Call("bash", {"command": command, "description": description, "timeout": 90000})


def _question(question: str, header: str, options: list[str], multiple: bool = False) -> dict[str, object]:
    listed = [{"label": label, "description": f"{label.lower()} it is"} for label in options]
    return {"question": question, "header": header, "multiple": multiple, "options": listed}


_COLOUR = _question("Which colour should the lab use?", "Colour", ["Red", "Blue"])
_PARTS = _question("Which parts are needed?", "Parts", ["Roof", "Door", "Window"], multiple=True)
_TASK = {"description": "Small helper", "subagent_type": "general"}
_HELPER = Call("task", {**_TASK, "prompt": "bash one"})
_COMMAND = _bash("touch by-main.txt", "Marker of the main agent")
_TOOLS: dict[str, list[Step]] = {
    "samebash": [_bash("touch twice", "The same"), _bash("touch twice", "The same")],
    "askbash": [Call("question", {"questions": [_COLOUR]}), _COMMAND],
    "bashask": [_COMMAND, Call("question", {"questions": [_COLOUR]})],
    "helperbash": [_HELPER, _COMMAND],
    "helperask": [Call("task", {**_TASK, "prompt": "slow 12 please"}), Call("question", {"questions": [_COLOUR]})],
    "nested": [_bash("opencode run 'badkey in a tool'; true", "An agent as a tool")],
    "twohelpers": [_HELPER, Call("task", {**_TASK, "prompt": "outside there"})],
    "bash": [_bash("touch made-by-shell.txt && sleep 2 && echo shell-ok", "Create a marker file")],
    "twobash": [_bash("touch first-of-two", "First marker"), _bash("touch second-of-two", "Second marker")],
    "longbash": [_bash("echo first-line && sleep 40 && echo last-line", "Long silent command")],
    "outside": [Call("read", {"filePath": "/etc/hostname"})],
    "ask": [Call("question", {"questions": [_COLOUR]})],
    "askmany": [Call("question", {"questions": [_COLOUR, _PARTS]})],
}
_FAILURES = {
    "boom": Fail(500, "server_error", "The server had an error (fake)."),
    "rate": Fail(429, "rate_limit_exceeded", "Rate limit reached, please try again (fake)."),
    "badkey": Fail(401, "invalid_api_key", "Incorrect API key provided (fake)."),
}


class FakeOpenCode(FakeCopilot):
    """The provider that OpenCode's settings name, at ``url`` and ``/v1``."""

    keywords = FakeCopilot.keywords | frozenset(_TOOLS)

    def _script(self, word: str, prompt: str) -> list[Step]:
        if (steps := common(word, prompt)) is not None:
            return steps
        if word in _FAILURES:
            time.sleep(0.8)  # as a service far away; the turn is to be seen
            return [_FAILURES[word]]
        if word == "task":
            inner = "bash one" if "bash" in prompt else "slow 6 please"
            return [Pause(0.8), Call("task", {**_TASK, "prompt": inner})]
        if word in _TOOLS:
            return [Pause(0.8), *_TOOLS[word]]
        if word == "write":
            return [Pause(0.8), Call("write", {"filePath": str(self.work / "note.txt"), "content": "one\ntwo\n"})]
        if word == "edit":
            args = {"filePath": str(self.work / "seed.txt"), "oldString": "beta", "newString": "gamma"}
            return [Pause(0.8), Call("edit", args)]
        if word == "flaky":
            refused = self.refuse(prompt, 2)
            return [Fail(503, "overloaded_error", "Overloaded (fake).")] if refused else [Say("It worked in the end.")]
        return [Pause(0.4), Say("" if word == "empty" else "Nothing scripted for that.")]
