"""`citewell eval fit-triage`: the weights of `bot.alarm`, by logistic regression.

Emergency or not from every phrasing; which topic from the emergencies among them. Weights are kept
in eight bits. Seeded by nothing: the problem is convex.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from bot.alarm import BITS, FILE, TOPIC_BITS, runs, vector
from bot.triage import normalise
from eval.formats import Question

_STRENGTH = 8.0
"""Inverse strength of the L2 penalty; 4 to 60 did alike on the `dev` half of `safety.jsonl`."""
_FEWEST = 2
"""Phrasings that must hold a run for it to count."""


def run(phrasings: Sequence[Question], out: Path = FILE) -> str:
    """Fit on `phrasings`; write the table; return a line about it."""
    words = [normalise(p.text) for p in phrasings]
    urgent = np.array([p.kind == "emergency" for p in phrasings])
    rarity = _rarity(words)
    rows = _matrix(words, rarity)
    found = LogisticRegression(C=_STRENGTH, max_iter=3000).fit(rows, urgent)
    folded = _folded(rows[urgent])
    topics = [p.topic for p in phrasings if p.kind == "emergency"]
    nearest = LogisticRegression(C=_STRENGTH, max_iter=3000).fit(folded, topics)
    kept = np.flatnonzero(rarity)
    small_rarity, rarity_step = _in_bytes(rarity[kept], np.uint8)
    weights, step = _in_bytes(found.coef_[0][kept], np.int8)
    topic_weights, topic_step = _in_bytes(nearest.coef_, np.int8)
    np.savez_compressed(
        out, kept=kept.astype(np.int32), rarity=small_rarity, weights=weights,
        bias=np.float32(found.intercept_[0]), topics=np.array(nearest.classes_, dtype=str),
        topic_weights=topic_weights, topic_bias=nearest.intercept_.astype(np.float32),
        steps=np.array([rarity_step, step, topic_step], np.float32),
    )  # fmt: skip
    return (
        f"{out}: learnt from {int(urgent.sum())} emergencies and {int((~urgent).sum())} ordinary "
        f"messages, {len(kept)} runs, {out.stat().st_size // 1024} KiB\n"
    )


def _rarity(words: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return the inverse document frequency of every bucket, 0 for what is too rare to judge."""
    count = np.zeros(1 << BITS)
    for text in words:
        for buckets in runs(text):
            count[buckets] += 1
    rarity = np.log((1 + len(words)) / (1 + count)) + 1
    rarity[count < _FEWEST] = 0
    return rarity.astype(np.float32)


def _matrix(words: Sequence[str], rarity: npt.NDArray[np.float32]) -> Any:
    found = [vector(text, rarity) for text in words]
    ends = np.cumsum([0, *(len(buckets) for buckets, _ in found)])
    buckets, values = (np.concatenate(part) for part in zip(*found, strict=True))
    return csr_matrix((values, buckets, ends), shape=(len(words), 1 << BITS))


def _folded(rows: Any) -> Any:
    mask = (1 << TOPIC_BITS) - 1
    return csr_matrix(
        (rows.data, rows.indices & mask, rows.indptr), shape=(rows.shape[0], 1 << TOPIC_BITS)
    )


def _in_bytes(
    values: npt.NDArray[Any], kind: type[np.uint8] | type[np.int8]
) -> tuple[npt.NDArray[Any], float]:
    step = float(np.abs(values).max()) / np.iinfo(kind).max
    return np.round(values / step).astype(kind), step
