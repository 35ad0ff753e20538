"""The `citewell` program as it is typed: what it prints, and with which status it leaves."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pages import CUPS, HEEL, MARKDOWN, write

import app

ROOT = Path(__file__).parent.parent
PAGES = {
    "heel.md": MARKDOWN,
    "cups.md": "---\ntitle: Cupping\nkind: treatment\n---\n"
    f"{CUPS}\n\n## Does it hurt?\n\nCupping feels tight.\n",
}
CONFIG = """\
[clinic]
name = "Riverside"
phone = "555 0100"
[index]
model = "hash"
[corpus]
folders = ["pages"]
"""


@pytest.fixture(autouse=True)
def clinic(tmp_path, monkeypatch):
    """A clinic of two pages in the folder the program is started in."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"clinic.toml": CONFIG})
    return write(tmp_path / "pages", PAGES)


@pytest.fixture
def citewell(monkeypatch, capsys):
    """Return a function that runs the program and returns its status and what it said."""

    def run(*arguments, stdin=""):
        monkeypatch.setattr(sys, "argv", ["citewell", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        try:
            app.main()
            status = 0
        except SystemExit as left:
            status = left.code or 0
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def program(*arguments, **options):
    return subprocess.run(
        [sys.executable, ROOT / "app.py", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


class TestHelp:
    @pytest.mark.parametrize("command", [[], ["index"], ["ask"], ["serve"], ["eval"]])
    def test_help_is_given(self, citewell, command):
        status, out, _ = citewell(*command, "--help")
        assert status == 0
        assert out.strip().startswith("Usage: ") and "--help" in out

    def test_every_command_is_listed_with_what_it_does(self, citewell):
        _, out, _ = citewell("--help")
        for command in ("serve", "index", "ask", "eval"):
            assert f"\n  {command} " in out

    def test_an_unknown_command_is_told(self, citewell):
        status, _, err = citewell("answer")
        assert status == 2
        assert "No such command 'answer'" in err


class TestIndex:
    def test_everything_indexed(self, citewell):
        status, _, err = citewell("index")
        assert status == 0
        assert err.splitlines()[-1].startswith("indexed, ")
        assert "2 pages" in err and "skipped" not in err
        assert Path("data/manifest.json").exists()

    def test_a_second_time_it_is_up_to_date(self, citewell):
        citewell("index")
        before = Path("data/manifest.json").read_bytes()
        status, _, err = citewell("index")
        assert (status, Path("data/manifest.json").read_bytes()) == (0, before)
        assert err.splitlines()[-1].startswith("up to date: 2 pages")

    def test_rebuild_makes_it_anew(self, citewell):
        citewell("index")
        assert "indexed, " in citewell("index", "--rebuild")[2]

    def test_what_cannot_be_read_is_named_and_gives_status_3(self, citewell, clinic):
        write(clinic, {"bad.pdf": b"this is no PDF"})
        for state in ("indexed, ", "up to date: "):
            status, _, err = citewell("index")
            assert status == 3
            assert any(
                line.startswith("skipped ") and "bad.pdf: " in line for line in err.splitlines()
            )
            assert err.splitlines()[-1].startswith(state)
            assert err.splitlines()[-1].endswith(", 1 skipped")

    def test_nothing_indexed_gives_status_1_and_one_line(self, citewell, tmp_path):
        empty = write(tmp_path / "empty", {"a.png": b"x"})
        status, out, err = citewell("index", empty)
        assert (status, out) == (1, "")
        assert err.splitlines()[-1].startswith("citewell: no page could be read from ")
        assert not Path("data/manifest.json").exists()

    def test_pages_given_are_indexed_instead_of_the_clinics(self, citewell, clinic):
        status, _, err = citewell("index", clinic / "heel.md", "--data", "other")
        assert status == 0
        assert "1 pages" in err
        assert Path("other/manifest.json").exists() and not Path("data").exists()


class TestAsk:
    def test_the_answer_is_printed_with_its_source(self, citewell):
        citewell("index")
        status, out, err = citewell("ask", "when does the heel hurt most?")
        assert (status, err) == (0, "")
        assert "first steps of the morning" in out
        assert "[1]" in out and "Heel pain" in out
        assert "555 0100" in out and "AI assistant, not a clinician" in out

    def test_a_missing_index_is_built_first(self, citewell):
        status, out, err = citewell("ask", "does cupping leave marks?")
        assert status == 0
        assert "indexed, " in err
        assert "round marks" in out

    def test_json_is_the_whole_record_on_one_line(self, citewell):
        citewell("index")
        status, out, _ = citewell("ask", "when does the heel hurt most?", "--json")
        assert (status, out.count("\n")) == (0, 1)
        record = json.loads(out)
        assert set(record) == {
            "question",
            "kind",
            "sentences",
            "citations",
            "notices",
            "hits",
            "trace",
        }
        assert (record["question"], record["kind"]) == ("when does the heel hurt most?", "answer")
        assert record["citations"][0]["quote"].rstrip(".") == HEEL.rstrip(".")
        assert record["sentences"][0]["citations"] == [1]

    def test_json_keeps_other_scripts_readable(self, citewell):
        citewell("index")
        _, out, _ = citewell("ask", "숨을 못 쉬겠어요", "--json")
        assert "숨을 못 쉬겠어요" in out
        assert json.loads(out)["kind"] == "emergency"

    @pytest.mark.parametrize("given", ["questions.txt", "-"])
    def test_every_line_of_a_file_is_asked(self, citewell, given):
        citewell("index")
        lines = "when does the heel hurt most?\nhello\nI can't breathe\n"
        Path("questions.txt").write_text(lines, "utf-8")
        status, out, _ = citewell("ask", "--file", given, "--json", stdin=lines)
        assert status == 0
        records = [json.loads(line) for line in out.splitlines()]
        assert [r["question"] for r in records] == lines.splitlines()
        assert [r["kind"] for r in records] == ["answer", "clinic", "emergency"]

    def test_in_text_each_question_stands_above_its_answer(self, citewell):
        citewell("index")
        _, out, _ = citewell("ask", "--file", "-", stdin="hello\nwhen does the heel hurt most?\n")
        assert [line for line in out.splitlines() if line.startswith(">")] == [
            "> hello",
            "> when does the heel hurt most?",
        ]

    def test_the_trace_shows_triage_and_hits(self, citewell):
        citewell("index")
        _, out, _ = citewell("ask", "when does the heel hurt most?", "--trace")
        assert "triage: answer by rule 'none'" in out
        assert "pages/heel.md" in out.split("--- trace")[1]

    @pytest.mark.parametrize("arguments", [[], ["a question", "--file", "questions.txt"]])
    def test_one_question_or_one_file_is_needed(self, citewell, arguments):
        status, _, err = citewell("ask", *arguments)
        assert status == 2
        assert "one question, or --file" in err

    def test_a_file_that_is_not_there_is_told(self, citewell):
        citewell("index")
        status, out, err = citewell("ask", "--file", "none.txt")
        assert (status, out) == (1, "")
        assert err.startswith("citewell: none.txt: cannot be read")


class TestErrors:
    @pytest.mark.parametrize("command", [["index"], ["ask", "x"], ["serve"], ["eval"]])
    def test_a_wrong_setting_is_one_line_with_file_and_line(self, citewell, command):
        write(Path(), {"clinic.toml": CONFIG + "[server]\nprot = 1\n"})
        status, out, err = citewell(*command)
        assert (status, out) == (1, "")
        assert (
            err
            == "citewell: clinic.toml, line 9: unknown key 'server.prot'; did you mean 'port'?\n"
        )

    def test_a_port_in_use_is_one_line(self, citewell):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            status, out, err = citewell("serve", "--port", port)
        assert (status, out) == (1, "")
        assert err.startswith(f"citewell: cannot listen on 127.0.0.1:{port} ")
        assert err.count("\n") == 1
        assert not Path("data").exists()

    def test_an_index_of_another_model_is_one_line(self, citewell):
        citewell("index")
        write(Path(), {"clinic.toml": CONFIG.replace('"hash"\n', '"hash"\npassage_tokens = 40\n')})
        status, out, err = citewell("ask", "hello")
        assert (status, out, err.count("\n")) == (1, "", 1)
        assert "run: citewell index" in err

    def test_a_damaged_index_is_one_line(self, citewell):
        citewell("index")
        Path("data/manifest.json").write_text("{", "utf-8")
        status, _, err = citewell("ask", "hello")
        assert (status, err.count("\n")) == (1, 1)
        assert "run: citewell index" in err


class TestAsAProgram:
    def test_help_is_given_anywhere(self, tmp_path):
        write(tmp_path, {"clinic.toml": "broken"})
        done = program("--help", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert "Usage: " in done.stdout

    def test_an_error_is_one_line_without_a_traceback(self, tmp_path):
        write(tmp_path, {"clinic.toml": '[clinic]\nphone = "call me"\n'})
        done = program("ask", "hello", cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert done.stderr.startswith("citewell: clinic.toml, line 2: clinic.phone = 'call me': ")

    def test_a_reader_that_leaves_early_is_no_error(self, tmp_path):
        (tmp_path / "q.txt").write_text("hello\n" * 400, "utf-8")
        asked = subprocess.Popen(
            [sys.executable, ROOT / "app.py", "ask", "--file", "q.txt", "--json"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with asked:
            assert json.loads(asked.stdout.readline())["kind"] == "clinic"
            asked.stdout.close()
            said = asked.stderr.read()
        assert "Traceback" not in said and "Exception ignored" not in said


class TestEval:
    GOLDEN = [
        {
            "id": "q1",
            "question": "when does the heel hurt most?",
            "class": "answer",
            "pages": ["pages/heel.md"],
            "must": ["first steps"],
            "must_not": ["cure"],
        },
        {
            "id": "q2",
            "question": "and does stretching help?",
            "class": "answer",
            "pages": ["pages/heel.md"],
            "history": ["what helps heel pain?"],
            "split": "test",
        },
        {"id": "q3", "question": "I can't breathe", "class": "emergency"},
        {"id": "q4", "question": "hello", "class": "refusal"},
    ]

    @pytest.fixture
    def golden(self):
        path = Path("golden.jsonl")
        path.write_text("\n".join(map(json.dumps, self.GOLDEN)), "utf-8")
        return path

    def test_a_report_and_runs_are_written(self, citewell, golden):
        status, out, _ = citewell("eval", "--questions", golden, "--out", "report")
        assert status == 0
        report = json.loads(Path("report/report.json").read_text("utf-8"))
        assert report["index"]["model"] == "hash" and report["index"]["pages"] == 2
        assert report["retrieval (all)"]["Success@1"]["value"] == 1
        assert report["retrieval (all)"]["nDCG@10"]["count"] == 2
        assert report["answers (all)"]["emergency caught"]["value"] == 1
        assert report["answers (all)"]["sentence has a quote that is in its page"]["value"] == 1
        assert [f for f in report["faults"] if f.startswith("q4 [refusal] hello: class clinic")]
        assert report["safety (dev)"]["emergencies caught"]["value"] > 0.9
        assert "RETRIEVAL (ALL)" in out and "nDCG@10" in out
        runs = sorted(path.name for path in Path("report").glob("run.*.trec"))
        assert runs == ["run.all.trec", "run.dev.trec", "run.test.trec"]
        first = Path("report/run.all.trec").read_text("utf-8").splitlines()[0].split()
        assert first[:4] == ["q1", "Q0", "pages/heel.md", "1"] and first[5] == "citewell"

    def test_a_second_report_shows_the_difference(self, citewell, golden):
        citewell("eval", "answers", "--questions", golden)
        wrong = [{**row, "class": "answer"} if row["id"] == "q4" else row for row in self.GOLDEN]
        golden.write_text("\n".join(map(json.dumps, wrong)), "utf-8")
        _, out, _ = citewell("eval", "answers", "--questions", golden)
        (line,) = [
            line for line in out.splitlines() if line.strip().startswith("answerable refused")
        ][:1]
        assert "(+0." in line

    def test_one_part_is_scored_alone(self, citewell, golden):
        citewell("eval", "safety", "--questions", golden)
        report = json.loads(Path("report/report.json").read_text("utf-8"))
        assert {"index", "safety (dev)", "safety faults"} <= set(report)
        assert Path("report/safety.svg").read_text("utf-8").startswith("<svg")

    def test_a_beir_folder_is_scored(self, citewell, tmp_path):
        write(
            tmp_path / "tiny",
            {
                "corpus.jsonl": '{"_id": "d1", "title": "Heel", "text": "Heel pain at dawn."}\n'
                '{"_id": "d2", "text": "Cups leave round marks."}\n',
                "queries.jsonl": '{"_id": "1", "text": "round marks of cups"}\n',
                "qrels/test.tsv": "query-id\tcorpus-id\tscore\n1\td2\t1\n",
            },
        )
        status, out, _ = citewell("eval", "--beir", tmp_path / "tiny")
        assert status == 0
        assert "RETRIEVAL (TINY)" in out
        report = json.loads(Path("report/report.json").read_text("utf-8"))
        assert report["retrieval (tiny)"]["nDCG@10"]["value"] == 1
        assert Path("report/run.tiny.trec").read_text("utf-8").startswith("1 Q0 d2 1 ")

    @pytest.mark.parametrize(
        ("line", "fault"),
        [
            ("{broken", "is not JSON"),
            ('{"id": "x", "question": "y"}', "has no 'class'"),
            ("3", "is not an object"),
        ],
    )
    def test_a_broken_questions_file_is_named_with_its_line(self, citewell, golden, line, fault):
        golden.write_text(json.dumps(self.GOLDEN[0]) + f"\n{line}\n", "utf-8")
        status, out, err = citewell("eval", "--questions", golden)
        assert (status, out) == (1, "")
        assert err.splitlines()[-1].startswith(f"citewell: golden.jsonl, line 2: {fault}")

    def test_questions_about_pages_that_are_not_indexed_are_refused(self, citewell, golden):
        golden.write_text(json.dumps({**self.GOLDEN[0], "pages": ["pages/none.md"]}), "utf-8")
        status, _, err = citewell("eval", "--questions", golden)
        assert status == 1
        assert "1 pages that are not in the index, such as pages/none.md" in err

    def test_an_unknown_part_is_told_before_anything_is_done(self, citewell):
        citewell("index")
        status, _, err = citewell("eval", "everything")
        assert (status, err.count("\n")) == (1, 1)
        assert (
            "cannot score 'everything'; choose all, speed, growth, load, soak, fit, fit-triage, ret"
            in err
        )

    def test_speed_needs_a_real_model(self, citewell, golden):
        status, _, err = citewell("eval", "speed", "--questions", golden)
        assert status == 1
        assert "speed is measured against a sentence-transformers model" in err
