"""Which words of a visitor's may be kept: those that cannot say who asked. Pure.

A word stays only if the clinic's pages use it or it is everyday English, so what stays is what the
pages could have answered. Words that are people's names as well go where they stand as a name
(`bot.tells`). Cannot tell a name from a thing where only the sense of the sentence does, nor
recognise people by the rare thing that they have: see tests/data/personal_details.jsonl.
"""

from __future__ import annotations

import re
import tomllib
import traceback
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from bot.tells import (
    ACTS,
    GONE,
    GREETS,
    INTRODUCES,
    NUMBERS,
    PRESENTS,
    REMOVED,
    ST_JOHNS,
    TELLS,
    TITLE,
)  # fmt: skip
from index.text import STOPWORDS, fold, terms
from index.types import Document

Known = Callable[[str], bool]
"""Tells whether the pages write a word so, its capital included."""

LONGEST = 1500
"""Characters of a question that are read: as many as are answered."""
_NAMES = Path(__file__).with_name("names.toml")
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
    uncle aunt grandma grandpa price prices case chance anybody booked booking dropped folks mg
    spend telling telephone foot feet""".split()
)
_TOLD = 3
"""Words that go after what `TELLS`, up to a comma or a stop word."""
_TOKEN = re.compile(rf"{GONE}|[^\W_]+(?:[-'’.,:/][^\W_]+)*|[?!.,%;:\n]")
_NUMBER = re.compile(r"\d[\d.,:/-]*[a-z]{0,3}", re.I)
_FOREIGN = re.compile(r"[^\W\d_a-z\u00c0-\u024f\u1e00-\u1eff]", re.I)
_LONGEST_FOREIGN = 8
_SHORTEST_OF_NAME = 3
_DONE = STOPWORDS | frozenset(
    "told said says gave wanted wants thinks thought asked put took".split()
)
"""What a doctor without a name does: "my dr told me"."""
_LISTING = (",", "and")
_FRAMES = 6
"""Calls that the log names of an error, the last ones."""
_FEW = 4
"""So many words tell whether a visitor writes every word with a capital."""


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
        stems = terms(cut)
        return written_so or bool(stems and self._stems.issuperset(stems))

    def _learn(self, text: str) -> None:
        """Learn the words of a text that begin small: a capital in a page may be anybody's name."""
        self._lower |= {
            word.lower() for word in re.findall(r"[^\W_]+", text) if not word[0].isupper()
        }

    def _learn_names(self, names: Iterable[str]) -> None:
        for name in (n.lower() for n in names):
            # "ho" is a cough in Vietnamese, and a family
            own = {w for w in re.findall(r"[^\W_]+", name) if len(w) >= _SHORTEST_OF_NAME}
            own -= _names()[0]  # St John's wort makes no John known
            self._lower |= own | {name}
            self._capital |= own | {name}


@dataclass(slots=True)
class _Token:
    text: str
    kept: bool
    can_be_name: bool = False
    capital: bool = False


def scrub(question: str, known: Known) -> str:
    """Return `question` with known words only: digits become "#", all other words "…"."""
    tokens = list(_judged(_plain(question), known))
    _drop_unknown_names(tokens, known)
    for at, token in enumerate(tokens):
        if (token.capital or token.can_be_name) and any(
            t.text == GONE or not t.kept for t in _beside(tokens, at)
        ):
            token.kept = False
    said = " ".join(t.text if t.kept else GONE for t in tokens)
    said = re.sub(r"\s+([?!.,%;:])", r"\1", said)
    said = re.sub(rf"{GONE}(?:[\s,.;:!]*{GONE})+", GONE, said)
    return re.sub(r"#(?:\s*#)+", "#", said).strip(" ,.;:")


def unsaid(error: BaseException) -> str:
    """Return what kind of error arose and where, for the log; what it says may quote a visitor."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f"{Path(at.filename).name}:{at.lineno}" for at in frames[-_FRAMES:]]
    return f"{type(error).__name__} at {' > '.join(own) or 'no known place'}"


def _beside(tokens: list[_Token], at: int) -> list[_Token]:
    """Return what stands before and after a word; names stand in lists: "Joan, Hope and Joy"."""
    before = at - 1
    while before > 0 and tokens[at].can_be_name and tokens[before].text in _LISTING:
        before -= 1
    return [*tokens[max(0, before) : before + 1], *tokens[at + 1 : at + 2]]


def _plain(question: str) -> str:
    """Return the text in which words are looked at, without what goes in any case."""
    text = unicodedata.normalize("NFKC", question[:LONGEST])
    text = "".join(c for c in text if unicodedata.category(c) != "Cf")
    text = ST_JOHNS.sub("wort", text)
    for pattern in REMOVED:
        text = pattern.sub(f" {GONE} ", text)
    text = NUMBERS.sub("0", text)
    words = [word for word in re.findall(r"[^\W\d_]+", text) if word.lower() not in STOPWORDS]
    capitals = sum(word[0].isupper() for word in words)
    shouted = sum(c.isupper() for c in text) > sum(c.islower() for c in text)
    # where every word has a capital, capitals tell nothing
    return text.lower() if shouted or (len(words) >= _FEW and capitals == len(words)) else text


def _drop_unknown_names(tokens: list[_Token], known: Known) -> None:
    """Drop runs of words with capitals, unless the pages have a name for what they say."""
    at = 0
    while at < len(tokens):
        end = at
        while end < len(tokens) and tokens[end].capital:
            end += 1
        run = tokens[at:end]
        if len(run) > 1 and not known(" ".join(token.text for token in run).lower()):
            for token in run:
                token.kept = False
        at = end + 1 if end == at else end


def _judged(text: str, known: Known) -> Iterator[_Token]:
    """Yield the words and marks of `text`, and whether each is kept."""
    starts, told = True, 0
    for found in _TOKEN.finditer(text):
        word, before = found[0], text[max(0, found.start() - 40) : found.start()]
        if not word[0].isalnum():
            starts = word in ".!?\n" and not TITLE.search(f"{before}. ")
            told = told if word == ":" else 0
            yield _Token("." if word == "\n" else word, True)
            continue
        begins = TELLS.search(before) is not None
        told = _TOLD if begins else told
        if _NUMBER.fullmatch(word):
            yield _Token("#", True)
        elif told and (begins or word.lower() not in STOPWORDS):  # "An" is a name as well
            told -= word.lower() not in STOPWORDS
            yield _Token(word, False)
        else:
            told = 0
            acts = ACTS.match(text, found.end()) is not None
            yield from _word(word, _Place(before, starts, acts), known)
        starts = False


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a word stands: what comes before it, and whether what comes after is a person's."""

    before: str
    starts: bool
    acts: bool


def _word(word: str, place: _Place, known: Known) -> Iterator[_Token]:
    if _FOREIGN.search(word):
        yield from (_Token(part, part != GONE) for part in _foreign(word, known))
        return
    parts = [word] if known(word) else re.split(r"[-.,:/]", word)
    if len(parts) > 1 and not _parts_may_stay(parts, known):
        yield _Token(word, False)  # a number of somebody, or a name in two parts
        return
    for part in parts:
        if part.isdigit():
            yield _Token("#", True)
            continue
        capital = part[0].isupper() and not place.starts and not re.match(r"I\b", part)
        titled = TITLE.search(place.before) and (part[0].isupper() or part not in _DONE)
        is_name, can_be_name = _named(part, place)
        everyday = _is_everyday(part)
        kept = not is_name and not titled and (
            _in_pages(part, place.starts, known) or (everyday and not _odd_capital(part, capital))
        )  # fmt: skip
        yield _Token(part, kept, can_be_name and not everyday, capital)


def _named(part: str, place: _Place) -> tuple[bool, bool]:
    """Tell whether a word is somebody's name where it stands, and whether it can be one."""
    bare = re.sub(r"['’]s?$", "", fold(part))
    names, things = _names()
    everyday = _is_everyday(part)
    capital = part[0].isupper() and not (everyday and place.starts)
    if bare in names:
        introduced = INTRODUCES.search(place.before) or (place.starts and not everyday)
        return bool(capital or place.acts or (introduced and not everyday)), True
    greeted = place.starts or GREETS.search(place.before)
    presented = PRESENTS.search(place.before) or (greeted and place.acts)
    return bare in things and bool(presented), bare in things


def _odd_capital(part: str, capital: bool) -> bool:
    """Tell whether an everyday word has a capital where it needs none: "Mr Long", "at Hope"."""
    return capital and not (part.isupper() and len(part) > 1)


def _in_pages(part: str, starts: bool, known: Known) -> bool:
    return len(part) > 1 and (known(part) or (starts and known(part.lower())))


def _parts_may_stay(parts: list[str], known: Known) -> bool:
    """Tell whether a word of several parts can be looked at part by part."""
    words = [part for part in parts if not part.isdigit()]
    coded = any(c.isdigit() for part in parts for c in part)
    if not coded and not any(part[:1].isupper() for part in parts):
        return True
    return all(
        (_is_everyday(word) or _in_pages(word, False, known) or known(word.lower()))
        and not (coded and word.isalpha() and not word.islower())
        for word in words
    )


def _is_everyday(word: str) -> bool:
    bare = re.sub(r"['’]", "", word).lower()
    cut = re.sub(r"['’].*$", "", word).lower()
    return bare in _EVERYDAY or cut in _EVERYDAY or cut in STOPWORDS or bare in STOPWORDS


def _foreign(run: str, known: Known) -> Iterator[str]:
    """Yield the known names in a run of letters that are not Latin, and GONE for the rest."""
    at = 0
    while at < len(run):
        ends = range(min(len(run), at + _LONGEST_FOREIGN), at + 1, -1)
        names = (end for end in ends if run[at:end].isalpha() and known(run[at:end]))
        end = next(names, 0)
        yield run[at:end] if end else GONE
        at = end or at + 1


@lru_cache(maxsize=1)
def _names() -> tuple[frozenset[str], frozenset[str]]:
    """Return people's names, and the words for things that are people's names too."""
    lists = tomllib.loads(_NAMES.read_text("utf-8"))
    return frozenset(lists["names"].split()), frozenset(lists["things"].split())
