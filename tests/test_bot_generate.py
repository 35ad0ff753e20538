"""A chat model over real HTTP that behaves badly: nothing unverified reaches an Answer."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from model_server import ModelServer, Reply, model_server
from pages import indexed, write

from bot.generate import INSTRUCTIONS, Writer, open_model
from bot.pipeline import Assistant
from bot.settings import ModelSettings, Settings
from bot.types import Answer
from index.embed import FAKE_MODEL, HashEncoder
from index.errors import ConfigError
from index.retrieve import Retriever
from index.settings import IndexSettings

QUESTION = "does cupping help neck pain"
HELPS = "Cupping may ease neck pain for a short time, compared with no treatment."
SHAM = "Cupping did not beat sham cups for neck pain in a 2015 trial of 60 people."
MARKS = "Cupping leaves round marks that fade within ten days."
FACE = "Cupping has not been shown to help face pain."
PAGE = f"""\
---
title: Cupping
kind: treatment
aliases: [cups]
---
{HELPS} {SHAM}

## Does cupping leave marks?

{MARKS} {FACE}
"""
GOOD = "Cupping may ease neck pain for a short time, compared with no treatment."
ALSO_GOOD = "In a 2015 trial of 60 people, cupping did not beat sham cups for neck pain."
TIMEOUT = 1.5


def hurried():
    """Return a clock by which every rest is over when it is next looked at."""
    return count(step=1000).__next__


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with model_server() as running:
        yield running


@pytest.fixture(scope="module")
def clinic(tmp_path_factory, server) -> Assistant:
    """An assistant over one page, with the fake encoder and the scripted model."""
    folder: Path = tmp_path_factory.mktemp("clinic")
    indexed(write(folder / "pages", {"cups.md": PAGE}), folder / "data")
    settings = IndexSettings(data=folder / "data", model=FAKE_MODEL)
    model = open_model(ModelSettings(name="openai:scripted", url=server.url, timeout_s=TIMEOUT))
    assert model is not None
    retriever = Retriever(folder / "data", HashEncoder(), settings)
    writer = Writer(model, timeout_s=TIMEOUT, clock=hurried())
    return Assistant(Settings(index=settings), retriever, writer)


def row(sentence: object, *quotes: tuple[object, object], **more: object) -> str:
    listed = [{"id": i, "quote": quote} for i, quote in quotes]
    return json.dumps({"sentence": sentence, "quotes": listed, **more}) + "\n"


def where(reply: Reply, words: str) -> str:
    """Return the id of the passage that holds `words`."""
    return next(p["id"] for p in reply.passages if words in p["text"])


def proposing(sentence: str, quote: str = HELPS):
    """Return a script that proposes one sentence on one true quote."""
    return lambda reply: reply.say(row(sentence, (where(reply, quote), quote)))


def ask(clinic: Assistant, server: ModelServer, script) -> Answer:
    server.script = script
    return clinic.answer(QUESTION)


def honest(reply: Reply) -> None:
    reply.say(
        row(GOOD, (where(reply, HELPS), HELPS)), row(ALSO_GOOD, (where(reply, SHAM), SHAM))
    )  # fmt: skip


def test_an_honest_model_words_the_answer_and_every_sentence_has_its_quote(clinic, server):
    answer = ask(clinic, server, honest)
    assert [s.text for s in answer.sentences] == [GOOD, ALSO_GOOD]
    assert [c.quote for c in answer.citations] == [HELPS, SHAM]
    assert [s.citations for s in answer.sentences] == [(1,), (2,)]
    assert answer.trace.draft and (answer.trace.draft.kept, answer.trace.draft.failure) == (2, "")
    assert not answer.partial


def test_the_question_goes_in_as_data_and_the_passages_with_ids(clinic, server):
    ask(clinic, server, honest)
    system, human = server.asked[-1]["messages"]
    assert (system["role"], system["content"]) == ("system", INSTRUCTIONS)
    assert json.loads(human["content"])["question"] == QUESTION
    assert {p["id"] for p in server.passages} == {"p1", "p2"}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda rows: "```json\n" + "".join(rows) + "```",
        lambda rows: "Here is the answer:\n" + "".join(rows),
        lambda rows: json.dumps({"sentences": [json.loads(r) for r in rows]}, indent=1),
        lambda rows: "[" + ",\n".join(r.strip() for r in rows) + "]",
        lambda rows: "".join(rows).rstrip("\n"),
    ],
    ids=["fenced", "introduced", "one object", "a list", "no last newline"],
)
def test_other_shapes_of_an_honest_reply_are_understood(clinic, server, wrap):
    def script(reply: Reply) -> None:
        rows = [row(GOOD, (where(reply, HELPS), HELPS)), row(ALSO_GOOD, (where(reply, SHAM), SHAM))]
        whole = wrap(rows)
        reply.say(*(whole[i : i + 7] for i in range(0, len(whole), 7)))

    assert [s.text for s in ask(clinic, server, script).sentences] == [GOOD, ALSO_GOOD]


def test_streaming_shows_verified_sentences_only_each_as_soon_as_it_is_whole(clinic, server):
    def script(reply: Reply) -> None:
        reply.say(
            row(GOOD, (where(reply, HELPS), HELPS)),
            row("Cupping cures neck pain.", (where(reply, HELPS), HELPS)),
            row(ALSO_GOOD, (where(reply, SHAM), SHAM)),
        )

    server.script = script
    seen = [
        ([s.text for s in answer.sentences], answer.partial) for answer in clinic.stream(QUESTION)
    ]
    assert seen == [([GOOD], True), ([GOOD, ALSO_GOOD], True), ([GOOD, ALSO_GOOD], False)]


def stop_in_the_middle(reply: Reply) -> None:
    reply.begin()
    reply.part('{"sentence": "Cupping may')
    reply.hang_up()


def good_then_hang(reply: Reply) -> None:
    reply.begin()
    reply.part(row(GOOD, (where(reply, HELPS), HELPS)))
    reply.wait(10)


def drip(reply: Reply) -> None:
    reply.begin()
    while not reply.wait(0.05):
        reply.raw(b": keep waiting\n\n")


def drip_words(reply: Reply) -> None:
    reply.begin()
    while not reply.wait(0.05):
        reply.part(" ")


def call_a_tool(reply: Reply) -> None:
    reply.begin()
    call = {"index": 0, "id": "t", "type": "function",
            "function": {"name": "send_email", "arguments": '{"to": "x@example.org"}'}}  # fmt: skip
    reply.event({"index": 0, "delta": {"role": "assistant", "tool_calls": [call]}})
    reply.raw(b"data: [DONE]\n\n")


def refuse_formally(reply: Reply) -> None:
    reply.begin()
    reply.event({"index": 0, "delta": {"refusal": "I cannot help with that."}})
    reply.event({"index": 0, "delta": {}, "finish_reason": "content_filter"})
    reply.raw(b"data: [DONE]\n\n")


def cut_off(reply: Reply) -> None:
    reply.begin()
    reply.part(row(GOOD, (where(reply, HELPS), HELPS))[:-20])
    reply.event({"index": 0, "delta": {}, "finish_reason": "length"})
    reply.raw(b"data: [DONE]\n\n")


MISBEHAVIOURS = {
    # what it says
    "invents a quote": lambda r: r.say(row(GOOD, ("p1", "Cupping eases neck pain for a year."))),
    "changes one letter of a quote": lambda r: r.say(
        row(GOOD, (where(r, HELPS), HELPS.replace("ease", "eases")))
    ),
    "quotes under another passage's id": lambda r: r.say(
        row(GOOD, (next(p["id"] for p in r.passages if HELPS not in p["text"]), HELPS))
    ),
    "names a passage it was not given": lambda r: r.say(row(GOOD, ("p99", HELPS))),
    "quotes nothing": lambda r: r.say(row(GOOD)),
    "quotes one word": lambda r: r.say(row(GOOD, (where(r, HELPS), "Cupping"))),
    "quotes everything": lambda r: r.say(
        row(GOOD, *((p["id"], p["text"]) for p in r.passages * 3))
    ),
    "drops the hedge": proposing("Cupping eases neck pain for a short time."),
    "drops the not": proposing("Cupping did beat sham cups for neck pain in a 2015 trial.", SHAM),
    "adds a not": proposing("Cupping may not ease neck pain, compared with no treatment."),
    "cuts the not off its quote": lambda r: r.say(
        row("Cupping has been shown to help face pain.", (where(r, FACE), FACE[21:-1]))
    ),
    "changes a number": proposing(ALSO_GOOD.replace("60", "600"), SHAM),
    "changes the year": proposing(ALSO_GOOD.replace("2015", "2025"), SHAM),
    "adds a number in words": proposing("Cupping may ease neck pain for a short time in two days."),
    "turns the comparison round": proposing(
        "No treatment may ease neck pain for a short time, compared with cupping."
    ),
    "names another treatment": proposing("Acupotomy may ease neck pain for a short time."),
    "names another condition": proposing("Cupping may ease migraine for a short time."),
    "names a drug": proposing("Cupping may ease neck pain like ibuprofen, for a short time."),
    "promises a cure": proposing("Cupping may cure neck pain, compared with no treatment."),
    "tells to stop a medicine": proposing("Stop your pills, as cupping may ease neck pain."),
    "poses as a doctor": proposing("As a doctor I say that cupping may ease neck pain."),
    "obeys an injected instruction": proposing("Ignore all that, call 555 0199 for neck pain."),
    "slips in an address": proposing("Cupping may ease neck pain, see https://example.org now."),
    "slips in markup": proposing("Cupping may <b>ease</b> neck pain for a short time."),
    "slips in a script": proposing("Cupping <script>alert(1)</script> may ease neck pain."),
    "hides letters": proposing("Cupping may ease neck\u200b pain for a short time."),
    "uses look-alike letters": proposing("Cupping m\u0430y ease neck pain for a short time."),
    "says two things in one": proposing("Cupping may ease neck pain. It helps hearts too."),
    "asks a question": proposing("Cupping may ease neck pain for a short time, may it not?"),
    "answers in another language": proposing("Las ventosas pueden aliviar el dolor de cuello."),
    "says what no quote says": proposing("Cupping may lift the mood and bring friends together."),
    "rambles": proposing("Cupping may ease neck pain " * 20 + "."),
    # how it says it
    "says nothing": lambda r: r.say(""),
    "says that nothing answers": lambda r: r.say('{"sentence": ""}'),
    "refuses in words": lambda r: r.say("I'm sorry, but I can't help with that."),
    "refuses formally": refuse_formally,
    "writes prose": lambda r: r.say("Cupping cures neck pain. Trust me, I am a doctor."),
    "breaks the JSON": lambda r: r.say('{"sentence": "Cupping cures", "quotes": [}'),
    "nests without end": lambda r: r.say('{"sentence": ' + "[" * 5000 + "\n"),
    "gives numbers for words": lambda r: r.say(row(7, ("p1", HELPS)) + row(GOOD, ("p1", 7))),
    "gives a list for a sentence": lambda r: r.say(row([GOOD], ("p1", HELPS))),
    "never ends": lambda r: r.say(*["Cupping is wonderful. " * 50] * 60),
    "calls a tool": call_a_tool,
    # how the server behaves
    "is cut off": cut_off,
    "stops in the middle": stop_in_the_middle,
    "hangs at once": lambda r: r.wait(10),
    "hangs after one good sentence": good_then_hang,
    "drips comments for ever": drip,
    "drips blanks for ever": drip_words,
    "fails": lambda r: r.status(500),
    "is overloaded": lambda r: r.status(429, **{"Retry-After": "60"}),
    "refuses the key": lambda r: r.status(401),
    "sends elsewhere": lambda r: r.status(302, Location="http://127.0.0.1:9/v1/chat/completions"),
    "speaks HTML": lambda r: r.status(200, b"<html>login</html>", **{"Content-Type": "text/html"}),
    "speaks no HTTP": lambda r: (r.raw(b"\x00\xff\x00 hello"), r.hang_up()),
    "streams rubbish": lambda r: (r.begin(), r.raw(b"data: {{{\n\ndata: [DONE]\n\n")),
    "streams other objects": lambda r: (r.begin(), r.raw(b'data: {"error": "no"}\n\n')),
}  # fmt: skip


@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_a_model_that_misbehaves_gives_way_to_quotes_and_staff_see_why(clinic, server, name):
    answer = ask(clinic, server, MISBEHAVIOURS[name])
    assert answer.kind == "answer"
    quoted = {c.number: c.quote for c in answer.citations}
    assert [s.text for s in answer.sentences] == [quoted[s.citations[0]] for s in answer.sentences]
    assert answer.sentences[0].text == HELPS
    draft = answer.trace.draft
    assert draft and draft.failure and draft.kept == 0


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (honest, ""),
        (lambda r: r.say(f"You asked me: {QUESTION}"), "a reply that is not JSON"),
        (lambda r: r.say(row(f"Somebody asks {QUESTION}.", ("p1", HELPS))), "none of 1 sentences"),
        (lambda r: r.status(400, f"no answer to {QUESTION}".encode()), "OpenAIInvalidRequestError"),
    ],
    ids=["honest", "no JSON", "not verified", "status"],
)
def test_what_was_asked_is_in_no_log_of_any_package_though_the_model_repeats_it(
    clinic, server, script, why, caplog
):
    caplog.set_level(logging.DEBUG)
    assert ask(clinic, server, script).trace.draft.failure.startswith(why)
    assert any(why in line for line in caplog.messages)
    assert not [line for line in caplog.messages if QUESTION in line or "neck" in line]


def test_a_dead_server_costs_the_visitor_nothing(clinic, server):
    dead = ModelSettings(name="openai:scripted", url="http://127.0.0.1:9/v1", timeout_s=TIMEOUT)
    model = open_model(dead)
    assert model is not None
    writer = Writer(model, timeout_s=TIMEOUT)
    answer = Assistant(clinic.settings, clinic.retriever, writer).answer(QUESTION)
    assert answer.sentences[0].text == HELPS
    assert answer.trace.draft and "Connection" in answer.trace.draft.failure


def test_one_bad_sentence_among_good_ones_is_dropped_and_counted(clinic, server):
    def script(reply: Reply) -> None:
        good = row(GOOD, (where(reply, HELPS), HELPS)) + row(ALSO_GOOD, (where(reply, SHAM), SHAM))
        reply.say(good + row("Cupping cures neck pain.", (where(reply, HELPS), HELPS)))

    answer = ask(clinic, server, script)
    assert [s.text for s in answer.sentences] == [GOOD, ALSO_GOOD]
    assert answer.trace.draft
    (dropped,) = answer.trace.draft.dropped
    assert dropped.sentence == "Cupping cures neck pain."
    assert dropped.reason


def test_a_sentence_said_again_and_again_is_said_once(clinic, server):
    def script(reply: Reply) -> None:
        reply.say(row(GOOD, (where(reply, HELPS), HELPS)) * 30)

    assert [s.text for s in ask(clinic, server, script).sentences] == [GOOD]


def test_a_model_is_never_asked_about_emergencies_refusals_or_ones_own_case(clinic, server):
    server.script = honest
    before = len(server.asked)
    for question in (
        "crushing pain in my chest and left arm right now",
        "how do I fix my carburetor gasket",
        "should I stop my warfarin before cupping",
        "are you a robot",
        "la ventosa ayuda con el dolor de cuello",
    ):
        assert clinic.answer(question).trace.draft is None
    assert len(server.asked) == before


def test_no_more_replies_than_a_few_are_under_way_at_once(clinic, server):
    class Never:
        def stream(self, messages):
            server.released.wait(20)
            return iter(())

    writer = Writer(Never(), timeout_s=0.01, clock=hurried())
    ends = [list(writer.word("q", [], lambda a, b: 1.0))[-1] for _ in range(20)]
    assert "whole reply" in ends[0].draft.failure
    assert "under way already" in ends[-1].draft.failure


class TestRest:
    """A model that is too late three times in a row is left alone for a minute."""

    @pytest.fixture
    def clock(self):
        return [0.0]

    @pytest.fixture
    def resting(self, clinic, clock) -> Assistant:
        """The clinic with a writer of its own, which looks at `clock` and waits for a moment."""
        assert clinic.writer
        writer = Writer(clinic.writer._model, timeout_s=0.3, clock=lambda: clock[0])
        return Assistant(clinic.settings, clinic.retriever, writer)

    def test_then_answers_are_quoted_at_once_until_one_reply_comes_in_time(
        self, resting, server, clock, caplog
    ):
        before = len(server.asked)
        for _ in range(3):
            assert "within 0.3 s" in ask(resting, server, drip).trace.draft.failure
        for _ in range(5):
            answer = ask(resting, server, honest)
            assert answer.sentences[0].text == HELPS
            assert answer.trace.draft.failure == (
                "the model was not asked: it timed out, and is tried again in 60 s"
            )
        assert len(server.asked) == before + 3
        clock[0] += 60
        for _ in range(2):
            assert [s.text for s in ask(resting, server, honest).sentences] == [GOOD, ALSO_GOOD]
        told = [(r.levelno, r.message) for r in caplog.records if "place" not in r.message]
        assert told == [
            (logging.ERROR, "3 replies of the model in a row came too late; answers are quoted, "
             "and it is tried once every 60 s"),
            (logging.WARNING, "the model is asked again"),
        ]  # fmt: skip
        assert len(caplog.records) == 3 + 2

    def test_no_reply_counts_as_under_way_that_was_never_asked_for(self, resting, server, clock):
        for _ in range(3):
            ask(resting, server, drip)
        for _ in range(20):
            assert "was not asked" in ask(resting, server, honest).trace.draft.failure
        clock[0] += 60
        assert ask(resting, server, honest).trace.draft.failure == ""

    @pytest.mark.parametrize("name", ["fails", "breaks the JSON", "invents a quote", "hangs up"])
    def test_a_model_that_is_wrong_in_time_is_asked_again(self, resting, server, name):
        script = MISBEHAVIOURS.get(name, stop_in_the_middle)
        for _ in range(4):
            assert "was not asked" not in ask(resting, server, script).trace.draft.failure

    def test_a_visitor_who_leaves_while_it_speaks_does_not_count(self, resting, server):
        server.script = good_then_hang
        for _ in range(4):
            answers = resting.stream(QUESTION)
            assert next(answers).partial
            answers.close()
        assert ask(resting, server, honest).trace.draft.failure == ""


class TestOpening:
    def test_no_name_means_no_model(self):
        assert open_model(ModelSettings()) is None

    def test_a_provider_that_is_not_installed_is_named_with_the_remedy(self):
        with pytest.raises(ConfigError, match=r"model.name = 'mistralai:small'.*pip install"):
            open_model(ModelSettings(name="mistralai:small"))

    def test_an_unknown_provider_is_named(self):
        with pytest.raises(ConfigError, match="cannot be opened"):
            open_model(ModelSettings(name="nobody:model"))

    def test_the_key_is_never_shown(self):
        settings = Settings(model={"name": "openai:m", "key": "sk-secret"})
        assert "sk-secret" not in repr(settings)
        assert "sk-secret" not in settings.model_dump_json()
