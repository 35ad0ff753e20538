"""Recording a model's reading: the same numbers as the model's, or the model itself."""

from __future__ import annotations

import logging
from threading import Thread

import numpy as np
import pytest
import torch

from index.embed import SentenceEncoder
from index.record import recorded
from index.settings import DEFAULT_MODEL

WEIGHTS = torch.arange(12.0).reshape(4, 3)


def given(*shape):
    torch.manual_seed(sum(shape))
    return {"pieces": torch.rand(*shape, 4), "kind": "text"}


def plain(given):
    assert given["kind"] == "text"
    return (given["pieces"] @ WEIGHTS).mean(dim=1)


def test_a_record_reads_other_shapes_as_the_model_does():
    read = recorded(plain, [given(1, 2), given(3, 5)])
    assert read is not plain
    for shape in ((1, 2), (3, 5), (7, 1), (2, 9)):
        assert torch.equal(read(given(*shape)), plain(given(*shape)))


def test_python_is_left_out_of_a_record():
    calls = []
    read = recorded(lambda given: (calls.append(1), plain(given))[1], [given(1, 2), given(3, 5)])
    made = len(calls)
    read(given(2, 2))
    assert len(calls) == made


def test_a_model_that_does_otherwise_for_another_shape_is_read_as_it_is(caplog):
    def choosy(given):
        return plain(given) * (2 if len(given["pieces"]) > 2 else 1)

    with caplog.at_level(logging.INFO, "index.record"):
        assert recorded(choosy, [given(1, 2), given(3, 5)]) is choosy
    assert "reads otherwise when it is recorded" in caplog.text


@pytest.mark.parametrize("fails", [1, 3])
def test_a_model_that_cannot_be_recorded_is_read_as_it_is(fails, caplog):
    def frail(given):
        if len(given["pieces"]) == fails:
            raise ValueError("no tracing, please")
        return plain(given)

    with caplog.at_level(logging.INFO, "index.record"):
        assert recorded(frail, [given(1, 2), given(3, 5)]) is frail
    assert "cannot be recorded and is read as it is: no tracing, please" in caplog.text


@pytest.mark.model
def test_a_warm_encoder_gives_the_same_vectors_in_any_thread(monkeypatch):
    questions = ["is it safe", "what does cupping help " * 9, "x", "¿Duele? " * 500]
    encoder = SentenceEncoder(DEFAULT_MODEL)
    before = [encoder.encode_question(question) for question in questions]
    encoder.warm()
    monkeypatch.setattr(encoder, "_as_it_is", None)  # or it would be read by it
    after = {}
    threads = [Thread(target=lambda q=q: after.update({q: encoder.encode_question(q)}))
               for q in questions]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for question, vector in zip(questions, before, strict=True):
        assert np.allclose(after[question], vector, atol=1e-3)
