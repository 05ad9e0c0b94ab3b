"""The words for learning, purity, dtype, finiteness, relative error and metrics."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from tensorgrade import checks
from tensorgrade.checks.values import is_same
from tensorgrade.errors import CheckFailure, NotDefinedError, StudentError
from tensorgrade.student import NotebookSession, Student
from tensorgrade.student.session import Session
from tests.conftest import expect, rng

pytestmark = pytest.mark.usefixtures("one_thread")

HERE = checks.ThisProcess()


# Closeness

X = torch.tensor([[1.0, -2.0, 3.0], [0.5, 4.0, -6.0]])


@pytest.mark.parametrize(
    ("actual", "words"),
    [
        pytest.param(X, None, id="right"),
        pytest.param(torch.nn.Parameter(X), None, id="parameter"),
        pytest.param(X.double(), "got float64", id="float64"),
        pytest.param(X.half(), "got float16", id="float16"),
        pytest.param(X > 0, "got bool", id="bool"),
        pytest.param(None, "`return`", id="none"),
        pytest.param(1.0, "torch tensor", id="number"),
    ],
)
def test_dtype(actual: Any, words: str | None) -> None:
    """Only the very dtype passes."""
    expect(lambda: checks.assert_dtype(actual, torch.float32), words)


@pytest.mark.parametrize(
    ("actual", "words"),
    [
        pytest.param(X, None, id="right"),
        pytest.param(torch.zeros(0), None, id="empty"),
        pytest.param(torch.tensor(3), None, id="integer"),
        pytest.param(X / 0, "6 of 6", id="infinite"),
        pytest.param(torch.where(X == 4, math.nan, X), "1 of 6 values of out are NaN", id="nan"),
        pytest.param(math.nan, "torch tensor", id="number"),
        pytest.param([X], "list", id="list"),
    ],
)
def test_finite(actual: Any, words: str | None) -> None:
    """One NaN or infinity fails; the first index is for staff."""
    expect(lambda: checks.assert_finite(actual, name="out"), words)
    if words == "1 of 6 values of out are NaN":
        with pytest.raises(CheckFailure, match=r"first at index \(1, 1\)"):
            checks.assert_finite(actual)


def test_relative_error_is_that_of_the_courses() -> None:
    """The largest of |a - b| / max(1e-8, |a| + |b|), by hand."""
    a, b = torch.tensor([1.0, 0.0, 3.0]), torch.tensor([1.5, 0.0, 3.0])
    assert checks.relative_error(a, b) == pytest.approx(0.5 / 2.5)
    assert checks.relative_error(torch.tensor([0.0]), torch.tensor([1e-9], dtype=torch.float64)) == pytest.approx(0.1)
    assert checks.relative_error(torch.tensor([0.0]), torch.tensor([5.0])) == 1.0
    assert checks.relative_error(torch.zeros(0), torch.zeros(0)) == 0.0
    assert math.isnan(checks.relative_error(torch.tensor([1.0, math.nan]), torch.tensor([1.0, 2.0])))
    with pytest.raises(ValueError, match="equal shapes"):
        checks.relative_error(torch.zeros(2), torch.zeros(1))


@pytest.mark.parametrize(
    ("actual", "words"),
    [
        pytest.param(X.double() * (1 + 1e-7), None, id="right"),
        pytest.param(X * (1 + 1e-7), None, id="float32"),
        pytest.param(X.double() * (1 + 3e-6), "relative error", id="just-above"),
        pytest.param(-X, "relative error", id="sign"),
        pytest.param(X * math.nan, "NaN", id="nan"),
        pytest.param(X * math.inf, "infinite", id="inf"),
        pytest.param(X.T, "shape", id="shape"),
        pytest.param(X.long(), "float", id="integer"),
        pytest.param(None, "`return`", id="none"),
    ],
)
def test_assert_relative_error(actual: Any, words: str | None) -> None:
    """A relative error above the limit in any element fails."""
    expect(lambda: checks.assert_relative_error(actual, X.double()), words)


# What a call leaves behind

CELL = """\
import random, numpy, torch
def good(x):
    return x + 1
def adds(x):
    x += 1
    return x
def fills_second(x, y):
    y.masked_fill_(y > 0, 0)
def appends(x, items):
    items.append(len(items))
def writes_dict(x, options):
    options["k"].add_(1)
def shrinks(x):
    x.resize_(1)
def draws(x):
    return x + torch.rand(1)
def seeds(x):
    torch.manual_seed(0)
    return x
def seeds_numpy(x):
    numpy.random.seed(0)
    return x
def shuffles(x):
    random.shuffle([1, 2, 3])
    return x
def own_generators(x):
    generator = torch.Generator().manual_seed(0)
    other = float(numpy.random.default_rng(0).random()) + random.Random(0).random()
    return x + torch.rand(1, generator=generator) + other
def odd(x):
    if len(x) == 1:
        raise IndexError("1")
    return x
def slow():
    import time
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
class Net(torch.nn.Module):
    def __init__(self, kind="right"):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last, self.kind = torch.nn.Linear(6, 16), torch.nn.Linear(16, 3), kind
        self.drop = torch.nn.Dropout(0.1)
    def forward(self, x):
        x = torch.zeros_like(x) if self.kind == "blind" else x
        h = self.drop(self.first(x).relu())
        out = self.last(h)
        return {
            "detached": out.detach(), "softmax": out.softmax(-1) * 0.1, "nan": out * float("nan"), "shape": out[:, :2],
            "ids": out.argmax(-1),
        }.get(self.kind, out)
"""


@pytest.fixture(params=["worker", "notebook", "here"])
def student(request: pytest.FixtureRequest) -> Any:
    """The same code as a submission behind the wall, in the notebook, and in this process."""
    if request.param == "worker":
        session = request.getfixturevalue("open_session")(CELL)
        session.begin_check(7, 20.0)
        return Student(session, 7)
    names: dict[str, Any] = {"In": [CELL]}
    exec(CELL, names)
    if request.param == "notebook":
        notebook = NotebookSession(names)
        notebook.begin_check(7)
        return Student(notebook, 7)
    return type("Here", (checks.ThisProcess,), {name: staticmethod(value) for name, value in names.items()})()


def test_arguments_that_are_changed(student: Any) -> None:
    """Every way to change an argument is found, and the argument named; a NaN among the inputs is no change."""
    x = torch.tensor([1.0, math.nan, -2.0])
    table = {
        "good": ((x,), None),
        "adds": ((x,), "argument 1"),
        "fills_second": ((x, torch.ones(2)), "argument 2"),
        "appends": ((x, [1, "a"]), "argument 2"),
        "writes_dict": ((x, {"k": torch.ones(2)}), "argument 2"),
        "shrinks": ((x,), "argument 1"),
    }
    for name, (inputs, words) in table.items():
        expect(lambda name=name, i=inputs: checks.assert_not_mutated(student, getattr(student, name), i), words)
    assert torch.equal(x[[0, 2]], torch.tensor([1.0, -2.0]))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("good", None),
        ("own_generators", None),
        ("draws", "generator of torch"),
        ("seeds", None),  # as it was seeded with another number
        ("seeds_numpy", "generator of numpy"),
        ("shuffles", "generator of random"),
    ],
)
def test_random_state_kept(student: Any, name: str, words: str | None) -> None:
    """Drawing from a global generator, or seeding it, is found, with the library's name."""
    words = "generator of torch" if name == "seeds" else words
    expect(lambda: checks.assert_random_state_kept(student, getattr(student, name), torch.ones(2)), words)


@pytest.mark.parametrize("name", ["draws", "good"])
def test_reproducible_on_both_sides(student: Any, name: str) -> None:
    """A draw from the seeded generators is repeatable; a function without any is not random."""
    words = None if name == "draws" else "same under two seeds"
    expect(lambda: checks.assert_reproducible(student, getattr(student, name), torch.ones(2)), words)


def test_a_size_that_raises(student: Any) -> None:
    """An exception for one size names the size and the student's line; that of an unwritten task stays what it is."""
    if isinstance(student, checks.ThisProcess):
        return  # an exception of this process is no StudentError
    draw = lambda n: torch.ones(n, 2)  # noqa: E731
    with pytest.raises(CheckFailure) as caught:
        checks.assert_every_size(student.odd, draw, lambda x: x)
    assert "size 1" in str(caught.value.hint)
    if isinstance(student._session, Session):
        assert str(caught.value.hint).endswith('in this line: raise IndexError("1")')

    def unwritten(x: torch.Tensor) -> None:
        raise StudentError("NotImplementedError", "")

    with pytest.raises(StudentError):
        checks.assert_every_size(unwritten, draw, lambda x: x)
    with pytest.raises(NotDefinedError):
        checks.assert_every_size(lambda x: student.missing(x), draw, lambda x: x)


# Learning


def logits(kind: str, generator: torch.Generator) -> Any:
    """The output of a new model for a batch of 50 and 4 classes."""
    x = torch.randn(50, 4, generator=generator) / 2
    table = {
        "right": x, "zero": 0 * x, "float64": x.double(), "loud": 8 * x, "probabilities": x.softmax(-1),
        "nan": x * math.nan, "shape": x[:, :3], "flat": x.flatten(), "none": None, "loss": torch.tensor(1.4),
        "summed": torch.tensor(1.4 * 50), "low": torch.tensor(0.01), "nan-loss": torch.tensor(math.nan),
        "number": 1.386,
    }  # fmt: skip
    return table[kind]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("right", None),
        ("zero", None),
        ("float64", None),
        ("loss", None),
        ("loud", "too large"),
        ("summed", "mean over the batch"),
        ("low", "smaller"),
        ("probabilities", "softmax itself"),
        ("nan", "NaN"),
        ("nan-loss", "NaN"),
        ("shape", "shape"),
        ("flat", "shape"),
        ("none", "`return`"),
        ("number", "tensor"),
    ],
)
def test_initial_loss(kind: str, words: str | None) -> None:
    """An untrained classifier guesses; loud logits, sums and probabilities are told."""
    for seed in range(5):
        generator = rng(seed)
        expect(lambda g=generator: checks.assert_initial_loss(lambda: logits(kind, g), 4), words)


def test_one_unlucky_model_in_nine_is_forgiven() -> None:
    """The median counts."""
    drawn = iter([torch.tensor(20.0), *[torch.tensor(1.4)] * 8])
    checks.assert_initial_loss(lambda: next(drawn), 4)


FALLING = [math.exp(-step / 10) + 0.1 for step in range(30)]


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        pytest.param(FALLING, None, id="falling"),
        pytest.param(tuple(FALLING), None, id="tuple"),
        pytest.param(torch.tensor(FALLING), None, id="tensor"),
        pytest.param([torch.tensor(loss) for loss in FALLING], None, id="tensors"),
        pytest.param([5, 1], None, id="two-integers"),
        pytest.param([-1.0, -2.0], None, id="negative"),
        pytest.param([-2.0, -2.5], "too little", id="negative-too-little"),
        pytest.param([1.0] * 30, "does not fall", id="constant"),
        pytest.param([1.0, 0.8], "too little", id="too-little"),
        pytest.param(FALLING[::-1], "does not fall", id="rising"),
        pytest.param([*FALLING, math.nan], "finite", id="nan-at-the-end"),
        pytest.param([1.0, math.nan, 0.1], "finite", id="nan-inside"),
        pytest.param([1.0, -math.inf], "finite", id="infinite"),
        pytest.param([1.0], "two or more", id="one"),
        pytest.param([], "two or more", id="empty"),
        pytest.param(None, "list", id="none"),
        pytest.param(["1", "0"], "numbers", id="texts"),
        pytest.param([True, False], "numbers", id="bools"),
        pytest.param({1: 2}, "list", id="dict"),
        pytest.param([10**400, 1], "finite", id="huge"),
        pytest.param(torch.ones(2, 2), "list", id="matrix"),
    ],
)
def test_loss_falls(losses: Any, words: str | None) -> None:
    """Losses that go down by half pass; constant, rising and hostile ones fail."""
    expect(lambda: checks.assert_loss_falls(losses), words)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("right", None),
        ("blind", "by heart"),
        ("softmax", "by heart"),
        ("detached", "detached"),
        ("nan", "NaN"),
        ("shape", "shape and dtype"),
        ("ids", "shape and dtype"),
    ],
)
def test_overfits(student: Any, kind: str, words: str | None) -> None:
    """A wired model learns twelve rows by heart, also with some dropout; a blind or detached one does not."""
    x, labels = torch.randn(12, 6, generator=rng(3)), torch.arange(12) % 3
    net = student.Net(kind)
    recipe = checks.Recipe(steps=100, lr=0.05)
    expect(lambda: checks.assert_overfits(student, net, x, labels, recipe=recipe), words)


def test_overfits_with_another_loss() -> None:
    """A regression is learnt with the mean of squares."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 20), torch.nn.Tanh(), torch.nn.Linear(20, 1))
    x = torch.randn(8, 3, generator=rng(1))
    y = torch.randn(8, 1, generator=rng(2))
    recipe = checks.Recipe(torch.nn.functional.mse_loss, steps=300)
    checks.assert_overfits(HERE, net, x, y, recipe=recipe)
    assert ((net(x) - y) ** 2).mean() < 0.2


def test_budget(student: Any) -> None:
    """Training stops after the epochs or the CPU seconds, whichever comes first; too few epochs fail."""
    done: list[int] = []

    def train_epoch(number: int) -> None:
        student.slow()
        done.append(number)

    assert checks.train_under_budget(student, train_epoch, checks.Budget(3, 60.0)) == 3
    assert done == [0, 1, 2]
    assert 2 <= checks.train_under_budget(student, train_epoch, checks.Budget(1000, 0.12)) <= 4
    budget = checks.Budget(1000, 0.12)
    expect(lambda: checks.train_under_budget(student, train_epoch, budget, least_epochs=10), "epochs")


def test_a_clock_that_lies_does_not_train_for_ever() -> None:
    """A process that says NaN for its time is at the end of its budget."""
    liar = type("Liar", (checks.ThisProcess,), {"cpu_seconds": lambda self: math.nan})()
    assert checks.train_under_budget(liar, lambda number: None, checks.Budget(5, 60.0)) == 1


TRAIN, TEST = torch.randn(20, 3, generator=rng(1)), torch.randn(10, 3, generator=rng(2))


def fit_all(train: torch.Tensor, test: torch.Tensor) -> dict[str, Any]:
    """The leak: statistics of both sets together."""
    both = torch.cat([train, test])
    return {"mean": both.mean(0), "std": both.std(0)}


@pytest.mark.parametrize(
    ("fit", "words"),
    [
        pytest.param(lambda train, test: (train.mean(0), train.std(0)), None, id="right"),
        pytest.param(lambda train, test: (train - train.mean(0)) / train.std(0), None, id="normalised-data"),
        pytest.param(lambda train, test: {"mean": train.mean(0).tolist()}, None, id="lists"),
        pytest.param(lambda train, test: train.mean(0) + 1e-6 * torch.randn(3), None, id="noisy"),
        pytest.param(fit_all, "training set alone", id="both"),
        pytest.param(lambda train, test: (train.mean(0), test.std(0)), "training set alone", id="one-of-two"),
        pytest.param(lambda train, test: {"max": float(torch.cat([train, test]).max())}, "training set", id="number"),
        pytest.param(lambda train, test: torch.zeros(3), "does not depend", id="constant"),
        pytest.param(lambda train, test: train.mean(0) * math.nan, "training set alone", id="nan"),
        pytest.param(lambda train, test: None, "does not depend", id="none"),
        pytest.param(lambda train, test: object(), "tensors, numbers or lists", id="object"),
        pytest.param(lambda train, test: {1, 2}, "tensors, numbers or lists", id="set"),
    ],
)
def test_leakage(fit: Callable[..., Any], words: str | None) -> None:
    """What is fitted to the training set alone passes; whatever looks at the test set fails."""
    expect(lambda: checks.assert_no_leakage(fit, TRAIN, TEST), words)


def test_leakage_of_a_vocabulary() -> None:
    """With a poisoned test set of its own words, a vocabulary of both sets is found."""
    sets = (["a b", "b c"], ["c d"])
    poisoned = ["x y z"]

    def vocabulary(texts: list[str]) -> dict[str, int]:
        return {word: i for i, word in enumerate(sorted({word for text in texts for word in text.split()}))}

    checks.assert_no_leakage(lambda train, test: vocabulary(train), *sets, poisoned=poisoned)
    leak = lambda train, test: vocabulary(train + test)  # noqa: E731
    expect(lambda: checks.assert_no_leakage(leak, *sets, poisoned=poisoned), "vocabulary")
    with pytest.raises(ValueError, match="poisoned"):
        checks.assert_no_leakage(leak, *sets)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        pytest.param({"a": [1, (2.0, None)]}, {"a": [1, (2.0, None)]}, True, id="nested"),
        pytest.param({"a": 1, "b": 2}, {"b": 2, "a": 1}, True, id="order-of-keys"),
        pytest.param(torch.ones(2), torch.nn.Parameter(torch.ones(2)), True, id="parameter"),
        pytest.param(np.ones(2), np.ones(2), True, id="arrays"),
        pytest.param(np.ones(2), np.ones(2, np.float32), False, id="dtype-of-arrays"),
        pytest.param(1.0, 1.0 + 1e-6, True, id="rounding"),
        pytest.param(1.0, 1.1, False, id="number"),
        pytest.param(1, True, False, id="bool"),
        pytest.param({1: 0}, {True: 0}, False, id="key"),
        pytest.param([1], (1,), False, id="tuple"),
        pytest.param([1], [1, 2], False, id="longer"),
        pytest.param("a", "b", False, id="text"),
        pytest.param(math.nan, math.nan, False, id="nan"),
        pytest.param(torch.ones(2), torch.ones(2, 1), False, id="shape"),
        pytest.param(torch.ones(2), torch.ones(2).double(), False, id="dtype"),
        pytest.param(torch.ones(2, device="meta"), torch.ones(2, device="meta"), False, id="meta"),
        pytest.param(object, object, False, id="class"),
    ],
)
def test_nested_values_are_compared(a: Any, b: Any, same: bool) -> None:
    """Plain values are the same if types, shapes and values are; what is not plain never is."""
    assert is_same(a, b, rtol=1e-4) is same


# Metrics

LABELS = torch.tensor([0, 1, 2, 2, 1, 0, 2, 1])
GUESS = torch.tensor([0, 1, 2, 1, 1, 2, 2, 0])


def test_accuracy_is_the_share_of_equal_labels() -> None:
    """Classes, logits in any dtype and narrow integers give the same accuracy, as counted by hand."""
    onehot = torch.nn.functional.one_hot(GUESS, 3)
    for predictions in (GUESS, GUESS.int(), GUESS.to(torch.uint8), onehot.float() * 9 - 4, onehot.double()):
        assert checks.measure("accuracy", predictions, LABELS, n_classes=3) == pytest.approx(5 / 8)


def test_other_metrics_are_those_of_their_formulas() -> None:
    """Macro F1 and the mean squared error equal their definitions."""
    scores = []
    for label in range(3):
        hit = ((label == GUESS) & (label == LABELS)).sum().item()
        scores.append(2 * hit / ((label == GUESS).sum().item() + (label == LABELS).sum().item()))
    assert checks.measure("f1_score", GUESS, LABELS, n_classes=3, average="macro") == pytest.approx(sum(scores) / 3)
    x, y = torch.randn(9, generator=rng(1)), torch.randn(9, generator=rng(2))
    assert checks.measure("mean_squared_error", x.double(), y) == pytest.approx(((x - y) ** 2).mean().item())
    with pytest.raises(ValueError, match="one number"):
        checks.measure("f1_score", GUESS, LABELS, n_classes=3, average="none")


@pytest.mark.parametrize(
    ("predictions", "words"),
    [
        pytest.param(None, "`return`", id="none"),
        pytest.param(GUESS.tolist(), "list", id="list"),
        pytest.param(GUESS[:-1], "shape", id="too-few"),
        pytest.param(GUESS[:, None], "shape", id="column"),
        pytest.param(GUESS + 1, "classes from 0 to 2", id="from-1"),
        pytest.param(GUESS - 1, "classes from 0 to 2", id="negative"),
        pytest.param(GUESS * 2**60, "classes from 0 to 2", id="huge"),
        pytest.param(GUESS.float(), "shape", id="float-classes"),
        pytest.param(GUESS > 0, "classes", id="bools"),
        pytest.param(torch.full((8, 3), math.nan), "NaN", id="nan"),
        pytest.param(torch.full((8, 3), math.inf), "infinite", id="inf"),
        pytest.param(torch.zeros(8, 4), "shape", id="too-many-classes"),
    ],
)
def test_hostile_predictions_fail(predictions: Any, words: str) -> None:
    """What is no prediction ends in a CheckFailure, not in an exception of torchmetrics."""
    expect(lambda: checks.measure("accuracy", predictions, LABELS, n_classes=3), words)


@pytest.mark.parametrize("predictions", [None, LABELS, torch.ones(3), torch.full((8,), math.nan), 0.5])
def test_hostile_numbers_fail(predictions: Any) -> None:
    """The same for numbers."""
    with pytest.raises(CheckFailure):
        checks.measure("mean_squared_error", predictions, torch.zeros(8))


def test_constant_logits_are_one_class() -> None:
    """Equal logits are the guess of one class: no luck, and no share of each class."""
    assert checks.measure("accuracy", torch.zeros(8, 3), LABELS, n_classes=3) == pytest.approx(2 / 8)
