"""A fake Messages API, enough of it for the Claude Code CLI. Scripts are chosen by the newest typed prompt.

Keywords: those of ``steps.COMMON``, slow N, bash, twobash, badbash, longbash, bgbash, write, webfetch, ask, asktwo,
plan, subagent, bgagent, subbash, todo, boom [status], flaky, shell. After a tool's result the answer is one
short text; ``shell`` runs ``run.sh`` of the folder.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.agents.models.server import FakeModel, Reply
from tests.agents.models.steps import (
    COMMON,
    Call,
    Cut,
    Fail,
    Pause,
    Say,
    Step,
    Think,
    common,
    keyword,
    number_after,
    pieces,
)

_COLOUR = {
    "question": "Which colour should the shed be?",
    "header": "Colour",
    "multiSelect": False,
    "options": [
        {"label": "Green", "description": "like the hedge"},
        {"label": "Brown", "description": "like the fence"},
    ],
}
_PARTS = {
    "question": "Which parts are needed?",
    "header": "Parts",
    "multiSelect": True,
    "options": [{"label": "Roof", "description": "keeps rain out"}, {"label": "Door", "description": "keeps cats out"}],
}
_ERROR_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def _bash(command: str, description: str, **more: object) -> Call:
    return Call("Bash", {"command": command, "description": description, **more})


def _agent(prompt: str, **more: object) -> Call:
    task = {"description": "A pretend task", "prompt": prompt, "subagent_type": "general-purpose", **more}
    return Call("Agent", task)


_TOOLS: dict[str, list[Step]] = {
    "bash": [
        Say("I will run a command.", 0.2),
        _bash("touch ./touched-by-fake && sleep 2 && echo made", "Create a marker file"),
    ],
    "twobash": [_bash("touch ./first-of-two", "First marker"), _bash("touch ./second-of-two", "Second marker")],
    "badbash": [_bash("ls ./does-not-exist-here", "List a missing path")],
    "longbash": [_bash("sleep 12; touch ./long-done", "Wait a while")],
    "bgbash": [_bash("sleep 6; touch ./bg-done", "Background wait", run_in_background=True)],
    "webfetch": [Call("WebFetch", {"url": "http://127.0.0.1:9/none", "prompt": "summarise"})],
    "ask": [Call("AskUserQuestion", {"questions": [_COLOUR]})],
    "asktwo": [Call("AskUserQuestion", {"questions": [_COLOUR, _PARTS]})],
    "subagent": [_agent("slow 8 seconds of counting please")],
    "bgagent": [_agent("slow 8 seconds of counting please", run_in_background=True)],
    "subbash": [_agent("bash please")],
    "todo": [Call("TaskCreate", {"subject": "First step", "description": "do it", "activeForm": "Doing first step"})],
}
_KEYWORDS = frozenset(COMMON) | frozenset(_TOOLS) | {"slow", "write", "plan", "boom", "flaky", "shell"}


@dataclass(slots=True)
class _Request:
    """What the conversation so far says."""

    prompt: str = ""
    tools: frozenset[str] = frozenset()
    results: int = 0  # tool results since the prompt
    wrote_plan: bool = False
    text: list[str] = field(default_factory=list)


def _blocks(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content or [])


def _typed(block: dict[str, Any]) -> str:
    """The part of a user block that somebody typed: no reminders, no markers of the CLI."""
    text = block.get("text", "") if block.get("type") == "text" else ""
    text = re.sub(r"<system-reminder>.*?</system-reminder>", "", text, flags=re.DOTALL)
    text = re.sub(r"</?pasted_content[^>]*>", "", text).strip()  # what was pasted and not typed
    return "" if text.startswith(("<", "[Request interrupted")) else text


def _understand(body: dict[str, Any]) -> _Request:
    out = _Request(tools=frozenset(str(t.get("name")) for t in body.get("tools") or []))
    out.text += [str(b.get("text", "")) for b in _blocks(body.get("system"))]
    for message in body.get("messages") or []:
        for block in _blocks(message.get("content")):
            out.text.append(str(block.get("text", "")))
            if message.get("role") == "user":
                out.results += block.get("type") == "tool_result"
                if typed := _typed(block):
                    out.prompt, out.results, out.wrote_plan = typed, 0, False
            elif block.get("type") == "tool_use" and "/plans/" in json.dumps(block.get("input")):
                out.wrote_plan = True
    return out


class FakeClaude(FakeModel):
    """The service behind ``ANTHROPIC_BASE_URL``."""

    def post(self, path: str, body: dict[str, Any], reply: Reply) -> None:
        if path.endswith("/count_tokens"):
            reply.json(200, {"input_tokens": 1000})
            return
        if not path.endswith("/v1/messages"):
            reply.json(200, {})
            return
        steps = self._choose(_understand(body))
        if isinstance(steps[0], Fail):
            fail = steps[0]
            reply.json(fail.status, {"type": "error", "error": {"type": fail.kind, "message": fail.message}})
        elif body.get("stream"):
            _stream(str(body.get("model")), steps, reply)
        else:
            _whole(str(body.get("model")), steps, reply)

    def _choose(self, asked: _Request) -> list[Step]:
        if asked.prompt.startswith("[SUGGESTION MODE"):
            self.note("suggestion", asked.prompt)  # what the empty field then offers as the next prompt
            return [Say("run the tests", 0)]
        word = keyword(asked.prompt, _KEYWORDS)
        if not asked.tools and word not in ("hello", "slow"):
            self.note("side request", asked.prompt)  # titles, summaries, safety checks carry no tools
            return [Say('{"title": "Pretend title"}', 0)]
        self.note(word or "default", asked.prompt)
        if asked.results and not (word == "plan" and asked.results == 1 and asked.wrote_plan):
            return [Pause(0.6), Say("All done after the tool.")]
        return self._script(word, asked)

    def _script(self, word: str, asked: _Request) -> list[Step]:
        if (steps := common(word, asked.prompt)) is not None:
            return steps
        if word in _TOOLS:
            return [Pause(0.6), *_TOOLS[word]]
        if word == "write":
            return [
                Pause(0.6),
                Call("Write", {"file_path": str(self.work / "note.txt"), "content": "one\ntwo\nthree\n"}),
            ]
        if word == "plan":
            return [Pause(0.6), _plan(asked)]
        if word == "shell":
            return [Pause(0.6), _bash(str(self.work / "run.sh"), "Run the script")]
        if word == "boom":
            status = number_after(asked.prompt, "boom", 500)
            return [Fail(status, _ERROR_KINDS.get(status, "api_error"), f"pretend failure {status}")]
        if word == "flaky":
            if self.refuse(asked.prompt, 2):
                return [Fail(529, "overloaded_error", "pretend overload")]
            return [Say("It worked after some refusals.")]
        return [Pause(0.4), Say("Nothing scripted for that.")]


def _plan(asked: _Request) -> Call:
    body = "# Shed plan\n\n1. Measure the plot.\n2. Order timber.\n3. Build.\n"
    path = re.search(r"(/[^\s`'\"]+/plans/[A-Za-z0-9._-]+\.md)", "\n".join(asked.text))
    if path and not asked.wrote_plan and "Write" in asked.tools:
        return Call("Write", {"file_path": path.group(1), "content": body})
    return Call("ExitPlanMode", {"plan": body})


def _message(model: str, **more: object) -> dict[str, object]:
    base: dict[str, object] = {"id": f"msg_{uuid.uuid4().hex[:20]}", "type": "message", "role": "assistant"}
    return base | {"model": model, "stop_sequence": None, **more}


def _tool_id() -> str:
    return f"toolu_{uuid.uuid4().hex[:20]}"


def _whole(model: str, steps: list[Step], reply: Reply) -> None:
    content: list[dict[str, object]] = []
    for step in steps:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
        elif isinstance(step, Say):
            content.append({"type": "text", "text": step.text})
        elif isinstance(step, Call):
            content.append({"type": "tool_use", "id": _tool_id(), "name": step.tool, "input": step.args})
    stop = "tool_use" if any(isinstance(s, Call) for s in steps) else "end_turn"
    usage = {"input_tokens": 10, "output_tokens": 10}
    reply.json(200, _message(model, content=content, stop_reason=stop, usage=usage))


def _stream(model: str, steps: list[Step], reply: Reply) -> None:
    def event(name: str, **body: object) -> None:
        reply.event({"type": name, **body}, name)

    reply.stream()
    usage = {
        "input_tokens": 1200,
        "output_tokens": 1,
        "cache_read_input_tokens": 0,
        "cache_creation_input_tokens": 0,
    }
    event("message_start", message=_message(model, content=[], stop_reason=None, usage=usage))
    index, stop = 0, "end_turn"
    for step in steps:
        if isinstance(step, Pause):
            reply.wait(step.seconds)
            continue
        if isinstance(step, Cut):
            return
        block, deltas = _deltas(step)
        stop = "tool_use" if isinstance(step, Call) else stop
        event("content_block_start", index=index, content_block=block)
        seconds = step.seconds if isinstance(step, Say | Think) else 0.0
        for delta in deltas:
            event("content_block_delta", index=index, delta=delta)
            time.sleep(seconds / len(deltas))
        event("content_block_stop", index=index)
        index += 1
    event("message_delta", delta={"stop_reason": stop, "stop_sequence": None}, usage={"output_tokens": 10})
    event("message_stop")


def _deltas(step: Step) -> tuple[dict[str, object], list[dict[str, object]]]:
    """The opening of a content block, and what fills it."""
    if isinstance(step, Say):
        return {"type": "text", "text": ""}, [{"type": "text_delta", "text": p} for p in pieces(step.text)]
    if isinstance(step, Think):
        deltas: list[dict[str, object]] = [{"type": "thinking_delta", "thinking": p} for p in pieces(step.text)]
        deltas.append({"type": "signature_delta", "signature": "ZmFrZQ=="})
        return {"type": "thinking", "thinking": "", "signature": ""}, deltas
    if isinstance(step, Call):
        text = json.dumps(step.args)
        parts = [text[i : i + 40] for i in range(0, len(text), 40)]
        block: dict[str, object] = {"type": "tool_use", "id": _tool_id(), "name": step.tool, "input": {}}
        return block, [{"type": "input_json_delta", "partial_json": p} for p in parts]
    raise TypeError(f"{type(step).__name__} has no place in a stream")
