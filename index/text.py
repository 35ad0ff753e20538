"""The one way words are cut from text. Pure.

Words are lower case and without accents; terms are words without stop words, stemmed as English.
Does not segment Chinese or Japanese: runs of those letters are cut into pairs.
"""

from __future__ import annotations

import re
import unicodedata

import Stemmer
from bm25s.stopwords import STOPWORDS_EN

_WORD = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+(?:['’][^\W_]+)?")
_CONTRACTED = re.compile(r"(n['’]t|['’](s|m|re|ve|ll|d|t))$")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]+")
_QUESTION_WORDS = (
    "a about actually ai ain also am any are be been but ca can compared could definitely did "
    "do does doing don each ever every get go had has have he her him his honestly how i isn "
    "its just like many me much my ok okay our out please really she should so some than them "
    "truly u up us versus vs want was we what when where which who why wo would you your"
).split()
STOPWORDS = frozenset(STOPWORDS_EN) | frozenset(_QUESTION_WORDS)
_stemmer = Stemmer.Stemmer("english")


def fold(text: str) -> str:
    """Lower case and without accents: "Acupunción" and "acupuncion" are one."""
    decomposed = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    kept = "".join(c for c in decomposed if not "\u0300" <= c <= "\u036f")
    return unicodedata.normalize("NFC", kept)


def words(text: str) -> list[str]:
    """Return the folded words of `text` in order, "can't" as "ca", "it's" as "it"."""
    found = (_CONTRACTED.sub("", word) for word in _WORD.findall(fold(text)))
    return [word for word in found if word]


def terms(text: str) -> list[str]:
    """Return the stemmed content words of `text`, in order, as BM25 counts them."""
    kept = [w for w in words(text) if w not in STOPWORDS]
    latin = [w for w in kept if not _CJK.fullmatch(w)]
    pairs = [w[i : i + 2] for w in kept if _CJK.fullmatch(w) for i in range(max(1, len(w) - 1))]
    stems: list[str] = _stemmer.stemWords(latin)
    return stems + pairs
