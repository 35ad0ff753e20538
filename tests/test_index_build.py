"""Building, opening and swapping: the old index answers until the new one is whole."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import CUPS, HEEL, MARKDOWN, indexed, write

from index.build import NothingIndexedError, index_documents, recipe
from index.embed import FAKE_MODEL, HashEncoder, ModelIdentity, open_encoder
from index.errors import (
    DataFolderError,
    IndexBusyError,
    IndexDamagedError,
    IndexMismatchError,
    IndexMissingError,
    IndexUnavailableError,
    ModelError,
)
from index.generation import open_generation
from index.manifest import generation_folder, has_index, prune, read_manifest, writing
from index.retrieve import Retriever
from index.settings import IndexSettings
from index.types import Document, Skipped

PAGES = {
    "heel.md": MARKDOWN,
    "cups.md": f"# Cupping\n\n{CUPS}\n\n## Risks\n\nBurns are rare.\n",
    "knee.md": "# Knee\n\nThe knee swells after long walks.\n",
}


class CountingEncoder(HashEncoder):
    """Remembers every passage it was asked for."""

    def __init__(self):
        self.asked: list[str] = []

    def encode_sentences(self, texts, spans):
        self.asked += texts
        return super().encode_sentences(texts, spans)


class OtherEncoder(HashEncoder):
    identity = ModelIdentity("other-model", "0" * 64)


@pytest.fixture
def pages(tmp_path):
    return write(tmp_path / "pages", PAGES)


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def generations(data):
    return sorted(folder.name for folder in (data / "generations").iterdir())


def texts(data):
    return {chunk.text for chunk in open_generation(data).chunks}


class TestBuildThenOpen:
    def test_every_record_comes_back_as_it_went_in(self, pages, data):
        built = indexed(pages, data)
        opened = open_generation(data)
        assert built.changed
        assert opened.manifest == built.manifest == read_manifest(data)
        assert (built.manifest.documents, built.manifest.skipped) == (3, ())
        assert built.manifest.chunks == built.manifest.embedded == len(opened.chunks)
        heel = opened.documents["pages/heel.md"]
        assert heel.sources[0].doi == "10.1000/heel.1"
        assert heel.references[0].key == "lane2020"
        for chunk in opened.chunks:
            assert chunk.document == opened.documents[chunk.document.id]
            assert chunk == opened.find(chunk.id)
            assert chunk.document.text[chunk.start : chunk.end] == chunk.text

    def test_the_stored_vectors_are_the_encoders(self, pages, data):
        indexed(pages, data)
        opened = open_generation(data)
        expected = HashEncoder().encode_passages([chunk.embedded_text for chunk in opened.chunks])
        assert np.array_equal(opened.vectors.passages, expected.astype(np.float16))

    def test_every_sentence_has_its_vector(self, pages, data):
        indexed(pages, data)
        write(pages, {"new.md": "# New\n\nA new page. It has two sentences.\n"})
        indexed(pages, data)  # the vectors of the first build are taken over
        opened = open_generation(data)
        for position, chunk in enumerate(opened.chunks):
            said = [chunk.document.text[start:end] for start, end in chunk.sentences]
            assert said
            expected = HashEncoder().encode_passages(said)
            assert np.array_equal(opened.vectors.sentences(position), expected.astype(np.float16))

    def test_asking_writes_no_file_that_a_kill_could_cut_short(self, pages, data):
        folder = data / "generations" / indexed(pages, data).manifest.generation
        files = [p for p in folder.rglob("*") if p.is_file() and "sqlite" not in p.name]
        before = {path: path.stat().st_mtime_ns for path in files}
        assert any(path.name == "header.bin" for path in files)
        opened = open_generation(data)
        opened.nearest(HashEncoder().encode_question("cups"), 3)
        opened.close()
        assert {path: path.stat().st_mtime_ns for path in files} == before

    def test_sentences_that_do_not_belong_to_the_pages_are_damage(self, pages, data):
        folder = data / "generations" / indexed(pages, data).manifest.generation
        kept = (folder / "sentences.npy").read_bytes()
        (folder / "sentences.npy").write_bytes(kept[:-64])
        with pytest.raises(IndexDamagedError, match="--rebuild"):
            open_generation(data)

    def test_similarity_is_the_cosine(self, pages, data):
        indexed(pages, data)
        opened = open_generation(data)
        question = HashEncoder().encode_question("round marks of cupping")
        found = opened.nearest(question, 100)
        assert sorted(found) == list(range(len(opened.chunks)))
        texts = [opened.chunks[at].embedded_text for at in found]
        expected = HashEncoder().encode_passages(texts) @ question
        cosines = opened.vectors.similarities(question, found)
        assert np.allclose(cosines, expected, atol=1e-3)
        assert list(expected) == sorted(expected, reverse=True)
        every, starts = opened.vectors.sentence_similarities(question, found)
        for position, own in zip(found, np.split(every, starts[1:-1]), strict=True):
            assert np.allclose(own, opened.vectors.sentences(position) @ question, atol=1e-3)

    def test_progress_and_skips_are_reported(self, pages, data):
        write(pages, {"bad.md": b"\xff\xfe\xff", "worse.pdf": b"no"})
        steps, skips = [], []
        built = indexed(pages, data, progress=lambda *step: steps.append(step),
                        on_skip=skips.append)  # fmt: skip
        assert steps == [(0, built.manifest.chunks), (built.manifest.chunks,) * 2]
        assert [type(skip) for skip in skips] == [Skipped, Skipped]
        assert built.manifest.skipped == tuple((s.name, s.reason) for s in skips)

    def test_documents_at_hand_are_indexed_without_files(self, data):
        page = Document(id="x", title="Cupping", text=CUPS)
        manifest = index_documents([page], data, HashEncoder(), IndexSettings())
        assert (manifest.documents, manifest.chunks) == (1, 1)
        assert open_generation(data).documents == {"x": page}

    def test_passages_are_embedded_a_window_at_a_time(self, pages, data, tmp_path, monkeypatch):
        indexed(pages, data)
        whole = open_generation(data)
        monkeypatch.setattr("index.build._WINDOW", 2)
        indexed(pages, tmp_path / "other")
        write(pages, {"a.md": "# A\n\nA new first page. It has two sentences.\n"})
        assert indexed(pages, tmp_path / "other").manifest.embedded == 1
        parts = open_generation(tmp_path / "other")
        for position, chunk in enumerate(whole.chunks):
            other = parts.pages.position_of(chunk.id)
            assert np.array_equal(whole.vectors.passages[position], parts.vectors.passages[other])
            assert np.array_equal(whole.vectors.sentences(position), parts.vectors.sentences(other))

    @pytest.mark.parametrize("passages", [1, 2, 3, 40])
    def test_the_graph_is_on_disk_whole_when_the_build_ends(self, tmp_path, data, passages):
        text = "".join(f"## Part {n}\n\nHeel advice number {n}.\n\n" for n in range(passages))
        indexed(write(tmp_path / "p", {"a.md": f"# Heel\n\n{text}"}), data)
        folder = generation_folder(data, read_manifest(data).generation)

        def files():
            kept = (p for p in folder.rglob("*") if p.is_file() and "sqlite" not in p.name)
            return {path: path.stat().st_mtime_ns for path in kept}

        before = files()
        assert any(path.name == "index_metadata.pickle" for path in before)
        for _ in range(2):
            opened = open_generation(data)
            assert len(opened.nearest(HashEncoder().encode_question("heel"), 100)) == passages
            opened.close()
            assert files() == before

    def test_pages_without_a_sentence_are_no_index(self, tmp_path, data):
        with pytest.raises(NothingIndexedError):
            indexed(write(tmp_path / "p", {"a.md": "# Only a heading\n"}), data)
        assert not has_index(data)
        assert generations(data) == []

    def test_an_index_kept_as_an_earlier_version_did_is_built_anew(self, pages, data):
        indexed(pages, data)
        path = data / "manifest.json"
        values = json.loads(path.read_text())
        del values["recipe"]["store_version"], values["recipe"]["chroma"]
        path.write_text(json.dumps(values))
        with pytest.raises(IndexMismatchError, match="store_version = 1.*store_version = 2"):
            Retriever(data, HashEncoder(), IndexSettings())
        assert indexed(pages, data).changed
        assert Retriever(data, HashEncoder(), IndexSettings()).retrieve("heel")

    def test_a_passage_on_two_pages_is_stored_once(self, tmp_path, data):
        twice = write(tmp_path / "p", {"a.md": "# Cups\n\nFade.", "b.md": "# Cups\n\nFade."})
        assert indexed(twice, data).manifest.chunks == 1
        assert len(open_generation(data).documents) == 2

    @settings(max_examples=8)
    @given(st.dictionaries(
        st.sampled_from(["a.md", "b.md", "c.md"]),
        st.text(alphabet="ab 針.#\n-é🦶\u2028\x85", min_size=3, max_size=80).map("word {}.".format),
        min_size=1,
    ))  # fmt: skip
    def test_any_page_text_survives_the_disk(self, tmp_path_factory, content):
        place = tmp_path_factory.mktemp("any")
        indexed(write(place / "p", content), place / "data")
        for chunk in open_generation(place / "data").chunks:
            assert chunk.document.text[chunk.start : chunk.end] == chunk.text


class TestBuildAgain:
    def test_nothing_changes_when_nothing_has_changed(self, pages, data):
        write(pages, {"bad.md": b""})
        first, skips, encoder = indexed(pages, data), [], CountingEncoder()
        second = indexed(pages, data, encoder, on_skip=skips.append)
        assert (second.manifest, second.changed) == (first.manifest, False)
        assert encoder.asked == []
        assert [skip.reason for skip in skips] == ["the file is empty"]

    def test_only_new_passages_are_embedded_after_an_edit(self, pages, data):
        before = indexed(pages, data).manifest
        write(pages, {"cups.md": PAGES["cups.md"].replace("are rare", "happen")})
        encoder = CountingEncoder()
        built = indexed(pages, data, encoder)
        assert encoder.asked == ["Cupping > Risks\nBurns happen."]
        assert (built.changed, built.manifest.embedded) == (True, 1)
        assert built.manifest.chunks == before.chunks
        assert texts(data) >= {CUPS, "Burns happen."}
        assert "Burns are rare." not in texts(data)

    def test_a_deleted_page_is_gone(self, pages, data):
        indexed(pages, data)
        (pages / "knee.md").unlink()
        encoder = CountingEncoder()
        indexed(pages, data, encoder)
        assert encoder.asked == []
        assert "pages/knee.md" not in open_generation(data).documents
        retriever = Retriever(data, HashEncoder(), IndexSettings())
        assert all("knee" not in hit.chunk.text for hit in retriever.retrieve("knee swells"))

    @pytest.mark.parametrize(
        ("encoder", "wanted", "reused"),
        [
            (OtherEncoder(), IndexSettings(), False),
            (HashEncoder(), IndexSettings(passage_tokens=64), True),
        ],
        ids=["model", "passage_tokens"],
    )
    def test_another_recipe_builds_anew(self, pages, data, encoder, wanted, reused):
        indexed(pages, data)
        built = indexed(pages, data, encoder, wanted)
        assert built.changed
        assert built.manifest.recipe == recipe(encoder, wanted)
        assert (built.manifest.embedded == 0) == reused

    def test_rebuild_embeds_everything_again(self, pages, data):
        first = indexed(pages, data).manifest
        again = indexed(pages, data, rebuild=True).manifest
        assert again.embedded == first.chunks
        assert again.generation > first.generation

    def test_a_damaged_index_is_built_anew(self, pages, tmp_path):
        first = indexed(pages, tmp_path / "whole").manifest
        data = shutil.copytree(tmp_path / "whole", tmp_path / "data")  # Chroma keeps files open
        shutil.rmtree(generation_folder(data, first.generation) / "chroma")
        write(pages, {"new.md": "# New\n\nA new page.\n"})
        assert indexed(pages, data).manifest.embedded == first.chunks + 1
        assert "A new page." in texts(data)

    def test_nothing_readable_leaves_the_old_index(self, pages, data, tmp_path):
        first = indexed(pages, data).manifest
        empty = write(tmp_path / "empty", {"bad.md": b""})
        with pytest.raises(NothingIndexedError) as caught:
            indexed(empty, data)
        assert str(caught.value) == (
            f"no page could be read from {empty}; the index before it still answers"
        )
        assert read_manifest(data) == first
        assert HEEL in " ".join(texts(data))

    def test_nothing_readable_at_first_leaves_no_index(self, tmp_path, data):
        with pytest.raises(NothingIndexedError):
            indexed(tmp_path / "nowhere", data)
        assert not has_index(data)

    def test_an_encoder_that_fails_leaves_the_old_index_and_no_rest(self, pages, data):
        class Failing(HashEncoder):
            def encode_passages(self, texts):
                raise ModelError("out of memory")

        first = indexed(pages, data).manifest
        write(pages, {"new.md": "# New\n\nA new page.\n"})
        with pytest.raises(ModelError):
            indexed(pages, data, Failing())
        assert read_manifest(data) == first
        assert generations(data) == [first.generation]


class TestGenerations:
    def test_the_one_before_is_kept_and_older_ones_go(self, pages, data):
        made = []
        for number in range(4):
            write(pages, {"n.md": f"# N\n\nNumber {number}.\n"})
            made.append(indexed(pages, data).manifest.generation)
            assert generations(data) == made[-2:]

    def test_a_half_made_one_goes_with_the_next_build(self, pages, data):
        indexed(pages, data)
        half = data / "generations" / "20990101T000000000000-dead"
        write(half, {"pages.jsonl": "half"})
        write(pages, {"n.md": "# N\n\nNew.\n"})
        indexed(pages, data)
        assert half.name not in generations(data)
        assert len(generations(data)) == 2

    def test_pruning_never_takes_the_one_that_answers(self, pages, data):
        kept = indexed(pages, data).manifest.generation
        for name in ("2099-b", "2098-a", "1999-c"):
            write(data / "generations" / name, {"manifest.json": "{}"})
        prune(data)
        assert generations(data) == sorted([kept, "2099-b"])

    def test_what_cannot_be_dropped_now_stays_for_the_next_time(self, pages, data):
        made = []
        for number in range(2):
            write(pages, {"n.md": f"# N\n\nNumber {number}.\n"})
            made.append(indexed(pages, data).manifest.generation)
        spare = write(data / "generations" / "2000", {"manifest.json": "{}"})

        def refuse(generation):
            raise IndexUnavailableError(generation)

        with pytest.raises(IndexUnavailableError, match="2000"):
            prune(data, drop=refuse)
        assert list(spare.iterdir()) == []
        assert generations(data) == ["2000", *made]
        dropped = []
        prune(data, drop=dropped.append)
        assert (dropped, generations(data)) == (["2000"], made)

    def test_an_index_can_be_moved_to_another_place(self, pages, data, tmp_path):
        indexed(pages, data)
        moved = data.rename(tmp_path / "elsewhere")
        assert Retriever(moved, HashEncoder(), IndexSettings()).retrieve("heel morning")


class TestErrors:
    def test_a_missing_index_names_the_command(self, data):
        with pytest.raises(IndexMissingError) as caught:
            open_generation(data)
        expected = f"there is no index in {data}; run: citewell index --data {data}"
        assert str(caught.value) == expected

    @pytest.mark.parametrize(
        ("encoder", "settings", "made", "asked"),
        [
            (OtherEncoder(), IndexSettings(), "model = hash", "model = other-model"),
            (HashEncoder(), IndexSettings(passage_tokens=64), "passage_tokens = 160",
             "passage_tokens = 64"),
        ],
    )  # fmt: skip
    def test_a_mismatch_names_both_sides_and_the_command(
        self, pages, data, encoder, settings, made, asked
    ):
        indexed(pages, data)
        with pytest.raises(IndexMismatchError) as caught:
            Retriever(data, encoder, settings)
        message = str(caught.value)
        assert made in message.split("but the settings ask for")[0]
        assert asked in message.split("but the settings ask for")[1]
        assert message.endswith(f"run: citewell index --data {data}")

    @pytest.mark.parametrize(
        "content",
        ["", "{", "[]", "null", '{"recipe": {}}', '{"recipe": 3}', b"\xff\xfe"],
    )
    def test_a_damaged_manifest_names_the_command(self, pages, data, content):
        indexed(pages, data)
        write(data, {"manifest.json": content})
        with pytest.raises(IndexDamagedError) as caught:
            open_generation(data)
        assert f"run: citewell index --data {data}" in str(caught.value)
        assert indexed(pages, data).changed

    def test_a_manifest_with_an_unknown_key_is_damaged(self, pages, data):
        indexed(pages, data)
        path = data / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"extra": 1}))
        with pytest.raises(IndexDamagedError):
            read_manifest(data)

    @pytest.mark.parametrize("damage", ["delete", "empty", "half", "garble"])
    @pytest.mark.parametrize(
        "file",
        ["pages.jsonl", "chroma/chroma.sqlite3", "bm25/data.csc.index.npy",
         "bm25/indices.csc.index.npy", "bm25/indptr.csc.index.npy", "bm25/params.index.json",
         "bm25/vocab.index.json"],
    )  # fmt: skip
    def test_damage_to_any_file_is_told_with_the_command(self, one_index, tmp_path, file, damage):
        data = shutil.copytree(one_index, tmp_path / "copy")
        path = generation_folder(data, read_manifest(data).generation) / file
        raw = path.read_bytes()
        if damage == "delete":
            path.unlink()
        else:
            path.write_bytes({"empty": b"", "half": raw[: len(raw) // 2],
                              "garble": bytes(255 - b for b in raw)}[damage])  # fmt: skip
        with pytest.raises(IndexDamagedError) as caught:
            open_generation(data)
        assert str(caught.value).endswith(f"run: citewell index --rebuild --data {data}")

    def test_a_second_writer_is_told_to_wait_and_changes_nothing(self, pages, data):
        first = indexed(pages, data).manifest
        write(pages, {"n.md": "# N\n\nNew.\n"})
        with FileLock(data / "lock"), pytest.raises(IndexBusyError) as caught:
            indexed(pages, data)
        assert str(caught.value) == f"another 'citewell index' is writing {data}; wait for it"
        assert read_manifest(data) == first
        assert indexed(pages, data).changed

    def test_a_file_in_place_of_the_data_folder_is_told(self, pages, tmp_path):
        (tmp_path / "file").write_text("x")
        for data in (tmp_path / "file", tmp_path / "file" / "below"):
            with pytest.raises(DataFolderError, match="cannot be written .*--data DIR"):
                indexed(pages, data)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_folder_that_may_not_be_written_is_told(self, pages, data):
        data.mkdir()
        data.chmod(0o500)
        with pytest.raises(DataFolderError, match="Permission denied"):
            indexed(pages, data)

    def test_the_lock_is_free_after_an_error(self, data):
        with pytest.raises(RuntimeError), writing(data):
            raise RuntimeError
        with writing(data):
            pass


@pytest.fixture(scope="session")
def one_index(tmp_path_factory):
    place = tmp_path_factory.mktemp("one")
    indexed(write(place / "pages", PAGES), place / "data")
    return place / "data"


class TestEncoders:
    def test_the_fake_is_opened_by_its_name(self):
        assert isinstance(open_encoder(IndexSettings(model=FAKE_MODEL)), HashEncoder)

    def test_the_fake_gives_unit_vectors_and_likes_shared_words(self):
        near, far = HashEncoder().encode_passages(["heel pain", "cupping marks"])
        question = HashEncoder().encode_question("pain of the heel")
        assert np.linalg.norm([near, far], axis=1) == pytest.approx([1, 1])
        assert near @ question > far @ question

    def test_a_model_that_is_not_there_is_told(self, tmp_path):
        with pytest.raises(ModelError, match="'no/such-model' is no folder and no model on this"):
            open_encoder(IndexSettings(model="no/such-model"))
        with pytest.raises(ModelError, match="holds no weights"):
            open_encoder(IndexSettings(model=str(tmp_path)))

    @pytest.mark.model
    def test_the_real_model_gives_unit_vectors_and_langchains_lists(self, model):
        vectors = model.encode_passages(["heel pain", "cupping marks"])
        assert vectors.shape == (2, 384)
        assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1], abs=1e-5)
        # in half precision, what is read beside it or filled up rounds a little otherwise
        assert np.allclose(model.embed_documents(["heel pain"])[0], vectors[0], atol=2e-3)
        assert np.allclose(model.embed_query("heel pain"), vectors[0], atol=2e-3)
        assert model.window == 254

    @pytest.mark.model
    def test_a_sentence_is_read_in_its_passage(self, model):
        text = "Heel pain\nRest the heel. Cups leave marks."
        cut = text.index("Cups")
        spans = [[(10, 24), (cut, len(text))], []]
        whole, sentences = model.encode_sentences([text, "Knee pain"], spans)
        alone = model.encode_passages([text, "Knee pain", "Rest the heel.", "Cups leave marks."])
        # On some processors the one is read in half precision, the other never.
        assert np.allclose(whole, alone[:2], atol=2e-3)
        assert (whole * alone[:2]).sum(axis=1) == pytest.approx([1, 1], abs=2e-4)
        assert [len(rows) for rows in sentences] == [2, 0]
        assert np.linalg.norm(sentences[0], axis=1) == pytest.approx([1, 1], abs=1e-5)
        nearest = (sentences[0] @ alone[2:].T).argmax(axis=1)
        assert nearest.tolist() == [0, 1]

    @pytest.mark.model
    def test_weights_other_than_the_official_ones_are_refused(self, model, monkeypatch):
        monkeypatch.setattr("index.embed._BUNDLED_SHA256", "0" * 64)
        with pytest.raises(ModelError, match=f"{model.identity.sha256}, expected 0000"):
            open_encoder(IndexSettings())

    def test_a_recipe_differs_with_the_settings(self):
        base = recipe(HashEncoder(), IndexSettings())
        assert recipe(HashEncoder(), IndexSettings(passage_tokens=99)) == replace(
            base, passage_tokens=99
        )
