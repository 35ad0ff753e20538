"""Scripts in pages, titles, file names, questions, model output and feedback are shown as text."""

from __future__ import annotations

import json
from html import escape

import pytest
from browsing import ask, served
from conftest import application
from model_server import model_server
from pages import indexed, write
from playwright.sync_api import expect

from bot.generate import Writer, open_model
from bot.journal import Journal
from bot.pipeline import Assistant
from bot.settings import Clinic, ModelSettings, Privacy, Settings, Staff
from bot.web.staff import hash_password
from index.embed import FAKE_MODEL, HashEncoder
from index.retrieve import Retriever
from index.settings import CorpusSettings, IndexSettings

pytestmark = pytest.mark.browser

ATTACK = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"
PASSWORD = "correct horse"
WRITTEN = escape(ATTACK)  # in a page's text: bare tags are not text, and are taken off on reading
PAGE = f"""\
---
title: "Cupping {ATTACK}"
kind: treatment
aliases: [cups]
---
Cupping leaves round marks {WRITTEN} that fade within ten days.

## Does cupping hurt {WRITTEN}?

Cupping feels {WRITTEN} like a strong pull on the skin.
"""
MARKS = "does cupping leave marks?"


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    """An assistant over one page full of scripts, with a model that answers in scripts."""
    folder = tmp_path_factory.mktemp("hostile")
    written = write(folder / "pages", {"a<img src=x onerror=alert(1)>.md": PAGE})
    indexed(written, folder / "data")
    settings = Settings(
        clinic=Clinic(name=f"Clinic {ATTACK}"[:80], phone="555 0100", questions=(MARKS,)),
        corpus=CorpusSettings(folders=(folder / "pages",)),
        index=IndexSettings(data=folder / "data", model=FAKE_MODEL),
        staff=Staff(password_hash=hash_password(PASSWORD)),
        privacy=Privacy(keep_questions=True),
    )
    with model_server() as server:
        server.script = lambda reply: reply.say(
            json.dumps({"sentence": f"Cupping {ATTACK} cures all.", "quotes": []}) + "\n"
        )
        model = open_model(ModelSettings(name="openai:scripted", url=server.url, timeout_s=5))
        retriever = Retriever(settings.index.data, HashEncoder(), settings.index)
        yield Assistant(settings, retriever, Writer(model, timeout_s=5))


@pytest.fixture(scope="module")
def hostile(clinic):
    with served(application(clinic)) as url:
        yield url


@pytest.fixture
def page(browser, hostile):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(10_000)
    opened.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    yield opened
    context.close()


def harmless(page):
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x]").count() == 0


def test_in_pages_titles_and_questions(page, hostile):
    page.goto(hostile)
    page.locator("html[data-cw-started]").wait_for()
    harmless(page)
    answer = ask(page, f"{MARKS} {ATTACK}")
    expect(page.locator(".cw-you")).to_contain_text("<script>window.hacked")
    expect(answer).to_contain_text("<script>window.hacked")
    harmless(page)
    answer.locator(".cw-n").first.click()
    expect(page.locator(".cw-panel h2")).to_contain_text("<script>window.hacked")
    expect(page.locator(".cw-panel mark")).to_contain_text("<script>window.hacked")
    harmless(page)
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Open the whole page").click()
    expect(opened.value.locator("h1")).to_contain_text("<script>window.hacked")
    harmless(opened.value)
    page.reload()
    expect(page.locator(".cw-you")).to_contain_text("<script>window.hacked")
    harmless(page)


def log_in(page, hostile):
    page.goto(f"{hostile}/staff")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    # The login page has a heading too: only the way out says that one is in.
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def test_in_what_staff_see_of_questions_answers_and_a_model(page, hostile):
    log_in(page, hostile)
    page.get_by_label("Question", exact=True).fill(f"{MARKS} {ATTACK}")
    page.get_by_label("Question", exact=True).press("Enter")
    expect(page.get_by_role("heading", name="Passages found").first).to_be_visible()
    expect(page.locator("main")).to_contain_text("cures all")
    harmless(page)


def test_in_feedback_and_gaps(page, hostile, clinic):
    page.goto(hostile)
    page.locator("html[data-cw-started]").wait_for()
    ask(page, f"does red light therapy help scars {ATTACK}?")
    journal = Journal.open(clinic.settings.journal_url)
    assert any("<script>" in gap.words for gap in journal.gaps()), "kept as typed, as set"
    journal.close()
    rating = {"question": ATTACK, "helpful": False, "reason": "wrong", "kind": "answer",
              "pages": [ATTACK]}  # fmt: skip
    assert page.request.post(f"{hostile}/api/v1/feedback", data=rating).status == 204
    log_in(page, hostile)
    page.goto(f"{hostile}/staff/gaps")
    expect(page.locator("main")).to_contain_text("<script>window.hacked")
    harmless(page)


def test_in_names_of_files_and_titles_on_the_list_of_pages(page, hostile):
    log_in(page, hostile)
    page.goto(f"{hostile}/staff/pages")
    expect(page.locator("main")).to_contain_text("<script>window.hacked")
    expect(page.locator("main")).to_contain_text("<img src=x")
    harmless(page)
