"""What the dashboard reads and does of coordination: messages, queued prompts, leases, worktrees, failed deliveries.

Owns the requests. They are those of the command line, through the same client methods. Draws nothing itself.
"""

from __future__ import annotations

import time
from functools import partial

from agtmux.client import uuid7
from agtmux.protocol.errors import AgtmuxError
from agtmux.top.action_requests import Outcome, where
from agtmux.top.confirm import Confirm
from agtmux.top.coord_feed import CoordFeed
from agtmux.top.coord_lists import listed, message_lines
from agtmux.top.coord_screens import ConfirmScreen, CoordScreen
from agtmux.top.screens import AskScreen, PageScreen
from agtmux.top.text import cut, safe_line, safe_lines
from agtmux.transport import ConnectionLostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from agtmux.client import Client, Reply
    from agtmux.top.agent_commands import Stage
    from agtmux.top.coord_lists import CoordItem
    from agtmux.top.lines import Spans
    from agtmux.top.model import Row

    Item = Mapping[str, Any]
    Say = Callable[[str, str], None]

PEOPLE = "person"
FAILED = "dead,submitted_unconfirmed"
UNREAD, READ = "500", "50"
"""How many messages are read: all that nobody has read (there are at most so many), and of the others the newest."""
MOST = 32
"""Recipients of one message."""


class Coordination:
    """The steps from a key to a request and from its outcome to a line for the person."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    # ------------------------------------------------------------ what is read

    def open(self) -> None:
        """Open the panel."""
        self._stage.show_screen(CoordScreen(self, self._stage.key_table))

    def feed(self, old: Callable[[frozenset[str]], object], lost: Callable[[str], object]) -> CoordFeed:
        """Return a feed of what changes."""
        return CoordFeed(self._stage.client, old, lost)

    def read(self, tab: str, then: Callable[[str, tuple[CoordItem, ...] | str], None]) -> None:
        """Read what a tab lists. ``then`` gets the tab with the items, or with why they could not be read."""
        self._stage.background.latest(
            f"coordination {tab}", lambda: _items(self._stage.client(), tab), lambda found: then(tab, found)
        )

    def open_message(self, item: Item, say: Say) -> None:
        """Show a message on a page. If it is one to people, it counts as read then."""
        name, mine = str(item.get("message_id")), "deliveries" in item
        hints: Spans = ((" Esc", "key"), (" close", "dim"))
        page = PageScreen(
            lambda room: ((cut(f"message {safe_line(name)}", room), "head"),), hints, lambda: None, None, ""
        )

        def get() -> Item | str:
            client = self._stage.client()
            try:
                if mine:
                    return _item(client.change_message(name, "read", {"request_ref": uuid7()}).json())
                return _item(client.show_message(name).json())
            except AgtmuxError as error:
                return safe_line(error.message)

        def fill(found: Item | str) -> None:
            if isinstance(found, str):
                say(f"the message could not be read: {found}", "warn")
                page.fill([((f" {found}", "warn"),)])
            else:
                page.fill(message_lines(found, time.time(), max(20, page.size.width)))

        page.refill = lambda: self._stage.background.run(get, fill)
        self._stage.show_screen(page)

    # ------------------------------------------------------------ mail

    def ack(self, item: Item, say: Say) -> None:
        """Acknowledge a message to people."""
        name, ref = str(item.get("message_id")), uuid7()
        self._stage.background.run(
            lambda: _ask(
                lambda client: client.change_message(name, "ack", {"request_ref": ref}),
                self._stage.client(),
                f"acknowledged: message {safe_line(item.get('seq'))}",
            ),
            lambda outcome: say(outcome.text, "ok" if outcome.done else "warn"),
        )

    def reply(self, item: Item, say: Say) -> None:
        """Ask for the text of a reply, show it, and send it."""
        to = safe_line(item.get("sender")).removeprefix("agent:")
        title = f"Reply to {to}, message {safe_line(item.get('seq'))}"
        name = str(item.get("message_id"))
        about = safe_line(item.get("subject")) or safe_line(item.get("preview"))

        def send(text: str, ref: str, client: Client) -> Outcome:
            body = {"request_ref": ref, "body": text}
            return _ask(lambda one: one.change_message(name, "reply", body), client, f"replied to {to}")

        self._write(title, ((about, "dim"),), "answer", "send the reply", send, say)

    # ------------------------------------------------------------ to agents

    def compose(self) -> None:
        """Ask for a message to the selected agent or to the marked ones, show it, and send it."""
        rows = self._rows()
        if not rows:
            return
        if len(rows) > MOST:
            self._stage.say(f"a message has at most {MOST} recipients: mark fewer", "warn")
            return
        to = [f"runtime:{row.runtime_id}" for row in rows]

        def send(text: str, ref: str, client: Client) -> Outcome:
            body = {"request_ref": ref, "to": to, "body": text}
            return _ask(lambda one: one.send_message(body), client, f"message sent to {_names(rows)}")

        note: Spans = (("typed behind a line that names you, when the agent can take input", "dim"),)
        self._write(f"Message to {_names(rows)}", note, "compose", "send the message", send, self._stage.say)

    def queue(self) -> None:
        """Ask for a prompt, show it, and queue it for the selected agent or for each marked one."""
        rows = self._rows()
        if not rows:
            return

        def send(text: str, ref: str, client: Client) -> Outcome:
            outcome = Outcome(False, False, "nothing was queued")
            for row in rows:
                body = {"request_ref": f"{ref}.{row.runtime_id}", "ref": f"runtime:{row.runtime_id}", "text": text}
                outcome = _ask(lambda one, body=body: one.queue_add(body), client, f"queued for {_names(rows)}")  # type: ignore[misc]
                if not outcome.done:
                    return outcome
            return outcome

        note: Spans = (("typed as it is when the agent is ready, behind what waits already", "dim"),)
        self._write(f"Prompt for the queue of {_names(rows)}", note, "queue", "queue the prompt", send, self._stage.say)

    def _rows(self) -> list[Row]:
        rows = [row for row in self._stage.rows_to_act_on() if row.runtime_id is not None]
        if not rows:
            self._stage.say("select an agent first")
        return rows

    def _write(
        self, title: str, note: Spans, key: str, word: str, send: Callable[[str, str, Client], Outcome], say: Say
    ) -> None:
        """Ask for a text, then show it on a card that sends it."""

        def preview(text: str | None) -> None:
            if text is None:
                return
            ref = uuid7()
            body: list[Spans] = [note, (), *(((line, "what"),) for line in safe_lines(text))]
            self._confirm(title, body, key, word, lambda client: send(text, ref, client), say)

        self._stage.show_screen(AskScreen([((title, "head"),)], "the text", enter="look at it"), preview)

    # ------------------------------------------------------------ failed deliveries

    def retry(self, item: Item, say: Say) -> None:
        """Show a failed delivery on a card that tries it once more."""
        warn = "It may be in the pane already: look there first, or it is typed twice."
        self._change(item, "retry", "answer", "try once more", "" if item.get("state") == "dead" else warn, say)

    def drop(self, item: Item, say: Say) -> None:
        """Show a failed delivery on a card that drops it."""
        self._change(item, "drop", "kill", "drop it", "The message stays in the outbox of its sender.", say)

    def _change(self, item: Item, verb: str, key: str, word: str, warn: str, say: Say) -> None:
        name, ref = str(item.get("delivery_id")), uuid7()
        to = safe_line(item.get("agent")) or "people"
        body: list[Spans] = [((f"message {safe_line(item.get('message_id'))}", "dim"),)]
        body += [((warn, "warn"),)] if warn else []
        self._confirm(
            f"{verb.capitalize()} the delivery to {to}?", body, key, word,
            lambda client: _ask(
                lambda one: one.change_delivery(name, verb, {"request_ref": ref}), client, f"{verb}: delivery to {to}"
            ),
            say,
        )  # fmt: skip

    def _confirm(
        self, title: str, body: Sequence[Spans], key: str, word: str, do: Callable[[Client], Outcome], say: Say
    ) -> None:
        def send(then: Callable[[Outcome], None]) -> None:
            def finish(outcome: Outcome) -> None:
                say(outcome.text, "ok" if outcome.done else "warn")
                then(outcome)

            self._stage.background.run(lambda: do(self._stage.client()), finish)

        def end(done: bool | None) -> None:
            if done:
                self._stage.clear_marks()

        card = Confirm(title, body, key, word, self._stage.clock())
        self._stage.show_screen(ConfirmScreen(card, self._stage.key_table, send, self._stage.clock), end)


def _names(rows: Sequence[Row]) -> str:
    return (
        where(rows[0]) if len(rows) == 1 else f"{len(rows)} agents: {', '.join(row.given or row.agent for row in rows)}"
    )


def _item(body: Mapping[str, Any]) -> Item:
    item = body.get("item")
    return item if isinstance(item, dict) else {}


def _items(client: Client, tab: str) -> tuple[CoordItem, ...] | str:
    """Read what a tab lists. Return why it could not be read as a text."""
    try:
        if tab == "mail":
            unread = client.mailbox(PEOPLE, "inbox", {"unread": "true", "limit": UNREAD}).json()["items"]
            newest = client.mailbox(PEOPLE, "inbox", {"limit": READ}).json()["items"]
            return listed(tab, {str(item.get("message_id")): item for item in [*unread, *newest]}.values())
        ask: dict[str, Callable[[], Reply]] = {
            "leases": client.leases,
            "worktrees": client.worktrees,
            "failed": partial(client.deliveries, {"state": FAILED}),
        }
        return listed(tab, ask[tab]().json()["items"])
    except AgtmuxError as error:
        return safe_line(error.message)


def _ask(call: Callable[[Client], object], client: Client, done: str) -> Outcome:
    """Send one request. Never raises: an error is an outcome too."""
    try:
        call(client)
    except OSError as error:
        return Outcome(False, True, f"it may or may not have been done: {safe_line(error)}")
    except AgtmuxError as error:
        again = isinstance(error, ConnectionLostError)
        what = "it may or may not have been done" if again else "nothing was done"
        return Outcome(False, again, f"{what}: {safe_line(error.message)}")
    return Outcome(True, False, done)
