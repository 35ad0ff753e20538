"""The clinic: one TOML file and the environment, frozen.

`CITEWELL_CLINIC__PHONE` in the environment wins over `phone` under `[clinic]` in the file. Paths in
the file are relative to the file. A wrong key or value is named with file and line.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from index.errors import ConfigError
from index.settings import ChromaSettings, CorpusSettings, IndexSettings

DEFAULT_FILE = Path("clinic.toml")
_COUNTRIES = Path(__file__).with_name("countries.toml")


_ORIGIN = r"^https?://[A-Za-z0-9.-]+(:\d{1,5})?$"
_NUMBER = r"^([+0-9][0-9 ().-]{1,})?$"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Clinic(_Frozen):
    """Who the visitor is talking to: `[clinic]`. What is empty is not shown."""

    name: str = Field("Your clinic", min_length=1, max_length=80)
    phone: str = Field("", pattern=r"^[+0-9 ().-]*$")
    email: str = Field("", pattern=r"^([^@\s]+@[^@\s]+)?$")
    website: str = Field("", pattern=r"^(https?://\S+)?$")
    booking: str = Field("", pattern=r"^(https?://\S+)?$")
    address: str = ""
    hours: str = ""
    prices: str = ""
    insurance: str = ""
    parking: str = ""
    country: str = "US"
    disclaimer: str = (
        "General information from this clinic's pages. It can't judge your own case: "
        "ask your clinician."
    )
    questions: tuple[str, ...] = (
        "Does acupuncture help low back pain?",
        "What are the side effects of acupuncture?",
        "How is acupotomy different from acupuncture?",
        "What happens at a first visit?",
    )


class EmergencyNumbers(_Frozen):
    """Whom to call: `[emergency]`. What is left out is filled in from the clinic's country."""

    ambulance: str = Field("", pattern=_NUMBER)
    crisis: str = Field("", pattern=_NUMBER)
    poison: str = Field("", pattern=_NUMBER)


class AnswerSettings(_Frozen):
    """How answers are made: `[answers]`."""

    min_evidence: float = Field(0.5, ge=0, le=1)


class ModelSettings(_Frozen):
    """An optional chat model that words the answers: `[model]`. Without a name, answers are quotes.

    The key is best left to the environment: CITEWELL_MODEL__KEY, or the provider's own variable.
    """

    name: str = Field("", pattern=r"^([a-z_]+:\S+)?$")
    url: str = Field("", pattern=r"^(https?://\S+)?$")
    key: SecretStr = SecretStr("")
    timeout_s: float = Field(20, gt=0, le=120)


class Server(_Frozen):
    """Where the pages are served, and how many are answered at once: `[server]`."""

    host: str = "127.0.0.1"
    port: int = Field(7860, ge=1, le=65535)
    trusted_proxies: tuple[str, ...] = ("127.0.0.1",)
    at_once: int = Field(16, ge=1, le=64)
    waiting: int = Field(100, ge=0, le=10_000)
    mcp: bool = False
    metrics_for: tuple[str, ...] = ("127.0.0.1", "::1")


class Limits(_Frozen):
    """What one address may do in a minute: `[limits]`; 0 is without end.

    Counted in memory, or for several processes in Redis by `url`.
    """

    url: str = Field("", pattern=r"^(\w+(\+\w+)?://\S+)?$")
    asks_per_minute: int = Field(60, ge=0)
    searches_per_minute: int = Field(120, ge=0)
    ratings_per_minute: int = Field(30, ge=0)


class Widget(_Frozen):
    """The chat in a corner of the clinic's own site: `[widget]`. Only `origins` may show it."""

    origins: tuple[Annotated[str, Field(pattern=_ORIGIN)], ...] = ()
    label: str = Field("Ask about treatments", min_length=1, max_length=40)
    side: Literal["left", "right"] = "right"


class Staff(_Frozen):
    """The staff console: `[staff]`. Off until a password is set (`citewell password`)."""

    password_hash: SecretStr = SecretStr("")
    session_minutes: int = Field(120, ge=5, le=1440)
    report: Path = Path("report")


class JournalSettings(_Frozen):
    """Where feedback, gaps and approved answers are kept: `[journal]`, by default beside the index.

    `url` is any SQLAlchemy URL.
    """

    url: str = Field("", pattern=r"^(\w+(\+\w+)?://\S*)?$")


class Privacy(_Frozen):
    """What is kept of visitors' words: `[privacy]`. By default none that could name anyone."""

    keep_questions: bool = False
    keep_days: int = Field(90, ge=1, le=3650)


class Settings(BaseSettings):
    """Everything a clinic can say, as one frozen record."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="CITEWELL_", env_nested_delimiter="__",
    )  # fmt: skip

    clinic: Clinic = Clinic()
    emergency: EmergencyNumbers = EmergencyNumbers()
    corpus: CorpusSettings = CorpusSettings()
    index: IndexSettings = IndexSettings()
    chroma: ChromaSettings = ChromaSettings()
    answers: AnswerSettings = AnswerSettings()
    model: ModelSettings = ModelSettings()
    server: Server = Server()
    limits: Limits = Limits()
    widget: Widget = Widget()
    staff: Staff = Staff()
    journal: JournalSettings = JournalSettings()
    privacy: Privacy = Privacy()

    @property
    def journal_url(self) -> str:
        """Where the journal is: what `[journal]` says, else a file beside the index."""
        return self.journal.url or f"sqlite:///{self.index.data / 'journal.db'}"

    @model_validator(mode="after")
    def _numbers_are_known(self) -> Settings:
        known = tomllib.loads(_COUNTRIES.read_text("utf-8"))
        country = known.get(self.clinic.country, {})
        filled = EmergencyNumbers(**{**country, **self.emergency.model_dump(exclude_defaults=True)})
        if not filled.ambulance:
            raise ValueError(
                f"clinic.country = {self.clinic.country!r} is not one of {', '.join(known)}; "
                "give its numbers under [emergency]"
            )
        object.__setattr__(self, "emergency", filled)
        return self

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource, dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:  # fmt: skip
        """Let the environment win over the file."""
        return env_settings, init_settings


def load_settings(config: Path | None = None, data: Path | None = None) -> Settings:
    """Read `config` (default: clinic.toml here, if there is one), environment and `data`.

    Raises ConfigError naming file, line, key and value.
    """
    if config is None and DEFAULT_FILE.exists():
        config = DEFAULT_FILE
    text = ""
    if config is not None:
        try:
            text = config.read_text("utf-8")
        except OSError as error:
            raise ConfigError(f"{config}: cannot be read ({error.strerror})") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{config}: is not UTF-8 text") from None
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{config}: {error}") from None
    if config is not None:
        _resolve_paths(values, config.resolve().parent)
    if data is not None and isinstance(values.setdefault("index", {}), dict):
        values["index"]["data"] = data
    try:
        return Settings(**values)
    except ValidationError as error:
        raise ConfigError(_explain(error, config, text)) from None


def _resolve_paths(values: dict[str, Any], folder: Path) -> None:
    index, corpus = values.get("index"), values.get("corpus")
    if isinstance(index, dict) and isinstance(index.get("data"), str):
        index["data"] = folder / index["data"]
    if isinstance(index, dict) and isinstance(index.get("model"), str):
        local = folder / index["model"]
        index["model"] = str(local) if local.is_dir() else index["model"]
    staff = values.get("staff")
    if isinstance(staff, dict) and isinstance(staff.get("report"), str):
        staff["report"] = folder / staff["report"]
    if isinstance(corpus, dict) and isinstance(corpus.get("folders"), list):
        corpus["folders"] = [folder / f if isinstance(f, str) else f for f in corpus["folders"]]


def _explain(error: ValidationError, config: Path | None, text: str) -> str:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    name = ".".join(path) or "clinic.country"
    line = _line_of(path or ["clinic", "country"], text)
    variable = "CITEWELL_" + "__".join(path).upper()
    where = f"{config}, line {line}" if config and line else f"the environment ({variable})"
    if first["type"] == "extra_forbidden":
        known = _known_keys(path[:-1])
        close = difflib.get_close_matches(path[-1], known, 1)
        hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known)}"
        return f"{where}: unknown key '{name}'; {hint}"
    message = first["msg"].removeprefix("Value error, ")
    if not path:
        return f"{where}: {message}"
    value = "" if isinstance(first["input"], dict | BaseModel) else f" = {first['input']!r}"
    return f"{where}: {name}{value}: {message}"


def _known_keys(tables: list[str]) -> list[str]:
    model: type[BaseModel] = Settings
    for table in tables:
        annotation = model.model_fields[table].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)


def _line_of(path: list[str], text: str) -> int:
    """Find where a key stands in TOML text: its own line, else its table's; 0 if neither."""
    table, best = "", 0
    keys = [part for part in path if not part.isdigit()]
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([\w.\"-]+)\s*\]+", line):
            table = header[1].replace('"', "")
            if table == keys[0]:
                best = best or number
        elif found := re.match(r"\s*([\w.\"-]+)\s*=", line):
            full = ".".join(filter(None, (table, found[1].replace('"', ""))))
            if full == ".".join(keys):
                return number
    return best
