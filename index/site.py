"""A website -> its pages: by sitemap where there is one, else by following links on the host.

Obeys robots.txt. Never leaves the host of the address it was given, never asks for an address
twice, and stops at `corpus.max_pages`, so a site that loops ends with a report, not never.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator
from urllib.parse import urlsplit

import lxml.etree
from courlan import extract_links, normalize_url
from protego import Protego

from index.errors import PageError
from index.fetch import AGENT, Fetcher, Response, is_web_address
from index.read import read
from index.settings import CorpusSettings
from index.types import Document, Skipped

_SUFFIXES = {
    "text/html": ".html", "application/xhtml+xml": ".html", "application/pdf": ".pdf",
    "text/plain": ".txt", "text/markdown": ".md",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
}  # fmt: skip
_SITEMAP_LIMIT = 50
_SITEMAP_BYTES = 50_000_000  # unpacked; the protocol's own limit (sitemaps.org)


def load_site(url: str, settings: CorpusSettings) -> Iterator[Document | Skipped]:
    """Yield every page of the site at `url` (a page, a front page or a sitemap), or why not."""
    if not is_web_address(url):
        yield Skipped(url, "not an http or https address")
        return
    with Fetcher(settings) as fetcher:
        site = _Site(url, fetcher)
        try:
            site.read_robots()
        except PageError as error:
            yield Skipped(url, str(error))
            return
        if not site.allows(url):
            yield Skipped(url, "robots.txt does not allow it")
            return
        yield from _pages(site, settings.max_pages)


def _pages(site: _Site, limit: int) -> Iterator[Document | Skipped]:
    listed = site.sitemap_pages()
    queue, follow = deque(listed or [site.start]), not listed
    seen, texts, fetched = set(map(_canonical, queue)), set[str](), 0
    while queue:
        if fetched == limit:
            yield Skipped(
                site.start,
                f"stopped after corpus.max_pages = {limit} pages; {len(queue)} more were found",
            )
            return
        url = queue.popleft()
        fetched += 1
        document: Document | None = None
        response: Response | None = None
        try:
            if not site.allows(url):
                raise PageError("robots.txt does not allow it")
            response = site.fetch(url)
            document = _document(response)
        except PageError as error:
            yield Skipped(url, str(error))
        if document and document.text not in texts:
            texts.add(document.text)
            yield document
        if follow and response and response.type in ("text/html", "application/xhtml+xml"):
            for link in _links(response):
                if _canonical(link) not in seen:
                    seen.add(_canonical(link))
                    queue.append(link)


class _Site:
    """One host: what its robots.txt allows and what its sitemaps list."""

    def __init__(self, start: str, fetcher: Fetcher) -> None:
        self.start = start
        self._fetcher = fetcher
        self._robots = Protego.parse("")
        parts = urlsplit(start)
        self._host = parts.netloc
        self._root = f"{parts.scheme}://{parts.netloc}"

    def read_robots(self) -> None:
        """Read robots.txt; none (404) allows everything. Raises PageError for a dead host.

        A host that answers under its other name (with or without `www.`) is the same site.
        """
        response = self._fetcher.get(f"{self._root}/robots.txt", self._is_ours)
        answered = urlsplit(response.url)
        self._host = answered.netloc
        self._root = f"{answered.scheme}://{answered.netloc}"
        self.start = (
            urlsplit(self.start)._replace(scheme=answered.scheme, netloc=answered.netloc).geturl()
        )
        if response.status >= 500:  # RFC 9309, 2.3.1.4: unreachable means do not crawl
            raise PageError(f"robots.txt answered with status {response.status}")
        if response.status == 200:
            self._robots = Protego.parse(response.body.decode("utf-8", "replace"))

    def allows(self, url: str) -> bool:
        return bool(self._robots.can_fetch(url, AGENT))

    def _is_ours(self, url: str) -> bool:
        """Tell whether an address is of this site, with or without `www.`."""
        other = urlsplit(url).netloc.removeprefix("www.")
        return not is_web_address(url) or other == self._host.removeprefix("www.")

    def fetch(self, url: str) -> Response:
        response = self._fetcher.get(
            url, lambda at: not is_web_address(at) or _on_host(at, self._host)
        )
        if not self.allows(response.url):
            raise PageError("robots.txt does not allow it")
        if response.status != 200:
            raise PageError(f"answered with status {response.status}")
        return response

    def sitemap_pages(self) -> list[str]:
        """Return the addresses the site's sitemaps list on this host, under the start address."""
        if urlsplit(self.start).path.endswith((".xml", ".xml.gz")):
            return self._walk([self.start])
        if urlsplit(self.start).path.strip("/"):
            return []
        return self._walk(list(self._robots.sitemaps) or [f"{self._root}/sitemap.xml"])

    def _walk(self, maps: list[str]) -> list[str]:
        pages: dict[str, None] = {}
        queue, seen = deque(maps), set(maps)
        while queue and len(seen) <= _SITEMAP_LIMIT:
            address = queue.popleft()
            try:
                tree = _xml(self.fetch(address).body)
            except PageError:
                continue  # a site without a sitemap is followed by its links instead
            found = [(loc.text or "").strip() for loc in tree.iter("{*}loc")]
            if str(tree.tag).endswith("sitemapindex"):
                queue.extend(u for u in found if u not in seen)
                seen.update(found)
            else:
                pages |= {u: None for u in found if _on_host(u, self._host)}
        return list(pages)


def _xml(body: bytes) -> lxml.etree._Element:
    if body[:2] == b"\x1f\x8b":
        try:
            body = zlib.decompressobj(wbits=31).decompress(body, _SITEMAP_BYTES)
        except zlib.error:
            raise PageError("the sitemap is not a gzip file") from None
    parser = lxml.etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        return lxml.etree.fromstring(body, parser)
    except lxml.etree.XMLSyntaxError:
        raise PageError("the sitemap is not XML") from None


def _document(response: Response) -> Document:
    suffix = _SUFFIXES.get(response.type)
    if suffix is None:
        raise PageError(f"its type is {response.type or 'not given'}, which is no page")
    return read(response.body, name=_canonical(response.url), suffix=suffix, url=response.url)


def _links(response: Response) -> list[str]:
    page = response.body.decode("utf-8", "replace")
    found = extract_links(page, url=response.url, external_bool=False, no_filter=True)
    host = urlsplit(response.url).netloc
    return sorted(u for u in found if _on_host(u, host))


def _on_host(url: str, host: str) -> bool:
    return is_web_address(url) and urlsplit(url).netloc == host


def _canonical(url: str) -> str:
    return str(normalize_url(url.split("#")[0], strict=False)).rstrip("/")
