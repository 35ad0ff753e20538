"""Who may import whom, and the ceilings. The rules of the house, held by the code itself."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("app.py", "bot/**/*.py", "index/**/*.py", "eval/**/*.py")
    for path in ROOT.glob(pattern)
)
HOMES = {
    "chromadb": r"index/store\.py",
    "sentence_transformers": r"index/embed\.py",
    "transformers": r"index/embed\.py",
    "bm25s": r"index/(lexical|text)\.py",
    "gradio": r"bot/web/.*",
    "fastapi": r"bot/web/.*",
    "langchain": r"bot/generate\.py",
    "py3langid": r"bot/language\.py",
    "sklearn": r"eval/fit_triage\.py",
    "sqlalchemy": r"bot/(journal|schema)\.py",
    "argon2": r"bot/web/staff/.*",
    "limits": r"bot/web/.*",
}
PURE = {
    "types", "errors", "settings", "text", "sentences", "markup", "spelling", "english", "glossary",
    "terms", "files", "breaker",
}  # fmt: skip
PIPELINE = PURE | {"retrieve", "embed", "store", "build"}
REACHES = {
    "bot/pipeline.py": PIPELINE,
    "bot/library.py": PIPELINE | {"manifest", "check", "rules"},
    "bot/doctor.py": PIPELINE | {"load"},
}
"""Those of `bot` that know more of `index` than its records: answering, and looking after it."""
LONGEST = 350


@cache
def imports(module: str) -> frozenset[str]:
    """Return every dotted name a module imports, those inside functions and for types too."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / module).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}, line {node.lineno}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def packages(module: str) -> set[str]:
    return {name.split(".")[0] for name in imports(module)}


def of_index(module: str) -> set[str]:
    """Return the modules of `index` that a module imports from."""
    return {name.split(".")[1] for name in imports(module) if name.startswith("index.")}


def below(*folders: str) -> list[str]:
    return [module for module in MODULES if module.startswith(folders)]


def test_the_modules_are_found():
    assert {"app.py", "bot/pipeline.py", "bot/web/server.py", "index/store.py"} <= set(MODULES)
    assert "chromadb" in packages("index/store.py")
    assert "sentence_transformers" in packages("index/embed.py")
    assert "retrieve" in of_index("bot/pipeline.py")


@pytest.mark.parametrize("module", below("index/"))
def test_index_knows_nothing_above_it(module):
    assert not packages(module) & {"bot", "eval", "app"}


@pytest.mark.parametrize("module", below("bot/"))
def test_bot_knows_nothing_above_it_and_few_reach_into_the_index(module):
    assert not packages(module) & {"eval", "app"}
    assert of_index(module) <= REACHES.get(module, PURE)


@pytest.mark.parametrize("module", [m for m in below("bot/") if not m.startswith("bot/web/")])
def test_answering_knows_nothing_of_the_web(module):
    assert not {name for name in imports(module) if name.startswith("bot.web")}


@pytest.mark.parametrize("module", below("bot/", "index/", "eval/"))
def test_nothing_imports_the_program(module):
    assert "app" not in packages(module)


@pytest.mark.parametrize("library", HOMES)
def test_each_heavy_library_has_one_home(library):
    users = [module for module in MODULES if library in packages(module)]
    assert [module for module in users if not re.fullmatch(HOMES[library], module)] == []


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_no_longer_than_can_be_read(module):
    assert len((ROOT / module).read_text("utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("module", MODULES)
def test_errors_are_caught_by_name_or_with_a_reason(module):
    lines = (ROOT / module).read_text("utf-8").splitlines()
    for node in ast.walk(ast.parse("\n".join(lines))):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = ast.walk(node.type) if node.type else [ast.Name("")]
        names = {n.id for n in caught if isinstance(n, ast.Name)}
        passed_on = any(isinstance(n, ast.Raise) and n.exc is None for n in ast.walk(node))
        if names & {"", "Exception", "BaseException"} and not passed_on:
            reason = re.search(r"# noqa: BLE001\W+\w+ \w+", lines[node.lineno - 1])
            assert reason, f"{module}, line {node.lineno}"


@pytest.mark.parametrize("module", [m for m in MODULES if m != "app.py"])
def test_nothing_is_printed_outside_the_program(module):
    calls = [n for n in ast.walk(ast.parse((ROOT / module).read_text("utf-8")))
             if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]  # fmt: skip
    assert "print" not in {call.func.id for call in calls}


@pytest.mark.parametrize(
    "command", [["--help"], ["index", "--help"], ["ask", "--help"], ["serve", "--help"]],
    ids=" ".join,
)  # fmt: skip
def test_help_loads_nothing_heavy(command):
    code = (
        "import sys, json, app\n"
        f"sys.argv = ['citewell', *{command!r}]\n"
        "try: app.main()\n"
        "except SystemExit as left: assert not left.code\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert said[0].strip().startswith("Usage: citewell")
    heavy = {"torch", "chromadb", "gradio", "sentence_transformers", "transformers", "numpy",
             "langchain", "langchain_core", "fastapi", "sqlalchemy"}  # fmt: skip
    assert not heavy & set(json.loads(said[-1]))
