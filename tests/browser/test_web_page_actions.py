"""The web page's actions in a real browser fail closed as those of the command line do."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.stage import PATIENCE, Actor
from tests.browser.browsing import Web, card, devices, gone, says
from tests.conftest import until

if TYPE_CHECKING:
    from playwright.sync_api import Dialog, Page, Route

pytestmark = [pytest.mark.tc("TC-039"), pytest.mark.xdist_group("browser")]
Make = Callable[..., Actor]


def button(tab: Page, name: str) -> None:
    """Press it, once the card stands still."""
    tab.get_by_role("button", name=name, exact=False).first.click()


def path_of(one: Actor) -> str:
    return f"p/host/{one.pane.replace('%', '%25')}"


def test_approve_and_deny_press_their_key_once_and_the_audit_names_the_device(web: Web, actor: Make) -> None:
    one = actor().start()
    one.ready(web.daemon)
    tab = web.open()
    one.asks(web.daemon, "make clean")
    says(tab, ".card", "make clean")
    button(tab, "Approve")
    says(tab, ".note", "pproved")
    assert says(tab, ".note", "It is running now.") == "Approved. It is running now."
    assert (one.keys(), one.sent()) == (b"1", ["chose 1"])
    one.asks(web.daemon, "make distclean")
    says(tab, ".card pre", "make distclean")
    button(tab, "Deny")
    says(tab, ".note", "enied")
    assert one.keys() == b"1\x1b"
    tab.evaluate("const now = Date.now; Date.now = () => now() + 5000")  # it keeps its place for 4 s
    gone(tab, ".card")
    deny, approve = web.actions(one)[:2]
    assert [one["action"] for one in (approve, deny)] == ["approve", "deny"]
    assert {one["caller"]["actor"] for one in (approve, deny)} == {"device:browser"}
    assert {"if_fingerprint", "if_runtime", "if_state_version"} <= set(approve["request"]["guards"])


@pytest.mark.parametrize("knows", ["the page", "only the daemon"])
def test_a_card_that_is_out_of_date_does_nothing_and_says_so(web: Web, actor: Make, knows: str) -> None:
    """The stream hangs, and the agent asks for something else. The page reads the pane before it acts; even if that
    answer were old too, the daemon refuses."""
    one = actor().start()
    one.ready(web.daemon)
    one.asks(web.daemon, "make clean")
    tab = web.open()
    says(tab, ".card", "make clean")
    old = web.daemon.client.explain(web.daemon.panes()[0]["ref"]).body
    tab.route("**/v1/watch*", lambda route: route.abort())
    tab.evaluate("dispatchEvent(new Event('pagehide')); dispatchEvent(new Event('pageshow'))")
    says(tab, "[data-f=status]", "The daemon does not answer")
    if knows == "only the daemon":
        tab.route("**/explain", lambda route: route.fulfill(body=old, content_type="application/json"))
    one.asks(web.daemon, "rm -rf /")
    button(tab, "Approve")
    assert "This is no longer what you saw" in says(tab, ".note", "Nothing was done.")
    assert (one.keys(), one.sent()) == (b"", [])
    asked = web.actions(one)
    assert [each["result_code"] for each in asked] == ([] if knows == "the page" else ["refused"])


def test_a_request_that_was_answered_elsewhere_is_replaced_at_once(web: Web, actor: Make) -> None:
    one = actor().start()
    one.ready(web.daemon)
    one.asks(web.daemon, "make clean")
    tab = web.open()
    says(tab, ".card", "make clean")
    assert web.place.cli("approve", one.pane, "--yes").returncode == 0
    assert "It is running now." in says(tab, ".note", "Answered elsewhere.")
    assert not tab.get_by_role("button", name="Approve").is_visible()
    assert "make clean" not in card(tab).inner_text()
    one.asks(web.daemon, "make all")
    says(tab, ".card pre", "make all")
    assert one.keys() == b"1"


def test_another_request_in_the_same_place_has_to_be_read_first(web: Web, actor: Make) -> None:
    """A press within half a second after the card changed was meant for what stood there before."""
    one = actor().start()
    one.ready(web.daemon)
    one.asks(web.daemon, "make clean")
    tab = web.open()
    says(tab, ".card", "make clean")
    until(lambda: tab.locator(".moving").count() == 0, within=PATIENCE, what="the card stands still")
    tab.evaluate(
        """() => new MutationObserver((_, self) => {
            if (!document.querySelector('.card pre').textContent.includes('rm -rf')) return;
            self.disconnect();
            document.querySelector('[data-f=approve]').click();
            document.body.dataset.pressed = 'yes';
        }).observe(document.querySelector('.card'), { subtree: true, childList: true, characterData: true })"""
    )
    one.asks(web.daemon, "rm -rf /")
    tab.locator("[data-pressed]").wait_for()
    says(tab, ".note", "answered elsewhere")
    assert (one.keys(), web.actions(one)) == (b"", [])


def test_always_is_behind_a_second_step_that_says_what_it_grants(web: Web, actor: Make) -> None:
    one = actor().start()
    one.ready(web.daemon)
    one.asks(web.daemon, "make clean")
    tab = web.open()
    assert not tab.get_by_text("don't ask again").is_visible()
    tab.get_by_text("Other answers").click()
    button(tab, "2. Yes, and don't ask again")
    assert "It holds for later requests too" in says(
        tab, "[data-f=sureText]", "Send answer 2, “Yes, and don't ask again”?"
    )
    button(tab, "Cancel")
    assert one.keys() == b""
    button(tab, "2. Yes, and don't ask again")
    button(tab, "Send it")
    says(tab, ".note", "nswered")
    assert one.sent() == ["chose 2"]


def test_a_question_is_answered_by_an_option_or_by_a_text(web: Web, actor: Make) -> None:
    one = actor().start()
    one.ready(web.daemon)
    tab = web.open()
    one.tell(question="")
    says(tab, ".card", "Which colour should the shed be?")
    send = tab.get_by_role("button", name="Send answer")
    assert send.is_disabled() and not tab.get_by_role("button", name="Approve").is_visible()
    tab.get_by_label("2. Brown").check()
    send.click()
    says(tab, ".note", "nswered")
    assert one.sent() == ["chose 2"]
    one.tell(question="")
    tab.get_by_label("Your answer").fill("blue")
    send.click()
    until(lambda: one.sent() == ["chose 2", "wrote blue"], within=PATIENCE, what="the text arrives")


def test_prompt_interrupt_mark_as_seen_and_mute(web: Web, actor: Make) -> None:
    one = actor().start()
    one.ready(web.daemon)
    tab = web.open(path=path_of(one))
    field = tab.get_by_label("Prompt")
    field.fill("run the tests")
    button(tab, "Send prompt")
    says(tab, ".note", "The prompt was submitted.")
    assert (one.sent(), field.input_value()) == (["run the tests"], "")
    web.daemon.wait_for(one.pane, "running")
    button(tab, "Interrupt")
    says(tab, ".note", "The turn was interrupted.")
    one.asks(web.daemon, "make clean")
    field.fill("later")
    button(tab, "Send prompt")
    assert "a dialog is open" in says(tab, "main > div > .note", "Nothing was done")
    assert field.input_value() == "later", "what somebody typed stays"
    button(tab, "Mark as seen")
    says(tab, "main > div > .note", "Marked as seen.")
    row = web.daemon.pane(one.pane)
    assert row is not None and row["attention"] == "none"
    button(tab, "Mute for an hour")
    says(tab, ".mark", "muted")
    assert (web.daemon.pane(one.pane) or {})["muted_until"]
    button(tab, "Unmute")
    says(tab, "button", "Mute for an hour")


def test_each_scope_offers_what_it_may_and_no_more(web: Web, actor: Make) -> None:
    one = actor().start()
    one.ready(web.daemon)
    one.asks(web.daemon, "make clean")
    tabs = {scope: web.open(scope, path_of(one)) for scope in ("observe", "act", "all")}
    for tab in tabs.values():
        says(tab, ".card", "make clean")
    offered = {
        scope: [
            name
            for name in ("Approve", "Deny", "Send prompt", "Interrupt")
            if tab.get_by_role("button", name=name).is_visible()
        ]
        for scope, tab in tabs.items()
    }
    assert offered == {
        "observe": [],
        "act": (everything := ["Approve", "Deny", "Send prompt", "Interrupt"]),
        "all": everything,
    }
    assert says(tabs["observe"], ".card", "This browser may only look.")
    assert [scope for scope, tab in tabs.items() if tab.get_by_text("End the agent").is_visible()] == ["all"]
    refused = tabs["observe"].evaluate(
        """ref => fetch('/v1/actions/approve', { method: 'POST', body: JSON.stringify({ ref }), headers: {
            'Content-Type': 'application/json', Authorization: `Bearer ${JSON.parse(localStorage.agtmux).token}`,
        } }).then(one => one.status)""",
        web.daemon.panes()[0]["ref"],
    )
    assert refused == 403


def test_scope_all_types_keys_and_ends_the_agent_after_a_question_that_names_it(web: Web, actor: Make) -> None:
    one = actor().start()
    row = one.ready(web.daemon)
    tab = web.open("all", path_of(one))
    tab.get_by_text("Type text or keys").click()
    tab.get_by_label("Text").fill("hello")
    tab.get_by_label("Submit with Enter").check()
    tab.locator("[data-f=sendForm] button").click()
    says(tab, ".note", "Sent.")
    assert one.sent() == ["hello"]
    asked: list[str] = []

    def refuse(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    tab.once("dialog", refuse)
    tab.get_by_text("End the agent").click()
    button(tab, "Send TERM")
    assert asked == [f"Send TERM to claude in main:0.0, process {row['pid']}?"]
    assert web.daemon.pane(one.pane) is not None and one.tell()["pid"] == one.pid
    tab.once("dialog", lambda dialog: dialog.accept())
    button(tab, "Send TERM")
    says(tab, "main p", "The agent is gone.")


def test_approve_can_be_held_instead_of_pressed(web: Web, actor: Make) -> None:
    one = actor().start()
    one.ready(web.daemon)
    tab = web.open(path="health")
    tab.get_by_label("Hold Approve").check()
    one.asks(web.daemon, "make clean")
    web.show(tab, "")
    button(tab, "Approve")
    says(tab, ".note", "Hold the button")
    assert one.keys() == b""
    tab.get_by_role("button", name="Approve").click(delay=900)
    says(tab, ".note", "pproved")
    assert one.keys() == b"1"


def test_an_answer_that_is_lost_can_be_asked_for_and_acts_once(web: Web, actor: Make) -> None:
    one = actor().start()
    one.ready(web.daemon)
    one.asks(web.daemon, "make clean")
    tab = web.open()
    bodies: list[str] = []

    def lose(route: Route) -> None:
        bodies.append(route.request.post_data or "")
        if len(bodies) == 1:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    tab.route("**/v1/watch*", lambda route: route.abort())
    tab.evaluate("dispatchEvent(new Event('pagehide')); dispatchEvent(new Event('pageshow'))")
    tab.route("**/v1/actions/approve", lose)
    button(tab, "Approve")
    says(tab, ".note", "Press again: nothing is done twice.")
    button(tab, "Approve")
    says(tab, ".note", "It was approved.")
    assert one.keys() == b"1"
    assert len(bodies) == 2 and json.loads(bodies[0]) == json.loads(bodies[1])


@pytest.mark.tc("TC-291")
def test_a_link_works_once_leaves_no_trace_and_a_revoked_browser_asks_for_a_new_one(web: Web, actor: Make) -> None:
    actor().start().ready(web.daemon)
    link = web.link(name="phone")
    tab = web.context().new_page()
    tab.goto(link)
    says(tab, ".row", "idle")
    assert tab.url == web.url
    assert tab.evaluate("document.cookie") == ""
    code = link.partition("#k=")[2]
    assert code not in tab.evaluate(
        "JSON.stringify(localStorage) + JSON.stringify(history.state) + document.body.innerHTML"
    )
    tab.reload()
    says(tab, ".row", "idle")
    other = web.context().new_page()
    other.goto(link)
    assert "code was used" in says(other, ".panel", "Link this browser")
    assert list(devices(web.place)) == ["phone"]
    seen: list[str] = []
    assert web.place.cli("web", "revoke", "phone").returncode == 0
    says(tab, ".panel", "agtmux web link")
    tab.on("request", lambda request: seen.append(request.url))
    tab.evaluate("dispatchEvent(new Event('pageshow'))")
    tab.reload()
    says(tab, ".panel", "Link this browser")
    assert [url for url in seen if "/v1/" in url] == [], "a browser that is not linked asks for nothing"
    tab.get_by_label("Link").fill(web.link())  # as on a home screen, where no address can be typed
    tab.get_by_role("button", name="Link").click()
    says(tab, ".row", "idle")


@pytest.mark.tc("TC-292")
def test_what_an_agent_writes_is_shown_as_text_and_never_as_markup(web: Web, actor: Make) -> None:
    one = actor().start()
    one.ready(web.daemon)
    tab = web.open()
    evil = "<img src=x onerror=document.title='owned'>"
    one.tell(title=f"<script>document.title='owned'</script>{evil}")
    one.tell(ask=f"{evil} \u202egpj.exe")
    text = says(tab, ".card pre", "onerror")
    assert "<img src=x" in text and "\u202e" not in text
    web.show(tab, path_of(one))
    tab.get_by_text("Screen").click()
    says(tab, "pre.screen", "onerror")
    assert tab.locator("main img, main script").count() == 0
    assert (
        tab.evaluate("try { document.body.innerHTML = '<b>x</b>'; 'set' } catch (error) { error.name }") == "TypeError"
    )
    assert "owned" not in tab.title()
    web.errors[:] = [line for line in web.errors if "TrustedHTML" not in line]
