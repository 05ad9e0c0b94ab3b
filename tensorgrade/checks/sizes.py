"""Runs the code under check on odd and degenerate sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Unpack

from torch import Tensor

from tensorgrade.checks.closeness import assert_close, assert_shape
from tensorgrade.checks.results import Closeness, Function, Inputs, Probe, as_tuple
from tensorgrade.errors import CheckFailure, NotDefinedError, StudentError

# One, where an axis can vanish; the smallest even one; primes, which no block size divides.
ODD_SIZES = (1, 2, 7, 13)
EMPTY = 0


def assert_every_size(
    f: Function,
    draw: Callable[[int], Inputs],
    expected: Callable[..., Tensor],
    *,
    sizes: Sequence[int] = ODD_SIZES,
    **closeness: Unpack[Closeness],
) -> None:
    """Check that a function gives the reference value for inputs of every size.

    Args:
        f: takes what `draw` gives and returns one tensor.
        draw: the inputs of a size: a batch size, a length, a width.
        expected: the reference; takes the same inputs.
        sizes: students read the one that fails. Add `EMPTY` if the task promises that an empty batch works.
        closeness: `rtol` and `atol` as of `assert_close`, and `name`.

    Raises:
        CheckFailure: for a size the code raises, or the result is not the expected one. The hint says for which size.
    """
    name = closeness.get("name", "the result")
    for size in sizes:
        inputs = as_tuple(draw(size))
        try:
            reference = expected(*inputs)
            actual = Probe(f, closeness).result(*inputs)
            assert_shape(actual, reference.shape, name=name)
            assert_close(actual, reference, **closeness)
        except CheckFailure as failure:
            raise CheckFailure(f"size {size}: {failure.rationale}", f"For size {size}: {failure.hint}") from failure
        except StudentError as error:
            if isinstance(error, NotDefinedError) or error.type_name == "NotImplementedError":
                raise
            text = error.frames[-1].text[:120] if error.frames else ""
            line = f" in this line: {text}" if text else "."
            hint = f"For {_described(size)} your code raises an exception{line}"
            raise CheckFailure(f"size {size}: {error}", hint) from error


def _described(size: int) -> str:
    return "size 0, an empty input," if size == EMPTY else f"size {size}"
