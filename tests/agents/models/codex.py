"""A fake Responses API (streaming), enough of it for the Codex CLI. Scripts are chosen by the newest user message.

Keywords: those of ``steps.COMMON``, slow N, bash (asks for approval), run (sandboxed), sleepcmd, bg, patch, patchout,
ask, propose, agent, boom, flaky, bad, limit, shell. After a tool's output the answer is one short text; ``shell`` runs
``run.sh`` of the folder.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from tests.agents.models.server import FakeModel, Reply
from tests.agents.models.steps import COMMON, Call, Cut, Fail, Pause, Say, Step, Think, common, keyword, pieces

_KEYWORDS = frozenset(COMMON) | {
    "slow",
    "bash",
    "run",
    "sleepcmd",
    "bg",
    "patch",
    "patchout",
    "ask",
    "propose",
    "agent",
    "boom",
    "flaky",
    "bad",
    "limit",
    "shell",
}
_QUESTION = {
    "id": "colour",
    "header": "Colour",
    "question": "Which colour should the button be?",
    "options": [
        {"label": "Red (Recommended)", "description": "Loud and clear."},
        {"label": "Blue", "description": "Calm."},
    ],
}
_FAILURES = {
    "boom": Fail(500, "server_error", "fake server exploded"),
    "bad": Fail(400, "invalid_request_error", "fake bad request"),
    "limit": Fail(429, "usage_limit_reached", "You have hit your usage limit."),
}


@dataclass(frozen=True, slots=True)
class _Tool:
    kind: str
    namespace: str | None


def _tools(body: dict[str, Any]) -> dict[str, _Tool]:
    """Offered tools by name; newer models get theirs in an ``additional_tools`` input item."""
    out: dict[str, _Tool] = {}

    def walk(tools: Any, namespace: str | None) -> None:
        for tool in tools or []:
            if tool.get("type") == "namespace":
                walk(tool.get("tools"), tool.get("name"))
            else:
                out[str(tool.get("name") or tool.get("type"))] = _Tool(str(tool.get("type")), namespace)

    walk(body.get("tools"), None)
    for item in body.get("input") or []:
        if item.get("type") == "additional_tools":
            walk(item.get("tools"), None)
    return out


def _text(item: dict[str, Any]) -> str:
    content = item.get("content")
    if isinstance(content, str):
        return content
    return "\n".join(str(part["text"]) for part in content or [] if isinstance(part, dict) and part.get("text"))


def _newest_prompt(items: list[dict[str, Any]]) -> tuple[int, str]:
    """Index and text of the last message that somebody typed; (-1, "") if there is none."""
    for i in range(len(items) - 1, -1, -1):
        if items[i].get("role") == "user" and items[i].get("type", "message") == "message":
            text = _text(items[i]).strip()
            if not text.startswith("<"):  # <environment_context>, <turn_aborted>, ...
                return i, text
    return -1, ""


def _shell(command: str, **more: object) -> Call:
    return Call("exec_command", {"cmd": command, **more})


def _patch(path: str) -> Call:
    return Call("apply_patch", f"*** Begin Patch\n*** Add File: {path}\n+first line\n+second line\n*** End Patch\n")


class FakeCodex(FakeModel):
    """The service behind ``model_providers.fake.base_url`` (which ends in ``/v1``)."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._count = 0

    def get(self, path: str, reply: Reply) -> None:
        if path.endswith("/models"):
            reply.json(200, {"object": "list", "data": [], "models": []})
        else:
            reply.json(404, {"error": {"message": "not found"}})

    def post(self, path: str, body: dict[str, Any], reply: Reply) -> None:
        if not path.endswith("/responses"):
            reply.json(404, {"error": {"message": "not found"}})
            return
        items = body.get("input") or []
        index, prompt = _newest_prompt(items)
        outputs = sum(str(item.get("type", "")).endswith("_output") for item in items[index + 1 :])
        schema = ((body.get("text") or {}).get("format") or {}).get("schema") or {}
        if "title" in (schema.get("properties") or {}):  # a task title, asked for on a side thread
            self.note("title", prompt)
            steps: list[Step] = [Pause(0.4), Say(json.dumps({"title": "Pretend task title"}), 0)]
        else:
            word = keyword(prompt, _KEYWORDS)
            self.note(word or "default", prompt)
            steps = self._script(word, prompt) if not outputs else [Pause(1.0), Say("Tool finished, all done.")]
        if isinstance(steps[0], Fail):
            error = {"message": steps[0].message, "type": steps[0].kind, "plan_type": "plus", "resets_in_seconds": 3600}
            reply.json(steps[0].status, {"error": error})
            return
        with self._lock:
            self._count += 1
            answer = f"resp_{self._count}"
        _stream(answer, str(body.get("model")), steps, _tools(body), reply)

    def _script(self, word: str, prompt: str) -> list[Step]:
        if (steps := common(word, prompt)) is not None:
            return steps
        if word == "flaky":
            refused = self.refuse(prompt, 2)
            return [Fail(500, "server_error", "fake hiccup")] if refused else [Say("It worked after some refusals.")]
        if word in _FAILURES:
            return [_FAILURES[word]]
        probe = self.work.parent / "outside-the-workspace"
        calls: dict[str, Call] = {
            "bash": _shell(
                f"echo approved > {probe}; sleep 2; cat {probe}",
                sandbox_permissions="require_escalated",
                justification="Do you want to allow writing a probe file outside the workspace?",
            ),
            "run": _shell("echo sandboxed; pwd"),
            "shell": _shell(
                str(self.work / "run.sh"), sandbox_permissions="require_escalated", justification="Run the script?"
            ),
            "sleepcmd": _shell("for i in 1 2 3 4 5 6 7 8; do echo tick $i; sleep 1; done", yield_time_ms=20000),
            "bg": _shell("i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo bg $i; sleep 1; done", yield_time_ms=1000),
            "patch": _patch("patched-by-fake.txt"),
            "patchout": _patch(str(probe)),
            "ask": Call("request_user_input", {"questions": [_QUESTION]}),
            "agent": Call(
                "spawn_agent",
                {"task_name": "helper", "fork_turns": "none", "message": "please give a slow answer"},
            ),
        }
        if word in calls:
            return [Pause(0.7), calls[word]]
        if word == "propose":
            return [Pause(0.7), Say("<proposed_plan>\n# Pretend plan\n\n- Step one\n- Step two\n</proposed_plan>\n", 0)]
        return [Pause(0.5), Say("You said: " + prompt[:80])]


def _stream(answer: str, model: str, steps: list[Step], tools: dict[str, _Tool], reply: Reply) -> None:
    def event(name: str, **body: object) -> None:
        reply.event({"type": name, **body}, name)

    reply.stream()
    response = {"id": answer, "object": "response", "status": "in_progress", "model": model, "output": []}
    event("response.created", response=response)
    for number, step in enumerate(steps):
        name = f"{answer}_{number}"
        if isinstance(step, Pause):
            reply.wait(step.seconds)
        elif isinstance(step, Cut):
            return
        elif isinstance(step, Say):
            _say(name, step, reply)
        elif isinstance(step, Think):
            _think(name, step, reply)
        elif isinstance(step, Call):
            item = _call_item(name, step, tools)
            event("response.output_item.added", output_index=0, item={**item, "status": "in_progress"})
            event("response.output_item.done", output_index=0, item=item)
    usage = {
        "input_tokens": 1200,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 40,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 1240,
    }
    event("response.completed", response={**response, "status": "completed", "usage": usage})


def _say(name: str, step: Say, reply: Reply) -> None:
    def event(kind: str, **body: object) -> None:
        reply.event({"type": kind, **body}, kind)

    item = {"type": "message", "id": f"msg_{name}", "role": "assistant"}
    event("response.output_item.added", output_index=0, item={**item, "status": "in_progress", "content": []})
    parts = pieces(step.text)
    for part in parts:
        event("response.output_text.delta", item_id=item["id"], output_index=0, content_index=0, delta=part)
        time.sleep(step.seconds / len(parts))
    content = [{"type": "output_text", "text": step.text, "annotations": []}]
    event("response.output_item.done", output_index=0, item={**item, "status": "completed", "content": content})


def _think(name: str, step: Think, reply: Reply) -> None:
    def event(kind: str, **body: object) -> None:
        reply.event({"type": kind, **body}, kind)

    item: dict[str, object] = {"type": "reasoning", "id": f"rs_{name}"}
    where: dict[str, object] = {"item_id": item["id"], "output_index": 0, "summary_index": 0}
    event("response.output_item.added", output_index=0, item={**item, "summary": []})
    event("response.reasoning_summary_part.added", **where, part={"type": "summary_text", "text": ""})
    parts = pieces(step.text)
    for part in parts:
        event("response.reasoning_summary_text.delta", **where, delta=part)
        time.sleep(step.seconds / len(parts))
    summary = [{"type": "summary_text", "text": step.text}]
    event("response.output_item.done", output_index=0, item={**item, "summary": summary, "encrypted_content": None})


def _call_item(name: str, step: Call, tools: dict[str, _Tool]) -> dict[str, object]:
    tool = tools.get(step.tool, _Tool("function", None))
    item: dict[str, object] = {"call_id": f"call_{name}", "name": step.tool, "status": "completed"}
    if tool.kind == "custom":
        text = step.args if isinstance(step.args, str) else json.dumps(step.args)
        item |= {"type": "custom_tool_call", "id": f"ctc_{name}", "input": text}
    else:
        args = {"input": step.args} if isinstance(step.args, str) else step.args
        item |= {"type": "function_call", "id": f"fc_{name}", "arguments": json.dumps(args)}
    return item | ({"namespace": tool.namespace} if tool.namespace else {})
