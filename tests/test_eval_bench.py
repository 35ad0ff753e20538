"""The bench: any BEIR folder, baselines, harder questions, runs in and out."""

from __future__ import annotations

import json

import pytest
from pages import write
from typer.testing import CliRunner

from app import cli
from eval import beir, bench
from eval.formats import BeirSet, read_qrels, read_run, write_qrels, write_run
from eval.statistics import difference
from eval.variants import VARIANTS, misspelt
from index.embed import HashEncoder
from index.errors import CitewellError
from index.settings import IndexSettings

TEXTS = {
    "heel": ("Heel pain", "Acupotomy may ease heel pain.\nA bladed needle loosens tight tissue."),
    "cups": ("Cupping", "Cups leave round marks on the back.\nThe marks fade in a week."),
    "moxa": ("Moxibustion", "Moxibustion warms a point with burning mugwort."),
    "knee": ("Knee", "Osteoarthritis of the knee is common in later years."),
}
ASKED = {
    "1": "does acupotomy ease heel pain", "2": "how long do cupping marks fade",
    "3": "what is burning mugwort", "4": "osteoarthritis of the knee",
}  # fmt: skip
RIGHT = {"1": "heel", "2": "cups", "3": "moxa", "4": "knee"}
SETTINGS = IndexSettings(model="hash")


@pytest.fixture
def folder(tmp_path):
    corpus = [{"_id": i, "title": t, "text": x} for i, (t, x) in TEXTS.items()]
    queries = [{"_id": i, "text": t} for i, t in ASKED.items()]
    qrels = "query-id\tcorpus-id\tscore\n" + "".join(f"{q}\t{d}\t1\n" for q, d in RIGHT.items())

    def lines(rows):
        return "".join(json.dumps(row) + "\n" for row in rows)

    return write(
        tmp_path / "clinic",
        {"corpus.jsonl": lines(corpus), "queries.jsonl": lines(queries), "qrels/test.tsv": qrels},
    )


@pytest.fixture(scope="module")
def compared():
    documents = tuple((i, title, text) for i, (title, text) in TEXTS.items())
    qrels = {query: {page: 1} for query, page in RIGHT.items()}
    return bench.compare(
        BeirSet("clinic", documents, ASKED, qrels), HashEncoder(), SETTINGS,
        with_baselines=True, variants=[*VARIANTS],
    )  # fmt: skip


def test_every_system_answers_every_question_and_every_variant(compared):
    names = {bench.OURS, "dense alone", "BM25 alone", "rank fusion 50/50", "LangChain + Chroma"}
    assert set(compared.outcomes) == names
    assert set(compared.variants) == {"misspelt", "shortened", "chatty"}
    for runs in compared.variants.values():
        assert {name: set(run) for name, run in runs.items()} == dict.fromkeys(names, set(ASKED))
    for outcome in compared.outcomes.values():
        assert set(outcome.run) == set(ASKED)
        assert len(outcome.waits_ms) == len(ASKED) and min(outcome.waits_ms) > 0
        assert {page for pages in outcome.run.values() for page in pages} <= set(TEXTS)
        assert outcome.percentile(50) <= outcome.percentile(95)


def test_pages_about_the_question_come_first(compared):
    for query, scores in compared.outcomes[bench.OURS].run.items():
        assert max(scores, key=lambda page: scores[page]) == RIGHT[query]


def test_the_summary_sets_ours_beside_each_other_and_counts_what_variants_cost(compared):
    table = bench.summary(compared)
    ours = table.pop(bench.OURS)
    assert ours[bench.MAIN].value == 1 and ours[bench.MAIN].count == len(ASKED)
    for rows in table.values():
        ahead = rows[f"{bench.OURS} less this, {bench.MAIN}"]
        assert ahead.value == pytest.approx(ours[bench.MAIN].value - rows[bench.MAIN].value)
        for variant in VARIANTS:
            lost = rows[f"lost when {variant}"].value
            assert lost == pytest.approx(
                rows[bench.MAIN].value - rows[f"{bench.MAIN}, {variant}"].value
            )


def test_means_over_sets_name_the_lead_over_the_best_of_the_others(compared):
    table = bench.summary(compared)
    rows = bench.over_sets([table, table])
    best = max(table[name][bench.MAIN].value for name in table if name != bench.OURS)
    lead = rows["ahead of the best of these, relative"]
    assert lead == pytest.approx(table[bench.OURS][bench.MAIN].value / best - 1)


def test_a_question_without_an_answer_counts_as_nothing_found():
    values = bench.score({"1": {"a": 1}, "2": {"b": 1}}, {"1": {"a": 0.5}})
    assert values[bench.MAIN] == {"1": 1.0, "2": 0.0}


def test_a_difference_is_paired():
    one, other = {"1": 1.0, "2": 0.2, "3": 0.9}, {"1": 0.9, "2": 0.1, "3": 0.8}
    found = difference(one, other)
    assert [found.value, found.low, found.high] == pytest.approx([0.1] * 3)


def test_misspelling_edits_every_third_content_word_and_is_seeded():
    asked = "does electroacupuncture relieve shoulder stiffness after stroke and swelling"
    typed = misspelt(asked, "a")
    changed = [a != b for a, b in zip(asked.split(), typed.split(), strict=True)]
    assert changed == [False, True, False, False, True, False, False, False, True]
    assert typed == misspelt(asked, "a") != misspelt(asked, "b")


def test_shortened_and_chatty_keep_what_is_asked():
    assert VARIANTS["shortened"]("What is the knee joint?", "") == "knee joint"
    assert "cupping marks" in VARIANTS["chatty"]("Cupping marks?", "s")


def test_json_has_the_agreed_form_and_files_are_written(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("CITEWELL_INDEX__MODEL", "hash")
    out = tmp_path / "out"
    result = CliRunner().invoke(
        cli, ["eval", "retrieval", "--beir", str(folder), "--json", "--out", str(out)]
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert set(found) == {"measures", "queries", "index_s", "p50_ms", "p95_ms"}
    assert found["queries"] == 4 and found["measures"]["nDCG@10"] == 1
    assert set(read_run(out / "run.clinic.trec")) == set(ASKED)
    assert read_qrels(out / "qrels.clinic.trec") == {q: {d: 1} for q, d in RIGHT.items()}
    rows = (out / "questions.clinic.tsv").read_text("utf-8").splitlines()
    assert len(rows) == 5 and rows[0].split("\t")[:2] == ["question", "nDCG@10"]
    assert (out / "retrieval.clinic.svg").read_text("utf-8").startswith("<svg")


def test_other_qrels_and_several_folders(folder, tmp_path):
    other = tmp_path / "qrels.trec"
    write_qrels(other, {"1": {"cups": 1}, "9": {"heel": 1}})
    _, found = beir.score_folders(
        [folder], SETTINGS, tmp_path, qrels=other, with_baselines=False, with_variants=False
    )
    assert found["queries"] == 1
    tables, found = beir.score_folders(
        [folder, folder], SETTINGS, tmp_path, qrels=None, with_baselines=False, with_variants=False
    )
    assert set(found) == {"sets", "means"} and tables
    with pytest.raises(CitewellError, match="give one --beir"):
        beir.score_folders(
            [folder, folder], SETTINGS, tmp_path,
            qrels=other, with_baselines=False, with_variants=False,
        )  # fmt: skip


def test_runs_of_others_are_scored_and_compared(tmp_path):
    write_qrels(tmp_path / "q", {"1": {"a": 1}, "2": {"b c": 1}})
    write_run(tmp_path / "good", {"1": {"a": 2, "x": 1}, "2": {"b c": 1}})
    write_run(tmp_path / "poor", {"1": {"x": 2, "a": 1}})
    tables, found = beir.score_runs([tmp_path / "poor", tmp_path / "good"], tmp_path / "q")
    assert found["runs"]["good"]["measures"]["RR"] == 1
    assert tables["good less poor"]["RR"].value == pytest.approx(0.75)
    _, alone = beir.score_runs([tmp_path / "good"], tmp_path / "q")
    assert alone["measures"]["nDCG@10"] == 1 and alone["queries"] == 2


@pytest.mark.parametrize("text", ["1 Q0 a 1 good tag\n", "1 a\n"])
def test_a_run_that_is_none_is_named_by_line(tmp_path, text):
    (tmp_path / "run").write_text("1 Q0 a 1 0.5 tag\n" + text, "utf-8")
    with pytest.raises(CitewellError, match="run, line 2: must be"):
        read_run(tmp_path / "run")


def test_runs_need_qrels(tmp_path):
    write_run(tmp_path / "run", {"1": {"a": 1}})
    result = CliRunner().invoke(cli, ["eval", "retrieval", "--run", str(tmp_path / "run")])
    assert result.exit_code == 1 and "--qrels" in str(result.exception)
