"""A site becomes documents: politely, within its host, and never without end."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import pytest
from pages import CUPS, HEEL, html_page, pdf

from index.errors import PageError
from index.fetch import Fetcher, Response, _is_public, is_web_address
from index.load import load
from index.settings import CorpusSettings
from index.types import Document, Skipped

HTML = "text/html; charset=utf-8"


@dataclass
class Site:
    """What a loopback server answers: path -> (status, headers, body), else a function."""

    address: str = ""
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    otherwise: Callable[[str], str] | None = None
    asked: list[str] = field(default_factory=list)
    slow: set[str] = field(default_factory=set)
    closing: threading.Event = field(default_factory=threading.Event)

    def page(self, path: str, body: str | bytes, kind: str = HTML, status: int = 200) -> None:
        raw = body.encode() if isinstance(body, str) else body
        self.answers[path] = (status, {"Content-Type": kind}, raw)

    def redirect(self, path: str, to: str) -> None:
        self.answers[path] = (302, {"Location": to}, b"")

    def sitemap(self, path: str, *paths: str, index: bool = False, packed: bool = False) -> None:
        tag, item = ("sitemapindex", "sitemap") if index else ("urlset", "url")
        urls = (p if p.startswith("http") else self.address + p for p in paths)
        body = f'<{tag} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">' + "".join(
            f"<{item}><loc> {url} </loc></{item}>" for url in urls) + f"</{tag}>"  # fmt: skip
        raw = gzip.compress(body.encode()) if packed else body.encode()
        self.page(path, raw, "application/xml")

    def load(self, path: str = "/", **settings) -> tuple[dict[str, Document], dict[str, str]]:
        """Load the site: documents by path, and reasons by path of what was skipped."""
        options = {"allow_private_addresses": True, "timeout_s": 5} | settings
        documents, skipped = {}, {}
        for found in load([self.address + path], CorpusSettings(**options)):
            if isinstance(found, Skipped):
                skipped[found.name.removeprefix(self.address)] = found.reason
            else:
                documents[found.url.removeprefix(self.address)] = found
        return documents, skipped


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path = unquote(self.path)
            made.asked.append(path)
            if path in made.answers:
                status, headers, body = made.answers[path]
            elif made.otherwise and not path.endswith((".txt", ".xml")):
                status, headers, body = 200, {"Content-Type": HTML}, made.otherwise(path).encode()
            else:
                status, headers, body = 404, {}, b"nothing here"
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                if path in made.slow:  # one byte now and then, until the test is over
                    while not made.closing.wait(0.02):
                        self.wfile.write(b" ")
                self.wfile.write(body)
            except (BrokenPipeError, ConnectionResetError):
                pass

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.closing.set()
        server.shutdown()
        thread.join()


def words(about: str) -> str:
    return f"This page is about {about}. {HEEL} It eases once you have walked for a while."


class TestFollowingLinks:
    def test_pages_are_found_from_the_front_page_and_asked_for_once(self, site):
        site.page("/", html_page("Front", words("all"), ["/heel", "/cups#top", "/cups", "/"]))
        site.page("/heel", html_page("Heel", words("heels"), ["/", "/cups"]))
        site.page("/cups", html_page("Cups", words("cups"), ["/heel"]))
        documents, skipped = site.load()
        assert sorted(documents) == ["/", "/cups", "/heel"]
        assert skipped == {}
        assert HEEL in documents["/heel"].text
        assert documents["/heel"].title == "Heel"
        assert all(site.asked.count(path) == 1 for path in ("/", "/heel", "/cups"))

    def test_other_hosts_and_other_schemes_are_not_followed(self, site):
        elsewhere = ["http://localhost.invalid/x", "mailto:a@b.org", "javascript:go()", "http://["]
        site.page("/", html_page("Front", words("all"), [*elsewhere, "tel:+15550100"]))
        assert list(site.load()[0]) == ["/"]
        assert set(site.asked) == {"/robots.txt", "/sitemap.xml", "/"}

    def test_an_address_with_letters_beyond_ascii_is_fetched(self, site):
        site.page("/", html_page("Front", words("all"), ["/침술"]))
        site.page("/침술", html_page("Needles", words("needles")))
        documents, skipped = site.load()
        assert {document.title for document in documents.values()} == {"Front", "Needles"}
        assert skipped == {}

    def test_a_site_without_end_is_left_at_max_pages_with_a_word(self, site):
        def endless(path: str) -> str:
            number = int(path.rpartition("=")[2] or 0) if "=" in path else 0
            return html_page(f"Page {number}", words(f"day {number}"), [f"/?page={number + 1}"])

        site.otherwise = endless
        documents, skipped = site.load(max_pages=7)
        assert len(documents) == 7
        assert skipped == {"/": "stopped after corpus.max_pages = 7 pages; 1 more were found"}

    def test_the_same_page_under_two_addresses_is_kept_once(self, site):
        site.page("/", html_page("Front", words("all"), ["/a", "/b", "/a/"]))
        for path in ("/a", "/b", "/a/"):
            site.page(path, html_page("Heel", words("heels")))
        documents, skipped = site.load()
        assert sorted(page.title for page in documents.values()) == ["Front", "Heel"]
        assert skipped == {}

    def test_pdf_and_markdown_pages_are_read_by_their_type(self, site):
        site.page("/", html_page("Front", words("all"), ["/leaflet", "/note"]))
        site.page("/leaflet", pdf(HEEL), "application/pdf")
        site.page("/note", f"# Cups\n\n{CUPS}\n", "text/markdown; charset=utf-8")
        documents, _ = site.load()
        assert HEEL in documents["/leaflet"].text
        assert documents["/note"].text == f"# Cups\n\n{CUPS}"


class TestSitemaps:
    def test_the_pages_it_lists_are_loaded_and_links_are_not_followed(self, site):
        site.sitemap("/sitemap.xml", "/heel", "http://other.invalid/x", "http://[", "/cups")
        site.page("/heel", html_page("Heel", words("heels"), ["/hidden"]))
        site.page("/cups", html_page("Cups", words("cups")))
        documents, skipped = site.load()
        assert (list(documents), skipped) == (["/heel", "/cups"], {})
        assert "/hidden" not in site.asked

    def test_an_index_of_packed_sitemaps_is_walked_once_though_it_names_itself(self, site):
        site.sitemap("/sitemap.xml", "/one.xml.gz", "/two.xml", "/sitemap.xml", index=True)
        site.sitemap("/one.xml.gz", "/heel", packed=True)
        site.sitemap("/two.xml", "/cups", "/heel")
        site.page("/heel", html_page("Heel", words("heels")))
        site.page("/cups", html_page("Cups", words("cups")))
        assert sorted(site.load()[0]) == ["/cups", "/heel"]
        assert site.asked.count("/sitemap.xml") == site.asked.count("/heel") == 1

    def test_the_one_robots_txt_names_is_used(self, site):
        site.page("/robots.txt", f"Sitemap: {site.address}/map.xml\n", "text/plain")
        site.sitemap("/map.xml", "/heel")
        site.page("/heel", html_page("Heel", words("heels")))
        assert list(site.load()[0]) == ["/heel"]

    def test_one_given_as_the_address_is_used(self, site):
        site.sitemap("/maps/all.xml", "/heel")
        site.page("/heel", html_page("Heel", words("heels")))
        assert list(site.load("/maps/all.xml")[0]) == ["/heel"]

    @pytest.mark.parametrize("body", [b"", b"<not xml", b"\x1f\x8b broken", b"<html><p/></html>"])
    def test_a_broken_one_gives_way_to_links(self, site, body):
        site.page("/sitemap.xml", body, "application/xml")
        site.page("/", html_page("Front", words("all")))
        assert list(site.load()[0]) == ["/"]

    def test_max_pages_holds_and_the_rest_is_counted(self, site):
        site.sitemap("/sitemap.xml", *(f"/{n}" for n in range(9)))
        site.otherwise = lambda path: html_page(path, words(path))
        documents, skipped = site.load(max_pages=4)
        assert len(documents) == 4
        assert skipped == {"/": "stopped after corpus.max_pages = 4 pages; 5 more were found"}


class TestRobots:
    def test_what_it_forbids_is_not_asked_for(self, site):
        site.page("/robots.txt", "User-agent: *\nDisallow: /private\n", "text/plain")
        site.page("/", html_page("Front", words("all"), ["/private/x", "/open", "/back"]))
        site.page("/open", html_page("Open", words("open things")))
        site.redirect("/back", "/private/y")
        site.page("/private/y", html_page("Secret", words("secrets")))
        documents, skipped = site.load()
        assert sorted(documents) == ["/", "/open"]
        assert skipped == dict.fromkeys(("/private/x", "/back"), "robots.txt does not allow it")
        assert "/private/x" not in site.asked

    @pytest.mark.parametrize("agent", ["*", "citewell"])
    def test_a_site_that_forbids_everything_is_left(self, site, agent):
        site.page("/robots.txt", f"User-agent: {agent}\nDisallow: /\n", "text/plain")
        site.page("/", html_page("Front", words("all")))
        assert site.load() == ({}, {"/": "robots.txt does not allow it"})
        assert site.asked == ["/robots.txt"]

    def test_one_for_other_agents_does_not_count(self, site):
        site.page("/robots.txt", "User-agent: otherbot\nDisallow: /\n", "text/plain")
        site.page("/", html_page("Front", words("all")))
        assert list(site.load()[0]) == ["/"]

    def test_one_that_fails_means_do_not_crawl(self, site):
        site.page("/robots.txt", "oh", status=503)
        assert site.load() == ({}, {"/": "robots.txt answered with status 503"})


class TestFaults:
    @pytest.mark.parametrize(
        ("fault", "reason"),
        [
            (lambda s: s.page("/x", "gone", status=404), "answered with status 404"),
            (lambda s: s.page("/x", "oh", status=500), "answered with status 500"),
            (lambda s: s.page("/x", b"\x89PNG", "image/png"), "its type is image/png, which is no"),
            (lambda s: s.page("/x", b"x", ""), "its type is not given, which is no page"),
            (lambda s: s.page("/x", b"", HTML), "the file is empty"),
            (lambda s: s.page("/x", b"%PDF-1.4 no", "application/pdf"), "the PDF is malformed"),
            (lambda s: s.redirect("/x", "/x"), "redirected more than 5 times"),
            (lambda s: s.redirect("/x", "http://["), "redirected to 'http://[', which is no addr"),
            (lambda s: s.redirect("/x", "ftp://127.0.0.1/"), "'ftp://127.0.0.1/' is not an http"),
            (lambda s: s.redirect("/x", s.address.replace("127.0.0.1", "localhost") + "/"),
             "leads to another site (localhost:"),
            (lambda s: s.page("/x", "x" * 200_000), "larger than corpus.max_file_mb = 0.1"),
        ],
        ids=["404", "500", "type", "no-type", "empty", "pdf", "loop", "no-address", "ftp",
             "other-host", "large"],
    )  # fmt: skip
    def test_one_bad_page_is_named_and_the_rest_is_loaded(self, site, fault, reason):
        site.page("/", html_page("Front", words("all"), ["/x", "/good"]))
        site.page("/good", html_page("Good", words("good things")))
        fault(site)
        documents, skipped = site.load(max_file_mb=0.1)
        assert {"/", "/good"} <= documents.keys() and "/x" not in documents
        assert list(skipped) == ["/x"]
        assert skipped["/x"].startswith(reason)

    def test_a_redirect_on_the_host_is_followed_to_the_page(self, site):
        site.page("/", html_page("Front", words("all"), ["/old"]))
        site.redirect("/old", "new")
        site.page("/new", html_page("New", words("new things")))
        assert sorted(site.load()[0]) == ["/", "/new"]

    def test_a_body_that_drips_is_given_up(self, site):
        site.page("/", html_page("Front", words("all"), ["/drip"]))
        site.page("/drip", "")
        site.slow.add("/drip")
        documents, skipped = site.load(timeout_s=0.3)
        assert list(documents) == ["/"]
        assert skipped == {"/drip": "took longer than 0.3 s"}

    def test_a_dead_port_is_told_once(self, site):
        site.address = "http://127.0.0.1:9"
        documents, skipped = site.load()
        assert documents == {}
        assert skipped["/"].startswith("cannot be reached (")

    @pytest.mark.parametrize(
        "address", ["http://[bad", "http://127.0.0.1:99999/", "http:///x", "https://"]
    )
    def test_what_is_no_address_is_told(self, address):
        assert list(load([address], CorpusSettings())) == [
            Skipped(address, "not an http or https address")
        ]


class TestPrivateAddresses:
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433"])
    def test_are_refused_by_default_with_the_setting_named(self, site, host):
        site.address = site.address.replace("127.0.0.1", host)
        documents, skipped = site.load(allow_private_addresses=False)
        assert documents == {}
        assert "is a private or local address (" in skipped["/"]
        assert skipped["/"].endswith("to index it, set corpus.allow_private_addresses = true")
        assert site.asked == []

    def test_are_refused_at_a_redirect_too(self, site, monkeypatch):
        with Fetcher(CorpusSettings()) as fetcher:
            inside = "http://169.254.169.254/latest/meta-data/"
            redirect = (Response("https://clinic.example/", 302, "", b""), inside)
            ask = fetcher._once
            monkeypatch.setattr(
                fetcher, "_once",
                lambda url: redirect if url == "https://clinic.example/" else ask(url),
            )  # fmt: skip
            with pytest.raises(PageError, match="169.254.169.254 is a private or local address"):
                fetcher.get("https://clinic.example/")

    @pytest.mark.parametrize(
        "address",
        ["8.8.8.8", "93.184.216.34", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808",
         "2002:808:808::1"],
    )  # fmt: skip
    def test_public(self, address):
        assert _is_public(address)

    @pytest.mark.parametrize(
        "address",
        ["127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
         "100.64.0.1", "0.0.0.0", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1",
         "198.18.0.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1",
         "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
         "::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1", "2002:7f00:1::", "2002:a00:1::"],
    )  # fmt: skip
    def test_not_public(self, address):
        assert not _is_public(address)


@pytest.mark.parametrize(
    ("address", "web"),
    [
        ("https://clinic.example/a?b#c", True), ("http://[::1]:80/", True), ("HTTP://X", True),
        ("http://x:70000/", False), ("http://x:abc/", False), ("http://x:0/", False),
        ("ftp://x/", False), ("file:///etc/passwd", False), ("http://", False), ("/a", False),
        ("http://[", False),
    ],
)  # fmt: skip
def test_is_web_address(address, web):
    assert is_web_address(address) is web
