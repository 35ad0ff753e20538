"""How much a message sounds like an emergency: a table of weights over runs of letters and words.

Rules know what they list; people type what nobody listed. The table was learnt (logistic
regression, `citewell eval fit-triage`) from `eval/data/phrasings.jsonl`: emergencies of twenty
kinds in six languages, and ordinary messages that share their words. Reading it is
arithmetic on the raw words: no model is loaded, nothing is asked, the same words give the same
score. Knows no more than wording: what no phrasing resembles it does not hear.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt

BITS = 20
"""Log2 of the buckets that runs are hashed into."""
TOPIC_BITS = 15
LONGEST_RUN = 5
"""Letters; of a Korean syllable each of its two or three counts."""
WORD_WEIGHT = 1.5
"""What runs of words count beside runs of letters."""
FILE = Path(__file__).with_name("alarm.npz")
_TOKEN = re.compile(r"[\u3400-\u9fff]|\w+|[.!?,;]")
_WINDOW = 240
"""Characters read at once: in a long letter one sentence must not drown."""

Buckets = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Heard:
    """How alarming a message sounds, in log odds, and which rule's topic it is nearest to."""

    score: float
    topic: str


@dataclass(frozen=True)
class Alarm:
    """The learnt table: rarity and weight of every bucket, and the weights of the topics."""

    rarity: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]
    bias: float
    topics: tuple[str, ...]
    topic_weights: npt.NDArray[np.float32]
    topic_bias: npt.NDArray[np.float32]

    def hear(self, words: str) -> Heard:
        """Score normalised words; of a long message its most alarming part."""
        return max((self._hear(part) for part in _windows(words)), key=lambda heard: heard.score)

    def _hear(self, words: str) -> Heard:
        buckets, values = vector(words, self.rarity)
        score = float(self.weights[buckets] @ values) + self.bias
        folded = buckets & ((1 << TOPIC_BITS) - 1)
        topic = self.topic_weights[:, folded] @ values + self.topic_bias
        return Heard(score, self.topics[int(np.argmax(topic))])


@lru_cache(maxsize=1)
def alarm() -> Alarm:
    """Read the table once."""
    with np.load(FILE) as table:
        kept, steps = table["kept"], table["steps"].astype(np.float32)
        rarity = np.zeros(1 << BITS, np.float32)
        weights = np.zeros(1 << BITS, np.float32)
        rarity[kept] = table["rarity"].astype(np.float32) * steps[0]
        weights[kept] = table["weights"].astype(np.float32) * steps[1]
        return Alarm(
            rarity, weights, float(table["bias"]), tuple(table["topics"].tolist()),
            table["topic_weights"].astype(np.float32) * steps[2], table["topic_bias"],
        )  # fmt: skip


def runs(words: str) -> tuple[Buckets, Buckets]:
    """Return the buckets of a text's runs of letters and of its runs of one and two words."""
    text = f" {unicodedata.normalize('NFD', words)} "
    letters = {
        text[at : at + length]
        for length in range(1, LONGEST_RUN + 1)
        for at in range(len(text) - length + 1)
    }
    tokens = _TOKEN.findall(words)
    phrases = {f"\t{token}" for token in tokens}
    phrases |= {f"\t{a} {b}" for a, b in zip(tokens, tokens[1:], strict=False)}
    return _hashed(letters), _hashed(phrases)


def vector(words: str, rarity: npt.NDArray[np.float32]) -> tuple[Buckets, npt.NDArray[np.float32]]:
    """Return the known buckets of a text and their values; either kind of run has length one."""
    buckets: list[Buckets] = []
    values: list[npt.NDArray[np.float32]] = []
    for found, weight in zip(runs(words), (1.0, WORD_WEIGHT), strict=True):
        rare = rarity[found]
        known = rare > 0
        length = math.sqrt(float(rare @ rare)) or 1.0
        buckets.append(found[known])
        values.append((rare[known] * (weight / length)).astype(np.float32))
    return np.concatenate(buckets), np.concatenate(values)


def _hashed(found: set[str]) -> Buckets:
    mask = (1 << BITS) - 1
    return np.array(sorted({crc32(run.encode()) & mask for run in found}), dtype=np.int64)


def _windows(words: str) -> Iterator[str]:
    if len(words) <= _WINDOW * 1.5:
        yield words
        return
    for at in range(0, len(words) - _WINDOW // 2, _WINDOW // 2):
        yield words[at : at + _WINDOW]
