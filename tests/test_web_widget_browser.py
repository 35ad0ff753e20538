"""The widget in a real browser, on pages of another origin than the chat's."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import served
from conftest import application
from playwright.sync_api import expect

from bot.pipeline import Assistant
from bot.settings import Clinic, Widget

pytestmark = pytest.mark.browser

BACK = "does acupuncture help low back pain?"
CLINIC = Clinic(name="Riverside Acupuncture", phone="+1 555 0100")
PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True}
MOST_BYTES = 15_000
PAGE = """<!doctype html><html lang="en"><head><title>A clinic</title>
<meta name="viewport" content="width=device-width">{head}</head>
<body><main><h1>A clinic</h1><p><a href="#elsewhere">A link of the page</a></p>{body}</main>
<script src="{chat}/widget.js" async {attributes}></script></body></html>"""
FOCUSED = """() => { let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  return at.getAttribute("role") ?? (at.className || at.localName); }"""
"""What has the focus, in the widget or in the page around it."""


class Site:
    """Somebody's website on another port: pages by path, each with headers of its own."""

    def __init__(self, port):
        self.origin = f"http://localhost:{port}"
        self.stranger = f"http://127.0.0.1:{port}"
        self.pages = {}

    def show(self, chat, *, attributes="", head="", body="", policy=None, others=None):
        html = PAGE.format(chat=chat, attributes=attributes, head=head, body=body)
        headers = {"Content-Security-Policy": policy} if policy else {}
        self.pages = {"/": ("text/html", html, headers), **(others or {})}


@contextmanager
def hosted():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            kind, text, headers = site.pages.get(self.path, ("text/plain", "", {}))
            self.send_response(200)
            for name, value in {"Content-Type": f"{kind}; charset=utf-8", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site = Site(server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield site
        server.shutdown()
        thread.join(10)


@pytest.fixture(scope="module")
def site():
    with hosted() as site:
        yield site


@pytest.fixture(scope="module")
def chat(assistant, site):
    """The chat's own origin; it allows `site.origin` and not `site.stranger`."""
    said = {"clinic": CLINIC, "widget": Widget(origins=(site.origin,))}
    settings = assistant.settings.model_copy(update=said)
    with served(application(Assistant(settings, assistant.retriever))) as url:
        yield url


@pytest.fixture
def visit(browser, chat, site):
    """Return a function that opens a page; at the end nothing unexpected may have happened."""
    opened = []

    def visit(address=None, *, before=lambda page: None, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.asked, page.errors, page.warnings = [], [], []
        page.on("request", lambda r: page.asked.append(r.url))
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        kinds = {"error": page.errors, "warning": page.warnings}
        page.on("console", lambda m: kinds.get(m.type, []).append(m.text))
        before(page)
        page.goto(address or site.origin)
        page.wait_for_load_state("load")
        return page

    yield visit
    for context in opened:
        assert context.cookies() == []
        ours = (chat, site.origin, site.stranger, "data:", "blob:", "chrome-error:")
        for page in context.pages:
            assert [url for url in page.asked if not url.startswith(ours)] == []
        context.close()


@pytest.fixture
def page(visit, chat, site):
    site.show(chat)
    return visit()


def launch(page):
    return page.locator("citewell-chat .launch")


def dialog(page):
    return page.get_by_role("dialog", name="Riverside Acupuncture: AI assistant")


def inside(page):
    """Return the chat page in its frame, once it can be typed into."""
    expect(page.locator("citewell-chat .room.ready")).to_be_attached()
    return page.frame_locator("citewell-chat iframe")


def ask(frame, question):
    frame.locator(".cw-box textarea").fill(question)
    frame.locator(".cw-box textarea").press("Enter")
    expect(frame.locator(".cw-answer:not(.cw-working)")).to_have_count(1)


def test_one_line_puts_a_button_in_the_corner(page):
    button = launch(page)
    expect(button).to_have_text("Ask about treatments")
    expect(button).to_have_attribute("aria-haspopup", "dialog")
    expect(button).to_have_attribute("aria-expanded", "false")
    box = button.bounding_box()
    assert box["height"] >= 48
    assert (1280 - box["x"] - box["width"], 800 - box["y"] - box["height"]) == (16, 20)


def test_before_it_is_opened_it_loads_itself_and_nothing_else(page, chat, site):
    expect(launch(page)).to_be_visible()
    assert [url for url in page.asked if not url.startswith(site.origin)] == [f"{chat}/widget.js"]
    size = page.request.get(f"{chat}/widget.js")
    assert len(size.body()) + sum(len(k + v) + 4 for k, v in size.headers.items()) < MOST_BYTES
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0
    assert page.locator("citewell-chat iframe").count() == 0


def test_it_leaves_no_global_name(visit, chat, site):
    names = "Object.getOwnPropertyNames(window).filter(name => !/^\\d+$/.test(name)).sort()"
    site.show("data:text/javascript,//")
    before = visit().evaluate(names)
    site.show(chat)
    page = visit()
    expect(launch(page)).to_be_visible()
    assert page.evaluate(names) == before


def test_a_question_is_answered_in_the_corner_of_another_site(page):
    launch(page).click()
    expect(dialog(page)).to_be_visible()
    expect(launch(page)).to_have_attribute("aria-expanded", "true")
    box = dialog(page).bounding_box()
    assert (round(box["width"]), round(box["height"])) == (400, 640)
    frame = inside(page)
    ask(frame, BACK)
    expect(frame.locator(".cw-you")).to_have_text(BACK)
    assert frame.locator("p .cw-n").count() >= 2
    assert page.errors == []


def test_while_it_loads_the_visitor_reads_that_and_the_focus_is_in_the_dialog(visit, chat, site):
    site.show(chat)
    held = []
    hold = lambda route: held.append(route)  # noqa: E731 - playwright marks what it is given
    page = visit(before=lambda page: page.route(f"{chat}/?widget=1", hold))
    launch(page).click()
    expect(dialog(page).get_by_role("status")).to_contain_text("Opening the chat…")
    assert page.evaluate(FOCUSED) == "dialog"
    assert dialog(page).locator("iframe").is_hidden()
    held[0].continue_()
    inside(page)
    expect(dialog(page).locator("iframe")).to_be_visible()
    assert page.evaluate(FOCUSED) == "iframe"


@pytest.mark.parametrize("way", ["the cross", "the button", "Escape", "Escape in the chat"])
def test_it_closes_and_gives_the_focus_back(page, way):
    launch(page).click()
    frame = inside(page)
    if way == "the cross":
        dialog(page).get_by_role("button", name="Close the chat").click()
    elif way == "the button":
        launch(page).click()
    elif way == "Escape":
        dialog(page).get_by_role("button", name="Close the chat").press("Escape")
    else:
        frame.locator(".cw-box textarea").press("Escape")
    expect(dialog(page)).to_be_hidden()
    expect(launch(page)).to_have_attribute("aria-expanded", "false")
    assert page.evaluate(FOCUSED) == "launch"


def test_opening_it_again_shows_the_same_conversation(page, chat):
    launch(page).click()
    ask(inside(page), BACK)
    launch(page).click()
    expect(dialog(page)).to_be_hidden()
    launch(page).click()
    expect(inside(page).locator(".cw-you")).to_have_text(BACK)
    assert page.asked.count(f"{chat}/?widget=1") == 1


def test_on_a_wide_screen_the_page_behind_stays_in_use(page):
    launch(page).click()
    inside(page)
    assert dialog(page).get_attribute("aria-modal") is None
    page.get_by_role("link", name="A link of the page").click()
    expect(page).to_have_url(f"{page.url.split('#')[0]}#elsewhere")


@pytest.mark.parametrize("width", [390, 320])
def test_on_a_phone_it_fills_the_screen_and_the_page_behind_rests(visit, chat, site, width):
    site.show(chat)
    page = visit(**{**PHONE, "viewport": {"width": width, "height": 700}})
    launch(page).tap()
    inside(page)
    assert dialog(page).bounding_box() == {"x": 0, "y": 0, "width": width, "height": 700}
    expect(dialog(page)).to_have_attribute("aria-modal", "true")
    expect(launch(page)).to_be_hidden()
    assert page.evaluate("document.body.inert")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    dialog(page).get_by_role("button", name="Close the chat").tap()
    expect(dialog(page)).to_be_hidden()
    assert not page.evaluate("document.body.inert || document.documentElement.style.overflow")
    assert page.evaluate(FOCUSED) == "launch"


def test_turning_the_screen_wakes_the_page_behind(visit, chat, site):
    site.show(chat)
    page = visit(**PHONE)
    launch(page).tap()
    expect(dialog(page)).to_have_attribute("aria-modal", "true")
    page.set_viewport_size({"width": 1000, "height": 700})
    expect(dialog(page)).not_to_have_attribute("aria-modal", "true")
    assert not page.evaluate("document.body.inert")


@pytest.mark.parametrize("trusted", ["", "; require-trusted-types-for 'script'"])
def test_the_strictest_policy_of_a_site_is_kept(visit, chat, site, trusted):
    policy = f"default-src 'none'; script-src {chat}; frame-src {chat}; style-src 'self'{trusted}"
    site.show(chat, policy=policy)
    page = visit()
    launch(page).click()
    ask(inside(page), BACK)
    assert launch(page).evaluate("b => getComputedStyle(b).borderRadius") == "26px"
    assert page.errors == []


def test_no_style_of_the_site_reaches_it(visit, chat, site):
    rude = """* { display: none !important; font: 40px cursive !important; color: red !important; }
      * { letter-spacing: 9px !important; zoom: 2 !important; visibility: hidden !important; }
      html { zoom: 1 !important; }
      html, body, main { display: block !important; }
      body { transform: rotate(3deg); } button, div, iframe { width: 3px !important; }"""
    site.show(chat)
    plain = launch(visit()).bounding_box()
    style = {"/rude.css": ("text/css", rude, {})}
    site.show(chat, head='<link rel="stylesheet" href="/rude.css">', others=style)
    page = visit()
    expect(launch(page)).to_be_visible()
    assert launch(page).bounding_box() == plain


def test_loading_it_twice_makes_one_button(visit, chat, site):
    site.show(chat, body=f'<script src="{chat}/widget.js?again"></script>')
    page = visit()
    expect(launch(page)).to_have_count(1)
    launch(page).click()
    expect(dialog(page)).to_have_count(1)


def test_a_script_in_the_head_waits_for_the_page(visit, chat, site):
    site.show(chat, head=f'<script src="{chat}/widget.js" data-open></script>')
    page = visit(**PHONE)
    expect(dialog(page)).to_have_attribute("aria-modal", "true")
    inside(page)
    assert page.evaluate("document.body.inert")
    assert page.errors == []


def test_the_site_says_which_side_and_whether_it_opens_at_once(visit, chat, site):
    site.show(chat, attributes='data-side="left" data-open')
    page = visit()
    expect(dialog(page)).to_be_visible()
    assert dialog(page).bounding_box()["x"] == 16
    inside(page)
    assert page.evaluate(FOCUSED) == "body"


def test_anything_on_the_page_can_open_it(visit, chat, site):
    site.show(chat, body='<a class="own" href="/gone" data-citewell-open><b>Ask us</b></a>')
    page = visit()
    expect(launch(page)).to_be_visible()
    page.get_by_text("Ask us").click()
    inside(page)
    assert page.url.rstrip("/") == site.origin
    dialog(page).get_by_role("button", name="Close the chat").click()
    assert page.evaluate(FOCUSED) == "own"


def test_a_chat_that_does_not_open_says_so_and_offers_another_way(visit, chat, site):
    site.show(chat)
    answers = [lambda route: route.fulfill(body="", content_type="text/html")]

    def before(page):
        page.clock.install()
        page.route(f"{chat}/?widget=1", lambda route: answers[0](route))

    page = visit(before=before)
    launch(page).click()
    expect(dialog(page)).to_contain_text("Opening the chat…")
    page.clock.fast_forward(10_000)
    expect(dialog(page)).to_contain_text("The chat does not open here.")
    expect(dialog(page).locator("iframe")).to_be_hidden()
    link = dialog(page).get_by_role("link", name="Open it in a new tab")
    assert [link.get_attribute(name) for name in ("href", "target", "rel")] == [
        f"{chat}/", "_blank", "noopener",
    ]  # fmt: skip
    call = dialog(page).get_by_role("link", name="+1 555 0100")
    expect(call).to_have_attribute("href", "tel:+15550100")
    answers[0] = lambda route: route.continue_()
    launch(page).click()
    launch(page).click()
    expect(inside(page).locator(".cw-box textarea")).to_be_visible()


def test_messages_from_anyone_but_the_chat_are_ignored(page, chat, site):
    launch(page).click()
    inside(page)
    forged = """([origin, own]) => {
      const frame = document.createElement("iframe");
      document.body.append(frame);
      const chat = document.querySelector("citewell-chat").shadowRoot.querySelector("iframe");
      const source = (own ? chat : frame).contentWindow;
      dispatchEvent(new MessageEvent("message", { data: { citewell: "close" }, origin, source }));
    }"""
    page.evaluate(forged, [chat, False])
    page.evaluate(forged, [site.origin, True])
    expect(dialog(page)).to_be_visible()
    page.evaluate(forged, [chat, True])
    expect(dialog(page)).to_be_hidden()


def test_on_another_site_it_shows_nothing_and_tells_its_owner_why(visit, chat, site):
    site.show(chat, body='<a href="#own" data-citewell-open>Ask us</a>')
    page = visit(site.stranger)
    assert page.locator("citewell-chat").count() == 0
    assert len(page.warnings) == 1
    assert site.stranger in page.warnings[0] and "[widget]" in page.warnings[0]
    page.get_by_text("Ask us").click()
    expect(page).to_have_url(f"{site.stranger}/#own")


def test_the_chat_refuses_to_be_framed_by_a_site_that_is_not_listed(visit, chat, site):
    site.show("data:text/javascript,//", body=f'<iframe src="{chat}/?widget=1"></iframe>')
    allowed = visit(site.origin)
    expect(allowed.frame_locator("iframe").locator(".cw-talk")).to_be_attached()
    refused = visit(site.stranger)
    assert any("frame-ancestors" in error for error in refused.errors)
    assert refused.frame_locator("iframe").locator(".cw-talk").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", [{"viewport": {"width": 1280, "height": 800}}, PHONE])
def test_the_demonstration_page_is_in_reach_of_everyone(visit, chat, scheme, screen):
    page = visit(f"{chat}/demo", color_scheme=scheme, reduced_motion="reduce", **screen)
    expect(launch(page)).to_be_visible()
    closed = Axe().run(page)
    launch(page).click()
    inside(page)
    opened = Axe().run(page)
    for found in (closed, opened):
        assert found.violations_count == 0, found.generate_report()
    assert page.errors == []


@pytest.mark.parametrize("width", [320, 640, 1280])
def test_the_demonstration_page_never_scrolls_sideways(visit, chat, width):
    page = visit(f"{chat}/demo", viewport={"width": width, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_print_leaves_it_out(page):
    expect(launch(page)).to_be_visible()
    page.emulate_media(media="print")
    expect(launch(page)).to_be_hidden()
