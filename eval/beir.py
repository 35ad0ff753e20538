"""`citewell eval retrieval` on BEIR folders and TREC runs: what is asked for and written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval import bench
from eval.formats import read_beir, read_qrels, read_run, write_qrels, write_run
from eval.statistics import Estimate, difference
from eval.variants import VARIANTS
from index.embed import open_encoder
from index.errors import CitewellError
from index.settings import IndexSettings

Tables = dict[str, Mapping[str, Estimate]]


def score_folders(
    folders: Sequence[Path], settings: IndexSettings, out: Path, *, qrels: Path | None,
    with_baselines: bool, with_variants: bool,
) -> tuple[Tables, dict[str, Any]]:  # fmt: skip
    """Index each folder, ask its questions, write runs, qrels, tables by question and pictures.

    Returns the tables for people, by title, and the scores for programs: those of the one set, or
    of each by its name.
    """
    if qrels and len(folders) > 1:
        raise CitewellError("--qrels belongs to one folder; give one --beir with it")
    encoder = open_encoder(settings)
    tables: Tables = {}
    scores: dict[str, Any] = {}
    of_sets = []
    for folder in folders:
        beir = read_beir(folder, qrels)
        compared = bench.compare(
            beir, encoder, settings, with_baselines=with_baselines,
            variants=[*VARIANTS] if with_variants else (),
        )  # fmt: skip
        table = bench.summary(compared)
        of_sets.append(table)
        for name, rows in table.items():
            beside = "" if name == bench.OURS else f", {name}"
            tables[f"retrieval ({beir.name}){beside}"] = rows
        scores[beir.name] = bench.as_json(compared)
        _write(compared, table, out)
    if len(folders) == 1:
        return tables, scores.popitem()[1]
    return tables, {"sets": scores, "means": bench.over_sets(of_sets)}


def score_runs(runs: Sequence[Path], qrels: Path) -> tuple[Tables, dict[str, Any]]:
    """Score TREC runs, and each less the first: its paired difference."""
    judged = read_qrels(qrels)
    values = {path.name: bench.score(judged, read_run(path)) for path in runs}
    first, *others = values
    tables: Tables = {f"run {name}": bench.means(own) for name, own in values.items()}
    for other in others:
        tables[f"{other} less {first}"] = {
            measure: difference(values[other][measure], values[first][measure])
            for measure in values[first]
        }
    plain = {path.name: bench.plain(judged, read_run(path)) for path in runs}
    return tables, plain.popitem()[1] if len(plain) == 1 else {"runs": plain}


def as_json(scores: Mapping[str, Any]) -> str:
    """Return scores as one line for another program."""
    return json.dumps(scores, ensure_ascii=False)


def _write(
    compared: bench.Compared, table: Mapping[str, Mapping[str, Estimate]], out: Path
) -> None:
    name = compared.beir.name
    write_qrels(out / f"qrels.{name}.trec", compared.beir.qrels)
    for system, outcome in compared.outcomes.items():
        own = "" if system == bench.OURS else "." + system.split()[0].lower()
        write_run(out / f"run.{name}{own}.trec", outcome.run, tag=own.lstrip(".") or "citewell")
    (out / f"questions.{name}.tsv").write_text(bench.per_query(compared), "utf-8")
    for file, picture in bench.pictures(compared, table).items():
        (out / file).write_text(picture, "utf-8")
