"""The `citewell` program: serve, index, ask, doctor, eval. Parses, calls, prints; no logic.

Heavy packages are imported inside the commands, so that `--help` is instant.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bot.journal import Journal
    from bot.pipeline import Assistant
    from bot.settings import Settings
    from bot.types import Answer
    from index.types import Skipped

SKIPPED = 3
"""Exit status when the index was built but something could not be read."""

cli = typer.Typer(
    name="citewell",
    help="A clinic's chatbot whose every sentence opens its source.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Data = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Where the index lives.")]
Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Which clinic (default: clinic.toml here)."),
]


@cli.command()
def serve(
    data: Data = None,
    config: Config = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Serve the chat page. Builds the index first if there is none."""
    from bot.web.server import require_free, run

    settings = _settings(config, data)
    host, port = host or settings.server.host, port or settings.server.port
    require_free(host, port)
    assistant = _assistant(settings)
    assistant.warm()
    journal = _journal(settings)
    _say(f"Citewell is at http://{host}:{port} (Ctrl-C stops it)")
    run(assistant, journal, host, port)


@cli.command()
def index(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH|URL]...", help="Pages to index instead of the clinic's."),
    ] = None,
    data: Data = None,
    config: Config = None,
    rebuild: Annotated[bool, typer.Option(help="Embed everything anew.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only check how the pages are written.")
    ] = False,
) -> None:
    """Index folders, files and sites; the new index takes over when it is whole.

    Exit status: 0 all was indexed, 3 something was skipped, 1 nothing was indexed. With --check:
    0 nothing to mend, 1 otherwise; advice does not count.
    """
    settings = _settings(config, data)
    if check:
        raise typer.Exit(_check(settings, inputs))
    if _index(settings, inputs, rebuild=rebuild):
        raise typer.Exit(SKIPPED)


@cli.command()
def ask(
    question: Annotated[str | None, typer.Argument(help="What a visitor would type.")] = None,
    data: Data = None,
    config: Config = None,
    file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Ask every line of a file ('-': standard input)."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole Answer record on one line.")
    ] = False,
    trace: Annotated[
        bool, typer.Option(help="Show triage, the rewritten question and every hit.")
    ] = False,
) -> None:
    """Answer a question in the terminal."""
    if (question is None) == (file is None):
        raise typer.BadParameter("give one question, or --file FILE")
    assistant = _assistant(_settings(config, data))
    for asked in [question] if question is not None else _lines(file or "-"):
        answer = assistant.answer(asked)
        if as_json:
            typer.echo(json.dumps({"question": asked, **answer.as_json()}, ensure_ascii=False))
        else:
            _print_answer(asked if file else "", answer, trace)


@cli.command()
def doctor(data: Data = None, config: Config = None) -> None:
    """Check the installation and say what to do. Exit status: 1 if something is wrong."""
    from bot.doctor import diagnose

    wrong = 0
    for finding in diagnose(config, data):
        wrong += finding.state == "wrong"
        remedy = f"; {finding.remedy}" if finding.remedy else ""
        typer.echo(f"{finding.state:7} {finding.what}{remedy}")
    raise typer.Exit(min(wrong, 1))


@cli.command()
def password() -> None:
    """Ask for a staff password and print the setting that turns the staff console on."""
    from bot.web.staff import hash_password

    chosen = typer.prompt("Password for the staff", hide_input=True, confirmation_prompt=True)
    typer.echo(f'[staff]\npassword_hash = "{hash_password(chosen)}"')


@cli.command(name="eval")
def evaluate(
    what: Annotated[
        str,
        typer.Argument(
            help="all, retrieval, followups, answers, abstention, safety, wording, approved, "
            "speed, growth, load, soak, fit or fit-triage."
        ),
    ] = "all",
    data: Data = None,
    config: Config = None,
    questions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Golden questions (JSON lines).")
    ] = None,
    beir: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Score retrieval on a BEIR folder; again for more."),
    ] = None,
    qrels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Other qrels than DIR/qrels/test.tsv.")
    ] = None,
    run: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Score a TREC run by --qrels; twice: and compare."),
    ] = None,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="With --beir: other ways to search, on the same.")
    ] = False,
    variants: Annotated[
        bool, typer.Option("--variants", help="With --beir: misspelt, shortened, chatty too.")
    ] = False,
    for_programs: Annotated[
        bool, typer.Option("--json", help="With --beir or --run: print JSON, no table.")
    ] = False,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the report goes (report.json, run.trec).")
    ] = Path("report"),
) -> None:
    """Score retrieval and answers on the golden questions, and print one report."""
    from eval import report

    settings = _settings(config, data)
    if beir or run:
        text = report.run_retrieval(
            settings, beir or [], run or [], qrels=qrels, baselines=baselines, variants=variants,
            for_programs=for_programs, out=out,
        )  # fmt: skip
    else:
        _assistant(settings)
        text = report.run(what, settings, questions=questions, out=out)
    typer.echo(text)


def main() -> None:
    """Run the program; an error of ours is one line, not a traceback."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    from index.errors import CitewellError

    try:
        cli()
    except CitewellError as error:
        typer.echo(f"citewell: {error}", err=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(0) from None


def _settings(config: Path | None, data: Path | None) -> Settings:
    from bot.settings import load_settings

    return load_settings(config, data)


def _assistant(settings: Settings) -> Assistant:
    from index.manifest import has_index

    if not has_index(settings.index.data):
        _index(settings, None)
    from bot.pipeline import Assistant

    return Assistant.open(settings)


def _journal(settings: Settings) -> Journal:
    from bot.journal import Journal

    return Journal.open(settings.journal_url)


def _index(settings: Settings, inputs: list[str] | None, *, rebuild: bool = False) -> int:
    """Build the index, showing progress; return how many things were skipped."""
    from bot import uploads
    from index.build import build
    from index.embed import open_encoder

    pages = inputs or uploads.inputs(settings)
    with _progress() as (advance, say):

        def skip(skipped: Skipped) -> None:
            say(f"skipped {skipped.name}: {skipped.reason}")

        built = build(
            pages, settings.index.data, open_encoder(settings.index), settings.corpus,
            settings.index, settings.chroma, progress=advance, on_skip=skip, rebuild=rebuild,
        )  # fmt: skip
    made = built.manifest
    state = f"indexed, {made.embedded} passages embedded" if built.changed else "up to date"
    skips = f", {len(made.skipped)} skipped" if made.skipped else ""
    _say(f"{state}: {made.documents} pages, {made.chunks} passages{skips}")
    return len(made.skipped)


def _check(settings: Settings, inputs: list[str] | None) -> int:
    """Print what is to be mended in the pages; return the exit status."""
    from index.check import check

    found = check(inputs or map(str, settings.corpus.folders), settings.corpus)
    for finding in found:
        typer.echo(str(finding))
    errors = sum(finding.error for finding in found)
    _say(f"{errors} to mend, {len(found) - errors} pieces of advice")
    return 1 if errors else 0


@contextmanager
def _progress() -> Iterator[tuple[Callable[[int, int], None], Callable[[str], None]]]:
    """Yield a function that moves the bar and one that prints a line above it."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("passages, time left"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("reading pages", total=None)

        def advance(done: int, total: int) -> None:
            bar.update(task, description="embedding", completed=done, total=total)

        def say(line: str) -> None:
            bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

        yield advance, say


def _lines(file: str) -> Iterator[str]:
    from index.errors import CitewellError

    try:
        stream = sys.stdin if file == "-" else Path(file).open(encoding="utf-8")
        with stream:
            yield from (line.rstrip("\n") for line in stream)
    except (OSError, UnicodeDecodeError) as error:
        raise CitewellError(f"{file}: cannot be read ({error})") from None


def _print_answer(heading: str, answer: Answer, trace: bool) -> None:
    from bot.terminal import as_text, trace_as_text

    typer.echo(as_text(answer, heading))
    if trace:
        typer.echo(trace_as_text(answer))


def _say(line: str) -> None:
    typer.echo(line, err=True)


if __name__ == "__main__":
    main()
