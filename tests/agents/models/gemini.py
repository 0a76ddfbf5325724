"""A fake Gemini API, enough of it for the Gemini CLI. Scripts are chosen by the newest user text.

Keywords: those of ``steps.COMMON``, slow N, bash, longbash, write, replace, ask, askyn, asktext, plan, todo, boom,
flaky, rate, quota, badkey, empty, shell. After a tool's result the answer is one short text; ``shell`` runs
``run.sh`` of the folder.
"""

from __future__ import annotations

import json
import re
import time
from typing import Any

from tests.agents.models.server import FakeModel, Reply
from tests.agents.models.steps import COMMON, Call, Cut, Fail, Pause, Say, Step, Think, common, keyword, pieces

_TOOLS: dict[str, Call] = {
    "bash": Call(
        "run_shell_command",
        {"command": "touch made-by-shell.txt && sleep 3 && echo shell-ok", "description": "Create a file"},
    ),
    "longbash": Call(
        "run_shell_command",
        {"command": "echo first-line && sleep 75 && echo last-line", "description": "Long silent command"},
    ),
    "plan": Call("enter_plan_mode", {"reason": "to plan first"}),
    "todo": Call("write_todos", {"todos": [{"description": "first step", "status": "in_progress"}]}),
}
_QUESTIONS: dict[str, dict[str, object]] = {
    "ask": {
        "header": "Colour",
        "question": "Which colour should the lab use?",
        "type": "choice",
        "options": [{"label": "Red", "description": "warm"}, {"label": "Blue", "description": "cold"}],
    },
    "askyn": {"header": "Go on", "question": "Shall I go on with the lab?", "type": "yesno"},
    "asktext": {"header": "Name", "question": "What is the lab called?", "type": "text", "placeholder": "a name"},
}
_FAILURES = {
    "boom": Fail(500, "INTERNAL", "An internal error has occurred (fake)."),
    "rate": Fail(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (fake)."),
    "quota": Fail(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota (fake)."),
    "badkey": Fail(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
}
_DETAILS: dict[str, dict[str, object]] = {
    "rate": {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "4s"},
    "quota": {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [
            {
                "quotaMetric": "generativelanguage.googleapis.com/generate_content_requests",
                "quotaId": "GenerateRequestsPerDayPerProjectPerModel",
                "quotaValue": "50",
            }
        ],
    },
    "badkey": {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
    },
}
_KEYWORDS = (
    frozenset(COMMON)
    | frozenset(_TOOLS)
    | frozenset(_QUESTIONS)
    | frozenset(_FAILURES)
    | {"slow", "write", "replace", "flaky", "empty", "shell"}
)


def _smallest(schema: dict[str, Any]) -> object:
    """The smallest JSON value that fits a schema, for the CLI's side requests."""
    if schema.get("enum"):
        return schema["enum"][0]
    kind = str(schema.get("type", "object")).lower()
    if kind == "object":
        return {name: _smallest(sub) for name, sub in (schema.get("properties") or {}).items()}
    values: dict[str, object] = {"array": [], "string": "ok", "boolean": False}
    return values.get(kind, schema.get("minimum", 1))


def _chunk(parts: list[dict[str, object]], last: bool = False) -> dict[str, object]:
    candidate: dict[str, object] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if last:
        candidate["finishReason"] = "STOP"
    usage = {"promptTokenCount": 1000, "candidatesTokenCount": 12, "totalTokenCount": 1012}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "fake", "responseId": "r1"}


def _parts(step: Say | Think | Call) -> list[list[dict[str, object]]]:
    """What one step puts into the stream, chunk by chunk."""
    if isinstance(step, Say):
        return [[{"text": piece}] for piece in pieces(step.text)]
    if isinstance(step, Think):
        return [[{"text": f"**Reading the request**\n{step.text}", "thought": True}]]
    return [[{"functionCall": {"name": step.tool, "args": step.args}}]]


class FakeGemini(FakeModel):
    """The service behind ``GOOGLE_GEMINI_BASE_URL``."""

    def post(self, path: str, body: dict[str, Any], reply: Reply) -> None:
        verb = re.search(r"/models/[^:/]+:(\w+)", path)
        if verb is None:
            reply.json(404, {"error": {"code": 404, "message": "no such path", "status": "NOT_FOUND"}})
            return
        if verb.group(1) == "countTokens":
            reply.json(200, {"totalTokens": 1000})
            return
        settings = body.get("generationConfig") or {}
        schema = settings.get("responseJsonSchema") or settings.get("responseSchema")
        whole = verb.group(1) == "generateContent"
        if schema or (whole and not body.get("tools")):  # routing, summaries and other side requests
            self.note("side request", "")
            reply.json(200, _chunk([{"text": json.dumps(_smallest(schema)) if schema else "OK."}], last=True))
            return
        contents = body.get("contents") or []
        returned = any("functionResponse" in part for part in (contents[-1].get("parts") if contents else None) or [])
        prompt = _newest_prompt(contents)
        word = keyword(prompt, _KEYWORDS)
        self.note(word or "default", prompt)
        steps: list[Step] = [Pause(0.8), Say("Finished: the tool call has returned.")]
        if not returned:
            steps = self._script(word, prompt)
        if isinstance(steps[0], Fail):
            fail = steps[0]
            details = [_DETAILS[word]] if word in _DETAILS else []
            error = {"code": fail.status, "message": fail.message, "status": fail.kind, "details": details}
            reply.json(fail.status, {"error": error})
        elif whole:
            listed = [
                part for step in steps if isinstance(step, Say | Think | Call) for p in _parts(step) for part in p
            ]
            reply.json(200, _chunk(listed, last=True))
        else:
            _stream(steps, reply)

    def _script(self, word: str, prompt: str) -> list[Step]:
        if (steps := common(word, prompt)) is not None:
            return steps
        if word in _FAILURES:
            return [_FAILURES[word]]
        if word == "flaky":
            refused = self.refuse(prompt, 2)
            return [Fail(503, "UNAVAILABLE", "Overloaded (fake).")] if refused else [Say("Recovered after retries.")]
        if word in _TOOLS:
            return [Pause(0.8), _TOOLS[word]]
        if word in _QUESTIONS:
            return [Pause(0.8), Call("ask_user", {"questions": [_QUESTIONS[word]]})]
        if word == "shell":
            args = {"command": str(self.work / "run.sh"), "description": "Run the script"}
            return [Pause(0.8), Call("run_shell_command", args)]
        if word == "write":
            args = {"file_path": str(self.work / "note.txt"), "content": "line one\nline two\n"}
            return [Pause(0.8), Call("write_file", args)]
        if word == "replace":
            args = {"file_path": str(self.work / "seed.txt"), "instruction": "change beta to gamma"}
            return [Pause(0.8), Call("replace", {**args, "old_string": "beta", "new_string": "gamma"})]
        return [Pause(0.4), Say("" if word == "empty" else "OK.")]


def _newest_prompt(contents: list[dict[str, Any]]) -> str:
    texts = [part.get("text") for c in contents if c.get("role") == "user" for part in c.get("parts") or []]
    typed = [str(t) for t in texts if t and not str(t).lstrip().startswith("<session_context")]
    return typed[-1] if typed else ""


def _stream(steps: list[Step], reply: Reply) -> None:
    reply.stream()
    for number, step in enumerate(steps):
        if isinstance(step, Pause):
            time.sleep(step.seconds)
        elif isinstance(step, Cut):
            return
        elif isinstance(step, Say | Think | Call):
            parts = _parts(step)
            for i, part in enumerate(parts):
                if i == len(parts) - 1 and not isinstance(step, Say):
                    time.sleep(step.seconds if isinstance(step, Think) else 0)
                last = number == len(steps) - 1 and i == len(parts) - 1
                reply.raw(f"data: {json.dumps(_chunk(part, last))}\r\n\r\n")
                time.sleep(step.seconds / len(parts) if isinstance(step, Say) else 0)
