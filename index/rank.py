"""How near in meaning, how many words in common -> one score. Pure."""

from __future__ import annotations

import numpy as np

from index.embed import Vectors


def blend(
    passage: Vectors, sentence: Vectors, lexical: Vectors, *, lexical_weight: float
) -> Vectors:
    """Return the score of each passage; all arrays have the shape (passages,).

    `passage` is its cosine to the question, `sentence` the one of its best sentence, `lexical` its
    BM25 score. The mean of both cosines, so that one sentence that answers is worth as much as a
    passage on the subject; plus the weighted root of BM25, since a second rare word in common says
    less than the first. Scores as they are, not shares of the best: a question whose words stand
    nowhere gets little from BM25, one with rare names gets much. Weight and root were chosen on
    several sets at once; README, "Scoring", has the command and the numbers.
    """
    meaning: Vectors = (passage + sentence) / np.float32(2)
    words: Vectors = np.float32(lexical_weight) * np.sqrt(lexical)
    return meaning + words
