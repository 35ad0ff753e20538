"""Approved answers are scored as a clinic would be served by them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.pipeline import Assistant
from eval import approved
from eval.approved import APPROVED, Case
from eval.formats import rows
from index.errors import CitewellError

ROWS = list(rows(APPROVED, ("id", "question", "same", "different", "split")))


def case(expected: str, found: str, likeness: float, *, same: bool = True) -> Case:
    return Case("a question", "dev", expected, same, found, likeness)


def test_the_right_answer_counts_and_a_wrong_one_counts_against_it():
    cases = [
        case("a", "a", 0.9), case("a", "b", 0.9), case("a", "a", 0.1), case("a", "a", 0.9),
        case("", "a", 0.9, same=False), case("", "a", 0.1, same=False),
        case("b", "b", 0.9, same=False),
    ]  # fmt: skip
    found = approved.summary(cases, 0.5)
    assert found["same meaning, answered, dev"].value == 0.5
    assert found["same meaning, wrong answer, dev"].value == 0.25
    assert found["near miss, wrong answer, dev"].value == pytest.approx(1 / 3)
    assert [line.split()[0] for line in approved.faults(cases, 0.5)] == ["b", "a"]


def test_a_higher_threshold_never_answers_more():
    cases = [case("a", "a", 0.3), case("a", "a", 0.7), case("", "a", 0.5, same=False)]
    steps, answered, wrong = zip(*approved.curve(cases), strict=True)
    assert list(steps) == sorted(steps)
    assert list(answered) == sorted(answered, reverse=True) and answered[0] == 1
    assert wrong[0] > wrong[-1] == 0


def test_questions_are_asked_as_the_assistant_would_serve_them(
    assistant: Assistant, tmp_path: Path
):
    file = tmp_path / "approved.jsonl"
    row = {
        "id": "a1", "question": "Can I drive after acupuncture?", "split": "dev",
        "same": ["can I drive after acupuncture", "should I drive after stopping my warfarin"],
        "different": ["Can I drive after acupotomy?", "What is cupping?"],
        "others": {"What is cupping?": "a2"},
    }  # fmt: skip
    other = {"id": "a2", "question": "What is cupping?", "same": [], "different": [],
             "split": "test"}  # fmt: skip
    file.write_text("\n".join(map(json.dumps, (row, other))), "utf-8")
    first, personal, near, another = approved.judge(assistant, file)
    assert first.given() == first.expected == "a1"
    assert (personal.given(), personal.likeness) == ("", 0)
    assert (near.given(), near.expected) == ("", "")
    assert another.given() == another.expected == "a2"


def test_a_row_without_near_misses_is_an_error_with_its_line(assistant: Assistant, tmp_path: Path):
    file = tmp_path / "approved.jsonl"
    file.write_text('{"id": "a1", "question": "q", "same": []}\n', "utf-8")
    with pytest.raises(CitewellError, match="line 1: has no 'different'"):
        approved.judge(assistant, file)


def test_the_set_is_as_its_description_says():
    assert len(ROWS) == 120
    assert {len(row["same"]) for row in ROWS} == {len(row["different"]) for row in ROWS} == {3}
    assert sum(row["split"] == "dev" for row in ROWS) == 60
    ids = {row["id"] for row in ROWS}
    assert len(ids) == 120
    for row in ROWS:
        assert row["others"].keys() <= set(row["different"])
        assert set(row["others"].values()) <= ids - {row["id"]}
        texts = [row["question"], *row["same"], *row["different"]]
        assert len({text.lower() for text in texts}) == 7


def test_no_question_means_the_same_as_two_approved_ones():
    owners: dict[str, str] = {}
    for row in ROWS:
        for text in (row["question"], *row["same"]):
            assert owners.setdefault(text.lower(), row["id"]) == row["id"]


@pytest.mark.model
def test_with_the_real_model_a_wrong_answer_is_rarer_than_one_in_a_hundred(
    real_assistant: Assistant, record_property
):
    found = approved.score(real_assistant)
    for name, value in found.items():
        record_property(f"approved, {name}", str(value))
    wrong = [value.value for name, value in found.items() if "wrong" in name]
    assert len(wrong) == 4 and max(wrong) <= 0.01
    assert found["same meaning, answered, dev"].value >= 0.6
