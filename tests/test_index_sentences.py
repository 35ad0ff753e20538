from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.sentences import sentence_spans


def sentences(text: str, lang: str = "en") -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text, 0, len(text), lang)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. Roe needles the heel. It helps.", ["Dr. Roe needles the heel.", "It helps."]),
        ("It fell by 2.5 points. Good.", ["It fell by 2.5 points.", "Good."]),
        ("# Heading. One.\n\nTwo words.", ["Two words."]),
        ("- First item\n- Second. Third.", ["First item", "Second.", "Third."]),
        ("A line without an end\n\nAnother", ["A line without an end", "Another"]),
        ("  ", []),
        ("", []),
    ],
)
def test_english(text, expected):
    assert sentences(text) == expected


@pytest.mark.parametrize(
    ("lang", "text", "expected"),
    [
        ("zh", "针刺有效。疗效一般。", ["针刺有效。", "疗效一般。"]),
        ("ko", "침이 아픕니까? 조금 아픕니다.", ["침이 아픕니까?", "조금 아픕니다."]),
        ("es", "¿Duele? El Dr. Roe dice que no.", ["¿Duele?", "El Dr. Roe dice que no."]),
    ],
)
def test_other_languages(lang, text, expected):
    assert sentences(text, lang) == expected


def test_spans_refer_to_the_whole_text():
    text = "Skip this. One 🦶 here. Two."
    assert [text[a:b] for a, b in sentence_spans(text, 11, len(text))] == ["One 🦶 here.", "Two."]


@given(st.text(alphabet="aB 1.?!。-\né針🦶'\"(", max_size=120))
def test_spans_are_in_order_trimmed_and_lose_no_letter(text):
    spans = sentence_spans(text, 0, len(text))
    assert spans == sorted(spans)
    assert all(a[1] <= b[0] for a, b in zip(spans, spans[1:], strict=False))
    assert all(text[a:b] == text[a:b].strip() != "" for a, b in spans)
    assert not any("\n" in text[a:b] for a, b in spans)
    covered = {at for a, b in spans for at in range(a, b)}
    assert all(at in covered for at, c in enumerate(text) if c.isalnum())
