"""`citewell doctor`: each thing that can be wrong is found, and named with its remedy."""

from __future__ import annotations

import os
import shutil
import socket
from contextlib import closing
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from browsing import served
from pages import MARKDOWN, indexed, write
from typer.testing import CliRunner

from app import cli
from bot import doctor
from bot.doctor import Finding, examine
from bot.journal import Journal
from bot.settings import (
    EmergencyNumbers,
    JournalSettings,
    Limits,
    ModelSettings,
    Privacy,
    Server,
    Settings,
    Staff,
    Widget,
)
from index.embed import FAKE_MODEL
from index.settings import ChromaSettings, CorpusSettings, IndexSettings


@pytest.fixture
def clinic(tmp_path):
    """Return a function that makes the settings of a clinic with one page, indexed."""
    pages = write(tmp_path / "pages", {"a.md": MARKDOWN})
    indexed(pages, tmp_path / "data")

    def clinic(**given):
        return Settings(
            **{
                "index": IndexSettings(data=tmp_path / "data", model=FAKE_MODEL),
                "corpus": CorpusSettings(folders=(pages,)),
                "server": Server(port=unused()),
                "staff": Staff(password_hash="$argon2id$..."),
                **given,
            }
        )

    return clinic


def unused() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        return free.getsockname()[1]


def found(settings: Settings, name: str) -> Finding:
    [finding] = [f for f in examine(settings) if f.what.startswith(name)]
    return finding


def test_a_sound_installation_is_told_so(clinic):
    assert {f.state for f in examine(clinic())} == {"ok"}


@pytest.mark.parametrize(
    ("name", "given", "state", "says"),
    [
        ("pages", {"corpus": CorpusSettings(folders=(Path("/no/such"),))}, "wrong", "/no/such"),
        ("model", {"index": IndexSettings(model="/no/such/model")}, "wrong", "/no/such/model"),
        ("index", {"index": IndexSettings(data=Path("/no"), model="hash")}, "advice", "/no"),
        ("chroma.url", {"chroma": ChromaSettings(url="http://127.0.0.1:1")}, "wrong", ":1 "),
        ("limits.url", {"limits": Limits(url="redis://127.0.0.1:1")}, "wrong", ":1 "),
        ("model.url", {"model": ModelSettings(url="http://127.0.0.1:1/v1")}, "wrong", ":1 "),
        ("chat model", {"model": ModelSettings(name="nobody:knows")}, "wrong", "nobody:knows"),
        ("emergency", {"emergency": EmergencyNumbers(ambulance="112")}, "ok", "112 for an"),
        ("staff console", {"staff": Staff()}, "advice", "off"),
        ("privacy", {"privacy": Privacy(keep_questions=True, keep_days=9)}, "advice", "9 days"),
        ("widget", {"widget": Widget(origins=("http://a.example",))}, "advice", "http://a.example"),
        ("widget", {"widget": Widget(origins=("https://a.example",))}, "ok", "https://a.example"),
        ("journal", {"journal": JournalSettings(url="sqlite:////dev/null/j.db")}, "ok", "will be"),
        ("journal", {"journal": JournalSettings(url="oracle+x://h/x")}, "wrong", "driver"),
    ],
)
def test_what_is_not_well_is_named(clinic, name, given, state, says):
    finding = found(clinic(**given), name)
    assert finding.state == state
    assert says in finding.what
    assert finding.remedy or state == "ok" or ";" in finding.what or " run" in finding.what


def test_numbers_that_a_country_lacks_are_advised(clinic):
    numbers = EmergencyNumbers(ambulance="112", crisis="", poison="")
    settings = clinic()
    object.__setattr__(settings, "emergency", numbers)
    finding = found(settings, "emergency")
    assert (finding.state, "crisis or poison" in finding.what) == ("advice", True)


def test_a_page_that_cannot_be_read_is_counted(clinic, tmp_path):
    (tmp_path / "pages" / "b.pdf").write_bytes(b"no PDF")
    assert found(clinic(), "pages") == Finding(
        "advice", f"pages: 1 in {tmp_path / 'pages'}, 1 that cannot be read",
        "citewell index --check names them",
    )  # fmt: skip


def test_a_folder_without_pages_is_wrong(clinic, tmp_path):
    (tmp_path / "pages" / "a.md").unlink()
    assert found(clinic(), "pages").state == "wrong"


def test_a_damaged_index_is_wrong(clinic, tmp_path):
    [lines] = (tmp_path / "data").rglob("pages.jsonl")
    lines.write_bytes(lines.read_bytes()[:20])
    assert found(clinic(), "index").state == "wrong"


def test_an_index_of_other_parameters_is_wrong(clinic, tmp_path):
    other = IndexSettings(data=tmp_path / "data", model=FAKE_MODEL, passage_tokens=99)
    finding = found(clinic(index=other), "index")
    assert (finding.state, "passage_tokens" in finding.what) == ("wrong", True)


def test_a_disk_that_is_nearly_full_is_advised(clinic, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage)
    assert found(clinic(), "disk").state == "advice"


def test_a_data_folder_that_cannot_be_written_is_wrong(clinic, monkeypatch):
    def refused(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refused)
    finding = found(clinic(), "data folder")
    assert (finding.state, "Permission denied" in finding.what) == ("wrong", True)


def test_a_journal_that_others_may_read_is_wrong(clinic, tmp_path):
    settings = clinic()
    Journal.open(settings.journal_url).close()
    assert found(settings, "journal").state == "ok"
    (tmp_path / "data" / "journal.db").chmod(0o644)
    finding = found(settings, "journal")
    assert (finding.state, "chmod 600" in finding.remedy) == ("wrong", True)


def test_a_journal_that_is_none_is_wrong(clinic, tmp_path):
    (tmp_path / "data" / "journal.db").write_bytes(b"no database at all" * 99)
    assert found(clinic(), "journal").state == "wrong"


def test_a_package_that_does_not_fit_is_named(clinic, monkeypatch):
    real = doctor.version

    def older(name):
        if name == "numpy":
            return "1.0"
        if name == "jinja2":
            raise PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(doctor, "version", older)
    finding = found(clinic(), "packages")
    assert finding.state == "wrong"
    assert "numpy 1.0 (wanted: >=" in finding.what
    assert "jinja2 none" in finding.what
    assert "bandit" not in finding.what


def test_a_port_that_another_program_has_is_wrong(clinic):
    with socket.create_server(("127.0.0.1", 0), backlog=8) as other:
        other.settimeout(0.001)
        port = other.getsockname()[1]
        doctor_settings = clinic(server=Server(port=port))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(doctor, "_PATIENCE_S", 0.05)
            assert found(doctor_settings, "port").state == "wrong"


def test_a_port_where_citewell_serves_is_well(clinic, web):
    with served(web) as address:
        port = int(address.rpartition(":")[2])
        assert "serves at" in found(clinic(server=Server(port=port)), "port").what


def test_the_command_prints_a_line_each_and_fails_if_something_is_wrong(tmp_path):
    config = tmp_path / "clinic.toml"
    write(tmp_path / "pages", {"a.md": MARKDOWN})
    said = f'[corpus]\nfolders = ["pages"]\n[index]\ndata = "data"\nmodel = "hash"\n[server]\nport = {unused()}\n'
    config.write_text(said)
    sound = CliRunner().invoke(cli, ["doctor", "--config", os.fspath(config)])
    assert sound.exit_code == 0, sound.output
    assert "advice  staff console: off; citewell password" in sound.output
    config.write_text(said.replace("pages", "elsewhere"))
    broken = CliRunner().invoke(cli, ["doctor", "--config", os.fspath(config)])
    assert broken.exit_code == 1
    assert "wrong   pages:" in broken.output
