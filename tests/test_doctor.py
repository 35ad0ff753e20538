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
from chroma_server import ChromaServer
from pages import MARKDOWN, indexed, write
from typer.testing import CliRunner

from app import cli
from bot import doctor, probes
from bot.doctor import Finding, examine
from bot.journal import Journal, JournalError
from bot.settings import (
    Clinic,
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
from index.embed import DEFAULT_MODEL, FAKE_MODEL
from index.settings import ChromaSettings, CorpusSettings, IndexSettings

ONE_NUMBER = EmergencyNumbers(ambulance="112")


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
        ("chroma.url", {"chroma": ChromaSettings(url="http://127.0.0.1:1")}, "wrong", ":1: no"),
        ("limits.url", {"limits": Limits(url="redis://127.0.0.1:1")}, "wrong", ":1: no"),
        ("model.url", {"model": ModelSettings(url="http://127.0.0.1:1/v1")}, "wrong", ":1: no"),
        ("chat model", {"model": ModelSettings(name="nobody:knows")}, "wrong", "nobody:knows"),
        ("model.url", {"model": ModelSettings(url="http://h:99999/")}, "wrong", "0-65535"),
        ("limits.url", {"limits": Limits(url="redis+sentinel://:pw@127.0.0.1:1,h:2/x")}, "wrong",
         "limits.url: 127.0.0.1:1,h:2: nothing answers"),
        ("port", {"server": Server(host="192.0.2.1")}, "wrong", "cannot listen on 192.0.2.1"),
        ("emergency", {"emergency": ONE_NUMBER}, "ok", "112 for an"),
        ("emergency", {"clinic": Clinic(country="XX"), "emergency": ONE_NUMBER}, "advice",
         "none for crisis or poison"),
        ("staff console", {"staff": Staff()}, "advice", "off"),
        ("staff console", {"staff": Staff(password_hash="abc")}, "wrong", "no argon2 hash"),
        ("privacy", {"privacy": Privacy(keep_questions=True, keep_days=9)}, "advice", "9 days"),
        ("widget", {"widget": Widget(origins=("http://a.example",))}, "advice", "http://a.example"),
        ("widget", {"widget": Widget(origins=("https://a.example",))}, "ok", "https://a.example"),
        ("widget", {}, "ok", "no other site"),
        ("journal", {}, "ok", "will be made at"),
        ("journal", {"journal": JournalSettings(url="sqlite:////dev/null/j")}, "wrong", "/dev/"),
        ("journal", {"journal": JournalSettings(url="oracle+x://h/x")}, "wrong", "oracle.x"),
    ],
)  # fmt: skip
def test_what_is_not_well_is_named(clinic, name, given, state, says):
    finding = found(clinic(**given), name)
    assert finding.state == state
    assert says in finding.what
    assert bool(finding.remedy) == (state != "ok")
    assert "\n" not in finding.what + finding.remedy


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


def test_a_bundled_model_with_other_bytes_is_wrong(clinic, tmp_path, monkeypatch):
    monkeypatch.setattr("index.embed._BUNDLED_SHA256", "0" * 64)
    finding = found(
        clinic(index=IndexSettings(data=tmp_path / "data", model=DEFAULT_MODEL)), "model"
    )
    assert (finding.state, "expected" in finding.what) == ("wrong", True)
    assert "reinstall" in finding.remedy


def test_a_disk_that_is_nearly_full_is_advised(clinic, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage)
    assert found(clinic(), "disk").state == "advice"


def test_a_data_folder_that_cannot_be_seen_has_all_the_same_a_line_for_its_disk(
    clinic, monkeypatch
):
    def refused(_):
        raise PermissionError(13, "Permission denied")

    settings = clinic()
    monkeypatch.setattr(probes.os, "scandir", refused)
    assert [f.state for f in doctor._room(settings)] == ["ok"]


def test_a_data_folder_that_cannot_be_written_is_wrong(clinic, monkeypatch):
    def refused(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(probes.tempfile, "TemporaryFile", refused)
    finding = found(clinic(), "data folder")
    assert (finding.state, "Permission denied" in finding.what) == ("wrong", True)


def test_generations_that_another_user_made_are_wrong(clinic, tmp_path):
    folder = tmp_path / "data" / "generations"
    folder.rename(tmp_path / "elsewhere")
    folder.write_bytes(b"")  # as little to be written in as another user's folder, for root too
    finding = found(clinic(), "data folder")
    assert (finding.state, str(folder) in finding.what) == ("wrong", True)


def test_a_lock_of_another_user_is_wrong(clinic, tmp_path, monkeypatch):
    lock = tmp_path / "data" / "lock"
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: path != lock)
    assert found(clinic(), "data folder").state == "wrong"


def test_a_journal_that_cannot_be_written_is_wrong(clinic, monkeypatch):
    settings = clinic()
    Journal.open(settings.journal_url).close()

    def refused(*_):
        raise JournalError("journal.db: attempt to write a readonly database; free it")

    monkeypatch.setattr(Journal, "end_session", refused)
    assert found(settings, "journal") == Finding(
        "wrong", "journal: journal.db: attempt to write a readonly database", "free it"
    )


def test_a_journal_that_others_may_read_is_wrong(clinic, tmp_path):
    settings = clinic()
    Journal.open(settings.journal_url).close()
    assert found(settings, "journal").state == "ok"
    (tmp_path / "data" / "journal.db").chmod(0o644)
    finding = found(settings, "journal")
    assert (finding.state, "chmod go=" in finding.remedy) == ("wrong", True)


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


def test_a_python_that_does_not_fit_is_wrong(clinic, monkeypatch):
    monkeypatch.setattr(doctor, "metadata", lambda _: {"Requires-Python": ">=9"})
    finding = found(clinic(), "Python")
    assert (finding.state, "wanted: >=9" in finding.what) == ("wrong", True)


def test_a_citewell_that_is_not_installed_is_wrong(clinic, monkeypatch):
    def none(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "metadata", none)
    assert found(clinic(), "packages").state == "wrong"


def test_redis_without_its_package_is_wrong(clinic, monkeypatch):
    monkeypatch.setattr(doctor, "find_spec", lambda _: None)
    finding = found(clinic(limits=Limits(url="redis://127.0.0.1:1")), "limits.url")
    assert (finding.state, "citewell[redis]" in finding.remedy) == ("wrong", True)


@pytest.mark.parametrize("key", ["model", "limits"])
def test_servers_are_connected_to_and_asked_nothing(clinic, key):
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"127.0.0.1:{server.getsockname()[1]}"
        given = {
            "model": ModelSettings(url=f"http://{place}/v1"),
            "limits": Limits(url=f"redis://{place}"),
        }
        assert found(clinic(**{key: given[key]}), f"{key}.url").state == "ok"
        connection, _ = server.accept()
        with connection:
            assert connection.recv(1) == b""


def test_a_server_that_is_no_chroma_is_wrong(clinic, web):
    with served(web) as address:
        finding = found(clinic(chroma=ChromaSettings(url=address)), "chroma.url")
    assert (finding.state, "no Chroma server" in finding.what) == ("wrong", True)


def test_a_chroma_server_that_answers_is_well(clinic, tmp_path):
    server = ChromaServer(tmp_path / "chroma")
    server.start()
    try:
        assert (
            found(clinic(chroma=ChromaSettings(url=f"{server.url}/")), "chroma.url").state == "ok"
        )
    finally:
        server.kill()


def test_a_port_that_another_program_has_is_wrong(clinic):
    with socket.create_server(("127.0.0.1", 0), backlog=8) as other:
        other.settimeout(0.001)
        port = other.getsockname()[1]
        doctor_settings = clinic(server=Server(port=port))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(probes, "PATIENCE_S", 0.05)
            assert found(doctor_settings, "port").state == "wrong"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_a_port_where_citewell_serves_is_well(clinic, web, host):
    with served(web) as address:
        port = int(address.rpartition(":")[2])
        assert "serves at" in found(clinic(server=Server(host=host, port=port)), "port").what


def test_the_command_prints_a_line_each_and_fails_if_something_is_wrong(tmp_path):
    config = tmp_path / "clinic.toml"
    write(tmp_path / "pages", {"a.md": MARKDOWN})
    said = (
        '[corpus]\nfolders = ["pages"]\n[index]\ndata = "data"\nmodel = "hash"\n'
        f"[server]\nport = {unused()}\n"
    )
    config.write_text(said)
    sound = CliRunner().invoke(cli, ["doctor", "--config", os.fspath(config)])
    assert sound.exit_code == 0, sound.output
    assert sound.output.startswith(f"ok      settings: {config}\n")
    assert "advice  staff console: off; citewell password" in sound.output
    config.write_text(said.replace("pages", "elsewhere"))
    broken = CliRunner().invoke(cli, ["doctor", "--config", os.fspath(config)])
    assert broken.exit_code == 1
    assert "wrong   pages:" in broken.output


def test_settings_that_cannot_be_read_are_the_first_line_and_the_last(tmp_path):
    config = tmp_path / "clinic.toml"
    config.write_text("[server]\nprot = 1\n")
    broken = CliRunner().invoke(cli, ["doctor", "--config", os.fspath(config)])
    assert broken.exit_code == 1
    assert broken.output == (
        f"wrong   settings: {config}, line 2: unknown key 'server.prot'; did you mean 'port'?\n"
    )
