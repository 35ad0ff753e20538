"""Everyone can use it: axe-core on every view, the keyboard alone, small screens, less motion."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import ask
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

BACK = "does acupuncture help low back pain?"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
VIEWS = {
    "first": [],
    "answer": [BACK],
    "two parts": ["does cupping hurt and how long is a visit?"],
    "emergency": ["I have crushing chest pain"],
    "urgent line": ["what are the signs of a collapsed lung?"],
    "personal": ["should I stop my blood thinner before acupuncture?"],
    "refusal": ["who won the world cup?"],
    "clinic": ["how much does a visit cost?"],
}


def violations(page):
    """Return what axe-core finds wrong, each with the elements it means."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [(v["id"], [node["html"][:200] for node in v["nodes"]]) for v in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing(visit, view, scheme):
    page = visit(color_scheme=scheme, reduced_motion="reduce")
    for count, question in enumerate(VIEWS[view], 1):
        ask(page, question, count=count)
    assert violations(page) == []


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_an_open_source_or_open_reasons(visit, scheme, width):
    page = visit(
        color_scheme=scheme, reduced_motion="reduce", viewport={"width": width, "height": 800}
    )
    answer = ask(page, BACK)
    answer.locator(".cw-n").first.click()
    assert violations(page) == []
    page.keyboard.press("Escape")
    answer.get_by_role("button", name="Not helpful").click()
    page.get_by_text("What is kept").click()
    page.get_by_text("Talk to a person").first.click()
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_a_page_of_the_clinic(visit, scheme):
    page = visit("/pages/corpus/conditions/low-back-pain.md?start=0&end=60", color_scheme=scheme)
    assert violations(page) == []


def test_axe_finds_nothing_on_a_page_that_is_gone(visit):
    page = visit("/pages/corpus/gone.md")
    expect(page.get_by_role("heading")).to_contain_text("no such page any more")
    page.faults.clear()  # Chromium logs the 404
    assert violations(page) == []


def test_the_keyboard_alone_does_everything(visit):
    """Tab, Shift+Tab, Enter, Escape: ask, open a source, close it, rate, start over."""
    page = visit()

    def tab_to(name, *, most=60):
        for _ in range(most):
            page.keyboard.press("Tab")
            label = page.evaluate(
                "(document.activeElement.getAttribute('aria-label') || "
                "document.activeElement.textContent).trim()"
            )
            outline = page.evaluate(
                "(e => { const s = getComputedStyle(e), b = getComputedStyle(e.parentElement);"
                " return s.outlineStyle !== 'none' || b.outlineStyle !== 'none'; })"
                "(document.activeElement)"
            )
            if label.startswith(name):
                assert outline, f"the focus on {name!r} cannot be seen"
                return
        pytest.fail(f"Tab never reaches {name!r}")

    tab_to("Dark colours")
    tab_to("Talk to a person")
    tab_to("Does acupuncture help low back pain?")
    page.keyboard.press("Enter")
    expect(page.locator(".cw-answer:not(.cw-working)")).to_have_count(1)
    page.locator(".cw-box textarea").focus()
    page.keyboard.type("what is cupping?")
    page.keyboard.press("Enter")
    expect(page.locator(".cw-answer:not(.cw-working)")).to_have_count(2)
    expect(page.locator(".cw-box textarea")).to_be_focused()
    page.locator(".cw-you").last.evaluate("e => { e.tabIndex = -1; e.focus(); }")
    tab_to("Source 1")
    page.keyboard.press("Enter")
    expect(page.locator(".cw-panel mark")).to_have_count(1)
    expect(page.locator(".cw-close")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.cw-panel') !== null")
    page.keyboard.press("Escape")
    expect(page.locator(".cw-panel")).to_be_hidden()
    tab_to("Not helpful")
    page.keyboard.press("Enter")
    tab_to("Looks wrong")
    page.keyboard.press("Enter")
    expect(page.locator(".cw-done").last).to_contain_text("Thank you")
    tab_to("What is kept")
    page.keyboard.press("Enter")
    expect(page.get_by_text("stays in this browser")).to_be_visible()
    tab_to("Start over")
    page.keyboard.press("Enter")
    expect(page.locator(".cw-welcome")).to_be_visible()
    expect(page.locator(".cw-box textarea")).to_be_focused()


@pytest.mark.parametrize(
    ("width", "height"), [(320, 256), (640, 400)], ids=["400 percent", "200 percent"]
)
def test_zoomed_in_nothing_is_lost_or_hidden(visit, width, height):
    page = visit(viewport={"width": width, "height": height})
    answer = ask(page, BACK)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for target in ("Helpful", "Copy", "Print"):
        button = answer.get_by_role("button", name=target, exact=True)
        button.focus()
        covered = button.evaluate("""b => { const r = b.getBoundingClientRect();
            const top = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2);
            return top !== b; }""")
        assert not covered, f"{target} is hidden behind something when it has the focus"


def test_everything_that_can_be_pressed_is_at_least_24_pixels(visit):
    page = visit(viewport={"width": 390, "height": 800})
    answer = ask(page, BACK)
    answer.locator(".cw-n").first.click()
    small = page.evaluate("""() => [...document.querySelectorAll(
        "button, summary, .cw-act, .cw-call, .cw-dial a")]
        .filter(e => e.checkVisibility())
        .map(e => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
        .filter(([, r]) => r.width && (r.width < 24 || r.height < 24)).map(([html]) => html)""")
    assert small == []


def test_who_wants_less_motion_gets_none(visit):
    page = visit(reduced_motion="reduce")
    page.route("**/queue/**", lambda route: None)
    page.locator(".cw-box textarea").fill(BACK)
    page.locator(".cw-box button").click()
    bar = page.locator(".cw-working i").first
    expect(bar).to_be_visible()
    assert bar.evaluate("e => getComputedStyle(e).animationName") == "none"
