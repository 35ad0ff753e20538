"""The vectors in a Chroma server: the same hits, and what happens when it is gone."""

from __future__ import annotations

import json
import logging
import shutil
import socket
from pathlib import Path

import httpx
import pytest
from chroma_server import ChromaServer
from conftest import application
from pages import indexed, write
from starlette.testclient import TestClient

from bot import notices
from bot.pipeline import Assistant
from bot.settings import Settings
from index.build import build
from index.embed import FAKE_MODEL, HashEncoder, open_encoder
from index.errors import IndexMismatchError, IndexUnavailableError
from index.manifest import generations, read_manifest, roll_back
from index.retrieve import Retriever
from index.settings import ChromaSettings, CorpusSettings, IndexSettings

GOLDEN = Path(__file__).parent.parent / "eval/data/golden.jsonl"
QUESTIONS = [json.loads(line)["question"] for line in GOLDEN.read_text("utf-8").splitlines()[:60]]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = ChromaServer(tmp_path_factory.mktemp("chroma"))
    running.start()
    yield running
    running.kill()


@pytest.fixture
def emptied(server):
    """The server without what other tests left there."""
    for name in server.collections():
        httpx.delete(
            f"{server.url}/api/v2/tenants/default_tenant/databases/default_database/collections/"
            f"{name}", trust_env=False,
        )  # fmt: skip
    return server


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def version(tmp_path, number, server):
    """Build an index whose one page names its version; return its generation."""
    pages = write(tmp_path / "pages", {"heel.md": f"# Heel\n\nThis is version {number}.\n"})
    made = indexed(pages, tmp_path / "data", chroma=ChromaSettings(url=server.url))
    return made.manifest.generation


def open_retriever(data, url):
    return Retriever(data, HashEncoder(), IndexSettings(), ChromaSettings(url=url))


def said(retriever):
    return retriever.retrieve("heel", count=1)[0].chunk.text


def shipped(data, url):
    settings = IndexSettings(data=data, model=FAKE_MODEL)
    chroma, pages = ChromaSettings(url=url), CorpusSettings()
    build([*map(str, pages.folders)], data, open_encoder(settings), pages, settings, chroma)
    return Settings(index=settings, chroma=chroma)


@pytest.mark.model
def test_the_same_questions_have_the_same_hits_as_from_the_folder(
    emptied, tmp_path, real_assistant
):
    here, settings = real_assistant.retriever, real_assistant.settings
    data, chroma = tmp_path / "there", ChromaSettings(url=emptied.url)
    shutil.copytree(settings.index.data, data)
    pages = map(str, settings.corpus.folders)
    built = build([*pages], data, here.encoder, settings.corpus, settings.index, chroma)
    assert (built.changed, built.manifest.embedded) == (True, 0)
    assert not list((data / "generations" / built.manifest.generation).rglob("chroma*"))
    there = Retriever(data, here.encoder, settings.index, chroma)
    for question in QUESTIONS:
        assert there.retrieve(question, count=50) == here.retrieve(question, count=50)


def test_indexing_again_leaves_exactly_the_collections_that_are_kept(emptied, tmp_path, data):
    made = [version(tmp_path, number, emptied) for number in range(4)]
    assert emptied.collections() == [f"citewell-{name}" for name in made[-2:]]
    elsewhere = tmp_path / "elsewhere"
    other = version(elsewhere, 9, emptied)
    last = version(tmp_path, 4, emptied)
    assert emptied.collections() == sorted(f"citewell-{name}" for name in (made[-1], other, last))
    assert [m.generation for m in generations(data)] == [last, made[-1]]


def test_what_a_killed_build_left_goes_with_the_next(emptied, tmp_path, data, monkeypatch):
    first = version(tmp_path, 1, emptied)
    with monkeypatch.context() as patch:
        patch.setattr("index.build.swap", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            version(tmp_path, 2, emptied)
    assert len(emptied.collections()) == 2
    assert said(open_retriever(data, emptied.url)) == "This is version 1."
    third = version(tmp_path, 3, emptied)
    assert emptied.collections() == [f"citewell-{first}", f"citewell-{third}"]
    assert {path.name for path in (data / "generations").iterdir()} == {first, third}


def test_a_build_that_fails_leaves_no_collection(emptied, tmp_path, monkeypatch):
    monkeypatch.setattr("index.generation.GenerationWriter.add_vectors", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        version(tmp_path, 1, emptied)
    assert emptied.collections() == []


def test_going_back_and_forward_works(emptied, tmp_path, data):
    first, second = (version(tmp_path, number, emptied) for number in (1, 2))
    retriever = open_retriever(data, emptied.url)
    assert said(retriever) == "This is version 2."
    roll_back(data, first)
    assert said(retriever) == "This is version 1."
    roll_back(data, second)
    assert said(retriever) == "This is version 2."


def test_moving_to_a_server_and_back_embeds_nothing_again(emptied, tmp_path, data):
    pages = write(tmp_path / "pages", {"heel.md": "# Heel\n\nRest the heel.\n"})
    there = ChromaSettings(url=emptied.url)
    assert indexed(pages, data).manifest.embedded == 1
    with pytest.raises(IndexMismatchError, match="chroma = folder.*chroma = server"):
        open_retriever(data, emptied.url)
    assert indexed(pages, data, chroma=there).manifest.embedded == 0
    assert said(open_retriever(data, emptied.url)) == "Rest the heel."
    with pytest.raises(IndexMismatchError, match="run: citewell index"):
        open_retriever(data, "")
    assert indexed(pages, data).manifest.embedded == 0
    assert said(open_retriever(data, "")) == "Rest the heel."


def test_a_visitor_gets_a_sentence_while_the_server_is_gone_and_an_answer_when_it_is_back(
    tmp_path, caplog
):
    server = ChromaServer(tmp_path / "chroma")
    server.start()
    try:
        assistant = Assistant.open(shipped(tmp_path / "data", server.url))
        client = TestClient(application(assistant))
        asked = {"question": "Does acupuncture help low back pain?"}
        before = client.post("/api/v1/ask", json=asked).json()
        assert before["kind"] == "answer"
        server.kill()
        with caplog.at_level(logging.ERROR):
            lost = client.post("/api/v1/ask", json=asked)
        assert (lost.status_code, lost.json()) == (503, {"detail": notices.ERROR})
        assert f"the Chroma server at {server.url} does not answer" in caplog.text
        with pytest.raises(IndexUnavailableError) as caught:
            Assistant.open(assistant.settings)
        assert str(caught.value).startswith(f"the Chroma server at {server.url} does not answer (")
        assert str(caught.value).endswith("); start it or remove chroma.url")
        server.start()
        assert client.post("/api/v1/ask", json=asked).json() == before
    finally:
        server.kill()


def test_a_new_state_is_followed_once_the_server_is_back(tmp_path, data):
    server = ChromaServer(tmp_path / "chroma")
    server.start()
    try:
        first, second = (version(tmp_path, number, server) for number in (1, 2))
        retriever = open_retriever(data, server.url)
        server.kill()
        roll_back(data, first)
        assert retriever.current().manifest.generation == second
        server.start()
        assert said(retriever) == "This is version 1."
    finally:
        server.kill()


def test_a_build_without_its_server_leaves_the_old_index(tmp_path, data):
    server = ChromaServer(tmp_path / "chroma")
    server.start()
    try:
        first = version(tmp_path, 1, server)
        server.kill()
        with pytest.raises(IndexUnavailableError):
            version(tmp_path, 2, server)
        assert read_manifest(data).generation == first
        server.start()
        second = version(tmp_path, 2, server)
        assert server.collections() == [f"citewell-{first}", f"citewell-{second}"]
    finally:
        server.kill()


def test_a_server_that_hangs_is_given_up(emptied, tmp_path, data, monkeypatch):
    version(tmp_path, 1, emptied)
    monkeypatch.setattr("index.store._ASKING", httpx.Timeout(0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(IndexUnavailableError, match=rf"{url} does not answer \(timed out\)"):
            open_retriever(data, url)


def test_what_answers_but_is_no_chroma_is_told(emptied, tmp_path, data):
    version(tmp_path, 1, emptied)
    with pytest.raises(IndexUnavailableError, match=f"{emptied.url}/other does not answer"):
        open_retriever(data, f"{emptied.url}/other")
