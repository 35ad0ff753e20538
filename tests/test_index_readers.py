"""Several processes read while another builds: every answer is of one whole generation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from test_index_kill import ROOT, run, write_version

BUILDS = 6
READER = """
import json, sys
from pathlib import Path
from index.embed import HashEncoder
from index.retrieve import Retriever
from index.settings import IndexSettings

data, stop = map(Path, sys.argv[1:])
retriever = Retriever(data, HashEncoder(), IndexSettings())
seen, asked = [], 0
print("ready", flush=True)
while not stop.exists():
    hits = retriever.retrieve("heel advice", count=50)
    assert len(hits) == 50
    (version,) = {hit.chunk.text.split()[0] for hit in hits}
    if version not in seen:
        seen.append(version)
    asked += 1
hits = retriever.retrieve("heel advice", count=50)
print(json.dumps([seen, asked, hits[0].chunk.text.split()[0]]))
"""


def start_reader(data: Path, stop: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", READER, str(data), str(stop)], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_readers_in_other_processes_see_whole_generations_only(tmp_path):
    pages, data, stop = tmp_path / "pages", tmp_path / "data", tmp_path / "stop"
    run(write_version(pages, 0), data)
    readers = [start_reader(data, stop) for _ in range(2)]
    for reader in readers:
        assert reader.stdout
        assert reader.stdout.readline() == "ready\n"
    for number in range(1, BUILDS + 1):
        run(write_version(pages, number), data)
    stop.touch()
    for reader in readers:
        said, failed = reader.communicate(timeout=60)
        assert reader.returncode == 0, failed
        assert "staying on" not in failed
        seen, asked, last = json.loads(said)
        numbers = [int(version.removeprefix("Version")) for version in seen]
        assert numbers == sorted(numbers)
        assert len(numbers) >= 3
        assert asked > BUILDS
        assert last == f"Version{BUILDS}"
