"""The staff console in a real browser: log in, try, approve, and what the visitor then gets."""

from __future__ import annotations

import pytest
from browsing import ask, served
from conftest import application
from playwright.sync_api import expect
from staffing import PASSWORD, password_hash
from test_web_access import violations

from bot.pipeline import Assistant
from bot.settings import Staff

pytestmark = pytest.mark.browser

BACK = "does acupuncture help low back pain?"
VIEWS = ("/staff", "/staff/answers", "/staff/gaps", "/staff/pages", "/staff/report", "/staff/marks")


@pytest.fixture(scope="module")
def staffed(assistant, tmp_path_factory):
    """The shipped pages with a journal of their own and a password."""
    data = assistant.settings.index
    journal = f"sqlite:///{tmp_path_factory.mktemp('staffed') / 'journal.db'}"
    settings = assistant.settings.model_copy(
        update={
            "staff": Staff(password_hash=password_hash(), report=data.data / "no-report"),
            "journal": assistant.settings.journal.model_copy(update={"url": journal}),
        }
    )
    with served(application(Assistant(settings, assistant.retriever))) as url:
        yield url


@pytest.fixture
def come(browser, staffed):
    """Return a function that opens a page; at the end nothing may have gone wrong in it."""
    opened, faults = [], []

    def come(path="/staff", **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        opened.append(context)
        page = context.new_page()
        page.faults = faults
        page.set_default_timeout(10_000)
        page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request",
            lambda r: r.url.startswith((staffed, "data:", "blob:")) or faults.append(r.url),
        )
        page.goto(f"{staffed}{path}")
        return page

    yield come
    for context in opened:
        context.close()
    assert faults == []


def log_in(page):
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Password").press("Enter")
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def try_out(page, question):
    box = page.get_by_label("Question", exact=True)
    box.fill(question)
    box.press("Enter")
    expect(page.get_by_role("heading", name="Passages found").first).to_be_visible()


def test_staff_approve_an_answer_and_the_next_visitor_gets_it(come):
    page = come()
    log_in(page)
    try_out(page, "how long do the marks of cupping stay?")
    page.get_by_role("button", name="Edit and approve").click()
    words = page.get_by_label("Words").first
    words.fill("Marks from cups fade in days, our staff say.")
    page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_text("Marks from cups fade in days, our staff say.")).to_be_visible()
    visitor = come("/")
    visitor.locator("html[data-cw-started]").wait_for()
    answer = ask(visitor, "how long do the marks of cupping stay?")
    expect(answer.locator(".cw-lead")).to_contain_text("our staff say")
    expect(answer).to_contain_text("staff approved this answer")
    answer.locator(".cw-n").first.click()
    expect(visitor.locator(".cw-panel mark")).to_have_count(1)
    page.get_by_role("button", name="Withdraw").first.click()
    again = ask(visitor, "how long do the marks of cupping stay?", count=2)
    expect(again.locator(".cw-lead").first).not_to_contain_text("our staff say")


def test_two_settings_stand_side_by_side(come):
    page = come()
    log_in(page)
    page.get_by_text("Compare with a second setting").click()
    page.get_by_label("Compare", exact=True).check()
    page.get_by_label("Weight of words beside meaning, 0 to 1").fill("0")
    try_out(page, BACK)
    expect(page.get_by_role("heading", name="Passages found")).to_have_count(2)
    expect(page.get_by_role("heading", name="Second setting")).to_be_visible()


def test_a_wrong_password_does_not_let_in(come):
    page = come()
    page.get_by_label("Password").fill("guess")
    page.get_by_label("Password").press("Enter")
    expect(page.get_by_text("That is not the password.")).to_be_visible()
    page.faults.clear()  # Chromium logs the 401
    page.goto(page.url.replace("/login", ""))
    expect(page.get_by_label("Password")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 390, 320])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_runs_over_on_any_view(come, scheme, width):
    page = come(color_scheme=scheme, viewport={"width": width, "height": 800})
    assert violations(page) == []
    log_in(page)
    try_out(page, BACK)
    page.get_by_text("What was left out").click()
    page.get_by_text("Compare with a second setting").click()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Edit and approve").click()
    expect(page.get_by_role("heading", name="Approve an answer")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Approve", exact=True).click()
    for path in VIEWS:
        page.goto(f"{page.url.split('/staff')[0]}{path}")
        assert violations(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    page.goto(f"{page.url.split('/staff')[0]}/staff/answers")
    page.get_by_role("button", name="Withdraw").first.click()  # or the next test gets this answer


def test_the_keyboard_alone_tries_marks_and_leaves(come):
    page = come()

    def tab_to(name):
        for _ in range(80):
            page.keyboard.press("Tab")
            label = page.evaluate("""() => { const e = document.activeElement;
                return (e.labels?.[0]?.textContent || e.getAttribute("aria-label") ||
                    e.textContent).trim(); }""")
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            if label == name:
                assert outline != "none", f"the focus on {name!r} cannot be seen"
                return
        pytest.fail(f"Tab never reaches {name!r}")

    tab_to("Password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    tab_to("Question")
    page.keyboard.type(BACK)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Passages found")).to_be_visible()
    tab_to("Right")
    page.keyboard.press("Enter")
    expect(page.get_by_text(BACK).first).to_be_visible()
    tab_to("Log out")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Password")).to_be_visible()
