"""A fake chat-completions API, enough of it for GitHub Copilot CLI. Scripts are chosen by the newest typed prompt.

Keywords: those of ``steps.COMMON``, slow N, bash, twobash, longbash, write, edit, outside, fetch, ask, asktext, askyn,
askmany, task, boom, flaky, rate, badkey, empty. After a tool's result the answer is one short text that ends with it.
"""

from __future__ import annotations

import json
import re
import time
from typing import Any

from tests.agents.models.server import FakeModel, Reply
from tests.agents.models.steps import COMMON, Call, Cut, Fail, Pause, Say, Step, Think, common, keyword, pieces


def _bash(command: str, description: str, wait: int = 30) -> Call:
    return Call("bash", {"command": command, "description": description, "mode": "sync", "initial_wait": wait})


def _ask(message: str, required: list[str], **fields: object) -> list[Step]:
    schema = {"type": "object", "properties": fields, "required": required}
    return [Call("ask_user", {"message": message, "requestedSchema": schema})]


_COLOUR = {"type": "string", "title": "Colour", "enum": ["Red", "Blue"]}
_PARTS = {"type": "array", "title": "Parts", "items": {"type": "string", "enum": ["Roof", "Door", "Window"]}}
_TOOLS: dict[str, list[Step]] = {
    "bash": [_bash("touch made-by-shell.txt && sleep 2 && echo shell-ok", "Create a marker file")],
    "twobash": [_bash("touch first-of-two", "First marker"), _bash("touch second-of-two", "Second marker")],
    "longbash": [_bash("echo first-line && sleep 40 && echo last-line", "Long silent command", 90)],
    "outside": [Call("view", {"path": "/etc/hostname"})],
    "fetch": [Call("web_fetch", {"url": "http://127.0.0.1:9/page"})],
    "ask": _ask("Which colour should the lab use?", ["colour"], colour=_COLOUR),
    "asktext": _ask("What is the lab called?", ["name"], name={"type": "string", "title": "Name"}),
    "askyn": _ask("Shall it go on?", ["go"], go={"type": "boolean", "title": "Go on"}),
    "askmany": _ask("Two more things are needed.", ["colour"], colour=_COLOUR, parts=_PARTS),
    "task": [
        Call(
            "task",
            {
                "prompt": "slow 6 please",
                "description": "Small helper",
                "agent_type": "task",
                "name": "helper",
                "mode": "sync",
            },
        )
    ],
}
_FAILURES = {
    "boom": Fail(500, "server_error", "The server had an error (fake)."),
    "rate": Fail(429, "rate_limit_exceeded", "Rate limit reached, please try again (fake)."),
    "badkey": Fail(401, "invalid_api_key", "Incorrect API key provided (fake)."),
}
_KEYWORDS = frozenset(COMMON) | frozenset(_TOOLS) | frozenset(_FAILURES) | {"slow", "write", "edit", "flaky", "empty"}


class FakeCopilot(FakeModel):
    """The service behind ``COPILOT_PROVIDER_BASE_URL``, which is ``url`` and ``/v1``."""

    keywords = _KEYWORDS

    def get(self, path: str, reply: Reply) -> None:
        model = {"id": "fake-model", "object": "model", "created": 1, "owned_by": "nobody"}
        reply.json(200, {"object": "list", "data": [model]})

    def post(self, path: str, body: dict[str, Any], reply: Reply) -> None:
        if not path.endswith("/chat/completions"):
            reply.json(404, {"error": {"message": "no such path"}})
            return
        prompt, results = _understand(body.get("messages") or [])
        if not body.get("tools"):  # names of sessions, summaries
            self.note("side request", prompt)
            steps: list[Step] = [Say("Pretend title", 0)]
        else:
            word = keyword(prompt, self.keywords)
            self.note(word or "default", prompt)
            steps = self._script(word, prompt)
            if results:
                steps = [Pause(0.6), Say(f"Finished, the tool said: {results[-1]}")]
        if isinstance(steps[0], Fail):
            fail = steps[0]
            reply.json(fail.status, {"error": {"message": fail.message, "type": fail.kind, "code": fail.kind}})
        elif body.get("stream"):
            _stream(steps, reply)
        else:
            choice = _whole(steps)
            reply.json(200, {**_base("chat.completion"), "choices": [choice], "usage": _USAGE})

    def _script(self, word: str, prompt: str) -> list[Step]:
        if (steps := common(word, prompt)) is not None:
            return steps
        if word in _FAILURES:
            return [_FAILURES[word]]
        if word in _TOOLS:
            return [Pause(0.8), *_TOOLS[word]]
        if word == "write":
            return [Pause(0.8), Call("create", {"path": str(self.work / "note.txt"), "file_text": "one\ntwo\n"})]
        if word == "edit":
            args = {"path": str(self.work / "seed.txt"), "old_str": "beta", "new_str": "gamma"}
            return [Pause(0.8), Call("edit", args)]
        if word == "flaky":
            refused = self.refuse(prompt, 2)
            return [Fail(503, "overloaded_error", "Overloaded (fake).")] if refused else [Say("It worked in the end.")]
        return [Pause(0.4), Say("" if word == "empty" else "Nothing scripted for that.")]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text", "")) for part in content or [] if isinstance(part, dict))


def _understand(messages: list[dict[str, Any]]) -> tuple[str, list[str]]:
    """The newest prompt without the blocks that the CLI wraps around it, and the tool results since."""
    last = max((i for i, message in enumerate(messages) if message.get("role") == "user"), default=-1)
    prompt = _text(messages[last].get("content")) if last >= 0 else ""
    bare = re.sub(r"<([a-z_]+)>.*?</\1>", "", prompt, flags=re.DOTALL).strip()
    return bare, [_text(m.get("content")) for m in messages[last + 1 :] if m.get("role") == "tool"]


_USAGE = {"prompt_tokens": 1000, "completion_tokens": 12, "total_tokens": 1012}


def _base(kind: str) -> dict[str, object]:
    return {"id": "chatcmpl-fake", "object": kind, "created": int(time.time()), "model": "fake-model"}


def _call(step: Call, index: int) -> dict[str, object]:
    function = {"name": step.tool, "arguments": json.dumps(step.args)}
    return {"index": index, "id": f"call_{time.time_ns()}", "type": "function", "function": function}


def _whole(steps: list[Step]) -> dict[str, object]:
    """The answer in one piece, after the time that it takes."""
    time.sleep(sum(step.seconds for step in steps if isinstance(step, Pause | Say | Think)))
    text = "".join(step.text for step in steps if isinstance(step, Say))
    message: dict[str, object] = {"role": "assistant", "content": text}
    calls = [_call(step, i) for i, step in enumerate(s for s in steps if isinstance(s, Call))]
    if calls:
        message["tool_calls"] = calls
    return {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}


def _stream(steps: list[Step], reply: Reply) -> None:
    def chunk(delta: dict[str, object], finish: str | None = None, **more: object) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        reply.event({**_base("chat.completion.chunk"), "choices": [choice], **more})

    reply.stream()
    calls = 0
    for step in steps:
        if isinstance(step, Pause):
            reply.wait(step.seconds)
        elif isinstance(step, Cut):
            return
        elif isinstance(step, Say | Think):
            message = pieces(step.text)
            for piece in message:
                chunk({"role": "assistant", "content" if isinstance(step, Say) else "reasoning_content": piece})
                time.sleep(step.seconds / len(message))
        elif isinstance(step, Call):
            chunk({"role": "assistant", "tool_calls": [_call(step, calls)]})
            calls += 1
    chunk({}, "tool_calls" if calls else "stop", usage=_USAGE)
    reply.raw("data: [DONE]\n\n")
