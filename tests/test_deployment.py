"""Two app processes behind one nginx, a Chroma server, PostgreSQL and Redis: all of it real."""

from __future__ import annotations

import json
import re
import signal
from collections import Counter
from pathlib import Path

import httpx
import pytest
from postgres_server import PostgresServer
from servers import Process, chroma, citewell, free_port, program, ready, redis, running

from bot.journal import Journal
from bot.types import Turn
from bot.web.shapes import AnswerOut
from eval.formats import GOLDEN, HARD, read_questions

ROOT = Path(__file__).parent.parent
SEARCHES = 6
CONFIG = """
[index]
data = "data"
[chroma]
url = "http://127.0.0.1:{chroma}"
[journal]
url = "{postgres}"
[limits]
url = "redis://127.0.0.1:{redis}"
asks_per_minute = 0
searches_per_minute = {searches}
"""


class Site:
    """What the tests use of it."""

    def __init__(self, apps, nginx, redis, journal):
        self.apps, self.nginx, self.redis, self.journal = apps, nginx, redis, journal
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{nginx.port}", trust_env=False, timeout=60
        )

    def answered(self) -> list[float]:
        """Return how many questions each process has answered."""
        return [self._count(app.port, "citewell_answers_total") for app in self.apps]

    def _count(self, port: int, name: str) -> float:
        said = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
        return sum(float(n) for n in re.findall(rf"^{name}{{.*}} (\S+)$", said, re.M))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    counter, store = redis(folder), chroma(folder)
    with PostgresServer() as postgres:
        journal = postgres.new_database("journal")
        config = folder / "clinic.toml"
        config.write_text(
            CONFIG.format(
                chroma=store.port, redis=counter.port, postgres=journal, searches=SEARCHES
            )
        )
        apps = [citewell(folder, config), citewell(folder, config)]
        nginx = behind_nginx(folder, [app.port for app in apps])
        # the first process indexes the shipped pages, the second finds them indexed
        with running(counter, store, *apps, nginx):
            site = Site(apps, nginx, counter, journal)
            with site.client:
                yield site


def behind_nginx(folder: Path, ports: list[int]) -> Process:
    """Return nginx with the shipped configuration, but for its ports and where it writes."""
    port = free_port()
    shipped = (ROOT / "deploy" / "nginx.conf").read_text("utf-8")
    for shipped_port, own in zip(("7861", "7862"), ports, strict=True):
        shipped, count = re.subn(rf"127\.0\.0\.1:{shipped_port}\b", f"127.0.0.1:{own}", shipped)
        assert count == 2
    shipped, count = re.subn(r"listen 80;", f"listen 127.0.0.1:{port};", shipped)
    assert count == 1
    places = "".join(
        f"{kind}_temp_path {folder}/nginx-{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    conf = folder / "nginx.conf"
    conf.write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;\n"
        f"worker_processes 1; events {{}}\nhttp {{\n{places}{shipped}}}\n"
    )
    folder.chmod(0o755)
    arguments = [program("nginx"), "-c", str(conf), "-p", str(folder), "-e", f"{folder}/nginx.log"]
    return Process(arguments, port, folder / "nginx.out")


@pytest.mark.model
def test_golden_questions_get_the_answers_of_a_single_process(site, real_assistant):
    before = site.answered()
    differing = []
    for question in [*read_questions(GOLDEN), *read_questions(HARD)]:
        turns, history = [], []
        for text in (*question.history, question.text):
            sent = {"question": text, "history": history}
            said = site.client.post("/api/v1/ask", json=sent).json()
            answer = real_assistant.answer(text, turns)
            if said != json.loads(AnswerOut.of(answer, text).model_dump_json()):
                differing.append(question.id)
            turns.append(Turn(text, said["standalone"], said["kind"]))
            history.append({"question": text, **{k: said[k] for k in ("standalone", "kind")}})
    assert differing == []
    assert all(now - then > 100 for now, then in zip(site.answered(), before, strict=True))


def test_addresses_are_counted_over_both_processes(site):
    statuses = Counter(
        site.client.post("/api/v1/search", json={"question": "cupping", "count": 1}).status_code
        for _ in range(2 * SEARCHES)
    )
    assert statuses == {200: SEARCHES, 429: SEARCHES}


def test_what_either_keeps_is_in_one_journal(site):
    sent = {"helpful": False, "reason": "unclear", "kind": "refusal", "question": "what of cups"}
    for _ in range(6):
        assert site.client.post("/api/v1/feedback", json=sent).status_code == 204
    journal = Journal.open(site.journal)
    try:
        kept = [f for f in journal.feedback() if f.reason == "unclear"]
    finally:
        journal.close()
    assert len(kept) == 6


def test_the_page_works_through_both(site):
    page = site.client.get("/")
    assert "Ask Your clinic" in page.text
    assert "frame-ancestors" in page.headers["Content-Security-Policy"]
    submit = site.client.get("/config").json()["dependencies"][0]["id"]
    for number in range(4):
        event = {"question": "does cupping hurt?", "number": number, "history": []}
        sent = {"data": [], "fn_index": submit, "event_data": event}
        sent["session_hash"] = f"session{number}"
        assert site.client.post("/gradio_api/queue/join", json=sent).is_success
        said = site.client.get(f"/gradio_api/queue/data?session_hash=session{number}").text
        assert "cw-said" in said


def test_what_only_the_machine_may_see_is_hidden(site):
    assert site.client.get("/metrics").status_code == 404
    assert site.client.get("/readyz").status_code == 404
    assert site.client.get("/healthz").status_code == 200


def test_one_process_after_the_other_is_renewed_and_nobody_notices(site):
    for app in site.apps:
        assert app.stop() in (0, -signal.SIGTERM)
        for _ in range(4):
            assert site.client.post("/api/v1/ask", json={"question": "is cupping safe"}).is_success
        app.start()
        assert ready(app.port)


def test_without_the_counter_visitors_are_served_and_the_log_says_so(site):
    site.redis.stop()
    try:
        for _ in range(4):
            sent = {"question": "cupping", "count": 1}
            assert site.client.post("/api/v1/search", json=sent).is_success
    finally:
        site.redis.start()
    assert any("nobody is held back" in app.log.read_text("utf-8") for app in site.apps)
