"""Retrieval on any BEIR folder: ours beside baselines, with intervals, variants and times.

A page is ranked by its best passage. What a visitor types goes the way it goes in the product:
spelling put right, then looked up.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ir_measures
import numpy as np
from ir_measures import RR, R, nDCG

from eval import baselines
from eval.baselines import DEPTH, Search
from eval.formats import BeirSet, Qrels, Run
from eval.picture import bars, spread
from eval.statistics import Estimate, difference, mean
from eval.variants import VARIANTS
from index.build import index_documents
from index.embed import Encoder
from index.markup import Block, render
from index.retrieve import Retriever
from index.settings import IndexSettings
from index.types import Document

MEASURES = (nDCG @ 10, R @ 10, R @ 100, RR)
MAIN = str(MEASURES[0])
OURS = "Citewell"
_SEED = "bench"

PerQuery = dict[str, dict[str, float]]
"""Measure -> question -> value."""


@dataclass(frozen=True)
class Outcome:
    """What one system did on one set: its run, the seconds of indexing, the waits for answers."""

    run: Run
    index_s: float
    waits_ms: tuple[float, ...]

    def percentile(self, percent: float) -> float:
        """Return the milliseconds within which that many percent of the questions were done."""
        return float(np.percentile(self.waits_ms, percent))


@dataclass(frozen=True)
class Compared:
    """Every system on one set, and on its questions made harder: variant -> system -> run."""

    beir: BeirSet
    outcomes: Mapping[str, Outcome]
    variants: Mapping[str, Mapping[str, Run]]


def compare(
    beir: BeirSet, encoder: Encoder, settings: IndexSettings, *, with_baselines: bool = False,
    variants: Sequence[str] = (),
) -> Compared:  # fmt: skip
    """Index a set in a temporary folder and ask its questions of every system."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        encoder.encode_sentences(["warm"], [[(0, 4)]])  # the model is loaded before the clock runs
        start = time.perf_counter()
        index_documents(documents_of(beir), folder / "ours", encoder, settings)
        taken = {OURS: time.perf_counter() - start}
        retriever = Retriever(folder / "ours", encoder, settings)
        systems = {OURS: _ours(retriever)}
        if with_baselines:
            dense, words = baselines.dense(retriever), baselines.bm25(retriever)
            start = time.perf_counter()
            systems |= {
                "dense alone": dense, "BM25 alone": words,
                "rank fusion 50/50": baselines.fused(dense, words),
                "LangChain + Chroma": baselines.langchain(beir, encoder, folder / "langchain"),
            }  # fmt: skip
            taken["LangChain + Chroma"] = time.perf_counter() - start
        outcomes = {n: _ask(search, beir, taken.get(n, 0.0)) for n, search in systems.items()}
        harder = {
            variant: {n: _ask(s, beir, 0.0, variant).run for n, s in systems.items()}
            for variant in variants
        }
    return Compared(beir, outcomes, harder)


def score(qrels: Qrels, run: Run) -> PerQuery:
    """Return each measure for every question that is judged; one without an answer counts 0."""
    found: PerQuery = {str(measure): dict.fromkeys(qrels, 0.0) for measure in MEASURES}
    for metric in ir_measures.iter_calc(MEASURES, qrels, run):
        found[str(metric.measure)][metric.query_id] = metric.value
    return found


def means(values: PerQuery) -> dict[str, Estimate]:
    """Return each measure's mean with its bootstrap interval."""
    return {measure: mean([*by_question.values()]) for measure, by_question in values.items()}


def summary(compared: Compared) -> dict[str, dict[str, Estimate]]:
    """Return a table for each system: its measures, ours less it, and what variants cost it."""
    qrels = compared.beir.qrels
    values = {n: score(qrels, outcome.run) for n, outcome in compared.outcomes.items()}
    table: dict[str, dict[str, Estimate]] = {}
    for name, own in values.items():
        rows = means(own)
        if name != OURS:
            rows[f"{OURS} less this, {MAIN}"] = difference(values[OURS][MAIN], own[MAIN])
        for variant, runs in compared.variants.items():
            harder = score(qrels, runs[name])[MAIN]
            rows[f"{MAIN}, {variant}"] = mean([*harder.values()])
            rows[f"lost when {variant}"] = difference(own[MAIN], harder)
        table[name] = rows
    return table


def over_sets(tables: Sequence[Mapping[str, Mapping[str, Estimate]]]) -> dict[str, float]:
    """Return each system's mean of the main measure over sets, and how far ours is ahead."""
    found = {n: statistics.fmean(t[n][MAIN].value for t in tables) for n in tables[0]}
    others = [value for name, value in found.items() if name != OURS]
    ahead = (
        {"ahead of the best of these, relative": found[OURS] / max(others) - 1} if others else {}
    )
    return {f"{MAIN}, {name}": value for name, value in found.items()} | ahead


def as_json(compared: Compared) -> dict[str, Any]:
    """Return our own scores for programs, as `--json` prints them."""
    ours = compared.outcomes[OURS]
    return plain(compared.beir.qrels, ours.run) | {
        "index_s": round(ours.index_s, 3),
        "p50_ms": round(ours.percentile(50), 3),
        "p95_ms": round(ours.percentile(95), 3),
    }


def plain(qrels: Qrels, run: Run) -> dict[str, Any]:
    """Return the measures of a run for programs."""
    measures = {name: round(one.value, 6) for name, one in means(score(qrels, run)).items()}
    return {"measures": measures, "queries": len(qrels)}


def per_query(compared: Compared) -> str:
    """Return a table to read in a spreadsheet: a line for each question, worst for us first."""
    qrels = compared.beir.qrels
    ours = score(qrels, compared.outcomes[OURS].run)
    others = {
        name: score(qrels, outcome.run)[MAIN]
        for name, outcome in compared.outcomes.items()
        if name != OURS
    }
    lines = ["\t".join(("question", *ours, *(f"{MAIN} {name}" for name in others), "text"))]
    for query in sorted(qrels, key=lambda q: (ours[MAIN][q], q)):
        cells = [values[query] for values in (*ours.values(), *others.values())]
        text = " ".join(compared.beir.queries[query].split())
        lines.append("\t".join((query, *(f"{cell:.4f}" for cell in cells), text)))
    return "\n".join(lines) + "\n"


def pictures(compared: Compared, table: Mapping[str, Mapping[str, Estimate]]) -> dict[str, str]:
    """Return SVGs by file name: nDCG@10 with intervals, and how long questions waited."""
    name = compared.beir.name
    rows = {system: estimates[MAIN] for system, estimates in table.items()}
    for variant in compared.variants:
        rows |= {f"{s}, {variant}": e[f"{MAIN}, {variant}"] for s, e in table.items()}
    waits = {system: outcome.waits_ms for system, outcome in compared.outcomes.items()}
    return {
        f"retrieval.{name}.svg": bars(f"{MAIN} on {name}", rows),
        f"latency.{name}.svg": spread(f"Waiting for passages on {name}", waits),
    }


def documents_of(beir: BeirSet) -> list[Document]:
    """Return a set's documents as pages; those without text are left out."""
    made = (
        Document(i, title, render(map(Block, text.split("\n")))[0])
        for i, title, text in beir.documents
    )
    return [document for document in made if document.text]


def _ours(retriever: Retriever) -> Search:
    def search(question: str) -> dict[str, float]:
        pages: dict[str, float] = {}
        for hit in retriever.retrieve(retriever.correct(question), count=DEPTH):
            pages.setdefault(hit.chunk.document.id, hit.score)
        return pages

    return search


def _ask(search: Search, beir: BeirSet, index_s: float, variant: str = "") -> Outcome:
    run: Run = {}
    waits = []
    questions = {q: beir.queries[q] for q in beir.qrels}
    if variant:
        questions = {q: VARIANTS[variant](text, f"{_SEED} {q}") for q, text in questions.items()}
    for text in [*questions.values()][:3]:
        search(text)  # what is read at the first question is read before the clock runs
    for query, text in questions.items():
        start = time.perf_counter()
        run[query] = search(text)
        waits.append((time.perf_counter() - start) * 1000)
    return Outcome(run, index_s, tuple(waits))
