"""Whether an approved answer is given to its question in other words, and to no other question.

`approved.jsonl` holds questions as staff would approve an answer for them, each with three of the
same meaning and three near misses: another treatment, another part of the body, another aspect,
other people, the opposite. `others` of a row says which near misses ask another approved question.
All questions are approved at once, as in a clinic. Its lists of words (`bot/sameness.toml`) were
made by who wrote the questions: the `test` half says less than one by a stranger would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.approved import ALIKE, Matcher
from bot.pipeline import Assistant
from eval.formats import rows
from eval.statistics import Estimate, share

APPROVED = Path(__file__).with_name("data") / "approved.jsonl"
STEPS = tuple(step / 20 for step in range(2, 20))


@dataclass(frozen=True, slots=True)
class Case:
    """A question asked of all approved ones: `expected` is the id of its answer, "" if none.

    `found` is the approved question nearest in meaning, and `likeness` how near it is. `personal`
    questions and those in several parts get no approved answer: their likeness is 0.
    """

    text: str
    split: str
    expected: str
    same: bool
    found: str
    likeness: float

    def given(self, threshold: float = ALIKE) -> str:
        """Return whose answer it is given at `threshold`, "" if none."""
        return self.found if self.likeness >= threshold else ""


def judge(assistant: Assistant, path: Path = APPROVED) -> list[Case]:
    """Ask every question of `path`. Raises CitewellError naming file and line."""
    approved = list(rows(path, ("id", "question", "same", "different", "split")))
    matcher = Matcher([row["question"] for row in approved], assistant.retriever)
    cases = []
    for row in approved:
        others = row.get("others", {})
        asked = [(text, row["id"], True) for text in row["same"]]
        asked += [(text, others.get(text, ""), False) for text in row["different"]]
        for text, expected, same in asked:
            alone = assistant.general(text)
            scores = matcher.likenesses(alone) if alone else [0.0]
            best = max(range(len(scores)), key=scores.__getitem__)
            found = approved[best]["id"] if alone else ""
            cases.append(Case(text, row["split"], expected, same, found, scores[best]))
    return cases


def summary(cases: Sequence[Case], threshold: float = ALIKE) -> dict[str, Estimate]:
    """Return how often the right answer is given, and how often a wrong one, by half."""
    found = {}
    for split in sorted({case.split for case in cases}):
        half = [case for case in cases if case.split == split]
        same = [case for case in half if case.same]
        near = [case for case in half if not case.same]
        found[f"same meaning, answered, {split}"] = share(
            [case.given(threshold) == case.expected for case in same]
        )
        for name, part in (("same meaning", same), ("near miss", near)):
            found[f"{name}, wrong answer, {split}"] = share([_wrong(c, threshold) for c in part])
    return found


def score(assistant: Assistant) -> dict[str, Estimate]:
    """Return the summary at the threshold that is served."""
    return summary(judge(assistant))


def curve(cases: Sequence[Case]) -> list[tuple[float, float, float]]:
    """Return (threshold, share of same meanings answered, share of all answered wrongly)."""
    same = [case for case in cases if case.same]
    return [
        (
            step,
            share([case.given(step) == case.expected for case in same]).value,
            share([_wrong(case, step) for case in cases]).value,
        )
        for step in STEPS
    ]


def faults(cases: Sequence[Case], threshold: float = ALIKE) -> list[str]:
    """Return a line for every question of the dev half that is given another one's answer."""
    return [
        f"{case.found} ({case.likeness:.2f}) answers: {case.text}"
        for case in cases
        if case.split == "dev" and _wrong(case, threshold)
    ]


def _wrong(case: Case, threshold: float) -> bool:
    return case.given(threshold) not in ("", case.expected)
