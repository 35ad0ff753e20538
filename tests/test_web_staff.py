"""The staff console: what each page shows, does and refuses."""

from __future__ import annotations

import json
import os
import re
import time
from html import unescape

import pytest
from pages import write
from staffing import console

from bot.extract import explain
from bot.journal import Approved, ApprovedSentence, Feedback, Gap, Mark, Rests
from bot.pipeline import Assistant
from bot.settings import Settings
from bot.web.staff.gaps import grouped
from bot.web.staff.golden import as_lines
from bot.web.staff.trial import Setting, attempt, compared, tuned
from eval.formats import read_questions
from index.build import build
from index.embed import FAKE_MODEL, open_encoder
from index.settings import CorpusSettings, IndexSettings

QUESTION = "does acupuncture help low back pain"
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def staff(assistant, tmp_path):
    with console(assistant, tmp_path) as opened:
        opened.log_in()
        yield opened


@pytest.fixture
def clinic(tmp_path):
    """An assistant over two pages of its own, which a test may index anew."""
    folder = tmp_path / "own"
    write(
        folder,
        {
            "heel.md": "# Heel pain\n\nThe heel hurts most with the first steps of the morning.\n",
            "script.md": f"---\ntitle: '{SCRIPT}'\n---\n\nCups leave round marks for ten days.\n",
        },
    )
    index = IndexSettings(data=tmp_path / "data", model=FAKE_MODEL)
    corpus = CorpusSettings(folders=(folder,), max_file_mb=0.01)
    build([str(folder)], index.data, open_encoder(index), corpus, index)
    return Assistant.open(Settings(index=index, corpus=corpus))


@pytest.fixture
def own(clinic, tmp_path):
    with console(clinic, tmp_path) as opened:
        opened.log_in()
        yield opened


def form_of(text, action):
    """Return the names and values a form on a page would send."""
    form = re.search(rf'<form[^>]*action="{action}".*?</form>', text, re.S)
    assert form
    pairs = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form[0])
    sent: dict[str, list[str]] = {}
    for name, value in pairs:
        sent.setdefault(name, []).append(unescape(value))
    return sent


# Try


def test_a_tried_question_shows_the_answer_and_all_that_led_to_it(staff, assistant):
    answer = assistant.answer(QUESTION)
    shown = unescape(staff.post("/staff", question=QUESTION).text)
    assert all(sentence.text in shown for sentence in answer.sentences)
    assert all(hit.chunk.text in shown for hit in answer.hits)
    assert answer.trace.triage.rule in shown and answer.trace.lookup in shown
    assert f"{answer.trace.evidence:.2f}" in shown
    assert all(f"{step} " in shown for step in answer.trace.milliseconds)
    assert shown.count("<meter") >= len(answer.hits)


def test_an_emergency_shows_its_rule_and_what_a_visitor_sees(staff):
    shown = staff.post("/staff", question="I have chest pain and can't breathe").text
    assert 'class="st-tag st-emergency">emergency' in shown
    assert "Passages found" not in shown


def test_an_earlier_question_is_read_with_the_one_asked(staff):
    shown = staff.post("/staff", question="is it safe", earlier="what is cupping").text
    assert "upping" in re.search(r"Read as</dt><dd>(.*?)</dd>", shown)[1]


def test_a_link_fills_the_question_in_and_asks_nothing(staff):
    shown = staff.get("/staff?question=what+is+cupping").text
    assert 'value="what is cupping"' in shown
    assert "Passages found" not in shown


@pytest.mark.parametrize("field", ["question", "earlier"])
def test_a_question_is_shown_as_text(staff, field):
    shown = staff.post("/staff", **{"question": "what is cupping", field: SCRIPT}).text
    assert SCRIPT not in shown
    assert "&lt;script&gt;alert(1)" in shown


def test_an_empty_question_shows_the_form(staff):
    assert "Passages found" not in staff.post("/staff", question=" ").text


def test_what_was_left_out_and_what_was_quoted_are_every_sentence_found(assistant):
    for question in (QUESTION, "cupping versus massage", "what is cupping and is it safe"):
        tried = attempt(assistant, question, (), "")
        quoted = {citation.quote for citation in tried.answer.citations}
        left = {row.text for row in tried.left}
        found = {
            f.hit.chunk.document.text[a:b] for f in tried.found for a, b in f.hit.chunk.sentences
        }
        assert found <= quoted | left
        reasons = {row.reason for row in tried.left}
        assert "" not in reasons and "chosen, but said in other words" not in reasons


def test_explaining_chooses_what_answering_chooses(assistant):
    retriever = assistant.retriever
    for part in assistant.look_up("is cupping safe"):
        quotes, considered = explain(part.asked, part.hits, retriever.rarity, retriever.passages_of)
        assert {c.quote.text for c in considered if not c.reason} == {q.text for q in quotes}
        assert len(considered) == sum(len(hit.chunk.sentences) for hit in part.hits)


def test_two_settings_are_compared_and_differences_marked(staff):
    shown = staff.post(
        "/staff",
        question=QUESTION,
        compare="on",
        lexical_weight="0",
        min_evidence="1",
        passages="3",
    ).text
    assert "First setting" in shown and "Second setting" in shown
    assert "weight of words 0, evidence from 1, 3 passages, model off" in shown
    assert "only here" in shown or "moved, " in shown
    assert shown.count('<span class="st-tag st-refusal">refusal') == 1


def test_the_same_setting_differs_in_nothing(assistant):
    one = attempt(assistant, QUESTION, (), "")
    two = attempt(tuned(assistant, Setting.of(assistant)), QUESTION, (), "")
    assert [f.note for side in compared(one, two) for f in side.found] == [""] * 16
    assert one.answer.sentences == two.answer.sentences


def test_a_second_setting_leaves_the_first_alone(assistant):
    before = assistant.answer(QUESTION).hits
    attempt(tuned(assistant, Setting(0, 0.1, 3, False)), QUESTION, (), "")
    assert assistant.answer(QUESTION).hits == before


@pytest.mark.parametrize(
    "wrong", [{"lexical_weight": "2"}, {"passages": "0"}, {"min_evidence": "x"}]
)
def test_a_setting_that_cannot_be_is_refused(staff, wrong):
    assert staff.post("/staff", question="x", compare="on", **wrong).status_code == 422


# Marks


def test_marks_are_golden_questions_that_the_evaluation_reads(staff, assistant, tmp_path):
    form = form_of(staff.post("/staff", question=QUESTION).text, "/staff/marks")
    staff.post("/staff/marks", **form, verdict="right", note="good", facts="low back\n 50% (half)")
    page = next(iter(assistant.retriever.documents))
    staff.post(
        "/staff/marks", question="line\u2028break\u0085x", kind="refusal", verdict="wrong",
        should="answer", page=page,
    )  # fmt: skip
    path = tmp_path / "golden.jsonl"
    path.write_bytes(staff.get("/staff/golden.jsonl").content)
    second, first = read_questions(path)
    assert (first.text, first.kind, first.note) == (QUESTION, "answer", "good")
    assert set(first.pages) == set(form["cited"])
    assert all(re.search(fact, "Low back, 50% (half): low back") for fact in first.must)
    assert (second.text, second.kind, second.pages) == ("line\u2028break\u0085x", "answer", (page,))


def test_only_the_last_mark_on_a_question_counts_and_lost_pages_are_left_out():
    marks = [
        Mark("q", False, "refusal", ("gone.md",), (), id=2), Mark("q", True, "answer", (), (), id=1)
    ]  # fmt: skip
    (row,) = map(json.loads, as_lines(marks, {"here.md"}).splitlines())
    assert (row["class"], row["pages"], row["note"]) == ("refusal", [], "marked wrong")


def test_a_mark_is_listed_as_text_and_can_be_deleted(staff):
    staff.post("/staff/marks", question=SCRIPT, kind="answer", verdict="right", note=SCRIPT)
    shown = staff.get("/staff/marks").text
    assert SCRIPT not in shown and "&lt;script&gt;" in shown
    (mark,) = staff.journal.marks()
    staff.post(f"/staff/marks/{mark.id}/drop")
    assert staff.journal.marks() == []


@pytest.mark.parametrize("kind", ["error", "", SCRIPT])
def test_a_mark_of_no_known_class_is_not_kept(staff, kind):
    staff.post("/staff/marks", question="q", kind=kind, verdict="right")
    assert staff.journal.marks() == []


# Approved answers


def test_an_answer_is_approved_as_it_stands(staff, assistant):
    answer = assistant.answer(QUESTION)
    form = form_of(staff.post("/staff", question=QUESTION).text, "/staff/answers")
    assert staff.post("/staff/answers", **form).headers["Location"] == "/staff/answers"
    (kept,) = staff.journal.approved()
    assert (kept.question, kept.expires) == (QUESTION, "2027-05-24")
    assert [s.text for s in kept.sentences] == [s.text for s in answer.sentences]
    assert [r.quote for s in kept.sentences for r in s.rests] == [
        c.quote for s in answer.sentences for n in s.citations for c in [answer.citations[n - 1]]
    ]
    shown = unescape(staff.get("/staff/answers").text)
    assert QUESTION in shown and '<span class="st-tag">served' in shown


def test_edited_words_rest_on_the_sentence_chosen_from_the_list(staff):
    page = staff.post("/staff/answers/edit", question="what is cupping").text
    place = unescape(re.search(r'<option value="0\|([^"]+)">([^<]+)</option>', page)[1])
    quote = unescape(re.search(r'<option value="0\|[^"]+">([^<]+)</option>', page)[1])
    staff.post(
        "/staff/answers", question="what is cupping", text=["", "In our words."],
        rests=["", f"1|{place}"], expires="2027-01-01",
    )  # fmt: skip
    (kept,) = staff.journal.approved()
    assert kept.sentences[0].text == "In our words."
    assert kept.sentences[0].rests[0].quote == quote
    assert kept.expires == "2027-01-01"


def test_editing_replaces_the_answer(staff):
    form = form_of(staff.post("/staff", question=QUESTION).text, "/staff/answers")
    staff.post("/staff/answers", **form)
    (first,) = staff.journal.approved()
    page = unescape(staff.get(f"/staff/answers/{first.id}/edit").text)
    assert first.sentences[0].text in page
    assert page.count(" selected>") == sum(len(s.rests) for s in first.sentences)
    staff.post("/staff/answers", **{**form, "replaces": str(first.id), "expires": "2027-02-02"})
    (second,) = staff.journal.approved()
    assert (second.expires, second.id != first.id) == ("2027-02-02", True)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"rests": []}, "Sentence 1 rests on nothing"),
        ({"rests": ["0|no:0:9"]}, "Sentence 1 rests on nothing"),
        ({"rests": ["0|{chunk}:{start}:{end}9"]}, "Sentence 1 rests on nothing"),
        ({"text": [""]}, "Sentence 1 has no words."),
        ({"text": ["x" * 601]}, "longer than 600"),
        ({"text": [], "rests": []}, "Write at least one sentence."),
        ({"question": " "}, "Say which question"),
        ({"question": "I have chest pain and can't breathe"}, "never get an approved answer"),
        ({"expires": "2026-11-25"}, "must lie ahead"),
        ({"expires": "2036-11-25"}, "must lie ahead"),
        ({"expires": "soon"}, "Say until which day"),
    ],
)
def test_what_cannot_be_approved_comes_back_with_the_words_kept(staff, assistant, change, fault):
    cited = assistant.answer(QUESTION).citations[0]
    place = {"chunk": cited.chunk.id, "start": cited.start, "end": cited.end}
    form = {"question": QUESTION, "text": ["Our own <b>words</b>."], "expires": "2027-01-01",
            "rests": [f"0|{cited.chunk.id}:{cited.start}:{cited.end}"]} | change  # fmt: skip
    form["rests"] = [rests.format(**place) for rests in form["rests"]]
    answer = staff.post("/staff/answers", **form)
    assert answer.status_code == 422
    assert fault in answer.text
    assert staff.journal.approved() == []
    if form["text"] == ["Our own <b>words</b>."]:
        assert "Our own &lt;b&gt;words&lt;/b&gt;." in answer.text


def keep(staff, chunk, expires="2027-01-01"):
    rests = Rests(chunk.document.id, chunk.id, chunk.text)
    sentence = ApprovedSentence("Said our way.", (rests,))
    return staff.journal.approve(Approved("what is cupping", (sentence,), expires))


def test_the_list_names_what_has_expired_and_which_page_has_changed(staff, assistant):
    chunk = assistant.retriever.generation.chunks[0]
    keep(staff, chunk, "2026-11-24")
    gone = Rests(chunk.document.id, chunk.id, "Words that no page says.")
    staff.journal.approve(Approved("q", (ApprovedSentence("s", (gone,)),), "2027-01-01"))
    shown = unescape(staff.get("/staff/answers").text)
    assert 'st-warn">expired' in shown and 'st-warn">changed' in shown
    assert f"{chunk.document.title} no longer says: “Words that no page says.”" in shown


def test_an_expired_answer_is_renewed(staff, assistant):
    number = keep(staff, assistant.retriever.generation.chunks[0], "2026-11-24")
    staff.post(f"/staff/answers/{number}/renew")
    (kept,) = staff.journal.approved()
    assert kept.expires == "2027-05-24"


def test_a_changed_answer_is_not_renewed_but_edited(staff, assistant):
    page = assistant.retriever.generation.chunks[0].document.id
    gone = Rests(page, "gone", "Words that no page says.")
    sentence = ApprovedSentence("Said our way.", (gone,))
    number = staff.journal.approve(Approved("what is cupping", (sentence,), "2027-01-01"))
    answer = staff.post(f"/staff/answers/{number}/renew")
    assert answer.status_code == 422
    assert "Said our way." in answer.text and "Words that no page says." in answer.text
    assert [a.id for a in staff.journal.approved()] == [number]


def test_an_answer_is_withdrawn(staff, assistant):
    number = keep(staff, assistant.retriever.generation.chunks[0])
    assert staff.post(f"/staff/answers/{number}/withdraw").status_code == 303
    assert staff.journal.approved() == []
    assert staff.post(f"/staff/answers/{number}/withdraw").status_code == 404


# Gaps


def gap(words, near="", number=0, day="2026-11-20", lang="en"):
    return Gap(words, "refusal", lang, near, day, number)


def test_alike_questions_stand_together_the_most_frequent_first():
    groups = grouped(
        [
            gap("do you treat tinnitus", number=1),
            gap("does laser help scars", number=2, day="2026-11-21"),
            gap("laser for old scars", number=3, day="2026-11-19"),
            gap("…", "a.md", 4), gap("…", "b.md", 5), gap("…", "a.md", 6),
        ]
    )  # fmt: skip
    assert [group.ids for group in groups] == ["2 3", "4 6", "1", "5"]
    assert groups[0].days == "2026-11-19 to 2026-11-21"


def test_gaps_are_shown_as_text_and_leave_when_dealt_with(staff, assistant):
    page = next(iter(assistant.retriever.documents.values()))
    numbers = [staff.journal.add_gap(gap(f"{SCRIPT} laser scars", page.id)) for _ in range(2)]
    kept = staff.journal.add_gap(gap("tinnitus"))
    shown = staff.get("/staff/gaps").text
    assert SCRIPT not in shown and "&lt;script&gt;" in shown and "×2" in shown
    assert page.title in unescape(shown)
    assert "for 90 days" in shown and "no names and no numbers" in shown
    staff.post("/staff/gaps/done", ids=" ".join(map(str, numbers)) + " x -1 ²")
    assert [g.id for g in staff.journal.gaps()] == [kept]


def test_ratings_are_counted_by_reason_and_page(staff):
    for _ in range(2):
        staff.journal.add_feedback(Feedback(False, "unclear", "answer", ("a.md",), SCRIPT))
    staff.journal.add_feedback(Feedback(True, "", "answer", ("a.md",)))
    shown = staff.get("/staff/gaps").text
    assert "1 of 3 ratings" in shown and "Hard to understand" in shown and "a.md" in shown
    assert SCRIPT not in shown and "&lt;script&gt;" in shown


# Pages


def test_every_page_is_listed_its_title_as_text(own):
    shown = own.get("/staff/pages").text
    assert "Heel pain" in shown and "heel.md" in shown
    assert SCRIPT not in shown and "&lt;script&gt;" in shown
    assert "2 pages in" in shown and "answers now" in shown


def test_an_upload_is_indexed_answers_and_can_be_taken_back(own, clinic):
    assert own.upload(("knee.md", b"# Knee\n\nThe knee swells after long walks.\n")).is_redirect
    own.post("/staff/pages/index")
    own.library.wait()
    shown = own.get("/staff/pages").text
    assert "Indexed: 3 pages" in shown
    assert "uploads/knee.md" in clinic.retriever.documents
    before = re.search(r'name="generation" value="([^"]+)"', shown)[1]
    own.post("/staff/pages/back", generation=before)
    assert "uploads/knee.md" not in clinic.retriever.documents
    assert own.post("/staff/pages/remove", name="knee.md").is_redirect
    assert own.post("/staff/pages/remove", name="knee.md").status_code == 404


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("page.exe", b"MZ"), ("page.pdf", b"not a pdf"), ("page.docx", b"PK\x03\x04 not a zip"),
        ("page.md", b"\xff\xfe\x00\x01"), ("page.txt", b"%PDF-1.7"), ("page.md", b""),
        ("large.md", b"x" * 10_001), ("readme.md", b"# Read\n\nMe."), (".md", b"# A\n\nB."),
        (f"{SCRIPT}.exe", b"x"), ("../../evil.svg", b"<svg/>"), ("glossary.yml", b"- term: x"),
    ],
)  # fmt: skip
def test_what_is_no_page_is_not_kept(own, clinic, name, content):
    answer = own.upload((name, content))
    assert answer.status_code == 422
    assert "Not taken: " in answer.text and SCRIPT not in answer.text
    assert not list((clinic.settings.index.data / "uploads").glob("*"))


def test_what_killed_uploads_left_is_swept_a_day_later(own, clinic):
    page = ("a.md", b"# A page\n\nWith some words on it.\n")
    own.upload(page)
    place = clinic.settings.index.data / "uploads"
    for name, age in (("." + 16 * "a", 2), ("." + 16 * "b", 0.5), (".keep", 2), ("c.md", 2)):
        (place / name).write_text("x")
        then = time.time() - age * 86_400
        os.utime(place / name, (then, then))
    own.upload(page)
    assert {path.name for path in place.iterdir()} == {"." + 16 * "b", ".keep", "a.md", "c.md"}


@pytest.mark.parametrize(
    "name", ["../../evil.md", "/etc/evil.md", "..\\..\\evil.md", "a/../../evil.md", ".evil.md",
             f"{SCRIPT}.md", "한국어.md", "x" * 300 + ".md"],
)  # fmt: skip
def test_an_upload_stays_in_its_folder_under_a_harmless_name(own, clinic, tmp_path, name):
    assert own.upload((name, b"# A page\n\nWith some words on it.\n")).is_redirect
    folder = clinic.settings.index.data / "uploads"
    (kept,) = folder.iterdir()
    assert re.fullmatch(r"[A-Za-z0-9 ._-]{1,100}\.md", kept.name) and kept.name[0] != "."
    assert {p for p in tmp_path.rglob("*evil*")} <= {kept}
    assert SCRIPT not in own.get("/staff/pages").text


def test_one_bad_file_does_not_lose_the_good_one(own, clinic):
    answer = own.upload(("bad.pdf", b"x"), ("good.md", b"# Good\n\nGood words here.\n"))
    assert answer.status_code == 422 and "bad.pdf" in answer.text
    assert [p.name for p in (clinic.settings.index.data / "uploads").iterdir()] == ["good.md"]


def test_an_upload_without_a_file_says_so(own):
    assert "Choose a file first." in own.post("/staff/pages/uploads").text


@pytest.mark.parametrize("name", ["../manifest.json", "..", "", "/etc/passwd", "../../own/heel.md"])
def test_only_uploads_can_be_removed(own, clinic, name):
    own.upload(("knee.md", b"# Knee\n\nThe knee swells after long walks.\n"))
    assert own.post("/staff/pages/remove", name=name).status_code == 404
    assert (clinic.settings.index.data / "manifest.json").exists()


@pytest.mark.parametrize("name", ["../..", "", "20200101T000000000000-dead"])
def test_going_back_to_what_is_not_there_is_told(own, name):
    answer = own.post("/staff/pages/back", generation=name)
    assert answer.status_code == 409
    assert "choose another" in answer.text


def test_indexing_runs_once_at_a_time_and_shows_how_far_it_is(own):
    from threading import Event

    ready, go = Event(), Event()
    runs = []

    def slow(advance):
        runs.append(1)
        advance(3, 9)
        ready.set()
        go.wait(30)
        return "Indexed."

    own.library._build = slow
    own.post("/staff/pages/index")
    ready.wait(30)
    own.post("/staff/pages/index")
    assert own.get("/staff/pages/progress").json() == {
        "running": True, "done": 3, "total": 9, "said": "", "failure": "",
    }  # fmt: skip
    assert '<progress id="progress" max="9" value="3">' in own.get("/staff/pages").text
    go.set()
    own.library.wait()
    assert len(runs) == 1
    assert own.get("/staff/pages/progress").json()["said"] == "Indexed."


def test_an_error_of_indexing_is_shown_and_the_old_index_answers_on(own, clinic):
    for page in clinic.settings.corpus.folders[0].iterdir():
        page.unlink()
    own.post("/staff/pages/index")
    own.library.wait()
    assert "It failed: no page could be read" in own.get("/staff/pages").text
    assert len(clinic.retriever.documents) == 2


def test_what_an_error_nobody_foresaw_says_goes_to_the_log(own, caplog):
    def broken(advance):
        raise RuntimeError("secret")

    own.library._build = broken
    own.post("/staff/pages/index")
    own.library.wait()
    assert "secret" not in own.get("/staff/pages").text
    assert "the server&#39;s log" in own.get("/staff/pages").text
    assert "secret" in caplog.text


def test_the_check_names_what_misleads_first(own, clinic):
    write(clinic.settings.corpus.folders[0], {"bad.md": "# Bad\n\nThis cures all pain.\n"})
    shown = own.get("/staff/pages/check").text
    assert "bad.md:3" in shown and SCRIPT not in shown
    kinds = re.findall(r"st-tag[^>]*>(mend|advice)<", shown)
    assert kinds == sorted(kinds, reverse=True) and "mend" in kinds


# Report


def report(tmp_path, content):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.json").write_text(content)


def test_the_report_is_shown_as_tables_with_its_pictures(staff, tmp_path):
    scores = {"class right": {"value": 0.9323, "low": 0.8987, "high": 0.9553, "count": 310}}
    report(tmp_path, json.dumps({"answers (all)": scores, "faults": [SCRIPT]}))
    (tmp_path / "report" / "answers.all.svg").write_text("<svg/>")
    shown = staff.get("/staff/report").text
    assert all(cell in shown for cell in ("class right", "0.9323", "0.9553", "310", "Made 20"))
    assert 'src="/staff/report/answers.all.svg"' in shown
    assert SCRIPT not in shown and "&lt;script&gt;" in shown


def test_a_picture_runs_nothing(staff, tmp_path):
    report(tmp_path, "{}")
    (tmp_path / "report" / "a.svg").write_text("<svg/>")
    answer = staff.get("/staff/report/a.svg")
    assert (answer.status_code, answer.text) == (200, "<svg/>")
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize(
    "name", ["report.json", "..%2fsecret.svg", "../secret.svg", "A.SVG", "link.svg", ".svg",
             "none.svg", "a.svg%00", "sub%2fa.svg", "%2e%2e%2fsecret.svg"],
)  # fmt: skip
def test_no_other_file_is_a_picture(staff, tmp_path, name):
    report(tmp_path, '{"secret": 1}')
    (tmp_path / "secret.svg").write_text("secret")
    (tmp_path / "report" / "link.svg").symlink_to(tmp_path / "secret.svg")
    answer = staff.get(f"/staff/report/{name}")
    assert answer.status_code == 404
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "There is no report yet"), ("{", "cannot be read"), ("[1]", "Made"),
     ('{"a": 1, "b": {"c": 2, "d": {"e": null}}}', "null")],
)  # fmt: skip
def test_a_report_that_is_missing_broken_or_odd_is_told(staff, tmp_path, content, said):
    if content is not None:
        report(tmp_path, content)
    answer = staff.get("/staff/report")
    assert answer.status_code == 200
    assert said in answer.text


# Every page


@pytest.mark.parametrize(
    "path", ["/staff", "/staff/marks", "/staff/answers", "/staff/gaps", "/staff/pages",
             "/staff/pages/check", "/staff/report"],
)  # fmt: skip
def test_every_page_can_be_used_by_everyone(staff, path):
    shown = staff.get(path).text
    assert shown.count("<h1") == 1 and shown.count("<main") == 1
    assert 'href="#main"' in shown and "Log out" in shown
    assert "style=" not in shown and not re.search(r"<script(?! src=\"/citewell/)", shown)
    labelled = set(re.findall(r'<label for="([^"]+)"', shown))
    controls = re.findall(r"<(?:input|select|textarea)(?![^>]*type=\"hidden\")[^>]*>", shown)
    ids = {re.search(r'id="([^"]+)"', control)[1] for control in controls}
    assert ids <= labelled
    assert shown.count("<table") == shown.count("<caption") == shown.count('class="st-scroll"')
