"""Questions made harder by the bench itself: misspelt, shortened, wrapped in small talk. Seeded."""

from __future__ import annotations

import random
import re

from index.text import STOPWORDS

EVERY = 3
"""One content word in so many gets a slip of the finger."""
_SHORTEST = 4  # letters; shorter words are rarely misspelt and hard to put right
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_OPENINGS = (
    "hi, i was wondering, ", "sorry if this is a silly question but ", "can someone tell me, ",
    "my sister told me to ask: ",
)  # fmt: skip


def misspelt(question: str, seed: str) -> str:
    """Return `question` with one edit in every third content word, the first one included.

    An edit swaps, drops, doubles or replaces a letter inside the word (Damerau 1964).
    """
    chance = random.Random(f"{seed} {question}")  # nosec B311 # no secret: told by the seed
    count = -1

    def slip(found: re.Match[str]) -> str:
        nonlocal count
        word = found[0]
        if len(word) < _SHORTEST or word.lower() in STOPWORDS:
            return word
        count += 1
        return word if count % EVERY else _edit(word, chance)

    return re.sub(r"[A-Za-z]+", slip, question)


def shortened(question: str, seed: str = "") -> str:
    """Return what someone types into a search box: the content words alone."""
    kept = [w for w in re.findall(r"[\w'-]+", question) if w.lower() not in STOPWORDS]
    return " ".join(kept).lower() or question


def chatty(question: str, seed: str) -> str:
    """Return `question` as it comes in a chat: an opening, no capitals, thanks."""
    chance = random.Random(f"{seed} {question}")  # nosec B311 # no secret: told by the seed
    opening = chance.choice(_OPENINGS)
    return f"{opening}{question.lower().rstrip('?.! ')}? thanks"


VARIANTS = {"misspelt": misspelt, "shortened": shortened, "chatty": chatty}


def _edit(word: str, chance: random.Random) -> str:
    at = chance.randrange(1, len(word) - 1)
    kind = chance.choice(("swap", "drop", "double", "replace"))
    if kind == "swap":
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == "drop":
        return word[:at] + word[at + 1 :]
    if kind == "double":
        return word[:at] + word[at] + word[at:]
    other = chance.choice([c for c in _LETTERS if c != word[at].lower()])
    return word[:at] + other + word[at + 1 :]
