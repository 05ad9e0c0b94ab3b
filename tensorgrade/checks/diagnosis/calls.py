"""Hypotheses about other values: those the author foresaw, and those of other calls."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from tensorgrade.checks.diagnosis.case import Case, Cause, Diagnosis, Guess, compute, guess

ACCUMULATES = (
    "The value of an earlier call is added to this one. Where is it set back to zero? Reread: `zero_grad`, and how "
    "`backward` adds to `.grad`."
)
GROWS = (
    "The same call gives more the second time: what it computes is added to what is there. "
    "Reread: `zero_grad`, and the difference between `=` and `+=`."
)
STALE = (
    "This is what the call before returned: a value is kept between calls. "
    "Reread: which names live outside your function, and what is computed only once."
)
DIFFERS = (
    "The same call with the same arguments returns another value the second time. Something is kept, changed in "
    "place or drawn at random between calls. Reread: global state, in-place operations, `eval()`."
)


def known_mistakes(case: Case) -> Iterator[Guess]:
    """The mistakes that the author wrote down."""
    for hint, value in case.facts.mistakes.items():
        wrong = value if isinstance(value, Tensor) else compute(value, case.facts.inputs)
        if wrong is not None:
            yield guess(wrong, Cause.KNOWN_MISTAKE, hint)


def earlier_calls(case: Case) -> Iterator[Guess | Diagnosis]:
    """What the call before left behind, and what the same call gives again."""
    earlier, again = case.facts.earlier, case.facts.again
    # Both come from the submission: a subclass of Tensor may bring its own methods.
    if type(earlier) is Tensor:
        earlier = earlier.detach().cpu().double()
        yield guess(case.expected + earlier, Cause.ACCUMULATES, ACCUMULATES)
        yield guess(earlier, Cause.STATEFUL, STALE)
    if type(again) is not Tensor:
        return
    if again.shape != case.actual.shape:
        yield Diagnosis(Cause.STATEFUL, DIFFERS)
        return
    second = again.detach().cpu().double()
    if case.near(second, case.actual).all():
        return
    for value, other in ((second, case.actual), (case.actual, second)):
        if case.part(value, case.expected).explains(other + case.expected):
            yield Diagnosis(Cause.ACCUMULATES, GROWS)
    yield Diagnosis(Cause.STATEFUL, DIFFERS)
