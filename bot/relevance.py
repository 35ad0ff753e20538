"""How well one sentence answers a question: what a reader would look for, weighed. Pure.

Each sentence of a retrieved passage gets a handful of features, and their weights make one score.
The weights were fitted by `citewell eval fit` on the development questions, golden and hard.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from index.sentences import leans_back
from index.text import terms
from index.types import Hit

Asked = Literal[
    "may", "why", "care", "works", "safe", "amount", "hurts", "differs", "cost", "what", "other"
]

_ASKED: tuple[tuple[Asked, str], ...] = (
    (
        "may",
        r"\b((should|may|can|could|must|shall) (i|we|my \w+|he|she|they)|ok(ay)? (for|to|if|with)|"
        r"(safe|alright|all right|allowed|bad idea) (for me|for my|if i|to|with my)|do i need|"
        r"have to (stop|quit|skip))\b(?!.*\b(expect|cost|pay)\b)",
    ),
    ("why", r"\b(why|how come|reasons?|whats behind)\b"),
    ("cost", r"\b(costs?|prices?|pay|insurance|medicare|cover(ed|s)?|expensive|cheap\w*)\b"),
    (
        "amount",
        r"\b(how (many|long|often|much (did|does|is|of|better|less|more))|number of|"
        r"percent\w*)\b|\d%",
    ),
    (
        "care",
        r"\b(what|which|anything|something)\b.*\b(settles?|calms?|helps?|eases?|treats?|meant to|"
        r"supposed to|normally (do|try)|usual(ly)?|first|gets? it better|can i do|should i do|"
        r"to do)\b|\b(treated|home remed\w+|self.?care)\b",
    ),
    ("differs", r"\b(differ\w*|versus|vs|compared|comparison|better than|or is|rather than)\b"),
    ("hurts", r"\b(hurts?|painful|sore|sting|feel like)\b(?!.*\b(my|help|for)\b)"),
    ("safe", r"\b(safe\w*|risks?|side effects?|danger\w*|harm\w*|complication\w*|go wrong|bad)\b"),
    (
        "works",
        r"\b(help\w*|work\w*|effective\w*|good for|treat\w*|eases?|reliev\w*|relief|cure\w*|"
        r"heal\w*|fix\w*|evidence|benefit\w*|improve\w*|placebo|worth|shrink|dissolve)\b",
    ),
    ("what", r"\b(what (is|are|does)|whats|what's|define|meaning|explain)\b"),
)
_CUES: dict[Asked, re.Pattern[str]] = {
    "may": re.compile(
        r"\b(ask|tell|never|do not|don't|agree\w*|agreement|unless|avoid|should|need|must|check|"
        r"pharmacist|prescribe\w*)\b",
        re.I,
    ),
    "why": re.compile(
        r"\b(because|reasons?|so that|due to|comes? from|explain\w*|yardsticks?|causes?)\b", re.I
    ),
    "works": re.compile(
        r"\b(help\w*|eas\w+|reliev\w*|better|evidence|trials?|reviews?|found|"
        r"shown?|improv\w*|no (good|reliable)|less pain)\b",
        re.I,
    ),
    "safe": re.compile(
        r"\b(safe|risks?|bleed\w*|bruis\w*|infection|injur\w*|harm\w*|side effects?|"
        r"puncture|serious|avoid|ask)\b",
        re.I,
    ),
    "amount": re.compile(
        r"\d|\b(two|three|four|five|six|ten|dozens?|half|no single number)\b", re.I
    ),
    "hurts": re.compile(r"\b(hurt\w*|ach\w+|sore\w*|sharp\w*|pain\w*|feel\w*|dull)\b", re.I),
    "care": re.compile(
        r"\b(first|mainstay|main|exercise\w*|rest|splints?|braces?|stretch\w*|diet|food|ice|heat|"
        r"advised|therapy|keep|strength\w*|moving|medicines?|shots?|insoles?|shoes|usual)\b",
        re.I,
    ),
    "differs": re.compile(r"\b(than|compared|while|against|unlike|both|neither|ordinary)\b", re.I),
    "cost": re.compile(r"\$|\b(cost\w*|pay\w*|pric\w*|cover\w*|Medicare|insur\w*)\b", re.I),
    "what": re.compile(r"\b(is|are|means|uses?|involves?|called)\b", re.I),
}
_URGENT = re.compile(
    r"^(call (911|the)|go to (the|an) (emergency|er\b)|get (medical )?help|see a doctor|"
    r"tell your doctor)",
    re.I,
)
_WORRIED = re.compile(
    r"\b(when|worr\w+|emergency|911|er|urgent\w*|serious|danger\w*|doctor|gp|normal|warning|signs?|"
    r"symptoms?|wrong|call|hospital|what if|should (i|we|he|she)|red flags?)\b",
    re.I,
)
_SCENES = re.compile(
    r"\b(?:(?P<back>backs?|spine|disc|sciatica)|(?P<neck>necks?|whiplash)|(?P<knee>knees?)|"
    r"(?P<hip>hips?)|(?P<shoulder>shoulders?)|(?P<elbow>elbows?)|(?P<wrist>wrists?|carpal)|"
    r"(?P<hand>hands?|fingers?|thumbs?)|(?P<foot>foot|feet|heels?|soles?|plantar)|"
    r"(?P<ankle>ankles?|achilles)|(?P<jaw>jaws?)|(?P<head>head|headaches?|migraines?)|"
    r"(?P<ear>ears?)|(?P<belly>belly|bowels?|stomach|IBS)|"
    r"(?P<surgery>surgery|operations?|surgical)|(?P<travel>travel|motion|sea)|"
    r"(?P<cancer>cancer|chemo\w*)|(?P<sleep>sleep|insomnia)|"
    r"(?P<pregnancy>pregnan\w*|morning sickness|labor|unborn)|"
    r"(?P<child>child\w*|kids?|bab(?:y|ies)))\b",
    re.I,
)
"""Parts of the body and of life that a fact about one says nothing of another."""
_SITUATIONS = frozenset({"surgery", "travel", "cancer", "pregnancy", "child"})
_BY_HEADING = 0.5
"""What a term of the question counts that only the title or the headings hold."""
_REMEMBERED = 8192
"""Sentences of pages kept in mind; the shipped ones have 2,400."""
_LEAST = 2.0
"""What a term of the question weighs at least, however common on these pages."""


class Features(NamedTuple):
    """What speaks for a sentence and against it, each about 0..1."""

    passage: float  # the score of its passage
    similar: float  # cosine of the sentence, read in its passage, to the question
    covered: float  # share of the question's rare terms it holds, or half of it in the headings
    heading: float  # share of the question's rare terms in title and headings
    unasked: float  # share of its heading that was not asked about
    first: float  # 1 for the first sentence of its passage, a half for the second, and so on
    cue: float  # words such an answer has
    number: float  # a number, where a number was asked for
    dangling: float  # "This ...", which needs the sentence before
    urgent: float  # whom to call or see, where nobody asked when to worry
    elsewhere: float  # about another part of the body or of life than the question


WEIGHTS = Features(
    passage=5.05, similar=5.23, covered=3.98, heading=0.51, unasked=-0.32, first=0.93, cue=0.92,
    number=0.91, urgent=-1.06, elsewhere=-1.01,
    dangling=-2.0,  # the shipped pages have no dangling sentence to learn from
)  # fmt: skip


def asked(question: str) -> Asked:
    """Return what kind of answer a question is after."""
    return next((kind for kind, pattern in _ASKED if re.search(pattern, question, re.I)), "other")


def score(features: Features) -> float:
    """Return what a sentence with these features is worth: a difference is one of log odds."""
    return sum(w * f for w, f in zip(WEIGHTS, features, strict=True))


class Wanted(NamedTuple):
    """What is looked for in the sentences, read from the question once."""

    kind: Asked
    terms: Mapping[str, float]
    """Its stemmed terms with their weights."""
    scenes: frozenset[str]
    worried: bool

    @classmethod
    def of(cls, question: str, rarity: Callable[[str], float]) -> Wanted:
        """Read a question; `rarity` weighs a stemmed term (inverse document frequency)."""
        weights = {term: max(_LEAST, rarity(term)) for term in terms(question)}
        worried = _WORRIED.search(question) is not None
        return cls(asked(question), weights, _scenes(question), worried)


def features(wanted: Wanted, hit: Hit, rarity: Callable[[str], float]) -> list[Features]:
    """Return the features of every sentence of a hit's passage, in order."""
    kind = wanted.kind
    cue = _CUES.get(kind)
    chunk = hit.chunk
    above = sentence_terms(" ".join((chunk.document.title, *chunk.headings)))
    heading = _share(wanted.terms, above)
    unasked = _unasked(chunk.headings[-1:], wanted.terms, rarity)
    similar = hit.by_sentence or (0.0,) * len(chunk.sentences)
    found = []
    for at, (start, end) in enumerate(chunk.sentences):
        sentence = chunk.document.text[start:end]
        own = sentence_terms(sentence)
        cued = float(bool(cue and cue.search(sentence)))
        found.append(
            Features(
                passage=hit.score,
                similar=similar[at],
                covered=_share(wanted.terms, own, above),
                heading=heading,
                unasked=unasked,
                first=1 / (1 + at),
                cue=cued if kind != "amount" else 0.0,
                number=cued if kind == "amount" else 0.0,
                dangling=float(_dangles(sentence)),
                urgent=float(not wanted.worried and _is_urgent(sentence)),
                elsewhere=_elsewhere(wanted.scenes, sentence),
            )
        )
    return found


# What a page's sentence is, whatever was asked, is worked out once: half the time of an answer.
@lru_cache(maxsize=_REMEMBERED)
def sentence_terms(sentence: str) -> frozenset[str]:
    """Return the stemmed terms of a page's sentence. Not for visitors' words: it remembers."""
    return frozenset(terms(sentence))


@lru_cache(maxsize=_REMEMBERED)
def _heading_terms(heading: str) -> tuple[str, ...]:
    return tuple(terms(heading))


@lru_cache(maxsize=_REMEMBERED)
def _scenes_of(sentence: str) -> frozenset[str]:
    return _scenes(sentence)


@lru_cache(maxsize=_REMEMBERED)
def _dangles(sentence: str) -> bool:
    return leans_back(sentence)


@lru_cache(maxsize=_REMEMBERED)
def _is_urgent(sentence: str) -> bool:
    return _URGENT.search(sentence) is not None


def _elsewhere(asked_about: frozenset[str], sentence: str) -> float:
    """Tell a knee from a neck: 1 if a sentence is about other scenes than the question alone.

    Parts of the body and situations each for themselves: a wrist point after surgery is not one
    in pregnancy.
    """
    if not asked_about:
        return 0.0
    own = _scenes_of(sentence)
    kinds = ((asked_about & _SITUATIONS, own & _SITUATIONS),
             (asked_about - _SITUATIONS, own - _SITUATIONS))  # fmt: skip
    return float(any(asked and said and asked.isdisjoint(said) for asked, said in kinds))


def _scenes(text: str) -> frozenset[str]:
    return frozenset(found.lastgroup or "" for found in _SCENES.finditer(text))


def _share(wanted: Mapping[str, float], own: Container[str], above: Container[str] = ()) -> float:
    """Return which share of the wanted terms is there; one that is only `above` counts for less."""
    total = sum(wanted.values())
    worth = (
        w if t in own else w * _BY_HEADING for t, w in wanted.items() if t in own or t in above
    )
    return sum(worth) / total if total else 0.0


def _unasked(
    headings: Sequence[str], wanted: Container[str], rarity: Callable[[str], float]
) -> float:
    """Return how much of a heading is beside the question: "in pregnancy" to "is it safe".

    A heading that shares no word with the question, as "Results", says nothing either way.
    """
    weights = {term: rarity(term) for heading in headings for term in _heading_terms(heading)}
    if not any(term in wanted for term in weights):
        return 0.0
    return sum(w for t, w in weights.items() if t not in wanted) / sum(weights.values())
