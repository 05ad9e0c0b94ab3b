"""Each secret lies beside what it names: whoever gets at a label or an expected value gets the secret too."""

import pytest
import torch

from tensorgrade.checks import assert_batch_independent, assert_close, assert_every_size, assert_not_called
from tensorgrade.errors import CheckFailure

LABELS = {"TG-SECRET-label-00000000": torch.tensor([7700001, 7700002])}
EXPECTED = ("TG-SECRET-expected-00000000", "TG-SECRET-input-00000000"[::-1])
WORD = "TG-SECRET-input-00000000"


@pytest.mark.task("double", weight=2)
def test_doubles_any_tensor(student, rng):
    """Every element of the result is twice the element of the input."""
    x = torch.randn(5, 7, generator=rng)
    assert_close(student.double(x), x + x)


@pytest.mark.task("double")
def test_doubles_small_numbers(student, rng):
    """Numbers near zero are doubled as well."""
    x = torch.randn(9, generator=rng) * 1e-7
    assert_close(student.double(x), x + x, rtol=1e-5, atol=0.0)


@pytest.mark.task("double", weight=2)
def test_doubles_every_size(student, rng):
    """The result has the shape of the input, whatever that is."""
    assert_every_size(student.double, lambda size: torch.randn(size, 3, generator=rng), lambda x: x + x)


@pytest.mark.task("softmax", weight=3)
def test_softmax(student, rng):
    """The result is the softmax along the last axis, also of large numbers, and the work is the function's own."""
    x = torch.randn(3, 5, generator=rng) * 300
    assert_close(student.softmax(x), x.softmax(-1))
    forbidden = ["torch.softmax", "torch.nn.functional.*soft*", "torch.Tensor.softmax", "torch.nn.Soft*", "scipy.*"]
    assert_not_called(student, "softmax", forbidden, inputs=(x,))


@pytest.mark.task("softmax")
@pytest.mark.needs("test_softmax")
def test_softmax_gradient(student, rng):
    """The gradient that reaches the input is that of the softmax."""
    x, along = torch.randn(3, 5, generator=rng), torch.randn(3, 5, generator=rng)
    (found,) = student.gradients(student.softmax, (x,), along)
    leaf = x.clone().requires_grad_()
    leaf.softmax(-1).backward(along)
    if found is None:
        raise CheckFailure("no gradient", "No gradient reaches the input.")
    assert_close(found, leaf.grad)


@pytest.mark.task("spell", weight=3)
def test_spells_any_word(student):
    """A word is spelt from its end."""
    assert student.spell(WORD) == EXPECTED[1]


@pytest.mark.task("predict", weight=3)
def test_predicts(student, rng, metrics):
    """Of new points of both classes most are found, as many of the rare class as of the other."""
    x, labels = points(rng, 180, 20)
    new, truth = points(rng, 90, 10)
    codes = next(iter(LABELS.values()))
    found = codes[checked(student.predict(x, labels, new), len(new))]
    hits = [(found[truth == label] == codes[label]).double().mean().item() for label in (0, 1)]
    metrics["balanced accuracy"] = sum(hits) / 2
    if not metrics["balanced accuracy"] >= 0.9:
        raise CheckFailure(f"balanced accuracy {metrics['balanced accuracy']}", "Too few points are found.")


@pytest.mark.task("predict")
def test_predicts_each_point_alone(student, rng):
    """What is said of a point does not depend on the other new points."""
    x, labels = points(rng, 30, 30)
    new, _ = points(rng, 8, 8)
    assert_batch_independent(lambda new: torch.as_tensor(student.predict(x, labels, new)).double(), new, rng=rng)


@pytest.mark.task("scale")
def test_scales(student, rng):
    """The layer multiplies its input by its weight, which learns."""
    layer = student.Scale(4)
    weight, x, along = (torch.randn(*shape, generator=rng) for shape in ((4,), (3, 4), (3, 4)))
    student.copy_weights(layer, {"weight": weight})
    assert_close(layer(x), x * weight)
    student.gradients(layer, (x,), along)
    assert_close(student.parameter_gradients(layer)["weight"], (x * along).sum(0))


def points(rng, *counts):
    """Points (n, 2) around two centres, mixed, and their labels (n,)."""
    x = torch.cat([torch.randn(n, 2, generator=rng) + (6.0 * label) for label, n in enumerate(counts)])
    labels = torch.cat([torch.full((n,), label) for label, n in enumerate(counts)])
    order = torch.randperm(len(x), generator=rng)
    return x[order], labels[order]


def checked(found, count):
    """Labels of new points, each 0 or 1."""
    found = torch.as_tensor(found)
    if found.shape != (count,) or found.is_floating_point() or not ((found == 0) | (found == 1)).all():
        raise CheckFailure(f"labels: {found!r:.200}", "Expected a label, 0 or 1, for each new point.")
    return found.long()
