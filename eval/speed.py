"""Speed as ratios against the bare model in the same run: these survive a noisy machine.

Both sides of a ratio are timed in turn, again and again, so that a busy moment slows both.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bot.pipeline import Assistant
from index.build import build
from index.embed import Encoder, SentenceEncoder, open_encoder
from index.errors import CitewellError

BATCH = 32
_ROUNDS = 7
_REPEATS = 60
LIMITS = {
    "indexing / encoding the same passages": 1.15,
    "retrieval / one query encoding": 1.5,
    "answer / one query encoding": 3.0,
}


def measure(assistant: Assistant, questions: Sequence[str]) -> dict[str, float]:
    """Return the ratio of indexing, retrieving and answering to bare encoding."""
    encoder = open_encoder(assistant.settings.index)
    bare = _bare(encoder)
    asked = [q for q in questions if assistant.answer(q).kind == "answer"][:_REPEATS]
    ratios = (
        _indexing(assistant, encoder, bare),
        _each(assistant.retriever.retrieve, lambda q: bare([q]), asked),
        _each(assistant.answer, lambda q: bare([q]), asked),
    )
    return dict(zip(LIMITS, ratios, strict=True))


def _bare(encoder: Encoder) -> Callable[[list[str]], object]:
    """Return sentence-transformers' own encode, as anyone would call it."""
    if not isinstance(encoder, SentenceEncoder):
        raise CitewellError("speed is measured against a sentence-transformers model")
    model = encoder.model
    return lambda texts: model.encode(texts, batch_size=BATCH, show_progress_bar=False)


def _indexing(assistant: Assistant, encoder: Encoder, bare: Callable[[list[str]], object]) -> float:
    """Time reading, cutting, embedding, storing and swapping against encoding alone."""
    settings = assistant.settings
    inputs = assistant.retriever.generation.manifest.inputs
    passages = [chunk.embedded_text for chunk in assistant.retriever.generation.chunks]

    def index() -> None:
        with tempfile.TemporaryDirectory() as folder:
            build(inputs, Path(folder), encoder, settings.corpus, settings.index)

    index()  # the first one imports what the others find imported
    ours, theirs = [], []
    for _ in range(_ROUNDS):
        theirs.append(_seconds(lambda: bare(passages)))
        ours.append(_seconds(index))
    return statistics.median(o / t for o, t in zip(ours, theirs, strict=True))


def _each(
    run: Callable[[str], object], yardstick: Callable[[str], object], questions: Sequence[str]
) -> float:
    """Time both sides in turn on every question, so that a busy moment slows both."""
    ours, theirs = [], []
    for question in [*questions[:3], *questions]:  # the first three only warm up
        theirs.append(_seconds(partial(yardstick, question)))
        ours.append(_seconds(partial(run, question)))
    return statistics.median(ours[3:]) / statistics.median(theirs[3:])


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
