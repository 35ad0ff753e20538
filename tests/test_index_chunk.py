"""Passages: nothing lost, nothing longer than the model reads, ids that follow the content."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.chunk import chunk
from index.embed import HashEncoder
from index.markup import Block, render
from index.sentences import sentence_spans
from index.types import Chunk, Document

COUNT = HashEncoder().count_tokens
LIMIT = HashEncoder().window


def document(text: str, title: str = "Heel pain", **more) -> Document:
    return Document(id="pages/heel.md", title=title, text=text, **more)


def cut(text: str, *, target: int = 40, limit: int = LIMIT, **more) -> list[Chunk]:
    return chunk(document(text, **more), COUNT, target=target, limit=limit)


WORD = st.sampled_from(
    "heel pain eases walking needle weeks patient morning rest 침 도침치료 针刺疗法 疼痛缓解 "
    "acupuncture extracorporeal Dr. 2.5 e.g. naïve".split()
) | st.text(alphabet="abcxyz", min_size=1, max_size=400)
SENTENCE = st.lists(WORD, min_size=1, max_size=30).map(" ".join)
BLOCK = st.builds(
    lambda words, end, kind: Block(words + end, *kind),
    SENTENCE, st.sampled_from((".", "?", "!", "。", "")),
    st.sampled_from(((0, False), (0, False), (0, True), (1, False), (2, False), (3, False))),
)  # fmt: skip
PAGES = st.builds(
    lambda blocks, title: document(render(blocks)[0], title),
    st.lists(BLOCK, max_size=25), SENTENCE.map(lambda words: words[:120]),
)  # fmt: skip


@given(PAGES, st.integers(32, 200), st.integers(200, 300))
def test_a_passage_is_a_piece_of_its_page(page, target, limit):
    for made in chunk(page, COUNT, target=target, limit=limit):
        assert made.document is page
        assert page.text[made.start : made.end] == made.text
        assert made.text == made.text.strip() != ""


@given(PAGES, st.integers(32, 200), st.integers(200, 300))
def test_a_passage_under_its_headings_never_passes_what_the_model_reads(page, target, limit):
    for made in chunk(page, COUNT, target=target, limit=limit):
        assert COUNT([made.embedded_text])[0] <= limit


@given(PAGES, st.integers(32, 200))
def test_every_word_of_the_content_is_in_exactly_one_passage(page, target):
    made = chunk(page, COUNT, target=target, limit=LIMIT)
    spans = sorted((c.start, c.end) for c in made)
    assert all(end <= start for (_, end), (start, _) in zip(spans, spans[1:], strict=False))
    kept = {(c.headings, c.text) for c in made}
    for first, last in sentence_spans(page.text, 0, len(page.text)):
        for at in range(first, last):
            homes = sum(start <= at < end for start, end in spans)
            repeated = any(page.text[first:last] in text for _, text in kept)
            assert homes == 1 or (page.text[at].isspace() or repeated) and homes == 0


@given(st.integers(1, 60), st.integers(32, 120))
def test_every_sentence_is_whole_in_exactly_one_passage(count, target):
    sentences = [f"Visit {n} eased the heel a little more." for n in range(count)]
    made = cut(" ".join(sentences), target=target)
    for sentence in sentences:
        assert sum(sentence in c.text for c in made) == 1


@given(PAGES)
def test_ids_are_unique_and_the_same_each_time(page):
    first, second = (chunk(page, COUNT, target=80, limit=LIMIT) for _ in range(2))
    assert first == second
    assert len({c.id for c in first}) == len(first)


@settings(max_examples=40)
@given(PAGES, SENTENCE)
def test_ids_do_not_change_when_text_is_put_before_another_section(page, words):
    before = {c.id for c in chunk(page, COUNT, target=80, limit=LIMIT)}
    moved = document(f"# New\n\n{words}.\n\n# Old\n\n" + page.text, page.title)
    plain = document("# Old\n\n" + page.text, page.title)
    old = {c.id: c for c in chunk(plain, COUNT, target=80, limit=LIMIT)}
    new = {c.id: c for c in chunk(moved, COUNT, target=80, limit=LIMIT)}
    assert old.keys() <= new.keys()
    assert all(new[i].text == old[i].text for i in old)
    assert bool(before) == bool(old)


def test_an_id_differs_when_text_title_or_heading_does():
    versions = [
        cut("# Rest\n\nThe heel hurts."), cut("# Rest\n\nThe heel heals."),
        cut("# Walk\n\nThe heel hurts."), cut("# Rest\n\nThe heel hurts.", title="Knee"),
    ]  # fmt: skip
    assert len({made[0].id for made in versions}) == 4


def test_a_passage_keeps_to_one_section_and_carries_its_headings():
    made = cut("Intro.\n\n# Care\n\nRest.\n\n## At home\n\nWalk.\n\n# Risks\n\nBruises.")
    assert [(c.headings, c.text) for c in made] == [
        ((), "Intro."), (("Care",), "Rest."), (("Care", "At home"), "Walk."),
        (("Risks",), "Bruises."),
    ]  # fmt: skip


def test_the_model_reads_title_and_headings_above_the_passage_and_the_title_once():
    one, two = cut("# Heel pain\n\nIt hurts.\n\n## At night\n\nIt aches.")
    assert one.embedded_text == "Heel pain\nIt hurts."
    assert two.embedded_text == "Heel pain > At night\nIt aches."


def test_passages_are_filled_with_whole_sentences_up_to_the_target():
    text = " ".join(["One two three four five six seven eight nine."] * 2 + ["Ten eleven."] * 2)
    made = cut(text, target=25)
    assert [c.text for c in made] == [text[: text.index(" Ten")], "Ten eleven. Ten eleven."]


def test_a_sentence_longer_than_the_model_reads_is_cut_at_blanks():
    text = " ".join(f"word{n}" for n in range(700)) + "."
    made = cut(text, target=100)
    assert len(made) == 3
    assert " ".join(c.text for c in made) == text


NUMBERS = [str(n) for n in range(3000)]


@pytest.mark.parametrize("joint", ["x", "침", "针刺", "-"])
def test_a_run_without_blanks_is_cut_and_nothing_is_lost(joint):
    text = joint.join(NUMBERS)
    made = cut(text)
    assert "".join(c.text for c in made) == text
    assert all(COUNT([c.embedded_text])[0] <= LIMIT for c in made)


def test_chinese_sentences_are_not_cut_apart():
    sentences = [f"针刺可以缓解第{n}次就诊时的足跟疼痛。" for n in range(30)]
    made = cut("".join(sentences), target=32, lang="zh")
    assert len(made) > 1
    assert all(sum(sentence in c.text for c in made) == 1 for sentence in sentences)


def test_giant_headings_give_way_to_the_passage():
    giant = "very long heading " * 200
    (made,) = cut(f"# {giant}\n\n## At home\n\nRest the foot.")
    assert (made.headings, made.text) == (("At home",), "Rest the foot.")
    (made,) = cut(f"# {giant}\n\nRest the foot.")
    assert (made.headings, made.text) == ((), "Rest the foot.")


def test_the_same_passage_twice_on_a_page_is_kept_once():
    made = cut("# Care\n\nRest.\n\n# Other\n\nWalk.\n\n# Care\n\nRest.")
    assert [c.text for c in made] == ["Rest.", "Walk."]


@pytest.mark.parametrize("text", ["", "# Only\n\n## Headings"])
def test_a_page_without_content_has_no_passages(text):
    assert cut(text) == []


@pytest.mark.model
@pytest.mark.parametrize(
    "text",
    ["The heel hurts. " * 300, "침을 맞으면 아픕니다. " * 200, "针刺疗法。" * 400, "x" * 5000,
     "pseudohypoparathyroidism " * 300, "- 2.5 mg/kg; " * 400],
    ids=["english", "korean", "chinese", "one-word", "rare-words", "marks"],
)  # fmt: skip
def test_no_passage_is_longer_than_the_real_model_reads(model, text):
    page = document(f"# {text[:100]}\n\n{text}", text[:120])
    made = chunk(page, model.count_tokens, target=160, limit=model.window)
    assert made
    assert max(model.count_tokens([c.embedded_text for c in made])) <= model.window
