"""Write the text that is typed for a message. Pure.

A message from somebody else stands behind an envelope, so that nobody takes it for the person at the keyboard. A
person's own queued prompt is typed as it is.
"""

from __future__ import annotations

from typing import Final

from agtmux.protocol.text import block, one_line
from agtmuxd.features.messages.model import Kind, Message

MOST_BODY: Final = 4096
"""Bytes of a body that is typed. A longer one is read with ``agtmux inbox show``."""
_MOST_NAME: Final = 80


def envelope(message_id: str, sender: str, thread_id: str) -> str:
    """Return the first line of a typed message."""
    thread = "" if thread_id == message_id else f" re {one_line(thread_id)}"
    return f"[agtmux msg {one_line(message_id)} from {_name(sender)}{thread}]"


def typed_text(message: Message) -> str:
    """Return what is typed for a message. Control characters of the body are left out, its lines stay."""
    if message.kind is Kind.PROMPT and message.sender_agent_id is None:
        return message.body
    head = f"{envelope(message.message_id, message.sender_label, message.thread_id)} {message.kind}"
    text, title = block(message.body).strip(), one_line(message.subject).strip()
    size = len(text.encode("utf-8", "replace"))
    if size > MOST_BODY:
        about = f" about {title!r}" if title else ""
        kib = (size + 1023) // 1024
        return f"{head}{about}, {kib} KiB: read it with: agtmux inbox show {one_line(message.message_id)}"
    parts = [part for part in (title, text) if part]
    return f"{head}: " + "\n".join(parts) if parts else head


def _name(sender: str) -> str:
    """Return the sender in one word, which cannot end the envelope."""
    return "_".join(one_line(sender).replace("[", "(").replace("]", ")").split())[:_MOST_NAME] or "somebody"
