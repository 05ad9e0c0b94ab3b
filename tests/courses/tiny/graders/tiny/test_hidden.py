import pytest
import torch

from tensorgrade.checks import assert_close


@pytest.mark.task("double", weight=3)
def test_doubles_any_tensor(student, rng):
    """Every element of the result is twice the element of the input."""
    x = torch.randn(5, 7, generator=rng)
    assert_close(student.double(x), x + x)
