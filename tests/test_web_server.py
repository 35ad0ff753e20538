"""What can be reached over HTTP, and what cannot."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from conftest import application
from pages import CUPS, MARKDOWN, indexed, pdf, word, write
from starlette.testclient import TestClient

from bot import notices
from bot.pipeline import Assistant
from bot.settings import Settings
from bot.web.server import require_free
from index.embed import FAKE_MODEL, HashEncoder
from index.errors import CitewellError
from index.retrieve import Retriever
from index.settings import IndexSettings

HEADERS = (
    "Content-Security-Policy",
    "Referrer-Policy",
    "X-Content-Type-Options",
    "Permissions-Policy",
)


@pytest.fixture(scope="module")
def client(web):
    with TestClient(web) as client:
        yield client


@pytest.fixture(scope="module")
def cited(assistant):
    return assistant.answer("does acupuncture help low back pain").citations[0]


def test_the_chat_page_is_served(client):
    answer = client.get("/")
    assert answer.status_code == 200
    assert "Ask Your clinic" in answer.text
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "http://" not in answer.headers["Content-Security-Policy"]


def test_health_is_told(client):
    assert (client.get("/healthz").status_code, client.get("/healthz").text) == (200, "ok")


@pytest.mark.parametrize("name", ["chat.css"])
def test_the_pages_own_files_are_served(client, name):
    assert client.get(f"/citewell/{name}").status_code == 200


def test_a_cited_page_is_shown_with_the_quote_marked(client, cited):
    page = cited.chunk.document
    answer = client.get(f"/pages/{page.id}?start={cited.start}&end={cited.end}")
    assert answer.status_code == 200
    assert f'<mark id="quote">{cited.quote}</mark>' in answer.text
    assert page.title in answer.text


def test_every_page_that_can_be_cited_can_be_read(client, assistant):
    for name in assistant.retriever.documents:
        assert client.get(f"/pages/{name}").status_code == 200


def test_the_file_behind_a_page_opens_as_it_is(tmp_path):
    pages = write(tmp_path / "pages", {"a.md": MARKDOWN, "cups.pdf": pdf(CUPS), "b.docx": word()})
    indexed(pages, tmp_path / "data")
    settings = Settings(index=IndexSettings(data=tmp_path / "data", model=FAKE_MODEL))
    own = Assistant(settings, Retriever(tmp_path / "data", HashEncoder(), settings.index))
    (tmp_path / "secret.pdf").write_bytes(b"%PDF-secret")
    with TestClient(application(own)) as client:
        names = {Path(name).suffix: name for name in own.retriever.documents}
        opened = client.get(f"/originals/{names['.pdf']}")
        assert opened.content == (tmp_path / "pages" / "cups.pdf").read_bytes()
        assert opened.headers["Content-Type"] == "application/pdf"
        assert opened.headers["Content-Disposition"].startswith("inline")
        docx = client.get(f"/originals/{names['.docx']}")
        assert docx.headers["Content-Disposition"].startswith("attachment")
        assert "default-src 'none'" in docx.headers["Content-Security-Policy"]
        assert "Open the original file" in client.get(f"/pages/{names['.pdf']}").text
        assert "Open the original file" not in client.get(f"/pages/{names['.md']}").text
        for path in (names[".md"], "secret.pdf", "../secret.pdf", "..%2fsecret.pdf"):
            assert client.get(f"/originals/{path}").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/pages/no/such/page.md",
        "/pages/",
        "/pages/../../etc/passwd",
        "/pages/..%2f..%2fetc%2fpasswd",
        "/pages/%2e%2e/%2e%2e/etc/passwd",
        "/pages//etc/passwd",
        "/citewell/../server.py",
        "/citewell/..%2fserver.py",
        "/citewell/%2e%2e/server.py",
        "/citewell//etc/passwd",
        "/static/../../../../etc/passwd",
        "/static/..%2f..%2f..%2fetc%2fpasswd",
        "/assets/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/svelte/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file/etc/passwd",
        "/gradio_api/file%3D/etc/passwd",
        "/file=/etc/passwd",
        "/file/etc/passwd",
        "//gradio_api/file=/etc/passwd",
        "/gradio_api/proxy=http://127.0.0.1:1/",
        "/proxy=http://127.0.0.1:1/",
        "/gradio_api/upload_progress",
        "/gradio_api/stream/a/b/c/playlist.m3u8",
        "/gradio_api/component_server",
        "/gradio_api/call/reply",
        "/gradio_api/mcp/sse",
        "/gradio_api/deep_link",
        "/monitoring",
        "/gradio_api/run/predict",
        "/login",
        "/docs",
        "/redoc",
        "/openapi.json",
        "/custom_component/a/client/component/index.js",
        "/.env",
        "/clinic.toml",
    ],
)
def test_nothing_else_can_be_read(client, path):
    answer = client.get(path)
    assert answer.status_code in {403, 404}
    assert "root:" not in answer.text and "def create_app" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/upload",
        "/upload",
        "/gradio_api/component_server",
        "/gradio_api/run/predict",
        "/gradio_api/api/predict",
        "/gradio_api/call/reply",
        "/gradio_api/launch_lite",
        "/login",
        "/gradio_api/vibe-edit/",
        "/gradio_api/undo-vibe-edit/",
    ],
)
def test_nothing_can_be_sent_elsewhere(client, path):
    sent = client.post(path, files={"files": ("a.txt", b"x")})
    assert sent.status_code in {404, 405}


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST"])
@pytest.mark.parametrize("path", ["/healthz", "/pages/x", "/citewell/chat.css"])
def test_what_is_for_reading_cannot_be_written(client, method, path):
    assert client.request(method, path).status_code in {404, 405}


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/healthz",
        "/pages/none",
        "/gradio_api/upload",
        "/citewell/chat.css",
        "/nowhere",
        "/config",
    ],
)
def test_every_response_has_the_headers_that_protect(client, path):
    headers = client.get(path).headers
    assert [name for name in HEADERS if name not in headers] == []
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    policy = headers["Content-Security-Policy"]
    assert "object-src 'none'" in policy and "frame-ancestors 'self'" in policy


@pytest.mark.parametrize("query", ["start=x", "start=1.5&end=2"])
def test_a_mark_that_is_no_number_is_a_bad_request_not_an_error(client, cited, query):
    assert client.get(f"/pages/{cited.chunk.document.id}?{query}").status_code == 422


@pytest.mark.parametrize("query", ["start=-5&end=-1", "start=9&end=2", f"start=0&end={10**30}"])
def test_a_mark_outside_the_page_shows_the_page(client, cited, query):
    answer = client.get(f"/pages/{cited.chunk.document.id}?{query}")
    assert answer.status_code == 200
    assert cited.chunk.document.title in answer.text


def test_gradio_holds_few_visits_in_memory(web):
    (held,) = [
        r.app.state_holder for r in web.routes if hasattr(getattr(r, "app", 0), "state_holder")
    ]
    for number in range(500):
        assert held[f"visit {number}"]
    assert len(held.session_data) == 200


def test_the_page_asks_nothing_of_another_host(client):
    for path in ("/", "/citewell/chat.css"):
        text = client.get(path).text
        assert "fonts.googleapis" not in text and "fonts.gstatic" not in text
        assert "cdnjs" not in text


def test_a_taken_port_is_told_and_a_free_one_is_not():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CitewellError, match=rf"127\.0\.0\.1:{port} .*--port"):
            require_free("127.0.0.1", port)
    require_free("127.0.0.1", port)


def test_what_breaks_anywhere_is_a_fixed_sentence_with_every_header(client, monkeypatch, caplog):
    def broken(*_, **__):
        raise RuntimeError("Xenophilius")

    monkeypatch.setattr("bot.web.view.page", broken)
    name = "corpus/treatments/cupping.md"
    said = client.get(f"/pages/{name}")
    assert (said.status_code, said.text) == (500, notices.ERROR)
    assert all(header in said.headers for header in HEADERS)
    assert "RuntimeError" in caplog.text
    assert "Xenophilius" not in caplog.text
