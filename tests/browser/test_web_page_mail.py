"""The web page in a real browser shows what agents ask of people, and people read, answer, send and queue there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.stage import PATIENCE, PROGRAMS, Actor, Item
from tests.browser.browsing import AXE, PHONE, Web, hide, says, settled
from tests.conftest import until

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = [pytest.mark.tc("TC-930"), pytest.mark.xdist_group("browser")]
Make = Callable[..., Actor]


def send(one: Actor, *argv: str) -> Item:
    """A message that an agent sends to people from its own shell."""
    sent = [str(PROGRAMS / "agtmux"), "msg", "send", "--to", "person", *argv, "--json"]
    done = one.tell(hook={"argv": sent, "payload": {}, "env": {"AGTMUX_NO_AUTOSTART": "1"}})
    assert done["status"] == 0, done
    item: Item = json.loads(done["out"])["item"]
    return item


def letter(tab: Page, text: str) -> Any:
    return tab.locator(".rows li", has_text=text)


def test_a_row_says_what_its_agent_asks_and_people_read_reply_and_acknowledge(web: Web, actor: Make) -> None:
    one = actor().start()
    one.ready(web.daemon)
    assert web.place.cli("name", one.pane, "builder").returncode == 0
    tab = web.open()
    says(tab, ".row [data-f=who]", "claude builder")
    asked = send(one, "-s", "port", "-m", "which port\u202e?", "--kind", "question")
    assert "Asks by message" in says(tab, "details", "question to you")
    web.show(tab, f"p/host/{one.pane.replace('%', '%25')}")
    says(tab, ".mark", "question to you")
    tab.get_by_text("Read its messages to you").click()
    assert "agent:builder unread question" in says(tab, ".rows li", "port")
    letter(tab, "port").locator("summary").click()
    assert says(tab, ".rows pre", "which port") == "which port?", "what hides or reorders text is left out"
    says(tab, "[data-f=sub]", "0 unread")
    letter(tab, "port").get_by_label("Reply").fill("8080")
    tab.get_by_role("button", name="Send reply").click()
    says(tab, ".note", "The reply was sent.")
    assert letter(tab, "port").get_by_label("Reply").input_value() == ""
    says(tab, ".rows li", "acknowledged")
    (answer,) = web.daemon.client.messages({"thread": asked["message_id"], "from": "person", "body": "true"}).json()[
        "items"
    ]
    assert (answer["kind"], answer["body"], answer["sender"]) == ("answer", "8080", "device:browser")


def test_a_new_message_is_there_at_once_and_moves_nothing_that_somebody_writes(web: Web, actor: Make) -> None:
    one = actor().start()
    one.ready(web.daemon)
    send(one, "-s", "first", "-m", "first text")
    tab = web.open(path="mail")
    settled(web, 2)
    letter(tab, "first").locator("summary").click()
    letter(tab, "first").get_by_label("Reply").fill("half a repl")
    send(one, "-s", "second", "-m", "second text")
    says(tab, ".rows li", "second")
    tab.keyboard.type("y")
    assert letter(tab, "first").get_by_label("Reply").input_value() == "half a reply"
    assert tab.locator(".rows [data-f=subject]").all_inner_texts()[:2] == ["second", "first"]
    hide(tab, True)
    settled(web, 0)
    send(one, "-s", "third", "-m", "third text")
    hide(tab, False)
    says(tab, ".rows li", "third")
    web.show(tab, "")
    settled(web, 1)


def test_a_text_waits_in_the_queue_or_goes_as_a_message_to_the_agent_that_is_shown(web: Web, actor: Make) -> None:
    one = actor().start()
    one.ready(web.daemon)
    one.tell(run=True)
    web.daemon.wait_for(one.pane, "running")
    tab = web.open(path=f"p/host/{one.pane.replace('%', '%25')}")
    tab.get_by_label("Prompt").fill("run the tests")
    sent: list[str] = []

    def lose(route: Route) -> None:
        """The daemon does it, and the answer is lost."""
        sent.append(str(route.request.post_data))
        route.fetch()
        route.abort()

    tab.route("**/v1/queue", lose, times=1)
    tab.get_by_role("button", name="Queue prompt").click()
    says(tab, ".note", "It may or may not be done")
    tab.get_by_role("button", name="Queue prompt").click()
    says(tab, ".note", "Queued. It is typed when the agent is ready.")
    tab.get_by_label("Prompt").fill("use port 8080")
    tab.get_by_role("button", name="Send as message").click()
    says(tab, ".note", "The message was sent.")
    queued = web.daemon.client.messages({"from": "person", "body": "true"}).json()["items"]
    mine = web.daemon.pane(one.pane) or {}
    found = [(item["kind"], item["body"], item["sender"]) for item in queued if item["deliveries"]
             and item["deliveries"][0]["agent_id"] == agent_id(web, mine["runtime_id"])]  # fmt: skip
    assert sorted(found) == [("note", "use port 8080", "device:browser"), ("prompt", "run the tests", "device:browser")]
    assert len(sent) == 1, "the answer of the first press was lost, and nothing was queued twice"
    assert one.sent() == []


def agent_id(web: Web, runtime: str) -> str:
    items = web.daemon.client.agents().json()["items"]
    return next(str(item["agent_id"]) for item in items if item["runtime_id"] == runtime)


def test_a_browser_that_may_only_look_reads_and_leaves_the_message_unread(web: Web, actor: Make) -> None:
    one = actor().start()
    one.ready(web.daemon)
    sent = send(one, "-s", "look", "-m", "only text")
    tab = web.open("observe", path="mail")
    letter(tab, "look").locator("summary").click()
    says(tab, ".rows pre", "only text")
    assert not letter(tab, "look").get_by_label("Reply").is_visible()
    (delivery,) = web.daemon.client.show_message(sent["message_id"]).json()["item"]["deliveries"]
    assert delivery["read_at"] is None


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_the_screen_fits_a_phone_needs_no_pointer_and_keeps_nobody_out(web: Web, actor: Make, colours: Any) -> None:
    if not AXE:
        pytest.skip("axe-core is not there: run scripts/setup.sh browser")
    one = actor().start()
    one.ready(web.daemon)
    send(one, "-s", colours * 30, "-m", "text/" * 60, "--kind", "blocker")
    tab = web.open("act", path="mail", viewport=PHONE, color_scheme=colours, bypass_csp=True)
    letter(tab, colours * 30).wait_for()
    reached: list[str] = []
    while not reached or (reached[-1] != "SUMMARY" and len(reached) < 12):
        tab.keyboard.press("Tab")
        reached.append(tab.evaluate("document.activeElement.tagName"))
    tab.keyboard.press("Enter")
    says(tab, ".rows pre", "text/")
    reached = []
    for _ in range(4):
        tab.keyboard.press("Tab")
        reached.append(tab.evaluate("document.activeElement.dataset.f ?? document.activeElement.textContent.trim()"))
        assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", reached
    assert reached == ["text", "reply", "Send reply", "ack"]
    tab.keyboard.press("Enter")
    says(tab, ".note", "Acknowledged.")
    letter(tab, colours * 30).locator("[data-f=ack]").wait_for(state="hidden")
    send(one, "-s", f"and {colours}", "-m", "one more", "--kind", "blocker")
    tab.add_script_tag(path=AXE[-1])
    for path in ("mail", "", f"p/host/{one.pane.replace('%', '%25')}"):
        web.show(tab, path)
        tab.locator("main h1").wait_for(state="attached")
        until(lambda: "blocker" in tab.locator("main").inner_text(), within=PATIENCE, what="what it asks is shown")
        assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        small: Any = tab.locator("a, button, summary, textarea").evaluate_all(
            """all => all.filter(one => one.checkVisibility() && one.getBoundingClientRect().height < 48)
                .map(one => one.outerHTML)"""
        )
        assert small == [], path
        found: Any = tab.evaluate(
            "axe.run().then(told => told.violations.map(one => [one.id, one.nodes.map(n => n.html)]))"
        )
        assert found == [], path
