"""Nothing that could say who asked is written down anywhere: 400 details, typed into a real server.

`data/personal_details.jsonl` holds each detail inside an ordinary question. Those marked `residual`
cannot be caught, with the reason: a word of the pages that is a name too, where only the sense of
the sentence tells which.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import pytest
from staffing import PASSWORD, password_hash

from bot.pipeline import Assistant
from bot.scrub import GONE, scrub
from bot.settings import Limits, Privacy, Settings, Staff
from index.settings import IndexSettings
from index.text import STOPWORDS

ROOT = Path(__file__).parent.parent
SERVE = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
import uvicorn
from bot.journal import Journal
from bot.pipeline import Assistant
from bot.settings import Settings
from bot.web.server import create_app
settings = Settings.model_validate_json(sys.stdin.read())
assistant = Assistant.open(settings)
stream = assistant.stream
def failing(question, *rest):
    if question.endswith("!!!"):
        raise ValueError(f"cannot read {{question!r}}")
    return stream(question, *rest)
assistant.stream = failing
app = create_app(assistant, Journal.open(settings.journal_url))
for logger in map(logging.getLogger, list(logging.root.manager.loggerDict)):
    logger.setLevel(logging.DEBUG)
logging.getLogger(__name__).debug("every logger speaks")
uvicorn.run(app, host="127.0.0.1", port={port}, log_config=None, log_level="debug")
"""


@dataclass(frozen=True)
class Detail:
    detail: str
    kind: str
    sentence: str
    residual: str = ""

    @property
    def around(self) -> set[str]:
        """The words of the question that say nothing of who asks."""
        return words(re.sub(re.escape(self.detail), " ", self.sentence, flags=re.I))

    @property
    def private(self) -> set[str]:
        return words(self.detail) - self.around - STOPWORDS


def words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text).casefold()))


ALL = [
    Detail(**json.loads(line))
    for line in (ROOT / "tests/data/personal_details.jsonl").read_text("utf-8").splitlines()
]
DETAILS = [one for one in ALL if not one.residual]
RESIDUAL = [one for one in ALL if one.residual]


def test_the_details_are_many_and_of_many_kinds():
    assert len({one.detail.casefold() + one.sentence for one in DETAILS}) >= 300
    kinds = Counter(one.kind for one in DETAILS)
    assert {"name", "name-word", "relative", "clinician", "phone", "address", "place", "mail",
            "handle", "id", "card", "birth", "employer", "job", "school", "url", "ip", "gps",
            "password", "emergency", "personal", "refusal"} <= kinds.keys()  # fmt: skip
    assert min(kinds.values()) >= 3
    assert all(one.detail.casefold() in one.sentence.casefold() for one in ALL)
    assert len(RESIDUAL) <= 15


@pytest.mark.parametrize("one", DETAILS, ids=lambda one: one.sentence)
def test_no_word_of_a_detail_survives(assistant: Assistant, one: Detail):
    said = scrub(one.sentence, assistant.knows)
    assert not words(said) & one.private, said
    assert not any(c.isdigit() for c in re.sub(r"\b[A-Za-z]{1,3}\d\d?\b", "", said)), said


@pytest.mark.parametrize("one", RESIDUAL, ids=lambda one: one.sentence)
def test_what_cannot_be_caught_is_listed_with_the_reason(assistant: Assistant, one: Detail):
    """Where this fails something has got better: take the mark off the detail."""
    assert words(scrub(one.sentence, assistant.knows)) & one.private
    assert len(one.residual.split()) >= 5


def test_ordinary_questions_keep_their_words(assistant: Assistant, record_property):
    typed, left, whole = 0, 0, 0
    golden = (ROOT / "eval/data/golden.jsonl").read_text("utf-8").splitlines()
    questions = [row["question"] for row in map(json.loads, golden) if row["split"] == "dev"]
    for question in questions:
        before = Counter(re.findall(r"[^\W\d_]+", question.casefold()))
        said = scrub(question, assistant.knows)
        kept = before & Counter(re.findall(r"[^\W\d_]+", said.casefold()))
        typed, left, whole = typed + before.total(), left + kept.total(), whole + (GONE not in said)
    record_property("words of golden questions that survive", f"{left / typed:.3f} of {typed}")
    assert left / typed > 0.9
    assert whole / len(questions) > 0.5


class Visitor:
    """A browser and an API client, without the parts that show anything."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.submit = next(
            d["id"] for d in json.loads(self.get("/config"))["dependencies"]
            if any(event == "submit" for _, event in d["targets"])
        )  # fmt: skip

    def get(self, path: str, **headers: str) -> str:
        return self._sent("GET", path, None, headers)[1]

    def post(self, path: str, sent: object) -> tuple[int, str]:
        kind = {"Content-Type": "application/json"}
        return self._sent("POST", path, json.dumps(sent).encode(), kind)

    def ask_the_page(self, question: str, number: int) -> str:
        """Ask as the chat page does; return the kind of answer."""
        session = f"s{number}"
        event = {"question": question, "number": number, "history": []}
        joined = {"data": [], "fn_index": self.submit, "session_hash": session, "event_data": event}
        assert self.post("/gradio_api/queue/join", joined)[0] == 200
        said = self.get(f"/gradio_api/queue/data?session_hash={session}")
        kinds = re.findall(r'"turn": ?\{.*?"kind": ?"(\w+)"', said)
        assert kinds, said[-500:]
        return kinds[-1]

    def gaps(self) -> str:
        """Log in, and read what the staff see."""
        form = urlencode({"password": PASSWORD}).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        connection = HTTPConnection("127.0.0.1", self._port, timeout=30)
        connection.request("POST", "/staff/login", form, kind)
        cookie = connection.getresponse().headers["Set-Cookie"].split(";")[0]
        connection.close()
        return self.get("/staff/gaps", Cookie=cookie)

    def _sent(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        connection.request(method, path, body, headers)
        with connection.getresponse() as response:
            said = response.read().decode()
        connection.close()
        return response.status, said


@dataclass(frozen=True)
class Left:
    """What a server left behind after every detail had been typed into it."""

    data: Path
    kinds: list[str]
    before: dict[str, bytes]
    files: dict[str, bytes]
    said: dict[str, str]


@pytest.fixture(scope="module")
def left(assistant: Assistant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Left]:
    folder = tmp_path_factory.mktemp("typed")
    data = folder / "data"
    shutil.copytree(assistant.settings.index.data, data, ignore=shutil.ignore_patterns("*.db*"))
    before = contents(data)
    settings = Settings(
        index=IndexSettings(data=data, model=assistant.settings.index.model),
        limits=Limits(asks_per_minute=0, searches_per_minute=0, ratings_per_minute=0),
        staff=Staff(report=folder / "report"), privacy=Privacy(),
    )  # fmt: skip
    sent = settings.model_dump(mode="json")
    sent["staff"]["password_hash"] = password_hash().get_secret_value()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = folder / "server.log"
    with log.open("wb") as stderr:
        server = subprocess.Popen(
            [sys.executable, "-c", SERVE.format(port=port)], cwd=ROOT, stdin=subprocess.PIPE,
            stdout=stderr, stderr=stderr,
        )  # fmt: skip
        try:
            assert server.stdin
            server.stdin.write(json.dumps(sent).encode())
            server.stdin.close()
            wait_for(port, server, log)
            visitor = Visitor(port)
            kinds = [typed(visitor, one.sentence, at) for at, one in enumerate(DETAILS)]
            said = {"metrics": visitor.get("/metrics"), "gaps": visitor.gaps()}
            files = changed(data, before)  # with the write-ahead log as it stands
        finally:
            server.terminate()
            server.wait(30)
    files |= {f"{name} after": content for name, content in changed(data, before).items()}
    yield Left(data, kinds, before, files, said | {"log": log.read_text("utf-8", "replace")})


def typed(visitor: Visitor, sentence: str, number: int) -> str:
    """Ask by the page, by the API, with a fault, as a follow-up, and rate; return the kind."""
    kind = visitor.ask_the_page(sentence, number)
    earlier = {"question": sentence, "standalone": sentence, "kind": "answer"}
    if number % 3 == 0:
        assert visitor.post("/api/v1/ask", {"question": sentence})[0] == 200
    if number % 7 == 0:
        follow_up = {"question": "does it hurt?", "history": [earlier]}
        assert visitor.post("/api/v1/ask", follow_up)[0] == 200
        assert visitor.post("/api/v1/search", {"question": sentence})[0] == 200
    if number % 11 == 0:
        assert visitor.ask_the_page(f"{sentence}!!!", 10_000 + number) == "error"
        assert visitor.post("/api/v1/ask", {"question": f"{sentence}!!!"})[0] == 500
        assert visitor.post("/api/v1/ask", {"wrong": sentence})[0] == 422
        wrong = {"question": sentence, "helpful": True, "kind": sentence}
        assert visitor.post("/api/v1/feedback", wrong)[0] == 422
    rating = {"question": sentence, "helpful": number % 2 == 0, "kind": kind,
              "pages": [sentence, "corpus/treatments/cupping.md"]}  # fmt: skip
    assert visitor.post("/api/v1/feedback", rating)[0] == 204
    return kind


def wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 120
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            assert server.poll() is None and time.monotonic() < until, log.read_text()[-2000:]
            time.sleep(0.05)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def changed(folder: Path, before: dict[str, bytes]) -> dict[str, bytes]:
    """Return every file that is not as it was, byte for byte: the rest holds the pages alone."""
    return {
        name: content for name, content in contents(folder).items() if before.get(name) != content
    }


def telling(*ordinary: str) -> set[str]:
    """Return the words of details that are part of no `ordinary` text and of no question here."""
    around = " ".join(word for one in DETAILS for word in one.around)
    usual = " ".join((around, *ordinary)).casefold()
    every = set().union(*(one.private for one in DETAILS))
    return {word for word in every if word not in usual and (len(word) > 3 or not word.isascii())}


def test_every_kind_of_outcome_came_about(left: Left):
    assert {"answer", "refusal", "personal", "emergency"} <= set(left.kinds)
    assert "every logger speaks" in left.said["log"]
    assert "a question was not answered" in left.said["log"]


def test_the_journal_alone_is_written_to(left: Left):
    # Chroma writes to its file when it opens it
    assert {Path(name.removesuffix(" after")).name for name in left.files} <= {
        "journal.db", "journal.db-wal", "journal.db-shm", "chroma.sqlite3",
    }  # fmt: skip
    assert any(name.endswith("-wal") and content for name, content in left.files.items())


def test_each_row_holds_no_word_of_the_detail_it_came_with(left: Left):
    with sqlite3.connect(left.data / "journal.db") as opened:
        rated = opened.execute("SELECT kind, words FROM feedback ORDER BY id").fetchall()
        gaps = opened.execute("SELECT words FROM gaps").fetchall()
    opened.close()
    assert len(rated) == len(DETAILS)
    assert len(gaps) >= left.kinds.count("refusal") / 2 > 0
    for one, (kind, said) in zip(DETAILS, rated, strict=True):
        assert not words(said) & one.private, (one, said)
        assert kind != "emergency" or said == ""


def test_no_file_holds_a_byte_of_a_detail(assistant: Assistant, left: Left):
    with sqlite3.connect(left.data / "journal.db") as opened:
        schema = " ".join(
            row[0] for row in opened.execute("SELECT sql FROM sqlite_master") if row[0]
        )
    opened.close()
    looked_for = telling(schema, *assistant.retriever.documents)
    assert len(looked_for) > 400
    found = []
    for name, content in left.files.items():
        pages = small(left.before.get(name.removesuffix(" after"), b""))
        now = small(content)
        found += [(name, w) for w in looked_for if w.encode() in now and w.encode() not in pages]
    assert not found


@cache
def small(content: bytes) -> bytes:
    """Return bytes with letters small, those beyond ASCII too."""
    return content.decode("utf-8", "surrogateescape").casefold().encode("utf-8", "surrogateescape")


def test_no_log_page_or_number_shows_one(assistant: Assistant, left: Left):
    # a log has words of its own ("ORDER BY"): looked for is what no page writes
    own = {word for word in telling("order") if not assistant.knows(word)}
    for where, said in left.said.items():
        typed_so = [one for one in DETAILS if one.sentence.casefold() in said.casefold()]
        assert not typed_so, where
        assert not own & words(said), (where, own & words(said))
