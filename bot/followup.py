"""History + question -> a question that stands alone. No model.

A page's titles and aliases are the things a visitor can be talking about: treatments, conditions,
everything else. A short question that points back ("does it hurt?", "and for my neck?") or names
nothing ("how long does that last?") takes over what it leaves out from the last question that
named it, or the whole of that question. Does not resolve "the second one".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Literal

from bot.relevance import asked as asked_for
from bot.types import Turn
from index.english import information
from index.text import terms, words
from index.types import Document

Slot = Literal["treatment", "condition", "other"]

_POINTS_BACK = re.compile(
    r"^(and|or|but|so|also|what about|how about|what if|then|ok(ay)?( and| so)?|same for|why|"
    r"why not|really|how come)\b",
    re.I,
)
_PRONOUN = re.compile(
    r"\b(?:it|its|they|them|the treatment|the procedure|the needles?|that one|the other one|"
    r"(?:that|this|those|these)(?=\s*(?:$|[?.!,;(])|\s+(?:is|are|was|were|do|does|did|can|could|will|"
    r"would|really|actually|still|ever|even|hurts?|helps?|works?|costs?|takes?|lasts?|means?|safe)\b))"
    r"(?!\w)",
    re.I,
)
_COMPARES = re.compile(
    r"\b(?:it|they|that)\b.*\b(?:differ\w*|than|versus|vs|compar\w+|the same as|like)\b", re.I
)
_LEAD_IN = re.compile(
    r"^\s*(?:(?:and|or|but|so|also|ok(?:ay)?|then|what about|how about|same for)[\s,]+)+", re.I
)
_WORKS = re.compile(
    r"^(\s*(?:so |but |and )?(?:do|does|did|will|would|can) (?!i\b|we\b|you\b).*\b)works?\b", re.I
)
_WHAT_MAY_HURT = (
    r"((?: (?!(?:be|very|really|so|too|more|less|not|any|good|for|from|with|my|your)\b)\w+){1,5})"
    r"(?: be)?"
)
_PAINFUL = re.compile(
    rf"\b(?:is|are|will|would){_WHAT_MAY_HURT}(?: very| really| so| too|( more| less))? painful\b"
    r"(?=\W*$|[?.!,;]| (?:and|or|but|than|if|when|during|after\w*|at|in|on|for (?!me\b|my\b))\b)",
    re.I,
)
_HOW_PAINFUL = re.compile(rf"\bhow painful (?:is|are|will|would){_WHAT_MAY_HURT}", re.I)
_FOR_IT = re.compile(r"\bfor (it|this|that|those|these)\b", re.I)
_TO_US = re.compile(r"\b(you|your|yours)\b", re.I)
_PARTS = re.compile(
    r"(?:\?+\s+(?:and |or |also |plus )?|;\s+|,?\s+(?:and|plus|also|and also)\s+)"
    r"(?=(?:how|what|whats|which|who|where|when|why|does|do|did|is|are|can|could|will|would|should)\b)",
    re.I,
)
_MOST_PARTS = 3
_LEAST_WORDS = 3
_SHORT = 7
_LONG = 12
_LONGEST = 16
_TELLING = 6.5
"""Information (nats) from which on a word may be what a question is about; "hurt" has 7."""
_LINKS: dict[Slot, str] = {"treatment": "with", "condition": "for", "other": "about"}
_BODY = re.compile(
    r"\b(back|neck|knees?|hips?|shoulders?|elbows?|wrists?|hands?|fingers?|thumbs?|feet|foot|heels?|"
    r"ankles?|jaw|head|legs?|arms?|calf|toes?|spine)\b",
    re.I,
)
_NEEDLES = re.compile(r"\b(needl(es?|ed|ing)|pins)\b", re.I)
"""What people call acupuncture when they name no treatment: "would needles help"."""
_NO_PAIN_AFTER = re.compile(
    r"\s*(pain|ache|arthritis|injur|sprain|spur|replace|surgery|operat|tendon|swell)", re.I
)


@dataclass(frozen=True)
class Topics:
    """What the pages are about: (name as words, slot), longest first."""

    names: tuple[tuple[tuple[str, ...], str, Slot], ...]

    @classmethod
    def of(cls, documents: Iterable[Document]) -> Topics:
        """Collect titles and aliases of pages; a treatment's or condition's come before others'."""
        found: dict[tuple[str, ...], tuple[str, Slot]] = {}
        for document in sorted(documents, key=lambda d: _slot(d) == "other"):
            for name in (document.title, *document.aliases):
                if key := tuple(words(name)):
                    found.setdefault(key, (name, _slot(document)))
        longest = sorted(found.items(), key=lambda item: (-len(item[0]), item[0]))
        return cls(tuple((key, name, slot) for key, (name, slot) in longest))

    def named(self, question: str) -> dict[Slot, str]:
        """Return the longest name of each slot that `question` uses, as the visitor wrote it."""
        spans = [(m.start(), m.end()) for m in re.finditer(r"[^\W_]+(?:['’][^\W_]+)?", question)]
        tokens = [(words(question[a:b]) or [""])[0] for a, b in spans]
        found: dict[Slot, str] = {}
        singular = {token.rstrip("s") for token in tokens}
        possible = {
            at
            for token in singular
            for at in self._by_start.get(token, ())
            if singular.issuperset(word.rstrip("s") for word in self.names[at][0])
        }
        for key, _, slot in (self.names[at] for at in sorted(possible)):
            if slot in found:
                continue
            for at in range(len(tokens) - len(key) + 1):
                if all(_same(t, k) for t, k in zip(tokens[at : at + len(key)], key, strict=True)):
                    found[slot] = question[spans[at][0] : spans[at + len(key) - 1][1]]
                    break
        if "condition" not in found and (part := _BODY.search(question)):
            after = question[part.end() :]
            found["condition"] = part[0] + ("" if _NO_PAIN_AFTER.match(after) else " pain")
        return found

    @cached_property
    def _by_start(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for at, (key, _, _) in enumerate(self.names):
            found.setdefault(key[0].rstrip("s"), []).append(at)
        return found


def worded(question: str) -> str:
    """Return a question in words that say one thing only, as the pages do.

    "Does it work" becomes "does it help": pages keep "work" for how a treatment acts. "Is it
    painful" becomes "does it hurt": "pain" is what treatments are for.
    """
    hurts = _HOW_PAINFUL.sub(r"does\1 hurt", _PAINFUL.sub(r"does\1 hurt\2", question))
    return _WORKS.sub(r"\1help", hurts)


def parts(question: str) -> tuple[str, ...]:
    """Return the questions that `question` asks, in order: itself, if it is one.

    What is told before the first of them stays with it. "How much is it and does it hurt" is two.
    """
    found = [part.strip(" ,;") for part in _PARTS.split(question)]
    found = [part for part in found if part]
    if not 2 <= len(found) <= _MOST_PARTS or any(len(words(part)) < _LEAST_WORDS for part in found):
        return (question,)
    return tuple(found)


def points_nowhere(question: str, topics: Topics) -> bool:
    """Tell whether a first question says only "it" and "that one": there is nothing to look up."""
    if not _PRONOUN.search(question) or topics.named(question):
        return False
    own = terms(question)
    return not own or (asked_for(question) == "other" and max(map(information, own)) < _TELLING)


def standalone(question: str, history: Sequence[Turn], topics: Topics) -> str:
    """Return `question` as it would be asked without the conversation before it."""
    if not history or not _depends(question, topics):
        return question
    earlier = dict(_last_topics(history, topics))
    if "treatment" not in earlier and asked_for(question) in ("hurts", "safe"):
        if _NEEDLES.search(_last_question(history)):  # a jaw does not hurt by being asked about
            earlier["treatment"] = "acupuncture"
    if not earlier:
        before = _last_question(history)
        return f"{question.strip(' ?.!')} ({before.strip(' ?.!')})?" if before else question
    own = topics.named(question)
    bare = _LEAD_IN.sub("", question).strip(" ?.!")
    missing = {slot: name for slot, name in earlier.items() if slot not in own}
    if (
        own.keys() - {"other"}
        and _POINTS_BACK.match(question.strip())
        and len(words(bare)) <= _SHORT
    ):
        template = _last_full(history, topics)
        if len(words(template)) <= _LONG:
            return _swap(template, topics.named(template), own) if template else question
    subject = missing.get("treatment") or missing.get("condition")
    asked = bare
    if "condition" in missing and subject != missing["condition"]:
        asked = _FOR_IT.sub(f"for {missing['condition']}", asked)
    if "treatment" in own and _COMPARES.search(asked):
        subject = earlier.get("treatment")
    if subject and ("treatment" not in own or _COMPARES.search(asked)):
        asked, count = _PRONOUN.subn(subject, asked, count=1)
        if count and len(words(bare)) <= _SHORT:  # "does it hurt?", whatever it was for
            missing = {}
        elif count:
            missing = {slot: name for slot, name in missing.items() if name not in asked}
    tail = " ".join(f"{_LINKS[slot]} {name}" for slot, name in missing.items())
    return f"{asked} {tail}".strip() + "?"


def _depends(question: str, topics: Topics) -> bool:
    """Tell whether a question leans on what was said before."""
    text = question.strip()
    own = topics.named(text)
    if _POINTS_BACK.match(text):
        return len(words(text)) <= _LONGEST
    if "treatment" in own:
        return bool(_COMPARES.search(text))
    if _PRONOUN.search(text) and not own.keys() - {"other"}:
        return True
    return not own and len(words(text)) <= _LONG and not _TO_US.search(text)


def _last_topics(history: Sequence[Turn], topics: Topics) -> Mapping[Slot, str]:
    """Return the topics last named, of each slot, back to a question that stood on its own.

    Emergencies and chat are left out.
    """
    found: dict[Slot, str] = {}
    for turn in reversed(history):
        if turn.kind in ("answer", "personal", "refusal"):
            found = topics.named(turn.standalone) | found
            if found and _stood_alone(turn):
                break
    return found


def _stood_alone(turn: Turn) -> bool:
    """Tell whether nothing but spelling and wording was changed in what was asked."""
    same_length = len(words(turn.standalone)) == len(words(turn.question))
    return turn.standalone == turn.question or (same_length and not _PRONOUN.search(turn.question))


def _last_question(history: Sequence[Turn]) -> str:
    asked = (t.standalone for t in reversed(history) if t.kind in ("answer", "personal", "refusal"))
    return next(asked, "")


def _last_full(history: Sequence[Turn], topics: Topics) -> str:
    for turn in reversed(history):
        if turn.kind in ("answer", "personal", "refusal") and topics.named(turn.standalone):
            return turn.standalone
    return ""


def _swap(template: str, had: Mapping[Slot, str], has: Mapping[Slot, str]) -> str:
    """Put the new names where the old ones of the same slot stood; add those that had no place."""
    for slot, name in has.items():
        old = had.get(slot)
        core = old.removesuffix(" pain") if old and old not in template else old
        if core and core in template:
            template = template.replace(core, name, 1)
        else:
            link = "for" if slot == "condition" else "with"
            template = f"{template.rstrip(' ?.!')} {link} {name}?"
    return " ".join(word for word, _ in groupby(template.split()))


def _slot(document: Document) -> Slot:
    return document.kind if document.kind in ("treatment", "condition") else "other"


def _same(token: str, key: str) -> bool:
    return token == key or token.rstrip("s") == key.rstrip("s") != ""
