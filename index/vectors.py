"""The vectors of a generation's passages and sentences, in two arrays that are never read whole.

    vectors.npy      (passages, dimensions)    of passages, by position
    sentences.npy    (sentences, dimensions)   of their sentences, in the same order

Kept as float16. Vectors are rounded before they go anywhere, so that what is taken over from the
generation before equals what is made anew, and every place that holds them gives the same answers.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from index.embed import Vectors
from index.pages import Positions, mapped

Half = npt.NDArray[np.float16]

_PASSAGES = "vectors.npy"
_SENTENCES = "sentences.npy"


class VectorWriter:
    """Writes the vectors of passages in the order of their positions."""

    def __init__(self, folder: Path, passages: int, sentences: int) -> None:
        """Write into `folder`; so many `passages` and `sentences` will come."""
        self._shape = {_PASSAGES: passages, _SENTENCES: sentences}
        self._files = {name: (folder / name).open("wb") for name in self._shape}
        self._headed = False

    def add(self, vectors: npt.ArrayLike, sentences: npt.ArrayLike) -> None:
        """Write the vectors of the next passages, and those of all their sentences."""
        for name, rows in ((_PASSAGES, vectors), (_SENTENCES, sentences)):
            rounded = np.ascontiguousarray(rows, dtype=np.float16)
            if not self._headed:
                _head(self._files[name], (self._shape[name], rounded.shape[1]))
            self._files[name].write(rounded.tobytes())
        self._headed = True

    def close(self) -> None:
        """Give the files back."""
        for file in self._files.values():
            file.close()


class StoredVectors:
    """Vectors by position. Unit length, but for the rounding."""

    def __init__(self, folder: Path, rows: Positions) -> None:
        """Open what a `VectorWriter` wrote; `rows` tells where each passage's sentences begin.

        Raises OSError or ValueError if the arrays are not there or do not fit.
        """
        self.passages: Half = mapped(folder / _PASSAGES)
        self._sentences: Half = mapped(folder / _SENTENCES)
        self._rows = rows
        if len(self.passages) != len(rows) - 1 or len(self._sentences) != rows[-1]:
            raise ValueError(f"{_PASSAGES} or {_SENTENCES} does not belong to the pages")

    def sentences(self, position: int) -> Half:
        """Return the vectors of a passage's sentences, shape (sentences, dimensions)."""
        return self._sentences[self._rows[position] : self._rows[position + 1]]

    def similarities(self, vector: Vectors, positions: Positions) -> Vectors:
        """Return the cosine of each of these passages to a unit vector."""
        found: Vectors = self.passages[positions].astype(np.float32) @ vector
        return found

    def sentence_similarities(
        self, vector: Vectors, positions: Positions
    ) -> tuple[Vectors, Positions]:
        """Return the cosines of all sentences of these passages to a unit vector, in one array.

        And where each passage's begin in it: of shape (passages + 1,), the last one is its length.
        """
        rows = self._rows[positions]
        starts = np.concatenate(([0], np.cumsum(self._rows[positions + 1] - rows)))
        at = np.arange(starts[-1]) + np.repeat(rows - starts[:-1], np.diff(starts))
        return self._sentences[at].astype(np.float32) @ vector, starts


def _head(file: BinaryIO, shape: tuple[int, int]) -> None:
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f2", "fortran_order": False, "shape": shape}
    )
