"""What indexing and retrieval can be told. Part of `clinic.toml`, read by `bot.settings`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_MODEL = "all-MiniLM-L6-v2"
CORPUS_FOLDER = Path(__file__).resolve().parent.parent / "corpus"


class CorpusSettings(BaseModel):
    """Which pages the assistant may quote: `[corpus]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folders: tuple[Path, ...] = (CORPUS_FOLDER,)
    sites: tuple[str, ...] = ()
    max_file_mb: float = Field(20, gt=0, le=500)
    max_pages: int = Field(500, ge=1)
    timeout_s: float = Field(15, gt=0)
    allow_private_addresses: bool = False


class ChromaSettings(BaseModel):
    """Where the vectors are searched: `[chroma]`. Without a `url`, in the data folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field("", pattern=r"^(https?://[^\s/?#@]+(/[^\s?#]*)?)?$")


class IndexSettings(BaseModel):
    """How pages become passages: `[index]`. A change here needs `citewell index`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path = Path("data")
    model: str = DEFAULT_MODEL
    languages: tuple[str, ...] = ("en",)
    download_model: bool = False
    passage_tokens: int = Field(160, ge=32, le=2000)
    lexical_weight: float = Field(0.1, ge=0, le=1)
