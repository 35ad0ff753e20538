"""One file and the environment make the clinic; what is wrong in them is named with its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.settings import Settings, load_settings
from index.errors import ConfigError
from index.settings import CORPUS_FOLDER, DEFAULT_MODEL

EXAMPLE = Path(__file__).parent.parent / "clinic.example.toml"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def clinic(text, name="clinic.toml"):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def complaint(text):
    with pytest.raises(ConfigError) as caught:
        load_settings(clinic(text))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_a_file_everything_has_a_default():
    settings = load_settings()
    assert settings.clinic.name == "Your clinic"
    assert settings.clinic.questions
    assert (settings.index.data, settings.index.model) == (Path("data"), DEFAULT_MODEL)
    assert (settings.corpus.folders, settings.corpus.sites) == ((CORPUS_FOLDER,), ())
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 7860)
    assert 0 < settings.answers.min_evidence < 1
    numbers = settings.emergency
    assert (numbers.ambulance, numbers.crisis, numbers.poison) == ("911", "988", "1-800-222-1222")


def test_the_file_here_is_read_without_being_named():
    clinic('[clinic]\nname = "Riverside"\nphone = "+1 555 0100"\n[server]\nport = 8000\n')
    settings = load_settings()
    assert (settings.clinic.name, settings.clinic.phone) == ("Riverside", "+1 555 0100")
    assert settings.server.port == 8000


def test_a_named_file_is_read_instead_of_the_one_here():
    clinic('[clinic]\nname = "Here"\n')
    assert load_settings(clinic('[clinic]\nname = "There"\n', "b.toml")).clinic.name == "There"


def test_the_environment_wins_over_the_file(monkeypatch):
    clinic('[clinic]\nname = "File"\nphone = "111"\n[answers]\nmin_evidence = 0.5\n')
    monkeypatch.setenv("CITEWELL_CLINIC__NAME", "Environment")
    monkeypatch.setenv("CITEWELL_ANSWERS__MIN_EVIDENCE", "0.7")
    settings = load_settings()
    assert (settings.clinic.name, settings.clinic.phone) == ("Environment", "111")
    assert settings.answers.min_evidence == 0.7


def test_the_data_folder_given_wins_over_the_file():
    path = clinic('[index]\ndata = "from-file"\nmodel = "hash"\n')
    settings = load_settings(path, Path("given"))
    assert (settings.index.data, settings.index.model) == (Path("given"), "hash")


def test_paths_are_relative_to_the_file(tmp_path):
    path = clinic('[index]\ndata = "idx"\n[corpus]\nfolders = ["pages", "../more"]\n', "sub/c.toml")
    settings = load_settings(path)
    assert settings.index.data == tmp_path / "sub" / "idx"
    assert [f.resolve() for f in settings.corpus.folders] == [
        tmp_path / "sub/pages",
        tmp_path / "more",
    ]


def test_absolute_paths_stay_and_a_model_beside_the_file_is_found(tmp_path):
    (tmp_path / "my-model").mkdir()
    path = clinic(f'[index]\ndata = "{tmp_path}/x"\nmodel = "my-model"\n')
    settings = load_settings(path)
    assert settings.index.data == tmp_path / "x"
    assert Path(settings.index.model) == tmp_path / "my-model"


@pytest.mark.parametrize(
    ("text", "line", "key", "hint"),
    [
        ('[clinic]\nname = "A"\nphnoe = "1"\n', 3, "clinic.phnoe", "did you mean 'phone'?"),
        (
            "[index]\n# a comment\npasage_tokens = 9\n",
            3,
            "index.pasage_tokens",
            "'passage_tokens'?",
        ),
        ("\n[sever]\nport = 1\n", 2, "sever", "did you mean 'server'?"),
        ("[answers]\nzzz = 1\n", 2, "answers.zzz", "known: min_evidence"),
        (
            "zzzzzz = 1\n",
            1,
            "zzzzzz",
            "known: clinic, emergency, corpus, index, chroma, answers, model, server",
        ),
    ],
)
def test_an_unknown_key_is_named_with_file_line_and_suggestion(text, line, key, hint):
    said = complaint(text)
    assert said.startswith(f"clinic.toml, line {line}: unknown key '{key}'")
    assert hint in said


@pytest.mark.parametrize(
    ("text", "line", "key", "value"),
    [
        ("[server]\nport = 70000\n", 2, "server.port", "70000"),
        ('[server]\nhost = "x"\nport = "many"\n', 3, "server.port", "'many'"),
        ('[clinic]\nname = "A"\n\nphone = "call me"\n', 4, "clinic.phone", "'call me'"),
        ('[clinic]\nemail = "nobody"\n', 2, "clinic.email", "'nobody'"),
        (
            '[clinic]\nwebsite = "javascript:alert(1)"\n',
            2,
            "clinic.website",
            "'javascript:alert(1)'",
        ),
        ('[clinic]\nbooking = "book"\n', 2, "clinic.booking", "'book'"),
        ('[clinic]\nname = ""\n', 2, "clinic.name", "''"),
        ("[index]\nlexical_weight = 1.5\n", 2, "index.lexical_weight", "1.5"),
        ("[index]\ndata = 5\n", 2, "index.data", "5"),
        ("[answers]\nmin_evidence = -1\n", 2, "answers.min_evidence", "-1"),
        ('[corpus]\nfolders = ["a", 5]\n', 2, "corpus.folders", "5"),
        ('clinic = "A"\n', 1, "clinic", "'A'"),
        ("[corpus]\nmax_file_mb = 0\n", 2, "corpus.max_file_mb", "0"),
    ],
)
def test_a_wrong_value_is_named_with_file_and_line(text, line, key, value):
    said = complaint(text)
    assert said.startswith(f"clinic.toml, line {line}: {key}")
    assert f"= {value}: " in said


def test_a_wrong_value_in_the_environment_is_named_by_its_variable(monkeypatch):
    monkeypatch.setenv("CITEWELL_SERVER__PORT", "many")
    with pytest.raises(
        ConfigError, match=r"environment \(CITEWELL_SERVER__PORT\): server.port = 'many'"
    ):
        load_settings()


@pytest.mark.parametrize(
    "text", ["[clinic\n", 'name = "A\n', "[clinic]\nname = A\n", "a = 1\na = 2\n"]
)
def test_broken_toml_is_told_with_file_and_line(text):
    assert re.match(r"clinic\.toml: .*line \d+", complaint(text))


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read \(No such file"):
        load_settings(Path("nowhere.toml"))
    Path("latin.toml").write_bytes(b'[clinic]\nname = "\xe9"\n')
    with pytest.raises(ConfigError, match=r"latin\.toml: is not UTF-8"):
        load_settings(Path("latin.toml"))
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(tmp_path)


class TestEmergencyNumbers:
    def test_a_country_brings_its_numbers(self):
        settings = load_settings(clinic('[clinic]\ncountry = "KR"\n'))
        assert (settings.emergency.ambulance, settings.emergency.crisis) == ("119", "109")

    def test_a_clinic_can_override_one_of_them(self):
        settings = load_settings(clinic('[emergency]\npoison = "555"\n'))
        assert (settings.emergency.ambulance, settings.emergency.poison) == ("911", "555")

    def test_an_unknown_country_without_numbers_is_refused(self):
        said = complaint('[clinic]\nname = "A"\ncountry = "XX"\n')
        assert said.startswith("clinic.toml, line 3: ") and "clinic.country = 'XX'" in said
        assert "US, EU, KR" in said and "[emergency]" in said

    def test_an_unknown_country_with_numbers_is_fine(self):
        settings = load_settings(
            clinic('[clinic]\ncountry = "XX"\n[emergency]\nambulance = "000"\n')
        )
        assert (settings.emergency.ambulance, settings.emergency.crisis) == ("000", "")

    @pytest.mark.parametrize("number", ["", "call us"])
    def test_a_number_that_cannot_be_dialled_is_refused(self, number):
        complaint(f'[clinic]\ncountry = "XX"\n[emergency]\nambulance = "{number}"\n')


@pytest.mark.parametrize(
    ("part", "key"),
    [("clinic", "name"), ("index", "model"), ("server", "port"), ("corpus", "sites")],
)
def test_settings_are_frozen(part, key):
    settings = Settings()
    with pytest.raises(ValidationError):
        setattr(getattr(settings, part), key, "other")
    with pytest.raises(ValidationError):
        setattr(settings, part, None)


def uncommented():
    return re.sub(r"(?m)^#\s*(\w+\s*=)", r"\1", EXAMPLE.read_text("utf-8"))


def test_the_example_file_is_valid_as_it_stands():
    assert load_settings(clinic(EXAMPLE.read_text("utf-8"))) == load_settings(clinic(""))


def test_every_line_of_the_example_file_is_valid_when_switched_on():
    settings = load_settings(clinic(uncommented()))
    assert settings.clinic.phone and settings.clinic.booking and settings.corpus.sites


def test_the_example_file_shows_every_setting():
    shown = set(re.findall(r"(?m)^(\w+)\s*=", uncommented()))
    known = {
        name for part in Settings.model_fields.values() for name in part.annotation.model_fields
    }
    assert shown == known
