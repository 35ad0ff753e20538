"""A folder becomes documents; what cannot be read is named, and the rest is loaded."""

from __future__ import annotations

import os
import socket

import pytest
from pages import HEEL, HTML, MARKDOWN, SCRAPED, loaded, pdf, word, write

from index.load import fingerprint, load, load_glossaries
from index.settings import CorpusSettings
from index.types import Skipped

SETTINGS = CorpusSettings()


def test_every_format_in_a_folder_is_loaded_in_a_stable_order(tmp_path):
    folder = write(tmp_path / "pages", {
        "b.html": HTML, "a.md": MARKDOWN, "deep/c.txt": SCRAPED, "d.pdf": pdf(HEEL),
        "e.docx": word(), "F.MD": MARKDOWN,
    })  # fmt: skip
    found = list(load([str(folder)], SETTINGS))
    assert [document.id for document in found] == [
        "pages/F.MD", "pages/a.md", "pages/b.html", "pages/d.pdf", "pages/e.docx",
        "pages/deep/c.txt",
    ]  # fmt: skip
    assert all(HEEL in document.text for document in found)


def test_an_id_does_not_depend_on_where_the_folder_lies(tmp_path):
    here = write(tmp_path / "here" / "pages", {"a.md": MARKDOWN})
    there = write(tmp_path / "there" / "pages", {"a.md": MARKDOWN})
    (one,), (two,) = (list(load([str(folder)], SETTINGS)) for folder in (here, there))
    assert one.id == two.id == "pages/a.md"
    assert one.path != two.path


def test_bad_files_are_named_with_the_reason_and_the_rest_is_loaded(tmp_path):
    bad = {
        "empty.md": (b"", "the file is empty"),
        "binary.txt": (b"\x7fELF\x00\x01", "the file is binary, not text"),
        "latin.md": ("One\ncaf\u00e9".encode("latin-1"), "line 2: byte 0xe9 is not UTF-8; save"),
        "locked.pdf": (pdf(HEEL, password="x"), "the PDF is encrypted"),
        "scan.pdf": (pdf(""), "the PDF has no text in it"),
        "broken.pdf": (b"%PDF-1.4 oh no", "the PDF is malformed"),
        "broken.docx": (b"PK\x03\x04 oh no", "the document is malformed"),
        "front.md": (b"---\ntitel: x\n---\nWords.", "line 2: front matter has an unknown key"),
        "photo.tiff": (b"II*\x00", "'.tiff' is no type of page; types read: .docx .htm .html"),
        "Makefile": (b"all:\n", "'Makefile' is no type of page"),
        "heads.md": (b"# One\n\n## Two\n", "no text was found on the page"),
    }  # fmt: skip
    folder = write(tmp_path, {name: raw for name, (raw, _) in bad.items()} | {"good.md": MARKDOWN})
    (folder / "gone.md").symlink_to("nowhere.md")
    documents, skipped = loaded(folder)
    assert list(documents) == ["good.md"]
    assert skipped.keys() == bad.keys() | {"gone.md"}
    for name, (_, expected) in bad.items():
        assert skipped[name].startswith(expected), name
    assert skipped["gone.md"] == "cannot be opened (No such file or directory)"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(tmp_path):
    write(tmp_path, {"secret.md": MARKDOWN, "good.md": MARKDOWN})
    (tmp_path / "secret.md").chmod(0)
    documents, skipped = loaded(tmp_path)
    assert list(documents) == ["good.md"]
    assert skipped == {"secret.md": "cannot be opened (Permission denied)"}


def test_a_file_name_that_is_not_utf_8_is_told_so_that_it_can_be_printed_and_stored(tmp_path):
    write(tmp_path, {"good.md": MARKDOWN})
    with open(os.fsencode(tmp_path) + b"/caf\xe9.md", "wb") as file:
        file.write(MARKDOWN.encode())
    documents, skipped = loaded(tmp_path)
    assert list(documents) == ["good.md"]
    assert skipped == {r"caf\xe9.md": "the file's name is not UTF-8; rename it"}
    assert fingerprint([str(tmp_path)], SETTINGS)


def test_files_over_the_limit_are_told_with_the_setting(tmp_path):
    write(tmp_path, {"good.md": MARKDOWN, "long.txt": "word " * 25_000})
    with (tmp_path / "huge.md").open("wb") as file:
        file.truncate(50_000_000)
    documents, skipped = loaded(tmp_path, CorpusSettings(max_file_mb=0.1))
    assert list(documents) == ["good.md"]
    assert skipped == {
        "huge.md": "50 MB is over corpus.max_file_mb = 0.1; raise it or split the file",
        "long.txt": "0 MB is over corpus.max_file_mb = 0.1; raise it or split the file",
    }


def test_a_path_that_is_not_there_is_told(tmp_path):
    missing = str(tmp_path / "nowhere")
    assert list(load([missing], SETTINGS)) == [Skipped(missing, "there is no such file or folder")]


def test_hidden_readme_and_asset_files_are_passed_over_without_a_word(tmp_path):
    passed_over = ("README.md LICENSE .hidden.md .git/x.md __pycache__/y.md style.css logo.png "
                   "data.json glossary.yml").split()  # fmt: skip
    write(tmp_path, {"good.md": MARKDOWN} | dict.fromkeys(passed_over, "x"))
    documents, skipped = loaded(tmp_path)
    assert (list(documents), skipped) == (["good.md"], {})


def test_a_pipe_or_socket_among_the_pages_does_not_block(tmp_path):
    write(tmp_path, {"good.md": MARKDOWN})
    os.mkfifo(tmp_path / "pipe.md")
    with socket.socket(socket.AF_UNIX) as listening:
        folder = os.open(tmp_path, os.O_RDONLY)
        listening.bind(f"/proc/self/fd/{folder}/socket.md")
        os.close(folder)
    assert list(loaded(tmp_path)[0]) == ["good.md"]
    assert fingerprint([str(tmp_path)], SETTINGS)


def test_a_file_given_by_itself_is_loaded_and_a_second_of_its_name_is_told(tmp_path):
    write(tmp_path, {"one/a.md": MARKDOWN, "two/a.md": "# Other\n\nOther words.\n"})
    one, two = str(tmp_path / "one" / "a.md"), str(tmp_path / "two" / "a.md")
    first, second = load([one, two], SETTINGS)
    assert first.id == "a.md"
    assert second == Skipped(two, "a page named 'a.md' came before")


class TestFingerprint:
    def of(self, folder, **settings):
        return fingerprint([str(folder)], CorpusSettings(**settings))

    def test_is_the_same_for_the_same_files(self, tmp_path):
        one = write(tmp_path / "a" / "pages", {"x.md": MARKDOWN})
        two = write(tmp_path / "b" / "pages", {"x.md": MARKDOWN})
        assert self.of(one) == self.of(two)

    @pytest.mark.parametrize(
        "change",
        [{"x.md": "Other words."}, {"y.md": MARKDOWN}, {"glossary.yml": "[]"}],
        ids=["edited", "added", "glossary"],
    )
    def test_differs_when_a_file_does(self, tmp_path, change):
        before = self.of(write(tmp_path, {"x.md": MARKDOWN}))
        assert self.of(write(tmp_path, change)) != before

    def test_differs_when_a_file_is_renamed_or_gone(self, tmp_path):
        before = self.of(write(tmp_path, {"x.md": MARKDOWN, "y.md": MARKDOWN}))
        (tmp_path / "y.md").rename(tmp_path / "z.md")
        renamed = self.of(tmp_path)
        (tmp_path / "z.md").unlink()
        assert len({before, renamed, self.of(tmp_path)}) == 3

    def test_differs_when_the_size_limit_does(self, tmp_path):
        write(tmp_path, {"x.md": MARKDOWN})
        assert self.of(tmp_path, max_file_mb=1) != self.of(tmp_path, max_file_mb=2)

    def test_a_site_has_none(self):
        assert fingerprint(["https://example.org/"], SETTINGS) == ""


class TestGlossaries:
    def test_the_one_in_each_folder_is_read_and_joined(self, tmp_path):
        one = write(tmp_path / "one", {"glossary.yml": "- {term: acupotomy, also: [도침]}"})
        two = write(tmp_path / "two", {
            "glossary.yml": "- {term: acupotomy, also: [needle knife]}\n- {term: TMD, also: [jaw]}",
        })  # fmt: skip
        assert load_glossaries([str(one), str(two), "https://example.org"]) == (
            {"acupotomy": ("도침", "needle knife"), "TMD": ("jaw",)}, [],
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            ("- term: a\n  also: [b\n- x", "line 4: is not YAML"),
            ("- term: a", "entry 1 must have 'term' and 'also'"),
            ("- {term: a, also: [b]}\n- {term: c, also: d}", "entry 2 must have"),
            ("just words", "must be a list of entries"),
            ("7", "must be a list of entries"),
            (b"- caf\xe9", "cannot be read"),
        ],
    )
    def test_a_wrong_one_is_told_and_left_out(self, tmp_path, content, reason):
        folder = write(tmp_path, {"glossary.yml": content})
        entries, (skipped,) = load_glossaries([str(folder)])
        assert entries == {}
        assert skipped.name == str(folder / "glossary.yml")
        assert skipped.reason.startswith(reason)
