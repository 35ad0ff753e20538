"""One report: a table for people, report.json for programs, the difference against the last."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bot.pipeline import Assistant
from bot.settings import Settings
from eval import (
    abstention,
    answers,
    approved,
    beir,
    costs,
    fit,
    retrieval,
    safety,
    wording,
)
from eval.formats import (
    FOLLOWUPS,
    GOLDEN,
    HARD,
    PHRASINGS,
    SAFETY,
    UNANSWERABLE,
    Question,
    read_questions,
    write_run,
)
from eval.picture import bars, curve
from eval.statistics import Estimate
from index.errors import CitewellError, DataFolderError

_MOST_FAULTS = 40

Report = dict[str, Any]
Pictures = dict[str, str]
"""Name of a file in the report folder -> SVG."""


@dataclass(frozen=True)
class Bench:
    """What is scored: an assistant, the golden questions with their halves, the report's folder."""

    assistant: Assistant
    asked: Sequence[Question]
    hard: Sequence[Question]
    out: Path

    @property
    def splits(self) -> dict[str, Sequence[Question]]:
        """The golden questions, all and by half, and the hard ones, which count for neither."""
        names = sorted({q.split for q in self.asked})
        halves = {name: [q for q in self.asked if q.split == name] for name in names}
        parts: dict[str, Sequence[Question]] = {
            "all": self.asked, **(halves if len(names) > 1 else {}),
        }  # fmt: skip
        return parts | ({"hard": self.hard} if self.hard else {})


def run(what: str, settings: Settings, *, questions: Path | None, out: Path) -> str:
    """Score `what` ("all" is every part of the table below), write the report, return it as text.

    With `questions` of one's own "all" leaves out what is measured on the shipped pages only.
    "fit" and "fit-triage" write no report: they return and write what was learnt.
    """
    if what not in ("all", *ALONE, "fit", "fit-triage", *PARTS):
        known = ", ".join(("all", *ALONE, "fit", "fit-triage", *PARTS))
        raise CitewellError(f"cannot score '{what}'; choose {known}")
    if what == "fit-triage":
        from eval import fit_triage

        return fit_triage.run(read_questions(PHRASINGS))
    _make(out)
    asked = read_questions(questions or GOLDEN)
    hard = [] if questions else read_questions(HARD)
    bench = Bench(Assistant.open(settings), asked, hard, out)
    _require_pages([*asked, *hard], bench.assistant)
    if what == "fit":
        return fit.run([*asked, *hard], bench.assistant)
    report: Report = {"index": _index(bench.assistant)}
    every = [*PARTS] if questions is None else [*OF_ANY_PAGES]
    for name in every if what == "all" else [what]:
        part, pictures = (PARTS | ALONE)[name](bench)
        report |= part
        for file, picture in pictures.items():
            (out / file).write_text(picture, "utf-8")
    return _write(report, out)


def run_retrieval(
    settings: Settings, folders: Sequence[Path], runs: Sequence[Path], *, qrels: Path | None,
    baselines: bool, variants: bool, for_programs: bool, out: Path,
) -> str:  # fmt: skip
    """Score retrieval on BEIR folders, or TREC runs that exist, and return the table or JSON."""
    _make(out)
    if runs and folders:
        raise CitewellError("give --beir to search or --run to score what was found, not both")
    if runs and not qrels:
        raise CitewellError("--run needs --qrels FILE: which documents answer which question")
    if runs and qrels:
        tables, scores = beir.score_runs(runs, qrels)
    else:
        tables, scores = beir.score_folders(
            folders, settings.index, out,
            qrels=qrels, with_baselines=baselines, with_variants=variants,
        )  # fmt: skip
    report: Report = {title: _plain(rows) for title, rows in tables.items()}
    if "means" in scores:
        report["means over the sets"] = {k: f"{v:.4f}" for k, v in scores["means"].items()}
    text = _write(report, out)
    return beir.as_json(scores) if for_programs else text


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataFolderError(f"the report folder {out} cannot be written ({error})") from None


def _index(assistant: Assistant) -> Report:
    manifest = assistant.retriever.generation.manifest
    return {
        "generation": manifest.generation, "pages": manifest.documents,
        "passages": manifest.chunks, "model": manifest.recipe.model,
    }  # fmt: skip


def _retrieval(bench: Bench) -> tuple[Report, Pictures]:
    report: Report = {}
    for name, part in bench.splits.items():
        qrels, found = retrieval.run_golden(part, bench.assistant)
        report[f"retrieval ({name})"] = _plain(retrieval.score(qrels, found))
        write_run(bench.out / f"run.{name}.trec", found)
    return report, {}


def _follow_ups(bench: Bench) -> tuple[Report, Pictures]:
    questions = read_questions(FOLLOWUPS)
    report: Report = {}
    for split in ("dev", "test"):
        half = [q for q in questions if q.split == split]
        report[f"follow-ups ({split})"] = _plain(retrieval.follow_ups(half, bench.assistant))
    return report, {}


def _answers(bench: Bench) -> tuple[Report, Pictures]:
    judged = answers.judge_all([*bench.asked, *bench.hard], bench.assistant)
    report: Report = {}
    pictures: Pictures = {}
    for name, part in bench.splits.items():
        found = answers.summary([j for j in judged if j.question in part])
        report[f"answers ({name})"] = _plain(found)
        shares = {k: v for k, v in found.items() if v.count and 0 <= v.value <= 1}
        pictures[f"answers.{name}.svg"] = bars(f"Answers to the golden questions, {name}", shares)
    report["faults"] = [
        f"{j.question.id} [{j.question.kind}] {j.question.text}: {fault}"
        for j in judged
        for fault in j.faults
        if j.question.split != "test"  # what is read is learnt from: that half is for measuring
    ]
    return report, pictures


def _abstention(bench: Bench) -> tuple[Report, Pictures]:
    answerable = [q for q in (*bench.asked, *bench.hard) if q.answerable and q.lang == "en"]
    threshold = bench.assistant.settings.answers.min_evidence
    weighed = abstention.weigh([*answerable, *read_questions(UNANSWERABLE)], bench.assistant)
    found = abstention.summary(weighed, threshold)
    lines = {
        split: abstention.curve(
            [w for w in weighed if w.question.answerable or w.question.split == split]
        )
        for split in ("dev", "test")
    }
    rows = {f"{step:g}": f"refused {x:.3f}, answered {y:.3f}" for step, (x, y) in zip(
        abstention.STEPS, lines["test"], strict=True
    )}  # fmt: skip
    picture = curve(
        "Refusing what the pages do not answer", "unanswerable refused", "answerable answered",
        lines,
        (found["unanswerable refused, test"].value, found["answerable answered"].value),
    )  # fmt: skip
    report = {"abstention": _plain(found), "abstention, by threshold (test)": rows}
    return report, {"abstention.svg": picture}


def _safety(bench: Bench) -> tuple[Report, Pictures]:
    phrasings = read_questions(SAFETY)
    report: Report = {}
    pictures: Pictures = {}
    lines: dict[str, list[tuple[float, float]]] = {}
    for split in sorted({p.split for p in phrasings}):
        half = [p for p in phrasings if p.split == split]
        found = safety.summary(half)
        report[f"safety ({split})"] = _plain(found)
        lines[split] = safety.curve(half)
        pictures[f"safety.{split}.svg"] = bars(f"Emergencies and false alarms, {split}", found)
    pictures["safety.svg"] = curve(
        "Hearing an emergency, rules left out", "false alarms", "caught", lines
    )
    seen = [p for p in phrasings if p.split != "test"]
    report["safety faults"] = safety.faults(seen)
    return report, pictures


def _wording(bench: Bench) -> tuple[Report, Pictures]:
    checked = wording.check_all(bench.assistant.retriever)
    found = wording.summary(checked)
    picture = bars("A model's sentences let through", found)
    report = {"wording": _plain(found), "wording faults": wording.faults(checked)}
    return report, {"wording.svg": picture}


def _approved(bench: Bench) -> tuple[Report, Pictures]:
    return {"approved answers": _plain(approved.score(bench.assistant))}, {}


PARTS: dict[str, Callable[[Bench], tuple[Report, Pictures]]] = {
    "retrieval": _retrieval, "followups": _follow_ups, "answers": _answers,
    "abstention": _abstention, "safety": _safety, "wording": _wording,
    "approved": _approved,
}  # fmt: skip
ALONE: dict[str, Callable[[Bench], tuple[Report, Pictures]]] = {
    "speed": costs.of_speed, "growth": costs.of_growth, "load": costs.of_load,
    "soak": costs.of_soak,
}  # fmt: skip
"""What takes minutes, and is scored only when it is asked for."""
OF_ANY_PAGES = ("retrieval", "answers", "safety")


def as_text(report: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    """Return the report as a table, with the change since `last` where both have a value."""
    lines: list[str] = []
    for title, part in report.items():
        lines += ["", title.upper()]
        if isinstance(part, list):
            lines += [f"  {line}" for line in part[:_MOST_FAULTS]] or ["  none"]
            if len(part) > _MOST_FAULTS:
                lines.append(f"  ... and {len(part) - _MOST_FAULTS} more in report.json")
            continue
        for name, value in part.items():
            before = last.get(title, {}).get(name) if isinstance(last.get(title), dict) else None
            lines.append(f"  {name:44} {_shown(value)}{_change(value, before)}")
    return "\n".join(lines).strip() + "\n"


def _require_pages(asked: Sequence[Question], assistant: Assistant) -> None:
    """Golden questions about pages that are not indexed would score as failures of retrieval."""
    missing = {page for q in asked for page in q.pages} - set(assistant.retriever.documents)
    if missing:
        raise CitewellError(
            f"the questions expect {len(missing)} pages that are not in the index, such as "
            f"{min(missing)}; index them, or give other questions with --questions"
        )


def _plain(estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    return {
        name: {k: round(v, 4) for k, v in asdict(estimate).items()}
        for name, estimate in estimates.items()
        if not math.isnan(estimate.value)
    }


def _write(report: dict[str, Any], out: Path) -> str:
    path = out / "report.json"
    try:
        last = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        last = {}
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return as_text(report, last)


def _shown(value: object) -> str:
    if not isinstance(value, dict):
        return str(value)
    if "ratio" in value:
        held = "within" if value["ratio"] <= value["limit"] else "OVER"
        return f"{value['ratio']:.2f} ({held} {value['limit']:g})"
    return str(Estimate(**value))


def _change(value: object, before: object) -> str:
    if not (isinstance(value, dict) and isinstance(before, dict)):
        return ""
    key = "ratio" if "ratio" in value else "value"
    difference = value[key] - before.get(key, value[key])
    return f"  ({difference:+.3f})" if abs(difference) >= 0.0005 else ""
