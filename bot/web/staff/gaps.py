"""What visitors asked in vain, and what they found unhelpful."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from bot.journal import Feedback, Gap
from bot.recorder import REASONS
from bot.web.staff.console import Console, see
from index.text import terms

_SHARED = 0.5
"""Share of the shorter question's terms that two must have in common to stand together."""
_SHARED_NEAR = 0.25
"""The same where one page came nearest to both."""


@dataclass(frozen=True, slots=True)
class Group:
    """Gaps about one thing, newest first."""

    gaps: tuple[Gap, ...]

    @property
    def ids(self) -> str:
        """The numbers of the gaps, as the form sends them."""
        return " ".join(str(gap.id) for gap in self.gaps)

    @property
    def days(self) -> str:
        """The first and the last day."""
        days = sorted(gap.day for gap in self.gaps)
        return days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"

    @property
    def languages(self) -> str:
        """The languages, the most frequent first."""
        return ", ".join(lang for lang, _ in Counter(g.lang for g in self.gaps).most_common())

    @property
    def near(self) -> str:
        """The page that came nearest to most of them."""
        return Counter(gap.near for gap in self.gaps).most_common(1)[0][0]

    @property
    def words(self) -> tuple[tuple[str, int], ...]:
        """What was asked, and how often in these very words."""
        return tuple(Counter(gap.words for gap in self.gaps).most_common())


def grouped(gaps: Sequence[Gap]) -> list[Group]:
    """Put gaps that share their content words together, the largest group first.

    Each joins the first group whose first gap it is like; a page that came nearest to both helps.
    """
    groups: list[tuple[frozenset[str], list[Gap]]] = []
    for gap in gaps:
        own = frozenset(terms(gap.words))
        for first, group in groups:
            needed = _SHARED_NEAR if gap.near and gap.near == group[0].near else _SHARED
            fewer = min(len(own), len(first))
            alike = len(own & first) / fewer >= needed if fewer else own == first
            if alike and (own or gap.near == group[0].near):
                group.append(gap)
                break
        else:
            groups.append((own, [gap]))
    return sorted((Group(tuple(group)) for _, group in groups), key=lambda g: -len(g.gaps))


@dataclass(frozen=True, slots=True)
class Complaint:
    """Ratings of one kind about one page: how often, on which day last, about which questions."""

    reason: str
    page: str
    count: int
    last: str
    words: tuple[str, ...]


def complaints(feedback: Sequence[Feedback]) -> list[Complaint]:
    """Count the ratings that were not helpful by reason and page, the most frequent first."""
    found: dict[tuple[str, str], list[Feedback]] = {}
    for one in feedback:
        for page in one.pages or ("",):
            if not one.helpful:
                found.setdefault((one.reason, page), []).append(one)
    rows = (
        Complaint(
            REASONS.get(reason, reason or "No reason given"), page, len(group),
            max(one.day for one in group),
            tuple(dict.fromkeys(one.words for one in group if one.words)),
        )
        for (reason, page), group in found.items()
    )  # fmt: skip
    return sorted(rows, key=lambda row: -row.count)


def add(router: APIRouter, console: Console) -> None:
    """Add the page to `router`."""
    journal = console.journal

    @router.get("/staff/gaps")
    def gaps(request: Request) -> Response:
        feedback = journal.feedback()
        return console.page(
            request, "gaps", here="gaps", groups=grouped(journal.gaps()),
            complaints=complaints(feedback), title=console.title,
            helpful=sum(one.helpful for one in feedback), rated=len(feedback),
            privacy=console.assistant.settings.privacy,
        )  # fmt: skip

    @router.post("/staff/gaps/done")
    def done(ids: Annotated[str, Form(max_length=20_000)] = "") -> Response:
        journal.forget_gaps([int(i) for i in ids.split() if i.isascii() and i.isdigit()])
        return see("/staff/gaps")
