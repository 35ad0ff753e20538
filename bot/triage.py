"""Raw words -> Triage, by the named rules of `triage.toml`. No model, no network, no history.

Emergencies are looked for in the raw words and in the same words with misspellings put right: by
rules, which know what they list, and by `bot.alarm`, which hears what sounds like it. Either is
enough, but a rule is overruled where the whole message sounds ordinary. When in doubt it is an
emergency, because a needless "call 911" costs less than a missed one.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

from bot import language
from bot.alarm import Heard, alarm
from bot.types import AnswerKind, Triage
from index.spelling import Speller
from index.text import fold

MAX_LENGTH = 1500
"""Characters of a question that will be answered; emergencies are looked for in all of it."""

LOUD = -0.7
"""Log odds from which a message is an emergency by its sound alone."""
NEAR = -1.6
"""Log odds from which an ordinary answer opens with what to do if it is one."""
QUIET = -1.0
"""Log odds below which a message is ordinary whatever a rule says, unless one clause is PLAIN."""
PLAIN = 1.0
"""Log odds from which one clause is enough ("I have chest pain, are you a robot?"), and which a
message needs of which the contexts leave nothing: it is asked in general, past or feared.

All four were chosen on the `dev` half of `eval/data/safety.jsonl`: see `citewell eval safety`.
"""

CLINIC_FIELDS = ("hours", "address", "prices", "insurance", "parking", "booking")
"""What a clinic can say of itself in its settings."""

_FILE = Path(__file__).with_name("triage.toml")
_BRIEF = 8
"""Letters below which a message by its sound alone must be PLAIN: "hola" is like anything."""
_WIDE = re.compile(r"[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
_CLAUSE = re.compile(r"[.!?;\n]+|\b(?:but|pero|mais|nhung)\b|지만|但是?")


@dataclass(frozen=True, slots=True)
class Rule:
    """One named rule. `patterns` holds, by language, lists of parts that must all be found.

    `caution` is what a careful clinician would look up before the question itself; `never_quote`
    bars sentences from the answer: who asks for a dose is not quoted one.
    """

    name: str
    kind: AnswerKind
    reason: str
    patterns: dict[str, tuple[tuple[re.Pattern[str], ...], ...]]
    action: str = ""
    advice: str = ""
    text: str = ""
    caution: str = ""
    source: str = ""
    unless: re.Pattern[str] | None = None
    never_quote: re.Pattern[str] | None = None
    whole: bool = False
    ignores_contexts: bool = False

    def match(self, words: str, lang: str) -> str | None:
        """Return the language whose pattern is in `words`, `lang` if it is one of them, or None."""
        order = sorted(self.patterns, key=lambda known: known != lang)
        return next((known for known in order if self._holds(words, self.patterns[known])), None)

    def _holds(self, words: str, patterns: Iterable[tuple[re.Pattern[str], ...]]) -> bool:
        if self.whole:
            words = words.strip(" .,!?")
            return any(parts[0].fullmatch(words) for parts in patterns)
        return any(all(part.search(words) for part in parts) for parts in patterns)


_Reading = tuple[str, str]
"""A message as it may be read: whole, and as far as it is about now."""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Every rule in order, the contexts that set clauses aside, and what tells a clinic's field."""

    rules: tuple[Rule, ...]
    contexts: dict[str, re.Pattern[str]]
    fields: dict[str, re.Pattern[str]]
    speller: Speller

    def find(self, name: str) -> Rule | None:
        """Return the rule called `name`, or None."""
        return next((r for r in self.rules if r.name == name), None)


def triage(question: str) -> Triage:
    """Sort one message by its raw words. Never raises; the kind "answer" means: go on."""
    book = rulebook()
    lang = language.detect(question)
    words = normalise(question)
    readings = [words]
    if lang == "en":  # the words to correct to are English; "hace" is no misspelt "face"
        readings = list(dict.fromkeys((words, normalise(book.speller.correct(question)))))
    heard = max((alarm().hear(reading) for reading in readings), key=lambda heard: heard.score)
    pairs = [(reading, present(reading, book.contexts)) for reading in readings]
    flag = _red_flag(pairs, book, lang)
    if found := _emergency(pairs, flag, book, lang, heard):
        return found
    if not re.search(r"[^\W_]", question):
        return Triage("clarify", "no words", "nothing to read", lang)
    if len(question) > MAX_LENGTH:
        return Triage("clarify", "too long", f"over {MAX_LENGTH} characters", lang)
    near = heard.score >= NEAR
    watch = heard.topic if near or _watched(pairs, flag, book, lang) else ""
    for rule in book.rules:
        for reading in readings:
            if rule.kind == "emergency" or (rule.unless and rule.unless.search(reading)):
                continue
            if spoken := rule.match(reading, lang):
                tongue = lang if spoken == "en" else spoken
                return Triage(rule.kind, rule.name, rule.reason, tongue, watch, near)
    return Triage("answer", "none", "an ordinary question", lang, watch, near)


def clinic_fields(question: str) -> tuple[str, ...]:
    """Return which of CLINIC_FIELDS a question about the clinic asks for."""
    words = normalise(question)
    return tuple(name for name in CLINIC_FIELDS if rulebook().fields[name].search(words))


def _emergency(
    pairs: Sequence[_Reading], flag: tuple[Rule, str] | None, book: Rulebook, lang: str,
    heard: Heard,
) -> Triage | None:  # fmt: skip
    readings = [reading for reading, _ in pairs]
    if flag:
        rule, spoken = flag
        if heard.score >= QUIET or _loudest_clause(readings) >= PLAIN:
            return Triage(rule.kind, rule.name, rule.reason, spoken)
    happening = any(re.search(r"\w", now) for _, now in pairs) and len(readings[0]) >= _BRIEF
    like = book.find(heard.topic)
    if like and heard.score >= (LOUD if happening else PLAIN):
        reason = f"sounds like {like.name} ({heard.score:+.1f}): {like.reason}"
        return Triage(like.kind, like.name, reason, lang)
    return None


def _loudest_clause(readings: Iterable[str]) -> float:
    clauses = (c.strip() for reading in readings for c in re.split(r"[.!?;,]+", reading))
    return max((alarm().hear(clause).score for clause in clauses if clause), default=-math.inf)


def _watched(
    pairs: Sequence[_Reading], flag: tuple[Rule, str] | None, book: Rulebook, lang: str
) -> bool:
    """Tell whether a rule's danger is asked about, denied or feared. The past is past.

    Several rules may list the same words; the one the message sounds like is meant.
    """
    kept = [
        " . ".join(c for c in _CLAUSE.split(reading) if not _past(c, book.contexts))
        for reading, _ in pairs
    ]
    if all(words == reading == now for words, (reading, now) in zip(kept, pairs, strict=True)):
        return flag is not None  # the same words are not looked through twice
    return _red_flag([(words, words) for words in kept], book, lang) is not None


def _red_flag(readings: Sequence[_Reading], book: Rulebook, lang: str) -> tuple[Rule, str] | None:
    """Return the first rule that some reading (whole, and as far as it is present) breaks."""
    for rule in book.rules:
        if rule.kind != "emergency":
            continue
        for whole, now in readings:
            words = whole if rule.ignores_contexts else now
            if rule.unless:
                words = rule.unless.sub(" ", words)
            if spoken := rule.match(words, lang):
                return rule, spoken
    return None


def normalise(text: str) -> str:
    """Fold case and accents, drop apostrophes, blank out marks, shorten drawn-out letters."""
    text = re.sub(r"['’‘`´]", "", fold(text))
    text = re.sub(r"([a-z])\1{2,}", r"\1", text)
    text = re.sub(r"[—–…:()]|\s-+\s", " ; ", text)
    text = re.sub(r"[^\w\s.!?;,]|_", " ", text)
    return " ".join(text.split())


def present(words: str, contexts: dict[str, re.Pattern[str]]) -> str:
    """Return `words` without what is denied, long past, feared or asked in general."""
    words = contexts["denied"].sub(" ", words)
    is_now = contexts["now"].search(words) is not None
    clauses = (clause.strip() for clause in _CLAUSE.split(words))
    if not is_now:
        clauses = (contexts["fear"].sub(" ", c) for c in clauses if not _general(c, contexts))
    return " . ".join(c for c in clauses if not _past(c, contexts))


def _past(clause: str, contexts: dict[str, re.Pattern[str]]) -> bool:
    return bool(contexts["past"].search(clause)) and not contexts["again"].search(clause)


def _general(clause: str, contexts: dict[str, re.Pattern[str]]) -> bool:
    if contexts["general_elsewhere"].search(clause):
        return True
    asks = contexts["general"].fullmatch(clause) is not None
    return asks and not contexts["person"].search(clause)


@lru_cache(maxsize=1)
def rulebook() -> Rulebook:
    """Read and compile `triage.toml` once."""
    data = tomllib.loads(_FILE.read_text("utf-8"))
    groups: dict[str, str] = data["groups"]
    rules = tuple(_rule(entry, groups) for entry in data["rule"])
    contexts = {name: _compile(words, groups) for name, words in data["contexts"].items()}
    urgent = [r for r in data["rule"] if r["kind"] == "emergency"]
    patterns = [*groups.values(), *(part for r in urgent for part in r.get("en", []))]
    vocabulary = [data["spelling"]["words"], *re.findall(r"[a-z]{4,}", " ".join(patterns))]
    fields = {name: _compile(words, groups) for name, words in data["clinic"].items()}
    return Rulebook(rules, contexts, fields, Speller(vocabulary, short=4, long=6))


def _rule(entry: dict[str, Any], groups: dict[str, str]) -> Rule:
    fields = {key: value for key, value in entry.items() if key not in language.LANGUAGES}
    if "unless" in fields:
        fields["unless"] = _compile(fields["unless"], groups)
    if "never_quote" in fields:
        fields["never_quote"] = re.compile(fields["never_quote"], re.I)
    spoken = [lang for lang in language.LANGUAGES if lang in entry]
    patterns = {
        lang: tuple(c for pattern in entry[lang] for c in _conjunctions(pattern, groups))
        for lang in spoken
    }
    return Rule(patterns=patterns, **fields)


def _conjunctions(pattern: str, groups: dict[str, str]) -> Iterator[tuple[re.Pattern[str], ...]]:
    """Yield the parts of each alternative; those of one part are kept together, for speed."""
    alternatives = list(_alternatives(pattern))
    if single := [a for a in alternatives if " + " not in a]:
        yield (_compile("|".join(single), groups),)
    for alternative in alternatives:
        if " + " in alternative:
            yield tuple(_compile(part.strip(), groups) for part in alternative.split(" + "))


@cache
def _expand(pattern: str, groups: tuple[tuple[str, str], ...]) -> str:
    table = dict(groups)
    return re.sub(r"\{([a-z]+)\}", lambda m: f"(?:{table[m[1]]})", pattern)


def _compile(pattern: str, groups: dict[str, str]) -> re.Pattern[str]:
    """Compile one part; every Latin alternative matches whole words only.

    Alternatives in Korean or Chinese have no word boundaries around them, so these match anywhere.
    """
    expanded = _expand(pattern, tuple(groups.items()))
    return re.compile("|".join(_bounded(expanded)))


def _bounded(pattern: str) -> Iterator[str]:
    """Yield the alternatives, Latin ones that follow each other with one pair of boundaries.

    They are looked for at every letter: one look behind for all saves a quarter of the time.
    """
    for wide, found in groupby(_alternatives(pattern), lambda a: bool(_WIDE.search(a))):
        together = "|".join(f"(?:{alternative})" for alternative in found)
        yield together if wide else rf"(?<!\w)(?:{together})(?!\w)"


def _alternatives(pattern: str) -> Iterator[str]:
    """Split a pattern at the bars that stand outside brackets."""
    depth = start = 0
    for at, letter in enumerate(pattern):
        depth += (letter in "([") - (letter in ")]")
        if letter == "|" and depth == 0:
            yield pattern[start:at]
            start = at + 1
    yield pattern[start:]
