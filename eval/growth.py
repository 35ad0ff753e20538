"""How the index grows: the same store and the same search over a thousand to a million passages.

Passages are made up, so that there can be a million: one or two sentences of words drawn as words
are in text, the n-th most frequent about 1/n as often (Zipf 1949), from 50,000 invented words and
those of the shipped pages. So are the vectors: points around 1,000 centres, spread in 32 directions
as the sense of texts is, and a little in all. Neither says how good answers are. No model runs: the
time of reading a question is left out, and so is that of embedding pages.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from index.build import recipe
from index.embed import Encoder, ModelIdentity, Vectors
from index.generation import Generation, GenerationWriter
from index.manifest import Manifest, generation_folder, read_manifest, swap, writing
from index.retrieve import Retriever
from index.settings import CORPUS_FOLDER, ChromaSettings, IndexSettings
from index.text import words
from index.types import Chunk, Document

SIZES = (1_000, 10_000, 100_000, 1_000_000)
_DIMENSIONS, _CENTRES, _DIRECTIONS = 384, 1_000, 32
_WITHIN, _AROUND = 0.8, 0.3
"""How far points lie from their centre: in the directions of sense, and in all."""
_ON_A_PAGE = 10
_INVENTED = 50_000
_WINDOW = 10_000
_QUESTIONS, _COMPARED, _DEPTH = 200, 50, 100
_SEED = 20
_SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er", "is")]


@dataclass(frozen=True, slots=True)
class Grown:
    """What an index of so many `passages` costs, and how well Chroma finds the nearest in it.

    Peak memory of building and memory of a reader after its questions are resident megabytes, of
    the reader also those that are its own, not the system's cache of the files. `recall` is the
    share of the 100 nearest passages (by exact search) among the 100 that Chroma returns.
    """

    passages: int
    build_s: float
    disk_mb: float
    build_mb: float
    open_s: float
    reader_mb: float
    reader_own_mb: float
    first_ms: float
    p50_ms: float
    p95_ms: float
    recall: float


def grown(sizes: Sequence[int] = SIZES, folder: Path | None = None) -> Iterator[Grown]:
    """Build and ask an index of each of the `sizes` below `folder`, each in processes of its own.

    A million passages need 8 GB there, which are given back after each size.
    """
    for size in sizes:
        place = Path(tempfile.mkdtemp(prefix=f"growth-{size}-", dir=folder))
        try:
            build_s, build_mb = _apart(_build, place, size)
            open_s, reader_mb, own_mb, times, recall = _apart(_ask, place)
            files = (path.stat().st_size for path in place.rglob("*") if path.is_file())
            p50, p95 = np.percentile(times, (50, 95)).tolist()
            yield Grown(
                size, build_s, sum(files) / 1e6, build_mb, open_s, reader_mb, own_mb, times[0],
                p50, p95, recall,
            )  # fmt: skip
        finally:
            shutil.rmtree(place, ignore_errors=True)


def table(rows: Sequence[Grown]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| passages | build | disk | build, peak memory | open | reader, memory (its own) | "
        "first question | p50 | p95 | recall@100 |",
        "|" + "---:|" * 10,
    ]
    for row in rows:
        lines.append(
            f"| {row.passages:,} | {row.build_s:,.0f} s | {row.disk_mb:,.0f} MB "
            f"| {row.build_mb:,.0f} MB | {row.open_s:.2f} s "
            f"| {row.reader_mb:,.0f} MB ({row.reader_own_mb:,.0f}) | {row.first_ms:.0f} ms "
            f"| {row.p50_ms:.1f} ms | {row.p95_ms:.1f} ms | {row.recall:.3f} |"
        )
    return "\n".join(lines)


class Planted(Encoder):
    """Stands in for a model: the n-th question has the n-th vector."""

    identity = ModelIdentity("planted", hashlib.sha256(b"planted 1").hexdigest())
    window = 254

    def __init__(
        self, questions: Sequence[str], vectors: Vectors, model: Encoder | None = None
    ) -> None:
        """Know the vectors of these questions; let `model` read them too, for the time it takes."""
        self._known = dict(zip(questions, vectors, strict=True))
        self._model = model

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count words."""
        return [len(text.split()) for text in texts]

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of questions, shape (len(texts), dimensions)."""
        return np.stack([self._known[text] for text in texts])

    def encode_question(self, text: str) -> Vectors:
        """Return one unit vector, shape (dimensions,)."""
        if self._model:
            self._model.encode_question(text)
        vector: Vectors = self._known[text]
        return vector


def planted(data: Path, size: int, questions: Sequence[str], model: Encoder) -> Retriever:
    """Return a retriever over `size` made-up passages in `data`, with `model` reading questions."""
    _build(data, size)
    encoder = Planted(questions, _points(2**32, len(questions)), model)
    return Retriever(data, encoder, IndexSettings())


def _apart(function: Callable[..., Any], *given: object) -> Any:
    """Call a function in a process of its own, so that its memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(function, *given).result()


def _build(data: Path, size: int) -> tuple[float, float]:
    """Write an index of `size` passages; return the seconds in the writer and the peak memory."""
    blank = Manifest(
        "20260101T000000000000-0000", "2026-01-01T00:00:00+00:00",
        recipe(Planted((), np.zeros((0, 0), dtype=np.float32)), IndexSettings()),
        (), "", -(-size // _ON_A_PAGE), size, size, (),
    )  # fmt: skip
    clock = _Clock()
    with writing(data):
        with clock:
            writer = GenerationWriter(generation_folder(data, blank.generation), ChromaSettings())
        for document, chunks in _pages(size):
            with clock:
                writer.add_page(document, chunks)
        with clock:
            pages = writer.pages_end()
        for start in range(0, size, _WINDOW):
            rows = pages.rows[start : start + _WINDOW + 1]
            vectors = _points(start // _WINDOW, min(_WINDOW, size - start))
            sentences = _beside(np.repeat(vectors, np.diff(rows), axis=0), start)
            with clock:
                writer.add_vectors(vectors, sentences)
        with clock:
            writer.finish({}, {})
            swap(data, blank)
    return clock.seconds, _memory("VmHWM")


def _ask(data: Path) -> tuple[float, float, float, list[float], float]:
    """Return seconds to open, megabytes, own megabytes, milliseconds a question, and recall."""
    size = read_manifest(data).chunks
    random = np.random.default_rng([_SEED, 1])
    vectors = _points(2**32, _QUESTIONS)
    texts = [f"{number} {' '.join(_draw(random, 5))}" for number in range(_QUESTIONS)]
    encoder = Planted(texts, vectors)
    _vocabulary.cache_clear()
    begun = time.perf_counter()
    retriever = Retriever(data, encoder, IndexSettings())
    opened = time.perf_counter() - begun
    times = []
    for text in texts:
        begun = time.perf_counter()
        found = retriever.retrieve(text)
        times.append((time.perf_counter() - begun) * 1000)
        assert len(found) == min(8, size)
    memory, own = _memory("VmRSS"), _memory("RssAnon")
    return opened, memory, own, times, _recall(retriever.generation, vectors[:_COMPARED])


def _recall(generation: Generation, asked: Vectors) -> float:
    stored = generation.vectors.passages
    parts = (stored[at : at + _WINDOW] for at in range(0, len(stored), _WINDOW))
    best = np.concatenate([asked @ part.astype(np.float32).T for part in parts], axis=1)
    shares = []
    for vector, cosines in zip(asked, best, strict=True):
        exact = np.argsort(-cosines, kind="stable")[:_DEPTH]
        shares.append(len(np.intersect1d(exact, generation.nearest(vector, _DEPTH))) / len(exact))
    return float(np.mean(shares))


def _pages(size: int) -> Iterator[tuple[Document, list[Chunk]]]:
    """Yield pages of ten passages each, of one or two sentences, until there are `size`."""
    random = np.random.default_rng([_SEED, 0])
    for start in range(0, size, _ON_A_PAGE):
        count = min(_ON_A_PAGE, size - start)
        spans: list[list[tuple[int, int]]] = []
        text = ""
        for sentences in random.integers(1, 3, count).tolist():
            text += "\n\n" if text else ""
            spans.append([])
            for at, long in enumerate(random.integers(8, 21, sentences).tolist()):
                text += " " if at else ""
                begin = len(text)
                text += " ".join(_draw(random, long)).capitalize() + "."
                spans[-1].append((begin, len(text)))
        name = f"page-{start // _ON_A_PAGE}"
        document = Document(id=name, title=" ".join(_draw(random, 3)), text=text)
        yield document, [_chunk(document, own) for own in spans]


def _chunk(document: Document, spans: list[tuple[int, int]]) -> Chunk:
    start, end = spans[0][0], spans[-1][1]
    digest = hashlib.sha256(f"{document.id} {start}".encode()).hexdigest()[:24]
    return Chunk(digest, document, (), document.text[start:end], start, end, tuple(spans))


def _draw(random: np.random.Generator, count: int) -> list[str]:
    vocabulary, shares = _vocabulary()
    chosen = random.random(count)  # nosec B311 # no secret: words of made-up pages
    return [vocabulary[at] for at in np.searchsorted(shares, chosen).tolist()]


@cache
def _vocabulary() -> tuple[list[str], npt.NDArray[np.float64]]:
    """Return all words, the most frequent first, and the summed shares of those up to each."""
    random = np.random.default_rng([_SEED, 2])
    pages = (path.read_text("utf-8") for path in sorted(CORPUS_FOLDER.rglob("*.md")))
    real = dict.fromkeys(word for page in pages for word in words(page))
    invented: dict[str, None] = {}
    while len(invented) < _INVENTED:
        syllables = random.choice(_SYLLABLES, random.integers(2, 5))  # nosec B311 # as above
        invented["".join(syllables)] = None
    found = [*real, *invented]
    random.shuffle(found)
    shares = np.cumsum(1 / (np.arange(len(found)) + 2.7))
    return found, shares / shares[-1]


def _points(number: int, count: int) -> Vectors:
    """Return unit vectors around the centres; the same `number` gives the same ones."""
    fixed = np.random.default_rng([_SEED, 3])
    centres = _unit(fixed.normal(size=(_CENTRES, _DIMENSIONS)))
    sense = np.linalg.qr(fixed.normal(size=(_DIMENSIONS, _DIRECTIONS)))[0].T
    random = np.random.default_rng([_SEED, 4, number])
    within = random.normal(size=(count, _DIRECTIONS)) / np.sqrt(_DIRECTIONS) @ sense
    around = random.normal(size=(count, _DIMENSIONS)) / np.sqrt(_DIMENSIONS)
    near = centres[random.integers(0, _CENTRES, count)]
    return _unit(near + _WITHIN * within + _AROUND * around)


def _beside(vectors: Vectors, number: int) -> Vectors:
    """Return a unit vector near each: those of sentences beside their passage's."""
    random = np.random.default_rng([_SEED, 5, number])
    return _unit(vectors + random.normal(size=vectors.shape) / np.sqrt(_DIMENSIONS) / 2)


def _unit(rows: npt.NDArray[np.floating[Any]]) -> Vectors:
    unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _memory(what: str) -> float:
    """Return one of Linux's figures of this process's memory, in megabytes."""
    said = Path("/proc/self/status").read_text("utf-8")
    found = re.search(rf"^{what}:\s+(\d+) kB", said, re.M)
    return int(found[1]) * 1024 / 1e6 if found else 0.0


class _Clock:
    """Adds up the seconds spent inside of it."""

    seconds = 0.0

    def __enter__(self) -> None:
        self._begun = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._begun
