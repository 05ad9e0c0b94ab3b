"""The words a grader author uses about tensors."""

import math

import numpy as np
import pytest
import torch

from tensorgrade.checks import assert_close, assert_shape, unpack_tensors
from tensorgrade.errors import CheckFailure


def failure_of(actual, expected, **options):
    """The CheckFailure that the comparison raises."""
    with pytest.raises(CheckFailure) as caught:
        assert_close(actual, expected, **options)
    return caught.value


@pytest.fixture
def table():
    """Ten distinctive values, shape (2, 5), float32."""
    return torch.tensor([[0.7312, -1.4519, 2.6613, 0.1187, -0.9341], [1.7279, 3.5023, -2.7171, 0.6649, 4.4091]])


class Liar:
    """Claims to be a tensor and to equal everything."""

    __class__ = torch.Tensor
    shape = (2, 5)

    def __eq__(self, other):
        return True

    __hash__ = None


class BadList(list):
    """A list that cannot be iterated."""

    def __iter__(self):
        raise SystemExit


@pytest.mark.parametrize(
    ("actual", "words"),
    [
        pytest.param(None, "`return`", id="none"),
        pytest.param(0.7312, "Keep the value in its tensor", id="float"),
        pytest.param(True, "Keep the value in its tensor", id="bool"),
        pytest.param(np.ones((2, 5), np.float32), "torch.from_numpy", id="numpy-array"),
        pytest.param(np.float32(1), "torch.from_numpy", id="numpy-number"),
        pytest.param([[1.0] * 5] * 2, "a Python list", id="list"),
        pytest.param((torch.ones(2, 5), None), "a Python tuple", id="tuple"),
        pytest.param("tensor", "a Python str", id="str"),
        pytest.param(torch.ones, "an object of another class", id="function"),
        pytest.param(Liar(), "an object of another class", id="liar"),
        pytest.param(torch.ones(2, 5, device="meta"), "ordinary, dense CPU tensor", id="meta"),
        pytest.param(torch.ones(2, 5, dtype=torch.complex64), "ordinary, dense CPU tensor", id="complex"),
    ],
)
def test_anything_but_a_tensor_fails_with_advice(table, actual, words):
    """Whatever was returned instead of a tensor ends in a CheckFailure that says what to do."""
    assert words in failure_of(actual, table).hint
    with pytest.raises(CheckFailure, match="result"):
        assert_shape(actual, (2, 5))


@pytest.mark.parametrize(
    "actual",
    [
        pytest.param(torch.nn.Parameter(torch.ones(2, 5)), id="parameter"),
        pytest.param(torch.ones(2, 5, requires_grad=True) * 1, id="in-a-graph"),
        pytest.param(torch.ones(5, 2).T, id="not-contiguous"),
        pytest.param(torch.ones(2, 5).to_sparse(), id="sparse"),
        pytest.param(torch.ones(2, 5, dtype=torch.float64), id="float64"),
    ],
)
def test_right_values_pass_in_any_tensor(actual):
    """A correct tensor passes whatever its memory, graph or wider dtype."""
    assert_close(actual, torch.ones(2, 5))
    assert_shape(actual, (2, 5))


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        pytest.param((5, 2), "swapped", id="swapped"),
        pytest.param((10,), "1 axes instead of 2", id="flat"),
        pytest.param((), "0 axes instead of 2", id="0-d"),
        pytest.param((1, 5), "got (1, 5)", id="broadcasts"),
        pytest.param((2, 1), "got (2, 1)", id="broadcasts-too"),
        pytest.param((1, 2, 5), "3 axes instead of 2", id="extra-axis"),
        pytest.param((0, 5), "got (0, 5)", id="empty"),
    ],
)
def test_another_shape_fails(shape, words):
    """A shape that is only compatible is wrong, and the hint names both shapes."""
    failure = failure_of(torch.ones(shape), torch.ones(2, 5))
    assert words in failure.hint
    assert "(2, 5)" in failure.hint
    with pytest.raises(CheckFailure):
        assert_shape(torch.ones(shape), (2, 5), name="out")


def test_a_scalar_is_not_a_vector_of_one():
    """A value without axes and a vector of one value are told apart in both directions."""
    failure_of(torch.ones(()), torch.ones(1))
    failure_of(torch.ones(1), torch.ones(()))


def test_empty_tensors_are_compared_by_shape():
    """Tensors without values are equal if and only if their shapes are."""
    assert_close(torch.ones(0, 3), torch.ones(0, 3))
    failure_of(torch.ones(3, 0), torch.ones(0, 3))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_fail(table, bad):
    """One NaN or infinity fails however wide the tolerance, and its index is named."""
    actual = table.clone()
    actual[1, 3] = bad
    failure = failure_of(actual, table, rtol=1e9, atol=1e9)
    assert "index (1, 3)" in failure.rationale
    assert failure.hint.startswith("1 of 10 values of the result are NaN or infinite. ")


def test_infinity_passes_only_where_it_is_expected():
    """An expected infinity is met by the same infinity alone; an expected NaN by nothing."""
    expected = torch.tensor([-math.inf, 1.0])
    assert_close(torch.tensor([-math.inf, 1.0]), expected)
    failure_of(torch.tensor([math.inf, 1.0]), expected)
    assert "index (0,)" in failure_of(torch.tensor([-1e30, 1.0]), expected, rtol=1.0).rationale
    failure_of(torch.tensor([math.nan]), torch.tensor([math.nan]))


@pytest.mark.parametrize(
    ("actual", "expected", "words"),
    [
        pytest.param(torch.ones(3), torch.ones(3, dtype=torch.bool), "comparison", id="float-for-bool"),
        pytest.param(torch.ones(3, dtype=torch.int64), torch.ones(3, dtype=torch.bool), "bool", id="int-for-bool"),
        pytest.param(torch.ones(3, dtype=torch.bool), torch.ones(3), "got bool", id="bool-for-float"),
        pytest.param(torch.ones(3), torch.ones(3, dtype=torch.int64), "integer", id="float-for-int"),
        pytest.param(torch.ones(3, dtype=torch.int64), torch.ones(3), "got int64", id="int-for-float"),
        pytest.param(torch.ones(3).bfloat16(), torch.ones(3), "loses digits", id="half-for-float"),
    ],
)
def test_another_kind_of_dtype_fails(actual, expected, words):
    """Equal values of another kind of dtype fail, with the kind in the hint."""
    assert words in failure_of(actual, expected).hint


def test_integers_are_compared_exactly():
    """Integer widths may differ, values may not: not by one in 2**53, nor by an overflow."""
    assert_close(torch.tensor([3], dtype=torch.int32), torch.tensor([3]))
    failure_of(torch.tensor([2**53]), torch.tensor([2**53 + 1]))
    failure_of(torch.tensor([-(2**63)]), torch.tensor([0]))
    assert_close(torch.tensor([5]), torch.tensor([6]), atol=1)


def test_default_tolerance_is_that_of_the_coarser_dtype():
    """float64 is held to float32's tolerance where the reference is float32, and to its own elsewhere."""
    near = torch.full((3,), 1 + 3e-6, dtype=torch.float64)
    assert_close(near, torch.ones(3))
    assert_close(near.float(), torch.ones(3, dtype=torch.float64))
    failure_of(near, torch.ones(3, dtype=torch.float64))
    failure_of(near, torch.ones(3), rtol=1e-6, atol=0)


def test_bfloat16_has_a_tolerance_of_its_own():
    """A bfloat16 reference forgives one rounding, and no error of five per cent."""
    expected = torch.tensor([1.0, 2.0, 3.0], dtype=torch.bfloat16)
    assert_close(expected.float() * 1.007, expected)
    failure_of(expected.float() * torch.tensor([1.0, 1.05, 1.0]), expected)


def test_rationale_names_the_worst_index_and_both_values(table):
    """Staff read the worst index, both values there, the tolerance and the count."""
    actual = table.clone()
    actual[0, 1] += 0.01
    actual[1, 2] -= 0.5
    rationale = failure_of(actual, table, rtol=0.0, atol=1e-3, name="out").rationale
    assert rationale == (
        "2 of 10 values of out are out of tolerance (rtol 0, atol 0.001); "
        "worst at index (1, 2): expected -2.7171, got -3.2171"
    )


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        pytest.param(lambda x: x + torch.arange(10.0).reshape(2, 5), "9 of 10 values", id="plain"),
        pytest.param(lambda x: x * 8**0.5, "same factor sqrt(8)", id="sqrt"),
        pytest.param(lambda x: x / 8**0.5, "same factor 1 / sqrt(8)", id="one-over-sqrt"),
        pytest.param(lambda x: x * 4, "same factor 4.", id="whole"),
        pytest.param(lambda x: x * 1.2345, "same factor. ", id="odd"),
        pytest.param(lambda x: -x, "wrong sign", id="sign"),
        pytest.param(lambda x: x * 0, "All values are 0 or False.", id="zero"),
        pytest.param(lambda x: x * math.nan, "NaN", id="nan"),
    ],
)
def test_hint_names_the_likely_mistake_and_no_value(table, mistake, words):
    """The hint counts and diagnoses; no expected value is in it."""
    hint = failure_of(mistake(table), table).hint
    assert words in hint
    assert not any(f"{abs(value):.2f}" in hint for value in table.flatten().tolist())


def test_swapped_square_is_recognised(table):
    """A transposed square matrix is called by its name."""
    square = table[:, :2]
    assert "last two axes are swapped" in failure_of(square.T, square).hint


def test_a_single_ratio_is_no_diagnosis():
    """One value, or equal values, give no factor: with it a student could compute the expected value."""
    assert "factor" not in failure_of(torch.tensor([0.5]), torch.tensor([0.7312])).hint
    assert "factor" not in failure_of(torch.full((4,), 0.5), torch.full((4,), 0.7312)).hint


def test_tensors_are_unpacked_by_name():
    """A tuple or list of tensors of the right length is given as plain tensors."""
    out, w = unpack_tensors((torch.nn.Parameter(torch.ones(2)), torch.zeros(3)), "out", "w")
    assert type(out) is torch.Tensor
    assert w.shape == (3,)
    assert len(unpack_tensors([torch.ones(1)] * 2, "out", "w")) == 2


@pytest.mark.parametrize(
    ("actual", "words"),
    [
        pytest.param(torch.ones(2, 3), "a single tensor", id="tensor"),
        pytest.param(None, "None", id="none"),
        pytest.param((torch.ones(1),) * 3, "3 items", id="three"),
        pytest.param((torch.ones(1), None), "w is None", id="none-inside"),
        pytest.param({"out": 1}, "a Python dict", id="dict"),
        pytest.param(BadList([1, 2]), "out is a Python int", id="bad-list"),
        pytest.param(Liar(), "an object of another class", id="liar"),
    ],
)
def test_what_cannot_be_unpacked_fails_with_advice(actual, words):
    """Anything but as many tensors as there are names is a CheckFailure."""
    with pytest.raises(CheckFailure) as caught:
        unpack_tensors(actual, "out", "w")
    assert words in caught.value.hint
