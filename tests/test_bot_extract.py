"""The sentences to quote: the one that answers first, no echoes, both sides where they split."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.citations import Quote, cite
from bot.evidence import evidence, missing, subjects, unnamed
from bot.extract import MOST_SENTENCES, MOST_WORDS, extract
from bot.relevance import asked
from eval.formats import GOLDEN, read_questions
from index.glossary import Expansion
from index.sentences import sentence_spans
from index.types import Chunk, Document, Hit

ANSWERABLE = [q.text for q in read_questions(GOLDEN) if q.kind == "answer" and not q.history]


def page(*passages: tuple[str, str], title="Cupping", name="cups"):
    """Return the passages of one page, each under its heading."""
    text, spans = "", []
    for heading, words in passages:
        text += f"## {heading}\n\n"
        spans.append((heading, len(text), len(text) + len(words)))
        text += f"{words}\n\n"
    document = Document(name, title, text.strip(), kind="treatment")
    return [
        Chunk(
            f"{name}{i}", document, (heading,), text[a:b], a, b, tuple(sentence_spans(text, a, b))
        )
        for i, (heading, a, b) in enumerate(spans)
    ]


def hits(*chunks):
    return [Hit(chunk, rank, 1 / rank, 0.5, 1.0) for rank, chunk in enumerate(chunks, 1)]


def said(question, chunks):
    return [
        q.text
        for q in extract(
            Expansion(question), hits(*chunks), lambda term: 1.0, lambda document: chunks
        )
    ]


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("does cupping help back pain", "works"),
        ("is it safe", "safe"),
        ("how many sessions", "amount"),
        ("does acupuncture hurt", "hurts"),
        ("my knee hurts, what can help my knee", "care"),
        ("how much does it cost", "cost"),
        ("what is acupotomy", "what"),
        ("how does cupping compare, cupping versus massage", "differs"),
        ("tell me more", "other"),
    ],
)
def test_what_a_question_is_after(question, kind):
    assert asked(question) == kind


def test_the_direct_sentence_comes_first():
    chunks = page(
        (
            "Marks",
            "Cups come in glass and plastic shapes. Cupping marks fade within ten days. "
            "Clinics often sell the used cups.",
        ),
        ("Cost", "A visit takes about an hour in most places."),
    )
    assert said("when do cupping marks fade", chunks)[0] == "Cupping marks fade within ten days."


def test_questions_headings_and_fragments_are_never_quoted():
    chunks = page(
        (
            "Pain",
            "Does cupping help back pain? Cupping back pain: Yes. "
            "Cupping may ease back pain for some weeks.",
        )
    )
    assert said("does cupping help back pain", chunks) == [
        "Cupping may ease back pain for some weeks."
    ]


def test_the_same_thing_is_not_said_twice():
    chunks = page(
        ("Pain", "Cupping may ease chronic back pain for some weeks."),
        ("Summary", "Cupping may ease chronic back pain for several weeks."),
    )
    assert len(said("does cupping ease chronic back pain", chunks)) == 1


def test_other_numbers_are_other_facts():
    chunks = page(
        (
            "Marks",
            "Marks fade in 10 days after dry cupping. Marks fade in 20 days after wet cupping.",
        )
    )
    assert len(said("how many days until cupping marks fade", chunks)) == 2


def test_guidelines_that_disagree_are_quoted_on_both_sides():
    chunks = page(
        ("Does it help?", "Cupping may ease back pain for some weeks."),
        (
            "Guidelines disagree on cupping",
            "The American body recommends cupping for the back. "
            "The British body advises against cupping for the back. A third body says nothing. "
            "A fourth body has not been asked at all.",
        ),
    )
    found = extract(
        Expansion("does cupping help back pain"),
        hits(chunks[0]),
        lambda term: 1.0,
        lambda d: chunks,
    )
    assert [q.role for q in found] == ["answer", "disagreement", "disagreement", "disagreement"]
    assert "British body advises against" in found[2].text


def test_disagreement_is_left_out_where_nobody_asks_whether_it_works():
    chunks = page(
        ("Cost", "A cupping visit costs 50 dollars in most places."),
        ("Guidelines disagree", "One body recommends cupping and another one does not."),
    )
    found = extract(
        Expansion("how much does cupping cost"), hits(chunks[0]), lambda term: 1.0, lambda d: chunks
    )
    assert {q.role for q in found} == {"answer"}


def test_nothing_to_quote_gives_nothing():
    assert said("does cupping help", []) == []
    assert said("does cupping help", page(("Cups", "Yes. No. Maybe?"))) == []


class TestOverTheShippedPages:
    @pytest.mark.parametrize("question", ANSWERABLE[::3])
    def test_answers_are_short_and_do_not_repeat_themselves(self, assistant, question):
        answer = assistant.answer(question)
        body = [s.text for s in answer.sentences if s.role == "answer"]
        split = [s for s in answer.sentences if s.role == "disagreement"]
        assert len(body) <= MOST_SENTENCES
        assert len(split) <= 3
        assert len({s.text for s in answer.sentences}) == len(answer.sentences)
        if len(body) > 1:
            assert sum(len(text.split()) for text in body) <= MOST_WORDS

    def test_both_sides_of_the_back_pain_guidelines_are_quoted(self, assistant):
        answer = assistant.answer("does acupuncture help low back pain")
        assert answer.kind == "answer"
        split = [s.text for s in answer.sentences if s.role == "disagreement"]
        assert any("NICE" in text and "against" in text for text in split)
        assert any("American College of Physicians" in text for text in split)
        assert answer.sentences[0].role == "answer"
        assert "acupuncture" in answer.sentences[0].text.lower()
        assert "back pain" in answer.sentences[0].text.lower()


class TestCite:
    CHUNKS = page(("A", "Cups are round. Cups are warm."), ("B", "Marks fade in days."))

    def quote(self, chunk, words, role="answer"):
        at = chunk.document.text.index(words)
        return Quote(chunk, at, at + len(words), role)

    def test_numbers_follow_the_order_of_appearance(self):
        first, second = self.CHUNKS
        sentences, citations = cite(
            [
                self.quote(second, "Marks fade in days."),
                self.quote(first, "Cups are warm."),
                self.quote(first, "Cups are round.", "disagreement"),
            ]
        )
        assert [s.citations for s in sentences] == [(1,), (2,), (3,)]
        assert [c.number for c in citations] == [1, 2, 3]
        assert [c.quote for c in citations] == [s.text for s in sentences]
        assert [s.role for s in sentences] == ["answer", "answer", "disagreement"]

    def test_the_same_quote_has_the_same_number(self):
        first, second = self.CHUNKS
        round_ = self.quote(first, "Cups are round.")
        sentences, citations = cite([round_, self.quote(second, "Marks fade in days."), round_])
        assert [s.citations for s in sentences] == [(1,), (2,), (1,)]
        assert len(citations) == 2

    def test_nothing_gives_nothing(self):
        assert cite([]) == ((), ())

    @given(
        st.lists(st.tuples(st.integers(0, 1), st.integers(0, 8), st.integers(1, 8)), max_size=12)
    )
    def test_numbers_are_one_to_n_and_every_sentence_is_its_quote(self, picks):
        chosen = [
            Quote(self.CHUNKS[i], self.CHUNKS[i].start + a, self.CHUNKS[i].start + a + n)
            for i, a, n in picks
        ]
        sentences, citations = cite(chosen)
        met = list(dict.fromkeys(s.citations[0] for s in sentences))
        assert met == [c.number for c in citations] == list(range(1, len(citations) + 1))
        for quote, sentence in zip(chosen, sentences, strict=True):
            assert citations[sentence.citations[0] - 1].quote == sentence.text == quote.text


class TestEvidence:
    def test_no_hits_are_no_evidence(self):
        assert evidence(Expansion("cupping"), [], lambda term: 0.01, lambda phrase: 9, "en") == 0

    def test_a_word_no_page_holds_speaks_against(self, assistant):
        sure = {
            q: assistant.answer(q).trace.evidence
            for q in ("can acupuncture fix back pain", "can acupuncture fix stuttering")
        }
        low, high = sure["can acupuncture fix stuttering"], sure["can acupuncture fix back pain"]
        assert low < assistant.settings.answers.min_evidence < high

    @pytest.mark.parametrize(
        ("question", "topics", "missing"),
        [
            ("does acupuncture help shingles", {"Acupuncture": "treatment"}, "shingl"),
            ("is reiki any good", {}, "reiki"),
            ("kidney stones and needles", {}, "kidney stone"),
            ("does botox help migraine", {"Migraine": "condition"}, "botox"),
            ("I had shingles, does cupping help neck pain", {"Neck pain": "condition"}, ""),
            ("does acupuncture help back pain", {}, ""),
        ],
    )
    def test_a_subject_no_page_names_is_told(self, question, topics, missing):
        asked = Expansion(question, topics=topics)
        assert unnamed(asked, lambda phrase: 0) == missing
        assert unnamed(asked, lambda phrase: 9) == ""

    def test_the_listed_subjects_are_told_apart(self, assistant):
        listed = [name for names in subjects().values() for name in names]
        assert len(listed) > 300 and all(1 <= len(name) <= 4 for name in listed)
        assert assistant.retriever.mentions(("acupunctur",))
        assert not assistant.retriever.mentions(("acupunctur", "shingl"))

    def test_a_treatment_named_does_not_speak_for_the_pages(self):
        asked = Expansion("does cupping help asthma", topics={"Cupping": "treatment"})
        assert missing(asked, lambda term: 0.0 if term == "asthma" else 0.01) > 0.5
        assert missing(asked, lambda term: 0.01) == 0

    def test_a_word_the_glossary_bridges_does_not_speak_against(self):
        def share(term):
            return 0.01 if term == "cup" else 0.0

        plain = Expansion("hijama cups")
        bridged = Expansion("hijama cups", ("Cupping",), frozenset({"hijama"}), ("Cupping",))
        assert missing(plain, share) > missing(bridged, share) == 0

    @given(
        st.text(max_size=80),
        st.lists(st.floats(-1, 1), max_size=4),
        st.floats(0, 1),
        st.sampled_from(["en", "es", "ko"]),
        st.lists(st.sampled_from(["Cupping", "Acupotomy"]), max_size=3),
    )
    def test_it_is_a_probability(self, question, cosines, known, lang, names):
        chunk = page(("A", "Cups are round."))[0]
        found = [Hit(chunk, 1, 1.0, cosine, None) for cosine in cosines]
        asked = Expansion(question, names=tuple(names))
        sure = evidence(asked, found, lambda term: known, lambda phrase: int(known > 0.5) * 2, lang)
        assert 0 <= sure <= 1
        assert 0 <= missing(Expansion(question), lambda term: known) <= 1


def test_who_asks_whether_it_works_hears_how_far_too():
    chunks = page(
        (
            "Does it help?",
            "Cupping may ease back pain for some weeks, against no care. "
            "Cupping may ease back pain after work for many people. "
            "Cupping may ease back pain in older people as well. "
            "Sham cups did nearly as well as real ones for the back.",
        )
    )
    answered = said("does cupping help back pain", chunks)
    assert any("Sham" in sentence for sentence in answered[:3])
    assert len(answered) <= MOST_SENTENCES
