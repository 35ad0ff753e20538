"""The pages behind the answers: what is indexed, uploads, indexing anew, going back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, HTTPException, Request, Response, UploadFile

from bot.library import Finding, Manifest
from bot.uploads import TYPES, UploadError, remove, save, uploads
from bot.web.staff.console import Console, see
from index.errors import CitewellError

_MOST_FILES = 50
_MOST_FINDINGS = 200


def add(router: APIRouter, console: Console) -> None:
    """Add the page and what can be done on it to `router`."""
    settings = console.assistant.settings
    library = console.library

    def show(request: Request, said: Sequence[str] = (), status: int = 200) -> Response:
        generation = console.assistant.retriever.current()
        listed = sorted(generation.pages.named(), key=lambda d: d.title)
        passages = {page.id: len(generation.passages_of(page.id)) for page in listed}
        return console.page(
            request, "pages", here="pages", status=status, said=said, made=generation.manifest,
            documents=listed, passages=passages, generations=_kept(console), work=library.work,
            uploads=[(path.name, path.stat().st_size) for path in uploads(settings)],
            types=TYPES, limit=settings.corpus.max_file_mb,
        )  # fmt: skip

    @router.get("/staff/pages")
    def pages(request: Request) -> Response:
        return show(request)

    @router.get("/staff/pages/check")
    def check(request: Request) -> Response:
        found: list[Finding] = library.findings()
        return console.page(
            request, "check", here="pages", findings=found[:_MOST_FINDINGS],
            more=max(0, len(found) - _MOST_FINDINGS),
        )  # fmt: skip

    @router.get("/staff/pages/progress")
    def progress() -> dict[str, Any]:
        return asdict(library.work)

    @router.post("/staff/pages/index")
    def index() -> Response:
        library.start()  # one that is under way already is what was asked for
        return see("/staff/pages#work")

    @router.post("/staff/pages/back")
    def back(request: Request, generation: Annotated[str, Form(max_length=100)] = "") -> Response:
        try:
            library.go_back(generation)
        except CitewellError as error:
            return show(request, [str(error)], 409)
        return see("/staff/pages#generations")

    @router.post(
        "/staff/pages/uploads",
        max_body_size=int((_MOST_FILES * settings.corpus.max_file_mb + 1) * 1_000_000),
    )
    def upload(
        request: Request,
        files: Annotated[list[UploadFile], File()] = [],  # noqa: B006
    ) -> Response:
        sent = [file for file in files if file.filename]
        if len(sent) > _MOST_FILES:
            raise HTTPException(413, f"Send {_MOST_FILES} files at a time, not {len(sent)}.")
        refused = []
        for file in sent:
            try:
                # one byte over the limit is enough to tell
                limit = int(settings.corpus.max_file_mb * 1_000_000) + 1
                save(settings, file.filename or "", file.file.read(limit))
            except UploadError as error:
                refused.append(f"Not taken: {error}")
        if refused or not sent:
            return show(request, refused or ["Choose a file first."], 422)
        return see("/staff/pages#uploads")

    @router.post("/staff/pages/remove")
    def take_away(name: Annotated[str, Form(max_length=300)] = "") -> Response:
        try:
            removed = remove(settings, name)
        except UploadError as error:
            raise HTTPException(500, str(error)) from None
        if not removed:
            raise HTTPException(404, "There is no such file any more.")
        return see("/staff/pages#uploads")


def _kept(console: Console) -> list[tuple[Manifest, bool]]:
    """Return the generations kept, and whether it is the one that answers."""
    answering = console.library.answering().generation
    return [(made, made.generation == answering) for made in console.library.generations()]
