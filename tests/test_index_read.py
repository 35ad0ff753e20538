"""Each format becomes the same plain text; what cannot be read says why."""

from __future__ import annotations

import io
import random
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import HEEL, HTML, MARKDOWN, SCRAPED, WRAPPED, pdf, word

from index.errors import PageError
from index.read import READERS, read
from index.types import Document


def page(raw: str | bytes, suffix: str, name: str = "heel-pain") -> Document:
    raw = raw.encode() if isinstance(raw, str) else raw
    return read(raw, name=name + suffix, suffix=suffix)


def reason(raw: str | bytes, suffix: str) -> str:
    with pytest.raises(PageError) as caught:
        page(raw, suffix)
    return str(caught.value)


class TestMarkdown:
    def test_becomes_headings_items_and_paragraphs_without_markup(self):
        assert page(MARKDOWN, ".md").text == (
            "The heel hurts most with the first steps of the morning.\n\n"
            "## What helps?\n\n"
            "Stretching helps many people. Ask us how.\n\n"
            "- Rest the foot for a week.\n"
            "- Wear soft shoes.\n"
            "- Measure: Pain; Change: 2 points less\n"
            "- Measure: Walking; Change: 10 minutes more"
        )

    def test_front_matter_fills_the_record(self):
        found = page(MARKDOWN, ".md")
        assert (found.title, found.kind, found.evidence) == ("Heel pain", "condition", "moderate")
        assert (found.reviewed, found.lang) == ("2026-03-01", "en")
        assert found.aliases == ("plantar fasciitis", "heel spur")
        assert [source.link for source in found.sources] == [
            "https://doi.org/10.1000/heel.1", "https://pubmed.ncbi.nlm.nih.gov/12345678/",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("sentence", "keys"),
        [
            ("The heel hurts most with the first steps of the morning.", ["lane2020"]),
            ("Stretching helps many people.", ["moss2021", "lane2020"]),
            ("Ask us how.", []),
            ("Rest the foot for a week.", []),
            ("Wear soft shoes.", ["moss2021"]),
        ],
    )
    def test_a_sentence_knows_the_sources_marked_in_it(self, sentence, keys):
        found = page(MARKDOWN, ".md")
        start = found.text.index(sentence)
        sources = found.sources_of(start, start + len(sentence))
        assert [source.key for source in sources] == keys

    def test_a_page_without_front_matter_is_titled_by_its_heading(self):
        found = page("# Cupping marks\n\nThey fade.\n", ".md")
        assert (found.title, found.kind, found.text) == (
            "Cupping marks", "page", "# Cupping marks\n\nThey fade.",
        )  # fmt: skip

    def test_without_any_heading_the_file_names_the_page(self):
        assert page("They fade.\n", ".md", "cupping-marks").title == "Cupping marks"

    def test_windows_line_ends_and_a_byte_order_mark_change_nothing(self):
        windows = b"\xef\xbb\xbf" + MARKDOWN.replace("\n", "\r\n").encode()
        assert page(windows, ".md") == page(MARKDOWN, ".md")

    def test_html_comments_and_images_are_left_out(self):
        found = page("One <b>bold</b> word. ![a photo](x.png)\n\n<!-- hidden -->\n", ".md")
        assert found.text == "One bold word."

    @pytest.mark.parametrize(
        ("front", "message"),
        [
            ("title: x\nauthor: me", "line 3: front matter has an unknown key 'author'; known: "),
            ("title: x\nkind: advert", "line 3: front matter kind = 'advert': "),
            ("evidence: great\ntitle: x", "line 2: front matter evidence = 'great': "),
            ("title: x\nreviewed: soon", "line 3: front matter reviewed = 'soon': "),
            ("title: [x", "line 3: front matter is not YAML: "),
            ("title: x\n  y: z: 1", "line 3: front matter is not YAML: "),
            ("just words", "line 2: front matter must be 'key: value' lines"),
            ("sources:\n  - key: a\n    title: t", "source 'a' has no doi, pmid or url: add one"),
            ("sources:\n  - {key: a, title: t, pmid: 1}\n  - {key: a, title: u, pmid: 2}",
             "line 2: front matter sources: two sources have the key a"),
            ("sources:\n  - {key: a, title: t, doi: nonsense}", "front matter sources.0.doi"),
        ],
    )  # fmt: skip
    def test_wrong_front_matter_is_named_by_line_and_key(self, front, message):
        assert message in reason(f"---\n{front}\n---\nWords.\n", ".md")

    def test_front_matter_that_never_closes_is_told(self):
        expected = "line 1: front matter opens with '---' and never closes"
        assert reason("---\ntitle: x\n\nWords.\n", ".md") == expected

    def test_a_marker_without_a_source_is_named_with_its_line(self):
        broken = MARKDOWN.replace("Ask us how.", "Ask us how [@nobody1999].")
        line = broken[: broken.index("[@nobody1999]")].count("\n") + 1
        assert reason(broken, ".md") == (
            f"line {line}: [@nobody1999] names no source of this page's front matter"
        )


class TestHtml:
    def test_keeps_content_lists_and_tables(self):
        found = page(HTML, ".html")
        for kept in (
            HEEL, "\n\n## What helps\n\n", "- Rest the foot for a week.\n- Stretch the calf",
            "- Measure: Pain; Change: 2 points less", "Call us when the heel is red or hot",
        ):  # fmt: skip
            assert kept in found.text

    @pytest.mark.parametrize("gone", ["Home", "Contact", "cookies", "neighbour", "Comments", "©"])
    def test_drops_what_stands_around_the_page(self, gone):
        assert gone not in page(HTML, ".html").text

    def test_takes_title_and_language_from_the_page(self):
        found = page(HTML.replace('lang="en"', 'lang="es-MX"'), ".html")
        assert (found.title, found.lang) == ("Heel pain in the morning", "es")

    def test_reads_the_encoding_it_declares(self):
        declared = HTML.replace("<title>", '<meta charset="iso-8859-1"><title>')
        raw = declared.replace("Rest the foot", "Reposez à l'étage").encode("latin-1")
        found = page(raw, ".html")
        assert "Reposez à l'étage for a week." in found.text

    def test_text_without_a_tag_is_not_html(self):
        assert reason("only words", ".html") == "the file has no HTML in it"

    def test_a_handle_in_brackets_is_no_missing_source(self):
        found = page(HTML.replace("red or hot", "red [@roe] or hot"), ".html")
        assert "when the heel is red or hot" in found.text


class TestPdf:
    def test_keeps_headings_and_text(self):
        found = page(pdf(f"What hurts\n{HEEL}"), ".pdf")
        assert HEEL in found.text
        assert "# What hurts" in found.text

    def test_takes_the_title_of_its_metadata(self):
        assert page(pdf(HEEL, title="Heel leaflet"), ".pdf").title == "Heel leaflet"

    def test_drops_running_heads_and_page_numbers(self):
        sentences = ("The heel hurts.", "The calf is tight.", "The arch is sore.", "Rest helps.")
        found = page(pdf(*sentences, head="Roe Needle Clinic, leaflet 7", foot=True), ".pdf")
        assert "leaflet" not in found.text
        assert "Page" not in found.text
        assert all(sentence in found.text for sentence in sentences)

    def test_joins_a_word_divided_at_the_line_end(self):
        assert "the acupuncture needle" in page(pdf("Then the acu-\npuncture needle."), ".pdf").text

    def test_one_without_text_asks_for_text_recognition(self):
        assert "no text in it (a scan?)" in reason(pdf("", ""), ".pdf")

    def test_an_encrypted_one_asks_to_be_saved_without_a_password(self):
        locked = pdf(HEEL, password="secret")
        assert reason(locked, ".pdf") == "the PDF is encrypted; save it without a password"

    @pytest.mark.parametrize("raw", [b"%PDF-1.7 and no more", b"\x00\x01\x02 not one at all"])
    def test_a_malformed_one_is_told(self, raw):
        assert reason(raw, ".pdf") == "the PDF is malformed and cannot be opened"


class TestDocx:
    def test_keeps_headings_lists_and_tables(self):
        assert page(word(), ".docx").text == (
            f"# Heel pain\n\n{HEEL}\n\n## What helps\n\n"
            "- Rest the foot for a week.\n- Stretch the calf twice a day.\n"
            "- Measure: Pain; Change: 2 less"
        )

    def test_is_titled_by_its_properties_else_by_its_heading(self):
        assert page(word(title="Leaflet"), ".docx").title == "Leaflet"
        assert page(word(), ".docx").title == "Heel pain"

    def test_an_old_or_encrypted_document_is_told_apart(self):
        raw = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512)
        assert "encrypted or in the old .doc format" in reason(raw, ".docx")

    def test_a_malformed_one_is_told(self):
        other_zip = io.BytesIO()
        with zipfile.ZipFile(other_zip, "w") as archive:
            archive.writestr("hello.txt", "no document")
        for raw in (b"no zip", word()[:2000], other_zip.getvalue()):
            assert reason(raw, ".docx") == "the document is malformed and cannot be opened"


class TestText:
    def test_scraped_text_keeps_the_page_and_drops_what_stands_around_it(self):
        assert page(SCRAPED, ".txt").text == (
            "## Heel pain in the morning\n\n"
            f"{HEEL} It eases once you have walked for a while.\n\n"
            "## What helps\n\n"
            "- Rest the foot for a week\n- Stretch the calf twice a day\n"
            "- Wear soft shoes indoors\n\n"
            "## When to call us\n\n"
            "Call us when the heel is red or hot, or when you cannot stand on it."
        )

    def test_hard_wrapped_lines_become_paragraphs(self):
        assert page(WRAPPED, ".txt").text == (
            "# Frozen shoulder\n\n"
            "A frozen shoulder stiffens over some months and then loosens again, which may take up "
            "to three years. Most people do not need an operation, and gentle movement within "
            "comfort is safe at every stage.\n\n"
            "## What you can do\n\n"
            "- Keep moving the arm within comfort, for example by drawing circles with the hand "
            "hanging down.\n- Use heat before you stretch."
        )

    def test_a_heading_right_above_a_wrapped_paragraph_is_told_from_its_first_line(self):
        raw = WRAPPED.replace("\n\n", "\n").replace("\n- ", "\n\n- ")
        assert [line for line in page(raw, ".txt").text.split("\n") if line.startswith("#")] == [
            "# Frozen shoulder", "## What you can do",
        ]  # fmt: skip

    def test_utf_16_with_its_mark_is_read(self):
        assert page("Größe zählt nicht.".encode("utf-16"), ".txt").text == "Größe zählt nicht."


@pytest.mark.parametrize("suffix", sorted(READERS))
@pytest.mark.parametrize("raw", [b"", b"  \n\n\t "])
def test_an_empty_file_is_told(suffix, raw):
    assert reason(raw, suffix) == "the file is empty"


@pytest.mark.parametrize("suffix", [".md", ".txt", ".html"])
@pytest.mark.parametrize("raw", [b"abc\x00def", bytes(range(256)) * 8, b"\x89PNG\r\n\x00"])
def test_a_binary_file_is_told(suffix, raw):
    assert reason(raw, suffix) == "the file is binary, not text"


@pytest.mark.parametrize("suffix", [".md", ".txt", ".html"])
def test_another_encoding_is_named_by_line_and_byte(suffix):
    raw = "<p>One.</p>\n<p>Two.</p>\n<p>caf\u00e9</p>\n".encode("latin-1")
    assert reason(raw, suffix) == "line 3: byte 0xe9 is not UTF-8; save the file as UTF-8"


@pytest.mark.parametrize(
    ("raw", "suffix"),
    [
        ("---\ntitle: x\n---\n", ".md"),
        ("# Only a heading\n", ".md"),
        ("![photo](x.png)\n", ".md"),
        ("* * *\n. . .\n", ".txt"),
        ("Home\nBlog\nContact\n© 2024 Roe. All rights reserved.\n", ".txt"),
        ("<html><body><script>go()</script></body></html>", ".html"),
    ],
)
def test_a_page_without_text_is_told(raw, suffix):
    assert reason(raw, suffix) == "no text was found on the page"


SAMPLES = {
    ".md": MARKDOWN.encode(), ".txt": SCRAPED.encode(), ".html": HTML.encode(),
    ".pdf": pdf(HEEL, HEEL), ".docx": word(),
}  # fmt: skip


@pytest.mark.parametrize("suffix", SAMPLES)
def test_damage_anywhere_is_a_page_error_or_a_page_never_a_crash(suffix):
    dice = random.Random(7)
    for _ in range(60):
        raw = bytearray(SAMPLES[suffix])
        if dice.random() < 0.3:
            raw = raw[: dice.randrange(len(raw))]
        for _ in range(dice.choice((1, 3, 20)) if raw else 0):
            raw[dice.randrange(len(raw))] = dice.randrange(256)
        try:
            assert page(bytes(raw), suffix).text
        except PageError as error:
            assert str(error)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=400))
def test_any_text_becomes_a_page_or_a_page_error(words):
    for suffix in (".txt", ".md"):
        try:
            found = page(words.encode(), suffix)
        except PageError:
            continue
        assert found.title
        assert found.text == found.text.strip()


def test_a_document_that_unpacks_to_very_much_is_refused_unread():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as parts:
        with parts.open("word/document.xml", "w", force_zip64=True) as part:
            for _ in range(210):
                part.write(bytes(1_000_000))
    assert "unpacks to 210 MB: too large" in reason(packed.getvalue(), ".docx")


def test_a_document_with_a_part_the_library_cannot_take_is_refused_not_a_crash():
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(word())) as whole, zipfile.ZipFile(packed, "w") as parts:
        for part in whole.infolist():
            foreign = part.filename == "docProps/core.xml"
            parts.writestr(part.filename, b"<other/>" if foreign else whole.read(part))
    assert "malformed" in reason(packed.getvalue(), ".docx")
