"""The pages behind the answers, for staff: what is indexed, indexing anew, going back.

The one module of `bot` beside the pipeline that reaches into the making of an index.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from bot.pipeline import Assistant
from bot.uploads import inputs
from index import manifest
from index.build import Progress, build
from index.check import check
from index.errors import CitewellError
from index.manifest import Manifest
from index.rules import Finding
from index.settings import CORPUS_FOLDER

__all__ = ["Finding", "Library", "Manifest", "Work"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """How far indexing is: `done` of `total` passages; `said` is how it ended, or `failure`."""

    running: bool = False
    done: int = 0
    total: int = 0
    said: str = ""
    failure: str = ""


class Library:
    """The index of one clinic, and the one thread that builds it. Safe to share."""

    def __init__(self, assistant: Assistant) -> None:
        """Look after the index that `assistant` answers from."""
        self._assistant = assistant
        self._lock = threading.Lock()
        self._work = Work()
        self._thread: threading.Thread | None = None
        self._build: Callable[[Progress], str] = self._index

    @property
    def work(self) -> Work:
        """How far indexing is, or how the last one ended."""
        return self._work

    def answering(self) -> Manifest:
        """Return the manifest of the generation that answers. Raises the index's errors."""
        return manifest.read_manifest(self._assistant.settings.index.data)

    def generations(self) -> list[Manifest]:
        """Return the generations that are kept, newest first."""
        return manifest.generations(self._assistant.settings.index.data)

    def go_back(self, generation: str) -> Manifest:
        """Let an earlier generation answer again. Raises the index's errors."""
        found = manifest.roll_back(self._assistant.settings.index.data, generation)
        self._follow()
        return found

    def findings(self) -> list[Finding]:
        """Return what is wrong with the clinic's own pages, errors first.

        Tests hold the shipped pages right.
        """
        own = [
            given for given in inputs(self._assistant.settings)
            if not Path(given).resolve().is_relative_to(CORPUS_FOLDER)
        ]  # fmt: skip
        return sorted(check(own, self._assistant.settings.corpus), key=lambda f: not f.error)

    def start(self) -> bool:
        """Begin to index anew in the background; False if that is under way already."""
        with self._lock:
            if self._work.running:
                return False
            self._work = Work(running=True)
            self._thread = threading.Thread(target=self._run, name="citewell-index", daemon=True)
            self._thread.start()
        return True

    def wait(self) -> Work:
        """Wait for indexing to end; return how it did."""
        if self._thread:
            self._thread.join()
        return self._work

    def _run(self) -> None:
        try:
            said = self._build(self._advance)
            self._work = replace(self._work, running=False, said=said)
        except (CitewellError, OSError) as error:
            self._work = Work(failure=str(error))
        except Exception:  # noqa: BLE001 - the thread's last words: staff must not wait for ever
            _log.exception("indexing failed")
            self._work = Work(failure="Something went wrong; the server's log says what.")

    def _advance(self, done: int, total: int) -> None:
        self._work = Work(running=True, done=done, total=total)

    def _index(self, advance: Progress) -> str:
        settings = self._assistant.settings
        built = build(
            inputs(settings), settings.index.data, self._assistant.retriever.encoder,
            settings.corpus, settings.index, settings.chroma, progress=advance,
        )  # fmt: skip
        self._follow()
        made = built.manifest
        state = f"{made.embedded} passages embedded" if built.changed else "nothing had changed"
        return f"Indexed: {made.documents} pages, {made.chunks} passages; {state}."

    def _follow(self) -> None:
        """Move the assistant to the generation swapped in before anybody asks."""
        followed = self._assistant.retriever.current().manifest.generation
        if followed != self.answering().generation:
            raise CitewellError("the new state cannot be opened: see the server's log; restart it")
