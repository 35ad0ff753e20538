from __future__ import annotations

import html
import re
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from conftest import application
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from bot.journal import Journal
from bot.pipeline import Assistant
from bot.recorder import REASONS, Recorder
from bot.scrub import GONE, Vocabulary, scrub
from bot.settings import JournalSettings, Privacy
from bot.types import Answer, Trace, Triage
from bot.web import view
from bot.web.tidy import tidying
from index.types import Document

PERSONAL = [  # a message, what must not survive of it, what must
    ("My name is Joan Whitfield and I have back pain", "joan whitfield", "back pain"),
    ("my name is mark and my knee hurts", "mark", "knee hurts"),
    ("my name's sage green, does cupping hurt", "sage green", "cupping hurt"),
    ("I'm Hope Young. Is moxibustion safe?", "hope young", "moxibustion safe"),
    ("This is Bill. does acupuncture help headaches", "bill", "acupuncture help headaches"),
    ("Mark Smith here, can I drive after acupuncture", "mark smith", "drive after acupuncture"),
    ("mark smith asking about sciatica", "mark smith", "sciatica"),
    ("my husband mark has sciatica", "mark", "my husband has sciatica"),
    ("My wife Rose has migraine", "rose", "my wife has migraine"),
    ("dr rose told me to stop aspirin", "rose", "told me to stop aspirin"),
    ("Dr. Patel said needles help knees", "patel", "said needles help knees"),
    ("my friend John Brown swears by cupping", "john brown", "cupping"),
    ("I saw Nguyen Thi Mai for my neck", "nguyen thi mai", "for my neck"),
    ("José Álvarez, dolor, cupping?", "josé álvarez jose alvarez", "cupping"),
    ("does Will still treat tennis elbow", "will", "treat tennis elbow"),
    ("is Grace the one who does dry needling", "grace", "dry needling"),
    ("named bill, scared of needles", "bill", "scared of needles"),
    ("MY NAME IS JOHN CARTER AND MY BACK HURTS", "john carter", "my back hurts"),
    ("thanks, John", "john", "thanks"),
    ("regards, Faith Long about acupressure", "faith long", "acupressure"),
    ("my son Jose-Maria has asthma", "jose maria", "my son has asthma"),
    ("call me ray, does it help insomnia", "ray", "help insomnia"),
    ("O'Brien's knee arthritis", "o'brien brien", "knee arthritis"),
    ("Ｊｏａｎ Whitfield has a stiff neck", "joan whitfield", "stiff neck"),
    ("Jo\u200ban Whit\u200bfield has a stiff neck", "joan whitfield", "stiff neck"),
    ("call 555-010-4477 about my migraine", "555 010 4477", "migraine"),
    ("my number is (415) 555-0142, neck pain", "415 555 0142", "neck pain"),
    ("+44 20 7946 0958 is my phone. cupping?", "44 20 7946 0958", "cupping"),
    ("ring 5550142 for my results on fibromyalgia", "5550142", "fibromyalgia"),
    ("phone 555.010.4477 sciatica", "555 010 4477", "sciatica"),
    ("five five five oh one four two, call about cupping", "five oh four", "cupping"),
    ("text me on 07700 900 123 about heel pain", "07700 900 123", "heel pain"),
    ("joan.w@example.org asks about cupping", "joan example org", "cupping"),
    ("mail me at needle_fan77@mail.example about herbs", "needle_fan77 fan77", "herbs"),
    ("back.pain@needles.com is it safe in pregnancy", "needles back.pain @", "safe in pregnancy"),
    ("back pain (at) cupping.com: does ginger help", "cupping.com", "ginger help"),
    ("joan at example dot com, insomnia help?", "joan example dot", "insomnia help"),
    ("see https://facebook.com/joan.w does it help nausea", "facebook joan", "help nausea"),
    ("www.mypage.org/back is it true about moxibustion", "mypage", "moxibustion"),
    ("pics on good-hands.com/me of my trigger finger", "good hands", "trigger finger"),
    ("I live at 12 Rose Lane, Oakland with carpal tunnel", "12 rose lane oakland", "carpal tunnel"),
    ("12 long hill road is my place, have frozen shoulder", "hill road", "frozen shoulder"),
    ("Apt 4B, 200 White Street. jaw pain", "4b 200 white street", "jaw pain"),
    ("po box 12 oakland, ear seeds?", "12 oakland", "ear seeds"),
    ("I live in Sacramento, do you treat sciatica", "sacramento", "treat sciatica"),
    ("we live near San Jose and need cupping", "jose", "cupping"),
    ("zip 94612 rheumatoid arthritis", "94612", "rheumatoid arthritis"),
    ("born 03/04/1962, osteoarthritis of the knee", "03 04 1962", "osteoarthritis of the knee"),
    ("dob 1962-04-03 is acupuncture ok", "1962 04 03", "acupuncture ok"),
    ("born on the fourth of May 1962, IBS", "fourth may 1962", "IBS"),
    ("born March 3rd, 1962 and pregnant", "march 3rd 1962", "pregnant"),
    ("my birthday is 3 June 62. depression", "june 62", "depression"),
    ("d.o.b. 3.4.62 epilepsy", "3.4.62 62", "epilepsy"),
    ("I am 67 and on warfarin", "67", "on warfarin"),
    ("Medicare no 1EG4-TE5-MK73 does it cover acupuncture", "1eg4 te5 mk73", "cover acupuncture"),
    ("member id XKJ884201 for cupping", "xkj884201 884201", "cupping"),
    ("policy number needle rose hand 77, low back", "needle rose 77", "low back"),
    ("SSN 078-05-1120 neck", "078 05 1120", "neck"),
    ("card 4111 1111 1111 1111 for a first visit", "4111 1111", "first visit"),
    ("MRN:00455821 fibromyalgia", "00455821", "fibromyalgia"),
    ("@sunnyday_88 here, side effects of cupping", "sunnyday sunnyday_88 88", "effects of cupping"),
    ("insta is good needle day, does it hurt", "good needle day", "does it hurt"),
    ("my snapchat: backpainjoe, acupuncture", "backpainjoe joe", "acupuncture"),
    ("u/needles_rock asked about acupressure", "needles_rock rock", "acupressure"),
    ("telegram dry white needle, herbs and warfarin?", "white needle", "herbs and warfarin"),
    ("I work at Kestrel Brewing, sore wrists", "kestrel brewing", "wrists"),
    ("I'm the mayor of Oakhurst with a bad back", "mayor oakhurst", "bad back"),
    ("김민수입니다 두통에 침술이 좋나요", "김민수", "침"),
    ("我叫王小明，针灸能治失眠吗", "王小明", "针灸"),
    ("Меня зовут Иван, acupuncture?", "иван зовут", "acupuncture"),
    ("Is Dr. Sung-ho Park any good with needles?", "sung ho park", "any good with needles"),
    ("dr needle told me acupuncture helps hiccups", "needle", "told me acupuncture helps hiccups"),
    ("Addison wants acupuncture for endometriosis", "addison", "acupuncture for endometriosis"),
    ("my aunt has Parkinson's, would acupuncture help", "", "parkinson's would acupuncture help"),
    ("hope asked me if cupping works", "hope", "asked me if cupping works"),
    ("john. my knee hurts", "john", "my knee hurts"),
    ("my therapist Ginger White does cupping", "ginger white", "does cupping"),
    ("i am will turner and i have ibs", "will turner", "i have ibs"),
    ("Tôi tên là Nguyễn Văn An, châm cứu", "nguyễn văn an", "châm cứu"),
    ("me llamo Carlos Ruiz, acupuntura?", "carlos ruiz llamo", "acupuntura"),
    ("my kid Max, 7, has asthma", "max 7", "has asthma"),
    ("I work with Mark and Rose, sore neck", "mark rose", "sore neck"),
    ("my address is 5 Old Mill Road, San Jose CA 95112, neck", "5 mill road jose 95112", "neck"),
    ("price of cupping for my sister Grace", "grace", "price of cupping for my sister"),
    ("John's wife takes St John's wort with warfarin", "john", "wort with warfarin"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "private", "kept"), PERSONAL, ids=[m for m, *_ in PERSONAL])
def test_what_says_who_asks_is_gone_and_what_is_asked_stays(
    assistant: Assistant, message: str, private: str, kept: str
):
    said = scrub(message, assistant.knows)
    left = {w for w in re.findall(r"[^\s,?!;:]+", said.lower())}
    assert not [w for w in private.split() if w in left or any(c.isdigit() for c in said)], said
    plain = re.sub(rf"[{GONE}.,#!?]+", " ", said)
    assert kept.lower() in " ".join(plain.lower().split()), said


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("Does cupping help Joan Whitfield and my knee?", "Does cupping help … and my knee?"),
        ("I am 43, 2 kids, 7 sessions", "I am #, # kids, # sessions"),
        ("is 32.8% right", "is #% right"),
        ("press PC6 for nausea", "press PC6 for nausea"),
        ("does Medicare pay in California", "does Medicare pay in California"),
        ("DOES IT HURT", "does it hurt"),
        ("", ""),
        ("Joan Whitfield", "…"),
        ("🙂 thanks", "thanks"),
    ],
)
def test_words_that_go_leave_one_mark_and_digits_leave_another(
    assistant: Assistant, message: str, said: str
):
    assert scrub(message, assistant.knows) == said


@given(st.text(max_size=80))
def test_whatever_is_typed_no_digit_and_no_unknown_word_is_kept(text: str):
    left = scrub(text, lambda word: word.lower() == "cupping")
    assert not any(c.isdigit() for c in left)
    assert "@" not in left


@given(st.sampled_from(["Kestrelford", "kestrelford", "KESTRELFORD", "Kestrel-Ford"]), st.data())
def test_a_word_that_no_page_writes_survives_nowhere_in_a_sentence(name: str, data: st.DataObject):
    sentence = ["does", "cupping", "help", "my", "knee", "or", "my", "back"]
    at = data.draw(st.integers(0, len(sentence)))
    left = scrub(" ".join([*sentence[:at], name, *sentence[at:]]), lambda w: w in sentence)
    assert "kestrel" not in left.lower() and "ford" not in left.lower()
    assert "cupping" in left.lower()


def page(text: str, title: str = "Heel pain", aliases: tuple[str, ...] = ()) -> Document:
    return Document("heel.md", title, text, aliases=aliases)


def test_a_capital_inside_a_page_makes_no_name_known_but_a_title_does():
    known = Vocabulary([page("We saw Lund use warm cups. Rest helps, as Rose said.")], ["Tui na"])
    assert [w for w in ("Lund", "lund", "Warm", "warm", "We", "Rest", "heel", "Heel", "Tui", "na")
            if known(w)] == ["warm", "heel", "Heel", "Tui"]  # fmt: skip


def test_a_subject_is_known_though_no_page_is_about_it():
    known = Vocabulary([], subjects=[("hiccup",), ("canker", "sore")])
    assert known("hiccups") and known("Canker")
    assert not known("whitfield") and not known("")


def test_a_capital_at_the_start_of_a_sentence_a_list_or_a_heading_says_nothing():
    known = Vocabulary([page("# Cups leave marks\n\n- Warmth helps.\n\nHeat helps. Cold hurts.")])
    assert not [word for word in ("Cups", "Warmth", "Heat", "Cold") if known(word)]
    assert known("leave") and known("marks")


def test_the_vocabulary_follows_the_pages_that_answer(assistant: Assistant):
    assert assistant.knows("acupotomy") and assistant.knows("针灸")
    assert not assistant.knows("kestrel")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    yield opened
    opened.close()


def recorder(journal: Journal, *, keep: bool = False) -> Recorder:
    known = {"does", "cupping", "help"}
    return Recorder(journal, Privacy(keep_questions=keep), lambda word: word in known)


def refused(assistant: Assistant, kind: str = "answer") -> Answer:
    hits = tuple(assistant.retriever.retrieve("does cupping help", count=2))
    return Answer("refusal", (), (), (), hits, Trace(Triage(kind, "none", "", "en")))  # type: ignore[arg-type]


def test_a_question_without_an_answer_is_kept_with_the_page_that_came_nearest(
    journal: Journal, assistant: Assistant
):
    answer = refused(assistant)
    recorder(journal).asked("does cupping help Joan", answer)
    [gap] = journal.gaps()
    assert gap.words == "does cupping help …"
    assert (gap.kind, gap.lang, gap.near) == ("refusal", "en", answer.hits[0].chunk.document.id)


def test_a_question_that_nothing_comes_near_is_kept_too(journal: Journal, assistant: Assistant):
    recorder(journal).asked("does cupping help", replace(refused(assistant, "personal"), hits=()))
    assert [gap.near for gap in journal.gaps()] == [""]


@pytest.mark.parametrize("kind", ["refusal", "clinic", "emergency", "clarify"])
def test_what_was_no_question_for_the_pages_is_not_kept(
    journal: Journal, assistant: Assistant, kind: str
):
    recorder(journal).asked("does cupping help", refused(assistant, kind))
    assert journal.gaps() == []


def test_an_answered_question_is_not_kept(journal: Journal, assistant: Assistant):
    recorder(journal).asked("does cupping help", replace(refused(assistant), kind="personal"))
    assert journal.gaps() == []


def test_the_clinic_may_choose_to_keep_questions_as_they_are(
    journal: Journal, assistant: Assistant
):
    recorder(journal, keep=True).asked("does cupping help Joan\0", refused(assistant))
    assert [gap.words for gap in journal.gaps()] == ["does cupping help Joan"]


def test_a_visitor_never_pays_for_a_journal_that_cannot_be_written(
    journal: Journal, assistant: Assistant, caplog: pytest.LogCaptureFixture, tmp_path: Path
):
    raw = sqlite3.connect(tmp_path / "journal.db")
    raw.execute("DROP TABLE gaps")
    raw.close()
    recorder(journal).asked("does cupping help Joan", refused(assistant))
    assert "was not kept" in caplog.text and "journal.db" in caplog.text
    assert "Joan" not in caplog.text


@pytest.mark.parametrize("reason", ["", *REASONS])
def test_a_rating_is_kept_with_its_reason(journal: Journal, reason: str):
    recorder(journal).rated("does cupping help Joan", not reason, reason, "answer", ["a.md"])
    [kept] = journal.feedback()
    assert (kept.helpful, kept.reason, kept.kind) == (not reason, reason, "answer")
    assert (kept.pages, kept.words) == (("a.md",), "does cupping help …")


def test_a_reason_that_is_none_of_ours_is_refused(journal: Journal):
    with pytest.raises(ValueError, match="reason = 'rude'.*off-topic"):
        recorder(journal).rated("does cupping help", False, "rude", "answer", [])
    assert journal.feedback() == []


@pytest.mark.parametrize("kind", ["emergency", "clinic", "error"])
def test_no_word_of_an_emergency_is_kept_beside_its_rating(journal: Journal, kind: str):
    recorder(journal, keep=True).rated("does cupping help", True, "", kind, [])
    assert [f.words for f in journal.feedback()] == [""]


TYPED = "does kestrelford brewing cause sciatica"


class Days:
    """A clock that stands still until days pass."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


def kept_as_typed(folder: Path, clock: Days, assistant: Assistant) -> tuple[Journal, Recorder]:
    """Return a journal with questions as they were typed in it, and its recorder."""
    opened = Journal.open(f"sqlite:///{folder / 'kept.db'}", clock)
    keeping = Recorder(opened, Privacy(keep_questions=True, keep_days=30), assistant.knows)
    for _ in range(50):
        keeping.asked(TYPED, refused(assistant))
        keeping.rated(TYPED, False, "wrong", "answer", [])
    return opened, keeping


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("kept.db*"))


def test_a_server_that_runs_for_months_forgets_in_time_though_nobody_asks(
    tmp_path: Path, assistant: Assistant
):
    clock = Days()
    journal, keeping = kept_as_typed(tmp_path, clock, assistant)
    counts: list[int] = []

    async def months() -> None:
        asleep, awake = anyio.Event(), anyio.Event()

        async def a_day(seconds: float) -> None:
            assert 0 < seconds <= 24 * 3600
            counts.append(len(journal.gaps()) + len(journal.feedback()))
            clock.at += timedelta(days=1)
            if len(counts) == 40:
                asleep.set()
                await awake.wait()

        async with tidying(keeping, a_day)(None):
            with anyio.fail_after(60):
                await asleep.wait()

    anyio.run(months)
    journal.close()
    assert counts == [100] * 31 + [0] * 9


def test_what_expired_while_nothing_ran_goes_at_the_start(tmp_path: Path, assistant: Assistant):
    journal, _ = kept_as_typed(tmp_path, Days(), assistant)
    journal.close()
    url = f"sqlite:///{tmp_path / 'kept.db'}"
    privacy = Privacy(keep_questions=True, keep_days=30)  # more have passed since `Days` began
    changed = {"privacy": privacy, "journal": JournalSettings(url=url)}
    own = Assistant(assistant.settings.model_copy(update=changed), assistant.retriever)
    with TestClient(application(own)) as client:
        until = time.monotonic() + 20
        while b"kestrelford" in bytes_of(tmp_path):
            assert time.monotonic() < until
            assert client.get("/healthz").text == "ok"
    again = Journal.open(url)
    assert again.gaps() == [] and again.feedback() == []
    again.close()


def test_after_expiry_no_byte_is_left_in_the_file_or_its_log(tmp_path: Path, assistant: Assistant):
    clock = Days()
    journal, keeping = kept_as_typed(tmp_path, clock, assistant)
    assert b"kestrelford" in (tmp_path / "kept.db-wal").read_bytes()
    with sqlite3.connect(tmp_path / "kept.db") as other:  # a part of them is in the file, too
        other.execute("PRAGMA wal_checkpoint(PASSIVE)")
    other.close()
    assert b"kestrelford" in (tmp_path / "kept.db").read_bytes()
    clock.at += timedelta(days=31)
    keeping.forget_what_is_old()
    assert b"kestrelford" not in bytes_of(tmp_path)
    assert (tmp_path / "kept.db-wal").stat().st_size == 0
    journal.close()
    assert b"kestrelford" not in bytes_of(tmp_path)


def test_a_journal_that_cannot_forget_is_told_and_tried_again(
    tmp_path: Path, assistant: Assistant, caplog: pytest.LogCaptureFixture
):
    clock = Days()
    journal, keeping = kept_as_typed(tmp_path, clock, assistant)
    journal.close()
    (tmp_path / "kept.db").write_bytes(b"no database" * 500)
    for log in ("kept.db-wal", "kept.db-shm"):
        (tmp_path / log).unlink(missing_ok=True)
    rounds = 0

    async def hours() -> None:
        twice, never = anyio.Event(), anyio.Event()

        async def an_hour(_: float) -> None:
            nonlocal rounds
            rounds += 1
            if rounds == 2:
                twice.set()
                await never.wait()

        async with tidying(keeping, an_hour)(None):
            with anyio.fail_after(30):
                await twice.wait()

    anyio.run(hours)
    journal.close()
    assert caplog.text.count("was not forgotten") == 2
    assert "kept.db" in caplog.text and "kestrelford" not in caplog.text


@pytest.mark.parametrize(
    ("privacy", "said"),
    [
        (Privacy(), ["no names or numbers", "deleted after 90 days"]),
        (Privacy(keep_questions=True, keep_days=14), ["word for word", "deleted after 14 days"]),
    ],
    ids=["default", "kept"],
)  # fmt: skip
def test_the_chat_page_says_what_is_kept_and_how_long(
    assistant: Assistant, privacy: Privacy, said: list[str]
):
    settings = assistant.settings.model_copy(update={"privacy": privacy})
    box = view.shell(settings, [])
    assert "What is kept" in box
    plain = html.unescape(box)
    assert all(one in plain for one in said)
    assert ("word for word" in plain) is privacy.keep_questions
