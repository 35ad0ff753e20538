"""What is read and written: golden questions, BEIR folders, TREC runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.errors import CitewellError

GOLDEN = Path(__file__).with_name("data") / "golden.jsonl"
HARD = Path(__file__).with_name("data") / "hard.jsonl"
SAFETY = Path(__file__).with_name("data") / "safety.jsonl"
FOLLOWUPS = Path(__file__).with_name("data") / "followups.jsonl"
UNANSWERABLE = Path(__file__).with_name("data") / "unanswerable.jsonl"
WORDING = Path(__file__).with_name("data") / "wording.jsonl"
PHRASINGS = Path(__file__).with_name("data") / "phrasings.jsonl"

Qrels = dict[str, dict[str, int]]
Run = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Question:
    """A golden question: `kind` is the class of answer it must get.

    `pages` are the ids of the pages a good answer stands on, best first; `must` and `must_not`
    are regular expressions for the quoted sentences; `history` the questions before it, and
    `standalone` the same question as it would be asked without them.
    """

    id: str
    text: str
    kind: str
    pages: tuple[str, ...] = ()
    must: tuple[str, ...] = ()
    must_not: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    split: str = "dev"
    note: str = ""
    lang: str = "en"
    topic: str = ""
    standalone: str = ""

    @property
    def answerable(self) -> bool:
        """Whether the pages hold an answer."""
        return self.kind in ("answer", "personal")


@dataclass(frozen=True, slots=True)
class BeirSet:
    """A retrieval set in BEIR's layout: documents as (id, title, text)."""

    name: str
    documents: tuple[tuple[str, str, str], ...]
    queries: dict[str, str]
    qrels: Qrels


def read_questions(path: Path) -> list[Question]:
    """Read golden or safety questions. Raises CitewellError naming file and line."""
    return [
        Question(
            id=row["id"], text=row["question"], kind=_kind(row["class"]),
            pages=tuple(row.get("pages", ())), must=tuple(row.get("must", ())),
            must_not=tuple(row.get("must_not", ())), history=tuple(row.get("history", ())),
            split=row.get("split", "dev"), note=row.get("note") or row.get("phrasing", ""),
            lang=row.get("lang", "en"), topic=row.get("topic", ""),
            standalone=row.get("standalone", ""),
        )
        for row in rows(path, ("id", "question", "class"))
    ]  # fmt: skip


def read_beir(folder: Path, qrels_file: Path | None = None) -> BeirSet:
    """Read corpus.jsonl, queries.jsonl and qrels/test.tsv (Thakur et al. 2021).

    Other qrels may be given; what they judge that is no question of the folder is left out.
    """
    documents = tuple(
        (r["_id"], r.get("title", ""), r["text"])
        for r in rows(folder / "corpus.jsonl", ("_id", "text"))
    )
    queries = {r["_id"]: r["text"] for r in rows(folder / "queries.jsonl", ("_id", "text"))}
    qrels = {
        query: judged
        for query, judged in read_qrels(qrels_file or folder / "qrels" / "test.tsv").items()
        if query in queries
    }
    if not qrels:
        raise CitewellError(f"{folder}: no question of queries.jsonl is judged in the qrels")
    return BeirSet(folder.resolve().name, documents, queries, qrels)


def read_qrels(path: Path) -> Qrels:
    """Read qrels in BEIR's form (query, document, grade) or TREC's (query, 0, document, grade)."""
    qrels: Qrels = {}
    for number, line in enumerate(_lines(path), 1):
        query, *rest = line.split("\t") if "\t" in line else line.split()
        if number == 1 and rest and rest[-1] in ("score", "relevance"):
            continue  # the head of the table
        if (
            len(rest) not in ((2, 3) if "\t" in line else (3,))
            or not rest[-1].strip().lstrip("-").isdigit()
        ):
            raise CitewellError(f"{path}, line {number}: must be query, document, whole number")
        qrels.setdefault(query, {})[rest[-2].replace("%20", " ")] = int(rest[-1])
    return qrels


def read_run(path: Path) -> Run:
    """Read a TREC run: query Q0 document rank score tag."""
    run: Run = {}
    for number, line in enumerate(_lines(path), 1):
        parts = line.split()
        try:
            query, _, document, _, score, *_ = parts
            run.setdefault(query, {})[document.replace("%20", " ")] = float(score)
        except ValueError:
            raise CitewellError(
                f"{path}, line {number}: must be query Q0 document rank score tag"
            ) from None
    return run


def write_qrels(path: Path, qrels: Qrels) -> None:
    """Write TREC qrels: query 0 document grade."""
    with path.open("w", encoding="utf-8") as file:
        for query, judged in qrels.items():
            for document, grade in judged.items():
                file.write(f"{query} 0 {document.replace(' ', '%20')} {grade}\n")


def write_run(path: Path, run: Mapping[str, Mapping[str, float]], tag: str = "citewell") -> None:
    """Write a TREC run: query Q0 document rank score tag."""
    with path.open("w", encoding="utf-8") as file:
        for query, scores in run.items():
            ranked = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
            for rank, (document, score) in enumerate(ranked, 1):
                name = document.replace(" ", "%20")
                file.write(f"{query} Q0 {name} {rank} {score:.6f} {tag}\n")


def _kind(given: str) -> str:
    return {"selfharm": "emergency"}.get(given, given)


def rows(path: Path, needed: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON lines file. Raises CitewellError naming file and line."""
    for number, line in enumerate(_lines(path), 1):
        try:
            row: dict[str, Any] = json.loads(line)
        except ValueError as error:
            raise CitewellError(f"{path}, line {number}: is not JSON ({error})") from None
        if not isinstance(row, dict):
            raise CitewellError(f"{path}, line {number}: is not an object of keys and values")
        if missing := [key for key in needed if key not in row]:
            raise CitewellError(f"{path}, line {number}: has no '{missing[0]}'")
        yield row


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise CitewellError(f"{path}: cannot be read ({error})") from None
