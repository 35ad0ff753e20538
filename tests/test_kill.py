"""`kill -9` at any moment: nothing acknowledged is lost, nothing half written is served.

Twelve kills; more by

    CITEWELL_KILLS=500 python -m pytest tests/test_kill.py    # five minutes
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import count
from pathlib import Path
from threading import Thread

import httpx
from killing import CUPS, KINDS
from servers import citewell, running

from bot.journal import Journal

ROOT = Path(__file__).parent.parent
KILLS = int(os.environ.get("CITEWELL_KILLS", "12"))
SECONDS_A_KILL = 30
"""A kill takes half of one; a machine under load takes longer."""
CONFIG = """
[index]
data = "data"
model = "hash"
[corpus]
folders = ["pages"]
[limits]
ratings_per_minute = 0
[privacy]
keep_questions = true
"""


def test_killed_in_the_middle_of_its_work_nothing_acknowledged_is_lost(
    tmp_path: Path, record_property
):
    ran = subprocess.run(
        [sys.executable, ROOT / "tests" / "killing.py", tmp_path, str(KILLS), "20"],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=SECONDS_A_KILL * (KILLS + 4),
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    record_property("kill -9", ran.stdout)
    kills = said["kills"].values()
    assert sum(sum(steps.values()) for steps in kills) == KILLS
    assert sum(steps.get(kind, 0) for steps in kills for kind in KINDS) > KILLS / 2
    assert set(said["acknowledged"]) == set(KINDS)


def test_a_rating_that_a_killed_server_answered_is_kept(tmp_path: Path):
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "cups.md").write_text(CUPS, "utf-8")
    config = tmp_path / "clinic.toml"
    config.write_text(CONFIG, "utf-8")
    server = citewell(tmp_path, config)
    answered: list[str] = []

    def rate() -> None:
        url = f"http://127.0.0.1:{server.port}/api/v1/feedback"
        with httpx.Client(trust_env=False, timeout=60) as client:
            for number in map(str, count()):
                rating = {"helpful": False, "kind": "refusal", "question": number}
                try:
                    status = client.post(url, json=rating).status_code
                except httpx.HTTPError:
                    return
                assert status == 204
                answered.append(number)

    with running(server):
        visitors = Thread(target=rate)
        visitors.start()
        while len(answered) < 20 and visitors.is_alive():
            visitors.join(0.01)
        server.stop(9)
        visitors.join()
    journal = Journal.open(f"sqlite:///{tmp_path / 'data' / 'journal.db'}")
    kept = [one.words for one in reversed(journal.feedback())]
    journal.close()
    assert len(answered) >= 20
    assert kept[: len(answered)] == answered and len(kept) <= len(answered) + 1
