"""Furniture goes, content stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.clean import clean
from index.markup import Block

PARAGRAPH = Block("Needling eased the heel within a few weeks for most people who came to us.")


def cleaned(*words: str) -> list[str]:
    return [block.words for block in clean([Block(line) for line in words])]


@pytest.mark.parametrize(
    "furniture",
    ["top of page", "bottom of page", "Back to top", "Skip to main content", "Menu", "Log In",
     "Share this post", "Share on Facebook", "Facebook", "Instagram", "Copy link", "Follow us",
     "4 min read", "5 minutes read", "12 views", "Read more", "Recent posts", "3 comments",
     "Write a comment", "Leave a comment", "Published on March 4", "Mar 4, 2024", "Tags: heel",
     "© 2024 by Roe Needle Clinic. All rights reserved.", "Copyright 2023 Roe", "Privacy Policy",
     "Terms of Service", "Accept all cookies", "Book now", "Roe clinic logo", "* * *", "•", "| |",
     "We use cookies to improve your experience.",
     "By browsing you consent to cookies; see our policy."],
)  # fmt: skip
def test_furniture_goes(furniture):
    assert clean([PARAGRAPH, Block(furniture), PARAGRAPH]) == [PARAGRAPH, PARAGRAPH]


@pytest.mark.parametrize(
    "content",
    ["Top of the foot pain is common in runners.", "Does it hurt?", "Share your worries with us.",
     "Read more than one study before you decide.", "Rest", "Swelling", "Email us your referral.",
     "The menu of exercises is short.", "Comments about pain are welcome at any visit.",
     "Copyright does not matter to a sore heel, but footwear does and so does the time of rest, "
     "which is why we ask about both of them at the first visit of every patient.",
     "10 views of the joint are taken."],
)  # fmt: skip
def test_content_that_resembles_furniture_stays(content):
    assert cleaned(PARAGRAPH.words, content, PARAGRAPH.words)[1] == content


def test_a_menu_goes_and_the_heading_under_it_stays():
    page = [*map(Block, ("Home", "About", "Services", "Blog")), Block("Heel pain", 2), PARAGRAPH]
    assert clean(page) == [Block("Heel pain", 2), PARAGRAPH]


def test_short_list_items_are_no_menu():
    items = [Block(words, item=True) for words in ("Redness", "Swelling", "Fever", "Numbness")]
    assert clean([PARAGRAPH, *items, PARAGRAPH]) == [PARAGRAPH, *items, PARAGRAPH]


def test_a_comment_box_goes_with_everything_down_to_the_footer():
    tail = ("Comments", "It cured my neighbour overnight!", "© 2024 Roe. All rights reserved.")
    assert cleaned("One.", "Two.", "Three.", *tail) == ["One.", "Two.", "Three."]


def test_a_heading_named_comments_without_a_footer_below_cuts_nothing_else():
    kept = cleaned("One.", "Two.", "Comments", "It is discussed by two trials.")
    assert kept == ["One.", "Two.", "It is discussed by two trials."]


def test_a_comment_box_in_the_first_half_cuts_nothing_else():
    page = ("Comments", "One.", "Two.", "Three.", "Four.", "© 2024 Roe.")
    assert cleaned(*page) == ["One.", "Two.", "Three.", "Four."]


ORDINARY = st.sampled_from(
    "needle patient shoulder morning weeks better slowly treatment clinic because heel walking "
    "people share comment menu cookies policy home about contact search email print tags views "
    "logo rights privacy copyright related reply accept".split()
)
FURNITURE = st.sampled_from(
    ("top of page", "Home", "About", "Blog", "Menu", "Share", "Facebook", "3 min read", "Log In",
     "Accept all cookies", "© 2024 Roe. All rights reserved.", "bottom of page", "Tags: heel")
)  # fmt: skip


@given(
    st.lists(ORDINARY, min_size=61, max_size=120),
    st.lists(FURNITURE, max_size=8),
    st.lists(FURNITURE, max_size=8),
)
def test_a_long_paragraph_is_never_dropped(words, before, after):
    paragraph = " ".join(words).capitalize() + "."
    assert paragraph in cleaned(*before, paragraph, *after)


@given(st.lists(st.one_of(FURNITURE, ORDINARY, st.just(PARAGRAPH.words)), max_size=12))
def test_what_is_kept_is_what_was_there_in_order(words):
    page = [Block(line) for line in words]
    rest = iter(page)
    assert all(any(block is candidate for candidate in rest) for block in clean(page))
