"""The words a grader author uses about tensors."""

from tensorgrade.checks.closeness import assert_close, assert_shape, unpack_tensors
from tensorgrade.checks.diagnosis import Facts

__all__ = ["Facts", "assert_close", "assert_shape", "unpack_tensors"]
