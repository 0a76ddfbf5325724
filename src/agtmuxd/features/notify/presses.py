"""Do what a button on a message says: through the ordinary action path, bound to the prompt that was shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from agtmux.protocol.errors import AgtmuxError
from agtmuxd.core.action.request import AttachParams, Caller, Guards, Kind, Request
from agtmuxd.features.notify import message_store, store
from agtmuxd.features.notify.codes import Codes
from agtmuxd.features.notify.message import Message, Prompt
from agtmuxd.store.db import Store

VERBS: Final = {"approve": Kind.APPROVE, "deny": Kind.DENY}

Act = Callable[[Request, Caller], Awaitable[dict[str, Any]]]


class Presses:
    """Answers prompts for people who pressed a button. Pressed twice, it is done once."""

    def __init__(self, database: Store, act: Act, codes: Codes) -> None:
        self._database = database
        self._act = act
        self._codes = codes

    async def on_banner(self, message_id: str, verb: str) -> str | None:
        """Do what was pressed on a banner: ``approve``, ``deny`` or ``open``. Return why not, or None."""
        found = await self._database.read(lambda connection: message_store.of_ids(connection, [message_id]))
        if not found:
            return "the message is too old"
        message = found[0].message
        actor = Caller(actor=f"banner:{message.channel}")
        try:
            if verb == "open":
                await self._open(message, actor)
            elif message.prompt is None or verb not in VERBS:
                return "there is nothing to answer"
            else:
                await self._answer(message_id, message.prompt, verb, actor)
        except AgtmuxError as error:
            return error.message
        return None

    async def by_code(self, code: str, verb: str) -> dict[str, Any]:
        """Do what was pressed on a phone, and return the action's answer.

        Raises E_UNAUTHORIZED, E_RATE_LIMITED, and the refusal of the action.
        """
        message_id = await self._codes.use(code)
        found = await self._database.read(lambda connection: message_store.of_ids(connection, [message_id]))
        if not found or found[0].message.prompt is None:
            raise AgtmuxError("E_PRECONDITION_FAILED", "the message is too old: open the page")
        message = found[0].message
        return await self._answer(message_id, found[0].message.prompt, verb, Caller(actor=f"button:{message.channel}"))

    async def _answer(self, message_id: str, prompt: Prompt, verb: str, caller: Caller) -> dict[str, Any]:
        """Answer the prompt if its episode is still open. The runner checks the rest, on the screen itself.

        The state's version may have changed while the prompt stayed the same; the open episode has the current one.
        """
        episode = await self._database.read(lambda connection: store.episode(connection, prompt.episode_id))
        if episode is None or episode.closed_at is not None:
            text = "it was answered already, or another prompt is shown: look again"
            raise AgtmuxError("E_PRECONDITION_FAILED", text)
        guards = Guards(
            if_runtime=prompt.runtime_id, if_state=("waiting_approval",), if_state_version=episode.sign.version,
            if_fingerprint=prompt.fingerprint,
        )  # fmt: skip
        request = Request(VERBS[verb], f"notify:{message_id}:{verb}", f"runtime:{prompt.runtime_id}", guards)
        return await self._act(request, caller)

    async def _open(self, message: Message, caller: Caller) -> None:
        """Select the pane in tmux, on the terminals that show its session."""
        if message.notes and message.notes[0].ref:
            ref = f"notify:{message.message_id}:open"
            await self._act(Request(Kind.ATTACH, ref, message.notes[0].ref, Guards(), AttachParams()), caller)
