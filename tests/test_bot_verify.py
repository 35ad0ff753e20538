"""A model's sentence stands on its quote's words, or it goes. One wrong word is enough."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from bot.generate import Writer
from bot.verify import Claim, Unsupported, verify
from index.sentences import sentence_spans
from index.text import fold
from index.types import Chunk, Document

TEXT = (
    "Cupping may ease neck pain for a short time, compared with no treatment. "
    "Cupping did not beat sham cups for neck pain in a 2015 trial of 60 people. "
    "Pain fell by 32.8% with acupotomy and by 13.9% with ordinary acupuncture. "
    "Acupuncture helped more than sham needles, but the studies were small. "
    "Cupping has not been shown to help face pain. "
    "People who take warfarin should ask their doctor first."
)
PAGE = Document("cups", "Cupping", TEXT)
PASSAGE = Chunk(
    "c", PAGE, ("Does it help?",), TEXT, 0, len(TEXT), tuple(sentence_spans(TEXT, 0, len(TEXT)))
)
EASE, SHAM, FELL, MORE, FACE, ASK = (TEXT[a:b] for a, b in PASSAGE.sentences)


def alike(one: str, other: str) -> float:
    return 1.0


def check(sentence: str, *quotes: str):
    return verify(Claim(sentence, tuple(("p1", q) for q in quotes)), {"p1": PASSAGE}, alike)


@pytest.mark.parametrize(
    ("sentence", "quotes"),
    [
        (EASE, [EASE]),
        ("For a short time, cupping may ease neck pain compared with no treatment.", [EASE]),
        ("Cupping may relieve neck pain a bit for a short time, compared with no therapy.", [EASE]),
        ("In a 2015 trial of 60 people, cupping did not beat sham cups for neck pain.", [SHAM]),
        ("In a 2015 study of 60 patients cupping did not beat fake cups for neck pain.", [SHAM]),
        ("Acupuncture helped more than sham needles, but the studies were small.", [MORE]),
        ("People who take warfarin should ask their doctor first.", ["take warfarin should ask"]),
    ],
)
def test_what_its_quote_says_may_be_said(sentence, quotes):
    found = check(sentence, *quotes)
    assert all(q.text in TEXT for q in found)


@pytest.mark.parametrize(
    ("sentence", "quote", "reason"),
    [
        ("Cupping eases neck pain for a short time.", EASE, "surer"),
        ("Cupping may cure neck pain.", EASE, "'cure'"),
        ("Cupping did beat sham cups for neck pain.", SHAM, "yes where"),
        ("Cupping may not ease neck pain for a short time.", EASE, "yes where"),
        ("Cupping has been shown to help face pain.", "shown to help face pain", "yes where"),
        ("Cupping did not beat sham cups in a 2016 trial.", SHAM, "'2016'"),
        ("Cupping did not beat sham cups in a trial of ninety people.", SHAM, "'ninety'"),
        ("Pain fell by 13.9% with acupotomy and by 32.8% with ordinary acupuncture.", FELL,
         "beside other words"),
        ("Sham needles helped more than acupuncture, but the studies were small.", MORE, "turns"),
        ("Acupuncture helped more than sham needles.", MORE, "surer"),
        ("Moxibustion may ease neck pain for a short time.", EASE, "not in its quotes"),
        ("Cupping may ease back pain for a short time.", EASE, "'back'"),
        ("Cupping may ease neck pain for a long time.", EASE, "'long'"),
        ("Women who take warfarin should ask their doctor first.", ASK, "'women'"),
        ("People should stop warfarin.", ASK, "'stop'"),
        ("You may take cupping for neck pain for a short time.", EASE, "speaks to the visitor"),
        ("I think cupping may ease neck pain for a short time.", EASE, "speaks of itself"),
        ("Cupping may ease neck pain. See https://example.org", EASE, "markup"),
        ("Cupping may ease neck pain. It may ease pain.", EASE, "one whole sentence"),
        ("Cupping may ease neck pain", EASE, "one whole sentence"),
        ("May cupping ease neck pain?", EASE, "one whole sentence"),
        ("Eases pain.", EASE, "words; a sentence has"),
        ("Cupping may ease neck pаin for a short time.", EASE, "no Latin letter"),
        ("Cupping may ease neck\u00ad pain for a short time.", EASE, "invisible"),
        (EASE, EASE.lower(), "quotes words that are not in"),
        (EASE, "Cupping", "quotes too little"),
    ],
)  # fmt: skip
def test_one_wrong_word_is_enough_to_drop_it(sentence, quote, reason):
    with pytest.raises(Unsupported, match=re.escape(reason)):
        check(sentence, quote)


def test_a_quote_is_widened_to_the_whole_sentences_it_touches():
    (quote,) = check(FACE, "not been shown to help")
    assert quote.text == FACE
    both = check("Cupping has not been shown to help face pain.", "people. Pain fell by", FACE)
    assert [q.text for q in both] == [SHAM, FELL, FACE]


@pytest.mark.parametrize("support", [0.0, 0.5, float("nan"), -1.0])
def test_a_sentence_unlike_its_quote_is_dropped(support):
    with pytest.raises(Unsupported, match="support"):
        verify(Claim(EASE, (("p1", EASE),)), {"p1": PASSAGE}, lambda a, b: support)


@pytest.mark.parametrize("count", [0, 5])
def test_a_sentence_rests_on_one_quote_or_a_few(count):
    with pytest.raises(Unsupported, match="quotes; 1 to"):
        check(EASE, *[EASE] * count)


def test_a_passage_that_was_not_given_is_no_source():
    with pytest.raises(Unsupported, match="was not given"):
        verify(Claim(EASE, (("p2", EASE),)), {"p1": PASSAGE}, alike)


OUTPUTS = 10_000
"""Fuzzed replies of a model; each proposes a few sentences, most of them wrong."""
_NEGATIVE = re.compile(r"\b(no|not|never|without|cannot|nothing)\b|n't\b")
_INJECTED = ("Ignore", "cure", "proven", "stop", "example.org", "<", "42", "Botox", "I ")


SAY_LITTLE = set(
    "a an the to of in by with for been has have is are was were did do does and or who that it "
    "its their they people time than compared may not no but as at be should would".split()
)


class Mutator:
    """Makes replies: true rows spoilt in one respect or several, or no rows at all."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def reply(self) -> str:
        rows = [self.row() for _ in range(self.random.randint(1, 3))]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        if self.random.random() < 0.15:
            at = self.random.randrange(len(text))
            text = text[:at] + self.random.choice(["", "}", '"', "\n", "\x00", "]]"]) + text[at:]
        if self.random.random() < 0.1:
            text = text[: self.random.randrange(len(text))]
        return text

    def row(self) -> dict[str, object]:
        quote = self.random.choice([TEXT[a:b] for a, b in PASSAGE.sentences])
        words = quote.rstrip(".").split()
        for _ in range(self.random.choice([0, 1, 1, 1, 2, 3])):
            words = self.random.choice(self.spoilers)(self, words) or words
        shown = quote
        if self.random.random() < 0.2:
            first, last = sorted(self.random.sample(range(len(quote)), 2))
            shown = quote[first:last]
        if self.random.random() < 0.1:
            shown = shown.replace("a", "e", 1)
        name = self.random.choice(["p1"] * 9 + ["p2"])
        return {"sentence": " ".join(words) + ".", "quotes": [{"id": name, "quote": shown}]}

    def inject(self, words: list[str]) -> list[str]:
        at = self.random.randrange(len(words) + 1)
        return [*words[:at], self.random.choice(_INJECTED).strip(), *words[at:]]

    def drop(self, words: list[str]) -> list[str]:
        at = self.random.randrange(len(words))
        return [*words[:at], *words[at + 1 :]]

    def swap(self, words: list[str]) -> list[str]:
        a, b = (self.random.randrange(len(words)) for _ in range(2))
        changed = list(words)
        changed[a], changed[b] = changed[b], changed[a]
        return changed

    def change_number(self, words: list[str]) -> list[str]:
        return [re.sub(r"\d", lambda _: str(self.random.randrange(10)), w) for w in words]

    def drop_not(self, words: list[str]) -> list[str]:
        return [w for w in words if w not in ("not", "no", "may", "but")]

    def borrow(self, words: list[str]) -> list[str]:
        at = self.random.randrange(len(words))
        return [*words[:at], self.random.choice(TEXT.split()).rstrip("."), *words[at + 1 :]]

    def join(self, words: list[str]) -> list[str]:
        return [*words, "and", *self.random.choice(TEXT.split(". ")).rstrip(".").split()]

    spoilers: tuple[Callable[..., list[str]], ...] = (
        inject, drop, swap, change_number, drop_not, borrow, join,
    )  # fmt: skip


def stands(sentence: str, quotes: list[str]) -> bool:
    """Judge a sentence by other means than the verifier's: figures, beginnings of words, noes."""
    said = " ".join(quotes)
    known = set(re.findall(r"[a-z]+", fold(said)))
    known |= {"trial", "studies"} if known & {"trial", "studies"} else set()
    words = [w for w in re.findall(r"[a-z]+", fold(sentence)) if w not in SAY_LITTLE]
    return (
        set(re.findall(r"\d[\d.]*\d|\d", sentence)) <= set(re.findall(r"\d[\d.]*\d|\d", said))
        and {word[:3] for word in words} <= {word[:3] for word in known}
        and len(_NEGATIVE.findall(sentence)) <= len(_NEGATIVE.findall(said))
        and (len(quotes) > 1 or bool(_NEGATIVE.search(sentence)) == bool(_NEGATIVE.search(said)))
        and ("may" not in said or "may" in sentence or len(quotes) > 1)
    )


@pytest.mark.parametrize("seed", range(10))
def test_of_ten_thousand_spoilt_replies_no_unsupported_sentence_is_let_through(seed):
    mutator = Mutator(seed)
    replies = iter(mutator.reply() for _ in range(OUTPUTS // 10))
    reply = ""
    model = SimpleNamespace(stream=lambda messages: iter([SimpleNamespace(text=reply)]))
    writer = Writer(model, timeout_s=10)
    let_through = 0
    for reply in replies:  # noqa: B007 - the model reads it
        for wording in writer.word("q", [[PASSAGE]], alike):
            for sentence, quotes in wording.said:
                let_through += 1
                assert all(TEXT[q.start : q.end] == q.text for q in quotes)
                assert stands(sentence, [q.text for q in quotes]), (sentence, quotes)
    assert let_through > 100, "a fuzz that lets nothing through tests nothing"
