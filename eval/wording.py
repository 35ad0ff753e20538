"""Whether `bot.verify` keeps faithful sentences and drops unfaithful ones: `citewell eval wording`.

`wording.jsonl` holds sentences as models word them, each with the quote it rests on and a label;
the unfaithful ones are wrong in one respect. Keeping costs only wording, passing costs the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.verify import Claim, Unsupported, verify
from eval.formats import WORDING, rows
from eval.statistics import Estimate, share
from index.retrieve import Retriever
from index.types import Chunk


@dataclass(frozen=True, slots=True)
class Worded:
    """A labelled sentence with what the verifier said of it; no reason means it was let through."""

    id: str
    faithful: bool
    fault: str
    sentence: str
    reason: str


def check_all(retriever: Retriever) -> list[Worded]:
    """Verify every labelled sentence whose quote is in the index."""
    chunks = retriever.generation.chunks
    checked = []
    for row in rows(WORDING, ("id", "page", "quote", "sentence", "label", "fault")):
        spans = _spans([c for c in chunks if c.document.id.endswith(row["page"])], row["quote"])
        if spans:
            reason = _reason(row["sentence"], spans, retriever)
            faithful = row["label"] == "faithful"
            checked.append(Worded(row["id"], faithful, row["fault"], row["sentence"], reason))
    return checked


def summary(checked: Sequence[Worded]) -> dict[str, Estimate]:
    """Return the shares let through, of faithful sentences and of each fault."""
    found = {
        "faithful kept": share([not w.reason for w in checked if w.faithful]),
        "unfaithful passed": share([not w.reason for w in checked if not w.faithful]),
    }
    for fault in sorted({w.fault for w in checked if not w.faithful}):
        found[f"passed, {fault}"] = share([not w.reason for w in checked if w.fault == fault])
    return found


def faults(checked: Sequence[Worded]) -> list[str]:
    """Return a line for every unfaithful sentence that passed."""
    return [f"{w.id}: {w.fault}: {w.sentence}" for w in checked if not w.faithful and not w.reason]


def _spans(chunks: Sequence[Chunk], quote: str) -> list[tuple[Chunk, int, int]]:
    wanted = " ".join(quote.split())
    return [
        (chunk, start, end)
        for chunk in chunks
        for start, end in chunk.sentences
        if " ".join(chunk.document.text[start:end].split()) in wanted
    ]


def _reason(sentence: str, spans: Sequence[tuple[Chunk, int, int]], retriever: Retriever) -> str:
    named = {f"p{at}": chunk for at, (chunk, _, _) in enumerate(spans)}
    quotes = tuple((f"p{at}", c.document.text[a:b]) for at, (c, a, b) in enumerate(spans))
    try:
        verify(Claim(sentence, quotes), named, retriever.similarity)
    except Unsupported as error:
        return str(error)
    return ""
