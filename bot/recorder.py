"""What is kept of a visitor: which questions found no answer, and how answers were rated.

No word is kept that could say who asked. A word stays only if the clinic's pages use it or it is
everyday English, so what stays is what the pages could have answered. Does not recognise people by
the rare thing that they have: a page that is about it makes its name a known word.
"""

from __future__ import annotations

import logging
import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path

from bot.journal import Feedback, Gap, Journal, JournalError
from bot.settings import Privacy
from bot.types import Answer
from index.text import STOPWORDS, fold, terms
from index.types import Document

_log = logging.getLogger(__name__)

REASONS = {
    "off-topic": "Not what I asked",
    "unclear": "Hard to understand",
    "wrong": "Looks wrong",
    "missing": "Something is missing",
}
"""What a visitor can say is wrong with an answer: the key is kept, the words are shown."""

GONE = "…"
"""Stands for words that were not kept, however many."""

Known = Callable[[str], bool]
"""Tells whether the pages write a word so, its capital included."""

_MOST = 1500
"""Characters of a question that are read: as many as are answered."""
_NAMES = Path(__file__).with_name("names.toml")
_WORDS_OF_QUESTIONS = ("answer", "refusal", "personal")
"""Kinds of answer whose question is kept beside a rating: never an emergency's."""
_EVERYDAY = frozenset(
    """after again all almost alone already always another around ask away back bad because before
    being best better between both came come day days different down during easy else enough even
    everything far feel feeling few first from full gave getting give given gives going gone good
    got happen happens hello help helped helps here hi hour hours however im instead isnt keep kind
    last later least left less let little long lot made make makes making may maybe might minutes
    month months more most must myself need needed needs never new next night none nor nothing now
    off often old once one only other over own pain people per quite rather right said same say see
    seen several since someone something sometimes soon still stop such take taken takes taking tell
    thank thanks themselves thing things think though through time times today tomorrow too took
    tried try trying twice two under until use used using usually very wanted way week weeks well
    went were whats while whole whom whose within without work works worse worst year years yes yet
    yesterday baby boy child daughter dad doctor father friend girl husband kid kids man mom mother
    mum nurse partner sister brother son wife woman ive id ill dont doesnt cant wont didnt arent
    shouldnt couldnt thats those these against scared worried afraid nervous anxious sad tired sick
    ill weak dizzy swollen numb stiff sore itchy hurting aching fever rash lump scan xray mri clinic
    appointment medicine medicines pills tablet tablets injection surgery operation hospital doctors
    pregnant diet food drink alcohol vitamin vitamins bath shower gym yoga running
    uncle aunt grandma grandpa price prices case chance""".split()
)
_KIN = (
    r"(?:hus?band|wife|son|daughter|mum|mom|dad|mother|father|brother|sister|friend|boss|partner|"
    r"cousin|co-?workers?|colleague|neighbou?r|girlfriend|boyfriend|fianc[eé]e?|roommate|ex)"
)
_STREET = (
    r"(?:street|st|avenue|ave|road|rd|lane|ln|drive|dr|court|ct|boulevard|blvd|way|place|pl|"
    r"terrace|circle|parkway|highway|hwy|square)"
)
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_NTH = (
    r"(?:\d{1,4}(?:st|nd|rd|th)?|first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|"
    r"\w+teenth|eleventh|twelfth|twentieth|thirtieth|(?:twenty|thirty)[ -]\w+)"
)
_DIGIT = r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|ten|double|\d+)"
_REMOVED = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        r"\S+\s?@\s?\S*|\S+\s?[(\[]at[)\]]\s?\S+|\w+ at \w+ dot \w+",  # mail, handles
        r"(?:https?://|www\.)\S+|\b[\w-]+(?:[._]\w*[a-z]\w*)+\b(?:/\S*)?|\b[ur]/\S+|\w*_\w*",
        rf"\b{_NTH}(?: of)? {_MONTH}\b(?:,? \d+)?|\b{_MONTH} (?:the )?{_NTH}\b(?:,? \d+)?",
        rf"\b{_MONTH}(?=,? \d{{4}}\b)",
        r"\+?\(?\d(?:[\s()./-]*\d){5,}",  # phones, dates and numbers of cards
        r"\b\d+\s*[./-]\s*\d+\s*[./-]\s*\d+",
        rf"\b{_DIGIT}(?:[ -]+{_DIGIT}){{2,}}\b",
        rf"\b(?:\d+\w?|apt|apartment|unit|flat|suite)[ ,]+(?:[\w']+ ){{1,3}}{_STREET}\b\.?",
        r"\b(?:p\.? ?o\.? box|apt|apartment|unit|flat|suite) ?#? ?\w*\d\w*",
    )
)
_TELLS = re.compile(
    r"\b(?:name(?:s| is|['’]s|:| was)|call me|named|(?:i|we) live (?:at|in|on|near)|"
    r"(?:insta(?:gram)?|snap(?:chat)?|tik ?tok|twitter|telegram|whats ?app|facebook|fb|discord|"
    r"skype|we ?chat|kakao(?: ?talk)?|user ?name|handle|login|password|maiden name|member id|"
    r"(?:insurance|policy|group|record|claim|member) (?:number|no|id))(?:\s+(?:is|at|on|name))?)"
    r"[\s:,]*$",
    re.I,
)
"""What stands before words that say who somebody is."""
_INTRODUCES = re.compile(
    rf"\b(?:mr|mrs|ms|miss|mister|dr|doctor|prof|professor|nurse|dear|hi|hello|{_KIN}|this is|i am|"
    r"i['’]?m|its|it['’]s|called|regards|thanks|cheers|sincerely|love|yours|ask|asked|saw|see|"
    r"with|by|and)[\s.,:-]*$",
    re.I,
)
"""What may stand before a name, where a word that can be one is taken for one."""
_TOLD = 3
"""Words that go after what `_TELLS`, up to a comma or a stop word."""
_TOKEN = re.compile(rf"{GONE}|[^\W_]+(?:[-'’.,:/][^\W_]+)*|[?!.,%;:\n]")
_NUMBER = re.compile(r"\d[\d.,:/-]*[a-z]{0,3}", re.I)
_FOREIGN = re.compile(r"[^\W\d_a-z\u00c0-\u024f\u1e00-\u1eff]", re.I)
_LONGEST_FOREIGN = 8
_SHORTEST_OF_NAME = 3
_TITLE = re.compile(r"\b(?:mr|mrs|ms|mx|miss|mister|dr|prof|professor)\.?\s+$", re.I)
_ST_JOHNS = re.compile(r"\bst\.? john['’]?s?[ -]wort\b", re.I)


class Vocabulary:
    """The words of the pages, as they write them. A `Known`."""

    def __init__(
        self, documents: Iterable[Document], names: Iterable[str] = (),
        subjects: Iterable[tuple[str, ...]] = (),
    ) -> None:  # fmt: skip
        """Learn the words of pages, those of other `names` for what they are about, and stems.

        `subjects` are stemmed names of what visitors ask about, whether any page does or not.
        """
        self._stems = {stem for name in subjects for stem in name}
        self._lower: set[str] = {"wort"}
        self._capital: set[str] = set()
        for document in documents:
            self._learn(document.text)
            self._learn_names((document.title, *document.aliases))
        self._learn_names(names)

    def __call__(self, word: str) -> bool:
        """Tell whether the pages write `word` so, with its capital or without."""
        cut = re.sub(r"['’]s?$", "", word)
        written_so = cut.lower() in (self._capital if cut[:1].isupper() else self._lower)
        return written_so or not self._stems.isdisjoint(terms(cut)[:1])

    def _learn(self, text: str) -> None:
        """Learn the words of a text that begin small: a capital in a page may be anybody's name."""
        self._lower |= {
            word.lower() for word in re.findall(r"[^\W_]+", text) if not word[0].isupper()
        }

    def _learn_names(self, names: Iterable[str]) -> None:
        for name in (n.lower() for n in names):
            # "ho" is a cough in Vietnamese, and a family
            own = {w for w in re.findall(r"[^\W_]+", name) if len(w) >= _SHORTEST_OF_NAME}
            own -= _names()  # St John's wort makes no John known
            self._lower |= own | {name}
            self._capital |= own | {name}


@dataclass(slots=True)
class _Token:
    text: str
    kept: bool
    doubtful: bool = False


class Recorder:
    """Keeps gaps and ratings in the journal, without what could name anyone."""

    def __init__(self, journal: Journal, privacy: Privacy, known: Known) -> None:
        """Keep in `journal` the words that are `known`, or all if `privacy` says so."""
        self._journal = journal
        self._privacy = privacy
        self._known = known
        self._tidied: date | None = None

    def asked(self, question: str, answer: Answer) -> None:
        """Keep a question that found no answer. Never raises: the visitor's answer goes first."""
        triage = answer.trace.triage
        near = answer.hits[0].chunk.document.id if answer.hits else ""
        try:
            self._forget_what_is_old()
            if answer.kind != "refusal" or triage.kind not in ("answer", "personal"):
                return
            self._journal.add_gap(Gap(self._words(question), answer.kind, triage.lang, near))
        except JournalError as error:
            _log.warning("a question without an answer was not kept: %s", error)

    def rated(
        self, question: str, helpful: bool, reason: str, kind: str, pages: Iterable[str]
    ) -> None:
        """Keep a rating. `reason` is one of REASONS or empty. Raises ValueError, JournalError."""
        if reason and reason not in REASONS:
            raise ValueError(f"reason = {reason!r} is not one of {', '.join(REASONS)}")
        said = self._words(question) if kind in _WORDS_OF_QUESTIONS else ""
        self._journal.add_feedback(Feedback(helpful, reason, kind, tuple(pages), said))

    def _forget_what_is_old(self) -> None:
        """Keep the promise of `keep_days`, once a day, also where the server runs for years."""
        today = datetime.now(UTC).date()
        if today != self._tidied:
            self._journal.expire(self._privacy.keep_days)
            self._tidied = today

    def _words(self, question: str) -> str:
        if self._privacy.keep_questions:
            return question[:_MOST]
        return scrub(question, self._known)


def scrub(question: str, known: Known) -> str:
    """Return `question` with known words only: digits become "#", all other words "…"."""
    text = unicodedata.normalize("NFKC", question[:_MOST])
    text = "".join(c for c in text if unicodedata.category(c) != "Cf")
    text = _ST_JOHNS.sub("wort", text)
    for pattern in _REMOVED:
        text = pattern.sub(f" {GONE} ", text)
    if sum(c.isupper() for c in text) > sum(c.islower() for c in text):
        text = text.lower()  # all in capitals: they tell nothing
    tokens = list(_judged(text, known))
    for at, token in enumerate(tokens):
        beside = (*tokens[max(0, at - 1) : at], *tokens[at + 1 : at + 2])
        if token.doubtful and any(t.text == GONE or not t.kept for t in beside):
            token.kept = False
    said = " ".join(t.text if t.kept else GONE for t in tokens)
    said = re.sub(r"\s+([?!.,%;:])", r"\1", said)
    said = re.sub(rf"{GONE}(?:[\s,.;:!]*{GONE})+", GONE, said)
    return re.sub(r"#(?:\s*#)+", "#", said).strip(" ,.;:")


def _judged(text: str, known: Known) -> Iterator[_Token]:
    """Yield the words and marks of `text`, and whether each is kept."""
    starts, told = True, 0
    for found in _TOKEN.finditer(text):
        word, before = found[0], text[max(0, found.start() - 40) : found.start()]
        if not word[0].isalnum():
            starts, told = word in ".!?\n", told if word == ":" else 0
            yield _Token("." if word == "\n" else word, True)
            continue
        if _TELLS.search(before):
            told = _TOLD
        if _NUMBER.fullmatch(word):
            yield _Token("#", True)
        elif told and word.lower() not in STOPWORDS:
            told -= 1
            yield _Token(word, False)
        else:
            told = 0
            yield from _word(word, before, starts, known)
        starts = False


def _word(word: str, before: str, starts: bool, known: Known) -> Iterator[_Token]:
    if _FOREIGN.search(word):
        yield from (_Token(part, part != GONE) for part in _foreign(word, known))
        return
    for part in [word] if known(word) else re.split(r"[-.,:/]", word):
        capital, bare = part[0].isupper(), re.sub(r"['’]s?$", "", fold(part))
        everyday, can_be_name = _is_everyday(part), bare in _names()
        introduced = _INTRODUCES.search(before) is not None or (starts and not everyday)
        is_name = (can_be_name and (capital or introduced)) or bool(
            _TITLE.search(before) and not everyday
        )
        in_pages = len(bare) > 1 and (known(part) or (starts and known(part.lower())))
        kept = (everyday and starts) or ((everyday or in_pages) and not is_name)
        capital_inside = capital and not starts and not re.match(r"I\b", part)
        yield _Token(part, kept, capital_inside or (can_be_name and not everyday))


def _is_everyday(word: str) -> bool:
    bare = re.sub(r"['’]", "", word).lower()
    cut = re.sub(r"['’].*$", "", word).lower()
    return bare in _EVERYDAY or cut in _EVERYDAY or cut in STOPWORDS or bare in STOPWORDS


def _foreign(run: str, known: Known) -> Iterator[str]:
    """Yield the known names in a run of letters that are not Latin, and GONE for the rest."""
    at = 0
    while at < len(run):
        ends = range(min(len(run), at + _LONGEST_FOREIGN), at + 1, -1)
        end = next((end for end in ends if known(run[at:end])), 0)
        yield run[at:end] if end else GONE
        at = end or at + 1


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    return frozenset(tomllib.loads(_NAMES.read_text("utf-8"))["names"].split())
