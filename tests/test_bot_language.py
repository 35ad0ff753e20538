"""Which language a question is in, by its script and its small words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.language import detect


@pytest.mark.parametrize(
    ("question", "lang"),
    [
        ("does acupuncture help low back pain?", "en"),
        ("is tai chi in the park free", "en"),
        ("sciatica", "en"),
        ("chest pain", "en"),
        ("", "en"),
        ("¿La acupuntura ayuda con el dolor de espalda?", "es"),
        ("cuanto cuesta una sesion para la espalda", "es"),
        ("침 맞으면 아픈가요?", "ko"),
        ("acupuncture 가격이 얼마예요", "ko"),
        ("针灸疼吗", "zh"),
        ("châm cứu có đau không", "vi"),
        ("L'acupuncture est-elle efficace pour le mal de dos ?", "fr"),
        ("est-ce que ça fait mal", "fr"),
    ],
)
def test_a_question_is_in_its_language(question, lang):
    assert detect(question) == lang


@given(st.text())
def test_any_text_has_one_of_our_languages(text):
    assert detect(text) in {"en", "es", "ko", "zh", "vi", "fr"}
