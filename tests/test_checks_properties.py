"""The words for properties: each passes right functions in odd styles, and fails wrong, constant and hostile ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch

from tensorgrade import checks
from tensorgrade.errors import CheckFailure
from tests.conftest import expect, rng

Function = Callable[..., Any]


X = torch.randn(4, 7, 5, generator=rng(1))  # (batch, time, features)
IDS = torch.randint(0, 11, (4, 7), generator=rng(2))
TABLE = torch.randn(11, 5, generator=rng(3))
WEIGHT = torch.randn(5, 5, generator=rng(4))
KERNEL = torch.randn(3, 7, 3, generator=rng(5))  # (out, in, width) of a convolution along the last axis


@dataclass(frozen=True)
class Case:
    """A check of a property: right functions, and wrong ones, each with words of the hint."""

    check: Callable[[Function], None]
    right: dict[str, Function]
    wrong: dict[str, tuple[Function, str]]
    constant: Function | None = field(default=lambda *_: torch.zeros(4, 7, 5))


def noisy(f: Function) -> Function:
    """The same, with errors of about 1e-6 that differ from call to call."""
    return lambda *inputs: (out := f(*inputs)) + 1e-6 * torch.randn(out.shape)


def styles(f: Function, double: Function | None = None) -> dict[str, Function]:
    """One function computed in float32, in float64, and with noise."""
    return {"plain": f, "float64": double or (lambda *xs: f(*xs).double()), "noisy": noisy(f)}


def attend(x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Attention of x with itself."""
    scores = x @ WEIGHT @ x.mT / math.sqrt(5)
    scores = scores if mask is None else scores.masked_fill(~mask, -math.inf)
    return scores.softmax(-1) @ x


PAST = torch.ones(7, 7, dtype=torch.bool).tril()


def running_mean_in_loops(x: torch.Tensor) -> torch.Tensor:
    """The mean of all entries so far."""
    out = torch.empty_like(x)
    for step in range(x.shape[1]):
        out[:, step] = sum(x[:, i] for i in range(step + 1)) / (step + 1)
    return out


def convolve(x: torch.Tensor, **options: Any) -> torch.Tensor:
    """A convolution along the last axis, (batch, 7, length) to (batch, 3, length)."""
    return torch.nn.functional.conv1d(x, KERNEL, **options)


def per_row(x: torch.Tensor) -> torch.Tensor:
    """Each row of the batch normalised on its own, in a loop."""
    return torch.stack([(row - row.mean()) / row.std() for row in x])


OWN = rng(7)  # a generator that nobody seeds again
LONG = torch.randn(2, 7, 12, generator=rng(6))
CASES = {
    "permutation_equivariant": Case(
        lambda f: checks.assert_permutation_equivariant(f, X, rng=rng()),
        styles(attend) | {"loops": lambda x: torch.stack([x[:, i] @ WEIGHT for i in range(7)], 1)},
        {
            "position": (lambda x: x + torch.arange(7.0)[:, None], "position"),
            "cumulative": (lambda x: x.cumsum(1), "position"),
            "causal": (lambda x: attend(x, PAST), "position"),
            "reshaped": (lambda x: x.reshape(4, 5, 7).mT @ WEIGHT, "reshape"),
            "pooled": (lambda x: x.mean(1), "of size 7"),
            "scalar": (lambda x: x.mean(), "axis 1"),
        },
    ),
    "permutation_invariant": Case(
        lambda f: checks.assert_permutation_invariant(f, X, rng=rng()),
        styles(lambda x: x.mean(1), lambda x: x.double().mean(1))
        | {"max": lambda x: x.amax(1), "loops": lambda x: sum(x[:, i] for i in range(7)), "scalar": lambda x: x.sum()},
        {
            "last": (lambda x: x[:, -1], "first or last"),
            "weighted": (lambda x: (x * torch.arange(7.0)[:, None]).sum(1), "position"),
            "flat": (lambda x: x.flatten(1), "position"),
            "random": (lambda x: x.mean(1) + torch.randn(4, 5), "order"),
        },
    ),
    "permutation_invariant_together": Case(
        lambda f: checks.assert_permutation_invariant(f, (X, X.flip(-1)), rng=rng()),
        {"pairs": lambda k, v: (k * v).sum(1)},
        {"cross": (lambda k, v: (k * v.flip(1)).sum(1), "order")},
    ),
    "translation_equivariant": Case(
        lambda f: checks.assert_translation_equivariant(f, LONG, shift=2, margin=1),
        styles(lambda x: convolve(x, padding=1)) | {"twice": lambda x: convolve(x, padding=1).square()},
        {
            "position": (lambda x: convolve(x, padding=1) * torch.arange(12.0), "same weights"),
            "dense": (lambda x: x @ torch.randn(12, 12, generator=rng()), "same weights"),
            "sums": (lambda x: x.cumsum(-1), "same weights"),
            "stride": (lambda x: convolve(x, padding=1, stride=2), "stride"),
            "flipped": (lambda x: convolve(x, padding=1).flip(-1), "does not move"),
        },
        lambda x: torch.zeros(2, 3, 12),
    ),
    "translation_equivariant_valid": Case(
        lambda f: checks.assert_translation_equivariant(f, LONG, shift=3, margin=0),
        {"valid": convolve},
        {"dense": (lambda x: x @ torch.randn(12, 10, generator=rng()), "same weights")},
        lambda x: torch.zeros(2, 3, 10),
    ),
    "translation_equivariant_around": Case(
        lambda f: checks.assert_translation_equivariant(f, LONG, shift=5),
        {"roll": lambda x: x - x.roll(1, -1)},
        {"padded": (lambda x: convolve(x, padding=1), "does not move")},
    ),
    "translation_equivariant_stride": Case(
        lambda f: checks.assert_translation_equivariant(f, LONG, shift=(2, 1), margin=1),
        {"stride": lambda x: convolve(x, padding=1, stride=2)},
        {"no-stride": (lambda x: convolve(x, padding=1), "does not move by 1")},
        lambda x: torch.zeros(2, 3, 6),
    ),
    "linear": Case(
        lambda f: checks.assert_linear(f, X, rng=rng()),
        styles(lambda x: x @ WEIGHT, lambda x: x.double() @ WEIGHT.double())
        | {"sum": lambda x: x.sum(), "large": lambda x: 1e4 * (x @ WEIGHT)},
        {
            "bias": (lambda x: x @ WEIGHT + 1, "bias"),
            "relu": (lambda x: (x @ WEIGHT).relu(), "activation"),
            "square": (lambda x: x * x, "itself"),
            "slightly": (lambda x: x + 1e-3 * x.sin(), "not linear"),
        },
        lambda x: torch.zeros(4, 7, 5),
    ),
    "causal": Case(
        lambda f: checks.assert_causal(f, X, rng=rng()),
        styles(lambda x: attend(x, PAST)) | {"loops": running_mean_in_loops, "before": lambda x: x.cumsum(1) - x},
        {
            "none": (attend, "missing, inverted or transposed"),
            "inverted": (lambda x: attend(x, PAST.mT), "missing, inverted or transposed"),
            "next": (lambda x: attend(x, PAST.roll(-1, 0) | PAST), "off by one"),
            "shifted": (lambda x: x.roll(-1, 1), "off by one"),
            "mean": (lambda x: x - x.mean(1, keepdim=True), "mean taken over the time axis"),
            "pooled": (lambda x: x[:, -1], "of size 7"),
            "half": (lambda x: torch.cat([x[:, :4], x[:, 4:].flip(1)], 1), "later positions"),
        },
    ),
    "causal_ids": Case(
        lambda f: checks.assert_causal(f, IDS, rng=rng()),
        {"counts": lambda ids: TABLE[ids].cumsum(1), "whole": lambda ids: ids.cumsum(1)},
        {"sum": (lambda ids: TABLE[ids].sum(1, keepdim=True) - TABLE[ids], "later positions")},
    ),
    "batch_independent": Case(
        lambda f: checks.assert_batch_independent(f, X, rng=rng()),
        styles(attend)
        | {"loops": per_row, "pooled": lambda x: x.mean((1, 2)), "class": lambda x: x.mean(1).argmax(-1)},
        {
            "mean": (lambda x: x - x.mean(0), "over the batch axis"),
            "softmax": (lambda x: x.mean(1).softmax(0), "over the batch axis"),
            "all": (lambda x: x / x.abs().max(), "over the batch axis"),
            "first": (lambda x: x + x[:1], "over the batch axis"),
            "squeezed": (lambda x: x.mean(1).squeeze(), "squeeze"),
            "divided": (lambda x: x / len(x), "size of the batch"),
            "scalar": (lambda x: x.mean(), "one entry for each"),
        },
    ),
    "deterministic": Case(
        lambda f: checks.assert_deterministic(f, X, rng=rng()),
        styles(attend) | {"seeded": lambda x: x + torch.randn(x.shape, generator=rng())},
        {"random": (lambda x: x + torch.randn(x.shape), "random")},
        None,
    ),
    "reproducible": Case(
        lambda f: checks.assert_reproducible(checks.ThisProcess(), f, X),
        {"dropout": torch.nn.Dropout(0.5), "noisy": lambda x: x + torch.randn(x.shape)},
        {
            "own": (lambda x: x + torch.randn(x.shape, generator=OWN), "generator of its own"),
            "seeded": (lambda x: x + torch.randn(x.shape, generator=rng()), "same under two seeds"),
        },
    ),
    "every_size": Case(
        lambda f: checks.assert_every_size(
            f,
            lambda n: torch.randn(n, 3, generator=rng()),
            lambda x: x.mean(1),
            sizes=(*checks.ODD_SIZES, checks.EMPTY),
        ),
        {"plain": lambda x: x.mean(1), "float64": lambda x: x.double().mean(1), "noisy": noisy(lambda x: x.mean(1))},
        {
            "squeezed": (lambda x: x.mean(1).squeeze(), "For size 1"),
            "pairs": (lambda x: x[: len(x) // 2 * 2].mean(1) if len(x) > 1 else x.mean(1), "For size 7"),
            "empty": (lambda x: x.mean(1) if len(x) else torch.zeros(1), "For size 0"),
        },
    ),
}
RIGHT = [pytest.param(case, f, id=f"{name}-{style}") for name, case in CASES.items() for style, f in case.right.items()]
WRONG = [
    pytest.param(case, f, words, id=f"{name}-{mistake}")
    for name, case in CASES.items()
    for mistake, (f, words) in case.wrong.items()
]


@pytest.mark.parametrize(("case", "function"), RIGHT)
def test_right_functions_pass(case: Case, function: Function) -> None:
    """A function with the property passes, in float32, float64, loops, or with noise of 1e-6."""
    case.check(function)


@pytest.mark.parametrize(("case", "function", "words"), WRONG)
def test_wrong_functions_fail(case: Case, function: Function, words: str) -> None:
    """A function without the property fails, and the hint says what to look for."""
    with pytest.raises(CheckFailure) as caught:
        case.check(function)
    assert words in str(caught.value.hint)


@pytest.mark.parametrize(
    "case", [case for case in CASES.values() if case.constant], ids=[n for n in CASES if CASES[n].constant]
)
def test_constant_functions_fail(case: Case) -> None:
    """A function that ignores its input has many properties for a trivial reason, and passes no check."""
    with pytest.raises(CheckFailure):
        case.check(case.constant)


class Hostile(torch.Tensor):
    """A tensor whose every method lies or raises."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise RuntimeError("caught")


def answers() -> Iterator[Any]:
    """What a hostile or confused function may return."""
    yield from (None, 1.5, "x", [1.0], (), {}, object(), (torch.ones(2), torch.ones(2)))
    yield from (torch.ones(0), torch.ones(()), torch.ones(3, 1, 2), torch.zeros(2, dtype=torch.complex64))
    yield torch.ones(2, device="meta")
    yield torch.ones(4, 7, 5).as_subclass(Hostile)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_hostile_results_fail(case: Case) -> None:
    """Whatever a function returns in place of a tensor ends in a CheckFailure, and nothing else."""
    for answer in answers():
        if case.constant is None and issubclass(type(answer), torch.Tensor):
            continue  # determinism asks for nothing else than the same tensor again
        with pytest.raises(CheckFailure):
            case.check(lambda *_, answer=answer: answer)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_nan_fails(case: Case, bad: float) -> None:
    """One NaN or infinity in the result of a right function fails."""
    right = next(iter(case.right.values()))

    def spoilt(*inputs: torch.Tensor) -> torch.Tensor:
        out = right(*inputs).clone()
        out = out.double() if not out.is_floating_point() else out
        return torch.where(torch.arange(out.numel()).reshape(out.shape) == 0, bad, out)

    with pytest.raises(CheckFailure) as caught:
        case.check(spoilt)
    assert "NaN or infinite" in str(caught.value.hint)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_inputs_are_not_changed(case: Case) -> None:
    """A function that overwrites its arguments gets copies: the check's own tensors stay."""
    before = X.clone(), IDS.clone(), LONG.clone()

    def spoil(*inputs: torch.Tensor) -> torch.Tensor:
        for value in inputs:
            value.zero_()
        return torch.zeros(4, 7, 5)

    with suppress(CheckFailure):  # zeros every time are deterministic
        case.check(spoil)
    assert all(torch.equal(now, then) for now, then in zip((X, IDS, LONG), before, strict=True))


def test_state_between_calls_fails() -> None:
    """A function that counts its calls, or keeps the first input, is not deterministic."""
    kept: list[torch.Tensor] = []

    def keep(x: torch.Tensor) -> torch.Tensor:
        kept.append(x)
        return kept[0] + len(kept)

    def keep_last(x: torch.Tensor) -> torch.Tensor:
        if not kept or not torch.equal(kept[-1], x):
            kept.append(x)
        return x + len(kept)

    for function, words in ((keep, "again"), (keep_last, "another input")):
        kept.clear()
        with pytest.raises(CheckFailure) as caught:
            checks.assert_deterministic(function, X, rng=rng())
        assert words in str(caught.value.hint)


@pytest.mark.parametrize("seed", range(20))
def test_right_functions_pass_whatever_is_drawn(seed: int) -> None:
    """No draw of orders, rows and directions fails a right function."""
    x = 3 * torch.randn(3, 6, 5, generator=rng(seed))
    mask = torch.ones(6, 6, dtype=torch.bool).tril()
    checks.assert_causal(lambda x: attend(x, mask), x, rng=rng(seed))
    checks.assert_permutation_equivariant(attend, x, rng=rng(seed))
    checks.assert_permutation_invariant(lambda x: attend(x).mean(1), x, rng=rng(seed))
    checks.assert_batch_independent(attend, x, rng=rng(seed))
    checks.assert_linear(lambda x: x @ WEIGHT, x, rng=rng(seed))
    ids = torch.randint(0, 2, (2, 2), generator=rng(seed))
    ids[0, 0] = 1 - ids[0, 1]
    checks.assert_causal(lambda ids: TABLE[ids].cumsum(1), ids, rng=rng(seed))


@pytest.mark.parametrize("seed", range(10))
def test_two_entries_are_really_exchanged(seed: int) -> None:
    """Of two entries there is one other order, and it is the one that is drawn."""
    x = torch.randn(3, 2, 5, generator=rng(seed))
    with pytest.raises(CheckFailure):
        checks.assert_permutation_equivariant(lambda x: x.cumsum(1), x, rng=rng(seed))
    with pytest.raises(CheckFailure):
        checks.assert_permutation_invariant(lambda x: x[:, 0], x, rng=rng(seed))
    checks.assert_permutation_equivariant(attend, x, rng=rng(seed))
    checks.assert_permutation_invariant(lambda x: x.mean(1), x, rng=rng(seed))


def test_inputs_that_cannot_show_anything_are_the_authors_mistake() -> None:
    """One entry along the axis, inputs of different lengths, or equal values everywhere raise ValueError."""
    for check in (checks.assert_causal, checks.assert_permutation_equivariant, checks.assert_permutation_invariant):
        with pytest.raises(ValueError, match="at least 2"):
            check(attend, X[:, :1], rng=rng())
        with pytest.raises(ValueError, match="belong into a lambda"):
            check(attend, (X, X[:, :3]), rng=rng())
    for alter in (checks.assert_causal, checks.assert_batch_independent, checks.assert_deterministic):
        with pytest.raises(ValueError, match="not all alike"):
            alter(attend, torch.ones(4, 7, 5), rng=rng())


class Norm(torch.nn.Module):
    """Batch normalisation that forgets its mode, or updates its statistics in evaluation."""

    def __init__(self, *, always: bool = False, updates: bool = False) -> None:
        super().__init__()
        self.always, self.updates, self.mean = always, updates, torch.zeros(5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        if self.training or self.updates:
            self.mean = 0.9 * self.mean + 0.1 * x.mean((0, 1)).detach()
        return x - (x.mean((0, 1)) if self.training or self.always else self.mean)


def functional_dropout() -> torch.nn.Module:
    """A module that drops whatever its mode is."""
    module = torch.nn.Identity()
    module.forward = lambda x: torch.nn.functional.dropout(x)  # type: ignore[method-assign]
    return module


@pytest.mark.parametrize(
    ("check", "module", "words"),
    [
        pytest.param("differ", torch.nn.Dropout(0.5), None, id="dropout"),
        pytest.param("differ", torch.nn.BatchNorm1d(7), None, id="batch-norm"),
        pytest.param("differ", Norm(), None, id="own-norm"),
        pytest.param("differ", torch.nn.Linear(5, 2), "same in training", id="nothing-drops"),
        pytest.param("differ", torch.nn.Dropout(0.0), "same in training", id="dropout-0"),
        pytest.param("differ", functional_dropout(), "eval()", id="functional"),
        pytest.param("differ", Norm(always=True), "same in training", id="always"),
        pytest.param("differ", Norm(updates=True), "eval()", id="updates-in-evaluation"),
        pytest.param("agree", torch.nn.Linear(5, 2), None, id="linear"),
        pytest.param("agree", torch.nn.LayerNorm(5).double().float(), None, id="layer-norm"),
        pytest.param("agree", torch.nn.Dropout(0.5), "too many", id="drops"),
        pytest.param("agree", Norm(), "too many", id="norm"),
        pytest.param("agree", functional_dropout(), "eval()", id="always-drops"),
    ],
)
def test_train_and_eval(check: str, module: torch.nn.Module, words: str | None) -> None:
    """Training and evaluation are told apart, and randomness or state in evaluation is found."""
    torch.manual_seed(0)
    function = getattr(checks, f"assert_train_eval_{check}")
    if words is None:
        function(module, X, rng=rng())
        assert not module.training
        return
    with pytest.raises(CheckFailure) as caught:
        function(module, X, rng=rng())
    assert words in str(caught.value.hint)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        pytest.param(X.softmax(-1), None, id="softmax"),
        pytest.param(X.double().softmax(-1), None, id="float64"),
        pytest.param(X.softmax(-1) + 1e-6, None, id="noisy"),
        pytest.param(torch.zeros(0, 5), None, id="empty"),
        pytest.param(X.softmax(1), "along axis -2", id="other-axis"),
        pytest.param(X.softmax(-1) / 5, "By what", id="divided"),
        pytest.param(X.log_softmax(-1), "logarithm", id="log"),
        pytest.param(X.softmax(-1) * math.nan, "NaN", id="nan"),
        pytest.param(X.softmax(-1) * math.inf, "infinite", id="inf"),
        pytest.param(torch.ones(3, 1, dtype=torch.int64), "floating point", id="integers"),
        pytest.param(torch.tensor(1.0), "axis -1", id="scalar"),
        pytest.param(None, "`return`", id="none"),
        pytest.param([0.5, 0.5], "list", id="list"),
    ],
)
def test_distribution(values: Any, words: str | None) -> None:
    """Probabilities along an axis pass; others fail, and the right axis is named where there is one."""
    expect(lambda: checks.assert_distribution(values), words)


STANDARD = (X - X.mean(-1, keepdim=True)) / X.std(-1, correction=0, keepdim=True)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        pytest.param(STANDARD, None, id="right"),
        pytest.param(torch.nn.functional.layer_norm(X, (5,)), None, id="library-with-epsilon"),
        pytest.param(STANDARD.double() + 1e-6, None, id="noisy"),
        pytest.param(STANDARD * math.sqrt(4 / 5), "n - 1", id="unbiased"),
        pytest.param(STANDARD + 0.1, "mean", id="shifted"),
        pytest.param(STANDARD * 2, "variance", id="scaled"),
        pytest.param(X / X.norm(dim=-1, keepdim=True), "mean", id="unit-length"),
        pytest.param(STANDARD * math.nan, "NaN", id="nan"),
        pytest.param(None, "`return`", id="none"),
    ],
)
def test_standardised(values: Any, words: str | None) -> None:
    """Mean 0 and variance 1 pass; a variance divided by n - 1 is called by its name."""
    expect(lambda: checks.assert_standardised(values), words)
