"""The checks that come with the notebook: small pictures whose answers can be found by hand."""

import pytest
import torch

from tensorgrade.checks import assert_close, assert_shape
from tensorgrade.errors import CheckFailure, StudentError

# float32 rounds at 6e-8; these sums of at most nine terms of size 1 to 30 stay far below 1e-4.
FLOAT32 = {"rtol": 0.0, "atol": 1e-4}


def count_up(height, width):
    """One picture (1, 1, height, width) with the values 1, 2, 3, ..., row by row."""
    return torch.arange(1.0, height * width + 1).reshape(1, 1, height, width)


@pytest.mark.task("frame")
def test_frame_of_two_pixels(student):
    """Two pixels side by side get two columns of zeros on either side, and one row above and below."""
    expected = torch.zeros(1, 1, 3, 6)
    expected[0, 0, 1, 2:4] = torch.tensor([1.0, 2.0])
    assert_close(student.frame(count_up(1, 2), (1, 2)), expected, name="frame(x, (1, 2))")


@pytest.mark.task("frame")
def test_frame_of_another_value(student):
    """With pad (0, 1) and value 5, a column of fives stands on either side, and nothing above or below."""
    expected = torch.tensor([[[[5.0, 1.0, 2.0, 5.0], [5.0, 3.0, 4.0, 5.0]]]])
    assert_close(student.frame(count_up(2, 2), (0, 1), 5.0), expected, name="frame(x, (0, 1), 5.0)")


@pytest.mark.task("patches")
def test_patches_of_the_text(student):
    """The example of the text: a picture of 2 x 3 pixels holds two windows of 2 x 2, so there are two columns."""
    expected = torch.tensor([[[1.0, 2.0], [2.0, 3.0], [4.0, 5.0], [5.0, 6.0]]])
    assert_close(student.patches(count_up(2, 3), (2, 2), (1, 1)), expected, name="patches(x, (2, 2), (1, 1))")


@pytest.mark.task("patches")
def test_patches_side_by_side(student):
    """A picture of 5 x 4 pixels holds two rows of two tiles of 2 x 2; the last row of pixels is dropped."""
    tiles = [[1.0, 2.0, 5.0, 6.0], [3.0, 4.0, 7.0, 8.0], [9.0, 10.0, 13.0, 14.0], [11.0, 12.0, 15.0, 16.0]]
    expected = torch.tensor([tiles]).mT.contiguous()
    assert_close(student.patches(count_up(5, 4), (2, 2), (2, 2)), expected, name="patches(x, (2, 2), (2, 2))")


@pytest.mark.task("Conv")
def test_conv_with_weights_of_one(student):
    """A kernel of ones adds up what a window shows, and the bias is added once."""
    layer = student.Conv(1, 1, 2)
    student.copy_weights(layer, {"weight": torch.ones(1, 1, 2, 2), "bias": torch.tensor([100.0])})
    assert_close(layer(count_up(2, 3)), torch.tensor([[[[112.0, 116.0]]]]), **FLOAT32, name="Conv(1, 1, 2)(x)")


@pytest.mark.task("Conv")
def test_conv_shapes(student):
    """Kernel, stride and pad are ints or pairs, and give the sizes of the text's formulas."""
    x = torch.zeros(2, 3, 9, 8)
    assert_shape(student.Conv(3, 5, 3)(x), (2, 5, 7, 6), name="Conv(3, 5, 3)(x)")
    assert_shape(student.Conv(3, 5, 3, pad=1)(x), (2, 5, 9, 8), name="Conv(3, 5, 3, pad=1)(x)")
    layer = student.Conv(3, 5, (3, 2), stride=(2, 1), pad=(0, 1))
    assert_shape(layer(x), (2, 5, 4, 9), name="Conv(3, 5, (3, 2), stride=(2, 1), pad=(0, 1))(x)")


@pytest.mark.task("Conv")
def test_conv_refuses_groups(student):
    """Two groups do not divide three channels: that is a ValueError."""
    try:
        student.Conv(3, 4, 1, groups=2)
    except StudentError as error:
        if error.type_name != "ValueError":
            raise
    else:
        raise CheckFailure("Conv(3, 4, 1, groups=2) was accepted", "Raise a ValueError if groups does not divide c_in.")


@pytest.mark.task("pool_max")
def test_pool_of_tiles(student):
    """A picture of 2 x 4 pixels in tiles of 2 x 2 has two results: the largest of each tile."""
    expected = torch.tensor([[[[6.0, 8.0]]]])
    assert_close(student.pool_max(count_up(2, 4), (2, 2)), expected, name="pool_max(x, (2, 2))")


@pytest.mark.task("pool_max")
def test_pool_of_overlapping_windows(student):
    """With stride (1, 1) the same picture has three windows, which overlap."""
    expected = torch.tensor([[[[6.0, 7.0, 8.0]]]])
    assert_close(student.pool_max(count_up(2, 4), (2, 2), (1, 1)), expected, name="pool_max(x, (2, 2), (1, 1))")


@pytest.mark.task("edge_bank")
def test_edges_of_one_bright_pixel(student):
    """Around one bright pixel, laplace and blur show their own kernels."""
    picture = torch.zeros(3, 3)
    picture[1, 1] = 9.0
    found = student.edge_bank(picture)
    if not isinstance(found, dict) or set(found) != {"horizontal", "vertical", "laplace", "blur"}:
        raise CheckFailure("edge_bank: not the four keys", "Return a dict with the four keys of the text.")
    laplace = torch.tensor([[0.0, 9.0, 0.0], [9.0, -36.0, 9.0], [0.0, 9.0, 0.0]])
    assert_close(found["laplace"], laplace, **FLOAT32, name='edge_bank(img)["laplace"]')
    assert_close(found["blur"], torch.ones(3, 3), **FLOAT32, name='edge_bank(img)["blur"]')


@pytest.mark.task("receptive_field")
def test_field_of_two_layers(student):
    """Two layers with kernel 3 and stride 1: five rows, and the next result is one row further."""
    found = student.receptive_field([(3, 1), (3, 1)])
    if found not in ((5, 1), [5, 1]):
        hint = "receptive_field([(3, 1), (3, 1)]) has to be (5, 1). Draw the three windows that the second layer sees."
        raise CheckFailure(f"got {found!r:.100}", hint)
