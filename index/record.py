"""A model's whole reading, recorded as one call (TorchScript). Pure.

Python runs a model operation by operation and takes its lock anew after each. Where other threads
want it too, as with fifty visitors, three quarters of a reading were spent waiting. A record runs
without. It is made of one example, so whatever else the model would do for another is lost:
others tell.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_log = logging.getLogger(__name__)

Given = Mapping[str, Any]
"""Word pieces and their marks, tensors of shape (texts, pieces), and what else is said of them."""
Read = Callable[[Given], Any]
"""Turns them into a tensor of vectors."""


def recorded(read: Read, examples: Sequence[Given]) -> Read:
    """Return a record of `read`, or `read` itself if it cannot be recorded.

    It is recorded reading the first of `examples` and compared on all of them, which should differ
    in shape. The weights must ask for no gradients; autocast has to be then as it is now.
    """
    import torch

    jit: Any = torch.jit
    names = [name for name, value in examples[0].items() if isinstance(value, torch.Tensor)]
    others = {name: value for name, value in examples[0].items() if name not in names}

    def listed(*tensors: Any) -> Any:
        return read({**others, **dict(zip(names, tensors, strict=True))})

    def replayed(given: Given) -> Any:
        with jit.optimized_execution(False):  # which would take its time for every new shape
            return record(*(given[name] for name in names))

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what may be lost: the other examples tell
            start = tuple(examples[0][name] for name in names)
            record = jit.trace(listed, start, check_trace=False)
        if all(torch.allclose(replayed(one), read(one), atol=1e-3) for one in examples):
            return replayed
        _log.info("the model reads otherwise when it is recorded, so it is read as it is")
    except Exception as error:  # noqa: BLE001 - it can be read, whatever keeps it from being recorded
        _log.info("the model cannot be recorded and is read as it is: %s", error)
    return read
