"""The checks that come with the notebook: small inputs whose answers can be found by hand."""

import math

import pytest
import torch

from tensorgrade.checks import assert_close, unpack_tensors

# float32 rounds at 6e-8; these sums of at most three terms of size 1 to 9 stay far below 1e-5.
FLOAT32 = {"rtol": 0.0, "atol": 1e-5}


@pytest.mark.task("attend")
def test_equal_scores_give_the_mean(student):
    """A query that matches all keys equally well gets the mean of the values."""
    q = torch.zeros(2, 4)
    k = torch.tensor([[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0], [0.0, 1.0, 0.0, 1.0]])
    v = torch.tensor([[3.0], [6.0], [9.0]])
    out, w = unpack_tensors(student.attend(q, k, v), "out", "w")
    assert_close(w, torch.full((2, 3), 1 / 3), **FLOAT32, name="w")
    assert_close(out, torch.full((2, 1), 6.0), **FLOAT32, name="out")


@pytest.mark.task("attend")
def test_single_allowed_key_takes_all(student):
    """A query that may look at one key only returns the value of that key."""
    q = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    k = torch.tensor([[0.5, 1.0], [2.0, -1.0], [1.0, 1.0]])
    v = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    allow = torch.tensor([[True, False, False], [False, False, True]])
    out, w = unpack_tensors(student.attend(q, k, v, allow), "out", "w")
    assert_close(w, torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), **FLOAT32, name="w")
    assert_close(out, torch.tensor([[1.0, 2.0], [5.0, 6.0]]), **FLOAT32, name="out")


@pytest.mark.task("masks")
def test_future_mask_of_three(student):
    """With three positions, the first sees itself, the second two, the third all."""
    expected = torch.tensor([[True, False, False], [True, True, False], [True, True, True]])
    assert_close(student.mask_future(3), expected, name="mask_future(3)")


@pytest.mark.task("masks")
def test_pads_mask_of_two_sequences(student):
    """Sequences of 2 and 4 tokens, padded to 4: the last two places of the first are pads."""
    expected = torch.tensor([[[True, True, False, False]], [[True, True, True, True]]])
    assert_close(student.mask_pads(torch.tensor([2, 4]), 4), expected, name="mask_pads(lengths, 4)")


@pytest.mark.task("masks")
def test_band_mask_of_four(student):
    """With radius 1 each position sees itself and its direct neighbours."""
    expected = torch.tensor(
        [
            [True, True, False, False],
            [True, True, True, False],
            [False, True, True, True],
            [False, False, True, True],
        ]
    )
    assert_close(student.mask_band(4, 1), expected, name="mask_band(4, 1)")


@pytest.mark.task("positions")
def test_first_position_alternates(student):
    """At position 0 all sines are 0 and all cosines are 1."""
    table = student.wave_positions(1, 6)
    assert_close(table, torch.tensor([[0.0, 1.0] * 3]), **FLOAT32, name="wave_positions(1, 6)")


@pytest.mark.task("positions")
def test_width_of_two(student):
    """A table of width 2 holds the sine and the cosine of the position itself."""
    expected = torch.tensor([[math.sin(t), math.cos(t)] for t in range(4)])
    assert_close(student.wave_positions(4, 2), expected, **FLOAT32, name="wave_positions(4, 2)")
