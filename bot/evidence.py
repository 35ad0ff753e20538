"""How sure we are that the pages bear on a question at all, 0..1. Pure.

Two things speak for it: the best passage is similar, and the words that carry the question are
words of the pages. One speaks against it, whatever the rest: the question is about a condition or
a treatment (`subjects.toml`) that no page names. "Does acupuncture help shingles" is close to many
passages. Weights were fitted (logistic regression) on questions that the pages answer and 120 that
they do not, then the bias set so that 97 of 100 answerable ones pass: `citewell eval abstention`.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from index.english import information
from index.glossary import Expansion
from index.text import terms, words
from index.types import Hit

_BIAS, _COSINE, _MISSING = -1.1, 7.0, 3.47
_LONGEST = 4
"""Terms in the longest name of a subject."""
_EVERYWHERE = 0.2
"""Share of the passages from which on a term says nothing of the subject."""
_SUBJECTS = Path(__file__).with_name("subjects.toml")

Mentions = Callable[[Sequence[str]], int]
"""Counts how often the pages say stemmed terms one after the other."""
_FEWEST = {"condition": 1, "treatment": 2}
"""Mentions from which on the pages are about a subject; a treatment is often named in passing."""


def evidence(
    asked: Expansion, hits: Sequence[Hit], share: Callable[[str], float], mentions: Mentions,
    lang: str, reads: Sequence[str] = ("en",),
) -> float:  # fmt: skip
    """Return the probability that the pages answer.

    `share` tells in which part of the passages a stemmed term stands, 0 if in none; `reads` names
    the languages of the embedding model.
    """
    if not hits or unnamed(asked, mentions):
        return 0.0
    if lang not in reads:
        return _in_another_language(asked)
    cosine = max((hit.dense for hit in hits if hit.dense is not None), default=0.0)
    lacking = missing(asked, share) if lang == "en" else 0.0  # the pages' words are English
    return 1 / (1 + math.exp(-(_BIAS + _COSINE * cosine - _MISSING * lacking)))


def missing(asked: Expansion, share: Callable[[str], float]) -> float:
    """Return the share of the question's information in words no page holds, 0..1.

    Treatments, and words that stand all over the pages, count for neither side: that a clinic's
    pages speak of acupuncture does not mean they answer what is asked about it.
    """
    bridged = {term for word in asked.bridged for term in terms(word)}
    treatments = (title for title, kind in asked.topics.items() if kind == "treatment")
    named = {term for title in treatments for term in terms(title)}
    lacking = known = 0.0
    for term in {*terms(asked.question), *bridged} - named:
        if share(term) > _EVERYWHERE:
            continue
        if term in bridged or share(term) > 0:
            known += information(term)
        else:
            lacking += information(term)
    return lacking / (lacking + known) if lacking else 0.0


def unnamed(asked: Expansion, mentions: Mentions) -> str:
    """Return the condition or treatment that the question is about and no page names, or "".

    A question that names another one that the pages do have is about that one.
    """
    kinds = set(asked.topics.values())
    bridged = {tuple(terms(word)) for word in asked.bridged}
    question = terms(asked.question)
    for kind, names in subjects().items():
        for start in range(len(question)) if kind not in kinds else ():
            for end in range(start + 1, min(start + _LONGEST, len(question)) + 1):
                phrase = tuple(question[start:end])
                if phrase not in names or phrase in bridged:
                    continue
                if mentions(phrase) < _FEWEST[kind]:
                    return " ".join(phrase)
    return ""


@lru_cache(maxsize=1)
def subjects() -> Mapping[str, frozenset[tuple[str, ...]]]:
    """Return the subjects of `subjects.toml` as stemmed terms, by kind of page."""
    listed = tomllib.loads(_SUBJECTS.read_text("utf-8"))
    return {
        kind.removesuffix("s"): frozenset(tuple(terms(name)) for name in names.split(";"))
        for kind, names in listed.items()
    }


def _in_another_language(asked: Expansion) -> float:
    """Trust a question we cannot read only where the glossary bridges most of it."""
    unread = [w for w in words(asked.question) if w not in asked.bridged and len(w) >= 5]
    return 1.0 if len(asked.names) >= 2 or (asked.names and len(unread) <= 2) else 0.0
