"""The corpus of wrong answers: every pair is wrong, labelled, and made the same way each time."""

from __future__ import annotations

import importlib
import importlib.util
import re

import pytest
import torch

from benchmarks.diagnosis.cases import CAUSES, WrongAnswer
from tensorgrade.checks import assert_close
from tensorgrade.errors import CheckFailure

FACTS = {"sizes", "dim", "inputs", "reference", "mask", "earlier", "again", "mistakes"}
# The held-out part may be absent: it lies apart until hypotheses are measured.
PARTS = [
    name for name in ("development", "held_out") if importlib.util.find_spec(f"benchmarks.diagnosis.{name}") is not None
]


def load(part: str) -> list[WrongAnswer]:
    """All wrong answers of one part."""
    answers: list[WrongAnswer] = getattr(importlib.import_module(f"benchmarks.diagnosis.{part}"), part)()
    return answers


ANSWERS = {part: load(part) for part in PARTS}
EVERY = [pytest.param(answer, id=answer.name) for answers in ANSWERS.values() for answer in answers]


def is_wrong(actual: object, answer: WrongAnswer) -> bool:
    """Whether the value differs from the expected one in shape, dtype or beyond the tolerance."""
    same_dtype = isinstance(actual, torch.Tensor) and actual.dtype == answer.expected.dtype
    try:
        assert_close(actual, answer.expected, rtol=answer.rtol, atol=answer.atol)
    except CheckFailure:
        return True
    return not same_dtype


@pytest.mark.parametrize("answer", EVERY)
def test_answer_is_wrong(answer: WrongAnswer) -> None:
    """The actual tensor differs from the expected one, or does so when the call is repeated."""
    assert is_wrong(answer.actual, answer) or (answer.cause == "stateful" and is_wrong(answer.facts["again"], answer))
    assert_close(answer.expected, answer.expected)


@pytest.mark.parametrize("answer", EVERY)
def test_labels_and_facts_are_known(answer: WrongAnswer) -> None:
    """Cause and alternatives are labels, the cause is no alternative, the facts are those a grader may give."""
    assert {answer.cause, *answer.also} <= set(CAUSES)
    assert not {answer.cause, "none"} & answer.also
    assert set(answer.facts) <= FACTS
    assert re.fullmatch(r"[a-z][a-z0-9_]*", answer.name)


@pytest.mark.parametrize("answer", EVERY)
def test_facts_fit_the_answer(answer: WrongAnswer) -> None:
    """The reference gives the expected tensor, the mask is an input, a foreseen mistake is the actual tensor."""
    inputs, reference = answer.facts.get("inputs", {}), answer.facts.get("reference")
    assert isinstance(inputs, dict)
    assert bool(inputs) == (reference is not None)
    if reference is not None:
        assert callable(reference)
        assert_close(reference(**inputs), answer.expected, rtol=answer.rtol, atol=answer.atol)
    mask = inputs.get(answer.facts.get("mask"))
    assert ("mask" in answer.facts) == (mask is not None)
    assert mask is None or mask.dtype == torch.bool
    mistakes = answer.facts.get("mistakes", {})
    assert isinstance(mistakes, dict)
    foreseen = [hint for hint, tensor in mistakes.items() if torch.equal(tensor, answer.actual)]
    assert len(foreseen) == (answer.cause == "known_mistake")


def test_names_are_unique() -> None:
    """No name stands twice in the corpus, in whichever part."""
    names = [answer.name for answers in ANSWERS.values() for answer in answers]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("part", PARTS)
def test_every_cause_is_present(part: str) -> None:
    """Each part has every label at least once, and at least six wrong answers without a simple cause."""
    causes = [answer.cause for answer in ANSWERS[part]]
    assert set(CAUSES) - set(causes) == set()
    assert causes.count("none") >= 6
    assert len(causes) >= {"development": 110, "held_out": 60}[part]


@pytest.mark.parametrize("part", PARTS)
def test_facts_are_spread(part: str) -> None:
    """Between a quarter and a half of each part has no facts, and as many have inputs and reference."""
    answers = ANSWERS[part]
    bare = sum(not answer.facts for answer in answers)
    rich = sum("reference" in answer.facts for answer in answers)
    assert len(answers) / 4 <= bare <= len(answers) / 2
    assert len(answers) / 4 <= rich <= len(answers) / 2


@pytest.mark.parametrize("part", PARTS)
def test_answers_are_the_same_each_time(part: str) -> None:
    """Loading the corpus again gives equal tensors, bit by bit."""
    for first, second in zip(ANSWERS[part], load(part), strict=True):
        for one, other in ((first.actual, second.actual), (first.expected, second.expected)):
            assert one.dtype == other.dtype
            assert torch.equal(one.nan_to_num(nan=77.0), other.nan_to_num(nan=77.0)), first.name


def test_parts_share_no_case() -> None:
    """No expected tensor of one part occurs in the other."""
    if len(PARTS) < 2:
        return
    for one in ANSWERS["development"]:
        assert not any(torch.equal(one.expected, other.expected) for other in ANSWERS["held_out"]), one.name
