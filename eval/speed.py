"""Speed as ratios against the bare model in the same run: these survive a noisy machine.

Both sides of a ratio are timed in turn, again and again, so that a busy moment slows both.
"""

from __future__ import annotations

import statistics
import subprocess  # nosec B404 # runs this very program
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bot.pipeline import Assistant
from eval import growth
from index.build import build
from index.embed import Encoder, SentenceEncoder, load, open_encoder
from index.errors import CitewellError

BATCH = 32
_ROUNDS = 5
_STARTS = 5
_REPEATS = 60
_MANY = 10_000
_DEPTH = 10
INDEXING = "indexing / encoding the same passages"
LIMITS = {
    INDEXING: 1.15,
    "retrieval / one query encoding": 1.4,
    "retrieval among 10,000 passages / one query encoding": 1.4,
    "answer / one query encoding": 3.0,
    "start to first retrieval / importing and loading the model": 1.3,
}
_HALVED = 0.6
"""Indexing, where passages are read in half precision."""

_LOAD = """
from sentence_transformers import SentenceTransformer
SentenceTransformer({folder!r}, local_files_only=True)
"""
_FIRST = """
from pathlib import Path
from index.embed import open_encoder
from index.retrieve import Retriever
from index.settings import IndexSettings
settings = IndexSettings.model_validate_json({settings!r})
retriever = Retriever(Path({data!r}), open_encoder(settings), settings)
assert retriever.retrieve(retriever.correct("does acupuncture help a sore knee"))
"""


def measure(assistant: Assistant, questions: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return (ratio, limit) of indexing, retrieving, answering and starting to the bare model."""
    encoder = _model_of(assistant)
    bare = _bare(encoder)
    for once in (assistant, encoder):
        once.warm()  # as a server is
    asked = [q for q in questions if assistant.answer(q).kind == "answer"][:_REPEATS]
    with tempfile.TemporaryDirectory() as folder:
        many = growth.planted(Path(folder), _MANY, asked, encoder)
        ratios = (
            _indexing(assistant, encoder, bare),
            _each(assistant.retriever.retrieve, lambda q: bare([q]), asked),
            _each(many.retrieve, lambda q: bare([q]), asked),
            _each(assistant.answer, lambda q: bare([q]), asked),
            _starting(assistant, encoder),
        )
    limits = LIMITS | ({INDEXING: _HALVED} if encoder.halves else {})
    return {name: (r, limits[name]) for name, r in zip(LIMITS, ratios, strict=True)}


def agreement(assistant: Assistant, questions: Sequence[str]) -> float:
    """Return which share of the ten nearest passages half precision finds as full does.

    1.0 where this machine does not halve.
    """
    retriever = assistant.retriever
    bare = _bare(_model_of(assistant))
    full = bare([chunk.embedded_text for chunk in retriever.generation.chunks])
    stored = np.asarray(retriever.generation.vectors.passages, dtype=np.float32)
    shares = []
    for question in questions:
        cosines = full @ bare([question])[0], stored @ retriever.encoder.encode_question(question)
        one, other = (np.argsort(-found, kind="stable")[:_DEPTH] for found in cosines)
        shares.append(len(np.intersect1d(one, other)) / len(one))
    return statistics.fmean(shares)


def _model_of(assistant: Assistant) -> SentenceEncoder:
    encoder = open_encoder(assistant.settings.index)
    if not isinstance(encoder, SentenceEncoder):
        raise CitewellError("speed is measured against a sentence-transformers model")
    return encoder


def _bare(encoder: SentenceEncoder) -> Callable[[list[str]], Any]:
    """Return sentence-transformers' own encode in full precision, as anyone would call it."""
    model = load(encoder.folder)
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


def _starting(assistant: Assistant, encoder: SentenceEncoder) -> float:
    """Time processes that end with a first retrieval against some that only load the model."""
    settings = assistant.settings.index
    ours = _FIRST.format(settings=settings.model_dump_json(), data=str(settings.data))
    theirs = _LOAD.format(folder=str(encoder.folder))
    ratios = []
    for _ in range(_STARTS):
        bare = _seconds(partial(_run, theirs))
        ratios.append(_seconds(partial(_run, ours)) / bare)
    return statistics.median(ratios)


def _run(program: str) -> None:
    command = [sys.executable, "-c", program]
    subprocess.run(command, check=True, capture_output=True)  # nosec B603 # a program of ours


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
