"""What Prometheus may know: how many, how long, how much. Never a word that anyone typed."""

from __future__ import annotations

from typing import Literal, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from bot.pipeline import Assistant
from bot.types import AnswerKind
from bot.web.desk import Desk

TYPE = CONTENT_TYPE_LATEST
Refused = Literal["busy", "rate"]
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The counters of one process."""

    def __init__(self, assistant: Assistant, desk: Desk) -> None:
        """Count for `assistant`; how many are at `desk` is read when it is asked for."""
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.answers = Counter(
            "citewell_answers", "Answers given, by kind.", ["kind"], registry=registry
        )
        self.seconds = Histogram(
            "citewell_answer_seconds", "From question to whole answer, waiting included.",
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.refused = Counter(
            "citewell_refused", "Requests not served, by reason.", ["why"], registry=registry
        )
        self.ratings = Counter(
            "citewell_ratings", "Ratings by visitors.", ["helpful"], registry=registry
        )
        for kind in get_args(AnswerKind):
            self.answers.labels(kind)
        for why in get_args(Refused):
            self.refused.labels(why)
        inside = Gauge("citewell_inside", "Being answered or waiting for it.", registry=registry)
        inside.set_function(lambda: desk.inside)
        passages = Gauge("citewell_passages", "Passages in the index.", registry=registry)
        passages.set_function(lambda: len(assistant.retriever.generation.chunks))

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)
