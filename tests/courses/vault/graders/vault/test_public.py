import pytest
import torch

from tensorgrade.checks import assert_close


@pytest.mark.task("double")
def test_doubles_three_numbers(student):
    """One, two and three become two, four and six."""
    x = torch.tensor([1.0, 2.0, 3.0])
    assert_close(student.double(x), x + x)


@pytest.mark.task("spell")
def test_spells_one_word(student):
    """The word "tensor" becomes "rosnet"."""
    assert student.spell("tensor") == "rosnet"
