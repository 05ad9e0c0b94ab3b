"""What a labelled wrong answer is, the labels, and how the functions that make them are found."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Generator, Tensor

# label: what the student did. A hint that says this is right.
CAUSES = {
    "shape": "another number or order of sizes: an axis too many, missing, squeezed, broadcast or exchanged",
    "dtype": "another kind of dtype, or values rounded to a lower precision",
    "factor": "all values (or what goes into a softmax or root) are off by one factor",
    "sign": "all values, or all that goes into a function, have the wrong sign",
    "offset": "the same constant is added everywhere, or along an axis",
    "transposed": "two axes of the result are exchanged",
    "reversed": "the result is the wrong way round along an axis",
    "rolled": "the result is moved along an axis, around its end or beyond",
    "softmax_axis": "a softmax or log-softmax runs over another axis, or over all",
    "reduction": "mean instead of sum along an axis, or the reverse",
    "variance": "biased in the place of unbiased variance, or the reverse",
    "epsilon": "the small constant is inside the root instead of outside, the reverse, or another one",
    "mask_inverted": "True and False of a mask are exchanged",
    "mask_after_softmax": "the mask acts on the weights after the softmax",
    "mask_ignored": "the mask has no effect",
    "mask_off_by_one": "a mask ends one position early or late",
    "log_or_exp": "a logarithm, exponential or softmax is missing or applied twice",
    "some_rows": "only some rows are wrong: first, last, masked, padded",
    "not_finite": "NaN or infinity for ordinary inputs",
    "unstable": "right for small values, not for large ones: overflow, underflow, cancellation",
    "detached": "a gradient, or a part of it, does not flow",
    "accumulates": "what an earlier call left is still in the result",
    "stateful": "the same call gives something else the second time",
    "argument_ignored": "an argument has no effect",
    "arguments_swapped": "two arguments are exchanged",
    "input_axis": "the right operation over another axis of an input, or an input with exchanged axes",
    "known_mistake": "a mistake that the author of the grader has foreseen",
    "constant": "every value, or every row, is the same",
    "none": "no simple cause: silence is right",
}


@dataclass(frozen=True)
class WrongAnswer:
    """What a submission returned, what was expected, and why they differ.

    Attributes:
        name: unique, in snake_case.
        cause: a label of `CAUSES`.
        also: other labels whose hint is true and leads nobody astray, though it does not name the cause.
        actual: the wrong answer.
        expected: the reference, from the right code.
        facts: what a grader's author would say about the task. sizes: named sizes; dim: the axis that
            is normalised or reduced; inputs: the arguments by name; reference: callable, gives expected
            from them; mask: the name of the argument that is the mask (True = may look); earlier: what
            the call before returned; again: what the same call returned the second time; mistakes: a
            wrong tensor by the hint for it.
        rtol: allowed relative difference (no unit), or None for the default.
        atol: allowed absolute difference, in units of the values, or None for the default.
    """

    name: str
    cause: str
    also: frozenset[str]
    actual: Tensor
    expected: Tensor
    facts: dict[str, object]
    rtol: float | None = None
    atol: float | None = None


@dataclass(frozen=True)
class Pair:
    """The two tensors of a wrong answer and the facts."""

    actual: Tensor
    expected: Tensor
    facts: dict[str, object] = field(default_factory=dict)
    rtol: float | None = None
    atol: float | None = None


@dataclass(frozen=True)
class Case:
    """A function that makes a wrong answer, with its labels."""

    make: Callable[[Generator], Pair]
    cause: str
    also: frozenset[str]

    def draw(self) -> WrongAnswer:
        """Make the wrong answer; the same one each time."""
        name = self.make.__name__
        pair = self.make(Generator().manual_seed(zlib.crc32(name.encode())))
        return WrongAnswer(
            name, self.cause, self.also, pair.actual, pair.expected, pair.facts, rtol=pair.rtol, atol=pair.atol
        )


def wrong(cause: str, *also: str) -> Callable[[Callable[[Generator], Pair]], Case]:
    """Label the function below as a maker of wrong answers: its cause, and what else is no misleading hint."""
    return lambda make: Case(make, cause, frozenset(also))


def pair(
    actual: Tensor, expected: Tensor, *, rtol: float | None = None, atol: float | None = None, **facts: object
) -> Pair:
    """The wrong and the right tensor, out of the graph, with the facts."""
    return Pair(actual.detach().clone(), expected.detach().clone(), facts, rtol=rtol, atol=atol)


def draw_normal(rng: Generator, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Normal values of the given shape."""
    return torch.randn(*shape, generator=rng, dtype=dtype)


def load_part(prefix: str) -> Iterable[WrongAnswer]:
    """The wrong answers of all modules of this folder whose names begin with the prefix, in order."""
    for path in sorted(Path(__file__).parent.glob(f"{prefix}*.py")):
        module = importlib.import_module(f"{__package__}.{path.stem}")
        yield from (value.draw() for value in vars(module).values() if isinstance(value, Case))
