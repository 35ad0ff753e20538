"""A YAML list of entries beside the pages: how `glossary.yml` and `terms.yml` are read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from index.errors import PageError
from index.frontmatter import LOADER


def read_entries(
    path: Path, needed: dict[str, type], optional: dict[str, type] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the entries of a file, each with every key of `needed` and none that is not named.

    Raises PageError naming what is wrong, by line or number of the entry.
    """
    known = needed | (optional or {})
    shape = " and ".join(f"'{key}'" for key in needed)
    try:
        rows = yaml.load(path.read_text("utf-8"), Loader=LOADER)  # nosec B506 # safe
    except (OSError, UnicodeDecodeError) as error:
        raise PageError(f"cannot be read ({error})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise PageError(f"{f'line {mark.line + 1}: ' if mark else ''}is not YAML") from None
    if not isinstance(rows or [], list):
        raise PageError(f"must be a list of entries, each with {shape}")
    for number, row in enumerate(rows or (), 1):
        if not (
            isinstance(row, dict)
            and needed.keys() <= row.keys() <= known.keys()
            and all(isinstance(row[key], known[key]) for key in row)
        ):
            raise PageError(f"entry {number} must have {shape}: {row!r}")
        yield row
