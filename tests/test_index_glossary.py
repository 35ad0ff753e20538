from __future__ import annotations

import pytest

from index.glossary import Glossary
from index.types import Document

PAGES = [
    Document(id="a", title="Acupotomy", text="x", kind="treatment",
             aliases=("knife needle", "도침", "针刀")),
    Document(id="h", title="Plantar fasciitis", text="x", kind="condition", aliases=("heel pain",)),
    Document(id="v", title="First visit", text="x", kind="visit", aliases=("appointment",)),
]  # fmt: skip
GLOSSARY = Glossary.of(PAGES, {"dry needling": ("needle",), "TMD": ("jaw pain", "jaw joint")})


@pytest.mark.parametrize(
    ("question", "added"),
    [
        ("Is the knife needle safe?", ("Acupotomy",)),
        ("does a needle hurt?", ("dry needling",)),
        ("knife needle or another needle?", ("Acupotomy", "dry needling")),
        ("my HEEL pain", ("Plantar fasciitis",)),
        ("도침이 안전한가요?", ("Acupotomy",)),
        ("针刀安全吗", ("Acupotomy",)),
        ("jaw pain", ("TMD",)),
        ("is acupotomy a knife needle?", ()),
        ("book an appointment", ()),
        ("heel spur", ()),
        ("", ()),
    ],
)
def test_the_pages_own_terms_are_added(question, added):
    assert GLOSSARY.expand(question).added == added


def test_the_words_of_the_question_stay_as_they_are():
    assert GLOSSARY.expand("Heel pain?").text == "Heel pain? (Plantar fasciitis)"
    assert GLOSSARY.expand("Reiki?").text == "Reiki?"


def test_the_words_a_term_was_added_for_are_known():
    assert GLOSSARY.expand("is the knife needle safe").bridged == {"knife", "needle"}
