"""The files around the code: what a newcomer copies from the README is true."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PINS = [
    line
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_constraints_pin_every_package_to_one_version_that_any_machine_has():
    assert [line for line in PINS if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    names = [canonical(line.split("==")[0]) for line in PINS]
    assert len(names) == len(set(names))


def test_every_dependency_is_pinned():
    extras = PROJECT["project"]["optional-dependencies"].values()
    needed = [*PROJECT["project"]["dependencies"], *(name for extra in extras for name in extra)]
    names = {canonical(re.split(r"[>=<\[]", name)[0]) for name in needed}
    assert names - {canonical(line.split("==")[0]) for line in PINS} == set()


def test_every_folder_with_shipped_files_is_a_package():
    listed = set(PROJECT["tool"]["setuptools"]["packages"])
    shipped = {
        folder.relative_to(ROOT).as_posix().replace("/", ".")
        for top in ("bot", "index", "eval", "corpus")
        for folder in [ROOT / top, *(ROOT / top).glob("**/")]
        if any(p.is_file() for p in folder.iterdir())
        and not {"__pycache__", "screenshots"} & set(folder.parts)
    }
    assert shipped == listed


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make (\w+)", README))))
def test_every_make_command_of_the_readme_exists(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"[\w/.-]+\.(?:md|toml|txt|png)\b", README)))
)
def test_every_file_the_readme_names_is_there(path):
    made_elsewhere = {"clinic.toml", "/etc/citewell/clinic.toml", "questions.txt", "robots.txt"}
    assert path in made_elsewhere or (ROOT / path).exists()
