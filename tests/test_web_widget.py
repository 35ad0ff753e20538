"""What the widget's script says over HTTP, who may frame the chat, and the demonstration page."""

from __future__ import annotations

import json
import re

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from bot.notices import AI_LABEL
from bot.settings import Clinic, Settings, Widget
from bot.web.widget import frame_ancestors, routes

MOST_BYTES = 15_000
"""Of everything a page with the widget loads before the chat is opened."""
CLINIC = Clinic(name="Riverside </script> & \u2028 Söhne", phone="+1 555 0100", hours="9 to 6")


def client(**said):
    app = FastAPI()
    app.include_router(routes(Settings(clinic=CLINIC, **said)))
    return TestClient(app)


def told(script):
    """Return the settings that the script was sent with."""
    return json.loads(re.search(r"^ *const settings = (\{.*?\});", script, re.MULTILINE)[1])


def test_the_script_may_be_loaded_by_any_page_and_kept_for_an_hour():
    answer = client().get("/widget.js")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert "Set-Cookie" not in answer.headers
    assert len(answer.content) < MOST_BYTES


def test_the_script_knows_the_clinic():
    widget = Widget(origins=("https://www.example.org",), label="Ask us", side="left")
    said = told(client(widget=widget).get("/widget.js").text)
    assert said == {
        "origins": ["https://www.example.org"],
        "label": "Ask us",
        "side": "left",
        "clinic": CLINIC.name,
        "ai": AI_LABEL,
        "contact": "Talk to a person",
        "hours": "9 to 6",
        "ways": [["+1 555 0100", "tel:+15550100"]],
    }


def test_nothing_secret_is_in_the_script():
    secret = {"model": {"key": "sk-secret"}, "staff": {"password_hash": "$argon2id$secret"}}
    assert "secret" not in client(**secret).get("/widget.js").text


@pytest.mark.parametrize(
    ("origins", "directive"),
    [
        ((), "frame-ancestors 'self'"),
        (
            ("https://www.example.org", "http://localhost:8080"),
            "frame-ancestors 'self' https://www.example.org http://localhost:8080",
        ),
        (
            ("https://WWW.Example.org", "https://www.example.org:443", "http://a.example:80"),
            "frame-ancestors 'self' https://www.example.org http://a.example",
        ),
        (("https://a.example:8443",), "frame-ancestors 'self' https://a.example:8443"),
    ],
)
def test_only_the_clinics_own_sites_may_frame_the_chat(origins, directive):
    settings = Settings(widget=Widget(origins=origins))
    assert frame_ancestors(settings) == directive
    assert (
        told(client(widget=settings.widget).get("/widget.js").text)["origins"]
        == (directive.split()[2:])
    )


@pytest.mark.parametrize("path", ["/", "/widget.js", "/demo", "/healthz"])
def test_theapplication_serves_it_and_says_who_may_frame_its_pages(web, path):
    answer = TestClient(web).get(path)
    assert answer.status_code == 200
    assert "frame-ancestors '" in answer.headers["Content-Security-Policy"]


def test_the_demonstration_page_is_marked_as_one_and_holds_a_strict_policy():
    answer = client().get("/demo")
    assert answer.status_code == 200
    assert '<meta name="robots" content="noindex">' in answer.text
    assert "demonstration page" in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert not re.search(r"\sstyle=|<style|\son\w+=|<script>", answer.text)
    assert "Riverside &lt;/script&gt; &amp;" in answer.text
