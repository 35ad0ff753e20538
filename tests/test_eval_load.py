"""Many visitors at once, as the bench lets them ask."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from eval import load

QUESTIONS = ("does acupuncture help low back pain", "what are the risks of cupping")


@pytest.mark.parametrize("page", [False, True])
def test_every_visitor_gets_answers_and_they_are_counted(assistant, page):
    (crowd,) = load.crowds(assistant.settings, QUESTIONS, page=page, sizes=[3], seconds=1.0)
    assert (crowd.visitors, crowd.faults) == (3, 0)
    assert crowd.answers >= 3
    assert 0 < crowd.p50_ms <= crowd.p95_ms <= crowd.p99_ms
    assert crowd.memory_mb > 50
    assert f"| 3 | {crowd.per_s:.1f} |" in load.table([crowd])[-1]


@pytest.mark.parametrize("page", [False, True])
def test_a_question_without_an_answer_is_a_fault(assistant, page):
    (crowd,) = load.crowds(
        assistant.settings, ["who won the cup in 1966?"], page=page, sizes=[1], seconds=0.3
    )
    assert crowd.answers == 0
    assert crowd.faults >= 1


def test_a_soak_samples_the_memory_from_begin_to_end(assistant):
    sampled, _ = load.soak(assistant.settings, QUESTIONS, minutes=0.03)
    assert (sampled[0][0] < 0.03, sampled[-1][0]) == (True, 0.03)
    assert all(memory > 50 for _, memory in sampled)


def test_a_measurement_that_is_killed_leaves_no_server(assistant):
    code = (
        "from eval import load; from bot.settings import Settings\n"
        f"settings = Settings.model_validate_json({assistant.settings.model_dump_json()!r})\n"
        "with load._server(settings) as port:\n"
        "    print(port, flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", code], text=True, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as measuring:  # fmt: skip
        port = int(measuring.stdout.readline())
        assert load._read(port, "/healthz") == "ok"
        measuring.kill()
    until = time.monotonic() + 30
    with pytest.raises(OSError, match="refused"):
        while time.monotonic() < until:
            load._read(port, "/healthz")
            time.sleep(0.1)


def test_the_slope_is_that_of_the_second_half():
    filling = [(0.0, 100.0), (10.0, 400.0), (20.0, 800.0)]
    assert load.slope([*filling, (30.0, 900.0), (40.0, 901.0), (50.0, 902.0)]) == pytest.approx(6)
    assert load.slope([(0.0, 1.0)]) == 0
