from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sql
from hypothesis import given
from hypothesis import strategies as st
from pages import MARKDOWN, indexed, write

from bot import notices
from bot.approved import _SEEN_S, ALIKE, ApprovedAnswers, Matcher, agreed, essence
from bot.journal import Approved, ApprovedSentence, Journal, Rests
from bot.pipeline import Assistant
from bot.settings import Settings
from bot.types import Turn
from index.embed import HashEncoder
from index.glossary import Expansion
from index.retrieve import Retriever
from index.settings import IndexSettings
from index.types import Chunk

QUESTION = "Can I drive after acupuncture?"
SAYS = "Yes, once you no longer feel dizzy."
TODAY = date(2026, 5, 1)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    yield opened
    opened.close()


def rests(chunk: Chunk, at: int = 0) -> Rests:
    start, end = chunk.sentences[at]
    return Rests(chunk.document.id, chunk.id, chunk.document.text[start:end])


def answer_to(question: str, *chunks: Chunk, expires: str = "2026-05-01") -> Approved:
    sentence = ApprovedSentence(SAYS, tuple(rests(chunk) for chunk in chunks))
    return Approved(question, (sentence,), expires)


@pytest.fixture
def chunk(assistant: Assistant) -> Chunk:
    return assistant.retriever.generation.chunks[0]


@pytest.fixture
def clinic(assistant: Assistant, journal: Journal) -> Assistant:
    """An assistant of its own over the shipped pages, which serves what the journal approves."""
    own = Assistant(assistant.settings, assistant.retriever)
    own.approved = ApprovedAnswers(journal, own.retriever, lambda: TODAY)
    return own


def test_the_question_gets_its_approved_answer_with_the_quotes_it_rests_on(
    clinic: Assistant, journal: Journal, chunk: Chunk
):
    number = journal.approve(answer_to(QUESTION, chunk))
    answer = clinic.answer(QUESTION)
    assert (answer.kind, answer.text, answer.hits) == ("answer", SAYS, ())
    assert [c.quote for c in answer.citations] == [rests(chunk).quote]
    assert answer.trace.approved == answer.as_json()["trace"]["approved"] == number
    kinds = [notice.kind for notice in answer.notices]
    assert kinds == ["wording", "disclaimer", "contact", "ai"]
    assert answer.notices[0].text == notices.APPROVED


def test_another_question_gets_the_ordinary_answer(
    clinic: Assistant, journal: Journal, chunk: Chunk, assistant: Assistant
):
    journal.approve(answer_to(QUESTION, chunk))
    asked = "Does acupuncture help low back pain?"
    answer = clinic.answer(asked)
    assert answer.trace.approved == 0
    assert answer.sentences == assistant.answer(asked).sentences


def test_a_follow_up_is_looked_for_as_it_stands_alone(
    clinic: Assistant, journal: Journal, chunk: Chunk
):
    journal.approve(answer_to("Is cupping safe?", chunk))
    before = Turn("What is cupping?", "What is cupping?", "answer")
    assert clinic.answer("is it safe?", [before]).text == SAYS
    assert clinic.answer("is it safe?").text != SAYS


@pytest.mark.parametrize(
    "before",
    [
        Turn("Should I stop my warfarin first?", "Should I stop my warfarin first?", "personal"),
        Turn("I have crushing chest pain", "I have crushing chest pain", "emergency"),
        Turn("I'm pregnant. What is cupping?", "What is cupping?", "answer"),
        Turn("I have hemophilia", "I have hemophilia", "refusal"),
    ],
)
def test_in_a_talk_about_ones_own_case_no_general_answer_is_taken_for_it(
    clinic: Assistant, journal: Journal, chunk: Chunk, before: Turn
):
    journal.approve(answer_to("Is cupping safe?", chunk))
    assert clinic.answer("Is cupping safe?").text == SAYS
    assert clinic.answer("Is cupping safe?", [before]).text != SAYS


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("I can't breathe and my chest hurts after acupuncture", "emergency"),
        ("Should I stop my warfarin before acupuncture?", "personal"),
        ("¿Ayuda la acupuntura con el dolor de espalda?", "answer"),
        ("What is cupping and does acupuncture hurt?", "answer"),
        ("hello", "clinic"),
    ],
)
def test_what_is_urgent_personal_foreign_or_twofold_gets_none_though_it_were_approved(
    clinic: Assistant, journal: Journal, chunk: Chunk, message: str, kind: str
):
    journal.approve(answer_to(message, chunk))
    answer = clinic.answer(message)
    assert (answer.kind, answer.trace.approved) == (kind, 0)
    assert SAYS not in answer.text


def test_a_danger_spoken_of_still_brings_its_line(
    clinic: Assistant, journal: Journal, chunk: Chunk
):
    asked = "Can acupuncture cause a collapsed lung?"
    journal.approve(answer_to(asked, chunk))
    plain = [n for n in Assistant(clinic.settings, clinic.retriever).answer(asked).notices]
    given = [n for n in clinic.answer(asked).notices if n.text != notices.APPROVED]
    assert given == plain


def test_an_answer_is_given_on_its_last_day_and_not_on_the_next(
    clinic: Assistant, journal: Journal, chunk: Chunk
):
    journal.approve(answer_to(QUESTION, chunk, expires="2026-05-01"))
    days = [date(2026, 5, 1), date(2026, 5, 2)]
    served = ApprovedAnswers(journal, clinic.retriever, lambda: days[0])
    [approved] = journal.approved()
    assert served.find(QUESTION) and served.state(approved).kind == "served"
    days.pop(0)
    assert served.find(QUESTION) is None and served.state(approved).kind == "expired"


def test_a_day_that_cannot_be_read_has_passed(clinic: Assistant, journal: Journal, chunk: Chunk):
    journal.approve(answer_to(QUESTION, chunk, expires="next spring"))
    assert clinic.answer(QUESTION).trace.approved == 0


@pytest.mark.parametrize(
    "change",
    [{"chunk": "gone"}, {"quote": "No page says so."}, {"quote": " "}, {"document": "other.md"}],
)
def test_an_answer_one_of_whose_quotes_is_gone_is_not_given_and_staff_see_which(
    clinic: Assistant, journal: Journal, chunk: Chunk, change: dict[str, str]
):
    lost = replace(rests(chunk), **change)
    stands = ApprovedSentence("This stands.", (rests(chunk),))
    falls = ApprovedSentence(SAYS, (rests(chunk), lost))
    journal.approve(Approved(QUESTION, (stands, falls), "2026-05-01"))
    assert clinic.answer(QUESTION).trace.approved == 0
    assert clinic.approved is not None
    state = clinic.approved.state(journal.approved()[0])
    assert (state.kind, state.changed) == ("changed", (lost,))


def test_a_page_that_changes_takes_its_answer_back_at_the_very_next_question(
    journal: Journal, tmp_path: Path
):
    pages, data = tmp_path / "pages", tmp_path / "data"
    write(pages, {"heel.md": MARKDOWN})
    indexed(pages, data)
    retriever = Retriever(data, HashEncoder(), IndexSettings())
    served = ApprovedAnswers(journal, retriever, lambda: TODAY)
    stretching = next(c for c in retriever.generation.chunks if "Stretching" in c.text)
    journal.approve(answer_to("Does stretching help heel pain?", stretching))
    assert served.find("does stretching help heel pain")
    write(pages, {"heel.md": MARKDOWN.replace("Stretching helps", "Stretching may help")})
    indexed(pages, data)
    assert served.state(journal.approved()[0]).kind == "changed"
    assert served.find("does stretching help heel pain") is None
    write(pages, {"heel.md": MARKDOWN})
    indexed(pages, data)
    assert served.find("does stretching help heel pain")


def test_what_staff_change_elsewhere_counts_within_a_second(
    clinic: Assistant, chunk: Chunk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert _SEEN_S <= 1
    monkeypatch.setattr("bot.approved._SEEN_S", 0)  # as if so long had passed
    assert clinic.answer(QUESTION).trace.approved == 0
    elsewhere = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    number = elsewhere.approve(answer_to(QUESTION, chunk))
    assert clinic.answer(QUESTION).trace.approved == number
    newer = elsewhere.approve(answer_to(QUESTION, chunk), replaces=number)
    assert clinic.answer(QUESTION).trace.approved == newer
    elsewhere.withdraw(newer)
    elsewhere.close()
    assert clinic.answer(QUESTION).trace.approved == 0


def test_what_staff_change_here_counts_at_once_and_a_question_costs_no_query(
    clinic: Assistant, journal: Journal, chunk: Chunk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("bot.approved._SEEN_S", 3600)
    assert clinic.answer(QUESTION).trace.approved == 0
    number = journal.approve(answer_to(QUESTION, chunk))
    assert clinic.answer(QUESTION).trace.approved == number
    begun: list[object] = []
    sql.event.listen(journal._engine, "begin", begun.append)
    assert clinic.answer(QUESTION).trace.approved == number
    assert not begun
    journal.withdraw(number)
    assert clinic.answer(QUESTION).trace.approved == 0


def test_approved_questions_are_encoded_once_and_others_if_one_may_answer_them(
    journal: Journal, chunk: Chunk, assistant: Assistant, monkeypatch: pytest.MonkeyPatch
):
    encoded: list[str] = []
    encode = assistant.retriever.encode
    monkeypatch.setattr(
        assistant.retriever, "encode", lambda texts: (encoded.extend(texts), encode(texts))[1]
    )
    journal.approve(answer_to(QUESTION, chunk))
    served = ApprovedAnswers(journal, assistant.retriever, lambda: TODAY)
    for asked in ("one", QUESTION, "two"):
        served.find(asked)
    assert encoded == [QUESTION, QUESTION]


def test_a_journal_that_cannot_be_read_leaves_the_ordinary_answer(
    clinic: Assistant, journal: Journal, chunk: Chunk, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
):  # fmt: skip
    journal.approve(answer_to(QUESTION, chunk))
    raw = sqlite3.connect(tmp_path / "journal.db")
    raw.execute("DROP TABLE counters")
    raw.close()
    answer = clinic.answer(QUESTION)
    assert answer.trace.approved == 0 and answer.kind != "error"
    assert "approved answers are left out" in caplog.text


SAME = [
    ("Does acupuncture hurt?", "is acupuncture painful"),
    ("Is acupuncture safe in pregnancy?", "is acupuncture risky when pregnant"),
    ("What does acupuncture cost?", "what is the price of acupuncture"),
    ("Who should not have cupping?", "which people must avoid cupping"),
]
DIFFERENT = [
    ("Does acupuncture help neck pain?", "Does cupping help neck pain?", "another treatment"),
    ("Does acupuncture help neck pain?", "Does acupuncture help back pain?", "another part"),
    ("What does acupuncture cost?", "What does acupuncture risk?", "another aspect"),
    ("Is acupuncture safe in pregnancy?", "Is acupuncture safe for children?", "other people"),
    ("Should I stop herbs before surgery?", "Should I start herbs before surgery?", "opposite"),
    ("Should I stop herbs before surgery?", "Should I stop herbs after surgery?", "another time"),
    ("Is acupuncture safe?", "Is acupuncture not safe?", "denied"),
    ("Are 5 acupuncture sessions enough?", "Are 8 acupuncture sessions enough?", "number"),
    ("Does acupuncture help sciatica?", "Does acupuncture help fibromyalgia?", "condition"),
    ("Does acupuncture help asthma?", "Does acupuncture help stuttering?", "unknown word"),
    ("Does acupotomy help knees?", "Does acupuncture help knees?", "treatment with a like name"),
    ("What is cupping?", "What is cupping used for?", "use"),
    ("What does acupuncture cost?", "What should I ask about the price of acupuncture?", "ask"),
    ("Does insurance pay for acupuncture?", "Does insurance mean acupuncture works?", "proof"),
    ("Does acupuncture help jaw pain?", "Do other needles help jaw pain?", "other"),
]  # fmt: skip


@pytest.mark.parametrize(("approved", "asked"), SAME)
def test_other_words_for_the_same_are_alike(assistant: Assistant, approved: str, asked: str):
    one, other = (essence(q, assistant.retriever.expand) for q in (approved, asked))
    assert agreed(one, other)


@pytest.mark.parametrize(
    ("approved", "asked", "by"), DIFFERENT, ids=[f"{by}: {q}" for _, q, by in DIFFERENT]
)
def test_one_thing_that_differs_parts_two_questions_however_alike_they_look(
    assistant: Assistant, approved: str, asked: str, by: str
):
    one, other = (essence(q, assistant.retriever.expand) for q in (approved, asked))
    assert not agreed(one, other)


@given(st.text(max_size=60))
def test_any_question_agrees_with_itself(question: str):
    own = essence(question, Expansion)
    assert agreed(own, own)


def test_no_questions_are_like_none(assistant: Assistant):
    assert Matcher((), assistant.retriever).likenesses("Does it hurt?") == []


@pytest.mark.model
def test_with_the_real_model_other_words_find_the_answer_and_near_misses_do_not(
    real_assistant: Assistant, journal: Journal
):
    chunk = real_assistant.retriever.generation.chunks[0]
    number = journal.approve(answer_to("Does acupuncture help insomnia?", chunk))
    own = Assistant(real_assistant.settings, real_assistant.retriever)
    own.approved = ApprovedAnswers(journal, own.retriever, lambda: TODAY)
    assert own.answer("can acupuncture help me sleep").trace.approved == number
    for near in ("does acupressure help insomnia", "does acupuncture make you sleepy"):
        assert own.answer(near).trace.approved == 0


def test_without_approved_answers_nothing_is_looked_for(assistant: Assistant):
    assert Assistant(Settings(index=assistant.settings.index), assistant.retriever).approved is None


@pytest.mark.parametrize(
    ("asked", "approved"),
    [
        ("Can children die from acupuncture?", "Can children have acupuncture?"),
        ("Can children give acupuncture?", "Can children have acupuncture?"),
        ("Can children watch acupuncture?", "Can children have acupuncture?"),
        ("Is acupuncture safe for pregnant dogs?", "Is acupuncture safe during pregnancy?"),
        ("Can I drink water after acupuncture?", "Can I drink alcohol after acupuncture?"),
        ("Does acupuncture help upper back pain?", "Does acupuncture help low back pain?"),
        ("How many sessions is too many?", "How many sessions do I need?"),
        ("Does insurance cover acupuncture in Texas?", "Does insurance cover acupuncture?"),
        ("Is acupuncture always safe?", "Is acupuncture safe?"),
        ("Is acupuncture safe alone?", "Is acupuncture safe?"),
    ],
)
def test_one_word_more_can_make_it_another_question(assistant, asked, approved):
    alone = assistant.general(asked)
    matcher = Matcher([approved], assistant.retriever)
    assert not alone or matcher.likenesses(alone)[0] < ALIKE
