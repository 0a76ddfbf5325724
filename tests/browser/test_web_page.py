"""The web page in a real browser shows what the API says, at once, on one stream, on a phone, and with a keyboard."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.stage import PATIENCE, Actor, Item
from tests.browser.browsing import AXE, PHONE, Web, card, hide, live, rows, says, settled
from tests.conftest import until

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request

pytestmark = [pytest.mark.tc("TC-038"), pytest.mark.xdist_group("browser")]
Make = Callable[..., Actor]


def shown(row: Item) -> tuple[str, str, str]:
    """How the page shows the state, agent and place of a row of the API."""
    branch = f"{row['project']} ({row['branch']})" if row["branch"] else row["project"]
    place = f"{row['identity']['session_name']}:{row['window_index']}.{row['pane_index']}"
    return row["state"].replace("_", " "), row["agent_type"], " · ".join(part for part in (branch, place) if part)


def test_every_screen_shows_the_rows_of_the_api_and_follows_them(web: Web, actor: Make) -> None:
    one, two = actor().start("one"), actor().start("two")
    one.ready(web.daemon)
    row = two.ready(web.daemon)
    tab = web.open()
    until(lambda: sorted(rows(tab)) == sorted(map(shown, web.daemon.panes())), what=f"the rows: {rows(tab)}")
    two.tell(run=True)
    says(tab, ".row", "running")
    two.asks(web.daemon, "make clean")
    assert "make clean" in card(tab).inner_text()
    assert says(tab, "nav a", "All").split() == ["All", "1"]
    assert tab.title() == "(1) All agents · agtmux"
    until(lambda: sorted(rows(tab)) == [shown(web.daemon.panes(session="one")[0])], what="the other row")
    for path in ("sessions", "s/host/two", f"w/host/{row['identity']['window_id']}"):
        web.show(tab, path)
        says(tab, ".row", "waiting approval")
    web.show(tab, f"p/host/{one.pane.replace('%', '%25')}")
    assert says(tab, "h1", "claude in one:0.0")
    one.tell(run=True)
    says(tab, ".chip", "running")
    tab.get_by_text("Screen").click()
    says(tab, "pre", "esc to interrupt")
    tab.get_by_text("Why this state").click()
    says(tab, "li", "decides")
    tab.get_by_text("History").click()
    says(tab, "li", "view-output by device:browser: done")
    web.show(tab, "health")
    says(tab, "li", "host: ok, 2 agents, 3 panes")


def test_after_a_restart_of_the_daemon_it_goes_on_from_its_cursor(web: Web, actor: Make) -> None:
    one = actor().start()
    one.ready(web.daemon)
    tab = web.open()
    asked: list[str] = []

    def note(request: Request) -> None:
        if "/v1/watch" in request.url:
            asked.append(request.url)

    tab.on("request", note)
    web.daemon.send(signal.SIGTERM)
    assert "This is how it was at" in says(tab, "[data-f=status]", "The daemon does not answer")
    assert [state for state, _, _ in rows(tab)] == ["idle"], "the rows stay, and the line above says how old they are"
    assert "all is clear" in says(tab, "[data-f=clear]", "Nobody can say")
    one.tell(run=True)
    web.daemon.start()
    web.daemon.wait_for(one.pane, "running")
    says(tab, ".row", "running")
    live(tab)
    assert asked and all("cursor=" in url for url in asked)


LOOK_AGAIN = "dispatchEvent(new Event('pagehide')); dispatchEvent(new Event('pageshow'))"


def test_all_tabs_share_one_stream_and_hidden_ones_have_none(web: Web, actor: Make) -> None:
    one = actor().start()
    one.ready(web.daemon)
    context = web.context()
    first = web.open(context=context)
    settled(web, 1)
    second = context.new_page()
    second.goto(web.url)
    live(second)
    one.tell(run=True)
    for tab in (first, second):
        says(tab, ".row", "running")
    assert web.watchers() == 1
    hide(first, True)  # the one that reads: the other goes on
    settled(web, 1)
    one.tell(run=False)
    says(second, ".row", "idle")
    assert rows(first)[0][0] == "running", "a hidden tab stands still"
    hide(second, True)
    settled(web, 0)
    hide(first, False)
    says(first, ".row", "idle")
    settled(web, 1)
    first.close()
    hide(second, False)
    live(second)
    settled(web, 1)


def test_all_clear_is_said_with_a_time_and_only_if_every_target_is_healthy(web: Web, actor: Make) -> None:
    one = actor().start()
    one.ready(web.daemon)
    tab = web.open()
    assert "as of" in says(tab, "[data-f=clear]", "All clear")
    web.place.cli("target", "add", "far", "--kind", "ssh", "--ssh-target", "nowhere.invalid")
    tab.evaluate(LOOK_AGAIN)  # it asks for the targets now and then
    assert "Nobody can say that all is clear" in says(tab, "[data-f=clear]", "far")
    one.asks(web.daemon)
    assert "There may be more: far" in says(tab, "[data-f=clear]", "There may be more")


def screens(actor: Make, web: Web) -> list[str]:
    """Each kind of screen with something on it: a request, a question, a running and an idle agent."""
    made = [actor().start(name) for name in ("asks", "wonders", "works", "rests")]
    for one in made:
        one.ready(web.daemon)
    made[0].asks(web.daemon, "make clean-" + "long/path/" * 6)
    made[1].tell(question="")
    made[2].tell(run=True)
    web.daemon.wait_for(made[1].pane, "waiting_input")
    web.daemon.wait_for(made[2].pane, "running")
    pane = made[0].pane.replace("%", "%25")
    return ["", "sessions", "s/host/asks", f"p/host/{pane}", "health"]


def test_on_a_phone_nothing_is_cut_off_and_everything_is_large_enough_to_hit(web: Web, actor: Make) -> None:
    paths = screens(actor, web)
    tab = web.open("all", viewport=PHONE)
    for path in paths:
        web.show(tab, path)
        tab.locator("main h1").wait_for(state="attached")
        tab.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        small: Any = tab.locator("a, button, summary, input[type=text], textarea, label.check").evaluate_all(
            """all => all.filter(one => one.checkVisibility() && one.getBoundingClientRect().height < 48)
                .map(one => one.outerHTML)"""
        )
        assert small == [], path
    web.show(tab, "")
    deny, approve = (tab.get_by_role("button", name=name).bounding_box() for name in ("Deny", "Approve"))
    assert deny is not None and approve is not None
    assert deny["x"] + deny["width"] < PHONE["width"] / 2 < approve["x"]


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing_that_keeps_people_out(web: Web, actor: Make, colours: Any) -> None:
    if not AXE:
        pytest.skip("axe-core is not there: run scripts/setup.sh browser")
    paths = screens(actor, web)
    tab = web.open("all", color_scheme=colours, bypass_csp=True)
    tab.add_script_tag(path=AXE[-1])
    for path in paths:
        web.show(tab, path)
        tab.locator("main h1").wait_for(state="attached")
        tab.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        until(lambda: tab.locator(".moving").count() == 0, within=PATIENCE, what="the cards stand still")
        found: Any = tab.evaluate(
            "axe.run().then(told => told.violations.map(one => [one.id, one.nodes.map(n => n.html)]))"
        )
        assert found == [], path


def test_a_screen_needs_no_pointer(web: Web, actor: Make) -> None:
    """Every control is reached by Tab, in the order in which it is read, and shows that it has the focus."""
    one = actor().start()
    one.ready(web.daemon)
    one.asks(web.daemon, "make clean")
    tab = web.open()
    until(lambda: tab.locator(".moving").count() == 0, within=PATIENCE, what="the card stands still")
    reached: list[str] = []
    for _ in range(20):
        tab.keyboard.press("Tab")
        reached.append(tab.evaluate("document.activeElement.dataset.f ?? document.activeElement.textContent.trim()"))
        assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", reached
        if reached[-1] == "approve":
            break
    assert reached == ["agtmux", "All 1", "Sessions", "Mail", "Health", "open", "text", "deny", "approve"]
    tab.keyboard.press("Enter")
    says(tab, ".note", "approved")
    assert one.sent() == ["chose 1"]


def age(tab: Page) -> str:
    return str(tab.locator(".card time").inner_text())


def changed(tab: Page, before: str) -> bool:
    return age(tab) != before


@pytest.mark.tc("TC-420")
def test_it_tells_what_a_person_sees_only_while_it_has_the_focus(web: Web, actor: Make) -> None:
    """The pane of the screen, or the cards that are wholly on it. Rows of a list do not count."""
    one, two = actor().start("one"), actor().start("two")
    two.ready(web.daemon)
    one.ready(web.daemon)
    one.asks(web.daemon, "make clean")
    context = web.context()
    context.add_init_script(
        "document.asked = 0; document.hasFocus = () => { document.asked++; return !!document.near; }"
    )
    told: list[Any] = []
    context.on(
        "request", lambda request: told.append(request.post_data_json) if request.url.endswith("/look") else None
    )
    tab = web.open("observe", context=context)
    says(tab, ".card", "make clean")
    until(lambda: tab.evaluate("document.asked") > 1, within=PATIENCE, what="it asks for the focus")
    assert told == []
    with tab.expect_response("**/v1/notify/look") as answered:
        tab.evaluate("document.near = true")
    assert answered.value.json()["counted"] == 1
    tab.evaluate("const now = Date.now; Date.now = () => now() + 15000")
    web.show(tab, f"p/host/{two.pane.replace('%', '%25')}")
    says(tab, "h1", "claude in two")
    until(lambda: tab.evaluate("1") and len(told) == 2, within=PATIENCE, what=f"the second look: {told}")
    refs = [web.daemon.panes(session=name)[0]["ref"] for name in ("one", "two")]
    assert told == [{"panes": [ref], "surface": "web"} for ref in refs]
    web.show(tab, "sessions")
    tab.evaluate("document.asked = 0; const later = Date.now; Date.now = () => later() + 15000")
    tab.set_viewport_size({"width": 1280, "height": 90})
    web.show(tab, "")
    says(tab, ".card", "make clean")
    for _ in range(2):
        before = age(tab)
        until(partial(changed, tab, before), within=PATIENCE, what="the next tick: it tells, then draws the age")
    assert len(told) == 2, "neither rows nor a card that is cut off"
