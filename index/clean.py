"""Page furniture off: menus, share links, comment boxes, cookie bars, footers.

Works on blocks of scraped pages (HTML and text). A block goes only if it is furniture as a whole,
or stands in a tail that opens like a comment box and holds a footer: words of the page proper are
never cut out of a sentence. Pages written for Citewell are not cleaned.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.markup import Block, tidy

_FURNITURE = re.compile(
    r"""^(
      (back\ to\ |go\ to\ )?top(\ of\ (the\ )?page)? | bottom\ of\ (the\ )?page
    | skip\ to\ (main\ |the\ )?content | (toggle|open|close|main)\ (menu|navigation) | menu
    | search(\ (this\ site|\.\.\.|…))? | log\ ?in | sign\ (in|up|out) | log\ in\ /\ sign\ up
    | (post\ |leave\ |write\ |add\ )?(a\ )?comments?(\ \(?\d+\)?)? | \d+\ comments? | reply
    | share(\ (this|this\ (post|page|article)|on\ .{1,20}|via\ .{1,20}))?:?
    | (facebook|twitter|instagram|linkedin|pinterest|youtube|tiktok|whatsapp|x|yelp|threads|email
       |print|rss|copy\ link|tweet|follow\ us(\ on\ .{1,20})?)
    | \d+\ min(ute)?s?\ read | (\d+\ )?(views?|likes?) | read\ more | learn\ more | see\ all
    | (recent|related|popular|similar|previous|next)\ (posts?|articles?|pages?|stories)
    | tags?:?.{0,40}
    | (posted|published|updated|written|last\ updated)(\ (on|by))?:?\ .{1,40}
    | (jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]*\.?\ \d{1,2},\ (19|20)\d\d
    | ([©]|\(c\)|copyright)\ ?.{0,120} | all\ rights\ reserved\.?
    | (privacy|cookie)\ policy | terms(\ (of\ (use|service)|and\ conditions))? | sitemap
    | accept(\ all)?(\ cookies)? | (reject|decline)(\ all)? | cookie\ (settings|preferences)
    | subscribe(\ (now|to\ .{1,40}))? | (book|call|schedule)\ now | .{1,40}\ logo | advertisement
    )$""",
    re.IGNORECASE | re.VERBOSE,
)
_COOKIES = re.compile(
    r"\bcookies?\b.*\b(accept|consent|agree|preferences|experience|policy)\b", re.IGNORECASE
)
_TAIL = re.compile(
    r"^((leave|write|post|add)?\s*(a )?(comments?|reply)( \(?\d+\)?)?|\d+ comments?|related posts"
    r"|recent posts|you (may|might) also (like|enjoy).*|share this.*|about the author)$",
    re.I,
)
_COMMENTS = re.compile(r"\b(comments?|reply)\b", re.IGNORECASE)
_LINKS_ONLY = 40  # words: a tail of links to elsewhere holds no longer block
_FOOTER = re.compile(
    r"©|\(c\) ?(19|20)\d\d|all rights reserved|bottom of page|privacy policy", re.IGNORECASE
)
_MENU_WORDS = frozenset(
    "home about services contact blog menu book appointments faq team shop gallery testimonials "
    "treatments conditions pricing login location news reviews products".split()
)
_MENU_LENGTH = 3


def clean(page: Sequence[Block]) -> list[Block]:
    """Return the blocks that are the page itself, in order."""
    kept: list[Block] = []
    run: list[Block] = []
    for block in [*_without_tail(page), Block("an end that is no menu entry at all")]:
        words = tidy(block.words)
        if _is_furniture(words) or _is_short(words):
            run.append(block)
            continue
        kept += [*_without_menu(run), block]
        run = []
    return kept[:-1]


def _is_furniture(words: str) -> bool:
    words = words.strip("•·|-*> ")
    if len(words) > 300:
        return False
    return bool(_FURNITURE.match(words) or _COOKIES.search(words)) or not any(
        c.isalnum() for c in words
    )


def _without_tail(page: Sequence[Block]) -> list[Block]:
    """Cut at the first comment box or list of links of the second half that leads to a footer."""
    for at, block in enumerate(page):
        opener = tidy(block.words)
        if at * 2 < len(page) or not _TAIL.match(opener):
            continue
        tail = page[at:]
        short = all(len(later.words.split()) <= _LINKS_ONLY for later in tail)
        if (short or _COMMENTS.search(opener)) and any(_FOOTER.search(b.words) for b in tail):
            return list(page[:at])
    return list(page)


def _without_menu(run: Sequence[Block]) -> list[Block]:
    """Return what stays of furniture and very short blocks in a row.

    Three or more short ones, at least two of them menu words, are a menu. The heading of what
    follows may stand right under it, and stays.
    """
    short = [block for block in run if not _is_furniture(tidy(block.words))]
    if len(short) < 3 or sum(map(_is_menu_entry, short)) < 2:
        return short
    last = short[-1]
    return [last] if last is run[-1] and last.level and not _is_menu_entry(last) else []


def _is_short(words: str) -> bool:
    return len(words.split()) <= _MENU_LENGTH and not words.endswith((".", "!", "?", ":"))


def _is_menu_entry(block: Block) -> bool:
    return any(word.lower() in _MENU_WORDS for word in block.words.split())
