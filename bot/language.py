"""Which of our languages a question is in: by script, else by its small words. English if unsure.

Only decides the language of fixed sentences; emergency rules match every language at once.
"""

from __future__ import annotations

import re

from index.text import words

_SCRIPTS = (
    ("ko", re.compile(r"[\uac00-\ud7a3]")),
    ("zh", re.compile(r"[\u4e00-\u9fff]")),
    ("vi", re.compile(r"[ăđơưĂĐƠƯạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]")),
)
_SMALL_WORDS = {
    "es": frozenset(
        "el la los las de del que para por una unos como cuanto cuantas cuantos puedo "
        "un hace anos tuve soy muy su sus puede tengo con sin mi es esta duele dolor "
        "sirve ayuda hola gracias me y en".split()
    ),
    "fr": frozenset(
        "le la les des du que pour une est ce je j mon ma avec sans combien comment "
        "puis ai mal aide bonjour merci quoi peut et dans au aux".split()
    ),
}
_LEAST = 2


def detect(question: str) -> str:
    """Return "en", "es", "ko", "zh", "vi" or "fr"."""
    for lang, script in _SCRIPTS:
        if script.search(question):
            return lang
    found = words(question.replace("'", " ").replace("’", " "))
    counts = {lang: sum(w in small for w in found) for lang, small in _SMALL_WORDS.items()}
    best = max(counts, key=lambda lang: counts[lang])
    return best if counts[best] >= max(_LEAST, len(found) / 4) else "en"
