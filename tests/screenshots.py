"""Pictures of every view, by one command: `make screenshots`. Those in the README come from here.

Serves the shipped pages with the bundled model, a clinic that is made up and a staff password that
lasts as long as the run. Writes report/screenshots, and of these into bot/web/screenshots those
that the README shows.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from browsing import ARGUMENTS, ask, served  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from bot.journal import Journal  # noqa: E402
from bot.pipeline import Assistant  # noqa: E402
from bot.settings import Clinic, Settings, Staff, Widget  # noqa: E402
from bot.web.server import create_app  # noqa: E402
from bot.web.staff import hash_password  # noqa: E402
from index.build import build  # noqa: E402
from index.embed import open_encoder  # noqa: E402

OUT = ROOT / "report" / "screenshots"
SHOWN = ROOT / "bot" / "web" / "screenshots"
IN_README = ("source-wide", "chat-phone-dark", "widget-wide", "staff-try-wide")
PASSWORD = "only for these pictures"
BACK = "does acupuncture help low back pain?"
WIDE = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
UNANSWERED = (
    "does red light therapy help scars?", "is red light therapy good for hair loss?",
    "can you treat my cat?", "do you offer colon hydrotherapy?", "hypnosis to stop smoking?",
)  # fmt: skip


def main() -> None:
    """Make every picture anew."""
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.glob("*.png"):
        old.unlink()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        assistant, journal = _clinic(Path(folder))
        with served(create_app(assistant, journal)) as url:
            _chat(browser, url)
            _widget(browser, url)
            _staff(browser, url)
        browser.close()
    for name in IN_README:
        shutil.copy(OUT / f"{name}.png", SHOWN)


def _clinic(folder: Path) -> tuple[Assistant, Journal]:
    settings = Settings(
        clinic=Clinic(name="Riverside Acupuncture", phone="+1 555 0100"),
        widget=Widget(origins=("https://www.example.org",)),
        staff=Staff(password_hash=hash_password(PASSWORD), report=ROOT / "report"),
        index={"data": folder / "data"},
    )
    pages = [*map(str, settings.corpus.folders)]
    build(pages, settings.index.data, open_encoder(settings.index), settings.corpus, settings.index)
    assistant = Assistant.open(settings)
    assistant.warm()
    return assistant, Journal.open(settings.journal_url)


def _open(browser: Browser, url: str, **options: object) -> Page:
    context = browser.new_context(**{"viewport": WIDE, "reduced_motion": "reduce", **options})
    page = context.new_page()
    page.goto(url)
    return page


def _chat(browser: Browser, url: str) -> None:
    looks = {
        "wide": {}, "phone": {"viewport": PHONE}, "dark": {"color_scheme": "dark"},
        "phone-dark": {"viewport": PHONE, "color_scheme": "dark"},
    }  # fmt: skip
    for look, options in looks.items():
        page = _open(browser, url, **options)
        page.locator("html[data-cw-started]").wait_for()
        _shoot(page, f"first-{look}")
        answer = ask(page, BACK)
        page.locator(".cw-chip").first.wait_for()
        _shoot(page, f"chat-{look}")
        answer.locator(".cw-n").first.click()
        _shoot(page, f"source-{look}")
        page.keyboard.press("Escape")
        ask(page, "and is it safe in pregnancy?", count=2)
        ask(page, "sudden crushing pain in my chest and my left arm feels heavy", count=3)
        _shoot(page, f"emergency-{look}")
        page.context.close()
    page = _open(browser, url)
    page.locator("html[data-cw-started]").wait_for()
    for count, question in enumerate(UNANSWERED, 1):
        answer = ask(page, question, count=count)
    answer = ask(page, "what is cupping?", count=len(UNANSWERED) + 1)
    answer.get_by_role("button", name="Not helpful").click()
    answer.get_by_role("button", name="Something is missing").click()
    page.context.close()


def _widget(browser: Browser, url: str) -> None:
    for look, size in {"wide": WIDE, "phone": PHONE}.items():
        page = _open(browser, f"{url}/demo", viewport=size)
        button = page.get_by_role("button", name="Ask about treatments")
        button.wait_for()
        _shoot(page, f"widget-closed-{look}")
        button.click()
        frame = page.frame_locator("iframe")
        frame.locator("html[data-cw-started]").wait_for()
        frame.locator(".cw-box textarea").fill(BACK)
        frame.locator(".cw-box button").click()
        frame.locator(".cw-chip").first.wait_for()
        _shoot(page, f"widget-{look}")
        page.context.close()


def _staff(browser: Browser, url: str) -> None:
    looks = {"wide": {}, "phone-dark": {"viewport": PHONE, "color_scheme": "dark"}}
    for look, options in looks.items():
        page = _open(browser, f"{url}/staff", **options)
        _shoot(page, f"staff-login-{look}")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.get_by_label("Question", exact=True).fill(BACK)
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Passages found").first.wait_for()
        _shoot(page, f"staff-try-{look}", whole=True)
        for name in ("answers", "gaps", "pages", "report"):
            page.goto(f"{url}/staff/{name}")
            _shoot(page, f"staff-{name}-{look}", whole=name != "pages")
        page.context.close()


def _shoot(page: Page, name: str, *, whole: bool = False) -> None:
    page.screenshot(path=OUT / f"{name}.png", full_page=whole)


if __name__ == "__main__":
    main()
