"""What a call must leave as it is: its arguments, the global generators, its own next result."""

from __future__ import annotations

from typing import Any, Unpack

import torch

from tensorgrade.checks.results import Closeness, Function, Inputs, Probe, altered_inputs, as_tuple
from tensorgrade.checks.sides import Side
from tensorgrade.checks.values import is_plain, is_same
from tensorgrade.errors import CheckFailure


def assert_not_mutated(student: Side, f: Any, inputs: Inputs) -> None:
    """Check that a call leaves its arguments as they are: nothing is computed in place in them.

    Args:
        student: where `f` runs; over a wire the arguments are copied, so that only that side can say how they
            are afterwards. What it says is believed.
        f: takes the inputs; what it returns does not matter.
        inputs: tensors of any shape, or lists, tuples and dicts of tensors and plain values; an object of the
            student's among them is not compared.

    Raises:
        CheckFailure: an argument has another value, shape or dtype afterwards. The hint says which one.
    """
    arguments = as_tuple(inputs)
    after = student.arguments_after(f, *arguments)
    for index, (sent, left) in enumerate(zip(arguments, after, strict=True)):
        if is_plain(sent) and not is_same(left, sent, equal_nan=True):
            hint = (
                f"The call changes its argument {index + 1}. Look for operations in place: +=, x[...] = ..., methods "
                "that end in an underscore, append. Work on a copy (x.clone()), or write the result into a new name."
            )
            raise CheckFailure(f"argument {index + 1} is not the same after the call", hint)


def assert_deterministic(f: Function, inputs: Inputs, *, rng: torch.Generator, **closeness: Unpack[Closeness]) -> None:
    """Check that a call has the same result the second time, also after a call with another input.

    Args:
        f: takes the inputs and returns one tensor.
        inputs: of one call.
        rng: draws another input, from the values of the first.
        closeness: `rtol`, `atol` and `name`, see `Closeness`.

    Raises:
        CheckFailure: the result is not a finite tensor, or differs.
    """
    probe, arguments = Probe(f, closeness), as_tuple(inputs)
    first, second = probe.result(*arguments), probe.result(*arguments)
    hint = f"{probe.name} differs when the same call is made again. Is something random, or kept from call to call?"
    probe.require_same(second, first, hint)
    probe.result(*altered_inputs(arguments, rng))
    hint = f"{probe.name} differs after a call with another input. Is something kept in a global variable or in self?"
    probe.require_same(probe.result(*arguments), first, hint)


def assert_reproducible(student: Side, f: Function, inputs: Inputs = (), **closeness: Unpack[Closeness]) -> None:
    """Check that randomness comes from the global generators: the same seed gives the same result, another one another.

    Args:
        student: seeds the generators where `f` runs; they are left seeded with another number.
        f: takes the inputs and returns one tensor. One with a seed of its own is checked with `assert_deterministic`.
        inputs: of one call.
        closeness: `rtol`, `atol` and `name`, see `Closeness`.

    Raises:
        CheckFailure: the result is not a finite tensor, differs under one seed, or is the same under two seeds.
    """
    probe, results = Probe(f, closeness), []
    for seed in (1, 1, 2):
        student.seed(seed)
        results.append(probe.result(*as_tuple(inputs)))
    first, again, other = results
    hint = (
        f"{probe.name} differs though the generators were seeded alike. "
        "Does it use the time, or a generator of its own?"
    )
    probe.require_same(again, first, hint)
    if first.shape == other.shape and probe.difference(other, first) is None:
        hint = f"{probe.name} is the same under two seeds. Is nothing random in it, or is a seed set inside?"
        raise CheckFailure("equal results under two seeds", hint)


def assert_random_state_kept(student: Side, f: Function, inputs: Inputs = ()) -> None:
    """Check that a call draws nothing from the global generators and seeds none of them.

    Args:
        student: where `f` runs; what it says of its generators is believed.
        f: takes the inputs; what it returns does not matter.
        inputs: of one call.

    Raises:
        CheckFailure: the state of a generator is another one afterwards; the hint says of which library.
    """
    student.seed(1)
    before = student.random_state()
    f(*as_tuple(inputs))
    after = student.random_state()
    for library in ("random", "numpy", "torch"):
        if type(before.get(library)) is not str or after.get(library) != before.get(library):
            hint = (
                f"The call changes the state of the global generator of {library}: it seeds it, or draws from it. "
                "Use a generator of your own, such as torch.Generator or numpy.random.default_rng."
            )
            raise CheckFailure(f"the state of {library} has changed", hint)
