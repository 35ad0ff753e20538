"""A server's work, cut off by `kill -9` again and again, and what is found afterwards.

    python tests/killing.py FOLDER KILLS SEED

Each life is a process of its own. It opens the journal and the index, finds all that the lives
before it were told is kept, builds anew, and then does one kind of work until it is killed: at
a random moment of one of its first steps. Each step is told before and after it is done. Prints one
line of JSON: the kills by kind, which step they cut off, and what was done of what they cut off.

It does not show what a power failure leaves: the system keeps what a killed process wrote.
"""

from __future__ import annotations

import json
import os
import random
import re
import select
import signal
import sqlite3
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from time import monotonic

import chromadb.api.rust  # noqa: F401 - read once, for all lives

from bot import uploads
from bot.approved import ApprovedAnswers
from bot.journal import Approved, ApprovedSentence, Journal, Rests
from bot.recorder import Recorder
from bot.settings import Privacy, Settings
from index.build import build
from index.embed import FAKE_MODEL, HashEncoder
from index.manifest import KEPT, generation_folder, generations, has_index
from index.pages import Pages
from index.retrieve import Retriever
from index.settings import CorpusSettings, IndexSettings

KINDS = ("feedback", "approve", "upload", "index")
QUOTE = "Cups leave round marks that fade within ten days."
CUPS = f"# Cups\n\n{QUOTE} They do not hurt.\n"
QUESTIONS = [f"Does cupping leave marks on the {part}?" for part in ("back", "knee", "neck")]
OWN = [f"own{n}.md" for n in range(4)]
SENT = [f"sent{n}.md" for n in range(3)]
PARTS = 20
STEPS = 3
"""One of so many first steps of a life is cut off."""
AIMED = {"feedback": (9, 0, 1), "approve": (9, 0, 1), "upload": (5, 4, 1), "index": (9, 0, 1)}
"""How often the kind of work itself is aimed at, the indexing that follows it, and the opening."""
PATIENCE_S = 120

Lines = list[tuple[str, str]]


@dataclass
class Told:
    """What all lives so far said they began and did, in their order: (kind, what)."""

    begun: Lines = field(default_factory=list)
    done: Lines = field(default_factory=list)
    cut: tuple[str, str] | None = None
    """What was begun and not done when the last life was killed."""

    def check(self, kind: str, found: set[tuple[str, str]], names: Iterable[str]) -> None:
        """Find for each name what was done last, or one of those begun after it, and nothing else.

        What was done or begun starts with the name.
        """
        for name in names:
            last = [one for one in self.done if one[0] == kind and one[1].startswith(name)][-1:]
            begun = [one for one in self.begun if one[0] == kind and one[1].startswith(name)]
            after = begun[begun.index(last[0]) + 1 :] if last else begun
            there = [one for one in found if one[1].startswith(name)]
            assert there == last or (len(there) == 1 and there[0] in after), (
                f"{there} is there, {last} was acknowledged"
            )


def page(name: str, version: int) -> str:
    """Return a page that names its version in every part, so that a mixture would be seen."""
    part = "## Part {n}\n\n{name} says version{version} of heel advice in part {n}: rest.\n\n"
    parts = (part.format(n=n, name=name, version=version) for n in range(PARTS))
    return f"# {name}\n\n{''.join(parts)}"


def whole(text: str) -> int:
    """Return the one version of a page of ours, all of which is there."""
    versions = re.findall(r"version(\d+) ", text)
    assert len(versions) == PARTS and len(set(versions)) == 1, Counter(versions)
    return int(versions[0])


def sentences(version: int) -> list[str]:
    return [f"Yes, for ten days, as of {version}", f"They are round, as of {version}"]


def state(texts: dict[str, str]) -> str:
    """Return in one word which version each of our pages has; cups.md has but one."""
    assert QUOTE in texts["cups.md"]
    ours = sorted(texts.keys() - {"cups.md"})
    return ",".join(["cups.md", *(f"{name}:{whole(texts[name])}" for name in ours)])


class Life:
    """One process: it checks what it finds, then works until it is killed."""

    def __init__(self, folder: Path, told: Told, number: int, say: Callable[[str], None]) -> None:
        self.pages, self.data = folder / "pages", folder / "data"
        self.settings = Settings(
            index=IndexSettings(data=self.data, model=FAKE_MODEL),
            corpus=CorpusSettings(folders=(self.pages,)),
        )
        self.told, self.say = told, say
        self.step = number * 1000
        self.journal = Journal.open(self.settings.journal_url)
        self.recorder = Recorder(self.journal, Privacy(keep_questions=True), str.isalpha)

    def check(self) -> dict[str, int]:
        """Find everything that was acknowledged, nothing half written, and that a build works.

        Return what lay about half made, and whether what was cut off came through all the same.
        """
        with closing(sqlite3.connect(self.data / "journal.db")) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found, left = self._check_feedback(), 0
        if has_index(self.data):
            found |= self._check_uploads() | self._check_index() | self._check_approved()
            left = len(self._folders()) - len(generations(self.data))
        hidden = [*self.data.glob("uploads/.*")]
        for path in hidden:
            path.unlink()  # so that each is counted once
        self._index()
        kept = {manifest.generation for manifest in generations(self.data)}
        assert kept == set(self._folders()) and 1 <= len(kept) <= KEPT, "a build is left half made"
        assert self._served() == self._on_disk()
        saw = {"generations half made": left, "uploads half made": len(hidden)}
        if self.told.cut:
            saw[f"{self.told.cut[0]} came through"] = self.told.cut in found
        return saw

    def _check_feedback(self) -> set[tuple[str, str]]:
        kept = self.journal.feedback(limit=1_000_000)
        found = {("feedback", one.words) for one in kept}
        assert len(kept) == len(found), "a rating is kept twice"
        assert {one for one in self.told.done if one[0] == "feedback"} <= found, "a rating is lost"
        assert found <= set(self.told.begun)
        for one in kept:
            assert (one.pages, one.reason, one.helpful) == (("cups.md", one.words), "wrong", False)
        return found

    def _check_uploads(self) -> set[tuple[str, str]]:
        kept = {path.name: whole(path.read_text()) for path in uploads.uploads(self.settings)}
        found = {("upload", f"{name} {version}") for name, version in kept.items()}
        self.told.check("upload", found, SENT)
        return found

    def _check_index(self) -> set[tuple[str, str]]:
        found = {("index", self._served())}
        self.told.check("index", found, ["cups.md"])
        for manifest in generations(self.data):
            documents = Pages(generation_folder(self.data, manifest.generation)).documents.values()
            pages = state({Path(document.path).name: document.text for document in documents})
            assert ("index", pages) in self.told.begun, "a generation is a mixture"
        return found

    def _check_approved(self) -> set[tuple[str, str]]:
        answers, found = self.journal.approved(), set()
        finder = ApprovedAnswers(self.journal, self._opened())
        for answer in answers:
            texts = [sentence.text for sentence in answer.sentences]
            version = int(texts[0].split()[-1])
            assert texts == sentences(version), "an approved answer is a mixture"
            served = finder.find(answer.question)
            assert served and [text for text, _ in served.said] == texts
            found.add(("approve", f"{QUESTIONS.index(answer.question)} {version}"))
        assert len({answer.question for answer in answers}) == len(answers), "two to a question"
        self.told.check("approve", found, [str(number) for number in range(len(QUESTIONS))])
        return found

    def work(self, kind: str) -> None:
        """Do one kind of work for ever."""
        step: Callable[[], None] = getattr(self, f"_{kind}")
        while True:
            step()

    @cached_property
    def _rests(self) -> tuple[Rests]:
        chunk = next(c for c in self._opened().generation.chunks if QUOTE in c.text)
        return (Rests(chunk.document.id, chunk.id, QUOTE),)

    def _next(self) -> int:
        self.step += 1
        return self.step

    def _feedback(self) -> None:
        words = str(self._next())
        self.say(f"begin feedback {words}")
        self.recorder.rated(words, False, "wrong", "answer", ["cups.md", words])
        self.say(f"done feedback {words}")

    def _approve(self) -> None:
        version = self._next()
        question = version % len(QUESTIONS)
        made = tuple(ApprovedSentence(text, self._rests) for text in sentences(version))
        self.say(f"begin approve {question} {version}")
        self.journal.approve(Approved(QUESTIONS[question], made, "9999-12-31"))
        self.say(f"done approve {question} {version}")

    def _upload(self) -> None:
        version = self._next()
        name = SENT[version % len(SENT)]
        self.say(f"begin upload {name} {version}")
        uploads.save(self.settings, name, page(name, version).encode())
        self.say(f"done upload {name} {version}")
        self._build()

    def _index(self) -> None:
        version = self._next()
        for name in OWN:
            (self.pages / name).write_text(page(name, version), "utf-8")
        self._build(rebuild=version % 2 == 0)

    def _build(self, *, rebuild: bool = False) -> None:
        pages = self._on_disk()
        self.say(f"begin index {pages}")
        build(
            uploads.inputs(self.settings), self.data, HashEncoder(),
            self.settings.corpus, self.settings.index, rebuild=rebuild,
        )  # fmt: skip
        self.say(f"done index {pages}")

    def _folders(self) -> list[str]:
        return [folder.name for folder in (self.data / "generations").iterdir()]

    def _opened(self) -> Retriever:
        return Retriever(self.data, HashEncoder(), self.settings.index)

    def _served(self) -> str:
        """Return what the index answers with, all of which is looked at."""
        retriever = self._opened()
        for hit in retriever.retrieve("heel advice", count=50):
            text = retriever.documents[hit.chunk.document.id].text
            assert text[hit.chunk.start : hit.chunk.end] == hit.chunk.text
        return state({Path(d.path).name: d.text for d in retriever.documents.values()})

    def _on_disk(self) -> str:
        files = [*self.pages.iterdir(), *uploads.uploads(self.settings)]
        return state({path.name: path.read_text("utf-8") for path in files})


def fork(live: Callable[[Callable[[str], None]], None]) -> tuple[int, int]:
    """Live in a process of its own; return its number, and where to hear what it says."""
    ear, mouth = os.pipe()
    process = os.fork()
    if process:
        os.close(mouth)
        return process, ear

    def say(line: str) -> None:
        os.write(mouth, f"{line}\n".encode())  # whole: a pipe takes 4,096 bytes in one piece

    try:
        live(say)
        os._exit(0)
    except BaseException:  # noqa: BLE001 - its last words
        traceback.print_exc()
    finally:
        os._exit(3)


class Heard:
    """What a life says, line by line, as it comes; it is added to what was told."""

    def __init__(self, ear: int, told: Told) -> None:
        self._ear, self._told, self._rest = ear, told, b""
        self._born = self._began = monotonic()
        self.under_way: tuple[str, str] | None = None
        self.lasted: dict[str, float] = {}
        self.sound = False
        self.saw: dict[str, int] = {}

    def until(self, begins: str, count: int = 1) -> None:
        """Return when so many lines that begin so have come."""
        while count > 0:
            lines = self._lines()
            assert lines, "a life ended by itself"
            count -= sum(line.startswith(begins) for line in lines)

    def to_the_end(self) -> None:
        """Return when the process is gone and all it said was heard."""
        while self._lines():
            pass
        os.close(self._ear)

    def _lines(self) -> list[str]:
        """Wait for some lines; none come when the process is gone."""
        assert select.select([self._ear], [], [], PATIENCE_S)[0], "a life has nothing to say"
        *lines, self._rest = (self._rest + os.read(self._ear, 65536)).split(b"\n")
        return [self._heard(line.decode()) for line in lines]

    def _heard(self, line: str) -> str:
        word, kind, what = (*line.split(" ", 2), "", "")[:3]
        if word == "begin":
            self._told.begun.append((kind, what))
            self._began, self.under_way = monotonic(), (kind, what)
        elif word == "done":
            self._told.done.append((kind, what))
            self.lasted[kind], self.under_way = monotonic() - self._began, None
        elif word == "sound":
            self.lasted["opening"] = monotonic() - self._born
            self.sound, self.saw = True, json.loads(f"{kind} {what}")
        return line


def live(folder: Path, told: Told, number: int, kind: str, say: Callable[[str], None]) -> None:
    """Check, say so, and work until it is killed, if there is anything to do."""
    life = Life(folder, told, number, say)
    say(f"sound {json.dumps(life.check())}")
    if kind:
        life.work(kind)


def kill(process: int, heard: Heard, aim: str, dice: random.Random, lasts: float) -> None:
    """Kill a life within a step that lasts so many seconds."""
    if aim != "opening":
        heard.until("sound")
        heard.until(f"begin {aim}", dice.randint(1, STEPS))
    select.select([], [], [], dice.uniform(0, 1.1 * lasts))
    os.kill(process, signal.SIGKILL)


def _step(heard: Heard) -> str:
    if not heard.sound:
        return "opening"
    return heard.under_way[0] if heard.under_way else "between two"


def main(folder: Path, kills: int, seed: int) -> None:
    """Kill so many lives and look after each what is left."""
    (folder / "pages").mkdir()
    (folder / "pages" / "cups.md").write_text(CUPS, "utf-8")
    dice, told, lasts = random.Random(seed), Told(), dict.fromkeys(("opening", *KINDS), 0.01)
    hits, saw = {kind: Counter[str]() for kind in KINDS}, Counter[str]()
    for number in range(1, kills + 2):
        kind = KINDS[number % len(KINDS)] if number <= kills else ""
        process, ear = fork(lambda say: live(folder, told, number, kind, say))  # noqa: B023
        heard = Heard(ear, told)
        if kind:
            aim = dice.choices((kind, "index", "opening"), AIMED[kind])[0]
            kill(process, heard, aim, dice, lasts[aim])
        heard.to_the_end()
        _, status = os.waitpid(process, 0)
        assert status == (signal.SIGKILL if kind else 0), f"life {number} ended by itself: {status}"
        told.cut = heard.under_way
        lasts |= heard.lasted
        saw.update(heard.saw)
        if kind:
            hits[kind][_step(heard)] += 1
    done = Counter(kind for kind, _ in told.done)
    sys.stdout.write(json.dumps({"kills": hits, "found": saw, "acknowledged": done}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
