"""What an attacker tries, and what holds: see SECURITY.md, which names these tests."""

from __future__ import annotations

import ast
import io
import re
import socket
import threading
import time
import zipfile
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import audit
import docx
import numpy as np
import pytest
from conftest import application
from pages import CUPS, HEEL, MARKDOWN, html_page, indexed, pdf, word, write
from staffing import console, password_hash
from starlette.routing import Route
from starlette.testclient import TestClient

from bot.pipeline import Assistant
from bot.settings import JournalSettings, Limits, Settings, Staff, Widget
from bot.uploads import UploadError, save, uploads
from index.embed import FAKE_MODEL, HashEncoder
from index.errors import PageError
from index.fetch import _SECRETS, Fetcher, _is_in, _is_public
from index.load import load
from index.read import read
from index.retrieve import Retriever
from index.settings import CorpusSettings, IndexSettings
from index.types import Document, Skipped

ROOT = Path(__file__).parent.parent
OURS = [ROOT / "app.py", *(p for d in ("bot", "index", "eval") for p in (ROOT / d).rglob("*.py"))]
ORIGIN = "https://clinic.example"


class Inside:
    """A server on loopback that must not be asked, and counts who does."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.redirect = ""
        self.drip = False
        self.closing = threading.Event()


@pytest.fixture
def inside() -> Iterator[tuple[Inside, int]]:
    made = Inside()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            made.asked.append(f"{self.headers['Host']}{self.path}")
            if made.drip:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
                while not made.closing.wait(0.02):
                    self.wfile.write(b"x")
                return
            self.send_response(302 if made.redirect else 200)
            self.send_header("Location", made.redirect)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html_page("Secret", f"{HEEL} And it is a secret.").encode())

        def log_message(self, *_):
            pass

        def handle(self):
            try:
                super().handle()
            except (BrokenPipeError, ConnectionResetError):
                pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made, server.server_port
        made.closing.set()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.1", "0", "0.0.0.0", "2130706433", "017700000001", "0x7f000001",
     "0x7f.0.0.1", "0177.0.0.1", "127.0.0.1.", "[::1]", "[::]", "[::ffff:127.0.0.1]",
     "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "LOCALHOST", "user@127.0.0.1",
     "clinic.example@127.0.0.1", "①②⑦.⓪.⓪.①"],
)  # fmt: skip
def test_a_host_inside_is_never_dialled_however_it_is_written(inside, host):
    server, port = inside
    with Fetcher(CorpusSettings(timeout_s=2)) as fetcher, pytest.raises(PageError):
        fetcher.get(f"http://{host}:{port}/latest/meta-data/")
    assert server.asked == []


@pytest.mark.parametrize("scheme", ["file", "ftp", "gopher", "dict", "unix", "data", "javascript"])
def test_no_other_scheme_is_fetched(inside, scheme):
    server, port = inside
    with Fetcher(CorpusSettings(allow_private_addresses=True)) as fetcher:
        with pytest.raises(PageError, match="is not an http or https address"):
            fetcher.get(f"{scheme}://127.0.0.1:{port}/")
    assert server.asked == []


@pytest.mark.parametrize(
    "address",
    ["fec0::1", "168.63.129.16", "100.100.100.200", "192.0.0.192", "192.88.99.1", "3fff::1",
     "5f00::1", "64:ff9b:1::a00:1", "::ffff:0:127.0.0.1", "::ffff:0:a00:1", "::ffff:224.0.0.1",
     "64:ff9b::e000:1", "2002:e000:1::", "fd00:ec2::254", "169.254.169.254", "2001:0:7f00:1::"],
)  # fmt: skip
def test_addresses_that_only_look_public_are_not(address):
    assert not _is_public(address) or _is_in(address, _SECRETS)


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "169.254.170.2", "fe80::a9fe:a9fe", "fd00:ec2::254", "100.100.100.200",
     "168.63.129.16", "192.0.0.192", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"],
)  # fmt: skip
def test_where_clouds_keep_keys_is_not_asked_even_where_private_addresses_are_allowed(
    monkeypatch, address
):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    answer = [(family, socket.SOCK_STREAM, 6, "", (address, 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)
    with Fetcher(CorpusSettings(allow_private_addresses=True, timeout_s=1)) as fetcher:
        with pytest.raises(PageError, match="never asked"):
            fetcher.get("http://metadata.example/")


def test_a_name_that_changes_its_address_is_resolved_once_and_dialled_there(inside, monkeypatch):
    server, port = inside
    asked, dialled = [], []

    def rebinding(host, *_, **__):
        asked.append(host)
        address = "93.184.216.34" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    def connect(address, *_, **__):
        dialled.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(socket, "create_connection", connect)
    with Fetcher(CorpusSettings(timeout_s=1)) as fetcher:
        with pytest.raises(PageError, match="cannot be reached"):
            fetcher.get(f"http://rebind.example:{port}/")
        assert (asked, dialled) == (["rebind.example"], ["93.184.216.34"])
        with pytest.raises(PageError, match="private or local"):
            fetcher.get(f"http://rebind.example:{port}/")
    assert server.asked == [] and dialled == ["93.184.216.34"]


def test_one_private_address_among_public_ones_is_enough_to_refuse(monkeypatch):
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, 80)) for a in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)
    with Fetcher(CorpusSettings()) as fetcher, pytest.raises(PageError, match="10.0.0.1"):
        fetcher.get("http://both.example/")


@pytest.mark.parametrize("path", ["", "robots.txt"])
def test_a_site_inside_cannot_send_us_to_another_server_inside(inside, path):
    server, port = inside
    other = Inside()

    class Other(BaseHTTPRequestHandler):
        def do_GET(self):
            other.asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as second:
        thread = threading.Thread(target=second.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        server.redirect = f"http://127.0.0.1:{second.server_port}/{path}"
        settings = CorpusSettings(allow_private_addresses=True, timeout_s=2)
        found = list(load([f"http://127.0.0.1:{port}/{path}"], settings))
        second.shutdown()
        thread.join()
    assert [type(one) for one in found] == [Skipped]
    assert "leads to another site" in found[0].reason
    assert server.asked and other.asked == []


def test_headers_that_drip_are_given_up_in_time(inside):
    server, port = inside
    server.drip = True
    begun = time.monotonic()
    with Fetcher(CorpusSettings(allow_private_addresses=True, timeout_s=0.5)) as fetcher:
        with pytest.raises(PageError, match="no answer within 0.5 s"):
            fetcher.get(f"http://127.0.0.1:{port}/")
    assert time.monotonic() - begun < 10


def test_a_link_out_of_the_corpus_is_no_page_and_one_within_is(tmp_path):
    (tmp_path / "secret.md").write_text("# Secret\n\nThe password is long.\n")
    pages = write(tmp_path / "pages", {"a.md": MARKDOWN})
    (pages / "out.md").symlink_to(tmp_path / "secret.md")
    (pages / "up.md").symlink_to("../secret.md")
    (pages / "within.md").symlink_to("a.md")
    (pages / "folder").symlink_to(tmp_path, target_is_directory=True)
    found = list(load([str(pages)], CorpusSettings()))
    skipped = {Path(one.name).name: one.reason for one in found if isinstance(one, Skipped)}
    assert skipped.keys() == {"out.md", "up.md"}
    assert all("link out of its folder" in reason for reason in skipped.values())
    texts = [one.text for one in found if isinstance(one, Document)]
    assert len(texts) == 2 and not any("password" in text for text in texts)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory) -> Iterator[TestClient]:
    """A clinic with a file of each kind, staff and a site that may frame the chat."""
    folder = tmp_path_factory.mktemp("clinic")
    pages = write(folder / "pages", {"a.md": MARKDOWN, "cups.pdf": pdf(CUPS), "b.docx": word()})
    indexed(pages, folder / "data")
    (folder / "secret.md").write_text("root: secret words")
    (folder / "clinic.toml").write_text("[staff]\npassword_hash = 'secret words'\n")
    settings = Settings(
        index=IndexSettings(data=folder / "data", model=FAKE_MODEL),
        journal=JournalSettings(url=f"sqlite:///{folder / 'journal.db'}"),
        limits=Limits(asks_per_minute=0, searches_per_minute=0, ratings_per_minute=0),
        staff=Staff(password_hash=password_hash(), report=folder / "report"),
        widget=Widget(origins=(ORIGIN,)),
    )  # fmt: skip
    own = Assistant(settings, Retriever(folder / "data", HashEncoder(), settings.index))
    with TestClient(application(own), raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize("folder", ["pages", "originals", "citewell", "api/v1/sources", "static"])
@pytest.mark.parametrize(
    "path",
    ["../secret.md", "..%2fsecret.md", "%2e%2e/secret.md", "%2e%2e%2fsecret.md",
     "..%252fsecret.md", "....//secret.md", "..\\secret.md", "..%5csecret.md", "a.md%00.pdf",
     "%00", "pages/../../secret.md", "pages/cups.pdf/../../secret.md", "/etc/passwd",
     "//etc/passwd", "%2fetc%2fpasswd", "../clinic.toml", "pages/../clinic.toml",
     "../data/current", "%c0%ae%c0%ae/secret.md", "pages/cups.pdf%00",
     "..;/secret.md", "file:///etc/passwd", "x" * 200],
)  # fmt: skip
def test_no_file_is_served_but_those_of_the_corpus(clinic, folder, path):
    answer = clinic.get(f"/{folder}/{path}")
    assert answer.status_code in {400, 403, 404}
    assert "secret words" not in answer.text and "root:" not in answer.text


def large_word(**parts: bytes) -> bytes:
    """Return a Word document whose parts are replaced, or added to."""
    made, out = io.BytesIO(), io.BytesIO()
    document = docx.Document()
    document.add_paragraph(CUPS)
    document.save(made)
    changed = {name.replace("__", "/").replace("_", "."): part for name, part in parts.items()}
    with zipfile.ZipFile(made) as source:
        kept = {name: source.read(name) for name in source.namelist()}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in (kept | changed).items():
            packed.writestr(name, content)
    return out.getvalue()


BOMB = large_word(word__document_xml=b"<w:p/>" * 5_000_000)
PICTURE = large_word(word__media__image1_png=b"\x89PNG" + b"\0" * 200_000_000)
HUGE_PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x06\0\0\0" + b"\0" * 64
)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.pdf", b"GIF89a not a pdf"), ("a.pdf", b"%PDF-1.7 and then nothing of one"),
        ("a.pdf", b"<html><script>alert(1)</script>"), ("a.pdf", HUGE_PNG), ("a.docx", HUGE_PNG),
        ("a.md", HUGE_PNG), ("a.png", HUGE_PNG), ("a.svg", b"<svg onload='alert(1)'/>"),
        ("a.docx", BOMB), ("a.docx", PICTURE), ("a.docx", b"PK\x05\x06" + b"\0" * 18),
        ("a.docx", pdf(CUPS)), ("a.txt", word()), ("a.html", b"\0<p>hi</p>"), ("a.zip", word()),
        ("a.md\0.png", b"# A\n\nB."), ("a.pdf.exe", pdf(CUPS)), ("a.yml", b"- a: b"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)  # fmt: skip
def test_an_upload_is_what_its_name_says_and_not_too_large(tmp_path, name, content):
    settings = Settings(index=IndexSettings(data=tmp_path))
    with pytest.raises(UploadError):
        save(settings, name, content)
    assert uploads(settings) == [] and not list(tmp_path.rglob("*.*"))


@pytest.mark.parametrize(
    "name", ["../../a.md", "/etc/a.md", "C:\\a.md", "..\\..\\a.md", "a/../../b/a.md", "\u2025/a.md"]
)
def test_a_name_with_a_path_in_it_stays_in_the_folder(tmp_path, name):
    settings = Settings(index=IndexSettings(data=tmp_path / "data"))
    kept = save(settings, name, b"# A page\n\nWith some words.\n")
    assert kept.parent == tmp_path / "data" / "uploads"
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [kept]


@pytest.mark.parametrize(
    ("suffix", "content"),
    [(".docx", BOMB), (".docx", PICTURE), (".md", b"---\ntitle: " + b"[" * 100_000 + b"\n---\nA."),
     (".md", b"---\n" + b"- " * 100_000 + b"a\n---\nA.")],
    ids=["text", "picture", "brackets", "dashes"],
)  # fmt: skip
def test_a_page_that_would_fill_the_memory_is_refused_by_the_reader_too(suffix, content):
    with pytest.raises(PageError, match="too large|levels deep"):
        read(content, name=f"a{suffix}", suffix=suffix)


def test_an_entity_of_a_document_is_not_looked_up(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret of this machine")
    made = large_word()
    with zipfile.ZipFile(io.BytesIO(made)) as parts:
        text = parts.read("word/document.xml").decode()
    outside = f'<!DOCTYPE x [<!ENTITY s SYSTEM "{secret.as_uri()}">]><w:document'
    text = text.replace("<w:document", outside, 1).replace(CUPS, f"{CUPS} &s;")
    try:
        page = read(large_word(word__document_xml=text.encode()), name="a.docx", suffix=".docx")
    except PageError:
        return
    assert "secret of this machine" not in page.text


def every_route(routes: Iterable[object]) -> Iterator[Route]:
    for route in routes:
        if isinstance(route, Route):
            yield route
        elif router := getattr(route, "original_router", None):
            yield from every_route(router.routes)


def staff_routes(client: TestClient) -> list[tuple[str, str]]:
    """Return every method and path under `/staff` that could change something."""
    return sorted(
        (method, re.sub(r"\{[^}]+\}", "1", route.path))
        for route in every_route(client.app.routes)  # type: ignore[attr-defined]
        if route.path.startswith("/staff")
        for method in (route.methods or set()) - {"GET", "HEAD"}
    )


@pytest.fixture
def staff(assistant, tmp_path):
    with console(assistant, tmp_path) as opened:
        yield opened


def test_every_way_to_change_something_wants_a_token_and_our_own_page(staff):
    staff.log_in()
    routes = staff_routes(staff.client)
    assert len({path for method, path in routes if method == "POST"}) >= 12
    own = staff.csrf
    for method, path in routes:
        if path == "/staff/login":
            continue
        for token in ({}, {"csrf": ""}, {"csrf": "wrong"}, {"csrf": own[:-1]}):
            sent = staff.client.request(method, path, data={"a": "b", **token})
            assert sent.status_code == 403, (method, path, token)
    for method, path in routes:
        for headers in (
            {"Origin": "https://evil.example"}, {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
        ):  # fmt: skip
            sent = staff.client.request(method, path, data={"csrf": own}, headers=headers)
            assert sent.status_code == 403, (method, path, headers)
    assert staff.get("/staff").status_code == 200


def test_reading_changes_nothing(staff):
    """A link or a picture on another site can only make a browser GET."""
    staff.log_in()
    before = (staff.journal.marks(), staff.journal.approved(), staff.journal.gaps())
    for method, path in staff_routes(staff.client):
        if method == "POST":
            assert staff.client.get(path).status_code in {200, 303, 404, 405, 422}, path
    assert (staff.journal.marks(), staff.journal.approved(), staff.journal.gaps()) == before


EVERYWHERE = [
    ("GET", "/", 200), ("GET", "/pages/pages/a.md", 200), ("GET", "/pages/none.md", 404),
    ("GET", "/pages/pages/a.md?start=x", 422), ("GET", "/originals/pages/cups.pdf", 200),
    ("GET", "/originals/none", 404), ("GET", "/healthz", 200), ("GET", "/readyz", 200),
    ("GET", "/citewell/chat.js", 200), ("GET", "/citewell/none.js", 404), ("GET", "/demo", 200),
    ("GET", "/widget.js", 200), ("GET", "/.env", 404), ("GET", "/config", 200),
    ("DELETE", "/healthz", 404), ("POST", "/api/v1/ask", 422), ("POST", "/api/v1/feedback", 422),
    ("GET", "/api/v1/ask", 404), ("GET", "/api/v1/sources/pages/a.md", 200),
    ("GET", "/staff", 303), ("GET", "/staff/login", 200), ("GET", "/staff/none", 303),
    ("PUT", "/staff", 303), ("POST", "/staff/login", 401), ("DELETE", "/staff/gaps/done", 303),
    ("POST", "/citewell/chat.js", 405), ("GET", "/metrics", 404), ("GET", "/robots.txt", 200),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "status"), EVERYWHERE, ids=lambda v: str(v))
def test_every_response_has_the_headers_that_protect(clinic, method, path, status):
    sent = {"data": {"password": "wrong"}} if path == "/staff/login" and method == "POST" else {}
    answer = clinic.request(method, path, follow_redirects=False, **sent)
    assert answer.status_code == status
    policy = answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] in ("no-referrer", "same-origin")
    framing = re.search(r"frame-ancestors ([^;]+)", policy)
    assert framing
    if path.startswith(("/staff", "/originals/pages", "/demo")):
        assert framing[1] == "'none'" and "unsafe" not in policy
    else:
        assert framing[1] == f"'self' {ORIGIN}"


def test_no_module_of_ours_can_run_what_a_file_holds():
    for path in OURS:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            heads = {name.split(".")[0] for name in names}
            assert not heads & {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"}, path
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in {"eval", "exec", "os.system", "torch.load"}, path
                given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert given.get("allow_pickle", "False") == "False", path
                assert given.get("shell", "False") == "False", path


def test_what_was_learnt_is_numbers_alone():
    with np.load(ROOT / "bot/alarm.npz", allow_pickle=False) as learnt:
        assert learnt.files and all(learnt[name].dtype.kind in "fiuU" for name in learnt.files)


def test_a_known_vulnerability_is_told_with_the_remedy():
    fault = {"id": "PYSEC-2026-1", "fix_versions": ["2.0"], "aliases": [], "description": ""}
    said = {"dependencies": [{"name": "leaky", "version": "1.0", "vulns": [fault]}]}
    found, reason = audit.judge(said)
    assert found == ["leaky 1.0: PYSEC-2026-1, mended in 2.0; raise it in constraints.txt"]
    assert reason == ""


@pytest.mark.parametrize(
    ("answers", "status", "line"),
    [
        ([(None, "cannot be reached")] * 2, 0, "could not be made (pypi: cannot be reached; osv:"),
        ([({"dependencies": [{"name": "a", "skip_reason": "no"}]}, ""), (None, "x")], 0,
         "pypi: knows 0 of 1 packages"),
        ([({"dependencies": [{"name": "a", "version": "1", "vulns": []}]}, "")], 0, ""),
        ([({"dependencies": [{"name": "a", "version": "1", "vulns": [
            {"id": "X-1", "fix_versions": []}]}]}, "")], 1, ""),
    ],
    ids=["unreachable", "knows none", "clean", "vulnerable"],
)  # fmt: skip
def test_no_network_is_no_failure_and_a_vulnerability_is_one(
    monkeypatch, capsys, answers, status, line
):
    left = iter(answers)
    monkeypatch.setattr(audit, "ask", lambda service: next(left))
    assert audit.main() == status
    out, err = capsys.readouterr()
    assert line in out and bool(out) is bool(line)
    assert ("X-1" in err) is bool(status)


def test_the_threat_model_names_tests_that_there_are():
    told = (ROOT / "SECURITY.md").read_text("utf-8")
    named = set(re.findall(r"tests/(\w+\.py)", told))
    assert {"test_security.py", "test_private_words.py", "test_web_staff_auth.py"} <= named
    for name in named:
        assert (ROOT / "tests" / name).is_file(), name
    everything = "".join(path.read_text("utf-8") for path in (ROOT / "tests").glob("test_*.py"))
    for test in re.findall(r"`(test_\w+)`", told):
        assert f"def {test}(" in everything, test
