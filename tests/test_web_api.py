"""The HTTP API: what it gives, how much it takes, and what it says when it cannot."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest
import schemathesis
from conftest import application
from hypothesis import HealthCheck, given, settings
from pages import MARKDOWN, indexed, write
from starlette.testclient import TestClient

from bot import notices
from bot.journal import JournalError
from bot.pipeline import Assistant
from bot.settings import Limits, Server, Settings
from bot.web.desk import BusyError
from bot.web.limits import Rates
from index.embed import FAKE_MODEL, HashEncoder
from index.errors import IndexUnavailableError
from index.retrieve import Retriever
from index.settings import IndexSettings

ASK, SEARCH, FEEDBACK = "/api/v1/ask", "/api/v1/search", "/api/v1/feedback"
HERE = ("127.0.0.1", 1)
QUESTION = "does acupuncture help low back pain"


@pytest.fixture(scope="module")
def unlimited(assistant):
    """The application without limits to how often one address may ask."""
    none = Limits(asks_per_minute=0, searches_per_minute=0, ratings_per_minute=0)
    own = assistant.settings.model_copy(update={"limits": none})
    return application(Assistant(own, assistant.retriever))


@pytest.fixture(scope="module")
def client(unlimited):
    with TestClient(unlimited) as client:
        yield client


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A retriever over one page, which a test may break."""
    folder = tmp_path_factory.mktemp("one page")
    indexed(write(folder / "pages", {"a.md": MARKDOWN}), folder / "data")
    return folder / "data"


@pytest.fixture
def own(pages):
    """Return a function that makes an assistant with settings of a test's own."""

    def own(**given):
        chosen = IndexSettings(data=pages, model=FAKE_MODEL)
        return Assistant(Settings(index=chosen, **given), Retriever(pages, HashEncoder(), chosen))

    return own


class TestAsking:
    def test_an_answer_has_its_quotes_and_notices(self, client, assistant):
        said = client.post(ASK, json={"question": QUESTION}).json()
        pages = assistant.retriever.documents
        assert said["kind"] == "answer"
        assert said["text"] == " ".join(s["text"] for s in said["sentences"])
        numbers = {c["number"] for c in said["citations"]}
        assert all(set(s["citations"]) <= numbers for s in said["sentences"])
        for cited in said["citations"]:
            page = pages[cited["document"]]
            assert page.text[cited["start"] : cited["end"]] == cited["quote"]
        assert {"disclaimer", "ai"} <= {n["kind"] for n in said["notices"]}

    def test_nothing_of_how_it_came_about_is_told(self, client):
        said = client.post(ASK, json={"question": QUESTION}).json()
        assert not {"hits", "trace"} & said.keys()

    def test_the_history_is_understood(self, client):
        first = client.post(ASK, json={"question": QUESTION}).json()
        turn = {"question": QUESTION, "standalone": first["standalone"], "kind": first["kind"]}
        second = client.post(ASK, json={"question": "and does it hurt?", "history": [turn]}).json()
        assert "acupuncture" in second["standalone"].lower()

    def test_an_emergency_is_one_here_too(self, client):
        said = client.post(ASK, json={"question": "crushing chest pain, I can't breathe"}).json()
        assert said["kind"] == "emergency"
        assert "tel:911" in [action["href"] for action in said["notices"][0]["actions"]]
        assert said["sentences"] == []

    def test_it_comes_as_events_when_asked_for(self, client):
        with client.stream(
            "POST", ASK, json={"question": QUESTION}, headers={"Accept": "text/event-stream"}
        ) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            events = response.read().decode().strip().split("\n\n")
        name, data = events[-1].split("\n")
        assert name == "event: answer"
        whole = json.loads(data.removeprefix("data: "))
        assert whole == client.post(ASK, json={"question": QUESTION}).json()

    def test_half_an_emoji_is_no_reason_to_fail(self, client):
        raw = b'{"question": "heel pain \\ud83d"}'
        sent = client.post(ASK, content=raw, headers={"Content-Type": "application/json"})
        assert sent.status_code == 422
        assert "heel" not in sent.text

    def test_a_name_that_is_half_an_emoji_is_no_reason_to_fail(self, client):
        raw = b'{"question": "heel pain", "\\ud83d": 1}'
        sent = client.post(ASK, content=raw, headers={"Content-Type": "application/json"})
        assert sent.status_code == 422

    @pytest.mark.parametrize(
        "sent",
        [
            {},
            {"question": 3},
            {"question": "x" * 4001},
            {"question": "x", "more": 1},
            {"question": "x", "history": [{"question": "x"}]},
            {"question": "x", "history": [{"question": "", "standalone": "", "kind": "x"}]},
        ],
    )
    def test_what_is_no_question_is_refused_by_name(self, client, sent):
        refused = client.post(ASK, json=sent)
        assert refused.status_code == 422
        assert refused.json()["detail"][0]["loc"][0] == "body"


class TestSearching:
    def test_passages_are_those_of_an_answer(self, client, assistant):
        found = client.post(SEARCH, json={"question": QUESTION, "count": 5}).json()["passages"]
        hits = assistant.answer(QUESTION).hits
        assert [p["rank"] for p in found] == [1, 2, 3, 4, 5]
        assert [p["text"] for p in found] == [hit.chunk.text for hit in hits[:5]]

    def test_a_source_opens_whole(self, client, assistant):
        first = client.post(SEARCH, json={"question": QUESTION}).json()["passages"][0]
        page = client.get(f"/api/v1/sources/{first['document']}").json()
        assert page["text"][first["start"] : first["end"]] == first["text"]
        assert page["title"] == first["title"]

    @pytest.mark.parametrize("name", ["nothing.md", "../pyproject.toml", "%2e%2e/app.py", ""])
    def test_nothing_else_opens(self, client, name):
        assert client.get(f"/api/v1/sources/{name}").status_code == 404


class TestLimits:
    @pytest.mark.parametrize(
        ("path", "sent", "setting"),
        [
            (ASK, {"question": "heel"}, "asks_per_minute"),
            (SEARCH, {"question": "heel"}, "searches_per_minute"),
            (FEEDBACK, {"helpful": True, "kind": "answer"}, "ratings_per_minute"),
        ],
    )
    def test_one_too_many_is_told_when_to_come_back(self, own, path, sent, setting):
        with TestClient(application(own(limits=Limits(**{setting: 2})))) as client:
            statuses = [client.post(path, json=sent).status_code for _ in range(3)]
            late = client.post(path, json=sent)
        assert statuses[:2] in ([200, 200], [204, 204])
        assert statuses[2] == late.status_code == 429
        assert 1 <= int(late.headers["Retry-After"]) <= 60
        assert late.json()["detail"] == notices.TOO_OFTEN

    def test_a_clock_that_is_put_back_locks_nobody_out(self, monkeypatch):
        now = time.time()
        rates = Rates(Limits(asks_per_minute=2))
        monkeypatch.setattr(time, "time", lambda: now)
        assert [rates.wait("asks", "a") for _ in range(3)] == [0, 0, 60]
        now -= 3600
        assert [rates.wait("asks", "a") for _ in range(4)] == [0, 0, 0, 60]

    def test_a_crowd_is_told_that_it_is_busy(self, own):
        assistant = own(server=Server(at_once=1, waiting=1))
        begun, go = threading.Event(), threading.Event()
        stream = assistant.stream

        def slow(question, history=()):
            begun.set()
            assert go.wait(10)
            yield from stream(question, history)

        assistant.stream = slow
        with (
            TestClient(application(assistant), client=HERE) as client,
            ThreadPoolExecutor(2) as threads,
        ):
            asked = [threads.submit(client.post, ASK, json={"question": "heel"}) for _ in range(2)]
            assert begun.wait(10)
            while "citewell_inside 2.0" not in _metrics(client):
                assert not any(one.done() for one in asked)
            refused = client.post(ASK, json={"question": "heel"})
            go.set()
            assert [one.result().status_code for one in asked] == [200, 200]
            assert 'citewell_refused_total{why="busy"} 1.0' in _metrics(client)
            assert client.post(ASK, json={"question": "heel"}).status_code == 200
        assert refused.status_code == 429
        assert (refused.headers["Retry-After"], refused.json()["detail"]) == ("2", notices.BUSY)

    def test_an_emergency_is_answered_though_it_is_one_too_many(self, own):
        chest = {"question": "crushing chest pain, I can't breathe"}
        assistant = own(limits=Limits(asks_per_minute=1), server=Server(at_once=1, waiting=0))
        with TestClient(application(assistant)) as client:
            assert client.post(ASK, json={"question": "heel"}).is_success
            assert client.post(ASK, json={"question": "heel"}).status_code == 429
            assert client.post(ASK, json=chest).json()["kind"] == "emergency"

    @pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
    def test_an_emergency_is_answered_though_it_is_busy(self, own, monkeypatch, accept):
        @asynccontextmanager
        async def full(*_):
            raise BusyError
            yield

        monkeypatch.setattr("bot.web.desk.Desk._place", full)
        with TestClient(application(own()), headers={"Accept": accept}) as client:
            said = client.post(ASK, json={"question": "crushing chest pain, I can't breathe"})
            assert client.post(ASK, json={"question": "heel"}).status_code == 429
        assert '"kind":"emergency"' in said.text

    def test_a_request_that_is_too_large_is_not_read(self, client):
        told = client.post(ASK, json={"question": "x" * 400_000})
        untold = client.post(
            ASK, content=iter([b'{"question": "', *[b"x" * 1000] * 400, b'"}']),
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
        assert (told.status_code, untold.status_code) == (413, 413)
        assert "Content-Security-Policy" in untold.headers


class TestBadDays:
    def test_an_index_server_that_is_down_is_said_to_be(self, own, caplog):
        assistant = own()

        def down(*_, **__):
            raise IndexUnavailableError("the Chroma server is down")

        assistant.retriever.retrieve = down
        with TestClient(application(assistant)) as client:
            said = client.post(ASK, json={"question": "heel pain?"})
            ready = client.get("/readyz")
            alive = client.get("/healthz")
        assert (said.status_code, said.json()) == (503, {"detail": notices.ERROR})
        assert said.headers["Retry-After"]
        assert "the Chroma server is down" in caplog.text
        assert (ready.status_code, alive.status_code) == (503, 200)
        assert ready.json() == {"index": "does not answer; see the log", "journal": "ok"}

    def test_what_nobody_foresaw_is_a_fixed_sentence_and_a_log(self, own, caplog):
        assistant = own()
        assistant.stream = lambda *_: iter([1 / 0 for _ in "x"])
        with TestClient(application(assistant)) as client:
            said = client.post(ASK, json={"question": "heel"})
        assert (said.status_code, said.json()) == (500, {"detail": notices.ERROR})
        assert "ZeroDivisionError" in caplog.text

    def test_a_rating_that_cannot_be_kept_is_not_acknowledged(self, client, monkeypatch):
        def full(*_):
            raise JournalError("the disk is full")

        monkeypatch.setattr("bot.recorder.Recorder.rated", full)
        said = client.post(FEEDBACK, json={"helpful": True, "kind": "answer"})
        assert (said.status_code, said.headers["Retry-After"]) == (503, "10")

    def test_it_is_ready_when_all_is_well(self, client):
        assert client.get("/readyz").json() == {"index": "ok", "journal": "ok"}


class TestMetrics:
    def test_they_count_and_hold_no_word_of_a_visitor(self, unlimited):
        with TestClient(unlimited, client=HERE) as client:
            before = _metrics(client)
            client.post(ASK, json={"question": f"{QUESTION} Xenophilius"})
            client.post(FEEDBACK, json={"helpful": False, "kind": "answer", "question": "Xenophil"})
            after = _metrics(client)
        for name in ("citewell_answers_total{", "citewell_answer_seconds_count", "_ratings_total{"):
            assert _sum(after, name) == _sum(before, name) + 1
        assert "xenophil" not in after.lower()
        assert _sum(after, "process_resident_memory_bytes") > 0

    def test_strangers_do_not_see_them(self, unlimited):
        with TestClient(unlimited, client=("203.0.113.9", 1)) as client:
            assert client.get("/metrics").status_code == 404


def test_the_description_has_examples_that_work(client):
    described = client.get("/api/v1/openapi.json").json()
    assert set(described["paths"]) >= {ASK, SEARCH, FEEDBACK, "/healthz", "/readyz"}
    assert all(path.startswith(("/api/v1/", "/healthz", "/readyz")) for path in described["paths"])
    for path, name in ((ASK, "Ask"), (SEARCH, "Search"), (FEEDBACK, "Rating")):
        for example in described["components"]["schemas"][name]["examples"]:
            assert client.post(path, json=example).is_success


def test_it_does_as_it_is_described(unlimited):
    described = schemathesis.openapi.from_asgi("/api/v1/openapi.json", unlimited)
    tried = [found.ok() for found in described.get_all_operations()]
    assert {operation.path for operation in tried} >= {ASK, SEARCH, FEEDBACK, "/readyz"}
    for operation in tried:
        _try(operation)


def _try(operation):
    @settings(
        max_examples=40, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck]
    )
    @given(case=operation.as_strategy())
    def each(case):
        case.call_and_validate()

    each()


def _metrics(client):
    return client.get("/metrics").text


def _sum(metrics, name):
    rows = [row.rsplit(" ", 1) for row in metrics.splitlines() if not row.startswith("#")]
    return sum(float(value) for label, value in rows if name in label)
