"""The checks that come with the notebook: small inputs whose answers can be found by hand."""

import math

import pytest
import torch

from tensorgrade.checks import assert_close, unpack_tensors
from tensorgrade.errors import CheckFailure, StudentError

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


@pytest.mark.task("heads")
def test_one_head_with_plain_layers_is_attention(student):
    """One head whose four layers change nothing averages the context, as `attend` does."""
    heads = student.Heads(2, 1)
    plain = {"weight": torch.eye(2), "bias": torch.zeros(2)}
    names = ("query", "key", "value", "output")
    student.copy_weights(heads, {f"{name}.{end}": value for name in names for end, value in plain.items()})
    context = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [5.0, 5.0]]])
    x = torch.zeros(1, 4, 2)  # matches everything equally well
    assert_close(heads(x, context), torch.full((1, 4, 2), 2.0), **FLOAT32, name="Heads(x, context)")


@pytest.mark.task("heads")
def test_three_heads_do_not_fit_into_eight(student):
    """Three heads cannot share a width of eight: that is a ValueError."""
    try:
        student.Heads(8, 3)
    except StudentError as error:
        if error.type_name != "ValueError":
            raise
    else:
        raise CheckFailure("Heads(8, 3) was accepted", "Raise a ValueError if n_heads does not divide d_model.")


@pytest.mark.task("layer")
def test_layer_keeps_the_shape(student):
    """A layer returns a result of the shape of its input, other than its input."""
    x = torch.arange(30.0).reshape(2, 3, 5).sin()
    layer = student.EncoderLayer(5, 1, 7, 0.0)
    assert_close(layer(x), x, atol=math.inf, name="EncoderLayer(x)")
    if torch.equal(layer(x), x):
        raise CheckFailure("EncoderLayer(x) is x", "The layer adds nothing to its input.")


@pytest.mark.task("reviews")
def test_one_score_for_each_class(student):
    """Two reviews and three classes: two rows of three scores, with and without further pads."""
    model = student.ReviewTransformer(11, 8, 2, 1, 3, 6)
    model.eval()
    lengths = torch.tensor([2, 4])
    scores = model(torch.tensor([[1, 2, 0, 0], [3, 4, 5, 6]]), lengths)
    assert_close(scores, torch.zeros(2, 3), atol=math.inf, name="ReviewTransformer(ids, lengths)")
    padded = model(torch.tensor([[1, 2, 0, 0, 0], [3, 4, 5, 6, 0]]), lengths)
    assert_close(padded, scores, **FLOAT32, name="the same reviews with one more pad")
