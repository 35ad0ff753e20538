"""Which of our languages a question is in, by py3langid (Lui and Baldwin 2012). English if unsure.

Decides the language of fixed sentences and whether the glossary must bridge; emergency rules match
every language at once. Does not tell other languages apart: each counts as the nearest of ours.
"""

from __future__ import annotations

import re
from functools import lru_cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

LANGUAGES = ("en", "es", "ko", "zh", "vi", "fr")
_SURE = 0.8
"""How sure it must be of another language than English; below, a question counts as English."""
_FEWEST = 3
"""Words that a question in Latin letters needs to count as another language than English."""
_WIDE = re.compile(r"[\u3400-\u9fff\uac00-\ud7a3]")


def detect(question: str) -> str:
    """Return one of LANGUAGES."""
    if not _WIDE.search(question) and len(question.split()) < _FEWEST:
        return "en"  # "chest pain" is no French
    lang, sure = _identifier().classify(question)
    return str(lang) if sure >= _SURE else "en"


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(LANGUAGES)
    return identifier
