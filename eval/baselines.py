"""What retrieval is compared with, on the same weights: dense, BM25, their fusion, LangChain.

All but LangChain's search the passages of our index, so that the ranking alone differs; LangChain
cuts, stores and searches as its own defaults do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from eval.formats import BeirSet
from index.embed import Encoder
from index.errors import CitewellError
from index.retrieve import Retriever
from index.text import terms

DEPTH = 100
"""Passages looked at for a question."""
_RRF = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Buettcher 2009)."""
_AT_ONCE = 5000
"""Pieces given to Chroma at once: it takes no more."""

Search = Callable[[str], dict[str, float]]
"""Question -> the score of each page found, its best passage's."""


def dense(retriever: Retriever) -> Search:
    """Return a search by the cosine similarity of passages alone."""
    generation = retriever.current()

    def search(question: str) -> dict[str, float]:
        asked = retriever.encoder.encode_question(question)
        found = generation.nearest(asked, DEPTH)
        cosines = generation.vectors.similarities(asked, found)
        return _by_page(
            (generation.chunks[at].document.id, score)
            for at, score in zip(found.tolist(), cosines.tolist(), strict=True)
        )

    return search


def bm25(retriever: Retriever) -> Search:
    """Return a search by words alone."""
    generation = retriever.current()

    def search(question: str) -> dict[str, float]:
        found, scores = generation.lexical.top(terms(question), DEPTH)
        return _by_page(
            (generation.chunks[at].document.id, score)
            for at, score in zip(found.tolist(), scores.tolist(), strict=True)
        )

    return search


def fused(*searches: Search) -> Search:
    """Return the reciprocal rank fusion of searches, each with the same weight."""

    def search(question: str) -> dict[str, float]:
        found: dict[str, float] = {}
        for one in searches:
            scores = one(question)
            for rank, page in enumerate(sorted(scores, key=lambda p: -scores[p]), 1):
                found[page] = found.get(page, 0) + 1 / (_RRF + rank)
        return found

    return search


def langchain(beir: BeirSet, encoder: Encoder, folder: Path) -> Search:
    """Return LangChain's search: its stock splitter, Chroma on disk, nothing else set."""
    try:
        from langchain_chroma import Chroma
        from langchain_core.documents import Document
        from langchain_text_splitters import RecursiveCharacterTextSplitter
    except ImportError:
        raise CitewellError(
            "the baseline of LangChain needs langchain-chroma; run: pip install 'citewell[bench]'"
        ) from None
    documents = [
        Document(f"{title}\n{text}".strip(), metadata={"page": i})
        for i, title, text in beir.documents
        if text.strip()
    ]
    pieces = RecursiveCharacterTextSplitter().split_documents(documents)
    store = Chroma(
        embedding_function=encoder, persist_directory=str(folder),
        collection_metadata={"hnsw:space": "cosine"},
    )  # fmt: skip
    for at in range(0, len(pieces), _AT_ONCE):
        store.add_documents(pieces[at : at + _AT_ONCE])

    def search(question: str) -> dict[str, float]:
        found = store.similarity_search_with_score(question, k=min(DEPTH, len(pieces)))
        return _by_page((piece.metadata["page"], 1 - far) for piece, far in found)

    return search


def _by_page(scored: Iterable[tuple[str, float]]) -> dict[str, float]:
    pages: dict[str, float] = {}
    for page, score in scored:
        pages[page] = max(score, pages.get(page, score))
    return pages
